"""The middle of a garment, flat and worn: a region that is surely this garment, whoever made the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vestiary.types import UPPER, Joint, Landmark, Part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.types import Category, Garment, Mask, Person, Picture

    Points = NDArray[np.float32]

SHOULDERS, HIPS = (Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER), (Joint.LEFT_HIP, Joint.RIGHT_HIP)
KNEES = (Joint.LEFT_KNEE, Joint.RIGHT_KNEE)
IN_FRONT = (Part.HAIR, Part.FACE, Part.BAG, Part.LEFT_HAND, Part.RIGHT_HAND, Part.LEFT_ARM, Part.RIGHT_ARM)
PIXELS = 400  # a smaller region says nothing


@dataclass(frozen=True)
class Region:
    """A piece of a picture. `image`: `(H, W, 3) uint8`; `mask`: `(H, W) uint8`, 255 = counts."""

    image: Picture
    mask: Mask


def torso_height(person: Person) -> float:
    """Pixels from the middle of the shoulders to the middle of the hips."""
    upper, lower = (np.mean([person.joint(joint) for joint in pair], axis=0) for pair in (SHOULDERS, HIPS))
    return max(float(np.hypot(*(upper - lower))), 1.0)


def worn_scale(garment: Garment, person: Person) -> float:
    """Pixels of the person photo for one pixel of the garment's picture, roughly, within 0.05 and 4.

    Torso height is taken for the breadth that bodies hold most constant: shoulder seams lie 0.8 of it apart, a
    waistband 0.75 (as flat as it lies).
    """
    upper = garment.category in UPPER
    pair = (Landmark.SHOULDER_LEFT, Landmark.SHOULDER_RIGHT) if upper else (Landmark.WAIST_LEFT, Landmark.WAIST_RIGHT)
    wide = cv2.boundingRect(garment.alpha)[2] * (0.6 if upper else 1.0)
    if all(garment.landmarks[mark, 2] > 0.1 for mark in pair):
        wide = float(np.hypot(*(garment.landmark(pair[0]) - garment.landmark(pair[1]))))
    return float(np.clip((0.8 if upper else 0.75) * torso_height(person) / max(wide, 8.0), 0.05, 4.0))


def worn_region(garment: Garment, person: Person, result: Picture) -> tuple[Region | None, Region | None]:
    """The middle of the garment at the worn size, and of the result: chest to waist, or the thighs.

    Returns:
        The flat region and the worn one; None for one that is too small or outside its picture.
    """
    upper = garment.category in UPPER
    hidden = person.is_part(*IN_FRONT)
    worn = _drawn(_worn_corners(person, garment.category), result.shape[:2])
    worn[hidden] = 0
    scale = worn_scale(garment, person)
    size = tuple(max(8, round(side * scale)) for side in garment.alpha.shape[::-1])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    image = np.asarray(cv2.resize(garment.image, size, interpolation=method), np.uint8)
    alpha = cv2.resize(garment.alpha, size, interpolation=cv2.INTER_AREA)
    flat = _drawn([corners * scale for corners in _flat_corners(garment, upper)], image.shape[:2])
    flat[alpha < 250] = 0
    return _region(image, flat), _region(result, worn)


def _region(image: Picture, mask: Mask) -> Region | None:
    if int((mask > 0).sum()) < PIXELS:
        return None
    x, y, width, height = cv2.boundingRect(mask)
    area = (slice(y, y + height), slice(x, x + width))
    return Region(np.ascontiguousarray(image[area]), np.ascontiguousarray(mask[area]))


# From where to where: worn, in shares of shoulders to hips or hip to knee; flat, of shoulder to waist or waist to hip.
SPANS: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "top": ((0.25, 0.7), (0.25, 0.8)),
    "outerwear": ((0.25, 0.65), (0.25, 0.75)),
    "dress": ((0.25, 0.8), (0.25, 0.9)),
    "skirt": ((0.1, 0.45), (0.5, 1.2)),
    "shorts": ((0.08, 0.35), (0.7, 1.1)),
    "trousers": ((0.25, 0.6), (1.0, 1.45)),
}


def _worn_corners(person: Person, category: Category) -> list[Points]:
    span = SPANS[category][0]
    if category in UPPER:
        return [_quarter([person.joint(joint) for joint in (*SHOULDERS, *HIPS)], 0.15, 0.85, *span)]
    width = 0.22 * float(np.hypot(*(person.joint(HIPS[0]) - person.joint(HIPS[1])))) + 0.03 * torso_height(person)
    return [_strip(person.joint(hip), person.joint(knee), width, span) for hip, knee in zip(HIPS, KNEES, strict=True)]


def _flat_corners(garment: Garment, upper: bool) -> list[Points]:
    x, y, width, height = cv2.boundingRect(garment.alpha)
    edges = ((x + width, y), (x, y), (x + width, y + height), (x, y + height))
    box = [np.array(corner, np.float32) for corner in edges]
    names = ("SHOULDER_LEFT", "SHOULDER_RIGHT", "WAIST_LEFT", "WAIST_RIGHT")
    if not upper:
        names = ("WAIST_LEFT", "WAIST_RIGHT", "HIP_LEFT", "HIP_RIGHT")
    marks = [Landmark[name] for name in names]
    sure = all(garment.landmarks[mark, 2] > 0.1 for mark in marks)
    corners = [garment.landmark(mark) for mark in marks] if sure else box
    span = SPANS[garment.category][1]
    if upper:
        side = 0.15 if sure else 0.35
        return [_quarter(corners, side, 1 - side, *span)]
    sides = ((0.08, 0.42), (0.58, 0.92)) if garment.category != "skirt" else ((0.1, 0.9),)
    return [_quarter(corners, left, right, *(span if sure else (0.35, 0.6))) for left, right in sides]


def _quarter(corners: list[Points], left: float, right: float, top: float, bottom: float) -> Points:
    """`(4, 2)`: a part of a quadrilateral, in shares of its sides; corners: left, right, lower left, lower right."""
    a, b, c, d = corners

    def place(across: float, down: float) -> Points:
        upper, lower = a + across * (b - a), c + across * (d - c)
        return np.asarray(upper + down * (lower - upper), np.float32)

    return np.array([place(left, top), place(right, top), place(right, bottom), place(left, bottom)], np.float32)


def _strip(start: Points, end: Points, width: float, span: tuple[float, float]) -> Points:
    """`(4, 2)`: along the thigh, over a span of it."""
    along = end - start
    across = np.array([-along[1], along[0]], np.float32) / max(float(np.hypot(*along)), 1.0) * width
    first, last = start + span[0] * along, start + span[1] * along
    return np.array([first - across, first + across, last + across, last - across], np.float32)


def _drawn(polygons: list[Points], shape: tuple[int, ...]) -> Mask:
    mask = np.zeros(shape, np.uint8)
    for corners in polygons:
        cv2.fillConvexPoly(mask, np.round(corners).astype(np.int32), 255)
    return mask
