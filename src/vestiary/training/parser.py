"""The recipe of the part parser: labelled photos, and photos of which only tags are known.

`vestiary train parser --set data=DIR`; `DIR` is laid out as Clothing Co-Parsing is (Yang, Luo & Lin 2014):
`photos/ID.jpg`, `labels/ID.png`, `labels.txt`, and `tags.json` for photos without labels. Poses, silhouettes and the
pseudo-labels of the tagged photos are worked out before the first step and kept.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.utils.data import Dataset

from vestiary.errors import InputError, WeightsError
from vestiary.evaluation.parser import Tally
from vestiary.networks.encoder import load_imagenet
from vestiary.networks.parser import CLASSES, HEIGHT, HINTS, WIDTH, WORN, PartParser
from vestiary.person import views
from vestiary.training.augment_people import plain, upper_body, vary
from vestiary.training.checkpoint import load_networks
from vestiary.training.config import RecipeConfig
from vestiary.training.dataset_people import people_in
from vestiary.training.export import Exported, write_onnx
from vestiary.training.people import INDEX, LabelledPerson, PersonFiles, read_classes, split_people
from vestiary.training.pseudo_people import find_poses, label_tagged, tagged_people

Floats = NDArray[np.float32]

CLASS_WEIGHTS = {"background": 0.6, "skirt": 1.5, "shorts": 1.5, "hat": 1.3, "neck": 1.2, "hand": 1.2, "arm": 1.2}
# How much more often a photo is shown that holds a class which is rare or easily confused.
EXTRA = {"skirt": 2.0, "dress": 0.7, "shorts": 2.5, "hat": 0.7, "bag": 0.3, "top": 0.3}
SEEN, PRESENT = 500, 40  # pixels of a class in a photo, and in an example, that count as seen
TEACHER_SCALE = 0.6  # of the photo's size, at which the teacher's views are put together


class ParserConfig(RecipeConfig):
    """Keys of the recipe `parser`."""

    data: Path = Field(Path("data/people"), description="Folder with label maps, in a layout of docs/data/layouts.md.")
    kept: Path | None = Field(None, description="Folder of poses and pseudo-labels; in the run's by default.")
    start: Path | None = Field(None, description="Checkpoint of an earlier run whose averaged weights are the first.")
    pretrained: bool = Field(True, description="Without `start`: begin with ImageNet features.")
    widths: tuple[int, ...] = Field((24, 48, 80, 128, 160), description="Channels of the decoder, finest first.")
    frozen: int = Field(3, ge=0, le=5, description="Encoder levels that are not trained.")
    encoder_rate: float = Field(4e-4, gt=0, description="Peak learning rate of the encoder.")
    decoder_rate: float = Field(2.5e-3, gt=0, description="Peak learning rate of all else.")
    weight_decay: float = Field(0.02, ge=0, description="Of AdamW.")
    dice: float = Field(0.5, ge=0, description="Weight of the overlap of classes.")
    worn: float = Field(0.3, ge=0, description="Weight of which garments are seen at all.")
    tagged: float = Field(0.7, ge=0, description="How often a tagged photo is shown beside a labelled one.")
    without: tuple[int, ...] = Field((), description="Numbers of photos not to train on, as twins of held-back ones.")
    natural: bool = Field(True, description="Export with garments as likely as in the labelled photos.")
    relabel: tuple[float, ...] = Field(
        (0.45,), description="Shares of the run at which tagged photos are labelled anew."
    )


def segmentation_loss(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy, and 1 - soft Dice (Milletari et al. 2016) over the classes that the batch holds.

    Args:
        logits: (N, C, h, w).
        target: (N, h, w) int64; 255 teaches nothing.
    """
    flat = logits.permute(0, 2, 3, 1).reshape(-1, len(CLASSES)).float()  # no copy if the logits are channels-last
    target = target.reshape(-1)
    known = (target < len(CLASSES)).float()
    place = torch.where(known > 0, target, 0)
    logs = flat.log_softmax(1)
    right = logs.gather(1, place[:, None])[:, 0]
    weights = torch.tensor([CLASS_WEIGHTS.get(name, 1.0) for name in CLASSES], device=logits.device)[place] * known
    entropy = -(right * weights).sum() / weights.sum().clamp(min=1)
    zeros = torch.zeros(len(CLASSES), device=logits.device)
    overlap = zeros.index_add(0, place, right.exp() * known)
    count = zeros.index_add(0, place, known)
    dice = (2 * overlap + 1) / (known @ logs.exp() + count + 1)
    common = (count > 50).float()
    return entropy, ((1 - dice) * common).sum() / common.sum().clamp(min=1)


