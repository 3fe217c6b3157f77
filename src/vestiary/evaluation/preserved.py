"""What a fitting must leave alone: everything outside its own edit mask, and the face."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from vestiary.evaluation.pixels import check_shapes
from vestiary.types import Part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.types import Mask, Picture

VERSION = "1"
FACE_PIXELS = 200  # fewer are no face to judge


def outside(photo: Picture, result: Picture, mask: Mask) -> tuple[int, float]:
    """What changed where nothing may: the largest difference of a channel, and the share of changed pixels.

    Both are 0 for an engine that keeps its promise: outside the mask the result is the photo, bit for bit.

    Args:
        photo: `(H, W, 3) uint8`, what the engine was given.
        result: of the same shape, what it made of it.
        mask: `(H, W) uint8`, 0 = must not change.

    Raises:
        InputError: the shapes differ.
    """
    check_shapes(photo, result)
    kept = mask == 0
    if not kept.any():
        return 0, 0.0
    differences = cv2.absdiff(photo, result).max(axis=2)[kept]
    return int(differences.max()), float((differences > 0).mean())


def face(photo: Picture, result: Picture, parts: Mask) -> float | None:
    """The mean absolute difference of the face's pixels, 0..255; None when the photo shows no face.

    A collar or a hood may rightly cover a little of it; a face that was drawn anew differs all over. Systems that pass
    the whole picture through an autoencoder stand at 3 to 6.

    Raises:
        InputError: the shapes differ.
    """
    check_shapes(photo, result)
    where = parts == Part.FACE
    if int(where.sum()) < FACE_PIXELS:
        return None
    return float(cv2.absdiff(photo, result)[where].mean())


def at_size(picture: NDArray[np.uint8], size: tuple[int, int], *, labels: bool = False) -> NDArray[np.uint8]:
    """The picture at another size (width, height): averaged when it shrinks, cubic when it grows; labels by nearest."""
    if (picture.shape[1], picture.shape[0]) == size:
        return picture
    method = cv2.INTER_AREA if size[0] < picture.shape[1] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST if labels else method), np.uint8)
