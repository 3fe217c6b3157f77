"""Places skirts, trousers and shorts: strips between the edges of the body or along the legs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vestiary.fitting.body import SIDES, Body, Side
from vestiary.fitting.deform import polyline, strip
from vestiary.fitting.drape import Placement, seen_widths, tube_widths
from vestiary.types import Garment
from vestiary.types import Landmark as L

F64 = NDArray[np.float64]

HIPS, WAIST = 1.46, 1.14  # flat widths at hips and waistband in shoulder units of a regular fit
# Trousers that seem to reach this share of the leg are worn to the ankle: wide ones and ones photographed from above
# measure shorter than they are.
ANKLE_LONG = 0.74


def place_lower(body: Body, garment: Garment, marks: F64, size: float) -> Placement:
    """The placement of a skirt, trousers or shorts, hung from the waist (skirts) or from just below it."""
    by_waist = WAIST * body.unit / max(_distance(marks, L.WAIST_LEFT, L.WAIST_RIGHT), 1.0)
    if garment.category == "skirt":
        return _place_skirt(body, marks, size * by_waist, body.torso - 0.62 * body.unit)
    by_hip = HIPS * body.unit / max(_distance(marks, L.HIP_LEFT, L.HIP_RIGHT), 1.0)
    scale = size * float(np.sqrt(by_hip * np.clip(by_waist, 0.75 * by_hip, 1.25 * by_hip)))
    return _place_legs(body, garment, marks, scale, body.torso - 0.50 * body.unit)


def _distance(marks: F64, one: L, other: L) -> float:
    return float(np.linalg.norm(marks[one] - marks[other]))


def _place_skirt(body: Body, marks: F64, scale: float, waist: float) -> Placement:
    rows = 28
    edges = {side: polyline(marks[[L[f"{n}_{side.upper()}"] for n in ("WAIST", "HIP", "HEM")]], rows) for side in SIDES}
    top = (marks[L.WAIST_LEFT] + marks[L.WAIST_RIGHT]) / 2
    down = (marks[L.HEM_LEFT] + marks[L.HEM_RIGHT]) / 2 - top
    down /= max(float(np.linalg.norm(down)), 1e-6)
    left = np.array([down[1], -down[0]])
    targets = {}
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        levels = waist + (edges[side] - top) @ down * scale
        flat = np.maximum(sign * ((edges[side] - top) @ left), 0) * scale
        targets[side] = body.point(levels, sign * seen_widths(body, flat, levels, side))
    mesh = strip((edges["right"], edges["left"]), (targets["right"], targets["left"]), columns=13, margin=0.12)
    polygon = _widened(np.concatenate([edges["right"], edges["left"][::-1]]), 1.25)
    hem = float(waist + ((marks[L.HEM_LEFT] + marks[L.HEM_RIGHT]) / 2 - top) @ down * scale)
    return Placement(scale, {"skirt": mesh}, {"skirt": polygon}, hem, waist, dict.fromkeys(SIDES, 0.0))


def _widened(polygon: F64, factor: float) -> F64:
    centre = polygon.mean(axis=0)
    return np.asarray(centre + (polygon - centre) * factor, np.float64)


def _place_legs(body: Body, garment: Garment, marks: F64, scale: float, waist: float) -> Placement:
    """Two strips, each from half the waistband down one leg; they share the line from waistband to crotch."""
    unit, rows = body.unit, 20
    top = (marks[L.WAIST_LEFT] + marks[L.WAIST_RIGHT]) / 2
    rise = float(np.linalg.norm(marks[L.CROTCH] - top)) * scale
    crotch_level = float(np.clip(waist + rise, body.torso + 0.22 * unit, body.torso + 0.42 * unit))
    crotch = body.centre(crotch_level)
    pieces, polygons = {}, {}
    hem_level = crotch_level
    # The crotch of a flat garment is often misread, where its legs lie together; waistband and hem are not.
    fall = crotch_level - waist
    shares = [_leg_share(body, garment, marks, scale, side, crotch, rise - fall) for side in SIDES]
    share = float(np.mean(shares))
    if garment.category == "trousers":
        share = float(np.clip(share, 0.5, 1.06)) if share < ANKLE_LONG else float(np.clip(share, 1.01, 1.06))
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        name = side.upper()
        outer = marks[[L[f"{n}_{name}"] for n in ("WAIST", "HIP", "KNEE_OUTER", "HEM")]]
        inner = np.stack([top, marks[L.CROTCH], marks[L[f"KNEE_INNER_{name}"]], marks[L[f"HEM_INNER_{name}"]]])
        source = [np.concatenate([polyline(e[:2], rows), polyline(e[1:], 2 * rows)[1:]]) for e in (outer, inner)]
        upper = np.linspace(0.0, 1.0, rows)
        levels = waist + upper * (crotch_level - waist)
        flat = np.abs((source[0][:rows] - top) @ _leftward(marks)) * scale
        outer_top = body.point(levels, sign * seen_widths(body, flat, levels, side))
        inner_top = body.centre(levels)
        leg = body.legs[side]
        start = float(np.clip(_project(leg.line, leg.along, crotch), 0.1 * unit, 0.6 * unit))
        reach = share * leg.end
        along = np.linspace(start, reach, 2 * rows)
        width = np.linalg.norm(source[0][rows - 1 :] - source[1][rows - 1 :], axis=1) * scale
        outward, half = tube_widths(leg, width, along)
        normal, line = leg.outward(along), leg.at(along)
        # Two legs side by side share the room between them; some of what does not fit goes to the outside.
        room = np.linalg.norm(line - body.legs["right" if side == "left" else "left"].at(along), axis=1) / 2
        inward = np.minimum(half, np.maximum(room * 1.02, leg.radius(along) * 0.95))
        outward = outward + 0.25 * np.maximum(half - inward, 0)
        hold = np.clip(1 - (along - start) / (0.9 * unit), 0, 1)[:, None] ** 1.5
        free_outer, free_inner = line + normal * outward[:, None], line - normal * inward[:, None]
        low_outer = free_outer + hold * (outer_top[-1] - free_outer[:1])
        low_inner = free_inner + hold * (crotch - free_inner[:1])
        target = [np.concatenate([outer_top, low_outer[1:]]), np.concatenate([inner_top, low_inner[1:]])]
        pieces[f"{side}_leg"] = strip((source[0], source[1]), (target[0], target[1]), margin=0.25)
        polygons[f"{side}_leg"] = _leg_polygon(source[0], source[1])
        hem_level = max(hem_level, crotch_level + reach - start)
    cuffs: dict[Side, float] = dict.fromkeys(SIDES, 0.0)
    return Placement(scale, pieces, polygons, hem_level, waist, cuffs)


def _leftward(marks: F64) -> F64:
    across = marks[L.WAIST_LEFT] - marks[L.WAIST_RIGHT]
    return np.asarray(across / max(float(np.linalg.norm(across)), 1e-6), np.float64)


def _project(line: F64, along: F64, point: F64) -> float:
    return float(along[int(np.argmin(np.linalg.norm(line - point, axis=1)))])


def _leg_share(body: Body, garment: Garment, marks: F64, scale: float, side: Side, crotch: F64, spare: float) -> float:
    """Where on the leg the garment ends, 0 = hip, 1 = ankle.

    Args:
        spare: pixels by which the garment's crotch lies lower below its waistband than the body's.
    """
    leg = body.legs[side]
    name = side.upper()
    inseam = marks[[L.CROTCH, L[f"KNEE_INNER_{name}"], L[f"HEM_INNER_{name}"]]]
    length = float(np.linalg.norm(np.diff(inseam, axis=0), axis=1).sum()) * scale
    if garment.category == "trousers":
        length += spare
    share = (float(np.clip(_project(leg.line, leg.along, crotch), 0.1 * body.unit, 0.6 * body.unit)) + length) / leg.end
    knee = leg.joint / leg.end
    if garment.category == "shorts":
        return float(np.clip(share, 0.30 * knee, 1.15 * knee))
    return float(np.clip(share, knee, 1.2))


def _leg_polygon(outer: F64, inner: F64) -> F64:
    away = outer - inner
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)
    half = np.linalg.norm(outer - inner, axis=1).mean() / 2
    end = (outer[-1] + inner[-1] - outer[-4] - inner[-4]) / 2
    tail = 0.4 * half * end / max(float(np.linalg.norm(end)), 1e-6)
    head = -tail
    o, i = outer + 0.35 * half * away, inner - 0.03 * half * away
    return np.concatenate([o[:1] + head, o, o[-1:] + tail, i[-1:] + tail, i[::-1], i[:1] + head])
