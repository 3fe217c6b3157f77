"""The live mirror: filters, swipes, the ground, and a whole film through the real networks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vestiary import samples
from vestiary.api import read_garment
from vestiary.errors import GarmentError
from vestiary.images import open_picture
from vestiary.mirror.euro import OneEuro
from vestiary.mirror.ground import Ground
from vestiary.mirror.live import Mirror, lighter
from vestiary.mirror.motion import Motion, Way
from vestiary.mirror.steady import Average, Majority
from vestiary.mirror.swipe import SwipeWatch
from vestiary.types import Joint

RATE = 10.0


def test_one_euro_holds_noise_and_follows_steps() -> None:
    rng = np.random.default_rng(0)
    steady = OneEuro(cutoff=1.0, slope=30.0)
    noisy = 0.5 + rng.normal(0, 0.002, 60)
    held = [float(steady(np.array([x]), i / RATE)[0]) for i, x in enumerate(noisy)]
    assert np.abs(np.diff(held[10:])).mean() < 0.5 * np.abs(np.diff(noisy[10:])).mean()
    late = [float(steady(np.array([0.5 + 0.05 * k]), 6 + k / RATE)[0]) for k in range(1, 11)]
    assert late[-1] == pytest.approx(1.0, abs=0.03)


def test_average_forgets_what_is_no_longer_seen() -> None:
    average = Average(0.3)
    for i in range(5):
        value = average(np.array([1.0, 2.0]), i / RATE)
    assert value == pytest.approx([1.0, 2.0])
    assert np.isfinite(average(np.array([1.0, np.nan]), 0.5)).all()  # one frame without it changes nothing
    for i in range(6, 16):
        value = average(np.array([1.0, np.nan]), i / RATE)
    assert value[0] == pytest.approx(1.0)
    assert np.isnan(value[1])


def test_majority_does_not_flip_for_one_frame() -> None:
    opinion: Majority[str] = Majority(5)
    for _ in range(5):
        opinion(frozenset({"left"}))
    assert opinion(frozenset()) == {"left"}
    assert [opinion(frozenset()) for _ in range(3)][-1] == frozenset()


def standing() -> NDArray[np.float32]:
    """Somebody with a shoulder width of 100 pixels, hands beside the hips."""
    pose = np.zeros((33, 4), np.float32)
    pose[:, 3] = 0.9
    places = {"SHOULDER": (50, 100), "ELBOW": (60, 170), "WRIST": (62, 260), "HIP": (35, 250)}
    for name, (x, y) in places.items():
        pose[Joint[f"LEFT_{name}"], :2] = 200 + x, y
        pose[Joint[f"RIGHT_{name}"], :2] = 200 - x, y
    return pose


def calls(track: list[NDArray[np.float32]], rate: float = RATE) -> list[str]:
    watch = SwipeWatch()
    return [called for i, pose in enumerate(track) if (called := watch.step(pose, i / rate))]


def swipe(start: float, end: float, seconds: float, *, rate: float = RATE, y: float = 150) -> list[NDArray[np.float32]]:
    track = []
    steps = round(seconds * rate)
    for k in range(-5, steps + 6):
        pose = standing()
        x = start + (end - start) * np.clip(k / steps, 0, 1)
        pose[Joint.RIGHT_WRIST, :2] = x, y
        track.append(pose)
    return track


@pytest.mark.parametrize("rate", [8.0, 12.0, 25.0])
def test_a_swipe_calls_once(rate: float) -> None:
    assert calls(swipe(120, 240, 0.4, rate=rate), rate) == ["next"]
    assert calls(swipe(240, 120, 0.4, rate=rate), rate) == ["previous"]


def test_the_hand_that_comes_back_calls_for_nothing() -> None:
    assert calls(swipe(120, 240, 0.4) + swipe(240, 120, 0.5)[6:]) == ["next"]


def test_two_swipes_with_a_pause_call_twice() -> None:
    assert calls(swipe(120, 240, 0.4) + [standing()] * 12 + swipe(120, 240, 0.4)) == ["next", "next"]


@pytest.mark.parametrize(
    "track",
    [
        pytest.param(swipe(120, 240, 1.5), id="slow"),
        pytest.param(swipe(150, 210, 0.3), id="short"),
        pytest.param(swipe(120, 260, 0.4, y=300), id="below the hips"),
        pytest.param([standing()] * 20, id="still"),
    ],
)
def test_other_movements_call_for_nothing(track: list[NDArray[np.float32]]) -> None:
    assert calls(track) == []


def test_walking_through_the_picture_calls_for_nothing() -> None:
    track = []
    for k in range(30):
        pose = standing()
        swing = 45 * np.sin(2 * np.pi * k / 10)
        pose[Joint.LEFT_WRIST, :2] += swing, -20 - abs(swing) / 3
        pose[Joint.RIGHT_WRIST, :2] += swing, -20 - abs(swing) / 3
        pose[:, 0] += 25 * k
        track.append(pose)
    assert calls(track) == []


def test_raising_a_hand_calls_for_nothing() -> None:
    track = [standing() for _ in range(16)]
    for k, pose in enumerate(track):
        share = np.clip(k / 5, 0, 1)
        pose[Joint.RIGHT_WRIST, :2] = 130 + 90 * share, 245 - 200 * share
    assert calls(track) == []


def test_an_unsure_wrist_calls_for_nothing() -> None:
    track = swipe(120, 240, 0.4)
    for pose in track:
        pose[Joint.RIGHT_WRIST, 3] = 0.2
    assert calls(track) == []


def textured(shape: tuple[int, int], seed: int = 0) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    small = rng.uniform(40, 215, (shape[0] // 8, shape[1] // 8, 3)).astype(np.float32)
    return np.clip(cv2.resize(small, shape[::-1], interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def test_a_way_carries_labels_with_the_picture() -> None:
    picture = textured((256, 192))
    motion, way = Motion(), Way((256, 192))
    motion.step(picture)
    mask = np.zeros((256, 192), np.uint8)
    mask[100:150, 60:120] = 7
    for k in range(1, 4):
        way.extend(motion.step(np.roll(picture, 3 * k, axis=1)))
    moved = way.carry(mask, labels=True)
    expected = np.roll(mask, 9, axis=1)
    assert set(np.unique(moved)) <= {0, 7}
    assert ((moved > 0) & (expected > 0)).sum() / ((moved > 0) | (expected > 0)).sum() > 0.9


def test_the_ground_remembers_what_somebody_hides() -> None:
    scene = textured((120, 160))
    ground = Ground()
    flow = np.zeros((120, 160, 2), np.float32)
    for left in (20, 50, 80, 110):
        hidden = np.zeros(scene.shape[:2], np.uint8)
        hidden[30:, left : left + 25] = 255
        frame = scene.copy()
        frame[hidden > 0] = (255, 0, 0)
        ground.see(frame, hidden, flow)
    assert np.abs(ground.picture().astype(int) - scene).mean() < 3
    other = 255 - scene  # another room: what was known is of no use
    ground.see(other, hidden, flow)
    bare = hidden == 0
    assert np.abs(ground.picture().astype(int) - other)[bare].mean() < 8


def film(frames: int) -> list[NDArray[np.uint8]]:
    """A sample person who sways, with the camera's noise."""
    photo = open_picture(samples.people()["jonas"]).on_white()
    rng = np.random.default_rng(1)
    scale = 320 / photo.shape[0]
    made = []
    for k in range(frames):
        place = np.array([[scale, 0, 6 * np.sin(k / 2)], [0, scale, 0]])
        frame = cv2.warpAffine(photo, place, (240, 320), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
        made.append(np.clip(frame + rng.normal(0, 3, frame.shape), 0, 255).astype(np.uint8))
    return made


@pytest.fixture(scope="module")
def garments() -> list[object]:
    return [read_garment(samples.garments()[name], words=False) for name in ("tee_white", "jeans_blue")]


def test_a_film_goes_through(garments: list[object]) -> None:
    frames = film(8)
    runs = []
    for _ in range(2):
        with Mirror(garments, (240, 320)) as mirror:
            runs.append([mirror.step(frame, k / RATE) for k, frame in enumerate(frames)])
    for came, went in zip(frames, runs[0], strict=True):
        assert went.image.shape == came.shape
        assert went.garment == 0
        assert not went.message
        chest = went.pose[[Joint.LEFT_SHOULDER, Joint.RIGHT_HIP], :2].mean(axis=0).round().astype(int)
        area = np.s_[chest[1] - 10 : chest[1] + 10, chest[0] - 10 : chest[0] + 10]
        assert went.image[area].mean() > came[area].mean() + 40  # a white shirt over a blue one
    assert all(np.array_equal(a.image, b.image) for a, b in zip(*runs, strict=True))  # threads change nothing


def test_nobody_and_half_a_body_are_told(garments: list[object]) -> None:
    with Mirror(garments, (240, 320)) as mirror:
        empty = np.full((320, 240, 3), 200, np.uint8)
        nobody = mirror.step(empty, 0.0)
        assert nobody.garment == -1
        assert nobody.pose is None
        assert nobody.message
        assert np.array_equal(nobody.image, empty)
        mirror.wear(1)
        upper = cv2.resize(film(1)[0][:170], (240, 170))
        half = mirror.step(upper, 0.1)
        assert half.garment == -1
        assert "trousers" in half.message


def test_garments_are_made_lighter_with_their_landmarks(garments: list[object]) -> None:
    garment = garments[0]
    small = lighter(garment, 200)
    assert max(small.alpha.shape) == 200
    factor = 200 / max(garment.alpha.shape)
    known = garment.landmarks[:, 2] > 0
    assert np.allclose(small.landmarks[known, :2], garment.landmarks[known, :2] * factor, atol=1.0)


def test_a_mirror_without_garments_is_refused() -> None:
    with pytest.raises(GarmentError):
        Mirror([])
