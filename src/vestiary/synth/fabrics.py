"""Fabrics and prints: colour as a function of cloth coordinates in centimetres."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vestiary.synth.mesh import f32

Array = NDArray[np.float32]
Paint = Callable[[Array, Array], Array]  # x, y in cm → (..., 3) sRGB 0..1
PATTERNS = ("plain", "stripes", "checks", "dots", "floral", "denim", "melange")
COLOURS: dict[str, tuple[float, float, float]] = {
    "white": (0.93, 0.92, 0.90), "cream": (0.89, 0.85, 0.75), "grey": (0.55, 0.56, 0.58), "black": (0.09, 0.09, 0.10),
    "navy": (0.12, 0.16, 0.28), "blue": (0.20, 0.36, 0.62), "sky": (0.58, 0.73, 0.86), "teal": (0.10, 0.42, 0.45),
    "green": (0.20, 0.42, 0.26), "olive": (0.38, 0.39, 0.24), "yellow": (0.90, 0.74, 0.30),
    "orange": (0.85, 0.46, 0.20),
    "red": (0.70, 0.14, 0.16), "burgundy": (0.38, 0.10, 0.16), "pink": (0.90, 0.66, 0.70), "purple": (0.42, 0.28, 0.52),
    "brown": (0.40, 0.27, 0.19), "beige": (0.76, 0.67, 0.54), "khaki": (0.60, 0.54, 0.40),
}  # fmt: skip
WORDS = (
    "NORTH", "ATLAS", "HELLO", "SUNDAY", "WAVES", "STUDIO", "1984", "COAST", "OAK & ASH", "TEMPO", "MARINA", "VELO",
    "RIVER", "KITE", "AURORA", "FOREST", "ROMA", "LISBOA", "KYOTO", "OSLO", "MINT", "CLOUD 9", "HARBOUR", "BLOOM",
)  # fmt: skip


@dataclass(frozen=True)
class Fabric:
    """A cloth: its pattern's name, the name of its main colour, how to paint it, and how stiff it hangs (0..1)."""

    pattern: str
    colour: str
    paint: Paint
    stiff: float


def draw_fabric(rng: np.random.Generator, *, pattern: str | None = None, colour: str | None = None) -> Fabric:
    """A random cloth; a given pattern or colour is kept."""
    pattern = pattern or str(rng.choice(PATTERNS, p=[0.40, 0.17, 0.13, 0.06, 0.08, 0.06, 0.10]))
    names = list(COLOURS)
    main = colour or ("blue" if pattern == "denim" else names[int(rng.integers(len(names)))])
    base = np.clip(np.array(COLOURS[main]) * rng.uniform(0.88, 1.08) + rng.normal(0, 0.012, 3), 0.04, 0.95)
    other = np.array(COLOURS[names[int(rng.integers(len(names)))]])
    while np.abs(other - base).sum() < 0.5:
        other = np.array(COLOURS[names[int(rng.integers(len(names)))]])
    seed = int(rng.integers(1 << 30))
    makers: dict[str, Callable[[], Paint]] = {
        "plain": lambda: _plain(base),
        "stripes": lambda: _stripes(base, other, rng.uniform(1.2, 7), rng.uniform(0.2, 0.6), rng.random() < 0.7),
        "checks": lambda: _checks(base, other, rng.uniform(2.5, 9)),
        "dots": lambda: _dots(base, other, rng.uniform(2, 5), rng.uniform(0.15, 0.3)),
        "floral": lambda: _floral(base, seed, rng.uniform(8, 16)),
        "denim": lambda: _denim(np.array([0.20, 0.28, 0.42]) * rng.uniform(0.6, 1.5), seed),
        "melange": lambda: _melange(base, seed),
    }
    return Fabric(pattern, main, makers[pattern](), float(rng.uniform(0.2, 0.9)))


def weave(x: Array, y: Array, amount: float, seed: int = 3) -> Array:
    """Fine grain about 1."""
    rng = np.random.default_rng(seed)
    tile = rng.standard_normal((256, 256)).astype(np.float32)
    i, j = np.mod(x * 17, 255).astype(np.float32), np.mod(y * 17, 255).astype(np.float32)
    found = cv2.remap(tile, i.reshape(len(i), -1), j.reshape(len(j), -1), cv2.INTER_LINEAR).reshape(x.shape)
    return np.asarray(1 + amount * found, np.float32)


