"""Bodies from the `anny` package (MakeHuman data, CC0): shapes at rest, poses, fine meshes.

Metres, z up, facing -y, the wearer's left is +x.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Ints = NDArray[np.int32]
Turn = tuple[float, float, float] | tuple[str, tuple[float, float, float], float]


@dataclass
class Body:
    """All 19,158 vertices of the base mesh with its helper surfaces, at rest, with bones and weights."""

    rest: Array
    heads: dict[str, Array]
    parents: dict[str, str]
    weights: Array
    bones: list[str]
    quads: dict[str, Ints]
    marks: dict[str, Array]

    def pose(self, turns: Mapping[str, Turn]) -> tuple[Array, dict[str, NDArray[np.float64]]]:
        """Posed vertices and bone matrices.

        A turn is degrees round x, y, z of the room at rest, or `(child, way, roll)`: the segment from this bone's head
        to that of `child` is aimed `way`, then rolled by degrees round itself.
        """
        moves: dict[str, NDArray[np.float64]] = {}
        for bone in self.bones:
            parent, local = self.parents[bone], np.eye(4)
            above = moves[parent] if parent else np.eye(4)
            turn = turns.get(bone)
            if turn is not None:
                spin, head = (
                    _rotation(turn) if isinstance(turn[0], (int, float)) else self._aim(bone, turn, above),
                    self.heads[bone],
                )
                local[:3, :3], local[:3, 3] = spin, head - spin @ head
            moves[bone] = above @ local
        matrices = np.stack([moves[bone] for bone in self.bones])
        solid = np.concatenate([self.rest, np.ones((len(self.rest), 1))], 1)
        blended = np.einsum("vb,bij->vij", self.weights, matrices[:, :3], optimize=True)
        return np.einsum("vij,vj->vi", blended, solid).astype(np.float32), moves

    def _aim(self, bone: str, turn: Any, above: NDArray[np.float64]) -> NDArray[np.float64]:
        child, way, roll = turn
        room = above[:3, :3]
        now, then = room @ (self.heads[child] - self.heads[bone]), np.asarray(way, float)
        now, then = now / np.linalg.norm(now), then / np.linalg.norm(then)
        swing = _about(np.cross(now, then), np.arctan2(np.linalg.norm(np.cross(now, then)), now @ then))
        spin: NDArray[np.float64] = room.T @ _about(then, np.radians(roll)) @ swing @ room
        return spin

    def share(self, *prefixes: str) -> Array:
        """`(V,)` how much of each vertex follows the bones with these name prefixes."""
        return self.weights[:, [bone.startswith(prefixes) for bone in self.bones]].sum(1)


def _about(axis: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """Rotation by `angle` radians round an axis (Rodrigues)."""
    x, y, z = axis / (np.linalg.norm(axis) + 1e-12)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turned: NDArray[np.float64] = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return turned


def _rotation(degrees: tuple[float, float, float]) -> NDArray[np.float64]:
    x, y, z = np.radians(degrees)
    cx, sx, cy, sy, cz, sz = np.cos(x), np.sin(x), np.cos(y), np.sin(y), np.cos(z), np.sin(z)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    return np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]]) @ about_y @ about_x


def load_body(shape: Mapping[str, float], cache: Path) -> Body:
    """The body of a phenotype (see anny's `phenotype_labels`, values 0..1). The first call takes minutes."""
    name = "_".join(f"{k}{v:g}" for k, v in sorted(shape.items())) + ".npz"
    if not (cache / name).exists():
        _build(shape, cache / name)
    with np.load(cache / name) as stored:
        bones, parents = stored["bones"].tolist(), stored["parents"].tolist()
        heads = dict(zip(bones, stored["heads"], strict=True))
        rest, weights = stored["rest"], stored["weights"]
    parent_of = {bone: bones[p] if p >= 0 else "" for bone, p in zip(bones, parents, strict=True)}
    return Body(rest, heads, parent_of, weights, bones, _quads(), _marks())


def _build(shape: Mapping[str, float], path: Path) -> None:
    os.environ.setdefault("ANNY_CACHE_DIR", str(path.parent))
    import anny
    import torch

    torch.set_num_threads(1)
    model = anny.Anny(topology="makehuman-full", rig="makehuman", phenotypes="all")
    with torch.no_grad():
        out = model(phenotype_kwargs=dict(shape))
    weights = np.zeros((19158, model.bone_count), np.float32)
    np.add.at(
        weights, (np.arange(19158)[:, None], model.vertex_bone_indices.numpy()), model.vertex_bone_weights.numpy()
    )
    np.savez(
        path, rest=out["rest_vertices"][0].numpy().astype(np.float32), heads=out["rest_bone_heads"][0].numpy(),
        weights=weights, bones=np.array(model.bone_labels), parents=np.array(model.bone_parents),
    )  # fmt: skip


def _data() -> Path:
    import importlib.util

    spec = importlib.util.find_spec("anny")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "data" / "mpfb2"


def _quads() -> dict[str, Ints]:
    groups: dict[str, list[list[int]]] = {}
    group = ""
    for line in (_data() / "3dobjs" / "base.obj").read_text().splitlines():
        if line.startswith("g "):
            group = line.split()[1]
        elif line.startswith("f ") and not group.startswith("joint"):
            groups.setdefault(group, []).append([int(t.split("/")[0]) - 1 for t in line.split()[1:]])
    return {name: np.array(faces, np.int32) for name, faces in groups.items()}


def _marks() -> dict[str, Array]:
    """Where the face's features are: how far a shape target of that feature moves each vertex, 0..1."""
    files = {
        "upper_lip": "mouth/mouth-upperlip-volume-incr", "lower_lip": "mouth/mouth-lowerlip-volume-incr",
        "brow": "eyebrows/eyebrows-trans-forward", "nose": "nose/nose-volume-incr",
    }  # fmt: skip
    marks = {}
    for name, file in files.items():
        moved = np.zeros(19158, np.float32)
        with gzip.open(_data() / "targets" / f"{file}.target.gz", "rt") as lines:
            for line in lines:
                index, *shift = line.split()
                moved[int(index)] = np.linalg.norm(np.array(shift, float))
        marks[name] = moved / moved.max()
    return marks


def compact(values: Array, quads: Ints) -> tuple[Array, Ints]:
    """Only the vertices that these faces use."""
    used, index = np.unique(quads, return_inverse=True)
    return values[used], index.reshape(quads.shape).astype(np.int32)


def subdivide(values: Array, quads: Ints) -> tuple[Array, Ints]:
    """One step of Catmull-Clark on every column of `values` (n, k); open edges stay where they are."""
    n, f = len(values), len(quads)
    middle = values[quads].mean(1)
    ends = np.sort(np.stack([quads, np.roll(quads, -1, 1)], -1).reshape(-1, 2), 1)
    edges, edge_of, count = np.unique(ends, axis=0, return_inverse=True, return_counts=True)
    edge_of = edge_of.reshape(f, 4)
    half = values[edges].mean(1)
    across = np.zeros_like(half)
    np.add.at(across, edge_of.ravel(), np.repeat(middle, 4, 0))
    inner = count == 2
    edge_point = half.copy()
    edge_point[inner] = (half[inner] + across[inner] / 2) / 2
    faces_at = np.bincount(quads.ravel(), minlength=n).astype(np.float32)[:, None]
    face_mean, edge_mean, edges_at = np.zeros_like(values), np.zeros_like(values), np.zeros((n, 1), np.float32)
    np.add.at(face_mean, quads.ravel(), np.repeat(middle, 4, 0))
    for k in (0, 1):
        np.add.at(edge_mean, edges[:, k], half)
        np.add.at(edges_at, edges[:, k], 1)
    moved = (face_mean / faces_at + 2 * edge_mean / edges_at + (faces_at - 3) * values) / faces_at
    rim = edges[~inner]
    rim_sum, rim_count = np.zeros_like(values), np.zeros((n, 1), np.float32)
    for k in (0, 1):
        np.add.at(rim_sum, rim[:, k], values[rim[:, 1 - k]])
        np.add.at(rim_count, rim[:, k], 1)
    open_at = rim_count[:, 0] == 2
    moved[open_at] = 0.75 * values[open_at] + 0.125 * rim_sum[open_at]
    moved[(rim_count[:, 0] > 0) & ~open_at] = values[(rim_count[:, 0] > 0) & ~open_at]
    corner, edge, centre = quads, edge_of + n, np.repeat(np.arange(f)[:, None], 4, 1) + n + len(edges)
    fresh = np.stack([corner, edge, centre, np.roll(edge, 1, 1)], -1).reshape(-1, 4)
    return np.concatenate([moved, edge_point, middle]).astype(np.float32), fresh.astype(np.int32)


def triangles(quads: Ints) -> Ints:
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)


