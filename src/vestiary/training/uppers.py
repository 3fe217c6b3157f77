"""Tops, outerwear and dresses as flat patterns: body, hem, openings. Sleeves and necks are in `sleeves` and `necks`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vestiary.training.lowers import SIDES, hem_curve
from vestiary.training.necks import add_collar, draw_neck
from vestiary.training.outlines import Line, Pattern, join, mirror, spline
from vestiary.training.sleeves import add_sleeves
from vestiary.types import NECKLINES, SLEEVES, Category, Landmark, Neckline, Sleeve

SLEEVE_CHANCES = {
    "top": (0.22, 0.33, 0.1, 0.35),
    "outerwear": (0.1, 0.02, 0.05, 0.83),
    "dress": (0.42, 0.25, 0.1, 0.23),
}
NECK_CHANCES = {  # in the order of NECKLINES, without "none"
    "top": (0.36, 0.14, 0.05, 0.16, 0.11, 0.06, 0.05, 0.07),
    "outerwear": (0.16, 0.12, 0.0, 0.4, 0.16, 0.16, 0.0, 0.0),
    "dress": (0.36, 0.18, 0.08, 0.1, 0.05, 0.02, 0.07, 0.14),
}


@dataclass(frozen=True)
class Block:
    """The measures of an upper garment's front, in centimetres, for its left half."""

    neck: float  # half the neck's width
    neck_depth: float
    shoulder: tuple[float, float]
    armpit: tuple[float, float]
    waist: tuple[float, float]
    hem: tuple[float, float]
    strap: bool  # the shoulder is a strap between neck and armhole
    neckline: Neckline
    sleeve: Sleeve
    cut: str


def draw_upper(
    rng: np.random.Generator,
    category: Category,
    *,
    sleeve: Sleeve | None = None,
    neckline: Neckline | None = None,
    opening: str | None = None,
    loose: float = 1.0,
) -> Pattern:
    """A top, outerwear or dress; arguments as for `patterns.draw_pattern`."""
    sleeve = sleeve or SLEEVES[int(rng.choice(4, p=SLEEVE_CHANCES[category]))]
    neckline = neckline or NECKLINES[int(rng.choice(8, p=NECK_CHANCES[category]))]
    if neckline == "strap":
        sleeve = "none"
    block = _block(rng, category, sleeve, neckline)
    pattern = Pattern(category, sleeve=sleeve, neckline=neckline, attributes={"cut": block.cut})
    opening = opening or _opening(rng, category, neckline)
    pattern.attributes["opening"] = opening
    front, back = draw_neck(rng, block)
    add_collar(rng, pattern, block, front, back, behind=True)
    over = loose > 0 and rng.random() < 0.35
    held = add_sleeves(rng, pattern, block, loose=loose) if not over else None
    _body(rng, pattern, block, front)
    if over:
        held = add_sleeves(rng, pattern, block, loose=loose)
    pattern.attributes["sleeves"] = held or "none"
    _opening_pieces(rng, pattern, block, opening)
    add_collar(rng, pattern, block, front, back, behind=False)
    _seams(rng, pattern, block)
    pattern.landmarks[Landmark.NECK_FRONT] = np.array([0.0, block.neck_depth])
    for sign in SIDES:
        flip = np.array([sign, 1.0])
        pattern.mark("NECK", sign, flip * front[-1])
        pattern.mark("SHOULDER", sign, flip * block.shoulder)
        pattern.mark("ARMPIT", sign, flip * block.armpit)
        pattern.mark("WAIST", sign, flip * block.waist)
        pattern.mark("HEM", sign, flip * block.hem)
    return pattern


