"""The embedded engine on a drawn person and exact garments: what its users are promised, without any model file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.figures import garment, person
from vestiary.engines.embedded import EmbeddedEngine, EmbeddedOptions
from vestiary.errors import Cancelled, GarmentError, PersonError
from vestiary.fitting import agnostic, body, deform, light, placement, worn
from vestiary.types import Joint, Landmark, Part

ENGINE = EmbeddedEngine()


def fit(*names: str, wearer=None, **options):
    """The drawn person in sample garments."""
    wearer = wearer or person()
    return wearer, ENGINE.fit(ENGINE.prepare(wearer), [garment(name) for name in names], EmbeddedOptions(**options))


@pytest.mark.parametrize(
    "names",
    [
        ("tee_white.jpg",),
        ("longsleeve_striped.jpg",),
        ("top_vneck.png",),
        ("jacket_hooded.jpg",),
        ("dress_floral.jpg",),
        ("skirt_pleated.jpg",),
        ("jeans_blue.jpg",),
        ("shorts_sand.jpg",),
        ("tee_white.jpg", "jeans_blue.jpg"),
        ("tee_white.jpg", "jacket_hooded.jpg", "shorts_sand.jpg"),
    ],
)
def test_nothing_changes_outside_the_mask_and_bytes_repeat(names):
    wearer, first = fit(*names)
    _, second = fit(*names)
    assert (first.mask > 0).mean() > 0.02
    assert np.array_equal(first.image[first.mask == 0], wearer.image[first.mask == 0])
    assert np.array_equal(first.image, second.image)
    assert not np.array_equal(first.image, wearer.image)


def test_face_hair_and_hands_stay():
    wearer, fitting = fit("longsleeve_striped.jpg", "jeans_blue.jpg")
    core = wearer.is_part(Part.HAIR, Part.FACE, Part.LEFT_HAND, Part.RIGHT_HAND)
    core &= ~(np.abs(np.gradient(wearer.parts.astype(float))).sum(axis=0) > 0)
    difference = np.abs(fitting.image.astype(int) - wearer.image)[core].max(axis=1)
    assert (difference > 60).mean() < 0.02


def test_print_is_not_mirrored_and_lands_on_the_chest():
    """The sun of the sample tee is yellow; the lettering of the white tee starts on the picture's left."""
    _, fitting = fit("tee_floor_phone.jpg")
    yellow = (fitting.image[..., 0] > 150) & (fitting.image[..., 2] < 110) & (fitting.mask > 0)
    y, x = np.nonzero(yellow)
    assert len(y) > 50
    assert abs(x.mean() - 150) < 12
    assert 105 < y.mean() < 190


def test_each_garment_keeps_its_own_length():
    shape = body.measure(person())
    hems = {
        name: placement.place(shape, garment(name)).hem_level
        for name in ("tee_white.jpg", "jacket_hooded.jpg", "dress_floral.jpg", "shorts_sand.jpg", "jeans_blue.jpg")
    }
    assert hems["dress_floral.jpg"] > hems["tee_white.jpg"] + shape.unit
    assert hems["jeans_blue.jpg"] > hems["shorts_sand.jpg"] + shape.unit


def test_sleeves_have_their_own_length_not_the_old_ones():
    shape = body.measure(person(sleeves="long"))
    short = placement.place(shape, garment("tee_white.jpg")).cuffs
    long = placement.place(shape, garment("longsleeve_striped.jpg")).cuffs
    none = placement.place(shape, garment("top_vneck.png")).cuffs
    for side in ("left", "right"):
        assert none[side] == 0 < short[side] <= shape.arms[side].joint < long[side]
        assert long[side] == pytest.approx(shape.arms[side].end, rel=0.1)


def test_short_sleeves_uncover_skin_where_long_ones_were():
    wearer, fitting = fit("tee_white.jpg")
    x, y = ((wearer.joint(Joint.LEFT_ELBOW) + 3 * wearer.joint(Joint.LEFT_WRIST)) / 4).round().astype(int)
    red, _, blue = fitting.image[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3).mean(axis=0)
    assert red > blue + 15


