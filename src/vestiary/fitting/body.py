"""The wearer's body as a few curves: where the torso's sides run, how wide limbs are, how large the body is in pixels.

Lengths are given in shoulder units: one unit is the distance between the two shoulder joints when the chest faces the
camera. Widths are first taken from usual proportions, set by eye on a dozen street photos, not from a survey, and then
from the silhouette, which is trusted as far as clothes can be: between `SLIM` and `BULKY` times the proportion, or
`COATED` times under outerwear.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.types import Joint, Part, Person

F64 = NDArray[np.float64]
Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")

SLIM, BULKY, COATED = 0.80, 1.22, 1.08  # COATED in place of BULKY for somebody in outerwear
# Half widths in shoulder units along the torso, at fractions of the distance from shoulder line to hip line.
_LEVELS = np.array([0.00, 0.20, 0.40, 0.62, 0.85, 1.00, 1.15, 1.45, 2.00, 3.00])
_HALF_WIDTHS = np.array([0.56, 0.50, 0.46, 0.41, 0.47, 0.51, 0.52, 0.47, 0.40, 0.34])
ARM_RADII = (0.140, 0.112, 0.080)  # shoulder, elbow, wrist
LEG_RADII = (0.255, 0.170, 0.120)  # hip, knee, ankle
NECK_HALF_WIDTH, NECK_HEIGHT = 0.19, 0.24  # where neck and shoulder meet, from the middle of the shoulder line


@dataclass(frozen=True)
class Limb:
    """An arm or a leg: a smooth centre line with radii.

    Attributes:
        line: `(N, 2)` points from the shoulder (hip) past the wrist (ankle), evenly spaced along the limb.
        along: `(N,)` length along the limb in pixels as it would be seen unforeshortened.
        radii: `(N,)` half width of the bare limb in pixels.
        joint: `along` of the elbow (knee) and `end` of the wrist (ankle).
        side: the wearer's side.
        skin: `(N, 2)` how far bare skin is seen to go outward and inward from the centre line, 0 where none is.
        edge: `(N,)` how far the silhouette goes outward, NaN where it goes on beyond twice the radius.
    """

    line: F64
    along: F64
    radii: F64
    joint: float
    end: float
    side: Side
    skin: F64
    edge: F64

    def at(self, length: float | F64) -> F64:
        """Points of the centre line at a length along the limb."""
        return np.stack([np.interp(length, self.along, self.line[:, i]) for i in (0, 1)], axis=-1)

    def radius(self, length: float | F64) -> F64:
        """Half width of the bare limb there, in pixels."""
        return np.asarray(np.interp(length, self.along, self.radii), np.float64)

    def outward(self, length: float | F64) -> F64:
        """Unit normals that point away from the body when the limb hangs down."""
        step = 0.02 * self.along[-1]
        tangent = self.at(np.asarray(length) + step) - self.at(np.asarray(length) - step)
        tangent /= np.maximum(np.linalg.norm(tangent, axis=-1, keepdims=True), 1e-6)
        sign = 1.0 if self.side == "left" else -1.0
        return np.stack([sign * tangent[..., 1], -sign * tangent[..., 0]], axis=-1)


@dataclass(frozen=True)
class Body:
    """Curves and lengths of one person, in photo pixels.

    Attributes:
        unit: pixels of one shoulder unit.
        neck, pelvis: middles of the shoulder and hip lines.
        across: half the vector from the right to the left shoulder joint (foreshortened as seen).
        torso: pixels from neck to pelvis.
        levels: `(N,)` pixels down the torso's axis from the shoulder line, negative above it.
        axis: `(N, 2)` the axis at these levels.
        widths: `(N, 2)` half widths towards the wearer's left and right.
        outline: `(N, 2)` the silhouette's own half widths, NaN where an arm or a bag hides them.
        arms, legs: by side.
        behind: sides whose forearm is behind the torso.
        shoulder_tops: height of the shoulder's contour above each joint, in pixels (left, right).
    """

    unit: float
    neck: F64
    pelvis: F64
    across: F64
    torso: float
    levels: F64
    axis: F64
    widths: F64
    outline: F64
    arms: dict[Side, Limb]
    legs: dict[Side, Limb]
    behind: frozenset[Side]
    shoulder_tops: tuple[float, float]

    @property
    def down(self) -> F64:
        """Unit vector down the torso."""
        return (self.pelvis - self.neck) / max(self.torso, 1e-6)

    @property
    def left(self) -> F64:
        """Unit vector across the torso towards the wearer's left."""
        down = self.down
        return np.array([down[1], -down[0]])

    def centre(self, level: float | F64) -> F64:
        """Points of the torso's axis."""
        return np.stack([np.interp(level, self.levels, self.axis[:, i]) for i in (0, 1)], axis=-1)

    def half_width(self, level: float | F64, side: Side) -> F64:
        """Half width of the body below the clothes."""
        return np.asarray(np.interp(level, self.levels, self.widths[:, SIDES.index(side)]), np.float64)

    def seen_half_width(self, level: float | F64, side: Side) -> F64:
        """Half width of the silhouette, NaN where something hides it."""
        return np.asarray(np.interp(level, self.levels, self.outline[:, SIDES.index(side)]), np.float64)

    def point(self, level: float | F64, offset: float | F64) -> F64:
        """A point at `offset` pixels from the axis, positive towards the wearer's left."""
        return self.centre(level) + np.asarray(offset)[..., None] * self.left

    def shoulder_contour(self, lateral: float) -> F64:
        """The point of the shoulder's upper contour at a lateral place: 0 = neck, ±0.5 = the joints (left positive)."""
        top = self.shoulder_tops[0 if lateral >= 0 else 1] / self.unit
        heights = [NECK_HEIGHT, NECK_HEIGHT, 0.35 * NECK_HEIGHT + 0.65 * top, top, top - 0.065, top - 0.20]
        rise = float(np.interp(abs(lateral), [0.0, NECK_HALF_WIDTH, 0.36, 0.5, 0.575, 0.68], heights)) * self.unit
        return self.neck + 2 * self.across * lateral - self.down * rise


