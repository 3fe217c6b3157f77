"""Surfaces of worn garments: shells grown from the body, and tubes of cloth that hang free below the hips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.synth.anatomy import Anatomy
from vestiary.synth.body import Posed
from vestiary.synth.flat import Flat
from vestiary.synth.folds import folds
from vestiary.synth.light import normals
from vestiary.synth.mesh import compact, grid, ramp, relax, ripples, subdivide, triangles
from vestiary.synth.poses import Pose
from vestiary.synth.wear import Hang, Laid, hang, lay
from vestiary.types import UPPER

Array = NDArray[np.float32]
Ints = NDArray[np.int32]
F64 = NDArray[np.float64]
COLUMNS = 144


@dataclass(frozen=True, eq=False)
class Cloth:
    """A piece of worn cloth.

    Attributes:
        points: `(V, 3)` posed, faces: `(F, 3)`.
        place: `(V, 2)` centimetres in the pattern; front: `(V,)` > 0 on the front panel.
        inside: `(V,)` centimetres to where this piece ends for another reason than the pattern's edge.
        flat: the garment.
    """

    points: Array
    faces: Ints
    place: Array
    front: Array
    inside: Array
    flat: Flat

    def edge(self) -> Array:
        """`(V,)` centimetres to the cloth's end, positive inside."""
        return np.minimum(ends(self.flat, self.place, self.front), self.inside)


def ends(flat: Flat, place: Array, front: Array) -> Array:
    """Centimetres to the end of the front or the back panel at places of the pattern."""
    at = flat.pixels(place.astype(np.float64)).astype(np.float32)
    x, y = at[:, :1].reshape(-1, 1), at[:, 1:].reshape(-1, 1)
    border = {"borderMode": cv2.BORDER_REPLICATE}
    one, other = (_look(table, x, y, border) for table in (flat.front, flat.back))
    beyond = np.maximum(np.maximum(-x, x - flat.front.shape[1] + 1), np.maximum(-y, y - flat.front.shape[0] + 1))[:, 0]
    return np.asarray(np.where(front > 0, one, other) - np.maximum(beyond, 0) / np.float32(flat.scale), np.float32)


