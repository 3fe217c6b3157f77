"""The seam between made-up and real skin: the old garment's rim, which the photo's pixels there still hold, goes."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.fitting.layers import Canvas, Kind
from vestiary.fitting.smooth import blur, grow
from vestiary.types import Part, Person

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]

SKIN = (
    *(Part.NECK, Part.LEFT_ARM, Part.RIGHT_ARM, Part.LEFT_HAND, Part.RIGHT_HAND),
    *(Part.LEFT_LEG, Part.RIGHT_LEG),
)
REACH = 0.036  # how far the old rim goes into real skin, in shoulder units
SPREAD = 0.35  # how far into made-up skin the difference at the seam is carried, in shoulder units
ALIKE = 36.0  # steps of 0..255 by which skin may differ from skin; more is something else
GRID = 40.0  # pixels to the shoulder unit at which colours are compared


def heal_seams(canvas: Canvas, person: Person, unit: float) -> None:
    """Carry skin over the seams of a canvas; real skin so close to made-up skin becomes part of the edit mask.

    Args:
        canvas: from `layers.compose`; changed in place.
        person: the scan cut to the canvas.
        unit: pixels of the shoulder unit.
    """
    made = (canvas.kind == Kind.SKIN).view(np.uint8)
    reach = max(1, round(REACH * unit))
    x0, y0, width, height = cv2.boundingRect(made)
    if not width:
        return
    margin = 5 * reach
    area = (slice(max(y0 - margin, 0), y0 + height + margin), slice(max(x0 - margin, 0), x0 + width + margin))
    made = made[area]
    real = (person.is_part(*SKIN)[area] & (canvas.kind[area] == Kind.PHOTO)).view(np.uint8)
    band = (_near(made, reach) & real) | (_near(real, max(1, reach // 2)) & made)
    if not band.any():
        return
    colour = canvas.colour[area]
    colour += made[..., None] * _difference(colour, made & ~band, real & ~band, band, min(1.0, GRID / unit), unit)
    known = ((made | real) & ~band).astype(np.float32)
    mass = blur(known, 1.2 * reach)
    soft = blur(band.astype(np.float32), 0.35 * reach) * np.clip(8 * mass, 0, 1) * (band | (made & _near(band, 1)))
    for channel in np.moveaxis(colour, 2, 0):
        filled = blur(channel * known, 1.2 * reach) / np.maximum(mass, 1e-4)
        channel += soft * (filled - channel)
    canvas.edited[area][soft > 1 / 512] = 255


def _difference(colour: F32, made: U8, real: U8, band: U8, scale: float, unit: float) -> F32:
    """`(h, w, 3) float32` what made-up skin lacks to meet the real skin at the seam, less and less away from it."""
    full = (band.shape[1], band.shape[0])
    size = (max(8, round(full[0] * scale)), max(8, round(full[1] * scale)))

    def small(field: NDArray[Any]) -> F32:
        return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_AREA), np.float32)

    near = 0.06 * unit * scale
    means, masses = [], []
    for mask in (made.astype(np.float32), real.astype(np.float32)):
        masses.append(cv2.GaussianBlur(small(mask), (0, 0), near))
        total = cv2.GaussianBlur(small(colour * mask[..., None]), (0, 0), near)
        means.append(total / np.maximum(masses[-1], 1e-4)[..., None])
    lack = means[1] - means[0]
    trust = (
        small(band.astype(np.float32))
        * np.clip(20 * np.minimum(*masses), 0, 1)
        * np.exp(-((np.abs(lack).max(axis=2) / ALIKE) ** 2))
    )
    wide = SPREAD * unit * scale
    mass = cv2.GaussianBlur(trust, (0, 0), wide / 2)
    spread = cv2.GaussianBlur(lack * trust[..., None], (0, 0), wide / 2) / np.maximum(mass, 1e-5)[..., None]
    away = np.minimum(cv2.distanceTransform((trust < 0.1).astype(np.uint8), cv2.DIST_L2, 5), 9 * wide)
    spread *= (np.exp(-((away / wide) ** 2)) * np.clip(200 * mass, 0, 1))[..., None]
    return np.asarray(cv2.resize(spread, full, interpolation=cv2.INTER_LINEAR), np.float32)


def _near(mask: U8, reach: int) -> U8:
    return np.asarray(grow(mask, reach) & 1, np.uint8)
