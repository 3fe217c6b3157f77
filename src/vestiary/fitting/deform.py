"""Move the pixels of a garment piece to the body: meshes mapped forward, rasterised to an inverse map, sampled once.

A piece is either a torso (a thin-plate spline through dense points along its outline; Bookstein 1989) or a strip
(sleeve, trouser leg, skirt: the surface ruled between two edge curves). Both become a triangle mesh with a source and
a target place for each vertex. The mesh is drawn into an index picture, which gives each target pixel the affine map of
its triangle, and the garment is sampled through that map: lettering is moved, never redrawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Mesh:
    """A grid of vertices with their places on the garment and on the body.

    Attributes:
        source: `(R, C, 2)` x, y in garment pixels.
        target: `(R, C, 2)` x, y in photo pixels.
        outline: `(N, 2)` what the piece covers in the photo at least, or None where only its alpha tells.
    """

    source: F64
    target: F64
    outline: F64 | None = None


@dataclass(frozen=True)
class Piece:
    """A deformed piece of the garment in the photo's frame.

    Attributes:
        colour: `(h, w, 3) float32` sRGB 0..255, valid where alpha > 0.
        alpha: `(h, w) float32` 0..1.
        box: x0, y0, x1, y1: where the piece lies in the photo (already clipped to it).
    """

    colour: F32
    alpha: F32
    box: tuple[int, int, int, int]


def polyline(points: F64, count: int, *, smooth: bool = True) -> F64:
    """`(count, 2)` points spaced evenly by arc length along a curve through `points` (monotone cubic, no overshoot)."""
    points = np.asarray(points, np.float64)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    keep = np.concatenate([[True], steps > 1e-6])
    points = points[keep]
    if len(points) < 2:
        return np.repeat(points[:1], count, axis=0)
    at = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    dense_at = np.linspace(0.0, at[-1], max(8 * count, 64))
    if smooth and len(points) > 2:
        dense = np.stack([_monotone_cubic(at, points[:, i], dense_at) for i in (0, 1)], axis=1)
    else:
        dense = np.stack([np.interp(dense_at, at, points[:, i]) for i in (0, 1)], axis=1)
    run = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(dense, axis=0), axis=1))])
    even = np.linspace(0.0, run[-1], count)
    return np.stack([np.interp(even, run, dense[:, i]) for i in (0, 1)], axis=1)


def _monotone_cubic(x: F64, y: F64, at: F64) -> F64:
    """Values of the monotone piecewise cubic through (x, y) (Fritsch & Carlson 1980)."""
    h, slope = np.diff(x), np.diff(y) / np.diff(x)
    tangent = np.empty_like(y)
    tangent[0], tangent[-1] = slope[0], slope[-1]
    left, right = slope[:-1], slope[1:]
    weight_left, weight_right = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        harmonic = (weight_left + weight_right) / (weight_left / left + weight_right / right)
    tangent[1:-1] = np.where(left * right > 0, harmonic, 0.0)
    i = np.clip(np.searchsorted(x, at) - 1, 0, len(x) - 2)
    t = (at - x[i]) / h[i]
    return (
        (1 + 2 * t) * (1 - t) ** 2 * y[i]
        + t * (1 - t) ** 2 * h[i] * tangent[i]
        + t**2 * (3 - 2 * t) * y[i + 1]
        + t**2 * (t - 1) * h[i] * tangent[i + 1]
    )


def strip(source: tuple[F64, F64], target: tuple[F64, F64], *, columns: int = 9, margin: float = 0.35) -> Mesh:
    """The mesh ruled between two edge curves, extended by `margin` of its width beyond each edge.

    Args:
        source: two `(R, 2)` curves on the garment.
        target: the two curves on the body, point for point.
    """
    across = np.linspace(-margin, 1 + margin, columns)[None, :, None]
    places = [a[:, None] * (1 - across) + b[:, None] * across for a, b in (source, target)]
    one, other = (target[0] * (1 - t) + target[1] * t for t in (0.05, 0.95))
    return Mesh(places[0], places[1], np.concatenate([one, other[::-1]]))


class ThinPlateSpline:
    """A smooth map of the plane through given points (Bookstein 1989), slightly regularised (Wahba 1990)."""

    def __init__(self, source: F64, target: F64, *, smooth: float = 1e-3) -> None:
        self.centre = source.mean(axis=0)
        self.scale = max(float(np.abs(source - self.centre).max()), 1e-6)
        self.points = (source - self.centre) / self.scale
        n = len(source)
        system = np.zeros((n + 3, n + 3))
        system[:n, :n] = _kernel(self.points, self.points) + smooth * np.eye(n)
        system[:n, n:] = np.c_[np.ones(n), self.points]
        system[n:, :n] = system[:n, n:].T
        right = np.zeros((n + 3, 2))
        right[:n] = target
        self.weights = np.linalg.lstsq(system, right, rcond=None)[0]

    def __call__(self, at: F64) -> F64:
        """The images of `(..., 2)` points."""
        flat = (at.reshape(-1, 2) - self.centre) / self.scale
        terms = np.c_[_kernel(flat, self.points), np.ones(len(flat)), flat]
        return np.asarray((terms @ self.weights).reshape(at.shape), np.float64)


def _kernel(a: F64, b: F64) -> F64:
    squared = ((a[:, None] - b[None]) ** 2).sum(-1)
    return np.asarray(0.5 * squared * np.log(squared + 1e-12), np.float64)


def spline_mesh(spline: ThinPlateSpline, box: tuple[float, float, float, float], *, cells: int = 28) -> Mesh:
    """A regular grid over a rectangle of the garment, mapped by a spline."""
    x0, y0, x1, y1 = box
    columns = cells
    rows = max(6, round(cells * (y1 - y0) / max(x1 - x0, 1.0)))
    grid = np.stack(np.meshgrid(np.linspace(x0, x1, columns), np.linspace(y0, y1, min(rows, 64))), axis=-1)
    return Mesh(grid, spline(grid))


def inverse_map(mesh: Mesh, size: tuple[int, int]) -> tuple[F32, F32, tuple[int, int, int, int]] | None:
    """For each photo pixel inside the mesh the garment pixel that it shows.

    Args:
        mesh: where later rows fold over earlier ones, the later rows are in front.
        size: width and height of the photo.

    Returns:
        x and y maps `(h, w)` (-1e4 outside the mesh) and their box in the photo, or None when nothing is inside.
    """
    low, high = mesh.target.reshape(-1, 2).min(axis=0), mesh.target.reshape(-1, 2).max(axis=0)
    x0, y0 = max(int(np.floor(low[0])), 0), max(int(np.floor(low[1])), 0)
    x1, y1 = min(int(np.ceil(high[0])) + 1, size[0]), min(int(np.ceil(high[1])) + 1, size[1])
    if x1 - x0 < 2 or y1 - y0 < 2:
        return None
    target, source = mesh.target - (x0, y0), mesh.source
    corners_t = _triangles(target)
    corners_s = _triangles(source)
    area, turn = _areas(corners_t), np.sign(_areas(corners_s))
    # Where the mesh folds, what is turned over is hidden behind what is not.
    good = area * turn * np.sign((area * turn).sum()) > 1e-3
    corners_t, corners_s = corners_t[good], corners_s[good]
    system = np.concatenate([corners_t, np.ones((len(corners_t), 3, 1))], axis=2)
    affine = np.linalg.solve(system, corners_s)  # (T, 3, 2): [x y 1] @ affine = source
    index = np.full((y1 - y0, x1 - x0), -1, np.int32)
    shifted = np.round(corners_t * 16).astype(np.int32)
    for i, triangle in enumerate(shifted):
        cv2.fillConvexPoly(index, triangle, i, lineType=cv2.LINE_8, shift=4)
    inside = index >= 0
    ys, xs = np.nonzero(inside)
    chosen = affine[index[ys, xs]].astype(np.float32)
    map_x = np.full(index.shape, -1e4, np.float32)
    map_y = np.full(index.shape, -1e4, np.float32)
    map_x[ys, xs] = xs * chosen[:, 0, 0] + ys * chosen[:, 1, 0] + chosen[:, 2, 0]
    map_y[ys, xs] = xs * chosen[:, 0, 1] + ys * chosen[:, 1, 1] + chosen[:, 2, 1]
    return map_x, map_y, (x0, y0, x1, y1)


def _triangles(grid: F64) -> F64:
    """`(2 (R-1) (C-1), 3, 2)` corners of the grid's triangles, row by row."""
    a, b, c, d = grid[:-1, :-1], grid[:-1, 1:], grid[1:, :-1], grid[1:, 1:]
    pair = np.stack([np.stack([a, b, c], axis=2), np.stack([b, d, c], axis=2)], axis=2)
    return pair.reshape(-1, 3, 2)


