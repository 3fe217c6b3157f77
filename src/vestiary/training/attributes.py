"""The recipe of the attribute network: words for a garment, and a vector in which like garments lie near each other.

The words are learned from real photos (category and sleeve by their folders, more by labels) and from rendered
garments. The vector is learned by contrast (InfoNCE, van den Oord et al. 2018): two views of one garment, one on its
ground, one cut out, must be nearer to each other than to the other garments of the batch and of the batches before
(cross-batch memory, Wang et al. 2020).
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
from vestiary.garment.describe import framed
from vestiary.networks.attributes import AttributeNetwork
from vestiary.networks.sizes import ATTRIBUTE_CLASSES, ATTRIBUTE_DIMENSIONS, ATTRIBUTE_SIDE
from vestiary.training.attribute_views import (
    Views,
    load,
    load_labels,
    test_photos,
    training_photos,
    words_of,
    write_cutouts,
)
from vestiary.training.config import RecipeConfig
from vestiary.training.export import Exported, write_onnx
from vestiary.training.garments import FOLDERS, list_photos

LABELS = Path(__file__).with_name("attribute_labels.json")  # words for 540 of the training photos, by eye
TESTS = Path(__file__).parents[1] / "evaluation" / "garment_labels.json"

RENDERED = {"category": 0.5, "sleeve": 0.5, "neckline": 0.6, "pattern": 0.5, "length": 0.7}  # weight beside real photos
TOLD = ("category", "sleeve", "pattern")  # attributes that the vector must hold


class AttributesConfig(RecipeConfig):
    """What the attribute network is trained on and how."""

    garments: Path = Field(Path("data/garments"), description="Photos by folder: t-shirt/, dress/, …")
    cutouts: Path | None = Field(None, description="Folder of their masks; in the run's by default.")
    labels: Path | None = Field(LABELS, description="JSON of more words by photo.")
    tests: Path | None = Field(TESTS, description="JSON of labelled test photos, which are not trained on.")
    pretrained: bool = Field(True, description="Start from ImageNet weights.")
    weights: Path | None = Field(None, description="Start from these weights of the whole network (a .pt file).")
    frozen: int = Field(3, ge=0, le=5, description="Levels of the encoder that are not trained.")
    rendered: float = Field(0.25, ge=0, le=1, description="Share of rendered garments.")
    labelled: float = Field(0.3, ge=0, le=1, description="Share of photos drawn from those with more words.")
    rate: float = Field(1e-3, gt=0, description="Peak learning rate of the heads.")
    encoder_rate: float = Field(3e-4, gt=0, description="Peak learning rate of the encoder.")
    weight_decay: float = Field(0.03, ge=0, description="Of AdamW.")
    temperature: float = Field(0.1, gt=0, description="Of the contrast.")
    contrast: float = Field(0.5, ge=0, description="Weight of the contrast.")
    guide: float = Field(0.3, ge=0, description="Weight of the words told from the vector alone.")
    memory: int = Field(1024, ge=0, description="Garments remembered from earlier batches.")
    validation: int = Field(160, ge=1, description="Held-out photos looked at in a validation.")
    bank: int = Field(300, ge=0, description="Photos from which cloth and grounds of rendered garments are cut.")


class Guide(nn.Module):
    """Words told from the vector alone, and the memory of vectors; used in training only."""

    def __init__(self, memory: int) -> None:
        super().__init__()
        sizes = {name: len(ATTRIBUTE_CLASSES[name]) for name in TOLD}
        self.told = nn.ModuleDict({name: nn.Linear(ATTRIBUTE_DIMENSIONS, size) for name, size in sizes.items()})
        self.register_buffer("memory", torch.zeros(memory, ATTRIBUTE_DIMENSIONS))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))

    def remember(self, vectors: Tensor) -> None:
        """Put vectors `(n, 96)` in the place of the oldest."""
        memory, filled = cast(Tensor, self.memory), cast(Tensor, self.filled)
        if len(memory):
            places = (int(filled) + torch.arange(len(vectors), device=memory.device)) % len(memory)
            memory[places] = vectors.detach().float()
            filled += len(vectors)

    def remembered(self) -> Tensor:
        """`(m, 96)` vectors of earlier batches."""
        return cast(Tensor, self.memory)[: int(cast(Tensor, self.filled))].clone()


class AttributesRecipe:
    """The attribute network's data, losses, validation and export."""

    name = "attributes"
    Config = AttributesConfig

    def __init__(self, config: AttributesConfig, folder: Path) -> None:
        self.config = config
        self.cutouts = config.cutouts or folder / "cutouts"
        network = AttributeNetwork(pretrained=config.pretrained, frozen=config.frozen)
        if config.weights is not None:
            network.load_state_dict(torch.load(config.weights, map_location="cpu", weights_only=True))
        self.networks: dict[str, nn.Module] = {
            "attributes": network.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
            "guide": Guide(config.memory),
        }
        self.labels = load_labels(config.labels)
        self.barred = test_photos(config.tests)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """One pass, in which encoder and heads have their own rates."""
        network, guide = self.networks["attributes"], self.networks["guide"]
        slow = [weight for weight in network.encoder.parameters() if weight.requires_grad]  # type: ignore[union-attr]
        heads = [weight for name, weight in network.named_parameters() if not name.startswith("encoder.")]
        groups = [{"params": slow, "lr": self.config.encoder_rate}, {"params": [*heads, *guide.parameters()]}]
        return {"all": torch.optim.AdamW(groups, self.config.rate, weight_decay=self.config.weight_decay)}

    def samples(self, split: str) -> Dataset[Any]:
        """Two views of a garment each; see `attribute_views.Views`.

        Raises:
            DatasetError: there are no photos.
        """
        config = self.config
        if split == "train":
            photos, seed = training_photos(config.garments, self.barred), config.seed
        else:
            photos, seed = list_photos(config.garments, validation=True), config.seed + 1
        if not photos:
            raise DatasetError(f"{config.garments} holds no photos by folder.", hint=f"Such as {', '.join(FOLDERS)}.")
        write_cutouts(photos, self.cutouts)
        views = Views(
            photos,
            self.cutouts,
            self.labels,
            seed=seed,
            rendered=config.rendered,
            labelled=config.labelled,
            bank_size=config.bank,
        )
        return cast("Dataset[Any]", views)

    def losses(self, which: str, batch: dict[str, Tensor], step: int) -> dict[str, Tensor]:
        """Weighted losses of a batch: `image (N, 2, 192, 192, 3) uint8`, `real (N,)`, a class for each attribute."""
        guide = cast(Guide, self.networks["guide"])
        pictures = batch["image"].flatten(0, 1).permute(0, 3, 1, 2).float()
        found = self.networks["attributes"](pictures.contiguous(memory_format=torch.channels_last))
        real = batch["real"].repeat_interleave(2).float()
        parts: dict[str, Tensor] = {}
        for name in ATTRIBUTE_CLASSES:
            wanted = batch[name].repeat_interleave(2)
            weight = torch.where(real > 0, 1.0, RENDERED[name])
            parts[name] = _told(found[name], wanted, weight)
            if name in TOLD:
                parts[f"guide_{name}"] = self.config.guide * _told(guide.told[name](found["embedding"]), wanted, weight)
        vectors = found["embedding"].float()
        parts["contrast"] = self.config.contrast * info_nce(vectors, guide.remembered(), self.config.temperature)
        guide.remember(vectors[::2])
        return parts

    def validate(self, networks: dict[str, nn.Module]) -> dict[str, float]:
        """Shares of held-out photos named rightly, the category averaged over the folders, and of views found again."""
        config, network = self.config, networks["attributes"]
        device = next(network.parameters()).device
        photos = list_photos(config.garments, validation=True)
        if not photos:
            raise DatasetError(f"{config.garments} holds no held-out photos.", hint="One photo in ten is, by its name.")
        photos = [photos[i] for i in np.random.default_rng(0).permutation(len(photos))[: config.validation]]
        write_cutouts(photos, self.cutouts)
        right: dict[str, list[tuple[str, bool]]] = {}
        vectors = []
        for path in photos:
            picture, mask = load(path, self.cutouts)
            pair = torch.from_numpy(np.stack([framed(picture, mask, cut=cut) for cut in (True, False)]))
            found = network(pair.permute(0, 3, 1, 2).float().to(device))
            vectors.append(found["embedding"].cpu())
            for name, word in words_of(path, self.labels).items():
                if name not in ATTRIBUTE_CLASSES:
                    continue
                guess = int(found[name].softmax(1).mean(0).argmax())
                right.setdefault(name, []).append((path.parent.name, ATTRIBUTE_CLASSES[name][guess] == word))
        result = {name: float(np.mean([hit for _, hit in hits])) for name, hits in right.items()}
        result["balanced"] = balanced(right["category"])
        both = torch.stack(vectors)
        nearest = (both[:, 1] @ both[:, 0].T).argmax(1)
        result["found_again"] = float((nearest == torch.arange(len(both))).float().mean())
        return {**result, "score": result["balanced"] + 0.1 * result["found_again"]}

    def exported(self, networks: dict[str, nn.Module]) -> Exported:
        """The network with probabilities for logits."""
        network = cast(AttributeNetwork, networks["attributes"])
        example = torch.full((1, 3, ATTRIBUTE_SIDE, ATTRIBUTE_SIDE), 127.0)
        return Exported(Answers(network), {"image": example}, (*ATTRIBUTE_CLASSES, "embedding"))

    def export(self, networks: dict[str, nn.Module], path: Path) -> None:
        """Write the ONNX file: `image (1, 3, 192, 192)` in 0..255 to probabilities by attribute and the vector."""
        write_onnx(self.exported(networks), path)


