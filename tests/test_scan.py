"""Scanning a photo: who is in it, what is said of them, what is refused, the silhouette and the card."""

from __future__ import annotations

from functools import cache

import cv2
import figures
import numpy as np
import pytest
from PIL import Image

from vestiary import samples
from vestiary.errors import PersonError
from vestiary.person import describe
from vestiary.person import scan as scanning
from vestiary.person.draw import PART_COLOURS, draw_parts, draw_skeleton, person_card
from vestiary.person.presence import find_person
from vestiary.person.scan import scan
from vestiary.person.silhouette import carry_to_edges
from vestiary.types import Joint, Part, Person


@cache
def astronaut() -> np.ndarray:
    return np.asarray(Image.open(samples.people()["astronaut"]).convert("RGB"))


@pytest.fixture(autouse=True)
def _no_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parsing network has tests of its own."""
    monkeypatch.setattr(
        scanning,
        "parse_parts",
        lambda image, pose, silhouette: np.where(silhouette > 127, Part.TOP, 0).astype(np.uint8),
    )


def standing() -> tuple[np.ndarray, np.ndarray]:
    """Landmarks in pixels and in metres of somebody who faces the camera, arms hanging."""
    pose = figures.pose()
    world = np.zeros((33, 3), np.float32)
    world[:, :2] = (pose[:, :2] - pose[[Joint.LEFT_HIP, Joint.RIGHT_HIP], :2].mean(axis=0)) / 200
    return pose, world


def turned(world: np.ndarray, degrees: float) -> np.ndarray:
    """Somebody who turned to the picture's left by this angle."""
    angle = np.radians(degrees)
    rotated = world.copy()
    rotated[:, 0] = world[:, 0] * np.cos(angle) + world[:, 2] * np.sin(angle)
    rotated[:, 2] = world[:, 2] * np.cos(angle) - world[:, 0] * np.sin(angle)
    return rotated


@pytest.mark.parametrize(
    ("degrees", "face", "facing"),
    [
        (0, 0.9, "front"),
        (40, 0.9, "front"),
        (-40, 0.9, "front"),
        (80, 0.9, "left"),
        (-80, 0.9, "right"),
        (180, 0.3, "back"),
        (110, 0.3, "back"),
        (110, 0.9, "left"),
        (160, 0.9, "back"),
    ],
)
def test_facing(degrees: float, face: float, facing: str) -> None:
    _, world = standing()
    assert describe.facing_of(turned(world, degrees), face) == facing


def test_hanging_arms_are_not_in_front() -> None:
    assert describe.arms_in_front(*standing()) == frozenset()


@pytest.mark.parametrize(("nearer", "expected"), [(0.2, {"right"}), (-0.2, set())])
def test_forearm_across_the_torso(nearer: float, expected: set[str]) -> None:
    pose, world = standing()
    pose[[Joint.RIGHT_WRIST, Joint.RIGHT_INDEX], :2] = (150, 165), (165, 165)
    world[[Joint.RIGHT_WRIST, Joint.RIGHT_INDEX], 2] = -nearer
    assert describe.arms_in_front(pose, world) == expected


@pytest.mark.parametrize(("height", "halves"), [(500, {"upper", "lower"}), (250, {"upper"}), (120, set())])
def test_halves_that_the_photo_shows(height: int, halves: set[str]) -> None:
    pose, _ = standing()
    pose[pose[:, 1] > height, 3] = 0.01
    assert describe.visible_halves(pose, (height, 300)) == halves


def test_upside_down_and_lying() -> None:
    pose, world = standing()
    with pytest.raises(PersonError, match="upside down"):
        describe.check_can_serve(np.column_stack([pose[:, 0], 500 - pose[:, 1], pose[:, 2:]]), world, "front")
    with pytest.raises(PersonError, match="lying"):
        describe.check_can_serve(pose[:, [1, 0, 2, 3]], world, "front")
    with pytest.raises(PersonError, match="from behind"):
        describe.check_can_serve(pose, world, "back")
    with pytest.raises(PersonError, match="too small"):
        describe.check_can_serve(pose * np.float32(0.1), world, "front")
    describe.check_can_serve(pose, world, "front")


def test_scan_of_the_portrait() -> None:
    person = scan(astronaut(), source="abc")
    assert person.facing == "front"
    assert person.source == "abc"
    assert person.keypoints.shape == (18, 3)
    assert set(person.timings) == {"pose", "silhouette", "parsing", "describe"}
    assert person.warnings == ("The legs are not in the photo: trousers, shorts and skirts cannot be fitted.",)
    x0, y0, x1, y1 = person.box
    assert x0 < 60
    assert y0 < 30
    assert x1 > 350
    assert y1 == 512
    with pytest.raises(PersonError, match=r"lower body.*trousers"):
        describe.require_half(person, "lower", "trousers")
    describe.require_half(person, "upper", "top")


