"""What the part parser is shown of a photo: the person's box at a fixed size, joint heat maps, the silhouette."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.person.pose import openpose18

if TYPE_CHECKING:
    from vestiary.types import Mask, Points

Floats = NDArray[np.float32]
Box = tuple[float, float, float, float]

HEIGHT, WIDTH = 320, 224  # of the network's input
HALF = (WIDTH // 2, HEIGHT // 2)
MARGIN = 0.06  # of the person's height and width, kept free on each side
SPREAD = 2.5  # standard deviation of a joint's heat map, pixels at half the input's size
GROUND = 127  # what the network sees outside the photo
# Left and right joints of the COCO order change places in the mirror.
MIRRORED_JOINTS = [0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16, 18]


def person_box(pose: Points, silhouette: Mask) -> Box:
    """x0, y0, x1, y1 around the silhouette and the joints that the photo shows."""
    height, width = silhouette.shape
    seen = pose[(pose[:, 3] > 0.5), :2]
    seen = seen[(seen >= 0).all(1) & (seen[:, 0] < width) & (seen[:, 1] < height)]
    columns, rows = (np.flatnonzero((silhouette > 127).any(axis)) for axis in (0, 1))
    if len(columns) and len(rows):
        seen = np.vstack([seen, [[columns[0], rows[0]], [columns[-1], rows[-1]]]])
    if len(seen) < 2:
        return 0.0, 0.0, width - 1.0, height - 1.0
    (x0, y0), (x1, y1) = seen.min(0), seen.max(0)
    return float(x0), float(y0), float(x1), float(y1)


def crop_matrix(box: Box) -> Floats:
    """`(2, 3)` from the photo to the network's input, so that the box fills it but for the margin."""
    x0, y0, x1, y1 = box
    wide, high = (x1 - x0 + 1) * (1 + 2 * MARGIN), (y1 - y0 + 1) * (1 + 2 * MARGIN)
    scale = min(WIDTH / wide, HEIGHT / high)
    shift = (WIDTH - 1) / 2 - scale * (x0 + x1) / 2, (HEIGHT - 1) / 2 - scale * (y0 + y1) / 2
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)


def halved(matrix: Floats) -> Floats:
    """The same mapping to a grid of half the size (the centre of pixel 0 lies between the old pixels 0 and 1)."""
    half = np.asarray(matrix / 2, np.float32)
    half[:, 2] -= 0.25
    return half


def sample(image: NDArray[np.uint8], matrix: Floats, size: tuple[int, int], *, fill: int = 0) -> NDArray[np.uint8]:
    """The picture seen through an affine map, averaged when it shrinks; `size` is (width, height)."""
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    factor = max(1, int(1 / scale))
    if factor > 1:
        height, width = image.shape[0] // factor, image.shape[1] // factor
        image = cv2.resize(image[: height * factor, : width * factor], (width, height), interpolation=cv2.INTER_AREA)
        matrix = matrix.copy()
        matrix[:, 2] += matrix[:, :2] @ np.full(2, (factor - 1) / 2, np.float32)
        matrix[:, :2] *= factor
    out = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderValue=(fill,) * 3)
    return np.asarray(out, np.uint8)


def heat_maps(pose: Points, matrix: Floats, size: tuple[int, int]) -> Floats:
    """`(18, h, w)` in 0..1: a Gaussian per joint of the COCO order, as high as the pose is sure of it.

    Args:
        pose: `(33, 4)` in the photo; the confidence of joints outside the photo should be 0.
        matrix: from the photo to this grid.
        size: (width, height) of the grid.
    """
    joints = openpose18(pose)
    at = joints[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    across = np.exp(-(((np.arange(size[0]) - at[:, :1]) / SPREAD) ** 2) / 2)
    down = np.exp(-(((np.arange(size[1]) - at[:, 1:2]) / SPREAD) ** 2) / 2)
    return np.asarray(joints[:, 2, None, None] * down[:, :, None] * across[:, None, :], np.float32)


def hidden_joints(pose: Points, size: tuple[int, ...]) -> Points:
    """The pose with confidence 0 for joints outside a photo of size (H, W)."""
    inside = (pose[:, :2] >= 0).all(1) & (pose[:, 0] < size[1]) & (pose[:, 1] < size[0])
    return np.column_stack([pose[:, :3], pose[:, 3] * inside]).astype(np.float32)
