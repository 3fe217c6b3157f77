"""What cloth and grounds look like: colour as a function of cloth coordinates in pixels, `(h, w, 3)` 0..1."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from cloth import SCALE, Array, Texture, curve, noise

Ground = Callable[[np.random.Generator, tuple[int, int]], Array]
Colour = Sequence[float]


def smooth(x: Array, low: float, high: float) -> Array:
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def sample(tile: Array, u: Array, v: Array) -> Array:
    """A tile repeated for ever; `tile` is drawn at SCALE."""
    height, width = tile.shape[:2]
    padded = np.concatenate([np.concatenate([tile, tile[:1]]), np.concatenate([tile, tile[:1]])[:, :1]], 1)
    x, y = np.mod(u * SCALE, width).astype(np.float32), np.mod(v * SCALE, height).astype(np.float32)
    return cv2.remap(padded, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def plain(colour: Colour, *, weave: float = 0.012) -> Texture:
    """One colour with a fine weave and slubs."""

    def texture(u: Array, v: Array) -> Array:
        rng = np.random.default_rng(5)
        grain = weave * rng.standard_normal(u.shape).astype(np.float32)
        slub = 0.3 * weave * noise(rng, u.shape, 26, 3, 0.0)
        return np.float32(colour) * (1 + grain + slub)[..., None]

    return texture


def placed(under: Texture, ink: Array, at: tuple[float, float], width: float, colour: Colour) -> Texture:
    """A print of one colour on a texture; its top left corner at `at`, `width` pixels wide."""
    factor = width * SCALE / ink.shape[1]
    small = cv2.resize(ink, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)

    def texture(u: Array, v: Array) -> Array:
        x, y = ((u - at[0]) * SCALE).astype(np.float32), ((v - at[1]) * SCALE).astype(np.float32)
        mask = cv2.remap(small, x, y, cv2.INTER_LINEAR, borderValue=0)[..., None]
        cloth = under(u, v)
        return cloth + (np.float32(colour) * (0.9 + 0.1 * cloth / cloth.max()) - cloth) * mask * 0.95

    return texture


def stripes(ground: Colour, band: Colour, period: float, share: float, start: float = 0) -> Texture:
    """Stripes across, knitted in."""
    base = plain((1, 1, 1), weave=0.02)

    def texture(u: Array, v: Array) -> Array:
        phase = np.mod((v - start) / period, 1)
        inside = (smooth(phase, 0, 0.02) - smooth(phase, share, share + 0.02))[..., None]
        rows = 1 - 0.025 * (np.sin(v * np.pi / 1.7) > 0)[..., None]
        return (np.float32(ground) + (np.float32(band) - np.float32(ground)) * inside) * base(u, v) * rows

    return texture


def check(ground: Colour, one: Colour, two: Colour, period: float) -> Texture:
    """Woven check: threads of warp and weft mix where they cross."""
    bands = ((0.05, 0.30, one, 0.95), (0.36, 0.39, two, 0.8), (0.56, 0.76, two, 0.85), (0.86, 0.88, one, 0.9))

    def threads(t: Array) -> Array:
        phase, colour = np.mod(t / period, 1)[..., None], np.broadcast_to(np.float32(ground), (*t.shape, 3))
        for low, high, ink, force in bands:
            inside = (smooth(phase, low, low + 0.012) - smooth(phase, high, high + 0.012)) * force
            colour = colour + (np.float32(ink) - colour) * inside
        return colour

    def texture(u: Array, v: Array) -> Array:
        twill = (0.5 + 0.16 * np.sin((u + v) * 2 * np.pi / 3.0))[..., None]
        return (threads(u) * twill + threads(v) * (1 - twill)) * plain((1, 1, 1), weave=0.015)(u, v)

    return texture


def floral(ground: Colour, seed: int) -> Texture:
    """Scattered flowers and leaves on a tile that repeats."""
    rng, side = np.random.default_rng(seed), 240 * SCALE
    tile = np.ones((side, side, 3), np.float32) * np.float32(ground)
    inks = [(0.78, 0.25, 0.28), (0.90, 0.55, 0.42), (0.30, 0.36, 0.62), (0.86, 0.66, 0.25)]

    def stamp(draw: Callable[[tuple[int, int]], None], at: Array) -> None:
        for dx in (-side, 0, side):
            for dy in (-side, 0, side):
                draw((int(at[0] + dx), int(at[1] + dy)))

    spots: list[Array] = []
    while len(spots) < 15:
        at = rng.uniform(0, side, 2).astype(np.float32)
        gaps = [np.hypot(*((at - s + side / 2) % side - side / 2)) for s in spots]
        if not gaps or min(gaps) > 50 * SCALE:
            spots.append(at)
    for k, at in enumerate(spots):
        size, tilt, ink = rng.uniform(13, 21) * SCALE, rng.uniform(0, 6.28), inks[k % 4]
        for leaf in range(2):
            angle = tilt + 1.2 + leaf * 2.6
            move = np.array([np.cos(angle), np.sin(angle)]) * size * 1.15

            def draw_leaf(p: tuple[int, int], move: Array = move, size: float = size, angle: float = angle) -> None:
                centre = (int(p[0] + move[0]), int(p[1] + move[1]))
                shape = (int(size * 0.6), int(size * 0.2))
                cv2.ellipse(tile, centre, shape, np.degrees(angle), 0, 360, (0.33, 0.45, 0.30), -1, cv2.LINE_AA)

            stamp(draw_leaf, at)
        for petal in range(5):
            angle = tilt + petal * 2 * np.pi / 5
            move = np.array([np.cos(angle), np.sin(angle)]) * size * 0.5
            tone = tuple(np.clip(np.float32(ink) * rng.uniform(0.9, 1.12), 0, 1).tolist())

            def draw_petal(
                p: tuple[int, int],
                move: Array = move,
                size: float = size,
                angle: float = angle,
                tone: tuple[float, ...] = tone,
            ) -> None:
                centre = (int(p[0] + move[0]), int(p[1] + move[1]))
                cv2.ellipse(
                    tile, centre, (int(size * 0.5), int(size * 0.33)), np.degrees(angle), 0, 360, tone, -1, cv2.LINE_AA
                )

            stamp(draw_petal, at)
        stamp(lambda p, s=size: cv2.circle(tile, p, int(s * 0.2), (0.95, 0.82, 0.40), -1, cv2.LINE_AA), at)
    weave = plain((1, 1, 1), weave=0.012)
    return lambda u, v: sample(tile, u, v) * weave(u, v)


def denim(blue: Colour = (0.24, 0.34, 0.50)) -> Texture:
    """Blue warp and white weft in a twill, uneven yarn, worn pale where `fade` of u, v is drawn by the garment."""

    def texture(u: Array, v: Array) -> Array:
        rng = np.random.default_rng(9)
        twill = np.sin((u * 0.8 + v) * 2 * np.pi / 2.6)
        yarn = 0.05 * noise(rng, u.shape, 60, 1.5, np.pi / 2) + 0.05 * rng.standard_normal(u.shape).astype(np.float32)
        worn = 0.05 * noise(rng, u.shape, 170, 120, np.pi / 2)
        pale = np.clip(0.12 + 0.10 * twill + yarn + worn, 0, 1)[..., None]
        return np.float32(blue) + (np.float32([0.86, 0.89, 0.93]) - np.float32(blue)) * pale

    return texture


def knit(colour: Colour) -> Texture:
    """Plain stitches in columns."""

    def texture(u: Array, v: Array) -> Array:
        column = np.mod(u / 7.5, 1)
        leg = np.abs(column - 0.5) * 2
        stitch = np.sin((v / 5.2 + leg * 0.55) * 2 * np.pi)
        tone = 1 + 0.09 * stitch - 0.22 * smooth(leg, 0.78, 1.0) - 0.08 * smooth(1 - leg, 0.82, 1.0)
        return np.float32(colour) * (tone * plain((1, 1, 1), weave=0.03)(u, v)[..., 0])[..., None]

    return texture


def studio(colour: Colour) -> Ground:
    """Seamless paper, a little brighter where the lamp stands."""

    def ground(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
        y, x = np.mgrid[0 : 1 : shape[0] * 1j, 0 : 1 : shape[1] * 1j].astype(np.float32)
        light = 1.012 - 0.05 * np.hypot(x - 0.42, (y - 0.40) * 1.1) ** 1.5 + 0.002 * noise(rng, shape, 300, 300, 0)
        return np.float32(colour) * light[..., None]

    return ground


def wooden_floor(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Oak planks."""
    height, width = shape
    plank = 150 * SCALE
    floor = np.zeros((*shape, 3), np.float32)
    for k, top in enumerate(range(-30 * SCALE, height, plank)):
        rows = slice(max(top, 0), min(top + plank, height))
        strip = (rows.stop - rows.start, width)
        cut = int(rng.uniform(0.2, 0.8) * width)
        for piece, cols in enumerate((slice(0, cut), slice(cut, width))):
            part = (strip[0], cols.stop - cols.start)
            tone = (
                np.float32([0.66, 0.49, 0.33])
                * rng.uniform(0.84, 1.1)
                * (1 + 0.03 * np.float32([1, 0, -1]) * rng.normal())
            )
            bend = noise(rng, part, 500, 90, 0) * 26 + np.arange(part[0], dtype=np.float32)[:, None] / SCALE
            rings = np.sin(bend / rng.uniform(5, 8)) + 0.6 * np.sin(bend / 2.3)
            pores = np.clip(noise(rng, part, 70, 1.6, 0) - 1.1, 0, 2)
            tone_map = 1 + 0.035 * rings + 0.05 * noise(rng, part, 300, 26, 0) - 0.10 * pores
            floor[rows, cols] = tone * tone_map[..., None]
            if piece:
                floor[rows, max(cols.start - 2, 0) : cols.start + 2] *= 0.45
        if k:
            floor[max(top - 2, 0) : top + 3] *= 0.42
            floor[top + 3 : top + 6] *= 1.07
    return floor


