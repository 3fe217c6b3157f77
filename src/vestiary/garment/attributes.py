"""What a garment is in words: category, sleeve length, neckline, by the networks' scores and the outline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from vestiary.types import CATEGORIES, MOTIFS, NECKLINES, SLEEVES, UPPER, Landmark

if TYPE_CHECKING:
    from vestiary.garment.describe import Description
    from vestiary.garment.network import GarmentLook
    from vestiary.types import Category, Length, Mask, Motif, Neckline, Points, Sleeve

# Sleeve from shoulder to outer cuff in shoulder widths: mean and deviation of each length.
SLEEVE_RATIO: dict[Sleeve, tuple[float, float]] = {"short": (0.45, 0.17), "half": (0.85, 0.17), "long": (1.35, 0.25)}


# How the outline speaks for each category: a constant, per tenth of notch, per third of log length, and its square over
# three. Fitted by logistic regression on 720 phone photos, together with the sharpening of the network's scores.
# Outerwear is then held back a little, since a shirt worn as a jacket looks worse than a jacket worn as a shirt.
OUTLINE: dict[Category, tuple[float, float, float, float]] = {
    "top": (-0.38, 0.10, -0.04, -0.20),
    "outerwear": (-0.58, 0.01, 0.31, -0.44),
    "dress": (0.23, -0.50, 0.02, 0.49),
    "skirt": (1.07, -0.56, 0.07, 0.43),
    "trousers": (-0.16, 0.30, 0.09, 0.05),
    "shorts": (-0.58, 0.66, -0.44, -0.32),
}
SHARPEN = 1.39


def with_outline(scores: Mapping[str, float], mask: Mask) -> dict[str, float]:
    """The network's category scores corrected by the outline: legs leave a notch in the hem, dresses are long.

    Args:
        scores: probability of each category.
        mask: `(h, w) uint8` of the upright garment.
    """
    notch, length = outline_shape(mask)
    terms = np.array((1.0, 10 * min(notch, 0.3), 3 * np.log(length), 3 * np.log(length) ** 2))
    odds = np.array([SHARPEN * np.log(max(scores[name], 1e-3)) + terms @ OUTLINE[name] for name in CATEGORIES])
    chance = np.exp(odds - odds.max())
    return {name: float(value) for name, value in zip(CATEGORIES, chance / chance.sum(), strict=True)}


# How much the attribute network counts beside the garment network (with the outline, in the category): exponents.
TRUST = {"category": (1.0, 0.35), "sleeve": (1.0, 0.5), "neckline": (1.0, 0.15)}
# The length from the shoulders to the hem in distances of the armpits: mean and deviation, on 184 held-out photos.
TALL = {"top": (1.35, 0.2), "dress": (2.15, 0.38)}
LENGTHS_OF: dict[Category, tuple[Length, ...]] = {
    "top": ("cropped", "regular", "long"),
    "outerwear": ("cropped", "regular", "long"),
    "dress": ("mini", "knee", "midi", "maxi"),
    "skirt": ("mini", "knee", "midi", "maxi"),
    "trousers": ("none",),
    "shorts": ("none",),
}


def category_scores(seen: GarmentLook, described: Description | None) -> dict[str, float]:
    """The probability of each category, from both networks and the outline."""
    scores = with_outline(seen.category_scores, seen.mask)
    if described is None:
        return scores
    pooled = _pooled("category", described, scores)
    return _top_or_dress(pooled, seen.landmarks, described.scores["sleeve"]["none"])


def _top_or_dress(scores: dict[str, float], landmarks: Points, sleeveless: float) -> dict[str, float]:
    """The share of tops and dresses divided anew by their length.

    No real top of the networks' training is without sleeves, so what they say of such garments counts less.
    """
    tall = torso_length(landmarks)
    if tall == 0 or scores["top"] + scores["dress"] < 1e-6:
        return scores
    odds = float(np.log(max(scores["top"], 1e-6) / max(scores["dress"], 1e-6))) * (1 - 0.6 * sleeveless)
    (top, near), (dress, wide) = TALL["top"], TALL["dress"]
    odds += 0.5 * ((tall - dress) / wide) ** 2 - 0.5 * ((tall - top) / near) ** 2 + float(np.log(wide / near))
    share, both = 1 / (1 + float(np.exp(-odds))), scores["top"] + scores["dress"]
    return {**scores, "top": both * share, "dress": both * (1 - share)}


def torso_length(landmarks: Points, sure: float = 0.3) -> float:
    """The length from the shoulders to the hem by the distance of the armpits; 0 where they are not seen."""
    ends = [(Landmark[f"{name}_LEFT"], Landmark[f"{name}_RIGHT"]) for name in ("SHOULDER", "ARMPIT", "HEM")]
    if min(float(landmarks[mark, 2]) for pair in ends for mark in pair) < sure:
        return 0.0
    (left, right) = (landmarks[mark, :2] for mark in ends[1])
    middles = [(landmarks[a, :2] + landmarks[b, :2]) / 2 for a, b in (ends[0], ends[2])]
    width = float(np.hypot(*(left - right)))
    return float(np.hypot(*(middles[1] - middles[0]))) / width if width > 4 else 0.0


def mixed(name: str, seen: GarmentLook, described: Description | None) -> Mapping[str, float]:
    """The probability of each sleeve ("sleeve") or neckline ("neckline"), from one network or both."""
    scores = seen.sleeve_scores if name == "sleeve" else seen.neckline_scores
    return scores if described is None else _pooled(name, described, scores)


def _pooled(name: str, described: Description, other: Mapping[str, float]) -> dict[str, float]:
    """Two opinions multiplied, each to its power (a logarithmic opinion pool)."""
    own, second = TRUST[name]
    pooled = {
        word: max(chance, 1e-4) ** own * max(other[word], 1e-3) ** second
        for word, chance in described.scores[name].items()
    }
    total = sum(pooled.values())
    return {word: chance / total for word, chance in pooled.items()}


def outline_shape(mask: Mask) -> tuple[float, float]:
    """How deep the hem is notched near its middle, in garment heights, and the garment's height by its width."""
    x, y, width, height = cv2.boundingRect((mask > 127).astype(np.uint8))
    if width < 8 or height < 8:
        return 0.0, 1.0
    inside = mask[y : y + height, x : x + width] > 127
    lowest = np.where(inside.any(0), height - 1 - inside[::-1].argmax(0), 0) / height
    first = int(0.3 * width)
    top = first + int(lowest[first : max(int(0.7 * width), first + 1)].argmin())
    sides = min(float(lowest[:top].max(initial=0)), float(lowest[top:].max(initial=0)))
    return max(0.0, sides - float(lowest[top])), height / width