def presence_loss(worn: Tensor, seen: Tensor) -> Tensor:
    """Binary cross-entropy of which garments are seen.

    Args:
        worn: (N, 8) log-odds.
        seen: (N, 8): 1 seen, 0 not, -1 unknown.
    """
    known = (seen >= 0).float()
    each = F.binary_cross_entropy_with_logits(worn.float(), seen.clamp(min=0), reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1)


def presence(target: NDArray[np.int64], person: LabelledPerson) -> Floats:
    """`(8,)`: 1 if an example shows a garment of `WORN`, 0 if not, -1 if that cannot be told.

    Args:
        target: (h, w) of `CLASSES` or 255.
        person: whom it shows.
    """
    counts = np.bincount(target.ravel(), minlength=256)
    seen = np.full(len(WORN), -1, np.float32)
    for i, name in enumerate(WORN):
        index = INDEX[name]
        if counts[index] >= PRESENT:
            seen[i] = 1
        elif not person.possible[index] or (person.exact and counts[index] == 0):
            seen[i] = 0
    return seen


class Examples(Dataset[dict[str, Any]]):
    """Variations of photos without end: image, hints (0..255), target and seen; drawn from (seed, number) alone."""

    def __init__(self, people: list[PersonFiles], weights: Floats, seed: int) -> None:
        self.people, self.odds, self.seed = people, weights / weights.sum(), seed

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = np.random.default_rng((self.seed, index))
        person = self.people[int(rng.choice(len(self.people), p=self.odds))].open()
        example = vary(person.image, person.classes, person.pose, person.silhouette, rng)
        image, hints = (np.round(part * np.float32(255)).astype(np.uint8) for part in example[:2])
        target = example.target.astype(np.uint8)
        return {"image": image, "hints": hints, "target": target, "seen": presence(example.target, person)}


def natural_shift(people: list[PersonFiles], tagged: float) -> dict[str, float]:
    """What to add to the logits of each garment so that it is as likely as in the labelled photos.

    Sampling and class weights show rare garments more often than they are worn; a network believes that. The remedy is
    that of Saerens, Latinne & Decaestecker (2002): the logarithm of the share in labelled photos over that in training.
    """
    weights = sampling_weights(people, tagged)
    shares = np.zeros((len(people), len(CLASSES)))
    for i, person in enumerate(people):
        counts = np.bincount(read_classes(person.classes).ravel(), minlength=256)
        shares[i] = counts[: len(CLASSES)] / counts.sum()
    natural = shares[[person.exact for person in people]].mean(0) + 1e-6
    trained = weights @ shares / weights.sum() + 1e-6
    return {
        name: float(np.log(natural[INDEX[name]] / trained[INDEX[name]] / CLASS_WEIGHTS.get(name, 1.0)))
        for name in views.CLOTHES
    }


def sampling_weights(people: list[PersonFiles], tagged: float) -> Floats:
    """How often each photo is drawn, in proportion."""
    weights = np.ones(len(people))
    for i, person in enumerate(people):
        counts = np.bincount(read_classes(person.classes).ravel(), minlength=256)
        weights[i] += sum(extra for name, extra in EXTRA.items() if counts[INDEX[name]] > SEEN)
        weights[i] *= 1 if person.exact else tagged
    return weights.astype(np.float32)


