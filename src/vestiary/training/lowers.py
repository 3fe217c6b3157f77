"""Skirts, trousers and shorts as flat patterns."""

from __future__ import annotations

import numpy as np

from vestiary.training.outlines import Line, Pattern, join, mirror, spline
from vestiary.types import Category, Landmark

SIDES = (1.0, -1.0)


def draw_skirt(rng: np.random.Generator) -> Pattern:
    """A skirt: pencil, straight, A-line, flared or pleated, mini to maxi."""
    cut = str(rng.choice(["pencil", "straight", "a-line", "flared", "pleated"]))
    pattern = Pattern("skirt", attributes={"cut": cut})
    waist = rng.uniform(30, 46) / 2
    length = float(rng.choice([rng.uniform(27, 45), rng.uniform(42, 65), rng.uniform(65, 100)], p=[0.5, 0.35, 0.15]))
    hip_y = min(rng.uniform(16, 22), length * 0.5)
    hip = waist * rng.uniform(1.1, 1.32)
    flare = {"pencil": (0.82, 1.0), "straight": (0.97, 1.12), "a-line": (1.15, 1.6), "flared": (1.5, 2.5)}
    hem = hip * rng.uniform(*flare.get(cut, (1.2, 2.2)))
    if cut in ("flared", "pleated"):
        hip = max(hip, waist + (hem - waist) * hip_y / length * rng.uniform(0.75, 1.05))
    side = spline((waist, 0), (hip, hip_y), ((hip + hem) / 2, (hip_y + length) / 2), (hem, length))
    drop = rng.uniform(0.0, 0.06) * length if cut in ("a-line", "flared", "pleated") else rng.uniform(-0.5, 1.0)
    ripple = rng.uniform(0.5, 2.5) if cut in ("flared", "pleated") or rng.random() < 0.12 else 0.0
    hemline = hem_curve(rng, hem, length, drop, ripple)
    _waist(rng, pattern, waist)
    pattern.add("skirt", "cloth", front_waist(pattern), side[1:], hemline, mirror(side)[:-1])
    _band(rng, pattern, waist, hip, hip_y)
    for sign in SIDES:
        pattern.mark("WAIST", sign, (sign * waist, 0))
        pattern.mark("HIP", sign, (sign * hip, hip_y))
        pattern.mark("HEM", sign, (sign * hem, length))
    _skirt_seams(rng, pattern, waist, hem, length)
    return pattern


def hem_curve(rng: np.random.Generator, half: float, length: float, drop: float, ripple: float) -> Line:
    """A hem from the wearer's left `(half, length)` to the right, `drop` lower in the middle, with ripples in cm."""
    across = np.linspace(1, -1, 41)
    depth = length + drop * (1 - across**2)
    if ripple:
        folds = rng.integers(4, 12)
        depth = depth + ripple * np.sin(across * np.pi * folds + rng.uniform(0, 6)) * (1 - across**8)
    return np.column_stack([across * half, depth])[1:-1]


def front_waist(pattern: Pattern) -> Line:
    """The front waist line of a pattern that `_waist` began, from the wearer's right to the left."""
    return pattern.seams[0]


def _waist(rng: np.random.Generator, pattern: Pattern, waist: float) -> None:
    """The inside of the back above the front waist line."""
    front, back = rng.uniform(0, 3.5), rng.uniform(-1.5, 0.8)
    line = spline((-waist, 0), (-waist * 0.5, front * 0.75), (0, front), (waist * 0.5, front * 0.75), (waist, 0))
    pattern.seams.append(line)
    if front - back > 0.4:
        rear = spline((waist, 0), (waist * 0.5, back * 0.8), (0, back), (-waist * 0.5, back * 0.8), (-waist, 0))
        pattern.add("back waist", "inside", line, rear[1:-1])