def measure(person: Person) -> Body:
    """The body's curves from a scanned photo."""
    pose = person.pose.astype(np.float64)
    left, right = pose[Joint.LEFT_SHOULDER, :2], pose[Joint.RIGHT_SHOULDER, :2]
    neck, pelvis = (left + right) / 2, (pose[Joint.LEFT_HIP, :2] + pose[Joint.RIGHT_HIP, :2]) / 2
    unit = _unit(pose, person.world.astype(np.float64))
    torso = float(np.linalg.norm(pelvis - neck))
    arms = {side: _limb(person, side, "arm", unit) for side in SIDES}
    legs = {side: _limb(person, side, "leg", unit) for side in SIDES}
    levels, axis = _axis(pose, neck, pelvis, torso, unit)
    outline = _outline(person, arms, levels, axis, unit)
    seen = float(np.linalg.norm(left - right)) / unit
    squeeze = float(np.sqrt(min(seen, 1.0) ** 2 + (0.68**2) * max(1 - seen**2, 0)))  # an ellipse 0.68 deep, turned
    usual = np.interp(levels / torso, _LEVELS, _HALF_WIDTHS) * unit * squeeze
    coated = _wears_coat(person)
    widths = np.stack([_believable(outline[:, i], usual, COATED if coated else BULKY) for i in (0, 1)], axis=1)
    if coated:  # the edge of a coat is none that other clothes would have
        outline[levels < torso + 0.3 * unit] = np.nan
    tops = (_shoulder_top(person, left, unit), _shoulder_top(person, right, unit))
    body = Body(
        unit, neck, pelvis, (left - right) / 2, torso, levels, axis, widths, outline, arms, legs, frozenset(), tops
    )
    return replace(body, behind=frozenset(side for side in SIDES if _is_behind(person, body, side)))


