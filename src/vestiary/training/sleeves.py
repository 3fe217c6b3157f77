"""Sleeves as flat patterns: cap to long, bell and puffed, held close, spread or folded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vestiary.training.outlines import Line, Pattern, join, spline

if TYPE_CHECKING:
    from vestiary.training.uppers import Block

POSES = {"close": (6, 26), "relaxed": (24, 50), "spread": (48, 84)}


def add_sleeves(rng: np.random.Generator, pattern: Pattern, block: Block, *, loose: float) -> str | None:
    """Lay both sleeves down and set their landmarks; the word for how they lie, None without sleeves."""
    if block.sleeve == "none":
        return None
    pose = str(rng.choice(list(POSES), p=[0.4, 0.4, 0.2] if block.sleeve == "long" else [0.05, 0.55, 0.4]))
    angle = rng.uniform(*POSES[pose])
    bend = rng.normal(-8, 12)
    style = str(rng.choice(["plain", "bell", "puffed", "raglan"], p=[0.68, 0.09, 0.1, 0.13]))
    sizes = _sizes(rng, block, style)
    for sign in (1.0, -1.0) if rng.random() < 0.5 else (-1.0, 1.0):
        lean, fold = angle + rng.normal(0, 5) * loose, bend + rng.normal(0, 8) * loose
        if block.sleeve == "long" and rng.random() < 0.1 * loose:
            fold = -rng.uniform(60, 140)  # the forearm lies across the body
        _sleeve(pattern, block, sign, lean, fold, sizes, style)
    pattern.attributes["sleeve cut"] = style
    return pose


def _sizes(rng: np.random.Generator, block: Block, style: str) -> tuple[float, float, float, float]:
    """Length along the outer edge, widths at the elbow and at the cuff, bulge, in centimetres."""
    lengths = {"short": (6, 25), "half": (29, 44), "long": (50, 66)}
    length = rng.uniform(*lengths[block.sleeve])
    root = block.armpit[1] - block.shoulder[1]
    elbow = root * rng.uniform(0.58, 0.8)
    cuff = {"short": root * rng.uniform(0.7, 0.95), "half": root * rng.uniform(0.55, 0.8)}.get(
        block.sleeve, rng.uniform(8, 13)
    )
    bulge = rng.uniform(0, 1.5)
    if style == "bell":
        cuff *= rng.uniform(1.3, 2.2)
    if style == "puffed":
        bulge = rng.uniform(2.5, 7)
        cuff *= rng.uniform(0.75, 1.0)
        elbow *= 1.2
    return length, elbow, cuff, bulge


def _sleeve(
    pattern: Pattern,
    block: Block,
    sign: float,
    lean: float,
    fold: float,
    sizes: tuple[float, float, float, float],
    style: str,
) -> None:
    """One sleeve; `lean` and `fold` are degrees from hanging down and of the forearm against the upper arm."""
    length, _, cuff_width, bulge = sizes
    shoulder, armpit = np.array(block.shoulder), np.array(block.armpit)
    if block.sleeve == "short":
        outer, inner = _short(shoulder, armpit, lean, length, cuff_width, bulge)
    else:
        outer, inner = _long(shoulder, armpit, lean, fold, sizes)
    from vestiary.training.uppers import armhole

    root = armhole(block) - (0.6, 0)
    flip = np.array([sign, 1.0])
    if style == "raglan" and block.neckline not in ("off-shoulder", "strap"):
        neck = np.array([block.neck + 0.5, 0.3])
        root = spline(neck, (shoulder * 0.6 + armpit * 0.25)[:2], armpit - (0.6, 0))
        outer = join(neck, outer)
    pattern.add("sleeve", "sleeve", flip * join(outer, inner[::-1], root[::-1]))
    cuff_out, cuff_in = outer[-1], inner[-1]
    pattern.mark("CUFF_OUTER", sign, flip * cuff_out)
    pattern.mark("CUFF_INNER", sign, flip * cuff_in)
    back = (outer[-2] - outer[-1]) / max(1e-6, float(np.linalg.norm(outer[-2] - outer[-1])))
    if style != "bell":
        band = back * min(4.0, length * 0.12)
        pattern.seams.append(flip * join(cuff_out + band, cuff_in + band))
        if style == "puffed" and block.sleeve == "long":
            pattern.add("cuff", "trim", flip * join(cuff_out, cuff_in, cuff_in + band, cuff_out + band))
    if block.sleeve == "long":
        pattern.mark("ELBOW_OUTER", sign, flip * halfway(outer[1:] if style == "raglan" else outer))
        pattern.mark("ELBOW_INNER", sign, flip * halfway(inner))


def halfway(line: Line) -> Line:
    """The point half way along a line."""
    steps = np.r_[0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]
    return np.array([np.interp(steps[-1] / 2, steps, line[:, axis]) for axis in (0, 1)])


def _direction(degrees: float) -> Line:
    return np.array([np.sin(np.deg2rad(degrees)), np.cos(np.deg2rad(degrees))])


def _short(shoulder: Line, armpit: Line, lean: float, length: float, width: float, bulge: float) -> tuple[Line, Line]:
    down = _direction(max(lean, 24))
    normal = np.array([-down[1], down[0]])
    cuff_out = shoulder + down * length
    cuff_in = cuff_out + normal * width
    least = armpit + _direction(max(lean - 10, 15)) * max(1.0, length * 0.25)
    if (cuff_in - least) @ down < 0 or cuff_in[0] < least[0]:
        cuff_in = least
    middle = (shoulder + cuff_out) / 2 - normal * (bulge + 0.06 * length)
    return spline(shoulder, middle, cuff_out), spline(armpit, (armpit + cuff_in) / 2 - normal * -bulge * 0.3, cuff_in)


def _long(
    shoulder: Line,
    armpit: Line,
    lean: float,
    fold: float,
    sizes: tuple[float, float, float, float],
) -> tuple[Line, Line]:
    length, elbow_width, cuff_width, bulge = sizes
    upper, fore = _direction(lean), _direction(lean + fold)
    middle = _direction(lean + fold / 2)
    normal, end_normal = np.array([-middle[1], middle[0]]), np.array([-fore[1], fore[0]])
    start = shoulder + _direction(max(lean, 45)) * min(5.0, length * 0.12)
    elbow_out = start + upper * (length / 2 - 4)
    elbow_in = elbow_out + normal * elbow_width
    short_of = armpit[0] - 2 - elbow_in[0]
    if short_of > 0:  # a sleeve held close lies beside the body, not through it
        shift = np.array([short_of * 0.75, 0.0])
        elbow_out, elbow_in = elbow_out + shift, elbow_in + shift
    cuff_out = elbow_out + fore * length / 2
    cuff_in = cuff_out + end_normal * cuff_width
    swell = (start + elbow_out) / 2 - normal * bulge
    puff = (elbow_out + cuff_out) / 2 - end_normal * bulge
    outer = spline(shoulder, start, swell, elbow_out, puff, cuff_out)
    inner = spline(armpit, elbow_in, (elbow_in + cuff_in) / 2 + end_normal * bulge * 0.7, cuff_in)
    return outer, inner