def _band(rng: np.random.Generator, pattern: Pattern, waist: float, hip: float, hip_y: float) -> None:
    """A waistband, sometimes of another cloth."""
    if rng.random() < 0.8:
        height = rng.uniform(2, 6)
        grown = waist + (hip - waist) * min(1.0, height / hip_y) * 0.9
        below = front_waist(pattern) * (grown / waist, 1.0) + (0, height)
        pattern.seams.append(below)
        if rng.random() < 0.4:
            pattern.add("waistband", "trim", front_waist(pattern), below[::-1])
        if rng.random() < 0.5:
            pattern.buttons = np.array([[rng.uniform(-1.5, 1.5), below[len(below) // 2, 1] - height / 2]])


def _skirt_seams(rng: np.random.Generator, pattern: Pattern, waist: float, hem: float, length: float) -> None:
    cut = pattern.attributes["cut"]
    if cut == "pleated":
        for across in np.linspace(-0.9, 0.9, int(rng.integers(6, 20))):
            pattern.seams.append(join((across * waist, 4), (across * hem, length)))
    elif rng.random() < 0.3:
        pattern.seams.append(join((0, 3), (0, length)))
        if rng.random() < 0.6:
            pattern.buttons = np.column_stack([np.zeros(7), np.linspace(3, length - 4, 7)])
    if rng.random() < 0.2 and cut != "pencil":
        for share in rng.uniform(0.3, 0.85, int(rng.integers(1, 3))):
            half = waist + (hem - waist) * share
            pattern.seams.append(spline((-half, share * length), (0, share * length + 2), (half, share * length)))


def draw_legs(rng: np.random.Generator, category: Category, *, loose: float = 1.0) -> Pattern:
    """Trousers or shorts: skinny, straight, wide, flared or tapered; legs together, apart or one over the other."""
    cut = str(rng.choice(["skinny", "straight", "wide", "flared", "tapered"]))
    pattern = Pattern(category, attributes={"cut": cut})
    waist = rng.uniform(32, 46) / 2
    rise = rng.uniform(19, 33)
    hip = waist * rng.uniform(1.12, 1.38)
    inseam = rng.uniform(44, 84) if category == "trousers" else rng.uniform(3, 27)
    widths = {"skinny": (0.72, 0.5), "straight": (0.85, 0.8), "wide": (1.05, 1.15), "flared": (0.78, 1.1)}
    knee, hem = (hip * share * rng.uniform(0.92, 1.08) for share in widths.get(cut, (0.95, 0.6)))
    if category == "shorts":
        hem = hip * rng.uniform(0.85, 1.25)
        knee = (hip * 1.02 + hem) / 2
    apart = max(0.0, rng.normal(4, 6)) if category == "trousers" else max(0.0, rng.normal(5, 5))
    _waist(rng, pattern, waist)
    top = front_waist(pattern)
    crotch = np.array([rng.normal(0, 0.5 * loose), rise])
    order = SIDES if rng.random() < 0.5 else SIDES[::-1]
    for sign in order:
        angle = np.deg2rad(apart + rng.normal(0, 2.5) * loose + (hip - knee) * 0.1)
        if category == "trousers" and rng.random() < 0.06 * loose:
            angle -= np.deg2rad(rng.uniform(8, 20))  # one leg over the other
        _leg(rng, pattern, sign, (waist, hip, rise, inseam, knee, hem), angle, crotch)
    _band(rng, pattern, waist, hip, rise)
    pattern.landmarks[Landmark.CROTCH] = crotch
    _fly_and_pockets(rng, pattern, waist, hip, rise)
    half = len(top) // 2
    pattern.seams.append(join(top[half], (0.4, rise * 0.6), crotch))
    return pattern


def _leg(
    rng: np.random.Generator,
    pattern: Pattern,
    sign: float,
    sizes: tuple[float, float, float, float, float, float],
    angle: float,
    crotch: Line,
) -> None:
    """One leg with its half of the seat, for the wearer's left (sign +1) or right."""
    waist, hip, rise, inseam, knee, hem = sizes
    down, across = np.array([np.sin(angle), np.cos(angle)]), np.array([np.cos(angle), -np.sin(angle)])
    flip = np.array([sign, 1.0])
    middle = np.array([hip * 0.52, rise])
    bow = rng.normal(0, 0.02) * inseam
    knee_at, hem_at = middle + down * inseam * 0.5 + across * bow, middle + down * inseam
    tilt = rng.normal(0, 0.04) * hem
    fork = crotch * flip
    hip_at = np.array([hip, rise])
    outer = spline((waist, 0), (waist + (hip - waist) * 0.75, rise * 0.5), hip_at, knee_at + across * knee / 2)
    knee_out, knee_in = knee_at + across * knee / 2, knee_at - across * knee / 2
    hem_out = hem_at + across * hem / 2 + down * tilt
    hem_in = hem_at - across * hem / 2 - down * tilt
    outer = spline((waist, 0), (waist + (hip - waist) * 0.75, rise * 0.5), hip_at, knee_out, hem_out)
    inner = spline(fork, knee_in, hem_in)
    top = front_waist(pattern) * flip
    top = top if sign > 0 else top[::-1]
    half = len(top) // 2
    pattern.add("leg", "cloth", flip * join(top[half:], outer[1:], inner[::-1], fork - (0.6, 0), top[half] - (0.6, 0)))
    for name, place in (("WAIST", (waist, 0)), ("HIP", hip_at), ("KNEE_OUTER", knee_out), ("HEM", hem_out)):
        pattern.mark(name, sign, flip * place)
    pattern.mark("KNEE_INNER", sign, flip * knee_in)
    pattern.mark("HEM_INNER", sign, flip * hem_in)
    if rng.random() < 0.5:
        cuff = down * rng.uniform(2, 6)
        pattern.seams.append(flip * join(hem_out - cuff, hem_in - cuff))
    if rng.random() < 0.2:
        pattern.seams.append(flip * join(middle - np.array([0, rise * 0.4]), knee_at, hem_at))


def _fly_and_pockets(rng: np.random.Generator, pattern: Pattern, waist: float, hip: float, rise: float) -> None:
    side = rng.choice(SIDES)
    if rng.random() < 0.7:
        pattern.seams.append(spline((side * 3, 4), (side * 3, rise * 0.55), (side * 0.5, rise * 0.75)))
    if rng.random() < 0.7:
        for sign in SIDES:
            end = (sign * (waist + (hip - waist) * 0.55), rise * 0.45)
            pattern.seams.append(spline((sign * waist * 0.55, 4), (sign * waist * 0.65, rise * 0.35), end))
    if rng.random() < 0.2:
        for sign in SIDES:  # a drawstring
            pattern.seams.append(spline((sign * 0.5, 2), (sign * rng.uniform(0.5, 3), 8), (sign * 2, 14)))
