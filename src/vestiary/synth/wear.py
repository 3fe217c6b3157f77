"""Where a worn garment's cloth comes from: places of the flat pattern for points of the body, and its distance to it.

Everything is worked out at rest, where arms are spread much as flat sleeves are: the front of the trunk between the
side seams is the pattern's body, row by row; the front of an arm between its upper and its lower edge is the sleeve.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestiary.synth.anatomy import Anatomy
from vestiary.synth.cut import Cut, along, length
from vestiary.synth.mesh import ramp
from vestiary.types import UPPER

Array = NDArray[np.float32]
F64 = NDArray[np.float64]
_GAUSS = np.polynomial.legendre.leggauss(6)
SNUG = 0.004  # metres between skin and the tightest cloth


@dataclass(frozen=True, eq=False)
class Laid:
    """For points of the body at rest.

    Attributes:
        place: `(N, 2)` centimetres in the pattern.
        front: `(N,)` > 0 on the front panel, < 0 on the back one.
        away: `(N,)` metres off the body by the pattern's width alone.
        limb: `(N,)` 0 on the trunk, 1 on a sleeve or leg.
        down: `(N,)` centimetres along the limb.
    """

    place: F64
    front: F64
    away: F64
    limb: F64
    down: F64


@dataclass(frozen=True)
class Hang:
    """How a cut hangs on a body: `top` = height of the pattern's origin, `tip` = of its shoulder points."""

    cut: Cut
    anatomy: Anatomy
    top: float
    tip: float
    drop: float  # cm by which the pattern's armpits lie lower than the body's

    def fall(self, z: Any) -> F64:
        """Centimetres below the pattern's origin of the middle of the trunk."""
        z = np.asarray(z, np.float64)
        if self.cut.category not in UPPER:
            return np.asarray((self.top - z) * 103, np.float64)
        slope = float(self.cut.mark("SHOULDER_LEFT")[1])
        above = (self.top - z) / max(self.top - self.tip, 1e-3) * slope
        below = np.where(z > self.tip, above, slope + (self.tip - z) * 103)
        return np.asarray(np.where(z > self.top, (self.top - z) * 100, below), np.float64)

    def side_fall(self, z: Any) -> F64:
        """Centimetres by which side seams hang lower in the pattern than the middle at this height."""
        z, pit = np.asarray(z, np.float64), self.anatomy.armpit
        return self.drop * np.where(
            z > pit, ramp(self.tip - z, 0, self.tip - pit), np.exp(-np.maximum(pit - z, 0) / 0.22)
        )


def hang(cut: Cut, anatomy: Anatomy) -> Hang:
    """Where the cut sits on this body."""
    if cut.category in UPPER:
        neck, tip = float(cut.mark("NECK_LEFT")[0]) / 100, float(cut.mark("SHOULDER_LEFT")[0]) / 100
        top = anatomy.ridge(max(neck, 0.055)) + 0.006
        end = anatomy.ridge(min(tip, float(anatomy.arms["L"].joints[0, 0]) + 0.005))
        end = min(end, top - 0.012)
        pit = float(cut.mark("ARMPIT_LEFT")[1])
        drop = pit - (float(cut.mark("SHOULDER_LEFT")[1]) + (end - anatomy.armpit) * 103)
        return Hang(cut, anatomy, top, end, float(np.clip(drop, -2, 14)))
    if cut.category == "skirt":
        z = np.arange(anatomy.waist, max(anatomy.waist - 0.14, anatomy.crotch + 0.1), -0.01)
        held = anatomy.perimeter(z) * 1.02 >= 4 * float(cut.half(np.array(0.0))) / 100
        return Hang(cut, anatomy, float(z[held.argmax()] if held.any() else z[-1]), 0.0, 0.0)
    top = anatomy.crotch - 0.012 + float(cut.mark("CROTCH")[1]) / 103
    return Hang(cut, anatomy, top, 0.0, 0.0)


def across(points: Array, anatomy: Anatomy) -> tuple[F64, F64]:
    """Share of the way from the middle to the side seam (signed, by arc length), and the front's sign (cosine)."""
    a, b, middle = anatomy.section(points[:, 2])
    angle = np.arctan2(points[:, 0] / a, -(points[:, 1] - middle) / b)
    front = np.cos(angle)
    turn = np.minimum(np.abs(angle), np.pi - np.abs(angle))

    def arc(end: F64 | float) -> F64:
        total: F64 = np.zeros(len(points))
        for node, weight in zip(*_GAUSS, strict=True):
            t = (node + 1) / 2 * np.asarray(end)
            total = total + weight / 2 * np.sqrt((a * np.cos(t)) ** 2 + (b * np.sin(t)) ** 2)
        return np.asarray(total * end, np.float64)

    return np.sign(points[:, 0]) * arc(turn) / arc(np.pi / 2), front


def lay(points: Array, arm: Array, how: Hang) -> Laid:
    """The pattern's places of points at rest; `arm` = share of each that follows the arm."""
    cut, anatomy = how.cut, how.anatomy
    u, front = across(points, anatomy)
    y = how.fall(points[:, 2])
    if cut.category in UPPER:
        y = y + how.side_fall(points[:, 2]) * u**4
    half = cut.half(np.maximum(y, 0.0))
    place = np.stack([u * half, y], 1)
    # Above the armpits the pattern is narrower than the trunk by the armholes, which is no tightness.
    level = np.maximum(y, cut.mark("ARMPIT_LEFT")[1]) if cut.category in UPPER else y
    away = (4 * cut.half(level) / 100 - anatomy.perimeter(points[:, 2])) / (2 * np.pi)
    away = np.clip(away, SNUG, 0.06)
    if cut.category in UPPER:
        away = SNUG + (away - SNUG) * ramp(how.top - points[:, 2], 0.02, 0.26)
    laid = Laid(place, front, away, np.zeros(len(points)), np.zeros(len(points)))
    if cut.category in ("trousers", "shorts"):
        share = ramp(anatomy.crotch - points[:, 2], -0.03, 0.03)
        return _with_limbs(laid, points, share, how)
    if cut.category in UPPER and cut.pattern.sleeve != "none":
        return _with_limbs(laid, points, ramp(arm, 0.3, 0.7), how)
    return laid