def _wears_coat(person: Person) -> bool:
    """Whether most of what is worn above the waist is outerwear."""
    coat, rest = person.is_part(Part.OUTERWEAR).sum(), person.is_part(Part.TOP, Part.DRESS).sum()
    return bool(coat > rest)


def _is_behind(person: Person, body: Body, side: Side) -> bool:
    """Whether the pose has the wrist within the torso although no hand or bare arm is seen there."""
    if side in person.arm_in_front:
        return False
    wrist = body.arms[side].at(body.arms[side].end)
    level = float((wrist - body.neck) @ body.down)
    offset = float((wrist - body.centre(level)) @ body.left)
    within = abs(offset) < 0.95 * float(body.half_width(level, "left" if offset > 0 else "right"))
    if not within or not 0.2 * body.torso < level < 1.1 * body.torso:
        return False
    reach = round(0.15 * body.unit)
    x, y = np.round(wrist).astype(int)
    near = person.parts[max(y - reach, 0) : max(y + reach, 0), max(x - reach, 0) : max(x + reach, 0)]
    shown = (Part.LEFT_HAND, Part.RIGHT_HAND, Part.LEFT_ARM, Part.RIGHT_ARM, Part.BAG)
    return bool(np.isin(near, shown).mean() < 0.06) if near.size else False


def _unit(pose: F64, world: F64) -> float:
    """Shoulder distance as if seen from the front, from metres per pixel over the trunk and limbs."""
    seen = pose[:, 3] > 0.5
    used = [j for j in (11, 12, 13, 14, 23, 24, 25, 26) if seen[j]] or [11, 12, 23, 24]
    flat = pose[used, :2] - pose[used, :2].mean(axis=0)
    metres = world[used, :2] - world[used, :2].mean(axis=0)
    scale = np.sqrt((flat**2).sum() / max((metres**2).sum(), 1e-9))
    depth = float(np.linalg.norm(world[11] - world[12])) * scale
    shoulders = float(np.linalg.norm(pose[11, :2] - pose[12, :2]))
    torso = float(np.linalg.norm(pose[11, :2] + pose[12, :2] - pose[23, :2] - pose[24, :2])) / 2
    # On a dozen street photos the shoulder distance was 0.60..0.75 of the torso's length, as this pose model sees it.
    return float(np.clip(max(shoulders, min(depth, 1.35 * shoulders)), 0.60 * torso, max(0.80 * torso, shoulders)))


def _axis(pose: F64, neck: F64, pelvis: F64, torso: float, unit: float) -> tuple[F64, F64]:
    knees = (pose[Joint.LEFT_KNEE, :2] + pose[Joint.RIGHT_KNEE, :2]) / 2
    ankles = (pose[Joint.LEFT_ANKLE, :2] + pose[Joint.RIGHT_ANKLE, :2]) / 2
    down = (pelvis - neck) / max(torso, 1e-6)
    turns = np.stack([neck - down * unit, neck, pelvis, knees, ankles, ankles + (ankles - knees) * 0.3])
    run = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(turns, axis=0), axis=1))]) - unit
    levels = np.linspace(-unit, run[-1], 160)
    axis = np.stack([np.interp(levels, run, turns[:, i]) for i in (0, 1)], axis=1)
    sigma = max(1.0, 0.12 * unit / (levels[1] - levels[0]))
    return levels, np.stack([_smooth(axis[:, i], sigma) for i in (0, 1)], axis=1)


def _smooth(values: F64, sigma: float) -> F64:
    reach = int(3 * sigma) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    slope_low, slope_high = values[1] - values[0], values[-1] - values[-2]
    low = values[0] - slope_low * np.arange(reach, 0, -1)
    high = values[-1] + slope_high * np.arange(1, reach + 1)
    return np.asarray(np.convolve(np.concatenate([low, values, high]), kernel / kernel.sum(), "valid"), np.float64)


