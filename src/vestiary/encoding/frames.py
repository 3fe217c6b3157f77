"""A photo in a working frame of fixed size: scaled to fit, centred, padded; and back again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from vestiary.types import Garment, Person

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]


@dataclass(frozen=True)
class Frame:
    """How a photo lies in the working frame. All sizes in pixels.

    Attributes:
        photo: width and height of the photo.
        size: width and height of the working frame.
        inner: width and height of the scaled photo inside it.
        left, top: padding before it.
    """

    photo: tuple[int, int]
    size: tuple[int, int]
    inner: tuple[int, int]
    left: int
    top: int

    @classmethod
    def around(cls, photo: tuple[int, int], size: tuple[int, int]) -> Frame:
        """The largest centred placement of a photo of that width and height that cuts nothing off."""
        scale = min(size[0] / photo[0], size[1] / photo[1])
        inner = tuple(max(1, min(whole, round(side * scale))) for side, whole in zip(photo, size, strict=True))
        return cls(photo, size, (inner[0], inner[1]), (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2)

    @property
    def matrix(self) -> F32:
        """`(2, 3)` from the photo's pixels to the frame's; pixel centres are at whole numbers."""
        x, y = (inner / side for inner, side in zip(self.inner, self.photo, strict=True))
        shift = (0.5 * x - 0.5 + self.left, 0.5 * y - 0.5 + self.top)
        return np.array([[x, 0, shift[0]], [0, y, shift[1]]], np.float32)

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the frame that show the photo."""
        return slice(self.top, self.top + self.inner[1]), slice(self.left, self.left + self.inner[0])

    def scaled(self, array: U8, *, labels: bool = False) -> U8:
        """`(h, w[, C]) uint8` at the inner size; averaged when it shrinks, label maps by the nearest pixel."""
        if array.shape[1::-1] == self.inner:
            return array
        shrinks = self.inner[0] < self.photo[0]
        way = cv2.INTER_NEAREST if labels else cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return cast(U8, cv2.resize(array, self.inner, interpolation=way))

    def padded(self, array: F32) -> F32:
        """`(C, H, W) float32`: `(C, h, w)` of the inner size with zeros around it."""
        whole = np.zeros((len(array), self.size[1], self.size[0]), np.float32)
        whole[(slice(None), *self.window)] = array
        return whole

    def points(self, points: F32) -> F32:
        """`(N, 2+)`: x, y moved from the photo into the frame; further columns as they are."""
        matrix, new = self.matrix, points.astype(np.float32, copy=True)
        new[:, :2] = points[:, :2] * matrix[[0, 1], [0, 1]] + matrix[:, 2]
        return new

    def points_back(self, points: F32) -> F32:
        """`(N, 2+)`: the inverse of `points`."""
        matrix, new = self.matrix, points.astype(np.float32, copy=True)
        new[:, :2] = (points[:, :2] - matrix[:, 2]) / matrix[[0, 1], [0, 1]]
        return new

    def back(self, array: F32) -> F32:
        """`(C, H, W)` of the frame as `(C, h, w) float32` at the photo's size, the padding cut off.

        A network may work at a multiple or a fraction of the frame: an output of half its size is taken as such.
        """
        if array.shape[1:] != self.size[::-1]:
            array = np.stack([cv2.resize(plane, self.size, interpolation=cv2.INTER_LINEAR) for plane in array])
        inner = array[(slice(None), *self.window)]
        return np.stack([cv2.resize(plane, self.photo, interpolation=cv2.INTER_LINEAR) for plane in inner])

    def person(self, person: Person) -> Person:
        """The scan at the inner size, without padding."""
        inside = replace(self, left=0, top=0)
        pose, depth = inside.points(person.pose), self.inner[1] / self.photo[1]
        pose[:, 2] *= depth
        x0, y0, x1, y1 = (
            round(edge * inner / side)
            for edge, inner, side in zip(person.box, self.inner * 2, self.photo * 2, strict=True)
        )
        return replace(
            person,
            image=self.scaled(person.image),
            silhouette=self.scaled(person.silhouette),
            parts=self.scaled(person.parts, labels=True),
            pose=pose,
            keypoints=inside.points(person.keypoints),
            box=(x0, y0, x1, y1),
        )

    def garment(self, garment: Garment) -> Garment:
        """The garment at the inner size, without padding."""
        marks = replace(self, left=0, top=0).points(garment.landmarks)
        return replace(garment, image=self.scaled(garment.image), alpha=self.scaled(garment.alpha), landmarks=marks)


def colours(image: U8) -> F32:
    """`(3, h, w)` in -1..1 of `(h, w, 3) uint8`."""
    return np.asarray(image.transpose(2, 0, 1) / np.float32(127.5) - 1, np.float32)


def shares(mask: U8) -> F32:
    """`(1, h, w)` in 0..1 of `(h, w) uint8`."""
    return np.asarray(mask[None] / np.float32(255), np.float32)
