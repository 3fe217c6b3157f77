"""Hands in front of clothes that the parser saw only in part, completed by pose and colour.

The pose says where a hand lies, the forearm shows what its skin looks like in this light, and the clothes around show
what it has to be told from. What lies on the hand's bones, touches known skin and has its colour is hand: outstretched
fingers on a hip or a chest are thinner than the parser's grid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.person.limbs import HAND, arm_distance, hand_distance, neck_distance, torso_length
from vestiary.person.skin import binned, likelihood_ratio
from vestiary.types import Joint

if TYPE_CHECKING:
    from vestiary.types import Mask, Picture, Points

Flags = NDArray[np.bool_]

REACH = 1.5  # half-widths of a hand from its bones: as far as spread fingers go
AROUND = 3.0  # half-widths from its bones within which skin and clothes are compared
CONFIDENT = 0.5  # of the pose, for all joints of the hand
SURE = 1.0  # mean log-likelihood ratio around a pixel that speaks for skin
LEAST = 60  # pixels of skin and of clothes that a comparison needs
CLOTHES = ("top", "outerwear", "dress", "skirt", "trousers", "shorts")


def complete_hands(labels: Mask, photo: Picture, pose: Points, classes: tuple[str, ...]) -> Mask:
    """The labels with what the pose and the colour of the forearm show to be hand.

    Args:
        labels: `(h, w)`, index into `classes`.
        photo: `(h, w, 3) uint8` sRGB.
        pose: `(33, 4)` on the same grid.
        classes: the parser's classes by name.
    """
    completed, (arm, hand) = labels.copy(), (classes.index(name) for name in ("arm", "hand"))
    for side in ("LEFT", "RIGHT"):
        window = _around_hand(pose, side, labels.shape)
        if window is None:
            continue
        here = completed[window]
        rows, columns = np.mgrid[window].astype(np.float32)
        points = np.column_stack([columns.ravel(), rows.ravel()])
        distance = hand_distance(points, pose, side).reshape(here.shape)
        off_neck = (neck_distance(points, pose) > distance.ravel()).reshape(here.shape)
        beyond_wrist = _beyond_wrist(points, pose, side).reshape(here.shape)
        strayed = off_neck & _strayed(here, distance, classes)
        here[strayed] = arm
        grown = beyond_wrist & _grown(here, photo[window], distance, classes)
        here[grown] = hand
        if strayed.any() or grown.any():
            own = (arm_distance(points, pose) > distance.ravel()).reshape(here.shape)
            here[own & _touching(strayed | grown, (here == arm) & (distance < REACH))] = hand
    return completed


def _around_hand(pose: Points, side: str, shape: tuple[int, ...]) -> tuple[slice, slice] | None:
    """Rows and columns around a hand, or None where the pose is not sure of it or has it outside the picture."""
    joints = [Joint[f"{side}_{name}"] for name in ("WRIST", "INDEX", "PINKY", "THUMB")]
    if pose[joints, 3].min() < CONFIDENT:
        return None
    # The fingertips lie as far beyond the knuckles as the wrist before them.
    at, margin = pose[joints, :2], AROUND * HAND * torso_length(pose)
    reached = np.vstack([at, 2 * at[1:3] - at[0]])
    left, top = (int(v) for v in np.floor(reached.min(0) - margin).clip(0))
    right, bottom = (int(v) for v in np.ceil(reached.max(0) + margin).clip(0, shape[1::-1]))
    return (slice(top, bottom), slice(left, right)) if bottom - top > 3 and right - left > 3 else None


def _beyond_wrist(points: NDArray[np.float32], pose: Points, side: str) -> Flags:
    """Whether places lie on the fingers' side of the wrist: what is on the other may be the cuff of a sleeve."""
    wrist, index, pinky = (pose[Joint[f"{side}_{name}"], :2] for name in ("WRIST", "INDEX", "PINKY"))
    along = (points - wrist) @ ((index + pinky) / 2 - wrist)
    return np.asarray(along > 0, bool)


def _strayed(labels: Mask, distance: NDArray[np.float32], classes: tuple[str, ...]) -> Flags:
    """Skin on the bones of the hand that was taken for neck and hangs together with no other neck."""
    neck = labels == classes.index("neck")
    near: Flags = np.asarray(neck & (distance < REACH), bool)
    if not near.any():
        return near
    _, pieces = cv2.connectedComponents(neck.astype(np.uint8), connectivity=8)
    return np.asarray(near & ~np.isin(pieces, np.unique(pieces[neck & (distance > AROUND)])), bool)


def _grown(labels: Mask, photo: Picture, distance: NDArray[np.float32], classes: tuple[str, ...]) -> Flags:
    """What was taken for clothes, lies on the bones of the hand, has its skin's colour and touches that skin."""
    nothing = np.zeros(labels.shape, bool)
    near = distance < REACH
    skin = np.isin(labels, [classes.index("hand"), classes.index("arm")])
    clothes = np.isin(labels, [classes.index(name) for name in CLOTHES])
    sure = cv2.erode((skin & (distance < 2 * REACH)).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    beside = clothes & (distance > 1.3 * REACH)
    if not (clothes & near).any() or sure.sum() < LEAST or beside.sum() < LEAST:
        return nothing
    ratio = likelihood_ratio(binned(photo), sure, beside, 3)
    if ratio is None:
        return nothing
    return _touching(skin & near, clothes & near & (ratio > SURE))


def _touching(seeds: Flags, places: Flags) -> Flags:
    """Those of the places that hang together with seeds, over seeds and places."""
    _, pieces = cv2.connectedComponents((seeds | places).astype(np.uint8), connectivity=8)
    return np.asarray(places & np.isin(pieces, np.unique(pieces[seeds])), bool)