def best_category(scores: Mapping[str, float]) -> Category:
    """The most probable category."""
    return cast("Category", max(scores, key=lambda name: scores[name]))


def sleeve_length(scores: Mapping[str, float], landmarks: Points, category: Category) -> Sleeve:
    """Sleeve length: the network's scores times how well each length agrees with where the cuffs are."""
    if category not in UPPER:
        return "none"
    ratio = sleeve_ratio(landmarks)
    chance = {name: scores[name] for name in SLEEVES}
    if ratio > 0:
        for name, (mean, deviation) in SLEEVE_RATIO.items():
            chance[name] *= 0.05 + float(np.exp(-0.5 * ((ratio - mean) / deviation) ** 2))
        chance["none"] *= 0.3
    return max(SLEEVES, key=lambda name: chance[name])


def sleeve_ratio(landmarks: Points, sure: float = 0.4) -> float:
    """The mean length of the sleeves from shoulder to outer cuff, by the distance of the shoulders; 0 without cuffs."""
    left, right = landmarks[Landmark.SHOULDER_LEFT], landmarks[Landmark.SHOULDER_RIGHT]
    width = float(np.hypot(*(left - right)[:2]))
    pairs = ((Landmark.CUFF_OUTER_LEFT, left), (Landmark.CUFF_OUTER_RIGHT, right))
    lengths = [float(np.hypot(*(landmarks[cuff] - end)[:2])) for cuff, end in pairs if landmarks[cuff, 2] > sure]
    return sum(lengths) / len(lengths) / width if lengths and width > 1 else 0.0


def neckline(scores: Mapping[str, float], category: Category) -> Neckline:
    """The most probable neckline; "none" for what is worn below the waist."""
    if category not in UPPER:
        return "none"
    return max((name for name in NECKLINES if name != "none"), key=lambda name: scores[name])


def pattern(scores: Mapping[str, float]) -> Motif:
    """The most probable pattern."""
    return max(MOTIFS, key=lambda name: scores[name])


def length(scores: Mapping[str, float], category: Category) -> Length:
    """The most probable length among those that this category has."""
    return max(LENGTHS_OF[category], key=lambda name: scores[name])
