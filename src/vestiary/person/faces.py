"""Where faces are in a picture, also of passers-by: BlazeFace (Bazarevsky et al. 2019) on overlapping parts of it.

The network sees 128 × 128 pixels and finds faces that fill a tenth of that or more, so a whole street is shown to it
piece by piece, at three sizes.
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

SIDE = 128
MIN_SCORE = 0.7
MIN_OVERLAP = 0.3
_PARTS = (1.0, 0.5, 0.25)  # of the shorter side
_LEAST = 96  # pixels: in smaller parts no face could be recognised
_CELLS = ((16, 2), (8, 6))  # cells to a side, and anchors in each


@dataclass(frozen=True)
class Face:
    """A face: its box x0, y0, x1, y1 in pixels, brow to chin, and 0..1 how sure the network is."""

    box: tuple[float, float, float, float]
    score: float


def find_faces(image: Picture, *, min_score: float = MIN_SCORE) -> list[Face]:
    """The faces in a picture, the surest first.

    Args:
        image: `(H, W, 3) uint8` sRGB.
        min_score: 0..1.

    Raises:
        WeightsError: the model file is missing and cannot be fetched.
    """
    found = [face for part in _parts(image.shape[1], image.shape[0]) for face in _look(image, *part, min_score)]
    if not found:
        return []
    boxes = [(x0, y0, x1 - x0, y1 - y0) for x0, y0, x1, y1 in (face.box for face in found)]
    kept = cv2.dnn.NMSBoxes(boxes, [face.score for face in found], min_score, MIN_OVERLAP)
    return [found[int(index)] for index in np.ravel(kept)]


def _parts(width: int, height: int) -> list[tuple[int, int, int]]:
    """x, y and side of overlapping squares of three sizes."""
    parts = []
    for share in _PARTS:
        side = int(min(width, height) * share)
        if side < _LEAST and share < 1:
            continue
        xs, ys = (
            np.unique(np.linspace(0, size - side, 1 + -(-(size - side) // max(1, side // 2))).astype(int))
            for size in (width, height)
        )
        parts += [(int(x), int(y), side) for y in ys for x in xs]
    return parts


def _look(image: Picture, x: int, y: int, side: int, min_score: float) -> list[Face]:
    small = cv2.resize(image[y : y + side, x : x + side], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    regressors, logits = network("face_detection_short_range")(small.astype(np.float32) / np.float32(127.5) - 1)
    scores = 1 / (1 + np.exp(-np.clip(logits[:, 0], -60, 60)))
    faces = []
    for index in np.flatnonzero(scores >= min_score):
        middle = regressors[index, :2] / SIDE + _anchors()[index]
        half = regressors[index, 2:4] / SIDE / 2
        x0, y0, x1, y1 = (float(value) * side for value in (*(middle - half), *(middle + half)))
        faces.append(Face((x0 + x, y0 + y, x1 + x, y1 + y), float(scores[index])))
    return faces


@functools.cache
def _anchors() -> Floats:
    """`(896, 2)`: the centres of the anchors, 0..1; all anchors have size 1."""
    rows = []
    for cells, each in _CELLS:
        y, x = np.mgrid[0:cells, 0:cells]
        rows.append(np.repeat((np.stack([x, y], -1).reshape(-1, 2) + 0.5) / cells, each, axis=0))
    return np.concatenate(rows).astype(np.float32)
