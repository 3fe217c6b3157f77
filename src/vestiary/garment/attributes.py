"""What a garment looks like in words and swatches: main colours, sleeve length, neckline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from vestiary.types import UPPER, Category, Landmark, Sleeve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.types import Mask, Picture, Points


def main_colours(image: Picture, alpha: Mask, *, most: int = 5) -> tuple[tuple[tuple[int, int, int], float], ...]:
    """The main colours with their shares, largest first: k-means in Lab over the sure alpha, near ones merged."""
    pixels = image[alpha > 240]
    if len(pixels) < most:
        return ()
    pixels = pixels[:: max(1, len(pixels) // 4000)]
    lab = cv2.cvtColor(pixels[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    cv2.setRNGSeed(0)
    rule = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 0.5)
    _, labels, centres = cv2.kmeans(lab, most, None, rule, 1, cv2.KMEANS_PP_CENTERS)
    shares = np.bincount(labels.ravel(), minlength=most) / len(labels)
    merged = _merge(centres, shares)
    rgb = cv2.cvtColor(np.array([[c for c, _ in merged]], np.float32), cv2.COLOR_LAB2RGB)[0]
    named = [
        (tuple(int(v) for v in np.rint(np.clip(c, 0, 1) * 255)), share)
        for c, (_, share) in zip(rgb, merged, strict=True)
    ]
    return tuple(((r, g, b), round(share, 3)) for (r, g, b), share in named)


def _merge(
    centres: NDArray[np.float32], shares: NDArray[np.float64], near: float = 14
) -> list[tuple[NDArray[np.float32], float]]:
    """Colours less than `near` apart (CIE76) become one; those under 3 % are dropped."""
    groups: list[tuple[NDArray[np.float32], float]] = []
    for k in np.argsort(-shares):
        centre, share = centres[k], float(shares[k])
        for i, (other, weight) in enumerate(groups):
            if np.linalg.norm((other - centre) * (0.7, 1, 1)) < near:
                groups[i] = ((other * weight + centre * share) / (weight + share), weight + share)
                break
        else:
            groups.append((centre, share))
    kept = [group for group in groups if group[1] >= 0.03]
    return sorted(kept, key=lambda group: -group[1])


def sleeve_length(landmarks: Points, category: Category) -> Sleeve:
    """Sleeve length from where the cuffs are, measured in shoulder widths along the sleeve."""
    if category not in UPPER:
        return "none"
    ratio = sleeve_ratio(landmarks)
    if ratio < 0.12:
        return "none"
    return "short" if ratio < 0.75 else "half" if ratio < 1.05 else "long"


def sleeve_ratio(landmarks: Points) -> float:
    """The mean length of the sleeves from shoulder to outer cuff, by the distance of the shoulders; 0 without cuffs."""
    lengths = []
    for side in ("LEFT", "RIGHT"):
        cuff, shoulder = landmarks[Landmark[f"CUFF_OUTER_{side}"]], landmarks[Landmark[f"SHOULDER_{side}"]]
        if cuff[2] > 0:
            lengths.append(float(np.hypot(*(cuff - shoulder)[:2])))
    width = float(np.hypot(*(landmarks[Landmark.SHOULDER_LEFT] - landmarks[Landmark.SHOULDER_RIGHT])[:2]))
    return sum(lengths) / len(lengths) / max(width, 1e-6) if lengths else 0.0
