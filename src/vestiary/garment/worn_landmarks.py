"""Landmarks of a garment that is worn: from the wearer's joints and the edges of the cut-out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from vestiary.garment.landmarks import snap
from vestiary.garment.shapes import wanted
from vestiary.types import UPPER, Category, Joint, Landmark, Sleeve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.types import Mask, Person, Points

    Floats = NDArray[np.floating[Any]]

SIDES = ("LEFT", "RIGHT")
CONFIDENCE = 0.6


def worn_landmarks(person: Person, mask: Mask, category: Category) -> tuple[Points, Sleeve]:
    """`(28, 3) float32` landmarks in the photo's pixels, and the sleeve length.

    Args:
        person: the wearer; the mask is in this person's photo.
        mask: `(H, W) uint8` of the garment, its covered places filled.
    """
    body = Wearer(person, mask)
    sleeve: Sleeve = body.sleeve() if category in UPPER else "none"
    found = body.upper(sleeve) if category in UPPER else body.lower(category)
    points = np.zeros((len(Landmark), 3), np.float32)
    marks = tuple(mark for mark in wanted(category, sleeve) if mark in found)
    for mark in marks:
        points[mark] = (*found[mark], CONFIDENCE)
    return snap(points, marks, mask), sleeve


class Wearer:
    """The joints of the wearer as a frame: `across` points to the wearer's left, `down` from shoulders to hips."""

    def __init__(self, person: Person, mask: Mask) -> None:
        self.mask = mask > 127
        self.joints = {joint: person.pose[joint, :2].astype(np.float64) for joint in Joint}
        self.shoulders = self._middle(Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER)
        self.hips = self._middle(Joint.LEFT_HIP, Joint.RIGHT_HIP)
        self.down = self.hips - self.shoulders
        self.length = max(float(np.hypot(*self.down)), 1.0)
        self.down /= self.length
        gap = self.joints[Joint.LEFT_SHOULDER] - self.joints[Joint.RIGHT_SHOULDER]
        side = np.array((-self.down[1], self.down[0]))
        self.across = side if side @ gap >= 0 else -side
        self.width = max(abs(float(gap @ self.across)), 0.45 * self.length)

    def _middle(self, first: Joint, second: Joint) -> Floats:
        return np.asarray((self.joints[first] + self.joints[second]) / 2)

    def inside(self, places: Floats) -> NDArray[np.bool_]:
        """Which of the places `(n, 2)` lie on the garment."""
        x, y = np.rint(places).astype(int).T
        height, width = self.mask.shape
        within = (x >= 0) & (y >= 0) & (x < width) & (y < height)
        result = np.zeros(len(places), bool)
        result[within] = self.mask[y[within], x[within]]
        return result

    def edge(self, start: Floats, direction: Floats, reach: float) -> Floats | None:
        """The last place on the garment on the way from `start`, over gaps of at most a tenth; None without any."""
        steps = np.linspace(0, 1, 121)
        on = self.inside(start + (steps * reach)[:, None] * direction)
        if not on.any():
            return None
        first = int(on.argmax())
        holes = np.flatnonzero(np.convolve(~on[first:], np.ones(12), "valid") == 12)
        last = first + int(np.flatnonzero(on[first : first + (holes[0] if len(holes) else 121)])[-1])
        return np.asarray(start + steps[last] * reach * direction)

    def arm(self, side: str) -> list[Floats]:
        """Shoulder, elbow and wrist."""
        return [self.joints[Joint[f"{side}_{name}"]] for name in ("SHOULDER", "ELBOW", "WRIST")]

    def covered(self, chain: Sequence[Floats]) -> float:
        """The share of a limb, from its upper joint on, that the garment covers."""
        places = along(chain, np.linspace(0.02, 1, 60))
        on = self.inside(places)
        if not on[:12].any():
            return 0.0
        gaps = np.flatnonzero(np.convolve(~on[int(on.argmax()) :], np.ones(6), "valid") == 6)
        return float((int(on.argmax()) + (gaps[0] if len(gaps) else 60)) / 60) if on.any() else 0.0

    def sleeve(self) -> Sleeve:
        """Sleeve length from how much of the better covered arm is covered; the other may be hidden."""
        share = max(self.covered(self.arm(side)) for side in SIDES)
        return "none" if share < 0.16 else "short" if share < 0.47 else "half" if share < 0.72 else "long"

    def upper(self, sleeve: Sleeve) -> dict[Landmark, Floats]:
        """Landmarks of a top, a coat or a dress."""
        found: dict[Landmark, Floats] = {}
        for side, sign in zip(SIDES, (1, -1), strict=True):
            out = sign * self.across
            joint, hip = self.joints[Joint[f"{side}_SHOULDER"]], self.joints[Joint[f"{side}_HIP"]]
            found[Landmark[f"NECK_{side}"]] = self._neck(out)
            corner = self.edge(joint - 0.1 * self.width * out, _unit(out - self.down), 0.45 * self.width)
            found[Landmark[f"SHOULDER_{side}"]] = joint if corner is None else corner
            found[Landmark[f"ARMPIT_{side}"]] = self._flank(joint + 0.33 * (hip - joint), out, 0.06)
            hem = found[Landmark[f"HEM_{side}"]] = self._hem(out, sleeve)
            share = min(0.72, 0.33 + 0.6 * max(0.1, float((hem - joint) @ self.down) / self.length - 0.33))
            found[Landmark[f"WAIST_{side}"]] = self._flank(joint + share * (hip - joint), out, 0.25)
            if sleeve != "none":
                found |= self._sleeve(side, sign)
        found[Landmark.NECK_FRONT] = self._neck_front(found)
        return found

    def _profile(self, share: float) -> Floats | None:
        """The topmost place of the garment on a line parallel to the spine, `share` half shoulder widths out."""
        start = self.shoulders + share * self.width / 2 * self.across - 0.35 * self.length * self.down
        steps = start + np.linspace(0, 0.9 * self.length, 160)[:, None] * self.down
        on = self.inside(steps)
        return np.asarray(steps[int(on.argmax())]) if on.any() else None

    def _neck(self, out: Floats) -> Floats:
        sign = float(np.sign(out @ self.across))
        tops = [self._profile(sign * share) for share in np.linspace(0.25, 0.95, 15)]
        seen = [place for place in tops if place is not None]
        if not seen:
            return np.asarray(self.shoulders + 0.2 * self.width * out)
        heights = [float(place @ self.down) + 0.25 * abs(float((place - self.shoulders) @ out)) for place in seen]
        return seen[int(np.argmin(heights))]

    def _neck_front(self, found: dict[Landmark, Floats]) -> Floats:
        tops = [place for share in np.linspace(-0.2, 0.2, 9) if (place := self._profile(share)) is not None]
        middle = (found[Landmark.NECK_LEFT] + found[Landmark.NECK_RIGHT]) / 2
        return max(tops, key=lambda place: float(place @ self.down)) if tops else middle

    def _flank(self, start: Floats, out: Floats, room: float) -> Floats:
        """The side of the torso at that height; not farther out than a torso goes, since an arm may lie against it."""
        spine = self.shoulders + float((start - self.shoulders) @ self.down) * self.down
        reach = max(0.2 * self.width, float((start - spine) @ out) + room * self.width)
        edge = self.edge(spine, out, reach)
        return start if edge is None else edge

    def _hem(self, out: Floats, sleeve: Sleeve) -> Floats:
        """The lowest corner of the garment on one side, sleeves left out."""
        y, x = np.nonzero(self.mask[::2, ::2])
        places = 2 * np.column_stack((x, y)).astype(np.float64)
        offset = places - self.shoulders
        aside, below = offset @ out, offset @ self.down
        keep = (below > 0.25 * self.length) & (aside > 0)
        for side in SIDES if sleeve != "none" else ():
            shoulder, elbow, wrist = self.arm(side)
            keep &= _distance(places, shoulder, elbow) > 0.16 * self.width
            if sleeve != "short":
                keep &= _distance(places, elbow, wrist) > 0.16 * self.width
        keep &= aside < max(0.75 * self.width, 0.45 * float(below[keep].max(initial=1)))
        if not keep.any():
            return np.asarray(self.hips + 0.4 * self.width * out)
        return np.asarray(places[keep][(0.6 * aside[keep] + below[keep]).argmax()])

    def _sleeve(self, side: str, sign: int) -> dict[Landmark, Floats]:
        chain = self.arm(side)
        share = min(1.0, self.covered(chain))
        turn = 1 if self.across[0] > 0 else -1
        found: dict[Landmark, Floats] = {}
        for name, at in (("ELBOW", share / 2), ("CUFF", share - 0.02)):
            place, ahead = along(chain, np.array([at]))[0], along(chain, np.array([min(1, at + 0.05)]))[0]
            way = _unit(ahead - along(chain, np.array([max(0, at - 0.05)]))[0])
            outer = sign * turn * np.array((way[1], -way[0]))
            for edge, direction in (("OUTER", outer), ("INNER", -outer)):
                found_edge = self.edge(place, direction, 0.3 * self.width)
                found[Landmark[f"{name}_{edge}_{side}"]] = place if found_edge is None else found_edge
        return found

    def lower(self, category: Category) -> dict[Landmark, Floats]:
        """Landmarks of a skirt, trousers or shorts."""
        found: dict[Landmark, Floats] = {}
        y, x = np.nonzero(self.mask[::2, ::2])
        places = 2 * np.column_stack((x, y)).astype(np.float64)
        for side, sign in zip(SIDES, (1, -1), strict=True):
            out = sign * self.across
            offset = places - self.hips
            found[Landmark[f"WAIST_{side}"]] = places[(offset @ out - 2.5 * (offset @ self.down)).argmax()]
            hip = self.hips + (0.15 if category != "skirt" else 0.1) * self.length * self.down
            found[Landmark[f"HIP_{side}"]] = self._flank(hip + 0.4 * self.width * out, out, 0.35)
            if category == "skirt":
                found[Landmark[f"HEM_{side}"]] = places[(0.7 * (offset @ out) + offset @ self.down).argmax()]
            else:
                found |= self._leg(side, sign)
        found[Landmark.CROTCH] = self._crotch()
        return found

    def _crotch(self) -> Floats:
        knees = self._middle(Joint.LEFT_KNEE, Joint.RIGHT_KNEE)
        way = knees - self.hips
        places = self.hips + np.linspace(0.12, 1, 80)[:, None] * way
        off = ~self.inside(places)
        low = places[int(off.argmax())] if off.any() else places[-1]
        usual = self.hips + 0.3 * way
        return np.asarray(low if float((low - self.hips) @ way) < 0.5 * float(way @ way) else usual)

    def _leg(self, side: str, sign: int) -> dict[Landmark, Floats]:
        chain = [self.joints[Joint[f"{side}_{name}"]] for name in ("HIP", "KNEE", "ANKLE")]
        share = min(1.0, max(self.covered(chain), 0.1))
        turn = 1 if self.across[0] > 0 else -1
        found: dict[Landmark, Floats] = {}
        for name, at in (("KNEE", share * 0.55), ("HEM", share - 0.01)):
            place, before = along(chain, np.array([at]))[0], along(chain, np.array([max(0, at - 0.1)]))[0]
            way = _unit(place - before)
            outer = sign * turn * np.array((way[1], -way[0]))
            for edge, direction in (("OUTER", outer), ("INNER", -outer)):
                mark = f"HEM_{side}" if (name, edge) == ("HEM", "OUTER") else f"{name}_{edge}_{side}"
                found_edge = self.edge(place, direction, 0.45 * self.width)
                found[Landmark[mark]] = place if found_edge is None else found_edge
        return found


def along(chain: Sequence[Floats], shares: Floats) -> Floats:
    """`(n, 2)`: places on a polyline at these shares of its length."""
    lengths = np.concatenate(([0], np.cumsum([np.hypot(*(b - a)) for a, b in pairwise(chain)])))
    at = shares * lengths[-1]
    corners = np.array(chain)
    return np.column_stack([np.interp(at, lengths, corners[:, k]) for k in (0, 1)])


def _unit(vector: Floats) -> Floats:
    return np.asarray(vector / max(float(np.hypot(*vector)), 1e-9))


def _distance(places: Floats, start: Floats, end: Floats) -> Floats:
    way = end - start
    share = np.clip((places - start) @ way / max(float(way @ way), 1e-9), 0, 1)
    return np.asarray(np.hypot(*(places - start - share[:, None] * way).T))
