"""Landmarks made consistent with the category, with each other, and with the refined outline."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from vestiary.garment.halfway import derived
from vestiary.garment.shapes import CUFFS, ELBOWS, shape_of, twin, wanted
from vestiary.types import Category, Landmark, Sleeve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.types import Garment, Mask, Points

    Floats = NDArray[np.floating[Any]]

SURE = 0.35  # a landmark less sure than this is placed anew from the others
REACH = 0.035  # how far a landmark moves to meet the outline, in garment diagonals

INSIDE = frozenset({Landmark.NECK_FRONT})  # may lie within the cut-out, in front of the back collar
NECKLINE = (Landmark.NECK_RIGHT, Landmark.NECK_FRONT, Landmark.NECK_LEFT)
CORNERS: dict[str, int] = {  # turning of the outline at the landmark: 1 = the garment's corner, -1 = a notch
    "CUFF_OUTER": 1,
    "CUFF_INNER": 1,
    "HEM": 1,
    "HEM_INNER": 1,
    "ARMPIT": -1,
    "CROTCH": -1,
    "NECK": 1,
    "SHOULDER": 1,
}


def settle(seen: Points, mask: Mask, category: Category, sleeve: Sleeve) -> Points:
    """`(28, 3) float32` landmarks of an upright garment: complete for its kind, in order, and on its outline.

    Unsure and odd ones are placed anew: from their twin on the other side, else from where the sure ones put the
    landmarks of a typical garment. Then those that belong on the outline move to it.

    Args:
        seen: `(28, 3)` landmarks in the mask's pixels, with confidence.
        mask: `(h, w) uint8`.
    """
    marks = wanted(category, sleeve)
    points = np.zeros((len(Landmark), 3), np.float32)
    points[list(marks)] = seen[list(marks)]
    typical = shape_of(category, sleeve)
    points = _doubt_strays(points, marks, mask)
    points = _repair(points, marks, typical, _diagonal(mask))
    return derived(snap(points, marks, mask), marks, mask)


def _doubt_strays(points: Points, marks: tuple[Landmark, ...], mask: Mask) -> Points:
    """Landmarks whose place is off the outline, while their twin's reflection is on it, lose their confidence."""
    lines = outlines(mask)
    mirror = _mirror(points, {mark for mark in marks if points[mark, 2] >= SURE})
    if not lines or mirror is None:
        return points
    places, diagonal = np.concatenate(lines), _diagonal(mask)

    def off(place: Floats) -> float:
        return float(np.hypot(*(places - place).T).min()) / diagonal

    result = points.copy()
    for mark in set(marks) - INSIDE - {Landmark.CROTCH}:
        here, other = points[mark], points[twin(mark)]
        if min(here[2], other[2]) < SURE or off(here[:2]) < REACH or off(other[:2]) > 0.5 * REACH:
            continue
        if off(mirror(other[:2])) < REACH and np.hypot(*(mirror(other[:2]) - here[:2])) > 2 * REACH * diagonal:
            result[mark, 2] *= 0.3
    return result


def _repair(points: Points, marks: tuple[Landmark, ...], typical: Floats, diagonal: float) -> Points:
    index = list(marks)
    result = points.copy()
    fitted = _place_typical(points[index], typical[index])
    if fitted is None:
        return result
    odd = np.hypot(*(points[index, :2] - fitted).T) > np.where(points[index, 2] > 0.7, 0.35, 0.2) * diagonal
    sure = {mark for mark, bad in zip(marks, odd, strict=True) if not bad and points[mark, 2] >= SURE}
    mirror = _mirror(points, sure)
    for mark, place in zip(marks, fitted, strict=True):
        if mark in sure:
            continue
        other = twin(mark)
        if mirror is not None and other in sure and other != mark:
            place = mirror(points[other, :2])
        result[mark] = (*place, 0.3 if mark in CUFFS | ELBOWS else 0.34)
    return result


def _place_typical(points: Points, typical: Floats) -> Floats | None:
    """The typical landmarks, moved by the affine map that fits the sure ones best (reweighted least squares)."""
    weight = np.where(points[:, 2] >= SURE, points[:, 2], 0.02 * points[:, 2])
    if (points[:, 2] >= SURE).sum() < 4:
        return None
    ones = np.column_stack((typical, np.ones(len(typical)))).astype(np.float64)
    fitted = points[:, :2]
    for _ in range(5):
        root = np.sqrt(weight)[:, None]
        fitted = ones @ np.linalg.lstsq(ones * root, points[:, :2] * root, rcond=None)[0]
        off = np.hypot(*(points[:, :2] - fitted).T)
        scale = max(float(np.median(off[weight > 0])), 1.0)
        weight = np.where(points[:, 2] >= SURE, points[:, 2], 0) / (1 + (off / (2 * scale)) ** 2)
    return np.asarray(fitted, np.float32)


