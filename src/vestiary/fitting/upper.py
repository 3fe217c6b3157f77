"""Places tops, outerwear and dresses: the torso by a spline, the sleeves as strips along the arms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vestiary.fitting.body import NECK_HALF_WIDTH, NECK_HEIGHT, SIDES, Body, Side
from vestiary.fitting.deform import Mesh, ThinPlateSpline, polyline, spline_mesh, strip
from vestiary.fitting.drape import Placement, even, seen_widths, tube_widths
from vestiary.types import Garment
from vestiary.types import Landmark as L

F64 = NDArray[np.float64]

HANG = 0.93  # seen length of a worn garment over its flat length: some is taken up by chest, shoulders and folds
SEAM = 0.565  # shoulder seam from the middle, in shoulder units, for a set-in sleeve
CHEST = 1.38  # flat chest width in shoulder units of a regular fit
FOUND = 0.35  # confidence below which a sleeve's opening is not believed
# Of the flat chest width, from the shoulder. Short sleeves stand out from the torso and are always found.
SLEEVE_LENGTHS = {"half": 0.75, "long": 1.25}
SLEEVE_BAND = 0.26  # width of a flat sleeve, likewise
BODICE = 1.26  # from the neck point down to the waist


def place_upper(body: Body, garment: Garment, marks: F64, size: float) -> Placement:
    """The placement of a top, outerwear or a dress, hung from the shoulders."""
    frame = _Frame(marks)
    scale = size * _upper_scale(body, garment, frame)
    targets = _upper_targets(body, garment, frame, scale)
    spline = ThinPlateSpline(targets.source, targets.target)
    pieces: dict[str, Mesh] = {}
    polygons: dict[str, F64] = {}
    cuffs: dict[Side, float] = dict.fromkeys(SIDES, 0.0)
    box = _torso_box(frame, garment)
    polygons["torso"] = _torso_polygon(frame)
    pieces["torso"] = spline_mesh(spline, box)
    if garment.sleeve != "none":
        for side in SIDES:
            mesh, reach = _sleeve(body, garment, frame, side, scale, targets.shoulders[side], targets.armpits[side])
            pieces[f"{side}_sleeve"] = mesh
            polygons[f"{side}_sleeve"] = _sleeve_polygon(garment, frame, side)
            cuffs[side] = reach
    return Placement(scale, pieces, polygons, targets.hem_level, 0.0, cuffs)


class _Frame:
    """A garment's landmarks in its own upright frame: origin between the neck points, y down to the hem."""

    def __init__(self, marks: F64) -> None:
        self.marks = marks
        self.top = (marks[L.NECK_LEFT] + marks[L.NECK_RIGHT]) / 2
        hem = (marks[L.HEM_LEFT] + marks[L.HEM_RIGHT]) / 2
        down = hem - self.top
        self.length = float(np.linalg.norm(down))
        self.down = down / max(self.length, 1e-6)
        self.left = np.array([self.down[1], -self.down[0]])
        self.chest = max(abs(self.x(L.ARMPIT_LEFT) - self.x(L.ARMPIT_RIGHT)), 1.0)

    def y(self, mark: int | F64) -> float:
        point = self.marks[mark] if isinstance(mark, (int, np.integer)) else mark
        return float((point - self.top) @ self.down)

    def x(self, mark: int | F64) -> float:
        point = self.marks[mark] if isinstance(mark, (int, np.integer)) else mark
        return float((point - self.top) @ self.left)

    def side(self, side: Side) -> F64:
        """Side seam from armpit to hem, 24 points."""
        names = [L[f"{n}_{side.upper()}"] for n in ("ARMPIT", "WAIST", "HEM")]
        return polyline(self.marks[names], 24)


