"""Back into the photo at its full size: only the edit mask is painted, everything else is the photo bit for bit."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from functools import cached_property

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


@dataclass(frozen=True, eq=False)
class Canvas:
    """Where a picture goes in a photo.

    Attributes:
        photo: `(H, W, 3) uint8`.
        window: x0, y0, x1, y1 of the part of the photo that the picture shows.
        edit: `(h, w) uint8`, 0 or 255, of the window: what may be painted.
        feather: pixels from the edit mask's edge inwards until the picture is opaque.
    """

    photo: U8
    window: Window
    edit: U8
    feather: float

    @property
    def mask(self) -> U8:
        """`(H, W) uint8`: the edit mask in the photo's frame."""
        x0, y0, x1, y1 = self.window
        whole = np.zeros(self.photo.shape[:2], np.uint8)
        whole[y0:y1, x0:x1] = self.edit
        return whole

    def paint(self, picture: F32) -> U8:
        """The photo with its edit mask painted by a picture `(3, h, w)` in -1..1 of the window."""
        x0, y0, x1, y1 = self.window
        image = self.photo.copy()
        old, inside = image[y0:y1, x0:x1], self.edit > 0
        before = old[inside].astype(np.float32)
        after = (picture.transpose(1, 2, 0)[inside] + 1) * np.float32(127.5)
        mixed = before + self.alpha * (after - before)
        old[inside] = np.clip(mixed + np.float32(0.5), 0, 255).astype(np.uint8)
        return image

    @cached_property
    def alpha(self) -> F32:
        """`(n, 1)` of the n pixels in the edit mask: how much of the picture counts, growing inwards to 1."""
        depth = cv2.distanceTransform(np.pad(self.edit, 1, mode="edge"), cv2.DIST_L2, 5)[1:-1, 1:-1]
        return np.asarray(np.clip(depth[self.edit > 0] / np.float32(self.feather), 0, 1)[:, None], np.float32)

    def small(self, side: int) -> Canvas:
        """The same with a photo of at most that many pixels on its longer side, for previews."""
        height, width = self.photo.shape[:2]
        scale = min(1.0, side / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        x, y = size[0] / width, size[1] / height
        x0, y0, x1, y1 = self.window
        left, top = min(int(x0 * x), size[0] - 1), min(int(y0 * y), size[1] - 1)
        right, bottom = max(round(x1 * x), left + 1), max(round(y1 * y), top + 1)
        edit = cv2.resize(self.edit, (right - left, bottom - top), interpolation=cv2.INTER_NEAREST)
        photo = cv2.resize(self.photo, size, interpolation=cv2.INTER_AREA)
        return Canvas(np.asarray(photo), (left, top, right, bottom), np.asarray(edit), max(self.feather * scale, 1.0))


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
        grown.append((start, start + length))
    return grown[0][0], grown[1][0], grown[0][1], grown[1][1]


def canvas_of(person: Person, near: Person, window: Window, categories: Set[Category], *, spread: float) -> Canvas:
    """The canvas of garments of these categories: the clothes that they replace, at the photo's size.

    Args:
        person: a scan.
        near: the same, cut to the window.
        window: x0, y0, x1, y1.
        categories: of the garments.
        spread: how far the edit mask goes beyond the old clothes, in shoulder units.
    """
    body = measure(near)
    _, mask = agnostic_picture(near, body, categories, spread=spread, filled=False)
    edit = (mask[0] > 0).astype(np.uint8) * np.uint8(255)
    return Canvas(person.image, window, edit, max(FEATHER * body.unit, 1.0))
