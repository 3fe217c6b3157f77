"""Patterns chosen for a body, and the lines of a pattern that a worn garment follows. Centimetres."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestiary.training.outlines import Pattern, dense
from vestiary.training.patterns import draw_pattern
from vestiary.types import UPPER, Category, Landmark, Neckline, Sleeve

F64 = NDArray[np.float64]
SIDES = ("LEFT", "RIGHT")
EASE: dict[Category, tuple[float, float]] = {  # how much wider than the body, at the chest or the hips
    "top": (0.05, 0.22), "outerwear": (0.16, 0.32), "dress": (0.04, 0.16),
    "skirt": (0.03, 0.10), "trousers": (0.02, 0.12), "shorts": (0.03, 0.16),
}  # fmt: skip


@dataclass(frozen=True)
class Girths:
    """Circumferences of a body in centimetres."""

    chest: float
    waist: float
    hips: float


@dataclass(frozen=True, eq=False)
class Cut:
    """A pattern in the body's size, symmetric, with the lines that its worn form follows."""

    pattern: Pattern

    @property
    def category(self) -> Category:
        return self.pattern.category

    def mark(self, name: str) -> F64:
        """A landmark `(2,)`."""
        return np.asarray(self.pattern.landmarks[Landmark[name]], np.float64)

    def piece(self, name: str, side: str = "") -> F64:
        """The outline of a piece; of two, the one on this side."""
        found = [piece.outline for piece in self.pattern.pieces if piece.name == name]
        if side:
            sign = 1 if side == "LEFT" else -1
            found.sort(key=lambda line: -sign * float(line[:, 0].mean()))
        return np.asarray(found[0], np.float64)

    @cached_property
    def rows(self) -> tuple[F64, F64]:
        """Half widths of the body, skirt or seat from top to bottom: y ascending, and x of the left edge there."""
        main = {"skirt": "skirt", "trousers": "leg", "shorts": "leg"}.get(self.category, "body")
        line = dense(self.piece(main, "LEFT" if main == "leg" else ""), closed=True, spacing=0.2)
        line = line[line[:, 0] > 0]
        bottom = float(max(self.mark("HEM_LEFT")[1], self.mark("HEM_RIGHT")[1]))
        y = np.arange(0.0, bottom + 0.5, 0.5)
        x = np.zeros_like(y)
        np.maximum.at(x, np.clip(np.round(line[:, 1] * 2).astype(int), 0, len(y) - 1), line[:, 0])
        full = x > 0
        x = np.interp(y, y[full], x[full])
        last = int(np.clip(round(float(self.mark("HEM_LEFT")[1]) * 2) - 1, 1, len(y) - 1))
        x[last:] = x[last]
        return y, np.convolve(np.pad(x, 2, mode="edge"), np.ones(5) / 5, "valid")

    def half(self, y: Any) -> F64:
        """Half width of the body, skirt or seat at heights of the pattern."""
        return np.asarray(np.interp(y, *self.rows), np.float64)

    def sleeve(self, side: str) -> tuple[F64, F64]:
        """The sleeve's outer edge from shoulder to cuff, and its inner one from armpit to cuff."""
        outline = self.piece("sleeve", side)
        marks = {name: self.mark(f"{name}_{side}") for name in ("SHOULDER", "CUFF_OUTER", "CUFF_INNER", "ARMPIT")}
        outer = _path(outline, marks["SHOULDER"], marks["CUFF_OUTER"], marks["CUFF_INNER"])
        inner = _path(outline, marks["ARMPIT"], marks["CUFF_INNER"], marks["CUFF_OUTER"])
        return outer, inner

    def leg(self, side: str) -> tuple[F64, F64]:
        """The leg's outer edge from the hip to the hem, and its inner one from the crotch to the hem."""
        outline = self.piece("leg", side)
        outer = _path(outline, self.mark(f"HIP_{side}"), self.mark(f"HEM_{side}"), self.mark(f"HEM_INNER_{side}"))
        inner = _path(outline, self.mark("CROTCH"), self.mark(f"HEM_INNER_{side}"), self.mark(f"HEM_{side}"))
        return outer, inner


def _path(outline: F64, start: F64, end: F64, without: F64) -> F64:
    """The part of a closed outline between two of its points that does not pass a third; it begins at `start`."""
    line = dense(outline, closed=True, spacing=0.5)
    first, last, other = (int(np.linalg.norm(line - p, axis=1).argmin()) for p in (start, end, without))
    ahead = np.arange(first, first + (last - first) % len(line) + 1) % len(line)
    if other in ahead[1:-1]:
        ahead = np.arange(first, first - (first - last) % len(line) - 1, -1) % len(line)
    return np.asarray(np.vstack([start, line[ahead[1:-1]], end]), np.float64)