def _block(rng: np.random.Generator, category: Category, sleeve: Sleeve, neckline: Neckline) -> Block:
    outer = category == "outerwear"
    cut = str(rng.choice(["slim", "boxy", "a-line", "flared"], p=_cut_chances(category)))
    chest = rng.uniform(21, 29) + (4 * rng.random() + 1 if outer else 0) + (rng.uniform(0, 5) if cut == "boxy" else 0)
    shoulder = chest * (rng.uniform(0.74, 0.88) if sleeve != "none" else rng.uniform(0.58, 0.82))
    slope = rng.uniform(1.5, 6.5)
    if sleeve != "none" and rng.random() < 0.15:  # drop shoulder
        shoulder, slope = chest * rng.uniform(0.95, 1.15), rng.uniform(4, 8)
    armhole = rng.uniform(18, 26) + (2 if outer else 0)
    low, high, depth_low, depth_high = NECK_SIZES[neckline]
    neck, depth = rng.uniform(low, high), rng.uniform(depth_low, depth_high)
    if neckline == "off-shoulder":
        shoulder, slope = chest * rng.uniform(0.88, 1.0), rng.uniform(0.5, 4)
        neck, armhole = shoulder - rng.uniform(0.5, 3), rng.uniform(8, 14)
        depth += slope
    strap = neckline == "strap"
    if strap:
        width = float(rng.choice([rng.uniform(0.6, 1.5), rng.uniform(2, 5)]))
        neck = rng.uniform(7, 11)
        shoulder, slope, armhole = neck + width, rng.uniform(0, 0.5), rng.uniform(20, 27)
    neck = min(neck, shoulder - 0.5)
    armpit = (max(chest, shoulder - 3), slope + armhole)
    waist_y = armpit[1] + rng.uniform(10, 20)
    waist = armpit[0] * {"slim": rng.uniform(0.78, 0.95), "boxy": rng.uniform(0.96, 1.03)}.get(
        cut, rng.uniform(0.75, 1.1)
    )
    length, hem = _length(rng, category, cut, armpit, (waist, waist_y))
    waist_y = min(waist_y, armpit[1] + (length - armpit[1]) * 0.6)
    shape = ((shoulder, slope), armpit, (waist, waist_y), (hem, length))
    return Block(neck, min(depth, length * 0.45), *shape, strap, neckline, sleeve, cut)


NECK_SIZES: dict[str, tuple[float, float, float, float]] = {  # half width from, to, front depth from, to
    "round": (7, 12, 4, 15),
    "v": (6.5, 11, 11, 30),
    "square": (8, 13, 7, 16),
    "collar": (6.5, 9, 4, 13),
    "high": (6.5, 9.5, 1, 4.5),
    "hood": (7, 10.5, 5, 10),
    "off-shoulder": (15, 20, 0.5, 6),
    "strap": (7, 11, 12, 22),
}


def _cut_chances(category: Category) -> tuple[float, float, float, float]:
    return (0.35, 0.15, 0.25, 0.25) if category == "dress" else (0.35, 0.4, 0.17, 0.08)


def _length(
    rng: np.random.Generator, category: Category, cut: str, armpit: tuple[float, float], waist: tuple[float, float]
) -> tuple[float, float]:
    """Length from the neck and half width of the hem."""
    spans = {"top": (46, 78), "outerwear": (48, 80), "dress": (76, 112)}
    length = rng.uniform(*spans[category])
    if category == "outerwear" and rng.random() < 0.3:
        length = rng.uniform(80, 115)
    if category == "dress" and rng.random() < 0.25:
        length = rng.uniform(112, 148)
    if category == "top" and rng.random() < 0.07:
        length = rng.uniform(36, 46)
    length = max(length, armpit[1] + 12)
    wide = max(waist[0], armpit[0] * 0.9)
    flare = {"slim": (0.92, 1.15), "boxy": (0.92, 1.06), "a-line": (1.1, 1.5), "flared": (1.35, 2.4)}[cut]
    factor = rng.uniform(*flare)
    if category != "dress":
        factor = 1 + (factor - 1) * 0.6
    return length, wide * factor


def _opening(rng: np.random.Generator, category: Category, neckline: Neckline) -> str:
    if category == "outerwear":
        return str(rng.choice(["buttons", "zip", "open"], p=[0.33, 0.42, 0.25]))
    if neckline == "collar":
        return str(rng.choice(["buttons", "placket"], p=[0.75, 0.25]))
    if category == "top" and neckline in ("v", "hood", "round"):
        return str(rng.choice(["none", "buttons", "zip"], p=[0.9, 0.07, 0.03] if neckline != "hood" else [0.6, 0, 0.4]))
    return "none"


def armhole(block: Block) -> Line:
    """The armhole of the left half from the shoulder to the armpit."""
    (sx, sy), (ax, ay) = block.shoulder, block.armpit
    if block.strap:
        edge = min(block.neck_depth * 0.85, ay - 4)
        return spline((sx, sy), (sx + 0.8, edge * 0.75), (sx + (ax - sx) * 0.35, edge + (ay - edge) * 0.55), (ax, ay))
    inward = 0.12 if block.sleeve == "none" else 0.06
    dip = min(sx, ax) - inward * (ay - sy)
    return spline(
        (sx, sy), ((sx + dip) / 2, sy + (ay - sy) * 0.35), (dip + (ax - dip) * 0.3, sy + (ay - sy) * 0.75), (ax, ay)
    )


