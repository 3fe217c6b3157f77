"""Turning a picture so that the garment's neck or waistband is up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST = 12.0  # degrees: what leans less is left as it is, with its pixels untouched


def lean(up: NDArray[np.floating[Any]]) -> float:
    """By how many degrees (clockwise, -180..180) a garment whose up points there is off upright."""
    return float(np.degrees(np.arctan2(up[0], -up[1])))


def settle_angle(degrees: float) -> float:
    """The angle to turn by: 0 when it leans little, a multiple of 90 when it is near one, else the angle itself."""
    quarter = 90 * round(degrees / 90)
    return float(quarter % 360) if abs(degrees - quarter) < LEAST else degrees


def turn_back(picture: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    """The whole picture turned anticlockwise by that many degrees; exact for multiples of 90.

    What comes in from outside repeats the border's colour, so that no false edge appears.
    """
    if degrees % 90 == 0:
        return np.ascontiguousarray(np.rot90(picture, round(degrees / 90)))
    matrix, size = turning(picture.shape, degrees)
    fill = cv2.BORDER_REPLICATE if picture.ndim == 3 else cv2.BORDER_CONSTANT
    turned: NDArray[np.uint8] = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=fill)
    return turned


def turning(shape: tuple[int, ...], degrees: float) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """The `(2, 3)` affine map of an anticlockwise turn about the middle, and the (width, height) that holds it all."""
    height, width = shape[:2]
    angle = np.radians(degrees)
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    size = (round(abs(width * cos) + abs(height * sin)), round(abs(width * sin) + abs(height * cos)))
    linear = np.array(((cos, sin), (-sin, cos)))
    middle = np.array(((width - 1) / 2, (height - 1) / 2))
    target = np.array(((size[0] - 1) / 2, (size[1] - 1) / 2))
    return np.column_stack((linear, target - linear @ middle)), size
