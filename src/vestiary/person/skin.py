"""Sleeves that the parser took for bare arms, known by their colour.

The face shows what this person's skin looks like in this light, the rest of the clothes what the cloth looks like. An
arm most of which is of the cloth's colour is a sleeve. The opposite mistake is left alone: settling that by colour as
well lost more than it won.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.person.tidy import fill

if TYPE_CHECKING:
    from vestiary.types import Mask, Picture

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

BINS = (8, 24, 24)  # of the colour histogram: lightness coarse, because arms lie in other light than the face
SURE = 2.0  # mean log-likelihood ratio around a pixel that speaks for cloth
MOST = 0.6  # of an arm must be of the cloth's colour
LEAST = 150  # pixels of face and of garment that a comparison needs
ALIKE = 0.3  # overlap of both histograms above which colour tells nothing
CLOTHES = ("top", "outerwear", "dress")


def settle_sleeves(labels: Mask, photo: Picture, classes: tuple[str, ...]) -> Mask:
    """The labels with arms that are of the clothes' colour counted to the clothes.

    Args:
        labels: `(h, w)`, index into `classes`.
        photo: `(h, w, 3) uint8` sRGB.
        classes: the parser's classes by name.
    """
    clothes = np.isin(labels, [classes.index(name) for name in CLOTHES])
    colours = binned(photo)
    face = cv2.erode((labels == classes.index("face")).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    if face.sum() < LEAST or clothes.sum() < LEAST:
        return labels
    ratio = likelihood_ratio(colours, face, clothes, max(3, len(labels) // 120) | 1)
    if ratio is None:
        return labels
    count, pieces = cv2.connectedComponents((labels == classes.index("arm")).astype(np.uint8), connectivity=8)
    sleeve = np.zeros(labels.shape, bool)
    for number in range(1, count):
        piece = pieces == number
        like_cloth = piece & (ratio < -SURE)
        if like_cloth.sum() > MOST * piece.sum():
            sleeve |= like_cloth
    if not sleeve.any():
        return labels
    settled = labels.copy()
    settled[sleeve] = fill(labels, (~clothes).astype(np.uint8))[sleeve]
    return settled


def likelihood_ratio(colours: NDArray[np.int32], skin: Flags, cloth: Flags, side: int) -> Floats | None:
    """`(h, w)`: how much more each place looks like that skin than like that cloth, as a mean log-likelihood ratio.

    Args:
        colours: `(h, w)` as from `binned`.
        skin: places that are skin.
        cloth: places that are cloth.
        side: pixels of the square over which the mean is taken.

    Returns:
        None if the two are so alike that colour tells nothing.
    """
    its, others = _histogram(colours[skin]), _histogram(colours[cloth])
    if np.minimum(its, others).sum() > ALIKE:
        return None
    ratio = np.log((its + 1e-4) / (others + 1e-4)).astype(np.float32)[colours]
    return np.asarray(cv2.blur(ratio, (side, side)), np.float32)


def binned(photo: Picture) -> NDArray[np.int32]:
    """`(h, w)`: the number of each pixel's colour bin in CIELAB."""
    lab = cv2.cvtColor(photo, cv2.COLOR_RGB2LAB).astype(np.int32)
    steps = [(lab[..., k] * BINS[k]) >> 8 for k in range(3)]
    return np.asarray((steps[0] * BINS[1] + steps[1]) * BINS[2] + steps[2], np.int32)


def _histogram(colours: NDArray[np.int32]) -> Floats:
    """Shares of the colour bins, blurred to the neighbouring bins, as one row."""
    counts = np.bincount(colours, minlength=int(np.prod(BINS))).reshape(BINS).astype(np.float32)
    for axis in range(3):
        padded = np.pad(counts, [(1, 1) if k == axis else (0, 0) for k in range(3)])
        before, after = (np.take(padded, np.arange(BINS[axis]) + shift, axis) for shift in (0, 2))
        counts = np.asarray(counts / 2 + (before + after) / 4, np.float32)
    return np.asarray(counts.ravel() / max(float(counts.sum()), 1e-6), np.float32)