def _plain(base: NDArray[np.float64], amount: float = 0.012) -> Paint:
    return lambda x, y: f32(base) * weave(x, y, amount)[..., None]


def _soft(phase: Array, low: float, high: float, edge: float = 0.02) -> Array:
    """1 where a phase 0..1 lies between, with soft edges."""
    rise, fall = np.clip((phase - low) / edge + 0.5, 0, 1), np.clip((high - phase) / edge + 0.5, 0, 1)
    return np.asarray(np.minimum(rise, fall), np.float32)


def _stripes(base: NDArray[np.float64], other: NDArray[np.float64], period: float, share: float, level: bool) -> Paint:
    def paint(x: Array, y: Array) -> Array:
        band = _soft(np.mod((y if level else x) / period + 100.25, 1), 0.25, 0.25 + share, 0.06 / period)
        return (f32(base) + f32(other - base) * band[..., None]) * weave(x, y, 0.014)[..., None]

    return paint


def _checks(base: NDArray[np.float64], other: NDArray[np.float64], period: float) -> Paint:
    def threads(t: Array) -> Array:
        phase = np.mod(t / period + 100, 1)
        return np.asarray(0.9 * _soft(phase, 0.08, 0.42) + 0.6 * _soft(phase, 0.68, 0.74), np.float32)

    def paint(x: Array, y: Array) -> Array:
        share = (threads(x) + threads(y)) / 2
        return f32((base + (other - base) * share[..., None]) * weave(x, y, 0.016)[..., None])

    return paint


def _dots(base: NDArray[np.float64], other: NDArray[np.float64], period: float, size: float) -> Paint:
    def paint(x: Array, y: Array) -> Array:
        odd = np.mod(np.floor(y / period + 100), 2) * 0.5
        far = np.hypot(np.mod(x / period + odd + 100, 1) - 0.5, np.mod(y / period + 100, 1) - 0.5)
        share = np.clip((size - far) / 0.03 + 0.5, 0, 1)
        return f32((base + (other - base) * share[..., None]) * weave(x, y, 0.012)[..., None])

    return paint


def _melange(base: NDArray[np.float64], seed: int) -> Paint:
    def paint(x: Array, y: Array) -> Array:
        fleck = weave(x * 0.5, y * 1.4, 0.04, seed) * weave(x * 0.2, y * 0.6, 0.03, seed + 1)
        return f32(base) * fleck[..., None]

    return paint


def _denim(base: NDArray[np.float64], seed: int) -> Paint:
    def paint(x: Array, y: Array) -> Array:
        yarn = weave(x * 1.2, y * 0.12, 0.10, seed) * weave(x, y, 0.05, seed + 1)
        pale = 0.10 * np.exp(-(((np.abs(x) - 12) / 5.0) ** 2) - ((y - 38) / 22) ** 2)[..., None]
        return f32(base * yarn[..., None] * (1 - pale) + np.array([0.72, 0.78, 0.84]) * pale)

    return paint


def _floral(base: NDArray[np.float64], seed: int, period: float) -> Paint:
    """Flowers and leaves on a tile that repeats every `period` centimetres."""
    rng, side = np.random.default_rng(seed), 256
    tile = np.ones((side, side, 3), np.float32) * f32(base)
    inks = [COLOURS[str(name)] for name in rng.choice(list(COLOURS), 3, replace=False)]
    leaf = (0.28, 0.42, 0.28) if base.sum() > 1.2 else (0.45, 0.58, 0.42)
    for k in range(12):
        at, size, tilt = rng.uniform(0, side, 2), rng.uniform(13, 24), rng.uniform(0, 6.28)
        for dx in (-side, 0, side):
            for dy in (-side, 0, side):
                _flower(tile, (at[0] + dx, at[1] + dy), size, tilt, inks[k % 3], leaf)

    def paint(x: Array, y: Array) -> Array:
        i, j = (np.mod(t / period * side, side - 1).astype(np.float32) for t in (x, y))
        found = cv2.remap(tile, i.reshape(len(i), -1), j.reshape(len(j), -1), cv2.INTER_LINEAR)
        return np.asarray(found.reshape(*x.shape, 3) * weave(x, y, 0.012)[..., None], np.float32)

    return paint


