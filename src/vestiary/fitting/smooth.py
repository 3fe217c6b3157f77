"""Blurring and growing at a cost per pixel that does not rise with their reach: large photos cost only their share."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]


def blur(field: F32, sigma: float) -> F32:
    """`(H, W) float32` Gaussian blur; a wide one is worked out on a smaller grid, where nothing of it is lost."""
    step = int(sigma / 4)
    if step < 2:
        return cast(F32, cv2.GaussianBlur(field, (0, 0), sigma))
    height, width = field.shape
    size = (max(4, round(width / step)), max(4, round(height / step)))
    small = cv2.resize(field, size, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), sigma * size[0] / width, sigmaY=sigma * size[1] / height)
    return cast(F32, cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR))


def grow(mask: U8, reach: float) -> U8:
    """`(H, W) uint8` 255 wherever a non-zero pixel is at most so far away, in pixels."""
    if not mask.any():
        return np.zeros_like(mask)
    distance = cv2.distanceTransform(cv2.compare(mask, 0, cv2.CMP_EQ), cv2.DIST_L2, 5)
    return cast(U8, cv2.compare(distance, reach, cv2.CMP_LE))
