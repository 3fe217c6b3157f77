"""What a tailor measures on a body at rest: heights, girths, cross-sections of the trunk, axes and radii of limbs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vestiary.synth.body import Body
from vestiary.synth.cut import Girths
from vestiary.synth.mesh import compact, subdivide

Array = NDArray[np.float32]
F64 = NDArray[np.float64]
ARM = ("upperarm", "lowerarm", "wrist", "finger", "metacarpal")
LEG = ("upperleg", "lowerleg", "foot", "toe")
STEP = 0.01


@dataclass(frozen=True, eq=False)
class Skin:
    """The smooth surface under clothes, at rest: points, quads, bone weights, and the share of arms and of feet."""

    rest: Array
    quads: NDArray[np.int32]
    weights: Array
    arm: Array
    foot: Array


@dataclass(frozen=True)
class Limb:
    """An arm or leg at rest: joints `(3, 3)` from the trunk outwards, mean radius by distance along it (cm steps)."""

    joints: F64
    radius: F64

    def place(self, points: Array) -> tuple[F64, F64, F64]:
        """Distance along the limb (metres), and the vectors from its axis; with the axis's direction at each point."""
        one, two = np.diff(self.joints, axis=0)
        long = np.linalg.norm(one), np.linalg.norm(two)
        one, two = one / long[0], two / long[1]
        first, second = points - self.joints[0], points - self.joints[1]
        along = first @ one
        beyond = np.maximum(second @ two, 0)
        lower = along > long[0]
        share = np.clip((along - long[0] + 0.04) / 0.08, 0, 1)[:, None]
        way = one * (1 - share) + two * share
        way /= np.linalg.norm(way, axis=1, keepdims=True)
        at = np.where(lower, long[0] + beyond, along)
        centre = np.where(lower[:, None], self.joints[1] + two * beyond[:, None], self.joints[0] + one * along[:, None])
        away = points - centre
        return at, away - (away * way).sum(1, keepdims=True) * way, way

    @property
    def long(self) -> float:
        """Metres from the first joint to the last."""
        return float(np.linalg.norm(np.diff(self.joints, axis=0), axis=1).sum())


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Heights are z at rest, in metres; cross-sections are ellipses by height."""

    skin: Skin
    z: F64
    wide: F64
    deep: F64
    middle: F64
    shoulder: float
    armpit: float
    crotch: float
    waist: float
    floor: float
    arms: dict[str, Limb]
    legs: dict[str, Limb]
    girths: Girths

    def section(self, z: Array | F64) -> tuple[F64, F64, F64]:
        """Half width, half depth and middle (y) of the trunk at heights."""
        return tuple(np.interp(z, self.z, table) for table in (self.wide, self.deep, self.middle))  # type: ignore[return-value]

    def perimeter(self, z: Array | F64) -> F64:
        """Girth of the trunk at heights, metres (Ramanujan's ellipse)."""
        a, b, _ = self.section(z)
        h = ((a - b) / (a + b)) ** 2
        return np.asarray(np.pi * (a + b) * (1 + 3 * h / (10 + np.sqrt(4 - 3 * h))), np.float64)

    def ridge(self, x: float) -> float:
        """Height of the shoulder's top at a distance from the middle."""
        rest = self.skin.rest
        near = (np.abs(np.abs(rest[:, 0]) - x) < 0.012) & (rest[:, 2] > self.armpit)
        return float(rest[near, 2].max()) if near.any() else self.shoulder


def measure(body: Body) -> Anatomy:
    """The measures of a body."""
    basis = body.basis
    used, quads = compact(basis.faces["tights"])
    values = np.concatenate([body.rest[used], basis.weights[used]], 1)
    rough = Skin(values[:, :3], quads, values[:, 3:], body.share(*ARM)[used], body.share("foot", "toe")[used])
    fine, _ = subdivide(np.concatenate([rough.rest, rough.arm[:, None], body.share(*LEG)[used][:, None]], 1), quads)
    rest, arm = fine[:, :3], fine[:, 3]
    heads = body.heads
    arms, legs = {}, {}
    for side in ("L", "R"):
        arms[side] = _limb(
            rest[(arm > 0.5) & (rest[:, 0] * _sign(side) > 0)], heads, ("upperarm01", "lowerarm01", "wrist"), side
        )
        low = (fine[:, 4] > 0.5) & (rest[:, 0] * _sign(side) > 0)
        legs[side] = _limb(rest[low], heads, ("upperleg01", "lowerleg01", "foot"), side)
    seam = (arm > 0.3) & (arm < 0.7) & (rest[:, 0] > 0)
    armpit = float(rest[seam, 2].min())
    between = (np.abs(rest[:, 0]) < 0.012) & (np.abs(rest[:, 1]) < 0.25) & (rest[:, 2] < heads["spine05"][2] + 0.1)
    crotch = float(rest[between, 2].min())
    floor = float(body.rest[basis.faces["body"]][..., 2].min())
    z = np.arange(crotch - 0.02, float(rest[:, 2].max()), STEP)
    wide, deep, middle = _sections(rest[arm < 0.5], z)
    shoulder = float(heads["upperarm01.L"][2])
    bare = Anatomy(rough, z, wide, deep, middle, shoulder, armpit, crotch, 0.0, floor, arms, legs, Girths(0, 0, 0))
    chest = bare.perimeter(np.arange(armpit - 0.12, armpit, STEP)).max()
    belly = np.arange(crotch + 0.18, armpit - 0.12, STEP)
    waist = float(belly[bare.perimeter(belly).argmin()])
    hips = bare.perimeter(np.arange(crotch, crotch + 0.16, STEP)).max()
    girths = Girths(*(100 * float(v) for v in (chest, bare.perimeter(np.array(waist)), hips)))
    return Anatomy(rough, z, wide, deep, middle, shoulder, armpit, crotch, waist, floor, arms, legs, girths)


def _sign(side: str) -> int:
    return 1 if side == "L" else -1


def _limb(points: Array, heads: dict[str, Array], bones: tuple[str, ...], side: str) -> Limb:
    joints = np.stack([heads[f"{bone}.{side}"] for bone in bones]).astype(np.float64)
    limb = Limb(joints, np.zeros(1))
    at, away, _ = limb.place(points)
    bins = np.clip((at * 100).astype(int), 0, int(limb.long * 100) + 12)
    total = np.bincount(bins, np.linalg.norm(away, axis=1))
    count = np.bincount(bins)
    full = count > 0
    radius = np.interp(np.arange(len(count)), np.flatnonzero(full), total[full] / count[full])
    return Limb(joints, np.convolve(np.pad(radius, 2, mode="edge"), np.ones(5) / 5, "valid"))


def _sections(points: Array, z: F64) -> tuple[F64, F64, F64]:
    tables = np.zeros((3, len(z)))
    for k, height in enumerate(z):
        near = points[np.abs(points[:, 2] - height) < 0.018]
        if len(near) < 6:
            tables[:, k] = tables[:, max(k - 1, 0)]
            continue
        tables[:, k] = np.abs(near[:, 0]).max(), np.ptp(near[:, 1]) / 2, (near[:, 1].max() + near[:, 1].min()) / 2
    soft = [np.convolve(np.pad(row, 2, mode="edge"), np.ones(5) / 5, "valid") for row in tables]
    return soft[0], soft[1], soft[2]
