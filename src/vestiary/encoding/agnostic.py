"""The agnostic picture: a person without the clothes that are to be replaced, so that a network cannot copy them."""

from __future__ import annotations

from collections.abc import Set

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.encoding.frames import colours
from vestiary.fitting.agnostic import body_masks, undress
from vestiary.fitting.body import Body
from vestiary.fitting.removal import levels_of
from vestiary.fitting.smooth import grow
from vestiary.types import LOWER, LOWER_CLOTHES, UPPER, Category, Part, Person

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
Bools = NDArray[np.bool_]

_UPPER = (Part.TOP, Part.OUTERWEAR)
_ARMS = (Part.LEFT_ARM, Part.RIGHT_ARM)
_LEGS = (Part.LEFT_LEG, Part.RIGHT_LEG)
_KEPT = (Part.HAIR, Part.FACE, Part.LEFT_HAND, Part.RIGHT_HAND, Part.BAG, Part.HAT, Part.SHOES)
_RIM = 0.06  # shoulder units


def agnostic_picture(
    person: Person, body: Body, categories: Set[Category], *, spread: float, filled: bool
) -> tuple[F32, F32]:
    """The person without the clothes that garments of these categories replace, and where they were.

    The mask covers those clothes and the bare limbs that sleeves or legs may cover; hair, face, hands, shoes, bags,
    hats and the other half's clothes stay. Of a dress that half goes which the garments cover, as in the embedded
    engine.

    Args:
        person: a scan.
        body: its `fitting.body.measure`.
        categories: of the garments to come; none means all clothes.
        spread: how far the mask goes beyond the clothes, in shoulder units.
        filled: show what `fitting.agnostic` finds behind (ground, skin of arms, legs and trunk, and below the waist the
            lower garment that is worn); else the middle of the colour range.

    Returns:
        `(3, H, W) float32` in -1..1, and `(1, H, W) float32`, 0 or 1.
    """
    upper = bool(categories & UPPER) or not categories
    lower = bool(categories & (LOWER | {"dress"})) or not categories
    level = levels_of(body, person.parts.shape)
    below = level > body.torso - 0.45 * body.unit  # the waist
    seen = undress(person, body) if filled else None
    masks = body_masks(person, body) if seen is None else (seen.arms, seen.legs, seen.trunk)
    bare = _bare(*masks, below, upper, lower)
    mask = _mask(person, body, bare, level, below, upper, lower, spread)
    if seen is None:
        return colours(person.image) * ~mask, mask[None].astype(np.float32)
    layer = _over(seen.background.astype(np.float32), seen.skin, bare)
    if not lower and seen.lower is not None:
        size = max(3, round(0.35 * body.unit)) | 1  # closes the gap below the crotch, which the old top hid
        hips = cv2.morphologyEx(cv2.max(seen.trunk, seen.legs), cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
        layer = _over(layer, seen.lower, np.where(below, np.asarray(hips, np.uint8), 0))
    shown = np.where(mask[..., None], layer, person.image)
    return np.asarray(shown.transpose(2, 0, 1) / 127.5 - 1, np.float32), mask[None].astype(np.float32)


def _bare(arms: U8, legs: U8, trunk: U8, below: Bools, upper: bool, lower: bool) -> U8:
    """`(H, W)` soft mask of the body that clothes may have hidden: the halves in question."""
    none = np.zeros_like(trunk)
    middle = trunk if upper else np.where(below, trunk, none)
    return np.asarray(np.maximum.reduce([middle, arms if upper else none, legs if lower else none]), np.uint8)


def _mask(
    person: Person, body: Body, bare: U8, level: F32, below: Bools, upper: bool, lower: bool, spread: float
) -> Bools:
    taken = (*((*_UPPER, Part.NECK, *_ARMS) if upper else ()), *((*LOWER_CLOTHES, *_LEGS) if lower else ()))
    dress = person.is_part(Part.DRESS)
    going = dress & ((below & lower) | ((level < body.torso) & upper))
    worn = person.is_part(*taken) | going
    area = worn | ((bare > 100) & (person.silhouette > 127))
    others = person.is_part(*(() if lower else LOWER_CLOTHES), *(() if upper else _UPPER)) | (dress & ~going)
    near = grow(worn.view(np.uint8), _RIM * body.unit) > 0  # part maps are rough: a rim beside the old hem goes
    glasses = person.is_part(Part.ACCESSORY) & (level < -0.35 * body.unit)
    grown = grow(area.view(np.uint8), spread * body.unit) > 0
    return np.asarray(grown & ~person.is_part(*_KEPT) & ~glasses & ~(others & ~near), bool)


def _over(ground: F32, layer: U8, mask: U8) -> F32:
    return np.asarray(ground + (mask[..., None] / np.float32(255)) * (layer - ground), np.float32)
