"""The refiner's maps laid on the full picture: cloth is only multiplied, made-up skin gets colours and grain.

Prints and lettering stay as they are: what multiplies them is as coarse as the working picture. Nothing outside the
edit mask is touched, nor what is in front of the clothes, nor made-up ground.
"""

from __future__ import annotations

import functools
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.fitting.layers import Canvas, Kind
from vestiary.fitting.refine import Maps
from vestiary.types import Part, Person

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
Box = tuple[int, int, int, int]

DRIFT = 0.03  # the mean log gain over the new garment: its colour is the shop's promise
GRAIN = ((0.5, 1.2, 1.6), (1.2, 3.0, 0.7))  # bands between two blurs in pixels, and the largest spread in each
TILE = 256
LIMBS = (Part.LEFT_ARM, Part.RIGHT_ARM, Part.LEFT_LEG, Part.RIGHT_LEG, Part.NECK, Part.FACE)


def blend(canvas: Canvas, person: Person, maps: Maps) -> F32:
    """`(H, W, 3) float32` the canvas's colours, mended; equal to them wherever it was not edited.

    Args:
        canvas: from `layers.compose`.
        person: the scan cut to the canvas.
        maps: from `refine.look`.
    """
    colour = canvas.colour.copy()
    x0, y0, width, height = cv2.boundingRect(canvas.edited)
    if not width:
        return colour
    box = (x0, y0, x0 + width, y0 + height)
    area = (slice(y0, y0 + height), slice(x0, x0 + width))
    kind, view = canvas.kind[area], colour[area]
    stays = canvas.layers["front"][area].astype(np.float32) / 255
    free = np.where(canvas.edited[area] > 0, 1 - stays, 0).astype(np.float32)
    uncover = _enlarged(maps.uncover * _edge(maps.cloth), canvas, box)
    if uncover.max() > 0.02:
        view += (free * uncover)[..., None] * (canvas.layers["agnostic"][area] - view)
        if canvas.matte is not None and canvas.bare_matte is not None:
            canvas.matte[area] += free * uncover * (canvas.bare_matte[area] - canvas.matte[area])
    ground = (kind == Kind.GROUND) | ((kind == Kind.PHOTO) & (person.parts[area] == Part.BACKGROUND))
    gain = _enlarged(kept_colour(maps), canvas, box) * free * (1 - soft_mask(ground))
    view *= np.exp(gain)[..., None]
    skin = soft_mask(kind == Kind.SKIN) * free
    if skin.max() > 0:
        view += skin[..., None] * _enlarged(maps.skin, canvas, box)
        view += (skin * grain(person, canvas.kind, box))[..., None]
    np.clip(view, 0, 255, out=view)
    return colour


def kept_colour(maps: Maps) -> F32:
    """`(h, w) float32` the log gain without what would change the garment's mean colour by more than `DRIFT`."""
    mass = float(maps.cloth.sum())
    mean = float((maps.gain * maps.cloth).sum()) / mass if mass > 1 else 0.0
    excess = mean - float(np.clip(mean, -DRIFT, DRIFT))
    return np.asarray(maps.gain - excess * maps.cloth, np.float32)


def grain(person: Person, kind: U8, box: Box) -> F32:
    """`(h, w) float32` noise for a box of the photo, as fine and as strong as the photo's on the skin that it shows."""
    seen = (person.is_part(*LIMBS) & (kind == Kind.PHOTO)).view(np.uint8)
    x0, y0, width, height = cv2.boundingRect(seen)
    inner = cv2.erode(seen, np.ones((9, 9), np.uint8))[y0 : y0 + height, x0 : x0 + width] > 0
    total = np.zeros((box[3] - box[1], box[2] - box[0]), np.float32)
    if inner.sum() < 100:
        return total
    area = np.ascontiguousarray(person.image[y0 : y0 + height, x0 : x0 + width])
    grey = cv2.cvtColor(area, cv2.COLOR_RGB2GRAY).astype(np.float32)
    for (fine, coarse, most), tile in zip(GRAIN, _tiles(), strict=True):
        rough = cv2.blur(np.abs(_band(grey, fine, coarse)), (7, 7))[inner]
        strength = min(float(np.quantile(rough, 0.2)), most)  # the evenest skin: no edges, no shine
        repeats = (-(-total.shape[0] // TILE), -(-total.shape[1] // TILE))
        total += strength * np.tile(tile, repeats)[: total.shape[0], : total.shape[1]]
    return total


@functools.cache
def _tiles() -> tuple[F32, ...]:
    """A square of noise of unit spread for each band, that can be laid side by side."""
    white = np.random.default_rng(1).standard_normal((TILE, TILE)).astype(np.float32)
    wide = np.pad(white, 16, mode="wrap")
    bands = [_band(wide, fine, coarse)[16:-16, 16:-16] for fine, coarse, _ in GRAIN]
    return tuple(np.asarray(band / band.std(), np.float32) for band in bands)


def soft_mask(where: NDArray[np.bool_]) -> F32:
    """`(H, W) float32` 0..1 of a region, with an edge as soft as the layers' own."""
    return cast(F32, cv2.GaussianBlur(where.astype(np.float32), (0, 0), 0.8))


def _band(picture: F32, fine: float, coarse: float) -> F32:
    return cast(F32, cv2.GaussianBlur(picture, (0, 0), fine) - cv2.GaussianBlur(picture, (0, 0), coarse))


def _edge(cloth: F32) -> F32:
    """1 on the new garment's edge, 0 from about three pixels of the working picture away."""
    soft = cloth
    for _ in range(2):
        soft = cv2.blur(soft, (3, 3), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(4 * soft * (1 - soft), np.float32)


def _enlarged(small: F32, canvas: Canvas, box: Box) -> F32:
    """A map at the canvas's size, cut to a box."""
    height, width = canvas.edited.shape
    x0, y0, x1, y1 = box
    fx, fy = small.shape[1] / width, small.shape[0] / height
    shift = np.array([[fx, 0, (x0 + 0.5) * fx - 0.5], [0, fy, (y0 + 0.5) * fy - 0.5]], np.float64)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cast(F32, cv2.warpAffine(small, shift, (x1 - x0, y1 - y0), flags=flags, borderMode=cv2.BORDER_REPLICATE))
