"""Back into the photo at its full size: only the edit mask is painted, everything else is the photo bit for bit."""

from __future__ import annotations

from collections.abc import Set

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.encoding.agnostic import agnostic_picture
from vestiary.fitting.body import measure
from vestiary.types import Category, Person

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
Window = tuple[int, int, int, int]

FEATHER = 0.05  # shoulder units over which the new picture fades in, inside the mask


def widened(window: Window, size: tuple[int, int], photo: tuple[int, int]) -> Window:
    """The window, grown towards the aspect of a frame of that width and height as far as the photo reaches.

    What the photo cannot give is padding later.
    """
    x0, y0, x1, y1 = window
    scale = max((x1 - x0) / size[0], (y1 - y0) / size[1])
    grown = []
    for low, high, side, whole in ((x0, x1, size[0], photo[0]), (y0, y1, size[1], photo[1])):
        length = min(max(round(side * scale), high - low), whole)
        start = min(max((low + high - length) // 2, 0), whole - length)
        grown.append((min(start, low), max(start + length, high)))
    return grown[0][0], grown[1][0], grown[0][1], grown[1][1]


def edit_mask(person: Person, categories: Set[Category], spread: float) -> tuple[U8, float]:
    """`(H, W) uint8`, 0 or 255: what garments of these categories may paint, at the photo's size; and the feather's
    width in pixels.

    Args:
        person: a scan.
        categories: of the garments.
        spread: how far the mask goes beyond the old clothes, in shoulder units.
    """
    body = measure(person)
    _, mask = agnostic_picture(person, body, categories, spread=spread, filled=False)
    return (mask[0] > 0).astype(np.uint8) * np.uint8(255), max(FEATHER * body.unit, 1.0)


def paste_back(photo: U8, window: Window, picture: F32, edit: U8, feather: float) -> tuple[U8, U8]:
    """The photo with the window's edit mask painted, and that mask in the photo's frame.

    The new picture fades in inside the mask, so nothing outside it changes.

    Args:
        photo: `(H, W, 3) uint8`.
        window: x0, y0, x1, y1.
        picture: `(3, h, w) float32` in -1..1, of the window.
        edit: `(h, w) uint8`, 0 or 255.
        feather: pixels until the picture is opaque.
    """
    x0, y0, x1, y1 = window
    image, mask = photo.copy(), np.zeros(photo.shape[:2], np.uint8)
    mask[y0:y1, x0:x1] = edit
    depth = cv2.distanceTransform(np.pad(edit, 1, mode="edge"), cv2.DIST_L2, 5)[1:-1, 1:-1]
    alpha = np.clip(depth / np.float32(feather), 0, 1)[..., None]
    old = photo[y0:y1, x0:x1]
    mixed = old + alpha * ((picture.transpose(1, 2, 0) + 1) * np.float32(127.5) - old)
    inside = edit > 0
    image[y0:y1, x0:x1][inside] = np.clip(mixed[inside] + 0.5, 0, 255).astype(np.uint8)
    return image, mask