def _areas(triangles: F64) -> F64:
    """`(T,)` twice the signed areas of `(T, 3, 2)` triangles."""
    edges = triangles[:, 1:] - triangles[:, :1]
    return np.asarray(edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0], np.float64)


def warp(colour: F32, alpha: F32, mesh: Mesh, size: tuple[int, int]) -> Piece | None:
    """The garment piece as it lies on the body.

    Args:
        colour: `(H, W, 3) float32`, premultiplied by alpha.
        alpha: `(H, W) float32` 0..1.
        mesh: in the pixels of `colour`.
        size: width and height of the photo.
    """
    found = inverse_map(mesh, size)
    if found is None:
        return None
    map_x, map_y, box = found
    border = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": 0}
    rgb = cv2.remap(colour, map_x, map_y, cv2.INTER_LINEAR, **border)
    a = cv2.remap(alpha, map_x, map_y, cv2.INTER_LINEAR, **border)
    rgb *= (1 / np.maximum(a, 1e-3))[..., None]
    return Piece(np.minimum(rgb, 255), np.asarray(a, np.float32), box)


def shrink(image: NDArray[np.uint8], alpha: NDArray[np.uint8], factor: float) -> tuple[F32, F32]:
    """Premultiplied colour and alpha (0..1), area-averaged by `factor` < 1 so that sampling does not alias."""
    colour = cv2.multiply(image, cv2.merge([alpha, alpha, alpha]), scale=1 / 255)
    small = alpha
    if factor < 1.0:
        size = (max(8, round(image.shape[1] * factor)), max(8, round(image.shape[0] * factor)))
        colour = cv2.resize(colour, size, interpolation=cv2.INTER_AREA)
        small = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
    return colour.astype(np.float32), small.astype(np.float32) / np.float32(255)
