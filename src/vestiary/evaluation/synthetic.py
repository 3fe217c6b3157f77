"""Garment detail against a true photo: exact, since the truth says where every point of the print belongs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vestiary.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.evaluation.detail import Matches
    from vestiary.types import Mask, Picture

VERSION = "1"
PATCH, SEARCH = 0.03, 0.02  # of the picture's height: side of a patch, and how far its match is looked for
FAINT = 1.0  # standard deviation of L* in a patch below which it has no pattern


def pattern_match(result: Picture, truth: Picture, where: Mask) -> float | None:
    """How well the pattern on the garment agrees with the true photo's, -1..1; None for a plain garment.

    The garment's place is cut into patches; each is looked for in the result within 2 % of the picture's height, and
    its best normalised cross-correlation counts with the patch's own contrast. A print that is sharp and a little
    displaced scores high; a blurred, invented or missing one low.

    Args:
        result: `(H, W, 3) uint8`.
        truth: of the same shape.
        where: `(H, W) uint8`, 255 = the garment in the truth.
    """
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)[..., 0].astype(np.float32) / 2.55 for picture in (result, truth)]
    band = [cv2.GaussianBlur(light, (0, 0), 0.7) - cv2.GaussianBlur(light, (0, 0), 8) for light in grey]
    height, width = where.shape
    side, reach = max(8, round(PATCH * height)), max(3, round(SEARCH * height))
    scores, contrasts = [], []
    for y in range(reach, height - side - reach, side):
        for x in range(reach, width - side - reach, side):
            if (where[y : y + side, x : x + side] > 0).mean() < 0.95:
                continue
            patch = band[1][y : y + side, x : x + side]
            contrast = float(patch.std())
            if contrast < FAINT:
                continue
            area = band[0][y - reach : y + side + reach, x - reach : x + side + reach]
            scores.append(float(np.nan_to_num(cv2.matchTemplate(area, patch, cv2.TM_CCOEFF_NORMED)).max()))
            contrasts.append(contrast)
    return float(np.average(scores, weights=contrasts)) if len(scores) >= 4 else None


def print_place(matches: Matches, flow: NDArray[np.float32], torso: float) -> float | None:
    """How far the print lies from its true place: the median over its points, in % of the torso's height.

    Args:
        matches: points of the flat garment found in the result.
        flow: `(H, W, 2) float32` in the truth: the place in the flat picture that each pixel shows, NaN elsewhere.
        torso: pixels from shoulders to hips.

    Returns:
        None when fewer than five of the points are seen in the truth.
    """
    seen = ~np.isnan(flow[..., 0])
    if not seen.any() or not len(matches.flat):
        return None
    places = np.argwhere(seen)[:, ::-1].astype(np.float32)
    shown = flow[seen]
    away = []
    for flat, worn in zip(matches.flat, matches.worn, strict=True):
        squares = np.square(shown - flat).sum(axis=1)
        nearest = int(squares.argmin())
        if squares[nearest] < 9:  # three pixels of the flat picture
            away.append(float(np.hypot(*(places[nearest] - worn))))
    return 100 * float(np.median(away)) / torso if len(away) >= 5 else None


def read_flow(path: Path, scale: float) -> NDArray[np.float32]:
    """`(H, W, 2) float32`: the place in the flat picture, in pixels, that each pixel of the truth shows; NaN = none.

    The format is that of `vestiary synth` (docs/data/synthetic.md); only the front of the garment counts.

    Raises:
        ImageError: the file is missing or damaged.
    """
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.is_file() else None
    if stored is None or stored.dtype != np.uint16 or stored.ndim != 3:
        hint = "Make the set again with vestiary synth."
        raise ImageError(f"{path} is missing or no correspondence map.", hint=hint)
    flow = np.asarray(stored[..., 2:0:-1] / scale, np.float32)
    flow[stored[..., 0] != 1] = np.nan
    return flow
