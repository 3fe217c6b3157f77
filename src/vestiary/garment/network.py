"""What the garment network sees in a photo: mask, landmarks, category, sleeve, neckline, which way is up.

The network is `networks/garment.onnx` (trained by `vestiary.training.garment`, card in `docs/models/garment.md`). It
sees the photo letterboxed to 256 × 256 and answers in input pixels. It is at its best when the garment is upright: for
one that is not, turn the picture by `GarmentLook.up` and look again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from vestiary import inference
from vestiary.types import CATEGORIES, NECKLINES, SLEEVES, Landmark, freeze

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.types import Mask, Picture, Points

SIDE = 256
GREY = 127  # the letterbox's filling
SURE = 8.0  # of held-out upright photos, four in five are surer than that, of turned ones one in twenty
LEAD = 1.5  # by which a turned photo must be surer than the photo as it is
SIDES = ("NECK", "SHOULDER", "ARMPIT", "WAIST", "HIP", "HEM")  # pairs that lie level on an upright garment
LEFTS, RIGHTS = ([Landmark[f"{name}_{side}"] for name in SIDES] for side in ("LEFT", "RIGHT"))
UPPER_EDGE = [Landmark.NECK_LEFT, Landmark.NECK_RIGHT, Landmark.WAIST_LEFT, Landmark.WAIST_RIGHT]
HEMS = [Landmark.HEM_LEFT, Landmark.HEM_RIGHT]


@dataclass(frozen=True, eq=False)
class GarmentLook:
    """What the network sees in one photo, in that photo's pixels.

    Attributes:
        mask: `(H, W) uint8` soft mask, as fine as 256 × 256 over the whole photo allows.
        landmarks: `(28, 3) float32`: x, y in pixels (sub-pixel), confidence 0..1; index with `Landmark`.
        category_scores: probability of each of `CATEGORIES`; they sum to 1.
        sleeve_scores: probability of each of `SLEEVES`; they sum to 1 (meaningless for skirts and trousers).
        neckline_scores: probability of each of `NECKLINES`; they sum to 1.
        up: `(2,) float32` unit vector (x, y) in picture coordinates (y down) that points from the hem to the neck or
            waistband: `(0, -1)` for an upright garment, `(1, 0)` for one whose neck is at the picture's right.
        presence: probability that there is a garment at all.
    """

    mask: Mask
    landmarks: Points
    category_scores: Mapping[str, float]
    sleeve_scores: Mapping[str, float]
    neckline_scores: Mapping[str, float]
    up: Points
    presence: float

    def __post_init__(self) -> None:
        freeze(self)


def look(image: Picture) -> GarmentLook:
    """What the network sees in a photo of a single garment.

    A garment that lies on its side or upside down gives weak landmarks; then the photo is also looked at in the other
    three quarter turns, and the answer of the best is turned back.

    Args:
        image: `(H, W, 3) uint8` sRGB.

    Raises:
        WeightsError: the model file is missing or broken.
    """
    seen = look_once(image)
    if sureness(seen) >= SURE or seen.presence < 0.5:
        return seen
    turned = [turned_back(look_once(np.ascontiguousarray(np.rot90(image, turns))), turns) for turns in (1, 2, 3)]
    best = max(turned, key=sureness)
    return best if sureness(best) > sureness(seen) + LEAD else seen


def look_once(image: Picture) -> GarmentLook:
    """What the network sees in the photo as it is; arguments and errors as for `look`."""
    canvas, scale, left, top = letterbox(image)
    session = inference.session("garment")
    pixels = canvas.transpose(2, 0, 1)[None].astype(np.float32)
    names = [output.name for output in session.get_outputs()]
    found = dict(zip(names, session.run(None, {"image": pixels}), strict=True))
    landmarks = decode_landmarks(found["heat"][0], found["visible"][0])
    landmarks[:, :2] = (landmarks[:, :2] - (left, top) + 0.5) / scale - 0.5
    return GarmentLook(
        mask=_back_to_photo(found["mask"][0, 0], image.shape[:2], scale, left, top),
        landmarks=landmarks,
        category_scores=_named(CATEGORIES, found["category"][0]),
        sleeve_scores=_named(SLEEVES, found["sleeve"][0]),
        neckline_scores=_named(NECKLINES, found["neckline"][0]),
        up=up_of(landmarks, found["up"][0]),
        presence=float(found["presence"][0, 0]),
    )


def up_of(landmarks: Points, guess: NDArray[np.floating[Any]]) -> Points:
    """Which way is up, a `(2,) float32` unit vector: by the landmarks, if they are near the network's own guess.

    The landmarks' answer is the mean of two directions: from the hem to the upper edge, and square to the lines from
    right to left.
    """
    sure = np.where(landmarks[:, 2] > 0.15, landmarks[:, 2], 0)
    tops, hems = sure[UPPER_EDGE], sure[HEMS]
    if tops.sum() * hems.sum() > 0:
        axis = tops @ landmarks[UPPER_EDGE, :2] / tops.sum() - hems @ landmarks[HEMS, :2] / hems.sum()
        pairs = np.minimum(sure[LEFTS], sure[RIGHTS])
        across = pairs @ (landmarks[LEFTS, :2] - landmarks[RIGHTS, :2])
        square = np.array([across[1], -across[0]])
        found = axis / (np.hypot(*axis) + 1e-6) + square / (np.hypot(*square) + 1e-6)
        if found @ guess > 0.5 * np.hypot(*found) * np.hypot(*guess):  # within 60 degrees
            guess = found
    length = float(np.hypot(*guess))
    return np.asarray(guess if length > 1e-3 else (0, -1), np.float32) / np.float32(length if length > 1e-3 else 1)


def sureness(seen: GarmentLook) -> float:
    """The landmarks' confidences summed up: much more when the garment is upright."""
    return float(seen.landmarks[:, 2].sum())


