"""The pose of one person followed through a film.

As BlazePose does (Bazarevsky et al. 2020): the detector looks only for somebody who is not known yet; afterwards the
square for the next frame comes from the landmarks of this one. Landmarks and square go through One Euro filters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vestiary.errors import PersonError
from vestiary.mirror.euro import OneEuro
from vestiary.person.detector import Roi
from vestiary.person.pose import MIN_SCORE, Pose, estimate_pose_at
from vestiary.person.presence import find_person
from vestiary.types import Joint

if TYPE_CHECKING:
    from vestiary.types import Picture, Points

F32 = NDArray[np.float32]
_TRUNK = (Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER, Joint.LEFT_HIP, Joint.RIGHT_HIP)

CUTOFF, SLOPE = 1.0, 30.0  # Hz, and Hz per (side of the first square) per second
WORLD_CUTOFF, WORLD_SLOPE = 0.4, 4.0  # Hz, and Hz per metre and second
ROI_CUTOFF, ROI_SLOPE = 0.3, 16.0
MOVED = 0.4  # pixels of the flow's grid below which the trunk counts as still
SURENESS = 0.4  # share of a new confidence that is believed at once
LOST_SCORE = 0.4  # a person who is followed may be less sure than one who is found


@dataclass(frozen=True, eq=False)
class Tracked:
    """The person in this frame.

    Attributes:
        pose: smoothed.
        raw: `(33, 4) float32` landmarks as the network saw them.
        found: whether the detector found the person in this frame: nothing that came before is of use.
    """

    pose: Pose
    raw: Points
    found: bool


class PoseTracker:
    """Follows the largest person; `smooth=False` leaves the landmarks as the network sees them."""

    def __init__(self, *, smooth: bool = True) -> None:
        self._smooth = smooth
        self._place = OneEuro(cutoff=CUTOFF, slope=SLOPE)
        self._world = OneEuro(cutoff=WORLD_CUTOFF, slope=WORLD_SLOPE)
        self._square = OneEuro(cutoff=ROI_CUTOFF, slope=ROI_SLOPE)
        self._roi: Roi | None = None
        self._scale = 1.0
        self._sureness: Points | None = None
        self._trunk: Points | None = None  # shoulders and hips of the last frame

    def follow(self, image: Picture, time: float, flow: F32 | None = None) -> Tracked | None:
        """The person in the next frame; None when nobody is there.

        Args:
            image: `(H, W, 3) uint8` sRGB.
            time: seconds, rising.
            flow: from `Motion.step`; with it the filters know how the trunk has moved, and do not lag behind it.
        """
        if flow is not None and self._trunk is not None and self._smooth:
            self._move(_shift_of(flow, self._trunk, image.shape))
        pose = self._known(image)
        found = pose is None
        if pose is None:
            self.reset()
            try:
                pose = find_person(image, small=False).pose
            except PersonError:
                return None
        if pose.score < MIN_SCORE and found:
            return None
        raw = pose.landmarks
        if found:
            self._scale = pose.roi.side
        if self._smooth:
            pose = self._steadied(pose, time)
        self._roi = pose.next_roi
        self._trunk = pose.landmarks[list(_TRUNK), :2]
        return Tracked(pose, raw, found)

    def reset(self) -> None:
        """Forget the person."""
        self._roi = self._sureness = self._trunk = None
        for filtered in (self._place, self._world, self._square):
            filtered.reset()

    def _move(self, by: F32) -> None:
        """Let everything go along with the trunk."""
        if self._roi is not None:
            self._roi = replace(self._roi, x=self._roi.x + float(by[0]), y=self._roi.y + float(by[1]))
        self._place.move(np.array([*by, 0.0]) / self._scale)
        self._square.move(np.array([*by, 0.0, 0.0]) / self._scale)

    def _known(self, image: Picture) -> Pose | None:
        """The pose where the person is expected, if they are there."""
        if self._roi is None:
            return None
        height, width = image.shape[:2]
        pose = estimate_pose_at(image, self._roi)
        inside = -0.2 * width < self._roi.x < 1.2 * width and -0.2 * height < self._roi.y < 1.2 * height
        return pose if inside and pose.score >= LOST_SCORE else None

    def _steadied(self, pose: Pose, time: float) -> Pose:
        side = self._scale  # the same for all frames: a unit that changes would move what is measured in it
        places = self._place(pose.landmarks[:, :3] / side, time) * side
        sureness = pose.landmarks[:, 3]
        if self._sureness is not None:
            sureness = SURENESS * sureness + (1 - SURENESS) * self._sureness
        self._sureness = sureness.astype(np.float32)
        roi = pose.next_roi or pose.roi
        square = self._square(np.array([roi.x / side, roi.y / side, roi.side / side, roi.angle]), time)
        return replace(
            pose,
            landmarks=np.column_stack([places, self._sureness]).astype(np.float32),
            world=self._world(pose.world, time).astype(np.float32),
            next_roi=Roi(float(square[0]) * side, float(square[1]) * side, float(square[2]) * side, float(square[3])),
        )


def _shift_of(flow: F32, trunk: Points, shape: tuple[int, ...]) -> F32:
    """`(2,)`: pixels of the frame by which the trunk has moved since the last one, 0 for next to nothing.

    Args:
        flow: `(h, w, 2)` back to the last frame, in pixels of its own grid.
        trunk: `(4, 2)` shoulders and hips in the last frame.
        shape: of the frame.
    """
    height, width = flow.shape[:2]
    scale = np.array([shape[1] / width, shape[0] / height], np.float32)
    low, high = trunk.min(axis=0) / scale, trunk.max(axis=0) / scale
    x0, y0 = np.clip(low, 0, (width - 2, height - 2)).astype(int)
    x1, y1 = np.clip(high, (x0 + 1, y0 + 1), (width, height)).astype(int)
    shift = -np.median(flow[y0:y1, x0:x1].reshape(-1, 2), axis=0)
    return np.asarray(shift * scale if np.hypot(*shift) > MOVED else np.zeros(2), np.float32)