class Answers(nn.Module):
    """The network with probabilities for logits, as the run time wants them."""

    def __init__(self, network: AttributeNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        found = self.network(image)
        return (*(found[name].softmax(1) for name in ATTRIBUTE_CLASSES), found["embedding"])


def _told(logits: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy over the samples whose class is known."""
    known = (wanted >= 0).float() * weight
    each = F.cross_entropy(logits.float(), wanted.clamp(min=0), reduction="none", label_smoothing=0.08)
    return (each * known).sum() / known.sum().clamp(min=1.0)


def info_nce(vectors: Tensor, memory: Tensor, temperature: float) -> Tensor:
    """The contrast of `(2 N, d)` unit vectors, views of one garment next to each other, with others remembered."""
    count = len(vectors)
    near = vectors @ vectors.T / temperature
    near = near.masked_fill(torch.eye(count, dtype=torch.bool, device=near.device), -1e4)
    if len(memory):
        near = torch.cat([near, vectors @ memory.T / temperature], 1)
    other = torch.arange(count, device=near.device) ^ 1
    return F.cross_entropy(near, other)


def balanced(hits: list[tuple[str, bool]]) -> float:
    """The mean over groups of the share that is right."""
    groups: dict[str, list[bool]] = {}
    for name, hit in hits:
        groups.setdefault(name, []).append(hit)
    return float(np.mean([np.mean(group) for group in groups.values()]))
