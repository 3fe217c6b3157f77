"""A garment photo becomes a `Garment`: cut out, turned upright, named, measured."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from vestiary.errors import GarmentError
from vestiary.garment import attributes, contour, cutout, matte
from vestiary.types import UPPER, Category, Garment

if TYPE_CHECKING:
    from vestiary.types import Mask, Picture

HINT = "Hand in a photo of one garment that is clearly seen as a whole, or a PNG that is already cut out."


def read(image: Picture, alpha: Mask | None = None, *, category: Category | None = None, source: str = "") -> Garment:
    """The garment in a photo: cut out, upright, with category, landmarks, sleeves, neckline and colours.

    Args:
        image: `(H, W, 3) uint8` sRGB.
        alpha: `(H, W) uint8` when the picture is already cut out.
        category: what it is, when the caller knows; else it is recognised.
        source: SHA-256 of the input, kept in the value.

    Raises:
        GarmentError: no garment in it.
    """
    started = time.perf_counter()
    coarse = matte.reduce(alpha, cutout.WORK) if alpha is not None else cutout.cut_out(image)
    if not 0.01 < float((coarse > 127).mean()) < 0.97:
        raise GarmentError("no garment was found in this photo.", hint=HINT)
    soft = alpha if alpha is not None else matte.soften(image, coarse)
    clean = matte.own_colours(image, soft)
    cut = time.perf_counter()
    kind = category or contour.guess_category(coarse)
    landmarks = contour.find(coarse, kind)
    landmarks[:, :2] = (landmarks[:, :2] + 0.5) * (image.shape[1] / coarse.shape[1]) - 0.5
    landmarks[landmarks[:, 2] == 0] = 0
    return Garment(
        image=clean,
        alpha=soft,
        category=kind,
        landmarks=landmarks.astype(np.float32),
        sleeve=attributes.sleeve_length(landmarks, kind),
        neckline="round" if kind in UPPER else "none",
        colours=attributes.main_colours(clean, soft),
        scores={kind: 1.0},
        timings={"cutout": cut - started, "landmarks": time.perf_counter() - cut},
        source=source,
    )
