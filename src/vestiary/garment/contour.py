"""Landmarks and category from the outline alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from vestiary.types import LANDMARKS_OF, UPPER, Category, Landmark

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.types import Mask, Points


def outline(mask: Mask) -> Points:
    contours, _ = cv2.findContours((mask > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return max(contours, key=cv2.contourArea)[:, 0].astype(np.float32)


def runs(row: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], row.astype(np.int8), [0]))))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a > 2]


def guess_category(mask: Mask) -> Category:
    x, y, w, h = cv2.boundingRect(outline(mask).astype(np.int32))
    inside = mask[y : y + h, x : x + w] > 127
    legs = sum(len(runs(inside[int(h * t)])) == 2 for t in np.linspace(0.6, 0.95, 12))
    top, middle, bottom = (inside[int(h * t)].sum() for t in (0.06, 0.4, 0.93))
    if legs > 6:
        return "trousers" if h > 1.25 * w else "shorts"
    if top > 0.6 * bottom and bottom >= middle and len(runs(inside[int(h * 0.04)])) == 1:
        return "skirt"
    return "dress" if h > 1.6 * w else "top"


def find(mask: Mask, category: Category) -> Points:
    marks = np.zeros((28, 3), np.float32)
    points = outline(mask)
    found = _upper(mask, points) if category in UPPER else _lower(mask, points, category)
    for which, place in found.items():
        if which in LANDMARKS_OF[category]:
            marks[which] = (*place, 0.3)
    return marks


def _nearest(points: Points, place: object) -> Points:
    return points[np.hypot(*(points - np.asarray(place, np.float32)).T).argmin()]


def _upper(mask: Mask, points: Points) -> dict[Landmark, Points]:
    x, y, w, h = cv2.boundingRect(points.astype(np.int32))
    low = [runs(mask[int(y + h * t)] > 127) for t in np.linspace(0.55, 0.9, 10)]
    cores = [max(r, key=lambda ab: ab[1] - ab[0]) for r in low if r]
    left, right = np.median([c[0] for c in cores]), np.median([c[1] for c in cores])
    middle, torso = (left + right) / 2, right - left
    found: dict[Landmark, Points] = {}
    # picture right = wearer's left
    for side, sign in (("LEFT", 1), ("RIGHT", -1)):
        edge = right if sign > 0 else left
        out = (points[:, 0] - middle) * sign
        found[Landmark[f"HEM_{side}"]] = points[
            (points[:, 1] * 1.0 + 0.5 * out - 9e9 * (abs(out) > torso * 0.9)).argmax()
        ]
        found[Landmark[f"NECK_{side}"]] = _nearest(points, (middle + sign * 0.22 * torso, y))
        shoulder = _nearest(points, (middle + sign * 0.48 * torso, y + 0.06 * h))
        found[Landmark[f"SHOULDER_{side}"]] = shoulder
        sleeve = out.max() - abs(edge - middle)
        armpit = np.array((edge, y + 0.3 * h))
        if sleeve > 0.12 * torso:
            hull = cv2.convexHull(points.astype(np.int32), returnPoints=False)
            hull = np.sort(hull.ravel())[::-1].copy()
            defects = cv2.convexityDefects(points.astype(np.int32), hull)
            best = 0.0
            for _, _, far, depth in defects.reshape(-1, 4) if defects is not None else ():
                place = points[far]
                if (place[0] - middle) * sign > 0.25 * torso and place[1] > y + 0.15 * h and depth > best:
                    best, armpit = float(depth), place
            beyond = points[out > abs(armpit[0] - middle) + 0.02 * torso]
            if len(beyond) > 4:
                tip = beyond[np.hypot(*(beyond - shoulder).T).argmax()]
                axis = tip - (shoulder + armpit) / 2
                axis /= np.hypot(*axis) + 1e-6
                along = (beyond - shoulder) @ axis
                end = beyond[along > along.max() - 0.12 * torso]
                across = (end - shoulder) @ np.array((-axis[1], axis[0])) * sign
                outer, inner = end[across.argmin()], end[across.argmax()]
                found[Landmark[f"CUFF_OUTER_{side}"]], found[Landmark[f"CUFF_INNER_{side}"]] = outer, inner
                found[Landmark[f"ELBOW_OUTER_{side}"]] = _nearest(points, (shoulder + outer) / 2)
                found[Landmark[f"ELBOW_INNER_{side}"]] = _nearest(points, (armpit + inner) / 2)
        found[Landmark[f"ARMPIT_{side}"]] = _nearest(points, armpit)
        found[Landmark[f"WAIST_{side}"]] = _nearest(points, (edge, y + 0.65 * h))
    column = np.flatnonzero(mask[:, round(middle)] > 127)
    found[Landmark.NECK_FRONT] = np.array((middle, column[0] if len(column) else y), np.float32)
    return found


def _lower(mask: Mask, points: Points, category: Category) -> dict[Landmark, Points]:
    x, y, w, h = cv2.boundingRect(points.astype(np.int32))
    middle = float(np.median(points[points[:, 1] < y + 0.3 * h][:, 0]))
    found: dict[Landmark, Points] = {}
    crotch = np.array((middle, y + 0.4 * h), np.float32)
    if category != "skirt":
        gap = [(t, r) for t in range(y + h // 5, y + h) if len(r := runs(mask[t] > 127)) >= 2]
        if gap:
            t, r = gap[0]
            crotch = np.array(((r[0][1] + r[1][0]) / 2, t), np.float32)
        found[Landmark.CROTCH] = crotch
    for side, sign in (("LEFT", 1), ("RIGHT", -1)):
        corner = (middle + sign * w, y - h)
        found[Landmark[f"WAIST_{side}"]] = points[np.abs(points - np.array(corner)).sum(1).argmin()]
        hip = crotch[1] if category != "skirt" else y + 0.3 * h
        found[Landmark[f"HIP_{side}"]] = _nearest(points, (middle + sign * w / 2, hip))
        hem = points[((points[:, 0] - middle) * sign + 1.5 * points[:, 1]).argmax()]
        found[Landmark[f"HEM_{side}"]] = hem
        if category != "skirt":
            mine = points[((points[:, 0] - crotch[0]) * sign > 0) & (points[:, 1] > crotch[1])]
            inner = mine[(1.5 * mine[:, 1] - (mine[:, 0] - crotch[0]) * sign).argmax()] if len(mine) else hem
            found[Landmark[f"HEM_INNER_{side}"]] = inner
            found[Landmark[f"KNEE_OUTER_{side}"]] = _nearest(points, (found[Landmark[f"HIP_{side}"]] + hem) / 2)
            found[Landmark[f"KNEE_INNER_{side}"]] = _nearest(points, (crotch + inner) / 2)
    return found
