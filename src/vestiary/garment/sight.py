"""Looking at a garment photo with the network: as a whole, then turned upright and close."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vestiary.garment.network import GarmentLook, look, look_once
from vestiary.garment.upright import lean, settle_angle, turn_back

if TYPE_CHECKING:
    from vestiary.types import Mask, Picture

MARGIN = 0.12  # of the garment's longer side, left free around it in the close look
CLOSE_ENOUGH = 0.8  # a garment that fills this much of the photo needs no closer look

LEAST_PRESENCE = 0.78
MOST_UNSURE = 1.3
LEAST_LANDMARKS = 0.45  # mean confidence of the six surest


@dataclass(frozen=True, eq=False)
class Sight:
    """What was seen, in the pixels of the upright picture.

    Attributes:
        image: `(h, w, 3) uint8`, upright.
        degrees: how far the photo was turned anticlockwise to be upright.
        look: the network's answer for `image`.
        box: x0, y0, x1, y1 of the garment with a margin, in `image`.
    """

    image: Picture
    degrees: float
    look: GarmentLook
    box: tuple[int, int, int, int]


def see(picture: Picture) -> Sight:
    """The garment in a photo, looked at again upright and close where the first look was askew or from afar."""
    whole = look(picture)
    degrees = settle_angle(lean(whole.up))
    turned, mask = turn_back(picture, degrees), turn_back(whole.mask, degrees)
    box = roomy_box(mask)
    if degrees == 0 and _fills(box, picture.shape):
        return Sight(picture, 0.0, whole, box)
    close = _look_close(turned, box)
    more = settle_angle(lean(close.up))
    if more and close.presence > 0.5:
        degrees = settle_angle(degrees + more)
        turned, mask = turn_back(picture, degrees), turn_back(whole.mask, degrees)
        box = roomy_box(mask)
        close = _look_close(turned, box)
    return Sight(turned, degrees, _joined(whole, close), roomy_box(close.mask))


def shows_garment(seen: GarmentLook) -> bool:
    """Whether there is a garment at all: the network says so, knows where it ends, and finds its landmarks.

    The thresholds were set on 242 phone photos of garments and a dozen pictures of other things.
    """
    sure = int((seen.mask > 127).sum())
    unsure = int(((seen.mask > 20) & (seen.mask < 235)).sum())
    best = np.sort(seen.landmarks[:, 2])[-6:].mean()
    return seen.presence >= LEAST_PRESENCE and unsure < MOST_UNSURE * sure and bool(best >= LEAST_LANDMARKS)


def roomy_box(mask: Mask, level: int = 100) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 around the mask with a margin; the whole picture when the mask is empty."""
    height, width = mask.shape
    x, y, w, h = cv2.boundingRect((mask > level).astype(np.uint8))
    if w * h == 0:
        return 0, 0, width, height
    room = round(MARGIN * max(w, h))
    return max(0, x - room), max(0, y - room), min(width, x + w + room), min(height, y + h + room)


def _fills(box: tuple[int, int, int, int], shape: tuple[int, ...]) -> bool:
    return max(box[2] - box[0], box[3] - box[1]) >= CLOSE_ENOUGH * max(shape[:2])


def _look_close(picture: Picture, box: tuple[int, int, int, int]) -> GarmentLook:
    """What the network sees in one part of a picture, in the pixels of the whole picture."""
    x0, y0, x1, y1 = box
    seen = look(np.ascontiguousarray(picture[y0:y1, x0:x1]))
    mask = np.zeros(picture.shape[:2], np.uint8)
    mask[y0:y1, x0:x1] = seen.mask
    return replace(seen, mask=mask, landmarks=seen.landmarks + np.array((x0, y0, 0), np.float32))


def _joined(whole: GarmentLook, close: GarmentLook) -> GarmentLook:
    """The close look, with the scores of both averaged."""

    def mean(name: str) -> dict[str, float]:
        first, second = getattr(whole, name), getattr(close, name)
        return {key: (first[key] + second[key]) / 2 for key in first}

    return replace(
        close,
        category_scores=mean("category_scores"),
        sleeve_scores=mean("sleeve_scores"),
        neckline_scores=mean("neckline_scores"),
        presence=(whole.presence + close.presence) / 2,
    )


def see_as_it_is(picture: Picture) -> Sight:
    """The garment in a photo that is taken to be upright already."""
    seen = look_once(picture)
    return Sight(picture, 0.0, seen, roomy_box(seen.mask))