def _limb(person: Person, side: Side, kind: Literal["arm", "leg"], unit: float) -> Limb:
    names = ("SHOULDER", "ELBOW", "WRIST", "INDEX") if kind == "arm" else ("HIP", "KNEE", "ANKLE", "HEEL")
    ids = [Joint[f"{side.upper()}_{name}"] for name in names]
    flat, metres = person.pose[ids, :2].astype(np.float64), person.world[ids].astype(np.float64)
    if kind == "leg":
        flat[3] = flat[2] + 0.3 * (flat[2] - flat[1])
    seen = np.linalg.norm(np.diff(flat, axis=0), axis=1)
    bones = np.linalg.norm(np.diff(metres, axis=0), axis=1)
    pixels = unit / max(float(np.linalg.norm(person.world[11] - person.world[12])), 0.2)
    true = np.clip(bones * pixels, seen, 2.5 * seen + 1e-3)
    true[2] = max(seen[2], 0.2 * unit)
    run = np.concatenate([[0.0], np.cumsum(true)])
    along = np.linspace(0.0, run[-1], 64)
    line = np.stack([np.interp(along, run, flat[:, i]) for i in (0, 1)], axis=1)
    sigma = max(1.0, 0.10 * run[1] / (along[1] - along[0]))
    line = np.stack([_smooth(line[:, i], sigma) for i in (0, 1)], axis=1)
    radii = np.interp(along, run[:3], ARM_RADII if kind == "arm" else LEG_RADII) * unit
    none = np.zeros((len(along), 2))
    limb = Limb(line, along, radii, float(run[1]), float(run[2]), side, none, np.full(len(along), np.nan))
    return _fitted(person, limb, Part[f"{side.upper()}_{kind.upper()}"])


def _fitted(person: Person, limb: Limb, part: Part) -> Limb:
    """The limb with its thickness, skin and edge as the photo shows them.

    Thickness is 0.65..1.15 of the usual where skin is seen right across the limb, 0.92 of it where none is.
    """
    reach = np.linspace(-2.0, 2.0, 81)
    out = limb.outward(limb.along) * limb.radius(limb.along)[:, None]
    at = (limb.line[:, None] + out[:, None] * reach[None, :, None]).astype(np.float32)
    bare = cv2.remap((person.parts == part).view(np.uint8), at[..., 0], at[..., 1], cv2.INTER_NEAREST) > 0
    body = cv2.remap(person.silhouette, at[..., 0], at[..., 1], cv2.INTER_LINEAR) > 127
    across = (bare[:, 30:51].mean(axis=1) > 0.7) & (limb.along > 0.15 * limb.end) & (limb.along < 0.95 * limb.end)
    stout = 0.92
    if across.sum() >= 4:
        stout = float(np.clip(np.median(bare[across].sum(axis=1)) * (reach[1] - reach[0]) / 2, 0.65, 1.15))
    sides = (bare[:, 40:], bare[:, 40::-1])
    skin = np.stack([np.where(s.any(axis=1), s.shape[1] - 1 - s[:, ::-1].argmax(axis=1), 0) for s in sides], axis=1)
    ends = ~body[:, 40:]
    edge = np.where(ends.any(axis=1) & body[:, 40], ends.argmax(axis=1), np.nan)
    step = (reach[1] - reach[0]) * limb.radii
    return replace(limb, radii=limb.radii * stout, skin=skin * step[:, None], edge=edge * step)


