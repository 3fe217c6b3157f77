"""Bodies: a mean, principal components, bones and skinning weights; shapes from parameters, poses from bone turns.

Metres, z up, the body faces -y, the wearer's left is +x. The data (`body.npz`, built by `tools/build_body.py`) is CC0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
F64 = NDArray[np.float64]
Ints = NDArray[np.int32]
Turn = tuple[float, float, float] | tuple[str, tuple[float, float, float], float]

PARAMETERS: dict[str, tuple[float, float]] = {  # MakeHuman's macro parameters and the range of adults that is covered
    "gender": (0.0, 1.0),
    "age": (0.60, 0.92),
    "muscle": (0.2, 0.85),
    "weight": (0.2, 0.9),
    "height": (0.2, 0.8),
    "proportions": (0.5, 1.0),
    "cupsize": (0.2, 0.8),
    "african": (0.0, 1.0),
    "asian": (0.0, 1.0),
}


def features(values: F64) -> F64:
    """`(N, F)` terms of the polynomial from `(N, len(PARAMETERS))` parameters to components.

    MakeHuman interpolates linearly between anchors at 0.5 (2/3 for age), so each such value gives two hinges.
    """
    columns: list[F64] = []
    for k, name in enumerate(PARAMETERS):
        value = values[:, k]
        knot = {"age": 2 / 3, "muscle": 0.5, "weight": 0.5, "height": 0.5, "cupsize": 0.5}.get(name)
        columns += [value] if knot is None else [np.minimum(value - knot, 0), np.maximum(value - knot, 0)]
    one = np.stack(columns, 1)
    pairs = [one[:, i] * one[:, j] for i in range(one.shape[1]) for j in range(i, one.shape[1])]
    return np.concatenate([np.ones((len(values), 1)), one, np.stack(pairs, 1)], 1)


@dataclass(frozen=True)
class Basis:
    """What `body.npz` holds.

    Attributes:
        mean: `(V + B, 3)` vertices and bone heads of the mean adult.
        components: `(K, V + B, 3)`.
        map: `(F, K)` from `features` to components.
        bones, parents: names, and the number of the bone above (-1 = none).
        weights: `(V, B)` skinning weights.
        faces: quads by group: body, tights, left_eye, right_eye, lashes.
        marks: 0..1 per vertex, where features of the face are: lips, nose.
        spots: vertices of pose landmarks that are no joints.
    """

    mean: Array
    components: Array
    map: F64
    bones: list[str]
    parents: list[int]
    weights: Array
    faces: dict[str, Ints]
    marks: dict[str, Array]
    spots: dict[str, int]


@lru_cache(maxsize=1)
def load_basis() -> Basis:
    """The basis that ships with the package."""
    with np.load(str(files("vestiary.synth") / "body.npz")) as stored:
        count = len(stored["weights"])
        weights = np.zeros((count, len(stored["bones"])), np.float32)
        held = stored["weights"].astype(np.float32)
        held /= held.sum(1, keepdims=True)
        np.put_along_axis(weights, stored["weight_bones"].astype(np.int64), held, 1)
        faces = {name[6:]: stored[name].astype(np.int32) for name in stored.files if name.startswith("faces_")}
        marks = {name[5:]: stored[name].astype(np.float32) / 255 for name in stored.files if name.startswith("mark_")}
        spots = dict(zip(stored["spot_names"].tolist(), stored["spots"].tolist(), strict=True))
        return Basis(
            stored["mean"], stored["components"].astype(np.float32), stored["map"].astype(np.float64),
            stored["bones"].tolist(), stored["parents"].tolist(), weights, faces, marks, spots,
        )  # fmt: skip


@dataclass(frozen=True)
class Body:
    """One person at rest: arms held out at about 45°.

    Attributes:
        basis: bones, faces and weights, the same for everybody.
        rest: `(V, 3)` vertices.
        heads: where each bone begins.
        parameters: values of `PARAMETERS`.
    """

    basis: Basis
    rest: Array
    heads: dict[str, Array]
    parameters: Mapping[str, float]

    @property
    def height(self) -> float:
        """From sole to crown in metres."""
        return float(np.ptp(self.rest[self.basis.faces["body"]][..., 2]))

    def share(self, *prefixes: str) -> Array:
        """`(V,)` how much of each vertex follows the bones with these name prefixes."""
        chosen = [name.startswith(prefixes) for name in self.basis.bones]
        return np.asarray(self.basis.weights[:, chosen].sum(1), np.float32)


def make_body(parameters: Mapping[str, float]) -> Body:
    """The body of these parameters (see `PARAMETERS`; missing ones are in the middle of their range)."""
    basis = load_basis()
    full = {name: float(parameters.get(name, (low + high) / 2)) for name, (low, high) in PARAMETERS.items()}
    scores = features(np.array([list(full.values())]))[0] @ basis.map
    points = basis.mean + np.tensordot(scores.astype(np.float32), basis.components, 1)
    count = len(basis.weights)
    return Body(basis, points[:count], dict(zip(basis.bones, points[count:], strict=True)), full)


@dataclass(frozen=True)
class Posed:
    """A body in a pose: `(V, 3)` points, `(B, 3, 4)` matrices of the bones from rest, and where bones begin."""

    body: Body
    points: Array
    moves: F64
    heads: dict[str, Array]

    def carry(self, rest: Array, weights: Array) -> Array:
        """Points at rest `(N, 3)` with bone weights `(N, B)`, carried along."""
        return _blend(rest, weights, self.moves)


def _blend(rest: Array, weights: Array, moves: F64) -> Array:
    blended = (weights @ moves.reshape(len(moves), 12).astype(np.float32)).reshape(-1, 3, 4)
    turned = (blended[:, :, :3] * rest[:, None]).sum(2)
    return np.asarray(turned + blended[:, :, 3], np.float32)


def pose_body(body: Body, turns: Mapping[str, Turn]) -> Posed:
    """The body with its bones turned.

    A turn is degrees round x, y, z of the room at rest, or `(child, way, roll)`: the segment from this bone's head
    to that of `child` is aimed `way`, then rolled by degrees round itself.
    """
    basis, moves = body.basis, np.zeros((len(body.basis.bones), 4, 4))
    for number, bone in enumerate(basis.bones):
        parent, local = basis.parents[number], np.eye(4)
        above = moves[parent] if parent >= 0 else np.eye(4)
        turn = turns.get(bone)
        if turn is not None:
            head = body.heads[bone].astype(np.float64)
            spin = _spin(body, bone, turn, above[:3, :3])
            local[:3, :3], local[:3, 3] = spin, head - spin @ head
        moves[number] = above @ local
    heads = {
        bone: (moves[n, :3, :3] @ body.heads[bone] + moves[n, :3, 3]).astype(np.float32)
        for n, bone in enumerate(basis.bones)
    }
    return Posed(body, _blend(body.rest, basis.weights, moves[:, :3]), moves[:, :3], heads)


def _spin(body: Body, bone: str, turn: Turn, room: F64) -> F64:
    if isinstance(turn[0], str):
        return _aim(body, bone, turn, room)
    return _euler(turn)


def _aim(body: Body, bone: str, turn: tuple[str, tuple[float, float, float], float], room: F64) -> F64:
    child, way, roll = turn
    now, then = room @ (body.heads[child] - body.heads[bone]).astype(np.float64), np.asarray(way, np.float64)
    now, then = now / np.linalg.norm(now), then / np.linalg.norm(then)
    across = np.cross(now, then)
    swing = about(across, float(np.arctan2(np.linalg.norm(across), now @ then)))
    return np.asarray(room.T @ about(then, np.radians(roll)) @ swing @ room, np.float64)


def about(axis: F64, angle: float) -> F64:
    """Rotation by `angle` radians round an axis (Rodrigues)."""
    x, y, z = axis / (np.linalg.norm(axis) + 1e-12)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross, np.float64)


def _euler(degrees: tuple[float, float, float]) -> F64:
    x, y, z = np.radians(degrees)
    turns = [about(np.array(axis, np.float64), a) for axis, a in (((1, 0, 0), x), ((0, 1, 0), y), ((0, 0, 1), z))]
    return np.asarray(turns[2] @ turns[1] @ turns[0], np.float64)