def _side(rng: np.random.Generator, pattern: Pattern, block: Block) -> Line:
    """The side seam of the left half from the armpit to the hem."""
    (ax, ay), (wx, wy), (hx, hy) = block.armpit, block.waist, block.hem
    if pattern.category == "dress" and block.cut == "flared":
        belly = wx + (hx - wx) * rng.uniform(0.45, 0.75)
    elif pattern.category == "dress":
        belly = max(wx + (hx - wx) * 0.5, wx * rng.uniform(1.05, 1.2))
    else:
        belly = (wx + hx) / 2
    return spline((ax, ay), (wx, wy), (belly, wy + (hy - wy) * 0.45), (hx, hy))


def _body(rng: np.random.Generator, pattern: Pattern, block: Block, front: Line) -> None:
    side = _side(rng, pattern, block)
    width, length = block.hem
    drop = float(rng.choice([rng.normal(0, 0.6), rng.uniform(1, 5), rng.uniform(-4, -1)], p=[0.7, 0.22, 0.08]))
    if pattern.neckline == "collar" and pattern.category == "top":
        drop = rng.uniform(0, 7)
    if block.cut in ("flared", "a-line"):
        drop += rng.uniform(0, 0.12) * width
    ruffled = rng.random() < (0.5 if block.cut == "flared" else 0.05)
    hem = hem_curve(rng, width, length, drop, rng.uniform(0.5, 2.5) if ruffled else 0.0)
    if rng.random() < 0.04:
        hem = hem + np.outer(hem[:, 0] / width, (0, rng.uniform(-6, 6)))  # cut slanting
    left = join(front[-1], armhole(block), side[1:])
    pattern.add("body", "cloth", front, left, hem, mirror(left)[:-1])
    pattern.seams.append(join(*(np.array(hem) - (0, rng.uniform(1.5, 6) if rng.random() < 0.6 else 2))))


def _opening_pieces(rng: np.random.Generator, pattern: Pattern, block: Block, opening: str) -> None:
    top, bottom, slip = block.neck_depth, block.hem[1], rng.normal(0, 0.4)
    if opening == "open":
        gap_top, gap = rng.uniform(0.3, 3), rng.uniform(1, 12)
        edge = spline((gap_top, top - 0.3), (gap_top + (gap - gap_top) * 0.6, (top + bottom) / 2), (gap, bottom - 0.2))
        pattern.add("open front", "inside", edge, mirror(edge))
        pattern.seams += [edge, mirror(edge)]
        return
    if opening in ("buttons", "placket"):
        end = bottom if opening == "buttons" else top + rng.uniform(8, 18)
        count = int(rng.integers(4, 10)) if opening == "buttons" else int(rng.integers(2, 4))
        pattern.buttons = np.column_stack([np.full(count, slip), np.linspace(top + 1.5, end - 4, count)])
        width = rng.uniform(1.2, 2)
        pattern.seams += [join((slip + sign * width, top), (slip + sign * width, end)) for sign in SIDES]
    elif opening == "zip":
        pattern.seams += [join((slip + shift, top), (slip + shift, bottom)) for shift in (-0.3, 0.3)]
        if rng.random() < 0.5:
            strip = join((-0.8, top), (0.8, top), (0.8, bottom), (-0.8, bottom))
            pattern.add("zip", "trim", strip + np.array([slip, 0]))


def _seams(rng: np.random.Generator, pattern: Pattern, block: Block) -> None:
    edge = armhole(block)
    if pattern.sleeve != "none":
        pattern.seams += [edge, mirror(edge)]
    (wx, wy), (hx, hy) = block.waist, block.hem
    if pattern.category == "dress" and rng.random() < 0.6:
        pattern.seams.append(spline((-wx, wy), (0, wy + rng.uniform(0, 2)), (wx, wy)))
        if rng.random() < 0.35:
            height = rng.uniform(2, 5)
            belt = spline((-wx, wy), (0, wy + 1), (wx, wy))
            pattern.add("belt", "trim", belt, belt[::-1] + np.array([0, height]))
        if block.cut in ("flared", "a-line") and rng.random() < 0.5:
            for across in rng.uniform(-0.9, 0.9, int(rng.integers(4, 14))):
                pattern.seams.append(join((across * wx, wy), (across * hx, hy - 1)))
    if pattern.category != "dress" and rng.random() < 0.2:
        for sign in SIDES:  # pockets
            size = min(rng.uniform(8, 14), (hy - wy) * 0.5)
            x, y = wx * 0.5, wy + (hy - wy) * 0.3
            corners = np.array([(0, 0), (size, 0), (size, size), (0, size), (0, 0)]) - (size / 2, 0)
            pattern.seams.append((corners + np.array([x, y])) * (sign, 1.0))
    if rng.random() < 0.12:
        pattern.seams.append(join((-block.armpit[0], block.armpit[1]), (block.armpit[0], block.armpit[1])))