def bedsheet(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """A pale duvet cover with soft folds and thin stripes."""
    height = (
        34 * noise(rng, shape, 420, 190, 0.5)
        + 15 * np.abs(noise(rng, shape, 330, 70, 0.8))
        + 4 * noise(rng, shape, 90, 40, 0.2)
    )
    for _ in range(4):
        start = rng.uniform(0, 1, 2) * shape[::-1]
        way = rng.uniform(-1, 1, 2) * shape[::-1] * 0.3
        path = curve([start, start + way + rng.normal(0, 60, 2), start + 2 * way])
        line = np.zeros(shape, np.float32)
        cv2.polylines(line, [path.astype(np.int32)], False, 1.0, 12, cv2.LINE_AA)
        height += 34 * cv2.GaussianBlur(line, (0, 0), 13)
    slope_x, slope_y = np.gradient(height)[::-1]
    lit = np.clip(1 - 0.42 * (slope_x * -0.5 + slope_y * -0.6) * -1, 0.6, 1.15)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    across = (0.94 * x + 0.34 * y + 8 * slope_x) / SCALE
    band = smooth(np.mod(across / 62, 1), 0, 0.02) - smooth(np.mod(across / 62, 1), 0.12, 0.14)
    colour = (
        np.float32([0.78, 0.81, 0.84])
        + (np.float32([0.60, 0.68, 0.76]) - np.float32([0.78, 0.81, 0.84])) * band[..., None]
    )
    return colour * (lit * (1 + 0.012 * rng.standard_normal(shape)))[..., None].astype(np.float32)
