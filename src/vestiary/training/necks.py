"""Necklines and what stands round them: collars, lapels, turtlenecks, hoods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vestiary.training.outlines import Line, Pattern, join, mirror, spline

if TYPE_CHECKING:
    from vestiary.training.uppers import Block


def draw_neck(rng: np.random.Generator, block: Block) -> tuple[Line, Line]:
    """The front neckline and the back one, each from the wearer's right neck point to the left one."""
    wide, deep, kind = block.neck, block.neck_depth, block.neckline
    end = (wide, block.shoulder[1] - 0.4 if kind == "off-shoulder" else 0.0)
    if kind == "v" or (kind == "collar" and deep > 8):
        sag = rng.uniform(-0.04, 0.1)
        right = spline((0, deep), (wide * 0.5 + sag * wide, deep * 0.5 + sag * deep), end)
    elif kind == "square":
        right = join((0, deep), (wide * rng.uniform(0.8, 0.98), deep - rng.uniform(0, 1)), end)
    elif kind == "strap":
        edge = deep * rng.uniform(0.6, 0.95)
        right = spline((0, deep), (wide * 0.5, deep - (deep - edge) * rng.uniform(-0.2, 0.7)), (wide * 0.97, edge), end)
    else:
        y = end[1] + (deep - end[1]) * np.array([0.95, 0.62])
        right = spline((0, deep), (wide * 0.5, y[0]), (wide * 0.87, y[1]), end)
    front = join(mirror(right)[:-1], right)
    rise = {"hood": 2.0, "high": 1.0, "collar": 0.5}.get(kind, rng.uniform(-1.0, 2.8))
    if kind == "strap":
        rise = deep * rng.uniform(0.3, 1.0)
    if kind == "off-shoulder":
        rise = end[1] + rng.uniform(-1, 1)
    half = [(0, rise), (wide * 0.6, rise * 0.75), (wide * 0.97, rise * 0.85 if kind == "strap" else end[1] * 0.9), end]
    back = spline(*half)
    return front, join(mirror(back)[:-1], back)


def add_collar(
    rng: np.random.Generator, pattern: Pattern, block: Block, front: Line, back: Line, *, behind: bool
) -> None:
    """What lies behind the front at the neck (`behind`), or on top of it."""
    if behind:
        if block.neckline == "hood":
            _hood(rng, pattern, block, front)
        elif block.neckline == "collar":
            stand = rng.uniform(1.5, 5)
            rear = spline((block.neck, 0), (block.neck * 0.75, -stand * 0.85), (0, -stand))
            pattern.add("back neck", "inside", front, rear[1:], mirror(rear)[1:-1])
        elif block.neckline == "high":
            pass
        elif np.any(front[:, 1] - back[len(back) // 2, 1] > 0.4):
            pattern.add("back neck", "inside", front, back[::-1][1:-1])
    elif block.neckline == "collar":
        _flaps(rng, pattern, block)
    elif block.neckline == "high":
        _stand(rng, pattern, block, front)
    elif block.neckline in ("round", "v", "square") and rng.random() < 0.55:
        width = rng.uniform(0.8, 2.5)
        grown = front * ((block.neck + width) / block.neck, 1.0) + (0, width)
        grown[0], grown[-1] = front[0] - (width, -0.4), front[-1] + (width, 0.4)
        pattern.seams.append(grown)
        if rng.random() < 0.35:
            pattern.add("neck band", "trim", front, grown[::-1])


def _flaps(rng: np.random.Generator, pattern: Pattern, block: Block) -> None:
    """A shirt's collar, or a jacket's with lapels."""
    wide, deep = block.neck, block.neck_depth
    lapels = pattern.category == "outerwear" and rng.random() < 0.4
    point = np.array([rng.uniform(0.5, 1.05) * wide, deep + rng.uniform(0.5, 6)])
    if lapels:
        point = np.array([wide + rng.uniform(1, 5), deep * rng.uniform(0.6, 1.0) + 2])
    rise = rng.uniform(0.5, 3)
    for sign in (1.0, -1.0):
        neck, top = np.array([wide + rng.uniform(0, 1), 0.3]), np.array([wide * 0.7, -rise])
        flap = join(top, neck, point + rng.normal(0, 0.5, 2), (rng.uniform(0.1, 0.8), deep), (wide * 0.45, deep * 0.4))
        pattern.add("collar", "trim", flap * (sign, 1.0))
        pattern.seams.append(flap[[1, 2, 3]] * (sign, 1.0))
        if lapels:
            tip = point + rng.uniform((-1, 2), (2, 5))
            lapel = join(point * 0.6, tip, (0.5, deep + rng.uniform(12, 25)), (0.2, deep))
            pattern.add("lapel", "trim", lapel * (sign, 1.0))
            pattern.seams.append(lapel[[0, 1, 2]] * (sign, 1.0))


def _stand(rng: np.random.Generator, pattern: Pattern, block: Block, front: Line) -> None:
    """A turtleneck, a mock neck or a stand-up collar."""
    height, wide = rng.uniform(2.5, 13), block.neck * rng.uniform(0.78, 1.05)
    lip = rng.uniform(-0.5, 1.5)
    top = spline((-wide, -height), (0, -height + lip), (wide, -height))
    pattern.add("neck", "trim", front, top[::-1])
    if lip > 0.3 or rng.random() < 0.3:
        arch = spline((-wide, -height), (0, -height - rng.uniform(0, 1.5)), (wide, -height))
        pattern.add("back neck", "inside", top, arch[::-1][1:-1])
    pattern.seams.append(front)
    if rng.random() < 0.5:
        pattern.seams.append(
            spline((-block.neck, -height * 0.4), (0, -height * 0.4 + lip), (block.neck, -height * 0.4))
        )


def _hood(rng: np.random.Generator, pattern: Pattern, block: Block, front: Line) -> None:
    """A hood spread above the neck, its opening showing the inside."""
    wide, height = rng.uniform(11, 17), rng.uniform(17, 33)
    lean = rng.normal(0, 3)
    half = [(block.neck + 1.5, 1.5), (wide, -height * 0.35), (wide * 0.8, -height * 0.8), (lean, -height)]
    other = [(-wide * 0.8, -height * 0.8), (-wide, -height * 0.35), (-block.neck - 1.5, 1.5)]
    outline = spline(*half, *other)
    pattern.add("hood", "cloth", outline, front)
    share, sink = rng.uniform(0.3, 0.85), rng.uniform(0.35, 0.9)
    opening = spline(front[-1], (wide * share, -height * 0.4 * sink), (lean * 0.7, -height * sink))
    rest = spline((lean * 0.7, -height * sink), (-wide * share, -height * 0.4 * sink), front[0])
    pattern.add("hood opening", "inside", opening, rest[1:], front[1:-1])
    pattern.seams += [opening, rest]
    if rng.random() < 0.5:
        for sign in (1.0, -1.0):
            end = (sign * rng.uniform(2, 5), block.neck_depth + rng.uniform(8, 18))
            pattern.seams.append(spline((sign * 2, block.neck_depth), (sign * 3, block.neck_depth + 4), end))
