"""Meshes of quads: parts of them, finer ones, smoother ones, and smooth noise on them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Ints = NDArray[np.int32]


def f32(values: object) -> Array:
    """Values as an array of single precision."""
    return np.asarray(values, np.float32)


def compact(quads: Ints) -> tuple[Ints, Ints]:
    """The vertices that these faces use, and the faces renumbered for them."""
    used, index = np.unique(quads, return_inverse=True)
    return used.astype(np.int32), np.asarray(index.reshape(quads.shape), np.int32)


def triangles(quads: Ints) -> Ints:
    """Two triangles of each quad."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)


def grid(rows: int, columns: int, *, closed: bool = False) -> Ints:
    """Quads of a grid of vertices numbered row by row; `closed` joins the last column with the first."""
    index = np.arange(rows * columns).reshape(rows, columns)
    if closed:
        index = np.concatenate([index, index[:, :1]], 1)
    corners = (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:])
    return np.stack(corners, -1).reshape(-1, 4).astype(np.int32)


def edges(quads: Ints) -> Ints:
    """`(E, 2)` each edge once."""
    ends = np.sort(np.stack([quads, np.roll(quads, -1, 1)], -1).reshape(-1, 2), 1).astype(np.int64)
    width = int(quads.max()) + 1
    codes = np.unique(ends[:, 0] * width + ends[:, 1])
    return np.stack([codes // width, codes % width], 1).astype(np.int32)


def subdivide(values: Array, quads: Ints) -> tuple[Array, Ints]:
    """One step of Catmull-Clark on every column of `values` `(N, K)`; open edges stay where they are."""
    n, f = len(values), len(quads)
    middle = values[quads].mean(1)
    ends = np.sort(np.stack([quads, np.roll(quads, -1, 1)], -1).reshape(-1, 2), 1).astype(np.int64)
    codes, edge_of, count = np.unique(ends[:, 0] * n + ends[:, 1], return_inverse=True, return_counts=True)
    edge = np.stack([codes // n, codes % n], 1)
    edge_of = edge_of.reshape(f, 4)
    half = values[edge].mean(1)
    across = _gather(edge_of.ravel(), np.repeat(middle, 4, 0), len(edge))
    inner = count == 2
    edge_point = half.copy()
    edge_point[inner] = (half[inner] + across[inner] / 2) / 2
    faces_at = np.maximum(np.bincount(quads.ravel(), minlength=n), 1).astype(np.float32)[:, None]
    face_mean = _gather(quads.ravel(), np.repeat(middle, 4, 0), n) / faces_at
    ring = np.concatenate([edge[:, 0], edge[:, 1]])
    edges_at = np.maximum(np.bincount(ring, minlength=n), 1).astype(np.float32)[:, None]
    edge_mean = _gather(ring, np.concatenate([half, half]), n) / edges_at
    moved = (face_mean + 2 * edge_mean + (faces_at - 3) * values) / faces_at
    rim = np.unique(edge[~inner])
    moved[rim] = values[rim]
    centre = np.repeat(np.arange(f)[:, None], 4, 1) + n + len(edge)
    fresh = np.stack([quads, edge_of + n, centre, np.roll(edge_of, 1, 1) + n], -1).reshape(-1, 4)
    return np.concatenate([moved, edge_point, middle]).astype(np.float32), fresh.astype(np.int32)


def _gather(index: NDArray[Any], values: Array, count: int) -> Array:
    return np.stack([np.bincount(index, values[:, k], count) for k in range(values.shape[1])], 1).astype(np.float32)


def relax(points: Array, quads: Ints, steps: int, amount: Array | float = 0.6) -> Array:
    """Points pulled towards the mean of their neighbours, which takes the body's detail out of cloth."""
    ends = edges(quads)
    one, two = np.concatenate([ends[:, 0], ends[:, 1]]), np.concatenate([ends[:, 1], ends[:, 0]])
    degree = np.maximum(np.bincount(one, minlength=len(points)), 1).astype(np.float32)[:, None]
    rate = np.broadcast_to(np.float32(amount), (len(points),))[:, None]
    for _ in range(steps):
        points = points + rate * (_gather(one, points[two], len(points)) / degree - points)
    return points.astype(np.float32)


def ripples(points: Any, rng: np.random.Generator, length: tuple[float, ...], waves: int = 24) -> Array:
    """Smooth noise of unit variance in space `(N, D)`; `length` = wavelength along each axis, in the points' unit."""
    ways = (rng.normal(0, 1, (waves, len(length))) / np.array(length) * 2 * np.pi * 0.6).astype(np.float32)
    phase = rng.uniform(0, 2 * np.pi, waves).astype(np.float32)
    return np.asarray(np.cos(points @ ways.T + phase).sum(1) * np.float32(np.sqrt(2 / waves)), np.float32)


def ramp(x: Any, low: float, high: float) -> Array:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
