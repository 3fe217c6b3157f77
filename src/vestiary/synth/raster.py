"""A camera and a rasteriser by index pictures: which triangle each pixel shows, and where in it.

Triangles of one layer are painted from far to near; each pixel then knows its triangle's plane, so depth and weights
are exact there, and layers are laid over each other pixel by pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Ints = NDArray[np.int32]
_SHIFT = 4


@dataclass(frozen=True)
class Camera:
    """Looks level along +y from `eye` (metres).

    Attributes:
        focal: in pixels.
        centre: where the line of sight meets the picture, in pixels.
        size: width and height of the picture.
    """

    eye: tuple[float, float, float]
    focal: float
    centre: tuple[float, float]
    size: tuple[int, int]

    def times(self, factor: int) -> Camera:
        """The same view with `factor` times as many pixels; pixel centres are at whole numbers in both."""
        x, y = ((value + 0.5) * factor - 0.5 for value in self.centre)
        return Camera(self.eye, self.focal * factor, (x, y), (self.size[0] * factor, self.size[1] * factor))

    def project(self, points: Array) -> Array:
        """`(N, 3)`: x, y in pixels and 1 / distance along the line of sight."""
        away = np.asarray(points, np.float64) - np.array(self.eye)
        near = 1 / np.maximum(away[:, 1], 0.05)
        x = self.centre[0] + away[:, 0] * near * self.focal
        y = self.centre[1] - away[:, 2] * near * self.focal
        return np.stack([x, y, near], 1).astype(np.float32)


@dataclass(frozen=True)
class Hits:
    """The pixels that show a layer.

    Attributes:
        y, x: `(N,)` pixels.
        face: `(N,)` triangle of each.
        weights: `(N, 3)` of its corners, right in space.
        distance: `(N,)` metres along the line of sight.
    """

    y: NDArray[np.intp]
    x: NDArray[np.intp]
    face: Ints
    weights: Array
    distance: Array

    def spread(self, values: Array, faces: Ints) -> Array:
        """`(N, K)` values of vertices at the pixels."""
        corners = faces[self.face]
        total = values[corners[:, 0]] * self.weights[:, :1]
        total += values[corners[:, 1]] * self.weights[:, 1:2]
        total += values[corners[:, 2]] * self.weights[:, 2:]
        return np.asarray(total, np.float32)

    def __getitem__(self, which: NDArray[np.bool_]) -> Hits:
        return Hits(self.y[which], self.x[which], self.face[which], self.weights[which], self.distance[which])


def cast(screen: Array, faces: Ints, size: tuple[int, int], *, facing: int = 1) -> Hits:
    """The pixels that show these triangles.

    Args:
        screen: `(V, 3)` from `Camera.project`.
        faces: `(F, 3)`, anticlockwise as seen from outside.
        size: width and height of the picture.
        facing: 1 = only triangles seen from outside, -1 = from inside, 0 = both.
    """
    corners = screen[faces].astype(np.float64)
    one, two = corners[:, 1, :2] - corners[:, 0, :2], corners[:, 2, :2] - corners[:, 0, :2]
    area = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]
    low, high = corners[..., :2].min(1), corners[..., :2].max(1)
    seen = (high >= 0).all(1) & (low <= np.array(size) - 1).all(1) & (np.abs(area) > 1e-6)
    if facing:
        seen &= area * facing < 0  # y points down, so anticlockwise has a negative area
    chosen = np.flatnonzero(seen)
    if not len(chosen):
        none = np.zeros(0, np.intp)
        return Hits(none, none, none.astype(np.int32), np.zeros((0, 3), np.float32), np.zeros(0, np.float32))
    chosen = chosen[np.argsort(corners[chosen, :, 2].mean(1), kind="stable")]
    x0, y0 = np.maximum(np.floor(low[chosen].min(0)), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(high[chosen].max(0)) + 1, size).astype(int)
    index = np.full((y1 - y0, x1 - x0), -1, np.int32)
    fixed = np.round((corners[chosen][..., :2] - (x0, y0)) * (1 << _SHIFT)).astype(np.int32)
    for number, triangle in zip(chosen.tolist(), fixed, strict=True):
        cv2.fillConvexPoly(index, triangle, number, cv2.LINE_8, _SHIFT)
    y, x = np.nonzero(index >= 0)
    face = index[y, x]
    return _weigh(y + y0, x + x0, face, corners, area)


def _weigh(
    y: NDArray[np.intp], x: NDArray[np.intp], face: Ints, corners: NDArray[np.float64], area: NDArray[np.float64]
) -> Hits:
    """Weights in space: linear in the picture, then divided by the distance of each corner."""
    origin = corners[:, 0]
    one, two = corners[:, 1, :2] - origin[:, :2], corners[:, 2, :2] - origin[:, :2]
    scale = 1 / np.where(np.abs(area) > 1e-9, area, 1)
    table = np.concatenate(
        [origin[:, :2], (two[:, 1:] * scale[:, None]), -two[:, :1] * scale[:, None], -one[:, 1:] * scale[:, None],
         one[:, :1] * scale[:, None], corners[..., 2]], 1,
    ).astype(np.float32)  # fmt: skip
    row = table[face]
    dx, dy = x - row[:, 0], y - row[:, 1]
    b, c = dx * row[:, 2] + dy * row[:, 3], dx * row[:, 4] + dy * row[:, 5]
    flat = np.stack([1 - b - c, b, c], 1)
    flat = np.clip(flat, 0, 1)  # the painted edge reaches half a pixel beyond the triangle
    flat /= flat.sum(1, keepdims=True)
    flat *= row[:, 6:9]
    near = flat.sum(1, keepdims=True)
    return Hits(y, x, face, (flat / near).astype(np.float32), (1 / near[:, 0]).astype(np.float32))
