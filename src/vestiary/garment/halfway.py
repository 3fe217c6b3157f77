"""Landmarks that others and the outline define.

The crotch is the highest point of the outline between the legs, an armpit that of the outline between sleeve and hem;
the hips of trousers are at crotch height, elbows and knees half way along an edge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from vestiary.types import Landmark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vestiary.types import Mask, Points

    Floats = NDArray[np.floating[Any]]

SURE = 0.35  # of the landmarks between which another lies
NEAR = 0.1  # of the garment's diagonal, that a notch may be away from where the network saw it
LEVEL, UNEVEN = 0.12, 0.22  # difference of the armpits' heights, in their distance
DEEP = 0.02  # of the diagonal, that a notch goes at least above both its ends
SKIRT_HIP = 0.5  # of the waist's width, that the hips of a skirt lie below it
DETOUR = 1.35  # an edge that is longer than that many times its chord is no plain edge of a sleeve or leg
BETWEEN: dict[str, tuple[str, str]] = {
    "ELBOW_OUTER": ("SHOULDER", "CUFF_OUTER"),
    "ELBOW_INNER": ("ARMPIT", "CUFF_INNER"),
    "KNEE_OUTER": ("HIP", "HEM"),
    "KNEE_INNER": ("CROTCH", "HEM_INNER"),
}

NOTCHES: dict[Landmark, tuple[Landmark, Landmark]] = {
    Landmark.CROTCH: (Landmark.HEM_INNER_LEFT, Landmark.HEM_INNER_RIGHT),
    Landmark.ARMPIT_LEFT: (Landmark.CUFF_INNER_LEFT, Landmark.HEM_LEFT),
    Landmark.ARMPIT_RIGHT: (Landmark.CUFF_INNER_RIGHT, Landmark.HEM_RIGHT),
}


def derived(points: Points, marks: Sequence[Landmark], mask: Mask) -> Points:
    """The landmarks with those that lie half way between two sure others put there, along the outline.

    Args:
        points: `(28, 3) float32`, on the outline already.
        marks: those that the garment has.
        mask: `(h, w) uint8`.
    """
    line = _outline(mask)
    if line is None:
        return points
    result = points.copy()
    for mark, ends in NOTCHES.items():
        if mark in marks and min(points[end, 2] for end in ends) >= SURE:
            _notch(result, mark, ends, line)
    if Landmark.ARMPIT_LEFT in marks:
        _level_armpits(points, result)
    if Landmark.CROTCH in marks and result[Landmark.CROTCH, 2] >= SURE:
        _hips(result, line, 0.0)
    elif Landmark.HIP_LEFT in marks and Landmark.CROTCH not in marks:
        _hips(result, line, SKIRT_HIP)
    for name, (first, last) in BETWEEN.items():
        for side in ("_LEFT", "_RIGHT"):
            mark = Landmark[name + side]
            start, end = (Landmark[stem if stem == "CROTCH" else stem + side] for stem in (first, last))
            if mark in marks and min(result[start, 2], result[end, 2]) >= SURE:
                place = halfway(line, result[start, :2], result[end, :2])
                if place is not None:
                    result[mark, :2] = place
                    result[mark, 2] = max(result[mark, 2], 0.9 * min(result[start, 2], result[end, 2]))
    return result


def halfway(line: Floats, start: Floats, end: Floats) -> Floats | None:
    """`(2,)`: the point half way along a closed outline from one place to another, the shorter way round.

    None where the two are not joined by a plain edge.
    """
    way, steps = _way(line, start, end)
    chord = float(np.hypot(*(end - start)))
    if chord < 8 or steps[-1] > DETOUR * chord:
        return None
    return np.array([np.interp(steps[-1] / 2, steps, way[:, axis]) for axis in (0, 1)], np.float32)


def _way(line: Floats, start: Floats, end: Floats) -> tuple[Floats, Floats]:
    """The shorter way between two places on a closed outline: its points, and how long it is up to each of them."""
    low, high = sorted(int(np.hypot(*(line - place).T).argmin()) for place in (start, end))
    ways = [line[low : high + 1], np.concatenate([line[high:], line[: low + 1]])]
    lengths = [np.r_[0, np.cumsum(np.hypot(*np.diff(way, axis=0).T))] for way in ways]
    best = int(np.argmin([steps[-1] for steps in lengths]))
    return ways[best], lengths[best]


def _notch(points: Points, mark: Landmark, ends: tuple[Landmark, Landmark], line: Floats) -> None:
    """Put a landmark at the highest point of the outline between two others, if there is a notch near by."""
    first, last = (points[end, :2] for end in ends)
    way, _ = _way(line, first, last)
    diagonal = float(np.hypot(*np.ptp(line, axis=0)))
    place = way[int(way[:, 1].argmin())]
    deep = min(first[1], last[1]) - place[1] > DEEP * diagonal
    if deep and np.hypot(*(place - points[mark, :2])) < NEAR * diagonal:
        points[mark, :2] = place
        points[mark, 2] = max(float(points[mark, 2]), 0.6)


def _level_armpits(before: Points, after: Points) -> None:
    """Take an armpit back out of its notch when both were level before and are not in their notches: the notch of a
    sleeve that lies on the trunk is where it leaves it, below the armpit.
    """
    pair = (Landmark.ARMPIT_LEFT, Landmark.ARMPIT_RIGHT)
    left, right = (before[mark] for mark in pair)
    width = float(np.hypot(*(left - right)[:2]))
    level, uneven = (abs(float(points[pair[0], 1] - points[pair[1], 1])) / max(width, 1) for points in (before, after))
    if min(left[2], right[2]) >= SURE and level < LEVEL and uneven > UNEVEN:
        lower = max(pair, key=lambda mark: float(after[mark, 1]))
        after[lower] = before[lower]


def _hips(points: Points, line: Floats, below: float) -> None:
    """Put both hips on the outline at the height of the crotch, or so many waist widths below the waist."""
    left, right = points[Landmark.WAIST_LEFT], points[Landmark.WAIST_RIGHT]
    across = (left - right)[:2]
    width = float(np.hypot(*across))
    if min(left[2], right[2]) < SURE or width < 8:
        return
    across = across / width
    down = np.array((-across[1], across[0]))
    centre = points[Landmark.CROTCH, :2] if below == 0 else (left + right)[:2] / 2 + below * width * down
    off = line - centre
    level = np.abs(off @ down) < 2
    for mark, sign in ((Landmark.HIP_LEFT, 1), (Landmark.HIP_RIGHT, -1)):
        along = np.where(level, sign * (off @ across), -1)
        place = int(along.argmax())
        if 0.2 * width < along[place] < 1.2 * width:
            points[mark, :2] = line[place]
            points[mark, 2] = max(float(points[mark, 2]), 0.5)


def _outline(mask: Mask) -> Floats | None:
    """The outline of the largest piece, `(n, 2)`."""
    found, _ = cv2.findContours((mask > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not found:
        return None
    line = max(found, key=len).reshape(-1, 2).astype(np.float32)
    return line if len(line) > 20 else None
