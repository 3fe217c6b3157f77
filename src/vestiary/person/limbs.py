"""Which limb a pixel of skin belongs to, from the pose alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vestiary.types import Joint, Part

if TYPE_CHECKING:
    from vestiary.types import Points

Floats = NDArray[np.float32]

# Half the thickness of a limb as a share of the torso's length (shoulders to hips): how far its skin lies off the bone.
UPPER_ARM, FOREARM, HAND, THIGH, SHIN, FOOT, NECK = 0.13, 0.11, 0.11, 0.18, 0.14, 0.12, 0.14
CHIN_BELOW_MOUTH = 0.67  # of the distance from eyes to mouth
FACE_HALF_WIDTH = 1.35  # of the same distance


def divide_skin(points: Points, pose: Points) -> NDArray[np.uint8]:
    """The skin part (`Part`) that each place would show if skin showed there.

    Every place goes to the bone that is nearest in units of that limb's thickness; what lies in the head's ellipse, or
    beside it above the chin, is face. Bare chest, back and midriff count as neck.

    Args:
        points: `(N, 2) float32` x, y.
        pose: `(33, 4) float32` in the same coordinates.

    Returns:
        `(N,) uint8` of `Part`.
    """
    bones = _bones(pose)
    nearest = np.full(len(points), np.inf, np.float32)
    parts = np.zeros(len(points), np.uint8)
    for part, start, end, thickness in bones:
        distance = _to_segment(points, start, end) / thickness
        closer = distance < nearest
        nearest[closer], parts[closer] = distance[closer], part
    parts[(parts == Part.NECK) & _in_face(points, pose)] = Part.FACE
    return parts


def torso_length(pose: Points) -> float:
    """Pixels from mid-shoulders to mid-hips, but never less than a foreshortened body allows."""
    shoulders = pose[[Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER], :2]
    hips = pose[[Joint.LEFT_HIP, Joint.RIGHT_HIP], :2]
    length = float(np.linalg.norm(shoulders.mean(0) - hips.mean(0)))
    return max(length, 0.8 * float(np.linalg.norm(shoulders[0] - shoulders[1])), 4.0)


def hand_distance(points: Floats, pose: Points, side: str) -> Floats:
    """Distance of `(N, 2)` points to the bones of the hand of a side ("LEFT", "RIGHT"), in half-widths of a hand."""
    return _distance(points, pose, {Part[f"{side}_HAND"]})


def arm_distance(points: Floats, pose: Points) -> Floats:
    """Distance of `(N, 2)` points to the bones of both arms without the hands, in half-widths of an arm there."""
    return _distance(points, pose, {Part.LEFT_ARM, Part.RIGHT_ARM})


def neck_distance(points: Floats, pose: Points) -> Floats:
    """Distance of `(N, 2)` points to the line from the head to mid-shoulders, in half-widths of a neck."""
    _, start, end, thickness = _bones(pose)[0]
    return _to_segment(points, start, end) / np.float32(thickness)


def _bones(pose: Points) -> list[tuple[Part, Floats, Floats, float]]:
    at, unit = pose[:, :2].astype(np.float32), torso_length(pose)
    middle = at[[Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER]].mean(0)
    hips = at[[Joint.LEFT_HIP, Joint.RIGHT_HIP]].mean(0)
    width = float(np.linalg.norm(at[Joint.LEFT_SHOULDER] - at[Joint.RIGHT_SHOULDER]))
    head = at[[Joint.LEFT_EAR, Joint.RIGHT_EAR, Joint.NOSE]].mean(0)
    bones = [
        (Part.NECK, head, middle, unit * NECK),
        (Part.NECK, middle, middle * 0.15 + hips * 0.85, max(0.36 * width, 0.16 * unit)),
    ]
    for side in ("LEFT", "RIGHT"):
        arm, hand, leg = Part[f"{side}_ARM"], Part[f"{side}_HAND"], Part[f"{side}_LEG"]
        shoulder, elbow, wrist = (at[Joint[f"{side}_{j}"]] for j in ("SHOULDER", "ELBOW", "WRIST"))
        hip, knee, ankle, heel, foot = (at[Joint[f"{side}_{j}"]] for j in ("HIP", "KNEE", "ANKLE", "HEEL", "FOOT"))
        knuckles = at[[Joint[f"{side}_INDEX"], Joint[f"{side}_PINKY"]]].mean(0)
        thumb = at[Joint[f"{side}_THUMB"]]
        bones += [
            (arm, shoulder, elbow, unit * UPPER_ARM),
            (arm, elbow, wrist, unit * FOREARM),
            (hand, wrist, wrist + (knuckles - wrist) * 1.8, unit * HAND),
            (hand, wrist * 0.5 + thumb * 0.5, thumb, unit * HAND),
            (leg, hip * 0.7 + knee * 0.3, knee, unit * THIGH),
            (leg, knee, ankle, unit * SHIN),
            (leg, ankle, foot, unit * FOOT),
            (leg, ankle, heel, unit * FOOT),
        ]
    return bones


def _in_face(points: Floats, pose: Points) -> NDArray[np.bool_]:
    at = pose[:, :2].astype(np.float32)
    eyes = at[[Joint.LEFT_EYE, Joint.RIGHT_EYE]].mean(0)
    mouth = at[[Joint.MOUTH_LEFT, Joint.MOUTH_RIGHT]].mean(0)
    length = max(float(np.linalg.norm(mouth - eyes)), 0.08 * torso_length(pose))
    down = (mouth - eyes) / max(float(np.linalg.norm(mouth - eyes)), 1e-6)
    along = (points - mouth) @ down / length  # 0 at the mouth, growing towards the chin
    across = (points - mouth) @ np.array([-down[1], down[0]], np.float32) / length
    inside = ((along + 1) / (1 + CHIN_BELOW_MOUTH)) ** 2 + (across / FACE_HALF_WIDTH) ** 2 <= 1
    return np.asarray(inside | (along < -0.25), bool)


def _to_segment(points: Floats, start: Floats, end: Floats) -> Floats:
    bone = end - start
    share = np.clip((points - start) @ bone / max(float(bone @ bone), 1e-6), 0, 1)
    return np.asarray(np.linalg.norm(points - start - share[:, None] * bone, axis=1), np.float32)


def with_sides(labels: NDArray[np.uint8], pose: Points, classes: tuple[str, ...]) -> NDArray[np.uint8]:
    """Labels of the parser's classes as `Part`: arms, hands and legs go to the side whose bones are nearer.

    Args:
        labels: `(h, w)`, index into `classes`.
        pose: `(33, 4)` on the same grid.
        classes: the parser's classes by name.
    """
    table = np.zeros(256, np.uint8)
    for index, name in enumerate(classes):
        table[index] = Part[_SIDED.get(name, name.upper())]
    parts = table[labels]
    for kind in ("arm", "hand", "leg"):
        rows, columns = np.nonzero(labels == classes.index(kind))
        if len(rows):
            points = np.column_stack([columns, rows]).astype(np.float32)
            left, right = (_nearest(points, pose, side, kind) for side in ("LEFT", "RIGHT"))
            chosen = np.where(left <= right, Part[f"LEFT_{kind.upper()}"], Part[f"RIGHT_{kind.upper()}"])
            parts[rows, columns] = chosen
    return parts


_SIDED = {"arm": "LEFT_ARM", "hand": "LEFT_HAND", "leg": "LEFT_LEG"}


def _nearest(points: Floats, pose: Points, side: str, kind: str) -> Floats:
    """Distance to the nearest bone of a leg, or of an arm with its hand, in units of the limb's thickness."""
    limb = ("LEG",) if kind == "leg" else ("ARM", "HAND")
    return _distance(points, pose, {Part[f"{side}_{part}"] for part in limb})


def _distance(points: Floats, pose: Points, wanted: set[Part]) -> Floats:
    distances = [_to_segment(points, a, b) / thick for part, a, b, thick in _bones(pose) if part in wanted]
    return np.asarray(np.min(distances, axis=0), np.float32)
