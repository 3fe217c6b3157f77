"""The pose of one person followed through a film.

As BlazePose does (Bazarevsky et al. 2020): the detector looks only for somebody who is not known yet; afterwards the
square for the next frame comes from the landmarks of this one. Landmarks and square go through One Euro filters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from vestiary.errors import PersonError
from vestiary.mirror.euro import OneEuro
from vestiary.person.detector import Roi
from vestiary.person.pose import MIN_SCORE, Pose, estimate_pose_at
from vestiary.person.presence import find_person

if TYPE_CHECKING:
    from vestiary.types import Picture, Points

CUTOFF, SLOPE = 1.0, 30.0  # Hz, and Hz per (side of the first square) per second
WORLD_CUTOFF, WORLD_SLOPE = 0.4, 4.0  # Hz, and Hz per metre and second
ROI_CUTOFF, ROI_SLOPE = 0.3, 16.0
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

    def follow(self, image: Picture, time: float) -> Tracked | None:
        """The person in the next frame; None when nobody is there.

        Args:
            image: `(H, W, 3) uint8` sRGB.
            time: seconds, rising.
        """
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
        return Tracked(pose, raw, found)

    def reset(self) -> None:
        """Forget the person."""
        self._roi = self._sureness = None
        for filtered in (self._place, self._world, self._square):
            filtered.reset()

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