def _upper_scale(body: Body, garment: Garment, frame: _Frame) -> float:
    """Photo pixels per garment pixel, from the chest and what else the body fixes."""
    shoulders = abs(frame.x(L.SHOULDER_LEFT) - frame.x(L.SHOULDER_RIGHT))
    chest = abs(frame.x(L.ARMPIT_LEFT) - frame.x(L.ARMPIT_RIGHT))
    by_chest = CHEST * body.unit / max(chest, 1.0)
    votes, weights = [np.log(by_chest)], [1.0]
    if garment.sleeve != "none":
        # A dropped shoulder is as wide as the chest and then says nothing of the size.
        set_in = 1 - np.clip((shoulders / max(chest, 1.0) - 0.88) / 0.15, 0, 1)
        by_shoulders = np.log(2 * SEAM * body.unit / max(shoulders, 1.0))
        votes.append(np.clip(by_shoulders, votes[0] - 0.35, votes[0] + 0.06))  # puffed shoulders lie narrow
        weights.append(0.8 * set_in + 0.1)
    if garment.category == "dress":
        bodice = max(frame.y(L.WAIST_LEFT) + frame.y(L.WAIST_RIGHT), 2.0) / 2
        votes.append(np.log(BODICE * body.unit / bodice))
        weights.append(0.8)
    return float(np.exp(np.clip(np.average(votes, weights=weights), votes[0] - 0.35, votes[0] + 0.25)))


@dataclass(frozen=True)
class _Targets:
    source: F64
    target: F64
    shoulders: dict[Side, F64]
    armpits: dict[Side, F64]
    hem_level: float


def _upper_targets(body: Body, garment: Garment, frame: _Frame, scale: float) -> _Targets:
    unit, marks = body.unit, frame.marks
    source: list[F64] = []
    target: list[F64] = []

    def hold(at: F64, to: F64) -> None:
        source.append(np.asarray(at, np.float64))
        target.append(np.asarray(to, np.float64))

    top = -NECK_HEIGHT * unit
    shoulders: dict[Side, F64] = {}
    armpits: dict[Side, F64] = {}
    necks: dict[Side, F64] = {}
    hem_level = top
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        name = side.upper()
        neck, seam, pit = marks[L[f"NECK_{name}"]], marks[L[f"SHOULDER_{name}"]], marks[L[f"ARMPIT_{name}"]]
        neck_x = np.clip(abs(frame.x(neck)) * scale / unit, NECK_HALF_WIDTH * 1.02, 0.46)
        seam_x = abs(frame.x(seam)) * scale / unit
        seam_x = np.clip(seam_x, neck_x + 0.05, 0.72) if garment.sleeve == "none" else np.clip(seam_x, 0.52, 0.64)
        thick = 0.025 * unit * body.down  # cloth lies on the shoulder, not in it
        necks[side] = body.shoulder_contour(sign * neck_x) - thick
        shoulders[side] = body.shoulder_contour(sign * seam_x) - thick
        hold(neck, necks[side])
        hold(seam, shoulders[side])
        hold((neck + seam) / 2, body.shoulder_contour(sign * (neck_x + seam_x) / 2) - thick)
        depth = np.clip((frame.y(pit) - frame.y(seam)) * scale, 0.36 * unit, 0.66 * unit)
        level = float((shoulders[side] - body.neck) @ body.down) + depth
        level = np.clip(level, 0.22 * unit, 0.62 * unit)
        limb = body.arms[side]
        raised = float(-(limb.at(limb.joint) - limb.line[0]) @ body.down) / max(limb.joint, 1.0)
        level -= max(raised, 0.0) * 0.45 * unit
        seam_line = frame.side(side)
        levels = level + np.array([frame.y(point) - frame.y(pit) for point in seam_line]) * scale * HANG
        flat = np.maximum([sign * frame.x(point) for point in seam_line], 0.0) * scale
        sides = body.point(levels, sign * seen_widths(body, flat, levels, side))
        armpits[side] = sides[0]
        hold(pit, armpits[side])
        middle, goal = (seam + pit) / 2, (shoulders[side] + armpits[side]) / 2
        inward_source = 0.10 * abs(frame.x(seam))
        inward = 0.10 * seam_x * unit
        hold(middle - sign * inward_source * frame.left, goal - sign * inward * body.left)
        for point, place in zip(seam_line[2:], sides[2:], strict=True):
            hold(point, place)
        hem_level = max(hem_level, float(levels[-1]))
    for where in (0.25, 0.5, 0.75):
        at = marks[L.HEM_RIGHT] * (1 - where) + marks[L.HEM_LEFT] * where
        sag = 0.03 * unit * (1 - abs(2 * where - 1))
        hold(
            at,
            _target_of(source, target, marks[L.HEM_RIGHT]) * (1 - where)
            + _target_of(source, target, marks[L.HEM_LEFT]) * where
            + sag * body.down,
        )
    front_depth = np.clip((frame.y(L.NECK_FRONT)) * scale, 0.0, 1.3 * unit)
    middle = (necks["left"] + necks["right"]) / 2
    hold(marks[L.NECK_FRONT], middle + body.down * max(front_depth, 0.04 * unit))
    hold(frame.top, middle)
    return _Targets(np.stack(source), np.stack(target), shoulders, armpits, hem_level)


