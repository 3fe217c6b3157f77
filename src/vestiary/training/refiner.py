"""The recipe of the refiner: from the engine's faults to the photo, on pairs that `refiner_cache` has worked out.

What the discriminator and every loss see is the mended picture where the maps can change it and the photo everywhere
else: made-up ground and what cannot be known cost nothing.
"""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.utils.data import Dataset

from vestiary.errors import InputError
from vestiary.fitting.refine import CHANNELS, MULTIPLE, UNIT
from vestiary.networks.discriminator import PatchDiscriminator
from vestiary.networks.refiner import INPUTS, Refiner, apply_maps
from vestiary.training.config import RecipeConfig, Settings
from vestiary.training.export import OPSET, Exported, halve_weights
from vestiary.training.losses import (
    PerceptualLoss,
    WaveletLoss,
    adversarial_loss,
    discriminator_loss,
    pixel_loss,
)
from vestiary.training.refiner_cache import UNIT as KEPT_UNIT
from vestiary.training.refiner_score import Comparison, compare, region_of

U8 = NDArray[np.uint8]

CLOTH, SKIN = CHANNELS.index("cloth"), CHANNELS.index("skin")
ACROSS = CHANNELS.index("across")


class Weights(Settings):
    """How much each loss counts; 0 leaves it out."""

    pixel: float = Field(1.0, ge=0, description="Mean absolute difference of colours (0..1).")
    perceptual: float = Field(0.5, ge=0, description="Distance of encoder features.")
    wavelet: float = Field(1.0, ge=0, description="Differences of wavelet details.")
    adversarial: float = Field(0.04, ge=0, description="The discriminator's judgement.")
    quiet: float = Field(0.01, ge=0, description="Size of folds and of uncovered edges: no change without a reason.")


class RefinerConfig(RecipeConfig):
    """Keys of the recipe `refiner`."""

    data: Path = Field(description="Folder that `vestiary.training.refiner_cache` has filled.")
    crop: tuple[int, int] = Field((144, 96), description="Height and width of a training sample.")
    skin_weight: float = Field(4.0, gt=0, description="How much a pixel of made-up skin counts against one of cloth.")
    rate: float = Field(1.5e-3, gt=0, description="Learning rate of the generator.")
    discriminator_rate: float = Field(8e-4, gt=0, description="Learning rate of the discriminator.")
    adversarial_from: int = Field(800, ge=0, description="Step from which the discriminator trains and counts.")
    perceptual_levels: tuple[int, ...] = Field((0, 1), description="Encoder levels of the perceptual loss.")
    encoder: Path | None = Field(None, description="The encoder's weights; left out: those of the installed package.")
    validation: int = Field(60, ge=1, description="Pairs of held-back photos to validate on.")
    losses: Weights = Field(default_factory=lambda: Weights.model_validate({}))

    @field_validator("crop")
    @classmethod
    def _divisible(cls, crop: tuple[int, int]) -> tuple[int, int]:
        if any(side < MULTIPLE or side % MULTIPLE for side in crop):
            raise ValueError(f"both sides are to be multiples of {MULTIPLE}")
        return crop


