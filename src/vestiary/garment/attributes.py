"""What a garment is in words and swatches: category, sleeve length, neckline, main colours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np

from vestiary.types import CATEGORIES, NECKLINES, SLEEVES, UPPER, Category, Landmark, Neckline, Sleeve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.types import Mask, Picture, Points

    Floats = NDArray[np.floating[Any]]

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
    return cast(Category, max(scores, key=lambda name: scores[name]))


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


def main_colours(image: Picture, alpha: Mask, *, most: int = 5) -> tuple[tuple[tuple[int, int, int], float], ...]:
    """The main colours with their shares, largest first: k-means in Lab over the sure alpha, near ones merged."""
    step = max(1, round(max(alpha.shape) / 512))
    pixels = image[::step, ::step][alpha[::step, ::step] > 240]
    if len(pixels) < most:
        return ()
    pixels = pixels[:: max(1, len(pixels) // 4000)]
    lab = cv2.cvtColor(pixels[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    cv2.setRNGSeed(0)
    rule = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 0.5)
    _, labels, centres = cv2.kmeans(lab, most, None, rule, 1, cv2.KMEANS_PP_CENTERS)
    shares = np.bincount(labels.ravel(), minlength=most) / len(labels)
    merged = _merge(centres, shares)
    rgb = cv2.cvtColor(np.array([[colour for colour, _ in merged]], np.float32), cv2.COLOR_LAB2RGB)[0]
    bytes_ = np.rint(np.clip(rgb, 0, 1) * 255).astype(int).tolist()
    return tuple(((r, g, b), round(share, 3)) for (r, g, b), (_, share) in zip(bytes_, merged, strict=True))


def _merge(centres: Floats, shares: Floats, near: float = 14) -> list[tuple[Floats, float]]:
    """Colours less than `near` apart (CIE76, lightness counting less) become one; those under 3 % are dropped."""
    groups: list[tuple[Floats, float]] = []
    for k in np.argsort(-shares, kind="stable"):
        centre, share = centres[k], float(shares[k])
        for i, (other, weight) in enumerate(groups):
            if np.linalg.norm((other - centre) * (0.7, 1, 1)) < near:
                groups[i] = ((other * weight + centre * share) / (weight + share), weight + share)
                break
        else:
            groups.append((centre, share))
    return sorted((group for group in groups if group[1] >= 0.03), key=lambda group: -group[1])