def _flower(
    tile: Array, at: tuple[float, float], size: float, tilt: float, ink: tuple[float, ...], leaf: tuple[float, ...]
) -> None:
    for angle in (tilt + 1.2, tilt + 3.8):
        centre = (round(at[0] + np.cos(angle) * size * 1.1), round(at[1] + np.sin(angle) * size * 1.1))
        cv2.ellipse(
            tile, centre, (round(size * 0.6), round(size * 0.2)), np.degrees(angle), 0, 360, leaf, -1, cv2.LINE_AA
        )
    for petal in range(5):
        angle = tilt + petal * 2 * np.pi / 5
        centre = (round(at[0] + np.cos(angle) * size * 0.5), round(at[1] + np.sin(angle) * size * 0.5))
        tone = tuple(float(c) * (0.92 + 0.04 * petal) for c in ink)
        cv2.ellipse(
            tile, centre, (round(size * 0.5), round(size * 0.33)), np.degrees(angle), 0, 360, tone, -1, cv2.LINE_AA
        )
    cv2.circle(tile, (round(at[0]), round(at[1])), round(size * 0.2), (0.93, 0.80, 0.40), -1, cv2.LINE_AA)


@dataclass(frozen=True, eq=False)
class Print:
    """What is printed on the chest: `(h, w, 4)` colour and cover 0..1, and the word on it ("" = none)."""

    picture: Array
    word: str


def draw_print(rng: np.random.Generator, cloth: str) -> Print:
    """Lettering, a badge or both, in colours that show on a cloth of that colour."""
    dark = sum(COLOURS[cloth]) < 1.3
    inks = ("white", "yellow", "sky", "pink", "orange", "cream") if dark else ("black", "navy", "red", "teal", "purple")
    first, second = (COLOURS[str(name)] for name in rng.choice(inks, 2, replace=False))
    word = WORDS[int(rng.integers(len(WORDS)))]
    kind = str(rng.choice(["word", "badge", "both"], p=[0.4, 0.2, 0.4]))
    canvas = Image.new("RGBA", (512, 512), (*(int(c * 255) for c in first), 0))
    pen = ImageDraw.Draw(canvas)
    one, two = ((*(int(c * 255) for c in ink), 255) for ink in (first, second))
    if kind != "word":
        _badge(pen, rng, one, two)
    if kind != "badge":
        size = 300
        while size > 20 and pen.textlength(word, font=ImageFont.load_default(size)) > 470:
            size -= 6
        y = 256 if kind == "word" else 440
        pen.text(
            (256, y),
            word,
            one,
            ImageFont.load_default(size if kind == "word" else min(size, 120)),
            anchor="mm",
            stroke_width=2,
        )
    return Print(f32(np.asarray(canvas) / 255), "" if kind == "badge" else word)


def _badge(pen: ImageDraw.ImageDraw, rng: np.random.Generator, one: tuple[int, ...], two: tuple[int, ...]) -> None:
    kind = int(rng.integers(4))
    if kind == 0:  # a sun over waves
        pen.ellipse((136, 60, 376, 300), fill=one)
        for k in range(4):
            pen.rectangle((120, 200 + 28 * k, 392, 212 + 28 * k), fill=two)
    elif kind == 1:  # mountains
        pen.polygon([(96, 340), (220, 90), (300, 250), (340, 180), (430, 340)], fill=one)
        pen.polygon([(220, 90), (185, 165), (220, 150), (250, 170)], fill=two)
    elif kind == 2:  # rings
        for k in range(5):
            pen.ellipse((106 + 30 * k, 50 + 30 * k, 406 - 30 * k, 350 - 30 * k), fill=one if k % 2 == 0 else two)
    else:  # a star
        turn = rng.uniform(0, 6.28)
        points = [
            (256 + (150 if k % 2 == 0 else 62) * np.cos(turn + k * np.pi / 5),
             200 + (150 if k % 2 == 0 else 62) * np.sin(turn + k * np.pi / 5)) for k in range(10)
        ]  # fmt: skip
        pen.polygon(points, fill=one)
        pen.ellipse((216, 160, 296, 240), fill=two)
