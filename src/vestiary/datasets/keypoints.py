"""Poses as data sets store them, as `(18, 3) float32` in the OpenPose (COCO-18) order: x, y in pixels, confidence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vestiary.errors import DatasetError

if TYPE_CHECKING:
    from vestiary.types import Points

# COCO-18 joint -> BODY_25 joint: the latter has the middle of the hips at 8, and feet at the end.
_FROM_BODY_25 = [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]
VITON_HD_SIZE = (768, 1024)  # width, height: of the pictures that VITON-HD's poses were found in
DRESSCODE_SIZE = (384, 512)  # DressCode's poses were found at half the pictures' size


def read_openpose(path: Path, size: tuple[int, int], *, found_at: tuple[int, int] = VITON_HD_SIZE) -> Points:
    """The first person of a file that OpenPose wrote (BODY_25 or COCO-18); all zeros where it saw nobody.

    Args:
        path: JSON with `people[0].pose_keypoints_2d` (`pose_keypoints` in the older VITON).
        size: width and height of the picture at hand.
        found_at: width and height of the picture in which OpenPose looked.

    Raises:
        DatasetError: not such a file.
    """
    content = _load(path)
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list):
        raise _unknown(path, "people[0].pose_keypoints_2d")
    if not people:
        return np.zeros((18, 3), np.float32)
    flat = people[0].get("pose_keypoints_2d", people[0].get("pose_keypoints"))
    if not isinstance(flat, list) or len(flat) not in (54, 75):
        raise _unknown(path, "18 or 25 joints of x, y, confidence")
    points = np.array(flat, np.float32).reshape(-1, 3)
    return _scaled(points[_FROM_BODY_25] if len(points) == 25 else points, size, found_at)


def read_dresscode(path: Path, size: tuple[int, int]) -> Points:
    """The joints of a DressCode file: `keypoints`, 18 of x, y, confidence, number, in a picture of 384 x 512.

    Raises:
        DatasetError: not such a file.
    """
    content = _load(path)
    rows = content.get("keypoints") if isinstance(content, dict) else None
    if not isinstance(rows, list) or len(rows) != 18 or any(len(row) != 4 for row in rows):
        raise _unknown(path, "keypoints: 18 rows of x, y, confidence, number")
    return _scaled(np.array(rows, np.float32)[:, :3], size, DRESSCODE_SIZE)


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or "it is not JSON"
        raise DatasetError(f"{path} cannot be read: {reason.lower()}.", hint="Unpack the archive again.") from None


def _unknown(path: Path, wanted: str) -> DatasetError:
    return DatasetError(f"{path} holds no pose: {wanted} was expected.", hint="Find the poses anew with OpenPose.")


def _scaled(points: Points, size: tuple[int, int], found_at: tuple[int, int]) -> Points:
    """The joints in the picture's pixels; those that were not found (at or beyond the corner) are all zeros."""
    absent = (points[:, 0] <= 1) & (points[:, 1] <= 1) | (points[:, 2] <= 0)
    scaled = points * np.array([size[0] / found_at[0], size[1] / found_at[1], 1], np.float32)
    scaled[:, 2] = np.clip(scaled[:, 2], 0, 1)
    scaled[absent] = 0
    return np.asarray(scaled, np.float32)