class ParserRecipe:
    """Trains `networks.parser`."""

    Config: ClassVar[type[RecipeConfig]] = ParserConfig
    name = "parser"

    def __init__(self, config: ParserConfig, folder: Path) -> None:
        self.config, self.kept = config, config.kept or folder / "kept"
        model = PartParser(config.widths, config.frozen)
        if config.start is not None:
            fill(model, config.start)
        elif config.pretrained:
            load_imagenet(model.encoder)
        for block in model.encoder._blocks:
            block._depthwise_conv.requires_grad_(False)  # their gradients cost a third of the step on a CPU
        nn.Module.to(model, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.networks: dict[str, nn.Module] = {"parser": model}
        self.relabelled = 0

    @property
    def tagged(self) -> float:
        """The weight of photos that have tags but no labels; only Clothing Co-Parsing has some."""
        return self.config.tagged if (self.config.data / "tags.json").is_file() else 0.0

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """AdamW with a low rate for the pretrained encoder and a high one for the rest."""
        model = self.networks["parser"]
        assert isinstance(model, PartParser)
        encoder = [p for p in model.encoder.parameters() if p.requires_grad]
        known = {id(p) for p in model.encoder.parameters()}
        decoder = [p for p in model.parameters() if id(p) not in known]
        rates = (encoder, self.config.encoder_rate), (decoder, self.config.decoder_rate)
        groups = [{"params": parameters, "lr": rate} for parameters, rate in rates]
        return {"parser": torch.optim.AdamW(groups, weight_decay=self.config.weight_decay)}

    def samples(self, split: str) -> Dataset[dict[str, Any]]:
        """Variations of the labelled photos that are not held back, and of the tagged ones ("train" alone)."""
        data = self.config.data
        training, chosen, _ = split_people(people_in(data, self.kept))
        if split != "train":
            return Examples(chosen, sampling_weights(chosen, 1.0), self.config.seed)
        if self.tagged > 0:
            find_poses(data, self.kept)
            label_tagged(data, self.kept, teacher(shipped_parser()), anew=False)
            training = training + tagged_people(data, self.kept)
        training = [person for person in training if person.name not in self.config.without]
        return Examples(training, sampling_weights(training, self.tagged), self.config.seed)

    def losses(self, which: str, batch: dict[str, Tensor], step: int) -> dict[str, Tensor]:
        """Of the pixels (entropy, dice) and of the whole picture (worn)."""
        image, hints = (
            (batch[name].float() / 255).contiguous(memory_format=torch.channels_last) for name in ("image", "hints")
        )
        logits, worn = self.networks["parser"](image, hints)
        entropy, dice = segmentation_loss(logits, batch["target"].long())
        scale = self.config
        return {
            "entropy": entropy,
            "dice": scale.dice * dice,
            "worn": scale.worn * presence_loss(worn, batch["seen"]),
        }

    def advance(self, step: int, progress: float, averaged: dict[str, nn.Module]) -> bool:
        """Label the tagged photos anew with the averaged network when its time has come."""
        due = sum(progress >= share for share in self.config.relabel)
        if due <= self.relabelled or self.tagged == 0:
            return False
        self.relabelled = due
        label_tagged(self.config.data, self.kept, teacher(answering(averaged["parser"].eval())), anew=True)
        return True

    def state(self) -> dict[str, Any]:
        """How often the tagged photos were labelled anew."""
        return {"relabelled": self.relabelled}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state()`; the pseudo-labels themselves lie in the folder `kept`."""
        self.relabelled = int(state["relabelled"])

    def validate(self, networks: dict[str, nn.Module]) -> dict[str, float]:
        """Overlaps on the photos that are held back for choosing, whole and cut, at the network's own resolution."""
        _, chosen, _ = split_people(people_in(self.config.data, self.kept))
        if not chosen:
            hint = "Every twentieth photo is held back to choose the best weights by: hand in twenty or more."
            raise InputError(f"{self.config.data} has too few photos with exact labels.", hint=hint)
        answer = answering(networks["parser"])
        figures: dict[str, float] = {}
        for view, make in (("whole", plain), ("upper", upper_body)):
            tally = Tally()
            for person in (files.open() for files in chosen):
                example = make(person.image, person.classes, person.pose, person.silhouette)
                logits = answer(example.image[None], example.hints[None])[0]
                tally.add(logits.argmax(0).astype(np.uint8), example.target.astype(np.uint8))
            found = tally.summary()
            figures |= {f"{view}/{name}": value for name, value in found["merged"].items()}
            figures[f"{view}/miou"] = found["miou"]
        return {**figures, "score": (figures["whole/miou"] + figures["upper/miou"]) / 2}

    def exported(self, networks: dict[str, nn.Module]) -> Exported:
        """`image` (1, 3, 320, 224), `hints` (1, 19, 160, 112) → `logits` (1, 17, 160, 112), `worn` (1, 8)."""
        example = {"image": torch.rand(1, 3, HEIGHT, WIDTH), "hints": torch.rand(1, HINTS, HEIGHT // 2, WIDTH // 2)}
        return Exported(self._natural(networks["parser"]), example, ("logits", "worn"))

    def _natural(self, model: nn.Module) -> nn.Module:
        """A copy whose garments are as likely as in the labelled photos, where these are at hand."""
        if not (self.config.natural and (self.config.data / "labels.txt").is_file()):
            return model
        training, _, _ = split_people(people_in(self.config.data, self.kept))
        people = training + (tagged_people(self.config.data, self.kept) if self.tagged else [])
        shifted = copy.deepcopy(model)
        assert isinstance(shifted, PartParser)
        assert shifted.head.bias is not None
        with torch.no_grad():
            for name, shift in natural_shift(people, self.tagged).items():
                shifted.head.bias[INDEX[name]] += shift
        return shifted

    def export(self, networks: dict[str, nn.Module], path: Path) -> None:
        """Write the ONNX file that `vestiary.person.parsing` runs."""
        write_onnx(self.exported(networks), path)


def fill(model: PartParser, path: Path) -> None:
    """Take the averaged weights of a checkpoint.

    Raises:
        WeightsError: it cannot be read, or is of another architecture.
    """
    try:
        states = torch.load(path, map_location="cpu", weights_only=True)["averaged"]
    except Exception as problem:
        hint = "Name a step-….pt or best.pt of a run of this recipe."
        raise WeightsError(f"{path} is no checkpoint of a training run.", hint=hint) from problem
    load_networks({"parser": model}, states, path)


def answering(model: nn.Module) -> views.Network:
    """The network as the run-time code calls it: arrays in, logits out; in bfloat16 on a CPU."""
    device = next(model.parameters()).device

    @torch.no_grad()
    def answer(image: Floats, hints: Floats) -> Floats:
        inputs = (torch.from_numpy(np.ascontiguousarray(a)).to(device) for a in (image, hints))
        with torch.autocast(device.type, torch.bfloat16):
            found = model(*(i.contiguous(memory_format=torch.channels_last) for i in inputs))
        logits = found["logits"] if isinstance(found, dict) else found[0]  # an exported file answers with a dict
        return np.asarray(logits.float().cpu().numpy(), np.float32)

    return answer


def shipped_parser() -> views.Network:
    """The network that the package holds."""
    from vestiary.person.parsing import answer

    return answer


def teacher(network: views.Network) -> Callable[[NDArray[np.uint8], Floats, NDArray[np.uint8]], Floats]:
    """All views of a photo by a network: photo, pose, silhouette → shares `(17, H, W)`."""

    def shares(image: NDArray[np.uint8], pose: Floats, silhouette: NDArray[np.uint8]) -> Floats:
        height, width = image.shape[:2]
        size = max(1, round(width * TEACHER_SCALE)), max(1, round(height * TEACHER_SCALE))
        sx, sy = size[0] / width, size[1] / height
        grid = np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2]], np.float32)
        found = views.parse_views(image, pose, silhouette, network, (grid, size), CLASSES)
        return np.stack([cv2.resize(share, (width, height)) for share in found])

    return shares
