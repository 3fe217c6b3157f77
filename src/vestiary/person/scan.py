"""From a photo to a `Person`: pose, silhouette, parts, description, in that order."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vestiary.person import describe
from vestiary.person.pose import Pose, openpose18
from vestiary.person.presence import find_person
from vestiary.person.silhouette import find_silhouette, person_box
from vestiary.types import Person

if TYPE_CHECKING:
    from vestiary.types import Mask, Picture

PARSING_SIDE = 1280  # parts are found on a copy of at most this size


def scan(image: Picture, *, person: int | None = None, source: str = "") -> Person:
    """All that a fitting needs to know of the person in a photo.

    Args:
        image: `(H, W, 3) uint8` sRGB, upright.
        person: which one when there are several: 1 = the largest (the default), 2 = the next, …
        source: SHA-256 of the file it came from.

    Raises:
        PersonError: nobody in it, nobody of that number, seen from behind, lying down, or far too small.
        WeightsError: a model file is missing and cannot be fetched.
    """
    clock = _Clock()
    found = find_person(image, 1 if person is None else person)
    pose = found.pose
    facing = describe.facing_of(pose.world, found.face)
    describe.check_can_serve(pose.landmarks, pose.world, facing)
    clock.lap("pose")
    silhouette = find_silhouette(image, pose)
    clock.lap("silhouette")
    parts = _find_parts(image, pose, silhouette)
    clock.lap("parsing")
    warnings = describe.find_warnings(image, pose.landmarks, silhouette, facing=facing, people=found.count)
    arms = describe.arms_in_front(pose.landmarks, pose.world)
    clock.lap("describe")
    return Person(
        image=image,
        pose=pose.landmarks,
        world=pose.world,
        keypoints=openpose18(pose.landmarks),
        silhouette=silhouette,
        parts=parts,
        facing=facing,
        arm_in_front=arms,
        box=person_box(silhouette, pose),
        warnings=warnings,
        timings=clock.seconds,
        source=source,
    )


class _Clock:
    """Seconds per step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self.seconds[step] = now - self._last
        self._last = now


def _find_parts(image: Picture, pose: Pose, silhouette: Mask) -> Mask:
    """`(H, W) uint8` of `Part`, found on a reduced copy of a large photo."""
    from vestiary.person.parsing import parse_parts

    height, width = silhouette.shape
    scale = PARSING_SIDE / max(height, width)
    if scale >= 1:
        return parse_parts(image, pose.landmarks, silhouette)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    mask = np.asarray(cv2.resize(silhouette, size, interpolation=cv2.INTER_AREA), np.uint8)
    factors = np.array([size[0] / width, size[1] / height, size[0] / width, 1], np.float32)
    shift = np.array([0.5, 0.5, 0, 0], np.float32)
    parts = parse_parts(small, (pose.landmarks + shift) * factors - shift, mask)
    # The median rounds off the steps that enlarging labels leaves.
    return np.asarray(cv2.medianBlur(cv2.resize(parts, (width, height), interpolation=cv2.INTER_NEAREST), 5), np.uint8)