def _target_of(source: list[F64], target: list[F64], at: F64) -> F64:
    """The target of the source point nearest to `at`."""
    return target[int(np.argmin([np.linalg.norm(s - at) for s in source]))]


def _torso_polygon(frame: _Frame) -> F64:
    """The torso piece on the garment: everything above the shoulders, then armholes and sides with a margin."""
    marks, wide = frame.marks, 0.06 * abs(frame.x(L.ARMPIT_LEFT) - frame.x(L.ARMPIT_RIGHT))
    far = 0.6 * frame.length
    rows = []
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        name = side.upper()
        seam, pit = marks[L[f"SHOULDER_{name}"]], marks[L[f"ARMPIT_{name}"]]
        out = sign * wide * frame.left
        seam_overlap = seam + 0.35 * out
        above = seam_overlap - frame.down * far
        line = [above, seam_overlap, pit + 0.35 * out, *(frame.side(side)[2:] + out)]
        line.append(line[-1] + frame.down * 0.25 * frame.length)
        rows.append(np.stack(line))
    return np.concatenate([rows[1], rows[0][::-1]])


def _torso_box(frame: _Frame, garment: Garment) -> tuple[float, float, float, float]:
    polygon = _torso_polygon(frame)
    height, width = garment.alpha.shape
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    return (
        max(float(low[0]), -2.0),
        max(float(low[1]), -2.0),
        min(float(high[0]), width + 2.0),
        min(float(high[1]), height + 2.0),
    )


def _sleeve_curves(garment: Garment, frame: _Frame, side: Side, rows: int = 28) -> tuple[F64, F64]:
    """Outer and inner edge of a flat sleeve; where its opening was not found, a band along the garment's outline."""
    name = side.upper()
    outer, inner = (
        _known(garment, frame, (f"{start}_{name}", f"ELBOW_{edge}_{name}", f"CUFF_{edge}_{name}"))
        for start, edge in (("SHOULDER", "OUTER"), ("ARMPIT", "INNER"))
    )
    seen = garment.landmarks[[L[f"CUFF_OUTER_{name}"], L[f"CUFF_INNER_{name}"]], 2].max() > FOUND
    open_wide = float(np.linalg.norm(outer[-1] - inner[-1])) > 0.05 * frame.chest
    if garment.sleeve not in SLEEVE_LENGTHS or (seen and open_wide):
        return polyline(outer, rows), polyline(inner, rows)
    return _hanging_sleeve(garment, frame, side, rows)


def _known(garment: Garment, frame: _Frame, names: tuple[str, ...]) -> F64:
    """The places of these landmarks, less those that this garment does not have (short sleeves have no elbow)."""
    ids = [L[name] for name in names]
    return frame.marks[[i for i in ids if garment.landmarks[i, 2] > 0] or ids]


