"""A garment taken off a photo of somebody who wears it: chosen, cut by parts, its covered places filled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from vestiary.errors import GarmentError, PersonError
from vestiary.garment.matte import ellipse
from vestiary.types import CATEGORIES, LOWER, UPPER, Category, Joint, Part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.types import Mask, Person, Picture

LEAST_SHARE = 0.04  # of the person's silhouette; smaller scraps of a garment are not offered
GRID = 512  # long side in pixels on which covered places are found and filled
PARTS: dict[Category, Part] = {name: Part[name.upper()] for name in CATEGORIES}
# What may be handed out for each category: the parser can take a top for a jacket, or cropped trousers for shorts.
ALIKE: dict[Category, tuple[Category, ...]] = {
    "top": ("top", "outerwear"),
    "outerwear": ("outerwear", "top"),
    "dress": ("dress",),
    "skirt": ("skirt",),
    "trousers": ("trousers", "shorts"),
    "shorts": ("shorts",),
}
COVERS = (
    *(Part.HAIR, Part.LEFT_ARM, Part.RIGHT_ARM, Part.LEFT_HAND, Part.RIGHT_HAND),
    *(Part.BAG, Part.ACCESSORY, Part.HAT),
)


def find_wearer(image: Picture) -> bool:
    """Whether the photo shows somebody, rather than a garment on a bed, floor or hanger.

    Args:
        image: `(h, w, 3) uint8`; a reduced copy will do.
    """
    from vestiary.person.pose import detect_people
    from vestiary.person.presence import find_person

    if not detect_people(image):  # the quick look, which is all that most garment photos need
        return False
    try:
        find_person(image, small=False)
    except PersonError:
        return False
    return True


def scan_wearer(image: Picture) -> Person:
    """The person in the photo.

    Raises:
        GarmentError: the person cannot be read, for instance because they are seen from behind.
    """
    from vestiary.person.scan import scan

    try:
        return scan(image)
    except PersonError as problem:
        hint = "Hand in a photo of the garment alone, or of somebody who faces the camera and wears it."
        raise GarmentError(f"the photo shows somebody, but {problem.message}", hint=hint) from None


def choose(person: Person, category: Category | None) -> tuple[Category, NDArray[np.bool_]]:
    """What is taken off the person, and where it is: the asked-for garment, else the largest one over the chest.

    Raises:
        GarmentError: nothing of the kind is worn; the message lists what is.
    """
    area = clothes(person)
    groups = [ALIKE[category]] if category else [tuple(UPPER), tuple(LOWER)]
    for group in groups:
        offered = sorted((name for name in group if name in area), key=lambda name: -area[name])
        if category in offered:
            offered = [category]
        if offered:
            return category or offered[0], person.parts == PARTS[offered[0]]
    listed = ", ".join(area) or "nothing that can be taken off"
    what = f"a garment of the kind {category!r}" if category else "a garment that can be seen"
    raise GarmentError(f"the person in this photo does not wear {what}.", hint=f"Seen: {listed}.")


def clothes(person: Person) -> dict[Category, int]:
    """The garments that the person wears with their areas in pixels; mere scraps left out."""
    body = max(1, int((person.silhouette > 127).sum()))
    area = {name: int((person.parts == part).sum()) for name, part in PARTS.items()}
    return {name: pixels for name, pixels in area.items() if pixels > LEAST_SHARE * body}


def tidy(mask: NDArray[np.bool_], smoothness: float) -> Mask:
    """The mask without specks and with a smooth border, as `(H, W) uint8`; smoothness in pixels."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return np.zeros(mask.shape, np.uint8)
    area = stats[:, cv2.CC_STAT_AREA]
    table = np.where(area >= 0.05 * area[1:].max(), 255, 0).astype(np.uint8)
    table[0] = 0
    blurred = cv2.GaussianBlur(table[labels], (0, 0), max(smoothness, 0.5))
    return np.where(blurred > 127, 255, 0).astype(np.uint8)


