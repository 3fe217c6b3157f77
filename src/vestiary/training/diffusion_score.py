"""How good a try-on model is on held-back pairs: the pictures that it paints, against the photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from vestiary.diffusion.conditions import Conditions
from vestiary.diffusion.latents import Generators
from vestiary.diffusion.model import TryOnModel
from vestiary.diffusion.options import DiffusionOptions
from vestiary.diffusion.pipeline import sample
from vestiary.diffusion.text import encode_text
from vestiary.encoding.frames import Frame
from vestiary.evaluation import lite0
from vestiary.files import write_file
from vestiary.training.diffusion_pairs import Pair

U8 = NDArray[np.uint8]


@dataclass(frozen=True)
class Painted:
    """What was painted of some pairs, and how far it is from the photos.

    Attributes:
        pictures: `(H, W, 3) uint8` each, kept as the photo outside the mask.
        psnr: inside the masks, dB, mean over the pairs.
        lite0: `evaluation.lite0.distance` of whole frames, mean.
    """

    pictures: tuple[U8, ...]
    psnr: float
    lite0: float


def conditions_from(pairs: Sequence[Pair], model: TryOnModel, kinds: Sequence[str] = ()) -> Conditions:
    """The pairs as a batch for the pipeline."""
    height, width = pairs[0].mask.shape
    text = encode_text(model, [pair.caption for pair in pairs]) if model.text_encoder is not None else None
    worn = np.stack([pair.worn for pair in pairs]).astype(np.float32)[:, :, None, None, None]
    controls = np.stack([pair.controls for pair in pairs])
    return Conditions(
        person=_tensor([pair.person for pair in pairs]),
        mask=torch.from_numpy(np.stack([pair.mask[None] for pair in pairs]).astype(np.float32) / 255),
        agnostic=_tensor([pair.agnostic for pair in pairs]),
        garments=torch.stack([_tensor(list(pair.garments)) for pair in pairs]),
        garment_masks=torch.from_numpy(worn).expand(-1, -1, 1, height, width),
        frame=Frame.around((width, height), (width, height)),
        controls={kind: (_tensor(list(controls[:, place])) + 1) / 2 for place, kind in enumerate(kinds)},
        text=text,
    )


def _tensor(pictures: Sequence[U8]) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1)


def paint(
    model: TryOnModel, pairs: Sequence[Pair], options: DiffusionOptions, *, kinds: Sequence[str] = (), batch: int = 4
) -> Painted:
    """Dress the held-back people and compare; every picture has a seed of its own, so batches do not matter."""
    made: list[U8] = []
    for first in range(0, len(pairs), batch):
        some = pairs[first : first + batch]
        seeds = range(options.seed + first, options.seed + first + len(some))
        generators: Generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        found = sample(model, conditions_from(some, model, kinds), options, generator=generators)
        rows = ((found.permute(0, 2, 3, 1) + 1) * 127.5).round().clamp(0, 255).to("cpu", torch.uint8).numpy()
        made += [_kept_outside(row, pair, model.mask_free) for row, pair in zip(rows, some, strict=True)]
    return Painted(tuple(made), *compare(made, pairs))


def _kept_outside(row: U8, pair: Pair, mask_free: bool) -> U8:
    if mask_free:
        return row
    return np.where(pair.mask[..., None] > 0, row, pair.person)


def compare(made: Sequence[U8], pairs: Sequence[Pair]) -> tuple[float, float]:
    """PSNR inside the masks, and the perceptual distance of the whole, each as a mean over the pairs."""
    ratios, distances = [], []
    for picture, pair in zip(made, pairs, strict=True):
        inside = (pair.mask > 0) & (pair.inside > 0)
        if inside.any():
            error = np.square(picture[inside].astype(np.float32) - pair.target[inside]).mean()
            ratios.append(10 * np.log10(255**2 / max(float(error), 1e-2)))
        distances.append(lite0.distance(lite0.maps(picture), lite0.maps(pair.target)))
    return float(np.mean(ratios)) if ratios else 0.0, float(np.mean(distances))


def write_sheet(path: Path, pairs: Sequence[Pair], *columns: Sequence[U8], zoom: int = 2) -> None:
    """A PNG with a row for each pair: agnostic picture, garments, columns of pictures, the photo."""
    rows = []
    for number, pair in enumerate(pairs):
        cells = [pair.agnostic, *pair.garments, *(column[number] for column in columns), pair.target]
        rows.append(np.hstack(cells))
    sheet = np.repeat(np.repeat(np.vstack(rows), zoom, 0), zoom, 1)
    write_file(path, cv2.imencode(".png", sheet[..., ::-1])[1].tobytes())
