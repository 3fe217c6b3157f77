"""Hands in front of clothes: found by the pose and by the colour of the forearm, and nothing else taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests import figures
from vestiary.person.hands import complete_hands
from vestiary.person.parsing import CLASSES
from vestiary.types import Joint

Scene = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]
ARM, HAND, NECK, TOP = (CLASSES.index(name) for name in ("arm", "hand", "neck", "top"))
SKIN = (205, 150, 120)


@pytest.fixture
def hand_on_chest() -> Scene:
    """Labels, photo and pose: a bare forearm is seen, the hand before the striped top is taken for top."""
    pose = figures.pose()
    pose[[Joint.RIGHT_WRIST, Joint.RIGHT_THUMB], 3] = 0
    for joint, x in (("ELBOW", 200), ("WRIST", 160), ("INDEX", 142), ("PINKY", 142), ("THUMB", 150)):
        pose[Joint[f"LEFT_{joint}"]] = (x, 155, 0, 1)
    labels, photo = np.zeros((500, 300), np.uint8), np.full((500, 300, 3), 90, np.uint8)
    labels[95:225, 110:190] = TOP
    photo[95:225, 110:190] = (230, 230, 225)
    photo[95:225:8, 110:190] = (110, 30, 35)
    labels[149:161, 155:200] = ARM
    photo[149:161, 130:200] = SKIN
    photo = (photo + np.random.default_rng(0).integers(-4, 5, photo.shape)).astype(np.uint8)
    return labels, photo, pose


def test_a_hand_before_the_chest_is_known_by_the_forearms_colour(hand_on_chest: Scene) -> None:
    labels, photo, pose = hand_on_chest
    completed = complete_hands(labels, photo, pose, CLASSES)
    hand = completed == HAND
    assert hand[151:159, 134:154].all()
    assert not hand[:147].any()
    assert not hand[163:].any()
    assert not hand[:, 162:].any()
    assert np.array_equal(completed[~hand], labels[~hand])


def test_a_hand_that_the_pose_is_not_sure_of_or_of_the_tops_colour_is_left_alone(hand_on_chest: Scene) -> None:
    labels, photo, pose = hand_on_chest
    unsure = pose.copy()
    unsure[Joint.LEFT_INDEX, 3] = 0.2
    assert np.array_equal(complete_hands(labels, photo, unsure, CLASSES), labels)
    beige = np.full_like(photo, SKIN)
    assert np.array_equal(complete_hands(labels, beige, pose, CLASSES), labels)


def test_a_hand_outside_the_picture_is_left_alone(hand_on_chest: Scene) -> None:
    labels, photo, pose = hand_on_chest
    pose[:, 0] += 600
    assert np.array_equal(complete_hands(labels, photo, pose, CLASSES), labels)


def test_a_hand_taken_for_neck_is_a_hand_and_the_neck_stays(hand_on_chest: Scene) -> None:
    labels, photo, pose = hand_on_chest
    labels[151:159, 134:154] = labels[70:92, 141:159] = NECK
    completed = complete_hands(labels, photo, pose, CLASSES)
    assert (completed[151:159, 134:154] == HAND).all()
    assert (completed[70:92, 141:159] == NECK).all()


def test_cuffs_of_the_skins_colour_are_not_hand(hand_on_chest: Scene) -> None:
    labels, photo, pose = hand_on_chest
    labels[149:161, 176:190] = TOP
    completed = complete_hands(labels, photo, pose, CLASSES)
    assert (completed[149:161, 176:190] == TOP).all()