def limb_mask(
    limb: Limb, shape: tuple[int, int], *, scale: float = 1.0, grow: float = 1.0, start: float = 0.0, end: float = 1e9
) -> NDArray[np.uint8]:
    """`(H, W) uint8` 255 inside the limb, drawn as thick lines along its centre, from `start` to `end` along it."""
    mask = np.zeros(shape, np.uint8)
    keep = (limb.along <= end) & (limb.along >= start)
    line, radii = limb.line[keep] * scale, limb.radii[keep] * scale * grow
    for a, b, r in zip(line[:-1], line[1:], (radii[:-1] + radii[1:]) / 2, strict=True):
        ends = np.round(np.stack([a, b]) * 8).astype(np.int32)
        cv2.polylines(mask, [ends], False, 255, max(1, round(2 * float(r))), cv2.LINE_8, 3)
    return mask


def _outline(person: Person, arms: dict[Side, Limb], levels: F64, axis: F64, unit: float) -> F64:
    """Distance from the axis to the silhouette's edge on both sides; NaN where an arm or a bag is met first."""
    scale = min(1.0, 24.0 / unit * 4)
    size = (max(8, round(person.silhouette.shape[1] * scale)), max(8, round(person.silhouette.shape[0] * scale)))
    inside = cv2.resize(person.silhouette, size, interpolation=cv2.INTER_AREA)
    parts = cv2.resize(person.parts, size, interpolation=cv2.INTER_NEAREST)
    hidden = (
        np.isin(parts, [Part.BAG, Part.LEFT_HAND, Part.RIGHT_HAND, Part.LEFT_ARM, Part.RIGHT_ARM]).astype(np.uint8)
        * 255
    )
    for arm in arms.values():
        hidden |= limb_mask(arm, inside.shape[:2], scale=scale, grow=1.15)
    tangent = np.gradient(axis, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-6)
    leftward = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1)
    reach = np.arange(0.0, 1.6 * unit, max(unit / 96, 0.5))
    result = np.full((len(levels), 2), np.nan)
    for i, sign in enumerate((1.0, -1.0)):
        at = (axis[:, None] + sign * reach[None, :, None] * leftward[:, None]) * scale
        at32 = at.astype(np.float32)
        body = cv2.remap(inside, at32[..., 0], at32[..., 1], cv2.INTER_LINEAR) > 127
        arm = cv2.remap(hidden, at32[..., 0], at32[..., 1], cv2.INTER_NEAREST) > 127
        solid = reach > 0.30 * unit  # between the legs the axis itself may lie outside
        ends = (~body) & solid[None]
        edge = np.where(ends.any(axis=1), reach[ends.argmax(axis=1)], np.nan)
        met = np.where((arm & solid[None]).any(axis=1), reach[(arm & solid[None]).argmax(axis=1)], np.inf)
        result[:, i] = np.where(edge < met, edge, np.nan)
    return result


def _believable(seen: F64, usual: F64, bulky: float) -> F64:
    """Body half widths: the silhouette where it can be seen, within what clothes add; the proportion elsewhere."""
    known = ~np.isnan(seen)
    ratio = np.where(known, np.clip(np.where(known, seen, usual) / usual, SLIM, bulky), np.nan)
    if known.sum() < 4:
        return usual
    where = np.arange(len(usual))
    filled = np.interp(where, where[known], ratio[known])
    distance = np.abs(where[:, None] - where[known][None]).min(axis=1)
    trust = np.exp(-distance / 12.0)
    return np.asarray(_smooth(1.0 + (filled - 1.0) * trust, 2.5) * usual, np.float64)


def _shoulder_top(person: Person, joint: F64, unit: float) -> float:
    """How far the body goes on above the shoulder joint, in pixels."""
    x, y = round(float(joint[0])), round(float(joint[1]))
    height, width = person.silhouette.shape
    usual = 0.13 * unit
    if not (0 <= x < width and 0 <= y < height):
        return usual
    rise = int(0.4 * unit)
    column = person.silhouette[max(0, y - rise) : y + 1, x][::-1] > 127
    if column.all() or not column[0]:
        return usual
    return float(np.clip(int(np.argmin(column)), 0.06 * unit, 0.20 * unit))