def test_bare_arms_are_left_alone_by_a_sleeveless_top():
    wearer, fitting = fit("top_vneck.png", wearer=person(sleeves="none"))
    x, y = wearer.joint(Joint.LEFT_ELBOW).round().astype(int)
    assert np.array_equal(fitting.image[y, x], wearer.image[y, x])


def test_untucked_tops_stay_over_new_trousers_and_tucked_ones_do_not():
    wearer = person()
    _, over = fit("tee_white.jpg", "jeans_blue.jpg", wearer=wearer)
    _, tucked = fit("tee_white.jpg", "jeans_blue.jpg", wearer=wearer, tuck=True)
    hips = (slice(180, 195), slice(140, 160))
    assert over.image[hips].mean() > 170
    assert tucked.image[hips].mean() < 150


def test_any_size_of_photo_gives_the_same_picture():
    _, small = fit("tee_white.jpg", wearer=person(scale=1.0))
    _, large = fit("tee_white.jpg", wearer=person(scale=2.0))
    reduced = large.image[::2, ::2].astype(int)
    changed = small.mask > 0
    assert large.image.shape == (1000, 600, 3)
    assert np.abs(reduced - small.image)[changed].mean() < 18


def test_layers_have_the_photo_size_and_the_mask_is_among_them():
    wearer, fitting = fit("tee_white.jpg", layers=True)
    assert {"agnostic", "background", "skin", "mask", "0_top_torso", "0_top_left_sleeve"} <= set(fitting.layers)
    assert all(layer.shape[:2] == wearer.image.shape[:2] for layer in fitting.layers.values())


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((), "no garment"),
        (("jeans_blue.jpg", "shorts_sand.jpg"), "together"),
        (("tee_white.jpg", "dress_floral.jpg"), "together"),
        (("dress_floral.jpg", "skirt_pleated.jpg"), "together"),
    ],
)
def test_outfits_that_cannot_be_worn_are_refused(names, words):
    with pytest.raises(GarmentError, match=words):
        fit(*names)


def test_trousers_on_a_portrait_are_refused():
    whole = person()
    bust = replace(
        whole, image=whole.image[:150].copy(), silhouette=whole.silhouette[:150].copy(), parts=whole.parts[:150].copy()
    )
    with pytest.raises(PersonError, match="lower body, where the trousers"):
        fit("jeans_blue.jpg", wearer=bust)


def test_on_step_can_stop_it():
    seen = []

    def stop(step, total, name, preview):
        seen.append((step, total, name))
        return step < 2

    with pytest.raises(Cancelled):
        ENGINE.fit(ENGINE.prepare(person()), [garment("tee_white.jpg")], EmbeddedOptions(), stop)
    assert [step for step, *_ in seen] == [1, 2]


def test_a_mesh_that_moves_nothing_shows_the_garment_as_it_is():
    rng = np.random.default_rng(1)
    colour = rng.uniform(0, 255, (40, 60, 3)).astype(np.float32)
    alpha = np.ones((40, 60), np.float32)
    grid = np.stack(np.meshgrid(np.linspace(0, 59, 7), np.linspace(0, 39, 5)), axis=-1)
    piece = deform.warp(colour, alpha, deform.Mesh(grid, grid + np.array([5, 3])), (100, 80))
    assert piece is not None
    inside = piece.alpha[2:-4, 2:-4]
    assert inside.min() > 0.99
    x0, y0, *_ = piece.box
    shown = piece.colour[3 - y0 + 2 : 3 - y0 + 30, 5 - x0 + 2 : 5 - x0 + 50]
    assert np.abs(shown - colour[2:30, 2:50]).max() < 1.0


def test_the_spline_passes_through_its_points():
    rng = np.random.default_rng(2)
    source = rng.uniform(0, 100, (20, 2))
    target = source * 1.3 + rng.normal(0, 4, (20, 2))
    spline = deform.ThinPlateSpline(source, target, smooth=0.0)
    assert np.abs(spline(source) - target).max() < 1e-6


def test_polylines_keep_their_ends_and_do_not_overshoot():
    line = deform.polyline(np.array([(0.0, 0.0), (0.0, 10.0), (10.0, 10.0)]), 30)
    assert np.allclose(line[0], (0, 0))
    assert np.allclose(line[-1], (10, 10))
    assert line.min() >= -1e-9
    assert line.max() <= 10 + 1e-9


