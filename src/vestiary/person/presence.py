"""Who is in the photo: detections that a second look confirms.

The detector alone takes one garment photo in twenty for a person: a shirt on a hanger looks like one, a hooded jacket
even more so. Two face networks on the head's place, or a detector that is very sure, confirm it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vestiary.errors import PersonError
from vestiary.person.detector import Detection, Roi, detect_small
from vestiary.person.pose import Pose, crop, detect_people, estimate_pose
from vestiary.person.tflite import network
from vestiary.types import Joint

if TYPE_CHECKING:
    from vestiary.types import Picture

FACE_SIDE, MESH_SIDE = 128, 192
CLEAR_FACE = 0.78
LIKELY_FACE, MIN_MESH = 0.5, 0.3  # both together
SURE_DETECTION = 0.9  # of the detector, when no face is seen: somebody from behind, or with a hand before the face
MIN_POSE, MIN_POSE_SMALL = 0.1, 0.5
MUCH_SMALLER = 0.4  # of the largest person's size: passers-by, not worth a word


@dataclass(frozen=True, eq=False)
class Found:
    """The person that was asked for.

    Attributes:
        pose: of that person.
        face: 0..1, how surely a face is seen where the pose has the head.
        count: people of a comparable size in the photo.
    """

    pose: Pose
    face: float
    count: int


def find_person(image: Picture, number: int = 1, *, small: bool = True) -> Found:
    """The pose of one person.

    Args:
        image: `(H, W, 3) uint8` sRGB.
        number: 1 = the largest, 2 = the next, …
        small: look again, closer, for people who are small in the picture when too few are found.

    Raises:
        PersonError: nobody is there, or nobody of that number.
    """
    if number < 1:
        raise PersonError(f"there is no person {number}.", hint="Count from 1, the largest person.")
    people = list(_confirmed(image, detect_people(image), number))
    if small and len(people) < number:
        people += _others(_confirmed(image, detect_small(image), number, small=True), people)
    if not people:
        hint = "Use an upright, sharp photo of somebody who faces the camera, with the head in it."
        raise PersonError("there is nobody in this photo who could be fitted.", hint=hint)
    if len(people) < number:
        there = "is only one person" if len(people) == 1 else f"are only {len(people)} people"
        raise PersonError(f"there {there} in this photo, so no person {number}.", hint=f"Choose 1 to {len(people)}.")
    pose, face = people[number - 1]
    return Found(pose, face, sum(other.roi.side > MUCH_SMALLER * people[0][0].roi.side for other, _ in people))


def face_score(image: Picture, pose: Pose) -> float:
    """0..1: how much the place where the pose has a head looks like a face."""
    square = crop(image, _head(pose, 3.5, pose.roi.angle), FACE_SIDE)
    _, logits = network("face_detection_short_range")(square.astype(np.float32) / np.float32(127.5) - np.float32(1))
    return _sigmoid(logits.max())


def mesh_score(image: Picture, pose: Pose) -> float:
    """0..1: how sure the face mesh network is that there is a face. Surer than `face_score`, but blind to profiles."""
    dx, dy = (pose.landmarks[Joint.LEFT_EYE] - pose.landmarks[Joint.RIGHT_EYE])[:2]
    square = crop(image, _head(pose, 2.0, float(np.arctan2(dy, dx))), MESH_SIDE)
    answers = network("face_landmark")(square.astype(np.float32) / np.float32(255))
    return _sigmoid(next(answer for answer in answers if answer.size == 1).max())


def _head(pose: Pose, margin: float, angle: float) -> Roi:
    """A square around the head's landmarks, `margin` times as large as they."""
    head = pose.landmarks[:11, :2]
    x, y = head.mean(axis=0)
    side = margin * max(float(np.ptp(head, axis=0).max()), 0.02 * pose.roi.side)
    return Roi(float(x), float(y), side, angle)


def _sigmoid(logit: float) -> float:
    return float(1 / (1 + np.exp(-np.clip(float(logit), -60, 60))))


def _others(found: Iterable[tuple[Pose, float]], known: list[tuple[Pose, float]]) -> list[tuple[Pose, float]]:
    """Those whose face is not on somebody who is known already."""
    others = []
    for pose, face in found:
        x, y = np.round(pose.landmarks[Joint.NOSE, :2]).astype(int)
        inside = 0 <= y < pose.mask.shape[0] and 0 <= x < pose.mask.shape[1]
        if inside and all(other.mask[y, x] < 128 for other, _ in known):
            others.append((pose, face))
    return others


def _confirmed(
    image: Picture, detections: list[Detection], number: int, *, small: bool = False
) -> Iterator[tuple[Pose, float]]:
    """Pose and face score of those detections that are people; looks only as far as it must to find and count them.

    Small ones are found in many parts of the picture, so more of them are false, and both face networks must agree.
    """
    largest = 0.0
    found = 0
    for detection in detections:
        if found >= number and detection.size < MUCH_SMALLER * largest:
            return
        pose = estimate_pose(image, detection)
        if pose.score < (MIN_POSE_SMALL if small else MIN_POSE):
            continue
        face = face_score(image, pose)
        sure = detection.score >= SURE_DETECTION and pose.score >= 0.5 and not small
        clear = face >= CLEAR_FACE and not small
        if sure or clear or (face >= LIKELY_FACE and mesh_score(image, pose) >= MIN_MESH):
            largest = max(largest, detection.size)
            found += 1
            yield pose, face
