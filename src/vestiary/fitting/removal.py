"""Which of the old clothes go, and what of the photo stays in front of the new ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.fitting.body import Body, limb_mask
from vestiary.fitting.cloth import Cloth
from vestiary.fitting.smooth import grow
from vestiary.types import LOWER, LOWER_CLOTHES, Part, Person

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]

# Always in front of clothes: the photo's own pixels.
IN_FRONT = (Part.HAIR, Part.FACE, Part.LEFT_HAND, Part.RIGHT_HAND, Part.BAG, Part.HAT)


_STAYS = (Part.NECK, Part.LEFT_ARM, Part.RIGHT_ARM, Part.LEFT_LEG, Part.RIGHT_LEG, Part.SHOES)


def levels_of(body: Body, shape: tuple[int, ...]) -> F32:
    """Pixels down the torso's axis from the shoulder line, for each pixel of the photo."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    across, along = (x - body.neck[0]) * body.down[0], (y - body.neck[1]) * body.down[1]
    return np.asarray(across.astype(np.float32) + along.astype(np.float32), np.float32)


def removed(person: Person, body: Body, cloths: Sequence[Cloth], level: F32, *, tuck: bool) -> U8:
    """`(H, W) uint8` soft mask of the old clothes that go away, with the pixels that their edges have touched."""
    kinds = {cloth.garment.category for cloth in cloths}
    gone = np.zeros(level.shape, bool)
    waist = body.torso - 0.45 * body.unit
    if "dress" in kinds:
        gone |= person.is_part(Part.TOP, Part.OUTERWEAR, Part.DRESS, *LOWER_CLOTHES)
    if kinds & {"top", "outerwear"}:
        hem = max(c.placement.hem_level for c in cloths if not c.is_lower and c.garment.category != "dress")
        old = person.is_part(Part.OUTERWEAR, *((Part.TOP,) if "top" in kinds else ()))
        if not kinds & LOWER and _is_long(person, body, old, level > hem + 0.05 * body.unit):
            # A coat that nothing is known behind stays as a skirt, from a little above the new hem, which may curve.
            sleeves = cv2.bitwise_or(*(limb_mask(arm, old.shape, grow=2.0) for arm in body.arms.values())) > 0
            old &= level < np.where(sleeves, max(hem, waist), max(hem - 0.15 * body.unit, waist))
        gone |= old
        if "outerwear" in kinds:
            gone |= person.is_part(Part.TOP) & _under_outerwear(body, cloths, level)
        if "top" in kinds:
            end = waist if tuck else max(min(hem, body.torso), waist)
            gone |= person.is_part(Part.DRESS) & ((level < end) | bool(kinds & LOWER))
    if kinds & (LOWER | {"dress"}):
        bare = person.is_part(Part.LEFT_LEG, Part.RIGHT_LEG)
        gone |= bare & (level < legs_from(cloths) - 0.10 * body.unit)
    if kinds & LOWER:
        gone |= person.is_part(*LOWER_CLOTHES)
        gone |= person.is_part(Part.DRESS) & (level > (waist if tuck else body.torso + 0.10 * body.unit))
    if tuck and kinds & LOWER and not kinds & {"top", "dress"}:
        gone |= person.is_part(Part.TOP) & (level > waist)
    inside = cv2.compare(person.silhouette, 100, cv2.CMP_GT)
    gone &= grow(inside, 0.15 * body.unit) > 0  # the clothes of somebody beside stay
    reach = max(1.0, 0.022 * body.unit)
    grown = grow(gone.view(np.uint8), reach)
    rest = inside & grow(gone.view(np.uint8), 2 * reach)
    grown |= rest & cv2.compare(person.parts, int(Part.BACKGROUND), cv2.CMP_EQ)  # on the body, but named nothing
    stays = person.is_part(*IN_FRONT, *_STAYS)
    if kinds <= LOWER and not tuck:
        stays |= person.is_part(Part.TOP, Part.OUTERWEAR)
    if not kinds & LOWER and "dress" not in kinds:
        stays |= person.is_part(*LOWER_CLOTHES)
    if "top" not in kinds and "dress" not in kinds and "outerwear" in kinds:
        stays |= person.is_part(Part.TOP)
    grown[stays & ~gone] = 0
    return cast(U8, cv2.GaussianBlur(grown, (0, 0), max(0.6, 0.006 * body.unit)))