def test_a_continued_picture_keeps_what_is_seen_and_goes_on_with_its_texture():
    image = np.zeros((60, 60, 3), np.uint8)
    image[:, ::4] = 200
    hidden = np.zeros((60, 60), np.uint8)
    hidden[20:40] = 255
    filled = agnostic.continue_picture(image, hidden, hidden, fade=30)
    assert np.array_equal(filled[hidden == 0], image[hidden == 0])
    assert filled[22, ::4].mean() > filled[22, 2::4].mean() + 100


def test_the_old_print_does_not_shine_through():
    """A black square on the old top must not darken the new one as much as the old cloth's own shade does."""
    plain, printed = person(), person()
    picture = printed.image.copy()
    picture[130:160, 135:165] = 5
    printed = replace(printed, image=picture)
    shape = body.measure(plain)
    difference = light.old_light(printed, shape) - light.old_light(plain, shape)
    assert np.abs(np.exp(difference) - 1)[130:160, 135:165].mean() < 0.10


def test_a_long_coat_is_not_turned_into_bare_legs():
    coat = person(lower=Part.OUTERWEAR)
    _, fitting = fit("tee_white.jpg", wearer=coat)
    x, y = coat.joint(Joint.LEFT_KNEE).round().astype(int)
    assert np.array_equal(fitting.image[y + 20, x], coat.image[y + 20, x])


def test_the_clothes_of_somebody_beside_stay():
    alone = person()
    parts, image = alone.parts.copy(), alone.image.copy()
    parts[100:220, 10:60], image[100:220, 10:60] = Part.TOP, (160, 40, 40)
    _, fitting = fit("tee_white.jpg", wearer=replace(alone, parts=parts, image=image))
    assert np.array_equal(fitting.image[100:220, 12:58], image[100:220, 12:58])


def test_trousers_whose_crotch_is_misread_keep_their_length():
    shape, jeans = body.measure(person()), garment("jeans_blue.jpg")
    marks = jeans.landmarks.copy()
    middle = (marks[Landmark.HEM_INNER_LEFT] + marks[Landmark.HEM_INNER_RIGHT]) / 2
    marks[Landmark.CROTCH, :2] += 0.35 * (middle - marks[Landmark.CROTCH])[:2]
    read, misread = (placement.place(shape, g).hem_level for g in (jeans, replace(jeans, landmarks=marks)))
    assert misread == pytest.approx(read, abs=0.1 * shape.unit)


def test_white_trouser_legs_are_not_taken_for_bare_legs():
    wearer = person()
    parts, image = wearer.parts.copy(), wearer.image.copy()
    shins = wearer.is_part(Part.TROUSERS) & (np.arange(len(parts))[:, None] > 290)
    parts[shins] = Part.LEFT_LEG
    image[shins] = (245, 245, 240)
    white = replace(wearer, parts=parts, image=image)
    assert (worn.settle_legs(white).parts[shins] == Part.TROUSERS).all()
    image = image.copy()
    image[shins] = (205, 165, 145)
    bare = replace(wearer, parts=parts, image=image)
    assert worn.settle_legs(bare) is bare


def test_a_coat_that_hangs_beside_bare_legs_goes_and_what_is_worn_under_it_is_continued():
    wearer = person()
    parts, image = wearer.parts.copy(), wearer.image.copy()
    rows, columns = np.mgrid[: parts.shape[0], : parts.shape[1]]
    legs = wearer.is_part(Part.TROUSERS)
    parts[legs & (rows > 235)], image[legs & (rows > 235)] = Part.LEFT_LEG, (205, 165, 145)
    coat = (rows > 190) & (rows < 300) & (columns > 150) & (columns < 190)
    parts[coat], image[coat] = Part.OUTERWEAR, (10, 10, 10)
    worn_open = replace(wearer, parts=parts, image=image, silhouette=np.where(parts > 0, 255, 0).astype(np.uint8))
    _, fitting = fit("tee_white.jpg", wearer=worn_open)
    thigh = fitting.image[270, 165:175].mean(axis=0)
    assert thigh[0] > 120
    assert thigh[0] > thigh[2] + 15
