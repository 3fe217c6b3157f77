"""A garment photo read without any learned part: GrabCut from a guess in the middle, rules on the outline.

The baseline that the networks have to beat. It takes the garment to lie upright, in the middle, on another colour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from vestiary.garment.attributes import outline_shape
from vestiary.garment.cutout import WORK, by_colour, by_ground
from vestiary.garment.matte import reduce
from vestiary.garment.network import GarmentLook
from vestiary.garment.shapes import shape_of, wanted
from vestiary.garment.sight import Sight, roomy_box
from vestiary.types import CATEGORIES, NECKLINES, SLEEVES, UPPER, Landmark

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.types import Category, Mask, Picture, Points, Sleeve

    Floats = NDArray[np.floating[Any]]

BORDER = 0.03  # of the picture's sides, taken for ground
CORE = 0.2  # of the picture's sides, from its middle, taken for garment
PLAIN = 0.9  # share of the ground that must fit its smooth model for the ground's colour to decide
SURE = 0.5  # the confidence that a rule's answer is given
LEGS = 0.25  # depth of the notch between legs, in garment heights
SPREAD = 1.28  # width at the sleeves by width below them, from which there are sleeves


def see_by_rules(picture: Picture) -> Sight:
    """What the rules see in a photo: mask, category, sleeve, landmarks; the neckline they take to be round."""
    mask = mask_by_rules(picture)
    category = category_by_outline(mask)
    sleeve = sleeve_by_outline(mask, category)
    look = GarmentLook(
        mask=mask,
        landmarks=landmarks_by_outline(mask, category, sleeve),
        category_scores=_told(CATEGORIES, category),
        sleeve_scores=_told(SLEEVES, sleeve),
        neckline_scores=_told(NECKLINES, "round" if category in UPPER else "none"),
        up=np.array((0, -1), np.float32),
        presence=1.0,
    )
    return Sight(picture, 0.0, look, roomy_box(mask))


def mask_by_rules(picture: Picture) -> Mask:
    """`(h, w) uint8`: what differs from a plain ground, else GrabCut (Rother et al. 2004) from the middle outwards."""
    small = reduce(picture, WORK)
    height, width = small.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    belief = np.full((height, width), 160, np.uint8)
    belief[np.hypot(x / 0.85, y / 0.9) > 1] = 100
    belief[np.hypot(x, y) < 2 * CORE] = 255
    belief[np.maximum(abs(x), abs(y)) > 1 - 2 * BORDER] = 0
    ground = np.where(belief > 0, 200, 0).astype(np.uint8)
    mask, plain = by_ground(small, ground)
    if plain < PLAIN or not 0.05 < float((mask > 127).mean()) < 0.9:
        mask = by_colour(small, belief, rounds=4)
    return np.asarray(cv2.resize(mask, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


def category_by_outline(mask: Mask) -> Category:
    """Legs leave a notch in the hem; skirts widen from a narrow waist; dresses are long."""
    notch, tall = outline_shape(mask)
    if notch > LEGS or (notch > 0.1 and tall < 1.15 and _widths(mask)[:3].mean() > 0.6):
        return "trousers" if tall > 1.35 else "shorts"
    widths = _widths(mask)
    if widths[0] > 0.45 and widths.argmax() > 12 and (np.diff(widths) > -0.05).mean() > 0.8:
        return "skirt"
    return "dress" if tall > 1.45 else "top"


def sleeve_by_outline(mask: Mask, category: Category) -> Sleeve:
    """By how much wider the upper part is than what lies below the armpits, and how far down that goes."""
    if category not in UPPER:
        return "none"
    widths = _widths(mask)
    body = float(np.median(widths[13:]))
    wide = np.flatnonzero(widths[:14] > SPREAD * body)
    if not len(wide):
        return "none"
    return "long" if widths.max() > 1.75 * body or wide.max() > 9 else "short"


def landmarks_by_outline(mask: Mask, category: Category, sleeve: Sleeve) -> Points:
    """`(28, 3) float32`: those of a typical garment, stretched into the mask's box."""
    points = np.zeros((len(Landmark), 3), np.float32)
    x, y, width, height = cv2.boundingRect((mask > 127).astype(np.uint8))
    marks = list(wanted(category, sleeve))
    typical = shape_of(category, sleeve)[marks]
    low, high = typical.min(0), typical.max(0)
    points[marks, :2] = (typical - low) / (high - low) * (width - 1, height - 1) + (x, y)
    points[marks, 2] = SURE
    return points


def _widths(mask: Mask, bands: int = 20) -> Floats:
    """The mask's width in that many bands from top to bottom, as shares of its box's width."""
    x, y, width, height = cv2.boundingRect((mask > 127).astype(np.uint8))
    inside = mask[y : y + height, x : x + width] > 127
    if width * height == 0:
        return np.ones(bands)
    rows = inside.sum(1) / width
    return np.array([part.mean() for part in np.array_split(rows, bands)])


def _told(names: tuple[str, ...], word: str, sure: float = 0.8) -> dict[str, float]:
    """A rule's answer as probabilities."""
    rest = (1 - sure) / (len(names) - 1)
    return {name: sure if name == word else rest for name in names}
