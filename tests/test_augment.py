"""Variations keep together what belongs together: pictures, masks, part maps, joints, left and right."""

from __future__ import annotations

import cv2
import figures
import numpy as np
import pytest
from pydantic import ValidationError

from vestiary.training.augment import NONE, Augmentation, draw, vary, vary_garment, vary_pair, vary_person
from vestiary.training.scene import MIRROR, Scene, apply
from vestiary.types import Joint, Landmark, Part, Person

WILD = Augmentation(rotate=20, scale=0.3, shift=0.1, crop=1.0, viewpoint=0.1, occlude=1.0, jpeg=1.0)


def only(**amounts: float) -> Augmentation:
    return NONE.model_copy(update=amounts)


def dotted() -> Scene:
    """Three white dots on black, with masks, parts and points at the same places."""
    image, mask, parts = (
        np.zeros((200, 160, 3), np.uint8),
        np.zeros((200, 160), np.uint8),
        np.zeros((200, 160), np.uint8),
    )
    points = np.zeros((18, 3), np.float32)
    for number, (x, y) in ((2, (50, 60)), (5, (110, 70)), (9, (60, 140))):
        cv2.circle(image, (x, y), 6, (255, 255, 255), -1)
        cv2.circle(mask, (x, y), 6, 255, -1)
        cv2.circle(parts, (x, y), 6, int(Part.RIGHT_ARM if number == 2 else Part.TOP), -1)
        points[number] = x, y, 0.8
    return Scene({"image": image}, {"dots": mask}, {"parts": parts}, {"keypoints": points})


def same(one: Person, other: Person) -> bool:
    arrays = ("image", "silhouette", "parts", "pose", "keypoints", "world")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays)


@pytest.mark.parametrize("seed", range(12))
def test_everything_moves_together(seed: int) -> None:
    settings = WILD.model_copy(update={"occlude": 0.0, "exposure": 0.0, "temperature": 0.0, "noise": 0.0})
    new = vary(dotted(), np.random.default_rng(seed), settings)
    found = 0
    for x, y, sure in new.points["keypoints"][[2, 5, 9]]:
        inside = 8 < x < 151 and 8 < y < 191
        if not inside:
            continue
        found += 1
        column, row = round(float(x)), round(float(y))
        assert sure == pytest.approx(0.8)
        assert new.pictures["image"][row, column].min() > 180
        assert new.masks["dots"][row, column] > 180
        assert new.parts["parts"][row, column] > 0
    assert found or (new.points["keypoints"][:, 2] == 0).sum() >= 15


def test_the_same_generator_gives_the_same_bytes_and_leaves_the_input_alone() -> None:
    person, garment = figures.person(), figures.garment("tee_white.jpg")
    before = person.image.copy()
    one, other = (vary_pair(person, garment, np.random.default_rng(7), WILD) for _ in range(2))
    assert same(one[0], other[0])
    assert np.array_equal(one[1].image, other[1].image)
    assert np.array_equal(person.image, before)
    third = vary_pair(person, garment, np.random.default_rng(8), WILD)
    assert not np.array_equal(one[0].image, third[0].image)


def test_no_amounts_change_nothing() -> None:
    person = figures.person()
    new = vary_person(person, draw((300, 500), np.random.default_rng(0), NONE))
    assert same(person, new)


def test_a_mirror_exchanges_left_and_right() -> None:
    person, garment = figures.person(sleeves="none"), figures.garment("longsleeve_striped.jpg")
    new, worn = vary_pair(person, garment, np.random.default_rng(0), only(mirror=1.0))
    assert np.array_equal(new.image, person.image[:, ::-1])
    assert (person.parts == Part.LEFT_ARM).sum() > 100
    assert np.array_equal(new.parts == Part.LEFT_ARM, (person.parts == Part.RIGHT_ARM)[:, ::-1])
    x, y = person.joint(Joint.RIGHT_WRIST)
    np.testing.assert_allclose(new.joint(Joint.LEFT_WRIST), (299 - x, y), atol=1e-3)
    np.testing.assert_allclose(new.world[Joint.LEFT_HIP], person.world[Joint.RIGHT_HIP] * (-1, 1, 1))
    left = garment.landmark(Landmark.CUFF_OUTER_LEFT)
    np.testing.assert_allclose(
        worn.landmark(Landmark.CUFF_OUTER_RIGHT), (garment.image.shape[1] - 1 - left[0], left[1]), atol=1e-3
    )
    again = vary_person(new, draw((300, 500), np.random.default_rng(0), only(mirror=1.0)))
    assert np.array_equal(again.parts, person.parts)
    np.testing.assert_allclose(again.pose, person.pose, atol=1e-3)