def _mirror(points: Points, sure: set[Landmark]) -> Callable[[Floats], Floats] | None:
    """The reflection that maps sure left landmarks to their right twins, or None when there are too few."""
    pairs = [(points[m, :2], points[twin(m), :2]) for m in sure if m.name.endswith("_LEFT") and twin(m) in sure]
    if len(pairs) < 2:
        return None
    left, right = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    across = (left - right).sum(0)
    across /= max(float(np.hypot(*across)), 1e-6)
    middle = np.median(((left + right) / 2) @ across)
    return lambda place: np.asarray(place - 2 * (place @ across - middle) * across)


def _diagonal(mask: Mask) -> float:
    _, _, width, height = cv2.boundingRect((mask > 127).astype(np.uint8))
    return float(np.hypot(width, height))


def outlines(mask: Mask) -> list[Floats]:
    """The outlines of the mask, `(n, 2)` each, the garment on a fixed side: outer ones and those of holes."""
    found, _ = cv2.findContours((mask > 127).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return [line.reshape(-1, 2).astype(np.float32) for line in found if len(line) > 20]


def turning(line: Floats, reach: int) -> Floats:
    """`(n,) float32`: how the outline turns at each of its points, -1..1; positive where the garment has a corner."""
    before, after = line - np.roll(line, reach, 0), np.roll(line, -reach, 0) - line
    cross = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    angle = np.arctan2(cross, (before * after).sum(1)) / np.pi
    return np.asarray(-angle, np.float32)


def snap(points: Points, marks: tuple[Landmark, ...], mask: Mask) -> Points:
    """Landmarks that belong on the outline, moved to it: to its corners and notches where they are such."""
    lines = outlines(mask)
    if not lines:
        return points
    diagonal = _diagonal(mask)
    places = np.concatenate(lines)
    turns = np.concatenate([turning(line, max(3, min(round(0.03 * diagonal), len(line) // 4))) for line in lines])
    result = points.copy()
    for mark in marks:
        if mark in INSIDE or result[mark, 2] <= 0:
            continue
        away = np.hypot(*(places - result[mark, :2]).T) / diagonal
        reach = REACH * (1 if result[mark, 2] >= SURE else 2.5)
        if away.min() > reach:
            if not _inside(mask, result[mark, :2]):
                result[mark, :2] = places[away.argmin()]
            continue
        corner = CORNERS.get(mark.name.removesuffix("_LEFT").removesuffix("_RIGHT"), 0)
        gain = np.clip(corner * turns, 0, 0.5) * (0.9 if corner else 0) - (away / reach) ** 2 - 9 * (away > reach)
        result[mark, :2] = places[gain.argmax()]
    return result


DEEP = frozenset({"v", "strap", "off-shoulder"})


def front_neckline(garment: Garment, *, points: int = 41) -> Points:
    """`(points, 2) float32`: from `NECK_RIGHT` along the front neckline to `NECK_LEFT`, in image pixels.

    In a flat photo the inside of the back collar shows above it. The line follows the edge between the two where one
    can be seen (the strongest path across rays from above the neckline, by dynamic programming), else it is a smooth
    curve through the three landmarks.
    """
    right, front, left = (garment.landmarks[mark, :2] for mark in NECKLINE)
    front = _not_too_deep(garment, right, front, left)
    curve = _smooth_neckline(right, front, left, points, straight=garment.neckline == "v")
    width = float(np.hypot(*(left - right)))
    if width < 12:
        return curve
    up = np.array((left - right)[::-1] * (1, -1) / width)  # away from the garment's body
    pole = (right + left) / 2 + 0.45 * width * up
    shares = np.linspace(0.72, 1.28, 57, dtype=np.float32)
    rays = pole + shares[:, None, None] * (curve - pole)  # (shares, points, 2)
    strength = _edge_across(garment, rays.astype(np.float32))
    away = np.abs(shares - 1)[:, None] / 0.28
    hold = np.abs(np.linspace(-1, 1, points)) ** 6  # the ends are landmarks on the outline
    hold = hold + 3 * np.exp(-((np.linspace(-1, 1, points) / 0.25) ** 2))
    gain = strength - (0.4 + 0.8 * hold) * away**2
    path = _best_path(gain, step=2, bend=0.04)
    seen = strength[path, np.arange(points)]
    if np.median(seen) < 0.25:
        return curve
    chosen = cv2.GaussianBlur(shares[path][None], (0, 0), 1.2, borderType=cv2.BORDER_REPLICATE)[0]
    return np.asarray(pole + chosen[:, None] * (curve - pole), np.float32)


def _not_too_deep(garment: Garment, right: Points, front: Points, left: Points) -> Points:
    """The lowest point of the neckline, no lower than its shape goes: a print must not become a décolleté."""
    middle = (right + left) / 2
    shoulders = garment.landmarks[Landmark.SHOULDER_LEFT, :2] - garment.landmarks[Landmark.SHOULDER_RIGHT, :2]
    most = (0.9 if garment.neckline in DEEP else 0.45) * float(np.hypot(*shoulders))
    depth = float(np.hypot(*(front - middle)))
    return front if depth <= most else np.asarray(middle + (front - middle) * most / depth, np.float32)


def _smooth_neckline(right: Points, front: Points, left: Points, points: int, *, straight: bool) -> Points:
    """Two quarter ellipses (or, for a V, two lines) that meet at the lowest point."""
    across = (left - right) / max(float(np.hypot(*(left - right))), 1e-6)
    foot = right + across * float((front - right) @ across)
    turn = np.linspace(0, np.pi, points, dtype=np.float32)[:, None]
    side, down = np.cos(turn), np.sin(turn)
    if straight:
        side, down = side * np.abs(side), down**2
    ends = np.where(turn <= np.pi / 2, right, left)
    return np.asarray(foot + np.abs(side) * (ends - foot) + down * (front - foot), np.float32)


def _edge_across(garment: Garment, rays: Points) -> Floats:
    """`(shares, points) float32`: how strongly colour or alpha changes along each ray, 0..1."""
    low = np.floor(rays.min((0, 1))).astype(int) - 4
    high = np.ceil(rays.max((0, 1))).astype(int) + 5
    x0, y0 = np.maximum(low, 0)
    x1, y1 = np.minimum(high, garment.alpha.shape[::-1])
    if x1 - x0 < 4 or y1 - y0 < 4:
        return np.zeros(rays.shape[:2], np.float32)
    lab = cv2.cvtColor(garment.image[y0:y1, x0:x1], cv2.COLOR_RGB2LAB).astype(np.float32)
    alpha = garment.alpha[y0:y1, x0:x1].astype(np.float32)[..., None] / 255
    planes = np.concatenate((lab * alpha, 100 * alpha), -1)  # all ground alike
    spacing = max(1.0, float(np.hypot(*(rays[1] - rays[0]).T).mean()))
    planes = cv2.GaussianBlur(planes, (0, 0), 0.8 * spacing)
    places = rays - np.array((x0, y0), np.float32)
    sampled = cv2.remap(
        planes, places[..., 0].copy(), places[..., 1].copy(), cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE
    )
    change = np.zeros(rays.shape[:2], np.float32)
    change[2:-2] = np.linalg.norm(sampled[4:] - sampled[:-4], axis=-1)
    strength = 1 - np.exp(-change / 30)
    middle = sampled[round(0.35 * len(sampled)), sampled.shape[1] // 2]
    if middle[3] > 50:  # the inside of the back shows above the front: the outline is not the front neckline
        solid = sampled[..., 3] / 100
        strength[2:-2] *= np.minimum(solid[4:], solid[:-4]) ** 2
    return np.asarray(strength, np.float32)


def _best_path(gain: Floats, *, step: int, bend: float) -> NDArray[np.intp]:
    """For each column the row of the path of largest gain that moves at most `step` rows a column."""
    rows, columns = gain.shape
    best, came = gain[:, 0].copy(), np.zeros((columns, rows), np.intp)
    for column in range(1, columns):
        moves = np.full((2 * step + 1, rows), -np.inf, np.float32)
        for k, move in enumerate(range(-step, step + 1)):
            to = slice(max(0, move), rows + min(0, move))
            moves[k, to] = best[max(0, -move) : rows + min(0, -move)] - bend * abs(move)
        chosen = moves.argmax(0)
        came[column] = np.arange(rows) - (chosen - step)
        best = moves.max(0) + gain[:, column]
    path = [int(best.argmax())]
    for column in range(columns - 1, 0, -1):
        path.append(int(came[column, path[-1]]))
    return np.array(path[::-1], np.intp)


def _inside(mask: Mask, place: Floats) -> bool:
    x, y = (round(float(value)) for value in place)
    return bool(0 <= y < mask.shape[0] and 0 <= x < mask.shape[1] and mask[y, x] > 127)