def _under_outerwear(body: Body, cloths: Sequence[Cloth], level: F32) -> NDArray[np.bool_]:
    """Where a top that stays on must not peep out from under new outerwear: along its sleeves and on the shoulders.

    Under a waistcoat it may: its sleeves are seen whole.
    """
    if not any(max(c.placement.cuffs.values()) > 0 for c in cloths if c.garment.category == "outerwear"):
        return np.zeros(level.shape, bool)
    y, x = np.ogrid[: level.shape[0], : level.shape[1]]
    aside = np.abs((x - body.neck[0]) * body.left[0] + (y - body.neck[1]) * body.left[1]) > 0.24 * body.unit
    under = np.asarray(aside & (level < 0.30 * body.unit), bool)
    for cloth in cloths:
        for side, reach in cloth.placement.cuffs.items():
            if cloth.garment.category == "outerwear" and reach > 0:
                under |= limb_mask(body.arms[side], level.shape, grow=2.0, end=reach) > 0
    return under


def legs_from(cloths: Sequence[Cloth]) -> float:
    """Level below which legs are seen under a new lower garment or dress."""
    return max(c.placement.hem_level for c in cloths if c.is_lower or c.garment.category == "dress")


def _is_long(person: Person, body: Body, old: NDArray[np.bool_], below: NDArray[np.bool_]) -> bool:
    """Whether the old top or coat hangs far below the new hem and hides nearly all that is worn there."""
    hanging = old & below
    count = int(hanging.sum())
    if count <= 0.30 * body.unit**2:
        return False
    rows = np.flatnonzero(hanging.any(axis=1))
    beside = below & person.is_part(*LOWER_CLOTHES, Part.LEFT_LEG, Part.RIGHT_LEG)
    beside[: rows[0]] = beside[rows[-1] + 1 :] = False
    known = max(int((person.is_part(*LOWER_CLOTHES) & below).sum()), int(beside.sum()))
    return known < 0.5 * count


def waistband(person: Person, body: Body, cloths: Sequence[Cloth], level: F32) -> float:
    """Level of the waistband down the torso's axis in pixels: the new one, else the seen one, else the usual one."""
    for cloth in cloths:
        if cloth.is_lower:
            return cloth.placement.waist_level
    usual = body.torso - 0.50 * body.unit
    seen = level[person.is_part(*LOWER_CLOTHES)]
    if len(seen) < 0.05 * body.unit**2:
        return usual
    return float(np.clip(np.percentile(seen, 2), usual - 0.3 * body.unit, body.torso))


def in_front(person: Person, body: Body, cloths: Sequence[Cloth], *, tuck: bool) -> F32:
    """`(H, W) float32` 0..1: the photo's pixels that stay on top."""
    kinds = {cloth.garment.category for cloth in cloths}
    front = person.is_part(*IN_FRONT)
    if kinds <= LOWER:
        front = front | person.is_part(Part.LEFT_ARM, Part.RIGHT_ARM)
        if not tuck:
            level = levels_of(body, front.shape)
            front |= person.is_part(Part.TOP, Part.OUTERWEAR)
            front |= person.is_part(Part.DRESS) & (level < body.torso + 0.10 * body.unit)
        else:
            front |= person.is_part(Part.OUTERWEAR)
    elif tuck and not kinds & (LOWER | {"dress"}):
        front = front | person.is_part(*LOWER_CLOTHES)
    return cast(F32, cv2.GaussianBlur(front.astype(np.float32), (0, 0), 0.8))