def test_facing_and_folded_arms_are_mirrored_too() -> None:
    from dataclasses import replace

    person = replace(figures.person(), facing="left", arm_in_front=frozenset({"left"}))
    new = vary_person(person, draw((300, 500), np.random.default_rng(0), only(mirror=1.0)))
    assert (new.facing, new.arm_in_front) == ("right", {"right"})


@pytest.mark.parametrize("count", MIRROR)
def test_mirror_tables_undo_themselves(count: int) -> None:
    table = np.array(MIRROR[count])
    assert table[table].tolist() == list(range(count))


def test_a_turn_of_the_picture_turns_the_world() -> None:
    person = figures.person()
    drawn = draw((300, 500), np.random.default_rng(3), only(rotate=30.0))
    new = vary_person(person, drawn)
    flat, deep = (p[Joint.LEFT_SHOULDER, :2] - p[Joint.RIGHT_HIP, :2] for p in (new.pose, new.world))
    angle = np.degrees(np.arctan2(flat[1], flat[0]) - np.arctan2(deep[1], deep[0]))
    assert abs(drawn.degrees) > 5
    assert angle == pytest.approx(0, abs=0.1)


def test_joints_outside_the_frame_are_not_believed() -> None:
    scene = dotted()
    new = vary(scene, np.random.default_rng(1), only(shift=0.5))
    x, y, sure = new.points["keypoints"].T
    outside = (x < 0) | (y < 0) | (x > 159) | (y > 199)
    assert outside[[2, 5, 9]].any()
    assert not sure[outside].any()


def test_what_is_covered_belongs_to_nobody() -> None:
    person = figures.person()
    red = np.zeros((60, 60, 4), np.uint8)
    red[:] = (250, 0, 0, 255)
    drawn = draw((300, 500), np.random.default_rng(5), only(occlude=1.0, occlude_most=0.4), objects=[red])
    new = vary_person(person, drawn)
    covered = (new.image == (250, 0, 0)).all(axis=2)
    assert covered.sum() > 500
    assert not new.parts[covered].any()
    assert not new.silhouette[covered].any()
    assert np.array_equal(new.image[~covered], person.image[~covered])
    x, y = np.round(person.pose[:, :2].T).astype(int)
    assert (new.pose[:, 3] == np.where(covered[y, x], 0.5, 1) * person.pose[:, 3]).all()


def test_light_changes_pictures_alone_and_in_the_right_direction() -> None:
    scene = Scene({"image": np.full((40, 40, 3), 120, np.uint8)}, {"mask": np.full((40, 40), 200, np.uint8)})
    rng = np.random.default_rng(0)
    drawn = draw((40, 40), rng, only(exposure=1.0, temperature=0.5))
    new = apply(scene, drawn).pictures["image"][0, 0].astype(int)
    assert (new[1] > 120) == (drawn.stops > 0)
    assert (new[0] > new[2]) == (drawn.warmth > 0)
    assert np.array_equal(apply(scene, drawn).masks["mask"], scene.masks["mask"])
    noisy = vary(scene, np.random.default_rng(1), only(noise=0.1)).pictures["image"].astype(float)
    assert 1 < noisy.std() < 40
    assert noisy.mean() == pytest.approx(120, abs=4)


def test_pictures_of_one_scene_are_lit_alike() -> None:
    image = np.random.default_rng(0).integers(0, 255, (60, 60, 3), np.uint8)
    scene = Scene({"image": image, "target": image.copy()})
    new = vary(scene, np.random.default_rng(2), WILD)
    assert np.array_equal(new.pictures["image"], new.pictures["target"])


def test_garments_are_varied_on_their_own_but_for_the_mirror() -> None:
    garment = figures.garment("tee_white.jpg")
    size = (garment.image.shape[1], garment.image.shape[0])
    drawn = draw(size, np.random.default_rng(4), only(rotate=15.0), mirrored=True)
    new = vary_garment(garment, drawn)
    for name in ("NECK", "SHOULDER", "HEM"):  # the wearer's left stays on the right of the picture
        left, right = (new.landmark(Landmark[f"{name}_{side}"]) for side in ("LEFT", "RIGHT"))
        assert left[0] > right[0]
    assert new.alpha.mean() == pytest.approx(garment.alpha.mean(), rel=0.1)
    rows, columns = np.nonzero(new.alpha > 127)
    flat = new.landmarks[new.landmarks[:, 2] > 0, :2]
    nearest = [np.hypot(columns - x, rows - y).min() for x, y in flat]
    assert max(nearest) < 12


def test_amounts_have_bounds() -> None:
    with pytest.raises(ValidationError):
        Augmentation(mirror=2)
    with pytest.raises(ValidationError):
        Augmentation(blur=1)  # type: ignore[call-arg]
