"""Random garments with exact landmarks: what the garment network learns from, and what samples are drawn from."""

from __future__ import annotations

import numpy as np

from vestiary.training.lowers import draw_legs, draw_skirt
from vestiary.training.outlines import Line, Pattern, Piece
from vestiary.training.uppers import draw_upper
from vestiary.types import UPPER, Category, Landmark, Length, Neckline, Sleeve

__all__ = ["Pattern", "Piece", "crumple", "draw_pattern", "length_of"]


def draw_pattern(
    rng: np.random.Generator,
    category: Category,
    *,
    sleeve: Sleeve | None = None,
    neckline: Neckline | None = None,
    opening: str | None = None,
    crumpled: float = 1.0,
) -> Pattern:
    """A random garment of that category, in centimetres.

    Args:
        rng: source of all chance: the same state gives the same garment.
        category: what to draw.
        sleeve: sleeve length of an upper garment; by chance when not given.
        neckline: neckline of an upper garment; by chance when not given.
        opening: "none", "buttons", "zip" or "open"; by chance when not given.
        crumpled: how far the cloth is from lying flat and symmetric: 0 = a drawing, 1 = a phone photo.
    """
    if category in UPPER:
        pattern = draw_upper(rng, category, sleeve=sleeve, neckline=neckline, opening=opening, loose=crumpled)
    elif category == "skirt":
        pattern = draw_skirt(rng)
    else:
        pattern = draw_legs(rng, category, loose=crumpled)
    pattern.attributes["length"] = length_of(pattern)
    if rng.random() < 0.5:
        pattern = pattern.mirrored()
    return crumple(rng, pattern, crumpled) if crumpled > 0 else pattern


def length_of(pattern: Pattern) -> Length:
    """The length in words, by the centimetres from neck or waist to hem."""
    if pattern.category in ("trousers", "shorts"):
        return "none"
    hem = float(pattern.landmarks[Landmark.HEM_LEFT][1])
    words: tuple[tuple[float, Length], ...] = ((50, "cropped"), (80, "regular"), (np.inf, "long"))
    if pattern.category == "dress":
        words = ((92, "mini"), (108, "knee"), (126, "midi"), (np.inf, "maxi"))
    elif pattern.category == "skirt":
        words = ((46, "mini"), (62, "knee"), (82, "midi"), (np.inf, "maxi"))
    return next(word for most, word in words if hem < most)


def crumple(rng: np.random.Generator, pattern: Pattern, amount: float = 1.0) -> Pattern:
    """The pattern as somebody laid it down: sheared, bent and wavy, landmarks and seams alike."""
    size = max(pattern.bounds()[2] - pattern.bounds()[0], pattern.bounds()[3] - pattern.bounds()[1])
    shear = np.eye(2) + rng.normal(0, 0.03 * amount, (2, 2))
    waves = []
    for length, height in ((1.2, 0.012), (0.6, 0.008), (0.3, 0.004), (0.1, 0.0016), (0.05, 0.0009)):
        for _ in range(2):
            turn = rng.uniform(0, 2 * np.pi)
            wave = np.array([np.cos(turn), np.sin(turn)]) * 2 * np.pi / (length * size * rng.uniform(0.8, 1.3))
            push = rng.normal(0, height * size * amount, 2) * rng.uniform(0.2, 1.2)
            waves.append((wave, rng.uniform(0, 2 * np.pi), push))

    def move(points: Line) -> Line:
        moved: Line = points @ shear.T
        return moved + sum(np.sin(points @ wave + phase)[:, None] * push for wave, phase, push in waves)

    return pattern.moved(move)
