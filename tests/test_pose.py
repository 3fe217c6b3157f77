"""Detector and landmarks: the geometry by construction, the networks on the astronaut's portrait."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import cv2
import numpy as np
import pytest
from PIL import Image

from vestiary import samples
from vestiary.person import detector
from vestiary.person.detector import Detection, Roi
from vestiary.person.pose import Pose, crop, detect_people, estimate_pose, openpose18, uncrop
from vestiary.types import Joint

UPPER_BODY = [Joint.NOSE, Joint.LEFT_EYE, Joint.RIGHT_EYE, Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER]


@cache
def astronaut() -> np.ndarray:
    return np.asarray(Image.open(samples.people()["astronaut"]).convert("RGB"))


@cache
def astronaut_pose() -> Pose:
    return posed(astronaut())


def posed(image: np.ndarray) -> Pose:
    people = detect_people(image)
    assert len(people) == 1
    return estimate_pose(image, people[0])


def assert_near(found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    apart = np.hypot(*(found - expected).T)
    assert apart.max() < tolerance, f"{np.round(apart, 1)} pixels apart"


def test_anchors_are_the_centres_of_all_cells() -> None:
    anchors = detector._anchors()
    assert anchors.shape == (2254, 2)
    assert anchors[0] == pytest.approx(0.5 / 28)
    assert anchors[28 * 28 * 2] == pytest.approx(0.5 / 14)
    assert anchors[-1] == pytest.approx(6.5 / 7)


def test_overlapping_answers_are_averaged_by_score() -> None:
    boxes = np.zeros((3, 12), np.float32)
    boxes[:, :4] = [[0.1, 0.1, 0.3, 0.3], [0.12, 0.1, 0.32, 0.3], [0.6, 0.6, 0.8, 0.8]]
    merged = detector._merge(boxes, np.array([0.9, 0.6, 0.7], np.float32))
    assert [round(score, 3) for _, score in merged] == [0.9, 0.7]
    assert merged[0][0][0] == pytest.approx((0.9 * 0.1 + 0.6 * 0.12) / 1.5)


def test_upright_person_has_an_upright_square() -> None:
    person = Detection(0.9, (0, 0, 1, 1), hips=(100, 200), rim=(100, 120))
    assert person.size == 160
    assert person.roi.angle == pytest.approx(0)
    assert person.roi.side == pytest.approx(200)
    assert person.moved(5, -7).roi.y == pytest.approx(193)


@pytest.mark.parametrize("angle", [0.0, 0.4, -2.0])
def test_square_maps_its_own_up_to_the_persons_up(angle: float) -> None:
    roi = Roi(300, 200, 128, angle)
    matrix = roi.to_photo(64)
    assert matrix @ [31.5, 31.5, 1] == pytest.approx([300, 200], abs=1e-3)
    up = matrix[:, :2] @ [0, -1]
    assert up == pytest.approx([2 * np.sin(angle), -2 * np.cos(angle)], abs=1e-5)


def test_crop_and_uncrop_are_inverse() -> None:
    photo = np.zeros((240, 320, 3), np.uint8)
    cv2.circle(photo, (170, 110), 40, (255, 255, 255), -1)
    roi = Roi(160, 120, 150, 0.5)
    back = uncrop(crop(photo, roi, 256)[..., 0].astype(np.float32) / 255, roi, photo.shape)
    overlap = ((back > 127) & (photo[..., 0] > 127)).sum() / (photo[..., 0] > 127).sum()
    assert overlap > 0.97
    assert abs(int((back > 127).sum()) - int((photo[..., 0] > 127).sum())) < 150


def test_tiles_cover_the_picture_and_are_smaller_than_it() -> None:
    tiles = detector._tiles(700, 400)
    assert {side for _, _, side in tiles} == {400, 200}
    for side in (400, 200):
        covered = np.zeros((400, 700), bool)
        for x, y, s in tiles:
            if s == side:
                covered[y : y + s, x : x + s] = True
        assert covered.all()
    assert detector._tiles(50, 60) == []


def test_openpose_order() -> None:
    landmarks = np.column_stack([np.arange(33), np.arange(33) * 2, np.zeros(33), np.full(33, 0.5)]).astype(np.float32)
    landmarks[Joint.LEFT_SHOULDER, 3] = 0.2
    points = openpose18(landmarks)
    assert points.shape == (18, 3)
    assert points[0] == pytest.approx([0, 0, 0.5])
    assert points[1] == pytest.approx([11.5, 23, 0.2])
    assert [int(x) for x in points[2:, 0]] == [12, 14, 16, 11, 13, 15, 24, 26, 28, 23, 25, 27, 5, 2, 8, 7]


def test_portrait() -> None:
    pose = astronaut_pose()
    assert pose.landmarks.shape == (33, 4)
    assert pose.world.shape == (33, 3)
    assert pose.score > 0.9
    assert_near(pose.landmarks[[Joint.RIGHT_EYE, Joint.LEFT_EYE], :2], np.array([[199, 112], [239, 111]]), 12)
    assert pose.landmarks[Joint.LEFT_SHOULDER, 0] > pose.landmarks[Joint.RIGHT_SHOULDER, 0] + 120
    assert pose.landmarks[UPPER_BODY, 3].min() > 0.8
    assert pose.landmarks[[Joint.LEFT_KNEE, Joint.RIGHT_ANKLE], 3].max() < 0.5


def test_mask_covers_the_person_and_not_the_corner() -> None:
    mask = astronaut_pose().mask
    assert mask.shape == (512, 512)
    assert mask[300:480, 150:280].min() > 200
    assert mask[:60, 440:].max() < 60
    with pytest.raises(ValueError, match="read-only"):
        mask[0, 0] = 1


def test_mirrored_photo_gives_the_mirrored_pose() -> None:
    mirrored = posed(np.ascontiguousarray(astronaut()[:, ::-1])).landmarks[UPPER_BODY, :2]
    swapped = astronaut_pose().landmarks[
        [0, Joint.RIGHT_EYE, Joint.LEFT_EYE, Joint.RIGHT_SHOULDER, Joint.LEFT_SHOULDER]
    ]
    assert_near(mirrored, np.column_stack([511 - swapped[:, 0], swapped[:, 1]]), 20)


def test_larger_photo_gives_the_same_pose() -> None:
    large = posed(cv2.resize(astronaut(), (1536, 1536), interpolation=cv2.INTER_CUBIC)).landmarks
    assert_near(large[UPPER_BODY, :2] / 3, astronaut_pose().landmarks[UPPER_BODY, :2], 12)


def test_person_who_leans_is_found_upright_in_the_square() -> None:
    turn = cv2.getRotationMatrix2D((256, 256), 25, 1)
    leaning = cv2.warpAffine(astronaut(), turn, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    expected = astronaut_pose().landmarks[UPPER_BODY, :2] @ turn[:, :2].T + turn[:, 2]
    assert_near(posed(leaning).landmarks[UPPER_BODY, :2], expected, 30)


def test_two_people_largest_first() -> None:
    photo = np.full((600, 1000, 3), 200, np.uint8)
    photo[88:600, :512] = astronaut()
    photo[300:556, 650:906] = cv2.resize(astronaut(), (256, 256), interpolation=cv2.INTER_AREA)
    people = detect_people(photo)
    assert [person.hips[0] < 512 for person in people] == [True, False]
    assert people[0].size > 1.4 * people[1].size


def test_threads_share_the_networks() -> None:
    with ThreadPoolExecutor(4) as pool:
        poses = list(pool.map(posed, [astronaut()] * 8))
    for pose in poses:
        assert pose.landmarks.tobytes() == astronaut_pose().landmarks.tobytes()
        assert pose.mask.tobytes() == astronaut_pose().mask.tobytes()
