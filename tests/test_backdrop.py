"""The option `background` of the embedded engine: what is cut out, what stands behind, and what it promises."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.figures import garment, person
from vestiary.api import check_options
from vestiary.engines.embedded import EmbeddedEngine, EmbeddedOptions
from vestiary.errors import OptionError
from vestiary.fitting import backdrop
from vestiary.types import Joint, Part

ENGINE = EmbeddedEngine()


def fit(name: str = "tee_white.jpg", *, wearer=None, **options):
    """The drawn person in a sample garment, without the network."""
    wearer = wearer or person()
    return wearer, ENGINE.fit(
        ENGINE.prepare(wearer), [garment(name)], EmbeddedOptions.model_validate({"refine": False, **options})
    )


@pytest.mark.parametrize("name", ["KEEP", "White", " #A0b1C2 "])
def test_names_and_colours_are_read_in_any_case(name):
    assert EmbeddedOptions(background=name).background == name.strip().lower()


@pytest.mark.parametrize("name", ["", "beach", "#12345", "#gggggg", "white\nkeep"])
def test_other_words_are_refused_with_what_is_allowed(name):
    with pytest.raises(OptionError, match=r"'background'.*keep, white, grey, studio, blur.*colour such as"):
        check_options(EmbeddedOptions, {"background": name})


def test_keep_is_what_one_gets_without_asking():
    _, without = fit()
    _, kept = fit(background="keep")
    assert np.array_equal(without.image, kept.image)
    assert np.array_equal(without.mask, kept.mask)
    assert "background" not in kept.timings


@pytest.mark.parametrize("category", ["tee_white.jpg", "dress_floral.jpg", "jeans_blue.jpg", "jacket_hooded.jpg"])
def test_a_colour_is_everywhere_but_on_the_person(category):
    wearer, kept = fit(category)
    _, fitting = fit(category, background="#2080f0")
    _, again = fit(category, background="#2080f0")
    assert np.array_equal(fitting.image, again.image)
    away = cv2.dilate(((wearer.silhouette > 0) | (kept.mask > 0)).astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
    assert (fitting.image[away] == (0x20, 0x80, 0xF0)).all()
    face = cv2.erode(wearer.is_part(Part.FACE).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert np.array_equal(fitting.image[face], wearer.image[face])
    assert (fitting.mask[away] == 255).all()
    assert np.array_equal(fitting.image[fitting.mask == 0], wearer.image[fitting.mask == 0])


def test_the_new_garment_belongs_to_the_person_and_what_it_uncovers_does_not():
    """A dress hangs where there was ground between the legs; trousers' worth of ground is seen beside bare legs."""
    wearer, _ = fit("dress_floral.jpg")
    _, fitting = fit("dress_floral.jpg", background="#00ff00")
    between = ((wearer.joint(Joint.LEFT_HIP) + wearer.joint(Joint.RIGHT_KNEE)) / 2).round().astype(int)
    red, green, blue = fitting.image[between[1], between[0]].astype(int)
    assert not (green > red + 60 and green > blue + 60)


def test_the_old_ground_leaves_no_rim():
    """On a soft edge between a red ground and a grey wearer nothing red is left before the new ground."""
    size = 200
    distance = np.abs(np.arange(size) - 100)[None, :].repeat(size, axis=0)
    matte = np.clip((60 - distance) / 12 + 0.5, 0, 1).astype(np.float32)
    image = (matte[..., None] * 120 + (1 - matte[..., None]) * np.array([230, 20, 20])).round().astype(np.uint8)
    stand = backdrop.Stand(None, 20.0, 30.0)
    changed = backdrop.change_ground(image, matte, image, stand, "#787878").astype(int)
    assert np.abs(changed - 120).max() < 14


def test_shoes_throw_a_shadow_in_the_studio_but_not_when_the_photo_ends_above_them():
    wearer = person()
    stand = backdrop.stand_of(wearer, 60.0)
    assert stand.feet == wearer.pose[Joint.LEFT_HEEL, 1]
    matte = (wearer.silhouette > 0).astype(np.float32)
    lowest = int(np.flatnonzero(matte.any(axis=1))[-1])
    gain = backdrop.contact_shadow(matte, stand)
    assert gain[lowest + 3, 125:175].min() < 0.8
    assert gain[: lowest - 60].min() > 0.99
    portrait = backdrop.Stand(None, stand.eyes, stand.unit)
    assert (backdrop.contact_shadow(matte, portrait) == 1).all()


def test_a_lens_blurs_what_is_far_and_not_the_ground_at_the_feet():
    plate = np.zeros((400, 200, 3), np.uint8)
    plate[:, ::8] = 255
    soft = backdrop.out_of_focus(plate, backdrop.Stand(340.0, 60.0, 50.0))
    contrast = soft[..., 0].std(axis=1)
    assert contrast[340] == pytest.approx(plate[340, :, 0].std(), rel=0.01)
    assert contrast[60] < 0.5 * contrast[340]
    assert soft[60].mean() > plate[60].mean()  # bright points gain by the blur, as in a lens


def test_the_matte_is_among_the_layers():
    _, fitting = fit(background="white", layers=True)
    assert fitting.layers["matte"].dtype == np.uint8
    assert fitting.layers["matte"].shape == fitting.mask.shape


def test_threads_and_crumbs_go_but_thin_things_of_the_wearer_stay():
    matte = np.zeros((200, 100), np.float32)
    matte[20:180, 30:70] = 1  # the wearer
    matte[100:102, 70:95] = 1  # a thread
    matte[5:10, 5:10] = 1  # a crumb
    matte[60:62, 5:30] = 1  # a strap
    matte[190:195, 40:50] = 1  # a shoe
    sure = np.zeros(matte.shape, bool)
    sure[60:62, 5:30] = sure[190:195, 40:50] = True
    kept = backdrop.without_remains(matte, sure, 60.0)
    assert kept[100:102, 85:].max() == kept[5:10, 5:10].max() == 0
    assert kept[60:62, 5:30].min() == kept[190:195, 40:50].min() == kept[20:180, 30:70].min() == 1
