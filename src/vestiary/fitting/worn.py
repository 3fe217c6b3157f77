"""What the parts of a scan mean for a fitting: not everything below a hem is a leg, nor every dark fold an arm."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.types import UPPER_CLOTHES, Part, Person

WORK = 256  # long side at which colours are compared
PALE = 35.0  # legs brighter than face and arms by this (L of Lab, 0..255) are not the same skin in other light …
GREY = 129.0  # … when they are no redder than this either (a of Lab, 128 = grey)
CRUMB = 0.015  # square shoulder units: smaller pieces of bare arm are believed only beside a hand
HANDS = (Part.LEFT_HAND, Part.RIGHT_HAND)


def settle_legs(person: Person) -> Person:
    """The scan with trouser legs as trousers where they were taken for bare legs, as blocks of white often are.

    Other legs are believed: skin is redder than grey, and tights are seldom paler than the face.
    """
    scale = min(1.0, WORK / max(person.parts.shape))
    size = (max(8, round(person.parts.shape[1] * scale)), max(8, round(person.parts.shape[0] * scale)))
    parts = cv2.resize(person.parts, size, interpolation=cv2.INTER_NEAREST)
    legs = _inside(np.isin(parts, (Part.LEFT_LEG, Part.RIGHT_LEG)))
    skin = _inside(np.isin(parts, (Part.FACE, Part.NECK, Part.LEFT_ARM, Part.RIGHT_ARM)))
    if legs.sum() < 60 or skin.sum() < 20:
        return person
    lab = cv2.cvtColor(cv2.resize(person.image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2LAB).astype(float)
    light, red, _ = np.median(lab[legs], axis=0)
    if light < np.median(lab[skin], axis=0)[0] + PALE or red > GREY:
        return person
    changed = person.parts.copy()
    changed[person.is_part(Part.LEFT_LEG, Part.RIGHT_LEG)] = Part.TROUSERS
    return replace(person, parts=changed)


def settle_crumbs(person: Person, unit: float) -> Person:
    """The scan without crumbs of bare arm at the edge of a sleeve: deep shadow in its folds looks like dark skin.

    Bare arms stay in front of everything new, so such a crumb would hang in the air where the old sleeve was. What
    touches a hand is a wrist, however little of it is seen.

    Args:
        unit: pixels of the shoulder unit.
    """
    arms = person.is_part(Part.LEFT_ARM, Part.RIGHT_ARM).view(np.uint8)
    left, top, wide, high = cv2.boundingRect(arms)
    if not wide:  # OpenCV crashes when asked for the components of nothing
        return person
    _, labels, stats, _ = cv2.connectedComponentsWithStats(arms[top : top + high, left : left + wide])
    small = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] < CRUMB * unit**2)
    if not len(small):
        return person
    changed = person.parts.copy()
    for label in small:
        x, y, width, height = (int(value) for value in stats[label, :4])
        x, y = x + left, y + top
        area = (slice(max(y - 2, 0), y + height + 2), slice(max(x - 2, 0), x + width + 2))
        crumb = np.zeros_like(arms[area])
        inner = labels[y - top : y - top + height, x - left : x - left + width] == label
        offset = (y - area[0].start, x - area[1].start)
        crumb[offset[0] : offset[0] + height, offset[1] : offset[1] + width] = inner
        ring = (cv2.dilate(crumb, np.ones((5, 5), np.uint8)) > 0) & (arms[area] == 0)
        beside = np.bincount(person.parts[area][ring], minlength=max(Part) + 1)
        beside[Part.BACKGROUND] = 0
        if beside.argmax() in UPPER_CLOTHES and not beside[list(HANDS)].any():
            changed[area][crumb > 0] = beside.argmax()
    return replace(person, parts=changed)


def _inside(where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(cv2.erode(where.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0, bool)