def uncover(person: Person, mask: Mask, category: Category) -> tuple[Picture, Mask, list[str]]:
    """The photo with the garment's covered places filled in, the mask with them, and the names of what covered it.

    Only what lies within the closed shape of the garment, and in front of the half of the body that it dresses, is
    filled (inpainting by Telea 2004, on a reduced grid).
    """
    x0, y0, x1, y1 = box_of(mask)
    scale = min(1.0, GRID / max(x1 - x0, y1 - y0))
    size = (max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale)))
    small = cv2.resize(mask[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA) > 127
    parts = cv2.resize(person.parts[y0:y1, x0:x1], size, interpolation=cv2.INTER_NEAREST)
    reach = max(2, round(0.17 * shoulder_width(person) * scale))
    frame = np.pad(small.astype(np.uint8), reach)
    closed = cv2.morphologyEx(frame, cv2.MORPH_CLOSE, ellipse(reach))[reach:-reach, reach:-reach] > 0
    table = np.zeros(256, bool)
    table[list(COVERS)] = True
    front = _body_front(person, category, (x0, y0), scale, size)
    hidden = closed & ~small & table[parts] & front
    hidden = cv2.morphologyEx(hidden.astype(np.uint8), cv2.MORPH_OPEN, ellipse(1)) > 0
    if hidden.sum() < 0.003 * small.sum():
        return person.image, mask, []
    names = [Part(value) for value in COVERS if (parts[hidden] == value).sum() > 0.1 * hidden.sum()]
    image, wider = person.image.copy(), mask.copy()
    filled = _inpaint(cv2.resize(person.image[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA), hidden, small)
    large = cv2.resize(hidden.astype(np.uint8) * 255, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR) > 127
    large &= mask[y0:y1, x0:x1] < 128
    image[y0:y1, x0:x1][large] = cv2.resize(filled, (x1 - x0, y1 - y0), interpolation=cv2.INTER_CUBIC)[large]
    wider[y0:y1, x0:x1][large] = 255
    return image, wider, sorted({name.name.removeprefix("LEFT_").removeprefix("RIGHT_").lower() for name in names})


def _inpaint(picture: Picture, hidden: NDArray[np.bool_], garment: NDArray[np.bool_]) -> Picture:
    """Hidden places from the garment's own pixels alone: all else is unknown too while they are filled."""
    edge = cv2.dilate(hidden.astype(np.uint8), ellipse(2)) > 0  # the cover's rim has the cover's colour in it
    unknown = edge | ~(cv2.erode(garment.astype(np.uint8), ellipse(1)) > 0)
    near = cv2.dilate(edge.astype(np.uint8), ellipse(12)) > 0
    base = picture.copy()
    base[unknown] = np.median(picture[garment], axis=0)
    return np.asarray(cv2.inpaint(base, (unknown & near).astype(np.uint8), 5, cv2.INPAINT_TELEA), np.uint8)


def _body_front(
    person: Person, category: Category, corner: tuple[int, int], scale: float, size: tuple[int, int]
) -> NDArray[np.bool_]:
    """Where the body half that the garment dresses is, roughly: what covers anything else is not filled."""
    joint = person.joint
    across = joint(Joint.LEFT_SHOULDER) - joint(Joint.RIGHT_SHOULDER)
    shoulders = (joint(Joint.LEFT_SHOULDER) + joint(Joint.RIGHT_SHOULDER)) / 2
    hips = (joint(Joint.LEFT_HIP) + joint(Joint.RIGHT_HIP)) / 2
    down = hips - shoulders
    if category in UPPER:
        top, bottom = shoulders, shoulders + down * (2.4 if category == "dress" else 1.35)
    else:
        top, bottom = hips - 0.3 * down, hips + 1.8 * down
    half = 0.62 * across
    corners = np.array((top - half, top + half, bottom + half, bottom - half), np.float32)
    corners = (corners - np.array(corner, np.float32)) * scale
    canvas = np.zeros((size[1], size[0]), np.uint8)
    cv2.fillConvexPoly(canvas, cv2.convexHull(np.rint(corners).astype(np.int32)), 1)
    return np.asarray(canvas > 0)


def shoulder_width(person: Person) -> float:
    """The distance of the shoulders in pixels, not less than seen from the front on an average body."""
    joint = person.joint
    width = float(np.hypot(*(joint(Joint.LEFT_SHOULDER) - joint(Joint.RIGHT_SHOULDER))))
    hips = (joint(Joint.LEFT_HIP) + joint(Joint.RIGHT_HIP)) / 2
    shoulders = (joint(Joint.LEFT_SHOULDER) + joint(Joint.RIGHT_SHOULDER)) / 2
    return max(width, 0.45 * float(np.hypot(*(hips - shoulders))), 4.0)


def box_of(mask: Mask) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 around the mask with a small margin."""
    x, y, w, h = cv2.boundingRect((mask > 127).astype(np.uint8))
    room = round(0.05 * max(w, h))
    return max(0, x - room), max(0, y - room), min(mask.shape[1], x + w + room), min(mask.shape[0], y + h + room)


def scores(person: Person, category: Category) -> dict[str, float]:
    """How likely each category is: the share of the person's clothes of the same half that the parser gave to it."""
    area = clothes(person)
    half = UPPER if category in UPPER else LOWER
    total = sum(pixels for name, pixels in area.items() if name in half) or 1
    return {name: area.get(name, 0) / total if name in half else 0.0 for name in CATEGORIES}


def warnings(person: Person, category: Category, covers: list[str]) -> tuple[str, ...]:
    """What may spoil a fitting of a garment that was taken off a person."""
    found = []
    if covers:
        found.append(f"Part of the garment was covered ({', '.join(covers)}) and has been filled in.")
    if person.facing != "front":
        found.append("The wearer is turned to the side; a photo from the front gives a better fit.")
    if category == "top" and "outerwear" in clothes(person) and (person.parts == Part.TOP).any():
        found.append("Other clothes lie over the garment; what they hide is missing.")
    return tuple(found)