def relax(points: Array, quads: Ints, steps: int, amount: Array | float = 0.6) -> Array:
    """Points pulled towards the mean of their neighbours, which takes the body's detail out of cloth."""
    ends = np.unique(np.sort(np.stack([quads, np.roll(quads, -1, 1)], -1).reshape(-1, 2), 1), axis=0)
    degree = np.bincount(ends.ravel(), minlength=len(points)).astype(np.float32)[:, None]
    rate = np.broadcast_to(np.float32(amount), (len(points),))[:, None]
    for _ in range(steps):
        mean = np.stack(
            [
                sum(np.bincount(ends[:, i], points[ends[:, 1 - i], k], len(points)) for i in (0, 1))
                for k in range(points.shape[1])
            ], 1,
        )  # fmt: skip
        points = points + rate * (mean / degree - points)
    return points.astype(np.float32)


def ripples(points: Array, rng: np.random.Generator, length: tuple[float, float, float], waves: int = 40) -> Array:
    """Smooth noise of unit variance in space; `length` = wavelength along x, y, z in metres."""
    ways = (rng.normal(0, 1, (waves, 3)) / np.array(length) * 2 * np.pi * 0.6).astype(np.float32)
    phase = rng.uniform(0, 2 * np.pi, waves).astype(np.float32)
    return _waves(np.ascontiguousarray(points, np.float32), ways, phase)


@numba.njit(cache=True, fastmath=True)
def _waves(points, ways, phase):  # type: ignore[no-untyped-def]
    out = np.zeros(points.shape[0], np.float32)
    for n in range(points.shape[0]):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        total = np.float32(0)
        for k in range(ways.shape[0]):
            total += np.cos(x * ways[k, 0] + y * ways[k, 1] + z * ways[k, 2] + phase[k])
        out[n] = total * np.sqrt(np.float32(2) / ways.shape[0])
    return out