def _with_limbs(laid: Laid, points: Array, share: Array, how: Hang) -> Laid:
    """Sleeves or legs blended in by `share`."""
    place, front, away, down = (value.copy() for value in (laid.place, laid.front, laid.away, laid.down))
    upper = how.cut.category in UPPER
    for side, sign in (("L", 1), ("R", -1)):
        here = (share > 0) & (points[:, 0] * sign >= (0 if side == "L" else 1e-6))
        if not here.any():
            continue
        found = _on_sleeve(points[here], side, how) if upper else _on_leg(points[here], side, how)
        part = share[here].astype(np.float64)
        place[here] += (found.place - place[here]) * part[:, None]
        front[here] += (found.front - front[here]) * part
        away[here] += (found.away - away[here]) * part
        down[here] = found.down
    return Laid(place, front, away, share.astype(np.float64), down)


def _round(away: F64, ahead: F64, outward: F64) -> tuple[F64, F64]:
    """Place between the inner (-1) and outer (1) edge by angle round a limb, and the front's sign."""
    angle = np.arctan2((away * outward).sum(1), (away * ahead).sum(1))
    return np.asarray(np.arcsin(np.clip(np.sin(angle), -1, 1)) * 2 / np.pi, np.float64), np.cos(angle)


def _on_sleeve(points: Array, side: str, how: Hang) -> Laid:
    limb = how.anatomy.arms[side]
    at, away, way = limb.place(points)
    ahead = np.array([0.0, -1.0, 0.0]) - way * (way @ np.array([0.0, -1.0, 0.0]))[:, None]
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    outward = np.cross(way, ahead) * (1 if side == "R" else -1)
    v, front = _round(away, ahead, outward)
    outer, inner = how.cut.sleeve("LEFT" if side == "L" else "RIGHT")
    root = float(limb.place(np.array([[0.0, 0.0, 0.0]], np.float32) + _armpit(how, side))[0][0])
    stretch = max(1.0, length(outer) / (limb.long * 100 + 1.0))  # a sleeve that is too long bunches up
    down = at * 100 * stretch
    pit = how.cut.mark(f"ARMPIT_{'LEFT' if side == 'L' else 'RIGHT'}")
    neck = how.cut.mark(f"NECK_{'LEFT' if side == 'L' else 'RIGHT'}")
    edge_out = along(np.vstack([neck, outer]), down + 1.0 + float(np.linalg.norm(outer[0] - neck)))
    long, d = length(outer), down + 1.0
    start = min(root * 100 * stretch, 0.6 * long)  # where the inner edge begins
    inner_at = np.where(d < long, (d - start) / (long - start) * length(inner), length(inner) + d - long)
    edge_in = along(np.vstack([pit * (0.4, 1.0), inner]), 0.6 * abs(float(pit[0])) + inner_at)
    place = (edge_in * (1 - v)[:, None] + edge_out * (1 + v)[:, None]) / 2
    slack = _slack(edge_out, edge_in, limb.radius, at, 0.032)
    held = np.maximum(v, 0) * (1 - ramp(at, 0.0, 0.14))  # it hangs from the shoulder, its width is below the arm
    return Laid(place, front, SNUG + (slack - SNUG) * (1 - held), np.ones(len(points)), down)


def _armpit(how: Hang, side: str) -> Array:
    """The body's armpit on this side."""
    a, _, middle = how.anatomy.section(np.array(how.anatomy.armpit))
    return np.array([(1 if side == "L" else -1) * float(a), float(middle), how.anatomy.armpit], np.float32)


def _on_leg(points: Array, side: str, how: Hang) -> Laid:
    limb, crotch = how.anatomy.legs[side], how.anatomy.crotch
    at, away, _ = limb.place(points)
    v, front = _round(away, np.array([0.0, -1.0, 0.0]), np.array([1.0 if side == "L" else -1.0, 0.0, 0.0]))
    outer, inner = how.cut.leg("LEFT" if side == "L" else "RIGHT")
    room = (crotch - how.anatomy.floor - 0.075) * 100
    stretch = max(1.0, length(outer) / room)
    down = np.asarray((crotch - points[:, 2]) * 101.5 * stretch, np.float64)
    edge_out, edge_in = along(outer, down), along(inner, down * length(inner) / length(outer))
    place = (edge_in * (1 - v)[:, None] + edge_out * (1 + v)[:, None]) / 2
    return Laid(place, front, _slack(edge_out, edge_in, limb.radius, at, 0.05), np.ones(len(points)), down)


def _slack(outer: F64, inner: F64, radius: F64, at: Any, most: float) -> F64:
    """Metres off a limb of mean radius at distances along it, for a tube of this flat width."""
    round_limb = np.interp(at * 100, np.arange(len(radius)), radius)
    tube = 2 * np.linalg.norm(outer - inner, axis=1) / 100 / (2 * np.pi)
    return np.asarray(np.clip(tube - round_limb, SNUG, most), np.float64)