class RefinerRecipe:
    """Trains `networks.refiner` against `networks.discriminator`."""

    Config: ClassVar[type[RecipeConfig]] = RefinerConfig
    name = "refiner"

    def __init__(self, config: RefinerConfig, folder: Path) -> None:
        self.config, self.folder = config, folder
        self.networks: dict[str, nn.Module] = {"generator": Refiner(), "discriminator": PatchDiscriminator()}
        for network in self.networks.values():
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.wavelet = WaveletLoss()
        self._perceptual: PerceptualLoss | None = None
        self._made: dict[int, tuple[Tensor, Tensor]] = {}

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Generator first, then discriminator."""
        rates = {"generator": self.config.rate, "discriminator": self.config.discriminator_rate}
        return {
            name: torch.optim.AdamW(self.networks[name].parameters(), rate, betas=(0.5, 0.99), weight_decay=1e-4)
            for name, rate in rates.items()
        }

    def samples(self, split: str) -> Dataset[dict[str, Any]]:
        """Crops of the cached pairs."""
        return Crops(self.config, split)

    def losses(self, which: str, batch: dict[str, Tensor], step: int) -> dict[str, Tensor]:
        """One pass; the discriminator judges what the generator made in the same step."""
        hostile = step >= self.config.adversarial_from and self.config.losses.adversarial > 0
        if which == "generator":
            return self._generator(batch, hostile)
        made, weight = self._made.pop(id(batch))
        if not hostile:
            return {"hinge": sum(p.sum() * 0 for p in self.networks["discriminator"].parameters())}  # type: ignore[dict-item]
        masks = batch["working"][:, [CLOTH, SKIN]]
        both = torch.cat([torch.cat([batch["target"], made]), masks.repeat(2, 1, 1, 1)], 1)
        real, fake = self.networks["discriminator"](_layout(both)).chunk(2)
        return {"hinge": discriminator_loss(real, fake, weight)}

    def _generator(self, batch: dict[str, Tensor], hostile: bool) -> dict[str, Tensor]:
        working, target, scale = _layout(batch["working"]), _layout(batch["target"]), self.config.losses
        maps = self.networks["generator"](working)
        region, weight = weights_of(working, batch["valid"], self.config.skin_weight)
        made = target + region * (apply_maps(working, maps) - target)
        found = {"pixel": scale.pixel * pixel_loss(made, target, weight)}
        if scale.wavelet:
            found["wavelet"] = scale.wavelet * self.wavelet.to(made.device)(made, target, weight)
        if scale.perceptual:
            found["perceptual"] = scale.perceptual * self._features(made.device)(made, target, weight)
        if scale.quiet:
            found["quiet"] = scale.quiet * maps[:, 1:3].abs().mean()
        if hostile:
            seen = _layout(torch.cat([made, working[:, [CLOTH, SKIN]]], 1))
            judged = self.networks["discriminator"](seen)
            found["adversarial"] = scale.adversarial * adversarial_loss(judged, weight)
        self._made[id(batch)] = (made.detach(), weight)
        return found

    def _features(self, device: torch.device) -> PerceptualLoss:
        if self._perceptual is None:
            self._perceptual = PerceptualLoss(self.config.perceptual_levels, self.config.encoder).eval()
            self._perceptual.requires_grad_(False).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self._perceptual

    def validate(self, networks: dict[str, nn.Module]) -> dict[str, float]:
        """Held-back photos, refined and not; the score is how much smaller the perceptual distance has become."""
        pairs = kept_pairs(self.config.data, "held")
        step = max(1, len(pairs) // self.config.validation)
        found = compare(networks["generator"], pairs[::step][: self.config.validation], self.config.encoder)
        return summary(found)

    def export(self, networks: dict[str, nn.Module], path: Path) -> None:
        """Write the ONNX file; it takes working pictures of any size with sides divisible by 16."""
        wanted = self.exported(networks)
        free = {name: {0: "batch", 2: "height", 3: "width"} for name in ("working", "maps")}
        module = copy.deepcopy(wanted.module).cpu().eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        names: dict[str, Any] = {"input_names": ["working"], "output_names": ["maps"], "dynamic_axes": free}
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # about the exporter's own age
            torch.onnx.export(module, (*wanted.inputs.values(),), str(path), opset_version=OPSET, dynamo=False, **names)
        halve_weights(path)

    def exported(self, networks: dict[str, nn.Module]) -> Exported:
        """The generator, with a working picture of a usual size."""
        example = torch.rand(1, INPUTS, 320, 144, generator=torch.Generator().manual_seed(0))
        return Exported(networks["generator"], {"working": example}, ("maps",))


def weights_of(working: Tensor, valid: Tensor, skin_weight: float) -> tuple[Tensor, Tensor]:
    """The region that counts, and how much each of its pixels does; `(N, 1, H, W)`."""
    region = region_of(working, valid)
    return region, region * (1 + (skin_weight - 1) * working[:, SKIN : SKIN + 1])


def summary(found: Comparison) -> dict[str, float]:
    """Means over the pictures, and the score."""
    figures = {f"{name}_{which}": float(values.mean()) for name, which, values in found.columns()}
    return {**figures, "score": 1 - figures["perceptual_refined"] / figures["perceptual_coarse"]}


def kept_pairs(folder: Path, part: str) -> list[Path]:
    """The files of a cache.

    Raises:
        InputError: there are none.
    """
    paths = sorted((folder / part).glob("*.npy"))
    if not paths:
        hint = "Fill it with: python -m vestiary.training.refiner_cache --people DIR --garments DIR -o " + str(folder)
        raise InputError(f"{folder / part} holds no pairs.", hint=hint)
    return paths


class Crops(Dataset[dict[str, Any]]):
    """Varied crops of kept pairs: mirrored, scaled, brighter or darker; most show some of what was made up."""

    def __init__(self, config: RefinerConfig, split: str) -> None:
        self.paths = kept_pairs(config.data, "train" if split == "train" else "held")
        self.seed, self.crop = config.seed, config.crop

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = np.random.default_rng((self.seed, index))
        pair = np.load(self.paths[int(rng.integers(len(self.paths)))], mmap_mode="r")
        pair = cut(pair, self.crop, float(rng.uniform(0.80, 1.20)) * UNIT / KEPT_UNIT, rng)
        if rng.random() < 0.5:
            pair = pair[:, ::-1].copy()
            pair[..., ACROSS] = 255 - pair[..., ACROSS]
        pair = np.ascontiguousarray(pair)
        curve = _curve(rng)
        for first in (0, 3, INPUTS):
            pair[..., first : first + 3] = curve[pair[..., first : first + 3], [0, 1, 2]]
        tensor = torch.from_numpy(pair.transpose(2, 0, 1).astype(np.float32) / 255)
        return {"working": tensor[:INPUTS], "target": tensor[INPUTS : INPUTS + 3], "valid": tensor[INPUTS + 3 :]}


def cut(pair: U8, size: tuple[int, int], scale: float, rng: np.random.Generator) -> U8:
    """A crop of `size` around something made up, scaled."""
    height, width = (round(side / scale) for side in size)
    kind = pair[::4, ::4, SKIN if rng.random() < 0.4 else CLOTH]
    places = np.argwhere(kind > 128)
    if not len(places):
        places = np.argwhere(pair[::4, ::4, 6] > 128)
    y, x = places[int(rng.integers(len(places)))] * 4 if len(places) else (pair.shape[0] // 2, pair.shape[1] // 2)
    y0 = int(np.clip(y - rng.uniform(0.2, 0.8) * height, 0, max(pair.shape[0] - height, 0)))
    x0 = int(np.clip(x - rng.uniform(0.3, 0.7) * width, 0, max(pair.shape[1] - width, 0)))
    part = pair[y0 : y0 + height, x0 : x0 + width]
    missing = (height - part.shape[0], width - part.shape[1])
    if max(missing) > 0:
        part = np.pad(part, [(0, missing[0]), (0, missing[1]), (0, 0)], mode="edge")
    groups = [np.ascontiguousarray(part[..., i : i + 4]) for i in range(0, part.shape[-1], 4)]
    resized = [cv2.resize(g, (size[1], size[0]), interpolation=cv2.INTER_AREA).reshape(*size, -1) for g in groups]
    return np.concatenate(resized, axis=-1)


def _curve(rng: np.random.Generator) -> U8:
    """`(256, 3) uint8`: another exposure, contrast and colour of light, the same for everything in the picture."""
    x = np.linspace(0, 1, 256)[:, None]
    y = np.clip(x * np.exp(rng.uniform(-0.25, 0.2)) * np.exp(rng.uniform(-0.06, 0.06, 3)), 0, 1)
    return np.asarray(np.clip(255 * y ** np.exp(rng.uniform(-0.2, 0.2)) + 0.5, 0, 255), np.uint8)


def _layout(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)