def turned_back(seen: GarmentLook, turns: int) -> GarmentLook:
    """What was seen in a picture turned anticlockwise by `turns` quarters, in the pixels of the unturned picture."""
    mask, landmarks, up = seen.mask, seen.landmarks.copy(), seen.up
    for _ in range(turns):
        mask = np.rot90(mask, -1)
        landmarks[:, :2] = np.column_stack([mask.shape[1] - 1 - landmarks[:, 1], landmarks[:, 0]])
        up = np.array([-up[1], up[0]], np.float32)
    return replace(seen, mask=np.ascontiguousarray(mask), landmarks=landmarks, up=up)


def letterbox(image: Picture) -> tuple[Picture, float, int, int]:
    """The photo scaled into a grey 256 × 256 square: picture, scale, left and top margin."""
    height, width = image.shape[:2]
    scale = SIDE / max(height, width)
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    left, top = (SIDE - small[0]) // 2, (SIDE - small[1]) // 2
    canvas = np.full((SIDE, SIDE, 3), GREY, np.uint8)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas[top : top + small[1], left : left + small[0]] = cv2.resize(image, small, interpolation=method)
    return canvas, scale, left, top


def decode_landmarks(heat: NDArray[np.floating[Any]], visible: NDArray[np.floating[Any]]) -> Points:
    """`(28, 3) float32`: x, y in the network's 256 × 256 picture and a confidence, from maps `(28, h, w)`.

    The maps are logits of a distribution over places. A point is the mean of that distribution in the 7 × 7 window
    round its peak, its confidence the network's visibility times the share of the distribution that lies there.
    """
    count, height, width = heat.shape
    flat = heat.reshape(count, -1).astype(np.float64)
    chance = np.exp(flat - flat.max(axis=1, keepdims=True))
    chance = (chance / chance.sum(axis=1, keepdims=True)).reshape(count, height, width)
    points = np.zeros((len(Landmark), 3), np.float32)
    for index, place in enumerate(chance.reshape(count, -1).argmax(axis=1)):
        y, x = divmod(int(place), width)
        rows, columns = slice(max(0, y - 3), y + 4), slice(max(0, x - 3), x + 4)
        window = chance[index, rows, columns]
        share = window.sum()
        ys, xs = np.mgrid[rows.start : rows.start + window.shape[0], columns.start : columns.start + window.shape[1]]
        centre = np.array([(window * xs).sum(), (window * ys).sum()]) / share
        points[index, :2] = (centre + 0.5) * (SIDE / width) - 0.5
        points[index, 2] = float(visible[index]) * min(1.0, float(share) * 1.2)
    return points


def _back_to_photo(
    mask: NDArray[np.floating[Any]], shape: tuple[int, ...], scale: float, left: int, top: int
) -> NDArray[np.uint8]:
    height, width = shape
    small = mask[top : top + max(1, round(height * scale)), left : left + max(1, round(width * scale))]
    large = cv2.resize(small.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    result: NDArray[np.uint8] = np.clip(np.rint(large * 255), 0, 255).astype(np.uint8)
    return result


def _named(names: tuple[str, ...], scores: NDArray[np.floating[Any]]) -> dict[str, float]:
    return {name: float(score) for name, score in zip(names, scores, strict=True)}
