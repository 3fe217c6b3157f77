"""The one input of learned engines: shapes and ranges as the table says, nothing cut off, and the way back."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import figures
import numpy as np
import pytest

from vestiary.encoding.encode import Encoding, as_markdown, encode, heat_maps, specs, to_tensors
from vestiary.encoding.frames import Frame
from vestiary.encoding.shape import NAMES
from vestiary.errors import MissingExtraError, OptionError
from vestiary.types import CATEGORIES, Garment, Joint, Part, Person

SMALL = Encoding(height=128, width=96, text_tokens=5, text_width=7)
DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def person() -> Person:
    drawn = figures.person()
    from vestiary.person.pose import openpose18

    return replace(drawn, keypoints=openpose18(drawn.pose))


@pytest.fixture(scope="module")
def garment() -> Garment:
    return figures.garment("tee_white.jpg")


@pytest.mark.parametrize("settings", [SMALL, SMALL.model_copy(update={"height": 96, "width": 160, "garments": 2})])
def test_shapes_and_ranges_are_those_of_the_table(person: Person, garment: Garment, settings: Encoding) -> None:
    rgba = np.dstack([person.image, person.silhouette])
    encoded = encode(person, [garment], settings, text=np.ones((3, 7), np.float32), warped=rgba)
    table = specs(settings)
    assert [spec.name for spec in table] == list(encoded.arrays)
    for spec in table:
        array = encoded[spec.name]
        assert array.shape == spec.shape, spec.name
        assert array.dtype == np.float32
        assert array.min() >= spec.low, spec.name
        assert array.max() <= spec.high, spec.name
        assert array.any(), spec.name


def test_the_page_shows_the_table() -> None:
    page = (DOCS / "encoding.md").read_text(encoding="utf-8")
    assert as_markdown(Encoding()) in page
    assert all(f"`{name}`" in page or name.startswith("width_") for name in NAMES)


def test_the_same_values_give_the_same_bytes(person: Person, garment: Garment) -> None:
    one, other = (encode(person, [garment], SMALL) for _ in range(2))
    assert all(np.array_equal(one[name], other[name]) for name in one.arrays)


def test_nothing_is_cut_off_and_padding_is_zero(person: Person, garment: Garment) -> None:
    encoded = encode(person, [garment], SMALL.model_copy(update={"width": 160}))
    inside = encoded["inside"][0] > 0
    rows, columns = encoded.frame.window
    assert (columns.start, columns.stop, rows.start, rows.stop) == (41, 118, 0, 128)
    assert inside[rows, columns].all()
    assert inside.sum() == 128 * 77
    for name in ("image", "agnostic", "agnostic_mask", "pose", "silhouette", "parts"):
        assert not encoded[name][:, ~inside].any(), name


@pytest.mark.parametrize("photo", [(300, 500), (640, 480), (97, 512), (40, 30)])
@pytest.mark.parametrize("size", [(96, 128), (128, 64)])
def test_the_way_back(photo: tuple[int, int], size: tuple[int, int]) -> None:
    frame = Frame.around(photo, size)
    corners = np.array([[0, 0, 1], [photo[0] - 1, photo[1] - 1, 1], [photo[0] / 3, photo[1] / 2, 0.5]], np.float32)
    there = frame.points(corners)
    assert (there[:, :2] > -1).all()
    assert (there[:, :2] < np.array(size)).all()
    np.testing.assert_allclose(frame.points_back(there), corners, atol=1e-3)
    wave = np.sin(np.arange(photo[0]) / photo[0] * 3)[None, :] + np.cos(np.arange(photo[1]) / photo[1] * 2)[:, None]
    bytes_ = np.clip(wave * 60 + 128, 0, 255).astype(np.uint8)
    back = frame.back(frame.padded(frame.scaled(bytes_)[None].astype(np.float32)))
    assert back.shape == (1, photo[1], photo[0])
    assert np.abs(back[0] - bytes_).mean() < 2.5


def test_a_network_of_another_resolution_finds_its_way_back() -> None:
    frame = Frame.around((300, 500), (96, 128))
    half = np.zeros((1, 64, 48), np.float32)
    half[:, 32:] = 1
    back = frame.back(half)
    assert back.shape == (1, 500, 300)
    assert (back[0, 100, 150], back[0, 400, 150]) == (0, 1)


def test_heat_maps_peak_at_their_joints(person: Person, garment: Garment) -> None:
    encoded = encode(person, [garment], SMALL)
    for number, (x, y, sure) in enumerate(encoded.frame.points(person.keypoints)):
        plane = encoded["pose"][number]
        row, column = np.unravel_index(plane.argmax(), plane.shape)
        assert abs(column - x) <= 1
        assert abs(row - y) <= 1
        assert plane.max() == pytest.approx(sure, abs=0.15)  # the joint lies between pixels


def test_joints_outside_the_photo_have_empty_maps() -> None:
    points = np.array([[-3, 20, 0.9], [20, 20, 0], [20, 20, 0.5]], np.float32)
    maps = heat_maps(points, Frame.around((40, 40), (40, 40)), 2.0)
    assert [bool(plane.any()) for plane in maps] == [False, False, True]
    assert maps[2, 20, 20] == pytest.approx(0.5)
    assert maps[2, 20, 22] == pytest.approx(0.5 * np.exp(-0.5))


def test_parts_are_one_hot_inside_the_photo(person: Person) -> None:
    encoded = encode(person, [], SMALL)
    assert np.array_equal(encoded["parts"].sum(axis=0), encoded["inside"][0])
    assert encoded["parts"][Part.TOP].sum() > 200


def test_agnostic_pictures_hide_the_old_clothes_and_keep_the_rest(person: Person, garment: Garment) -> None:
    settings = SMALL.model_copy(update={"height": 500, "width": 300})
    encoded = encode(person, [garment], settings)
    mask = encoded["agnostic_mask"][0] > 0
    for part in (Part.TOP, Part.NECK):
        assert mask[person.parts == part].mean() > 0.99, part
    for part in (Part.FACE, Part.HAIR, Part.LEFT_HAND):
        assert not mask[person.parts == part].any(), part
    assert mask[person.parts == Part.TROUSERS].mean() < 0.3
    assert np.array_equal(encoded["agnostic"][:, ~mask], encoded["image"][:, ~mask])
    grey = encode(person, [garment], settings.model_copy(update={"agnostic": "masked"}))
    assert not grey["agnostic"][:, mask].any()
    assert np.array_equal(grey["agnostic_mask"], encoded["agnostic_mask"])
    # What is filled in does not depend on what was worn: the grey top may as well have been red.
    red = person.image.copy()
    red[person.parts == Part.TOP] = (200, 10, 10)
    other = encode(replace(person, image=red), [garment], settings)
    assert np.abs(other["agnostic"] - encoded["agnostic"])[:, mask].max() < 0.05


def test_categories_decide_which_clothes_go(person: Person, garment: Garment) -> None:
    settings = SMALL.model_copy(update={"height": 500, "width": 300})

    def gone(*garments: Garment) -> tuple[bool, bool]:
        mask = encode(person, list(garments), settings)["agnostic_mask"][0]
        return tuple(bool(mask[person.parts == p].mean() > 0.9) for p in (Part.TOP, Part.TROUSERS))  # type: ignore[return-value]

    trousers = replace(garment, category="trousers")
    assert gone(garment) == (True, False)
    assert gone(trousers) == (False, True)
    assert gone(replace(garment, category="dress")) == (True, True)
    assert gone() == (True, True)


def test_garment_places(person: Person, garment: Garment) -> None:
    settings = SMALL.model_copy(update={"garments": 2})
    encoded = encode(person, [garment], settings)
    assert encoded["garment_category"].tolist() == [[name == "top" for name in CATEGORIES], [0] * 6]
    assert not encoded["garment"][1].any()
    outside = encoded["garment_mask"][0, 0] == 0
    assert outside.any()
    assert not encoded["garment"][0][:, outside].any()
    drawn = encoded["garment_landmarks"][0].any(axis=(1, 2))
    assert np.array_equal(drawn, garment.landmarks[:, 2] > 0)
    with pytest.raises(OptionError, match="3 garments do not fit into 2 places"):
        encode(person, [garment] * 3, settings)


def test_text_and_warped_garments(person: Person, garment: Garment) -> None:
    none = encode(person, [garment], SMALL)
    assert not none["text"].any()
    assert (none["text_given"].item(), none["warped_mask"].any()) == (0, False)
    given = encode(person, [garment], SMALL, text=np.full((2, 7), -3, np.float32))
    assert given["text_given"].item() == 1
    assert (given["text"][:2] == -3).all()
    assert not given["text"][2:].any()
    with pytest.raises(OptionError, match="text embedding has shape"):
        encode(person, [garment], SMALL, text=np.ones((6, 7), np.float32))
    with pytest.raises(OptionError, match="warped garment has shape"):
        encode(person, [garment], SMALL, warped=np.zeros((5, 5, 4), np.uint8))


def test_arrays_can_be_left_out(person: Person, garment: Garment) -> None:
    without = frozenset({"agnostic", "agnostic_mask", "body", "garment_landmarks", "parts"})
    encoded = encode(person, [garment], SMALL.model_copy(update={"without": without}))
    assert not without & encoded.arrays.keys()
    assert {"image", "pose", "garment"} <= encoded.arrays.keys()


def test_body_shape_does_not_depend_on_resolution(person: Person) -> None:
    small, large = (
        dict(zip(NAMES, encode(person, [], SMALL.model_copy(update={"height": h, "width": w}))["body"], strict=True))
        for h, w in ((250, 150), (500, 300))
    )
    assert set(small) == set(NAMES)
    for name in NAMES:
        assert small[name] == pytest.approx(large[name], rel=0.08, abs=0.03), name
    assert large["unit"] == pytest.approx(figures.UNIT / figures.HEIGHT, rel=0.15)
    assert large["turn_cosine"] == pytest.approx(1)
    assert large["upper_arm_left"] == pytest.approx(large["upper_arm_right"], rel=0.05)


def test_a_turned_chest_shows_in_the_shape(person: Person) -> None:
    world = person.world.copy()
    world[Joint.LEFT_SHOULDER, 2], world[Joint.RIGHT_SHOULDER, 2] = 0.1, -0.1
    body = encode(replace(person, world=world), [], SMALL)["body"]
    assert body[NAMES.index("turn_sine")] > 0.3


@pytest.mark.train
def test_tensors(person: Person, garment: Garment) -> None:
    torch = pytest.importorskip("torch")
    one = encode(person, [garment], SMALL)
    batch = to_tensors([one, one])
    assert set(batch) == set(one.arrays)
    assert batch["image"].shape == (2, 3, 128, 96)
    assert batch["image"].dtype == torch.float32


def test_nothing_but_tensors_loads_torch() -> None:
    code = (
        "import vestiary.datasets.check, vestiary.training.augment, vestiary.encoding.encode, sys; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "onnxruntime"} & set(done.stdout.split())


def test_tensors_without_torch_say_what_to_install(
    person: Person, garment: Garment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"vestiary\[train\]"):
        to_tensors([encode(person, [garment], SMALL)])
