"""The recipe of the garment network: mask and landmarks of a garment, what it is, and which way is up.

It starts with small pictures, on which a step costs a third, and ends with those of 256 × 256 (progressive resizing).
For the first part of the run it learns from rendered garments and from real photos of known category. Then it labels
the real photos itself where it is sure (`selftraining`), and goes on with those labels mixed in.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from vestiary.errors import DatasetError
from vestiary.garment.network import decode_landmarks
from vestiary.networks.garment import SIDE, GarmentNetwork
from vestiary.training.attribute_views import test_photos, training_photos
from vestiary.training.attributes import TESTS
from vestiary.training.config import RecipeConfig
from vestiary.training.export import Exported, write_onnx
from vestiary.training.garments import FOLDERS, GarmentSamples, list_photos

SIGMA = 1.3  # of a landmark's target, in cells of the 64 × 64 map
WEIGHTS = {"mask": 2.0, "heat": 0.25, "visible": 1.0, "category": 0.5, "sleeve": 0.4, "neckline": 0.3}
WEIGHTS |= {"up": 1.5, "presence": 0.3}
SIDES = ((0.4, (160, 160, 160, 160, 160, 256)), (0.68, (192, 256)), (9.0, (SIDE,)))  # of the pictures, until that share


class LandmarksConfig(RecipeConfig):
    """What the garment network is trained on and how."""

    garments: Path = Field(Path("data/garments"), description="Photos by folder: t-shirt/, dress/, …")
    people: Path | None = Field(None, description="Folder with photos/ and labels/ of people, for clutter and cloth.")
    tests: Path | None = Field(TESTS, description="JSON of labelled test photos, which are not trained on.")
    pseudo: Path | None = Field(None, description="Folder of pseudo labels; in the run's folder by default.")
    pretrained: bool = Field(True, description="Start from ImageNet weights.")
    weights: Path | None = Field(None, description="Start from these weights of the whole network (a .pt file).")
    frozen: int = Field(5, ge=0, le=5, description="Levels of the encoder that are not trained.")
    rate: float = Field(1.5e-3, gt=0, description="Peak learning rate.")
    weight_decay: float = Field(0.02, ge=0, description="Of AdamW.")
    real: float = Field(0.25, ge=0, le=1, description="Share of real photos before they have pseudo labels.")
    real_labelled: float = Field(0.4, ge=0, le=1, description="Share of real photos once they have.")
    selftrain_at: float = Field(0.64, ge=0, description="Share of the run before photos are labelled; over 1: never.")
    labels: int = Field(600, ge=0, description="Photos that are tried for a pseudo label.")
    bank: int = Field(600, ge=0, description="Photos from which cloth and grounds are cut.")
    validation: int = Field(60, ge=1, description="Rendered garments, and held-out photos, of a validation.")


class LandmarksRecipe:
    """The garment network's data, losses, validation and export."""

    name = "landmarks"
    Config = LandmarksConfig

    def __init__(self, config: LandmarksConfig, folder: Path) -> None:
        self.config, self.pseudo = config, config.pseudo or folder / "pseudo"
        network = GarmentNetwork(pretrained=config.pretrained, frozen=config.frozen)
        if config.weights is not None:
            network.load_state_dict(torch.load(config.weights, map_location="cpu", weights_only=True))
        self.networks: dict[str, nn.Module] = {
            "garment": network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        }
        self.progress, self.labelled = 0.0, False

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """One pass."""
        weights = [weight for weight in self.networks["garment"].parameters() if weight.requires_grad]
        return {"all": torch.optim.AdamW(weights, self.config.rate, weight_decay=self.config.weight_decay)}

    def samples(self, split: str) -> Dataset[Any]:
        """Rendered garments and real photos; see `garments.GarmentSamples`.

        Raises:
            DatasetError: there are no photos.
        """
        config = self.config
        photos = training_photos(config.garments, test_photos(config.tests))
        if split != "train":
            photos = list_photos(config.garments, validation=True)
        if not photos:
            raise DatasetError(f"{config.garments} holds no photos by folder.", hint=f"Such as {', '.join(FOLDERS)}.")
        samples = GarmentSamples(
            photos,
            config.people,
            self.pseudo if self.labelled else None,
            seed=config.seed + (1000 if self.labelled else 0) + (0 if split == "train" else 1),
            real=config.real_labelled if self.labelled else config.real,
            bank_size=config.bank,
        )
        return cast("Dataset[Any]", samples)

    def advance(self, step: int, progress: float, averaged: dict[str, nn.Module]) -> bool:
        """Label the real photos when it is time; the samples change then."""
        from vestiary.training.selftraining import write_pseudo_labels

        self.progress = progress
        if self.labelled or progress < self.config.selftrain_at:
            return False
        photos = training_photos(self.config.garments, test_photos(self.config.tests))
        network = cast(GarmentNetwork, averaged["garment"])
        write_pseudo_labels(network, photos, self.pseudo, most=self.config.labels)
        self.labelled = True
        return True

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds beside the weights."""
        return {"labelled": self.labelled}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.labelled = bool(state["labelled"])

    def losses(self, which: str, batch: dict[str, Tensor], step: int) -> dict[str, Tensor]:
        """Weighted losses of a batch of `GarmentSamples`."""
        pictures = batch["image"].permute(0, 3, 1, 2).float()
        side = next(sides[step % len(sides)] for until, sides in SIDES if self.progress < until)
        if side != SIDE:
            pictures = F.interpolate(pictures, size=(side, side), mode="bilinear", antialias=True)
        found = self.networks["garment"](pictures.contiguous(memory_format=torch.channels_last))
        return {name: WEIGHTS[name] * loss for name, loss in losses(found, batch).items()}

    def validate(self, networks: dict[str, nn.Module]) -> dict[str, float]:
        """Mask overlap and landmark error on rendered garments, and the share of held-out photos named rightly."""
        held = list_photos(self.config.garments, validation=True)
        samples = GarmentSamples(held, None, None, seed=77, real=0.0, empty=0.0, bank_size=60)
        overlaps, errors, right = [], [], []
        for index in range(self.config.validation):
            sample = samples[index]
            found = _answers(networks["garment"], sample["image"])
            seen, true = found["mask"][0] > 0, sample["mask"] > 127
            overlaps.append((seen & true).sum() / max(1, (seen | true).sum()))
            points = decode_landmarks(found["heat"], 1 / (1 + np.exp(-found["visible"])))
            there = sample["landmarks"][:, 2] > 0
            apart = np.linalg.norm(points[there, :2] - sample["landmarks"][there, :2], axis=1)
            errors.append(apart / max(1.0, float(np.hypot(*np.ptp(np.argwhere(true), axis=0)))))
        photos = GarmentSamples(held, None, None, seed=78, real=1.0, bank_size=20)
        for index in range(self.config.validation if held else 0):
            sample = photos[index]
            named = _answers(networks["garment"], sample["image"])["category"].argmax()
            right.append(int(named) == sample["category"])
        figures = {"iou": float(np.mean(overlaps)), "landmarks": float(np.median(np.concatenate(errors)))}
        figures["category"] = float(np.mean(right)) if right else 0.0
        return {**figures, "score": figures["iou"] - 5 * figures["landmarks"] + 0.3 * figures["category"]}

    def exported(self, networks: dict[str, nn.Module]) -> Exported:
        """The network with probabilities for logits."""
        from vestiary.training.garment_export import OUTPUTS, Answers

        example = torch.full((1, 3, SIDE, SIDE), 127.0)
        return Exported(Answers(cast(GarmentNetwork, networks["garment"])), {"image": example}, OUTPUTS)

    def export(self, networks: dict[str, nn.Module], path: Path) -> None:
        """Write the ONNX file: input `image (1, 3, 256, 256)` in 0..255."""
        write_onnx(self.exported(networks), path)


def _answers(network: nn.Module, picture: Any) -> dict[str, Any]:
    device = next(network.parameters()).device
    pixels = torch.from_numpy(picture).permute(2, 0, 1)[None].float().to(device)
    return {name: value[0].float().cpu().numpy() for name, value in network(pixels).items()}


def heat_targets(landmarks: Tensor, cells: int) -> Tensor:
    """`(N, 28, cells, cells)`: for each landmark a Gaussian that sums to 1."""
    places = (landmarks[..., :2] + 0.5) * (cells / SIDE) - 0.5
    line = torch.arange(cells, dtype=torch.float32, device=places.device)
    spread = torch.exp(-((line - places[..., None]) ** 2) / (2 * SIGMA**2)) + 1e-9
    spread = spread / spread.sum(-1, keepdim=True)
    return spread[:, :, 1, :, None] * spread[:, :, 0, None, :]


def losses(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    """Each head's loss, averaged over the samples that teach it."""
    found = {name: value.float() for name, value in found.items()}
    mask, landmarks = wanted["mask"].float()[:, None] / 255, wanted["landmarks"].float()
    mask = F.interpolate(mask, size=found["mask"].shape[-2:], mode="area")
    each = F.binary_cross_entropy_with_logits(found["mask"], mask, reduction="none").mean((1, 2, 3))
    chance = found["mask"].sigmoid()
    overlap = 2 * (chance * mask).sum((1, 2, 3)) + 1
    each = each + 0.5 * (1 - overlap / (chance.sum((1, 2, 3)) + mask.sum((1, 2, 3)) + 1))
    surprise = -(heat_targets(landmarks, found["heat"].shape[-1]) * _log_chances(found["heat"])).sum((2, 3))
    taught = landmarks[..., 2] * wanted["has_landmarks"].float()[:, None]
    visible = F.binary_cross_entropy_with_logits(found["visible"], landmarks[..., 2], reduction="none").mean(1)
    return {
        "mask": _mean(each, wanted["has_mask"]),
        "heat": (surprise * taught).sum() / taught.sum().clamp(min=1),
        "visible": 4 * _mean(visible, wanted["has_visible"]),
        "up": _mean((found["up"] - wanted["up"].float()).square().sum(1), wanted["has_up"]),
        "presence": F.binary_cross_entropy_with_logits(found["presence"][:, 0], wanted["presence"].float()),
        **{name: _classes(found[name], wanted[name]) for name in ("category", "sleeve", "neckline")},
    }


def _log_chances(heat: Tensor) -> Tensor:
    return F.log_softmax(heat.flatten(2), 2).view_as(heat)


def _mean(each: Tensor, weight: Tensor) -> Tensor:
    return (each * weight.float()).sum() / weight.float().sum().clamp(min=1)


def _classes(scores: Tensor, wanted: Tensor) -> Tensor:
    if bool((wanted < 0).all()):
        return scores.sum() * 0
    return F.cross_entropy(scores, wanted, ignore_index=-1, label_smoothing=0.05)