def _look(table: Array, x: Array, y: Array, border: dict[str, int]) -> Array:
    """`cv2.remap` of a long list of places, which it takes in rows of fewer than 32,768."""
    rows = -(-len(x) // 16384)
    size = rows * 16384 if rows > 1 else len(x)
    px, py = (np.resize(v, size).reshape(max(rows, 1), -1) for v in (x, y))
    return np.asarray(cv2.remap(table, px, py, cv2.INTER_LINEAR, **border).ravel()[: len(x)], np.float32)


def dress(
    flat: Flat, posed: Posed, anatomy: Anatomy, pose: Pose, seed: int, beneath: Sequence[Cloth] = (),
    *, tucked: float | None = None,
) -> list[Cloth]:  # fmt: skip
    """The garment on the posed body, in pieces that may hide one another: trunk, sleeves, hanging part.

    `beneath`: cloth that is worn under it; `tucked`: height at rest below which nothing of it is seen.
    """
    how = hang(flat.cut, anatomy)
    if flat.cut.category == "skirt":
        return [_tube(flat, posed, how, seed, top=how.top + 0.02, beneath=beneath)]
    hem = float(flat.cut.mark("HEM_LEFT")[1])
    joint = anatomy.crotch + 0.10
    hangs = tucked is None and flat.cut.category in UPPER and hem > float(how.fall(anatomy.crotch + 0.07))
    pieces = _shell(flat, posed, how, pose, seed, joint if hangs else tucked)
    if hangs:
        pieces.append(_tube(flat, posed, how, seed + 1, top=joint + 0.012, under=pieces[0], beneath=beneath))
    return pieces


def _shell(flat: Flat, posed: Posed, how: Hang, pose: Pose, seed: int, stop: float | None) -> list[Cloth]:
    skin = how.anatomy.skin
    rough = lay(skin.rest, skin.arm, how)
    near = ends(flat, rough.place.astype(np.float32), rough.front.astype(np.float32)) > -7
    sleeveless = flat.cut.pattern.sleeve == "none"
    if sleeveless:
        near &= skin.arm < 0.8
    if stop is not None:
        near &= (skin.rest[:, 2] > stop - 0.16) | (skin.arm > 0.5)
    used, quads = compact(skin.quads[near[skin.quads].any(1)])
    rest, arm, foot = skin.rest[used], skin.arm[used], skin.foot[used]
    bare = posed.carry(rest, skin.weights[used])
    smooth = relax(bare, quads, 24, 0.6 * (1 - 0.7 * arm))
    outward = normals(smooth, triangles(quads))
    smooth = smooth + outward * np.maximum(((bare - smooth) * outward).sum(1), 0)[:, None]  # spans hollows only
    values = np.concatenate([smooth, rest, arm[:, None], foot[:, None]], 1)
    for _ in range(2):
        values, quads = subdivide(values, quads)
    points, rest, arm, foot = values[:, :3], values[:, 3:6], values[:, 6], values[:, 7]
    laid = lay(rest, arm, how)
    faces = triangles(quads)
    soft = 1 - flat.fabric.stiff * 0.7
    creased = folds(laid, rest, flat.cut, pose, soft, seed)
    if stop is not None:  # smooth where the hanging part takes over
        creased = creased * np.where(arm > 0.4, 1, ramp(points[:, 2] - np.float32(stop), 0.0, 0.07))
    off = laid.away + creased
    points = points + normals(points, faces) * np.maximum(off, 0.0025)[:, None].astype(np.float32)
    ankle = how.anatomy.legs["L"].joints[2]
    instep = np.where(rest[:, 2] < ankle[2] + 0.06, (rest[:, 1] - ankle[1] + 0.075) * 100, 99)
    inside = np.minimum((0.6 - foot) * 15, instep)
    if flat.cut.category in UPPER:  # above the pattern's neck points there is only a collar
        stand = {"high": 0.15, "collar": 0.05}.get(flat.cut.pattern.neckline, 0.004)
        inside = np.minimum(inside, (how.top + stand - rest[:, 2]) * 100)
    if sleeveless:
        inside = np.minimum(inside, (0.75 - arm) * 20)
    if stop is not None:
        inside = np.minimum(inside, np.where(arm > 0.5, 99, (points[:, 2] - np.float32(stop)) * 100))
    return _split(points.astype(np.float32), faces, laid, inside.astype(np.float32), rest, flat)


def _split(points: Array, faces: Ints, laid: Laid, inside: Array, rest: Array, flat: Flat) -> list[Cloth]:
    """The trunk and each sleeve apart; triangles beyond the cloth's ends are left out."""
    whole = Cloth(points, faces, laid.place.astype(np.float32), laid.front.astype(np.float32), inside, flat)
    kept = (whole.edge()[faces] > 0).any(1)
    limb = (laid.limb[faces].mean(1) > 0.5) & (flat.cut.category in UPPER)
    side = rest[faces, 0].mean(1) > 0
    parts = [kept & ~limb, kept & limb & side, kept & limb & ~side]
    return [
        Cloth(points, faces[part], whole.place, whole.front, inside, flat) for part in parts if part.any()
    ]  # fmt: skip


def _tube(
    flat: Flat,
    posed: Posed,
    how: Hang,
    seed: int,
    *,
    top: float,
    under: Cloth | None = None,
    beneath: Sequence[Cloth] = (),
) -> Cloth:
    """Cloth that hangs round hips and legs: rows of a convex body, widened to the pattern, with folds for the rest."""
    cut, rng = flat.cut, np.random.default_rng(seed)
    start = float(how.fall(top))
    bottom = float(max(cut.mark("HEM_LEFT")[1], cut.piece("skirt" if cut.category == "skirt" else "body")[:, 1].max()))
    count = int(np.ceil((bottom + 3 - start) / 1.2)) + 2
    z = top - np.arange(count) * 0.012
    z = np.maximum(z, how.anatomy.floor + 0.02 - 0.0001 * np.arange(count))
    angle = np.arange(COLUMNS) * 2 * np.pi / COLUMNS
    centre, hull = _hulls(posed, how.anatomy, z, angle, beneath)
    y = start + np.arange(count) * 1.2
    girth = 4 * cut.half(y) / 100
    held = None
    if under is not None:  # goes on from the shell above
        low = under.points[np.unique(under.faces)]
        row = low[np.abs(low[:, 2] - top) < 0.009, :2].astype(np.float64) - centre[0]
        held = _rays(cv2.convexHull(row.astype(np.float32))[:, 0].astype(np.float64), angle) - 0.0015
        near = (np.abs(under.points[:, 2] - top) < 0.012) & (np.abs(under.place[:, 0]) < 5) & (under.front > 0)
        y = y + (float(np.median(under.place[near, 1])) - start if near.any() else 0.0)
    radius, flutes = _hung(hull, girth, angle, flat, rng, held)
    radius = radius + flutes
    x = centre[:, :1] + radius * np.sin(angle)
    points = np.stack([x, centre[:, 1:] - radius * np.cos(angle), np.broadcast_to(z[:, None], x.shape)], -1)
    share = _shares(radius - flutes, angle)
    fall = np.broadcast_to(y[:, None], share.shape)
    if cut.category in UPPER:
        fall = fall + how.side_fall(z)[:, None] * share**4
    place = np.stack([share * cut.half(fall), fall], -1).reshape(-1, 2)
    quads = grid(count, COLUMNS, closed=True)
    front = np.broadcast_to(np.cos(angle), share.shape).reshape(-1)
    flat_points = points.reshape(-1, 3).astype(np.float32)
    cloth = Cloth(
        flat_points, triangles(quads), place.astype(np.float32), front.astype(np.float32),
        np.full(len(flat_points), 99, np.float32), flat,
    )  # fmt: skip
    kept = (cloth.edge()[cloth.faces] > 0).any(1)
    return Cloth(cloth.points, cloth.faces[kept], cloth.place, cloth.front, cloth.inside, flat)


def _hulls(posed: Posed, anatomy: Anatomy, z: F64, angle: F64, beneath: Sequence[Cloth]) -> tuple[F64, F64]:
    """Centre `(R, 2)` and radius `(R, COLUMNS)` of the convex outline of what is inside the cloth at each height."""
    skin = anatomy.skin
    trunk = skin.arm < 0.3
    solid = posed.carry(skin.rest[trunk], skin.weights[trunk])
    solid = np.concatenate([solid, *(cloth.points[np.unique(cloth.faces)] for cloth in beneath)])
    centres, lines = np.zeros((len(z), 2)), []
    for k, height in enumerate(z):
        near = solid[np.abs(solid[:, 2] - height) < 0.028, :2]
        if len(near) < 6:
            near = solid[np.argsort(np.abs(solid[:, 2] - height))[:24], :2]
        lines.append(cv2.convexHull(near)[:, 0].astype(np.float64))
        centres[k] = (lines[-1].max(0) + lines[-1].min(0)) / 2
    kernel = np.ones(13) / 13
    centres = np.stack([np.convolve(np.pad(c, 6, mode="edge"), kernel, "valid") for c in centres.T], 1)
    return centres, np.stack([_rays(line - c, angle) for line, c in zip(lines, centres, strict=True)])


def _rays(outline: F64, angle: F64) -> F64:
    """Distance from the origin to a convex outline round it, by angle."""
    step = np.roll(outline, -1, 0) - outline
    normal = np.stack([step[:, 1], -step[:, 0]], 1)
    far = (normal * outline).sum(1)
    normal *= np.sign(far)[:, None]
    facing = normal @ np.stack([np.sin(angle), -np.cos(angle)])
    reach = np.where(facing > 1e-9, np.abs(far)[:, None] / np.maximum(facing, 1e-9), 9.0)
    return np.asarray(reach.min(0), np.float64)


def _hung(hull: F64, girth: F64, angle: F64, flat: Flat, rng: np.random.Generator, held: F64 | None) -> tuple[F64, F64]:
    """Radii of the smooth tube, and the folds on it that take up the rest of the pattern's width.

    `held`: the radius at the top; None = snug.
    """
    count = len(hull)
    snug = hull + 0.006
    if held is not None:
        blend = ramp(np.arange(count, dtype=np.float32), 1, 12)[:, None]
        snug = held * (1 - blend) + snug * blend
    base, flutes = np.zeros_like(hull), np.zeros_like(hull)
    number, phase = int(rng.integers(7, 14)), rng.uniform(0, 6.28)
    uneven = 1 + 0.45 * np.sin(angle * 2 + rng.uniform(0, 6)) * np.sin(angle * 3 + rng.uniform(0, 6))
    bend = 0.9 * np.sin(angle + rng.uniform(0, 6)) + 0.5 * np.sin(2 * angle + rng.uniform(0, 6))
    previous = snug[0]
    for k in range(count):
        fall = np.maximum(snug[k], previous - 0.0045)
        room = girth[k] - _girth(snug[k], angle)
        extra = _girth(fall, angle) - _girth(snug[k], angle)
        row = snug[k] + (fall - snug[k]) * float(np.clip(room / max(extra, 1e-6), 0, 1))
        spare = girth[k] / _girth(row, angle) - 1
        grown = row * (1 + max(spare, 0) * 0.55)
        base[k] = previous + np.clip(grown - previous, -0.02, min(0.0015 + 0.0004 * k, 0.009))
        base[k] = np.maximum(base[k], snug[k])
        left = max(girth[k] / _girth(base[k], angle) - 1, 0)
        force = min(2 * float(base[k].mean()) * np.sqrt(left) / number, 0.03) + 0.0025 * min(k / 20, 1)
        flutes[k] = (
            force * min(k / 14, 1.0) * uneven * np.cos(number * angle + bend + phase + 0.004 * k * np.sin(3 * angle))
        )
        previous = base[k]
    grain = np.stack(
        np.broadcast_arrays(np.sin(angle)[None] * 20, np.cos(angle)[None] * 20, np.arange(count)[:, None] * 1.2), -1
    )
    dents = ripples(grain.reshape(-1, 3).astype(np.float32), rng, (9, 9, 26)).reshape(hull.shape)
    base = cv2.GaussianBlur(base, (0, 0), sigmaX=1.2, sigmaY=1.6, borderType=cv2.BORDER_REPLICATE)
    return base, flutes + 0.0022 * dents * ramp(np.arange(count, dtype=np.float32)[:, None], 0, 12) * (
        1.2 - flat.fabric.stiff
    )


def _girth(radius: F64, angle: F64) -> float:
    line = np.stack([radius * np.sin(angle), radius * np.cos(angle)], 1)
    return float(np.linalg.norm(np.roll(line, -1, 0) - line, axis=1).sum())


def _shares(radius: F64, angle: F64) -> F64:
    """Share of the way from the front's middle to the side, signed, by arc length; the back mirrors the front."""
    line = np.stack([radius * np.sin(angle), radius * np.cos(angle)], -1)
    steps = np.linalg.norm(np.roll(line, -1, 1) - line, axis=2)
    quarter, out = COLUMNS // 4, np.zeros_like(radius)
    for begin, way in ((0, 1), (0, -1), (COLUMNS // 2, -1), (COLUMNS // 2, 1)):
        index = (begin + way * np.arange(quarter + 1)) % COLUMNS
        step = steps[:, index[:-1]] if way > 0 else steps[:, index[1:]]
        run = np.concatenate([np.zeros((len(radius), 1)), np.cumsum(step, 1)], 1)
        sign = 1 if np.sin(angle[index[quarter]]) > 0 else -1
        out[:, index] = sign * run / run[:, -1:]
    return out
