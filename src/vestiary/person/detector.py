"""Where the people are: the single-shot detector of BlazePose, and the square that each person fills.

Follows Bazarevsky et al., "BlazePose: On-device Real-time Body Pose tracking" (2020): the detector's box is the face,
and two points describe the body: the middle of the hips, and a point on the circle around the whole person.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.person.tflite import network

if TYPE_CHECKING:
    from vestiary.types import Picture

Floats = NDArray[np.float32]

SIDE = 224
STRIDES = (8, 16, 32, 32, 32)
ANCHORS_PER_CELL = 2
MIN_SCORE = 0.5
MIN_OVERLAP = 0.3
MIN_TILE = 96  # pixels; in smaller ones nobody could be fitted
ROI_SCALE = 1.25


@dataclass(frozen=True)
class Roi:
    """A turned square in the photo: centre, side length in pixels, and angle in radians (0 = upright person)."""

    x: float
    y: float
    side: float
    angle: float

    def to_photo(self, pixels: int) -> Floats:
        """`(2, 3) float32`: maps points of the square drawn with `pixels` × `pixels` to points of the photo."""
        scale = self.side / pixels
        cos, sin = np.cos(self.angle) * scale, np.sin(self.angle) * scale
        middle = (pixels - 1) / 2
        return np.array(
            [
                [cos, -sin, self.x - middle * cos + middle * sin],
                [sin, cos, self.y - middle * sin - middle * cos],
            ],
            np.float32,
        )


@dataclass(frozen=True)
class Detection:
    """One person, as the detector sees them.

    Attributes:
        score: 0..1.
        face: x0, y0, x1, y1 of the face in pixels.
        hips: the middle of the hips in pixels.
        rim: a point on the circle around the whole person, above the head, in pixels.
    """

    score: float
    face: tuple[float, float, float, float]
    hips: tuple[float, float]
    rim: tuple[float, float]

    @property
    def size(self) -> float:
        """The diameter of the circle around the whole person, in pixels."""
        return 2 * float(np.hypot(self.rim[0] - self.hips[0], self.rim[1] - self.hips[1]))

    def moved(self, dx: float, dy: float) -> Detection:
        """The same person in a picture of which this one is a part that begins at (dx, dy)."""
        x0, y0, x1, y1 = self.face
        face = (x0 + dx, y0 + dy, x1 + dx, y1 + dy)
        return Detection(self.score, face, (self.hips[0] + dx, self.hips[1] + dy), (self.rim[0] + dx, self.rim[1] + dy))

    @property
    def roi(self) -> Roi:
        """The square that the landmark network looks at."""
        return body_roi(self.hips, self.rim)


def body_roi(hips: tuple[float, float], rim: tuple[float, float]) -> Roi:
    """The square around a person from the middle of the hips and a point on the circle around them."""
    dx, dy = rim[0] - hips[0], rim[1] - hips[1]
    return Roi(hips[0], hips[1], 2 * ROI_SCALE * float(np.hypot(dx, dy)), float(np.pi / 2 - np.arctan2(-dy, dx)))


def detect(image: Picture, *, min_score: float = MIN_SCORE) -> list[Detection]:
    """The people in a picture, largest first."""
    tensor, scale, shift = _letterbox(image)
    regressors, logits = network("pose_detection")(tensor)
    scores = np.asarray(1 / (1 + np.exp(-np.clip(logits[:, 0], -60, 60))), np.float32)
    keep = scores >= min_score
    merged = _merge(_decode(regressors[keep], _anchors()[keep]), scores[keep])
    found = [_detection(values, score, scale, shift) for values, score in merged]
    return sorted(found, key=lambda person: -person.size)


def detect_small(image: Picture, *, min_score: float = MIN_SCORE) -> list[Detection]:
    """The people that are too small to be seen in the whole picture, largest first; it looks at parts of it."""
    found: list[Detection] = []
    for x, y, side in _tiles(image.shape[1], image.shape[0]):
        for person in detect(image[y : y + side, x : x + side], min_score=min_score):
            if not any(_same(person.moved(x, y), other) for other in found):
                found.append(person.moved(x, y))
    return sorted(found, key=lambda person: -person.size)


def _tiles(width: int, height: int) -> list[tuple[int, int, int]]:
    """x, y and side of overlapping squares: as large as fit into the picture, then half of that."""
    tiles = []
    for side in (min(width, height), min(width, height) // 2):
        if side >= MIN_TILE:
            steps = [max(1, -(-2 * (size - side) // side)) + 1 for size in (width, height)]
            xs, ys = (
                np.unique(np.linspace(0, size - side, n).astype(int))
                for size, n in zip((width, height), steps, strict=True)
            )
            tiles += [(int(x), int(y), side) for y in ys for x in xs]
    return [tile for tile in tiles if tile[2] < max(width, height)]


def _same(one: Detection, other: Detection) -> bool:
    return bool(np.hypot(one.hips[0] - other.hips[0], one.hips[1] - other.hips[1]) < 0.25 * max(one.size, other.size))


def _letterbox(image: Picture) -> tuple[Floats, float, tuple[float, float]]:
    """The picture in the middle of a black square, -1..1; with the pixels per unit and the offset back to the photo."""
    height, width = image.shape[:2]
    longest = max(height, width)
    size = max(1, round(width * SIDE / longest)), max(1, round(height * SIDE / longest))
    left, top = (SIDE - size[0]) // 2, (SIDE - size[1]) // 2
    square = np.zeros((SIDE, SIDE, 3), np.uint8)
    square[top : top + size[1], left : left + size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    scale = float(longest)
    shift = (0.5 - left) / SIDE * scale - 0.5, (0.5 - top) / SIDE * scale - 0.5  # the network counts from pixel centres
    return square.astype(np.float32) / 127.5 - 1, scale, shift


@functools.cache
def _anchors() -> Floats:
    """`(2254, 2) float32`: the centres of the anchors, 0..1; all anchors have size 1."""
    rows = []
    strides = list(STRIDES)
    while strides:
        same = strides.count(strides[0])
        cells = SIDE // strides[0]
        y, x = np.mgrid[0:cells, 0:cells]
        centres = np.stack([x, y], -1).reshape(-1, 1, 2) + 0.5
        rows.append(np.repeat(centres / cells, ANCHORS_PER_CELL * same, axis=1).reshape(-1, 2))
        strides = strides[same:]
    return np.concatenate(rows).astype(np.float32)


def _decode(regressors: Floats, anchors: Floats) -> Floats:
    """`(N, 12)`: x0, y0, x1, y1 of the face and four points (hips, rim, shoulders, upper-body rim), 0..1."""
    points = regressors.reshape(-1, 6, 2) / SIDE
    centre, half = points[:, 0] + anchors, points[:, 1] / 2
    return np.concatenate(
        [centre - half, centre + half, (points[:, 2:] + anchors[:, None]).reshape(-1, 8)], axis=1
    ).astype(np.float32)


def _merge(boxes: Floats, scores: Floats) -> list[tuple[Floats, float]]:
    """Weighted non-maximum suppression (Bazarevsky et al., BlazeFace, 2019): overlapping answers are averaged."""
    merged = []
    rest = np.argsort(-scores, kind="stable")
    while len(rest):
        overlap = _iou(boxes[rest[0]], boxes[rest]) > MIN_OVERLAP
        overlap[0] = True
        group = rest[overlap]
        merged.append((np.average(boxes[group], axis=0, weights=scores[group]), float(scores[rest[0]])))
        rest = rest[~overlap]
    return merged


def _iou(box: Floats, boxes: Floats) -> Floats:
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:4], boxes[:, 2:4])
    common = np.prod(np.clip(high - low, 0, None), axis=1)
    area, areas = np.prod(box[2:4] - box[:2]), np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1)
    return np.asarray(common / np.maximum(area + areas - common, 1e-9), np.float32)


def _detection(values: Floats, score: float, scale: float, shift: tuple[float, float]) -> Detection:
    x = (values[0::2] * scale + shift[0]).tolist()
    y = (values[1::2] * scale + shift[1]).tolist()
    return Detection(score, (x[0], y[0], x[1], y[1]), (x[2], y[2]), (x[3], y[3]))