def _hanging_sleeve(garment: Garment, frame: _Frame, side: Side, rows: int) -> tuple[F64, F64]:
    """The edges of a sleeve that hangs beside or over the torso: a band just inside the outline, downwards."""
    seam = frame.marks[L[f"SHOULDER_{side.upper()}"]]
    length = min(SLEEVE_LENGTHS[garment.sleeve] * frame.chest, 0.98 * (frame.length - frame.y(seam)))
    outward = frame.left if side == "left" else -frame.left
    down = frame.y(seam) + np.linspace(0.0, length, rows)
    reach = np.linspace(0.0, 1.6 * frame.chest, 160)
    at = frame.top + down[:, None, None] * frame.down + reach[None, :, None] * outward
    x, y = np.round(at).astype(int).transpose(2, 0, 1)
    height, width = garment.alpha.shape
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    solid = inside & (garment.alpha[y.clip(0, height - 1), x.clip(0, width - 1)] > 127)
    edge = np.where(solid.any(axis=1), reach[solid.shape[1] - 1 - solid[:, ::-1].argmax(axis=1)], 0.5 * frame.chest)
    edge = even(np.maximum(edge, 0.35 * frame.chest))
    line = frame.top + down[:, None] * frame.down
    band = SLEEVE_BAND * frame.chest * np.linspace(1.3, 1.0, rows)
    return line + edge[:, None] * outward, line + (edge - band)[:, None] * outward


def _sleeve_polygon(garment: Garment, frame: _Frame, side: Side) -> F64:
    outer, inner = _sleeve_curves(garment, frame, side)
    middle = (outer + inner) / 2
    half = np.linalg.norm(outer - inner, axis=1, keepdims=True) / 2
    grow = np.linspace(0.0, 1.0, len(outer))[:, None].clip(0, 0.15) / 0.15
    away_o = (outer - middle) / np.maximum(half, 1e-6)
    margin = 0.35 * np.median(half) * grow
    end = (middle[-1] - middle[-4]) / max(float(np.linalg.norm(middle[-1] - middle[-4])), 1e-6)
    tail = 0.5 * np.median(half) * end
    o, i = outer + away_o * margin, inner - away_o * margin
    return np.concatenate([o, o[-1:] + tail, i[-1:] + tail, i[::-1]])


def _sleeve(
    body: Body, garment: Garment, frame: _Frame, side: Side, scale: float, seam: F64, pit: F64
) -> tuple[Mesh, float]:
    """A sleeve laid along the arm, and how far along the arm it reaches."""
    limb, unit = body.arms[side], body.unit
    outer, inner = _sleeve_curves(garment, frame, side)
    length = float(np.linalg.norm(np.diff(outer, axis=0), axis=1).sum()) * scale
    reach = _sleeve_reach(garment, length + 0.03 * unit, limb.joint, limb.end)
    widths = np.linalg.norm(outer - inner, axis=1) * scale
    along = np.linspace(0.0, 1.0, len(outer))
    lengths = 0.10 * unit + along * max(reach - 0.10 * unit, 0.05 * unit)
    outward, inward = tube_widths(limb, widths, lengths)
    loosest = np.maximum(0.30 * unit, limb.radius(lengths) * 1.6)
    normal, line = limb.outward(lengths), limb.at(lengths)
    free_outer = line + normal * np.minimum(outward, loosest)[:, None]
    free_inner = line - normal * np.minimum(inward, loosest)[:, None]
    # From the armhole, which the torso fixes, the edges run into the tube around the arm.
    hold_outer = np.clip(1 - lengths / (0.32 * unit), 0, 1)[:, None]
    hold_inner = np.clip(1 - lengths / (0.55 * unit), 0, 1)[:, None] ** 1.5
    target_outer = free_outer + hold_outer * (seam - free_outer[:1])
    target_inner = free_inner + hold_inner * (pit - free_inner[:1])
    target_outer[0], target_inner[0] = seam, pit
    return strip((outer, inner), (target_outer, target_inner)), reach


def _sleeve_reach(garment: Garment, length: float, elbow: float, wrist: float) -> float:
    """Length along the arm at which the sleeve ends: its own, held to what its kind of sleeve allows."""
    if garment.sleeve == "long":
        return wrist * 1.02 if length > 0.80 * wrist else max(length, 0.70 * wrist)
    if garment.sleeve == "half":
        return float(np.clip(length, 0.75 * elbow, 0.80 * wrist))
    return float(np.clip(length, 0.40 * elbow, 1.0 * elbow))