def along(line: F64, at: Any) -> F64:
    """Points `(N, 2)` on a line at arc lengths; beyond its ends it goes on straight."""
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    keep = np.r_[True, steps > 1e-6]
    line = line[keep]
    run = np.r_[0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]
    inside = np.stack([np.interp(at, run, line[:, k]) for k in (0, 1)], -1)
    tail = min(len(line) - 1, 6)
    ends = ((line[0] - line[tail]), (line[-1] - line[-1 - tail]))
    before, after = (way / np.linalg.norm(way) for way in ends)
    inside = inside + np.maximum(-at, 0)[..., None] * before + np.maximum(at - run[-1], 0)[..., None] * after
    return np.asarray(inside, np.float64)


def length(line: F64) -> float:
    """Arc length of a line."""
    return float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())


def draw_cut(
    rng: np.random.Generator, category: Category, girths: Girths, *, sleeve: Sleeve | None = None,
    neckline: Neckline | None = None,
) -> Cut:  # fmt: skip
    """A random pattern of that category that fits this body."""
    ease = 1 + float(rng.uniform(*EASE[category]))
    for _ in range(200):
        opening = str(rng.choice(["buttons", "zip"])) if category == "outerwear" else None
        pattern = draw_pattern(rng, category, sleeve=sleeve, neckline=neckline, opening=opening, crumpled=0.0)
        if not _wearable(pattern):
            continue
        marks = pattern.landmarks
        if category in UPPER:
            scale = girths.chest * ease / (4 * abs(float(marks[Landmark.ARMPIT_LEFT][0])))
        else:
            scale = girths.hips * ease / (4 * abs(float(marks[Landmark.HIP_LEFT][0])))
        if category == "skirt":
            scale = max(scale, girths.waist * 1.04 / (4 * abs(float(marks[Landmark.WAIST_LEFT][0]))))
        if 0.75 < scale < 1.4:
            return Cut(pattern.moved(lambda points, by=scale: points * by))  # type: ignore[misc]
    raise AssertionError(f"no {category} fits {girths}")


def _wearable(pattern: Pattern) -> bool:
    """Whether this generator can put the pattern on a body."""
    words, marks = pattern.attributes, pattern.landmarks
    if pattern.category in UPPER:
        open_front = words.get("opening") == "open" or pattern.neckline in ("hood", "off-shoulder", "strap")
        tall = max(float(marks[Landmark.HEM_LEFT][1]), 1.0)
        near = tall < 52 or float(marks[Landmark.ARMPIT_LEFT][1]) - float(marks[Landmark.SHOULDER_LEFT][1]) > 24
        odd_sleeve = words.get("sleeves") == "close" or words.get("sleeve cut") in ("raglan", "puffed", "bell")
        capped = pattern.sleeve != "none" and _underarm(pattern) < 5
        return not (open_front or near or odd_sleeve or capped or _ruffled(pattern, "body"))
    if pattern.category == "skirt":
        return float(marks[Landmark.HEM_LEFT][1]) > 34 and not _ruffled(pattern, "skirt")
    long = pattern.category == "trousers"
    inseam = float(marks[Landmark.HEM_LEFT][1] - marks[Landmark.CROTCH][1])
    spread = abs(float(marks[Landmark.HEM_INNER_LEFT][0] - marks[Landmark.HEM_INNER_RIGHT][0]))
    return (inseam > 58 if long else inseam > 6) and spread < 34 and words.get("cut") != "flared"


def _underarm(pattern: Pattern) -> float:
    """Length of the sleeve's inner edge."""
    return float(np.linalg.norm(pattern.landmarks[Landmark.ARMPIT_LEFT] - pattern.landmarks[Landmark.CUFF_INNER_LEFT]))


def _ruffled(pattern: Pattern, name: str) -> bool:
    """Whether the hem is drawn in waves; folds of the worn garment make their own."""
    line = next(piece.outline for piece in pattern.pieces if piece.name == name)
    low = line[line[:, 1] > float(pattern.landmarks[Landmark.HEM_LEFT][1]) - 6]
    low = low[np.argsort(low[:, 0])]
    slope = np.diff(low[:, 1])
    slope = slope[np.abs(slope) > 0.02]
    return int((np.diff(np.sign(slope)) != 0).sum()) > 3