def test_same_photo_same_bytes() -> None:
    one, other = scan(astronaut().copy()), scan(astronaut().copy())
    for name in ("pose", "world", "keypoints", "silhouette", "parts"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes()


def test_sideways_photo_is_refused() -> None:
    with pytest.raises(PersonError, match="lying down"):
        scan(np.ascontiguousarray(np.rot90(astronaut())))


@pytest.mark.parametrize("what", ["noise", "gradient", "black", "checks", "dot", "strip"])
def test_nobody(what: str) -> None:
    ramp = np.broadcast_to(np.linspace(0, 255, 320).astype(np.uint8)[:, None, None], (320, 240, 3))
    pictures = {
        "noise": np.random.default_rng(0).integers(0, 256, (320, 240, 3), np.uint8),
        "gradient": ramp.copy(),
        "black": np.zeros((320, 240, 3), np.uint8),
        "checks": (np.indices((320, 240)).sum(axis=0) // 24 % 2 * 200).astype(np.uint8)[..., None].repeat(3, axis=2),
        "dot": np.full((1, 1, 3), 90, np.uint8),
        "strip": np.full((3, 900, 3), 90, np.uint8),
    }
    with pytest.raises(PersonError, match="nobody"):
        scan(pictures[what])


@pytest.mark.parametrize("name", sorted(samples.garments()))
def test_garment_photos_show_nobody(name: str) -> None:
    with pytest.raises(PersonError, match="nobody"):
        scan(np.asarray(Image.open(samples.garments()[name]).convert("RGB")))


@cache
def two_people() -> np.ndarray:
    photo = np.full((600, 1000, 3), 200, np.uint8)
    photo[88:600, :512] = astronaut()
    photo[300:556, 650:906] = cv2.resize(astronaut(), (256, 256), interpolation=cv2.INTER_AREA)
    return photo


def test_person_number() -> None:
    largest, second = scan(two_people()), scan(two_people(), person=2)
    assert largest.box[2] < 600 < second.box[0]
    assert any("2 people" in warning for warning in largest.warnings)
    assert second.silhouette[:, :512].max() == 0
    with pytest.raises(PersonError, match=r"only 2 people.*Choose 1 to 2"):
        scan(two_people(), person=3)
    with pytest.raises(PersonError, match="only one person"):
        scan(astronaut(), person=2)
    with pytest.raises(PersonError, match="Count from 1"):
        scan(astronaut(), person=0)


def test_small_person_in_a_large_photo_is_found() -> None:
    photo = np.full((800, 1000, 3), 180, np.uint8)
    photo[500:660, 300:460] = cv2.resize(astronaut(), (160, 160), interpolation=cv2.INTER_AREA)
    found = find_person(photo)
    assert 300 < found.pose.landmarks[Joint.NOSE, 0] < 460
    assert 500 < found.pose.landmarks[Joint.NOSE, 1] < 660


@pytest.mark.parametrize(
    ("spoilt", "word"),
    [
        (cv2.GaussianBlur(astronaut(), (0, 0), 3), "blurred"),
        ((astronaut() * 0.15).astype(np.uint8), "dark"),
        (cv2.resize(astronaut(), (100, 100), interpolation=cv2.INTER_AREA), "small"),
    ],
)
def test_warnings(spoilt: np.ndarray, word: str) -> None:
    assert any(word in warning for warning in scan(spoilt).warnings)


def test_large_photo_gives_the_same_scan() -> None:
    large = scan(cv2.resize(astronaut(), (2048, 2048), interpolation=cv2.INTER_CUBIC))
    small = scan(astronaut())
    assert large.silhouette.shape == (2048, 2048)
    reduced = cv2.resize(large.silhouette, (512, 512), interpolation=cv2.INTER_AREA) > 127
    kept = small.silhouette > 127
    assert (reduced & kept).sum() / (reduced | kept).sum() > 0.96


def test_coarse_mask_is_carried_to_the_edge() -> None:
    picture = np.full((480, 480, 3), (200, 190, 180), np.uint8)
    cv2.circle(picture, (240, 240), 150, (60, 40, 90), -1)
    coarse = np.zeros((120, 120), np.float32)
    cv2.circle(coarse, (60, 61), 36, 1.0, -1)
    mask = carry_to_edges(picture, cv2.GaussianBlur(coarse, (0, 0), 2))
    inside = picture[..., 0] < 100
    before = cv2.resize(coarse, (480, 480)) > 0.5
    assert ((mask > 127) != inside).sum() < 0.2 * (before != inside).sum()


def test_card_shows_parts_and_words() -> None:
    plain = figures.person()
    card = person_card(plain)
    assert card.dtype == np.uint8
    assert card.shape[1] > 4 * 400
    legend = {colour for part, colour in PART_COLOURS.items() if (plain.parts == part).mean() > 0.01 and part}
    assert all((card == colour).all(axis=-1).any() for colour in legend)
    warned = Person(**{**plain.__dict__, "warnings": ("The photo is blurred.",)})
    assert person_card(warned).shape[0] > card.shape[0]


def test_layers_of_the_card_have_the_photos_size() -> None:
    person = figures.person()
    assert draw_parts(person).shape == person.image.shape
    assert draw_skeleton(person).shape == person.image.shape
    assert len(PART_COLOURS) == len(Part) == len(set(PART_COLOURS.values()))
