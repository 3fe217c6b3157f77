"""What the parts of a scan mean for a fitting: below a hem not everything that is no shoe is a leg."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.types import Part, Person

WORK = 256  # long side at which colours are compared
PALE = 35.0  # legs brighter than face and arms by this (L of Lab, 0..255) are not the same skin in other light …
GREY = 129.0  # … when they are no redder than this either (a of Lab, 128 = grey)


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


def _inside(where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(cv2.erode(where.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0, bool)
