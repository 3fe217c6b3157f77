"""Garments out of photos: cut-out, landmarks, attributes, garments taken off people."""

from __future__ import annotations

from importlib.resources import files

import cv2
import numpy as np
import pytest

from vestiary.errors import GarmentError
from vestiary.garment import attributes, colours, cutout, landmarks, matte, shapes, upright, worn
from vestiary.garment.draw import garment_card
from vestiary.garment.read import read
from vestiary.garment.worn_landmarks import worn_landmarks
from vestiary.images import open_picture
from vestiary.types import LANDMARKS_OF, Garment, Joint, Landmark, Part, Person

SAMPLES = files("vestiary.samples")


def overlap(first, second):
    return ((first > 127) & (second > 127)).sum() / ((first > 127) | (second > 127)).sum()


def disc(size=240, radius=70, colour=(200, 30, 40), ground=(240, 240, 238)):
    """A soft-edged disc on a plain ground: picture and true alpha."""
    y, x = np.mgrid[:size, :size]
    alpha = np.clip(radius - np.hypot(x - size / 2, y - size / 2) + 0.5, 0, 1)
    alpha = cv2.GaussianBlur(alpha, (0, 0), 1.2)[..., None]
    picture = np.array(colour) * alpha + np.array(ground) * (1 - alpha)
    return np.rint(picture).astype(np.uint8), np.rint(alpha[..., 0] * 255).astype(np.uint8)


def tee():
    """The mask of a T-shirt and its true landmarks."""
    right = {
        "NECK": (120, 40),
        "SHOULDER": (80, 52),
        "CUFF_OUTER": (30, 110),
        "CUFF_INNER": (58, 132),
        "ARMPIT": (84, 108),
        "WAIST": (84, 190),
        "HEM": (84, 270),
    }
    points = np.zeros((28, 3), np.float32)
    for name, (x, y) in right.items():
        points[Landmark[f"{name}_RIGHT"]], points[Landmark[f"{name}_LEFT"]] = (x, y, 0.9), (320 - x, y, 0.9)
    points[Landmark.NECK_FRONT] = (160, 70, 0.9)
    ring = [*right.values()]
    ring = ring + [(320 - x, y) for x, y in ring[::-1]] + [(160, 70)]
    mask = np.zeros((310, 320), np.uint8)
    cv2.fillPoly(mask, [np.array(ring, np.int32)], 255)
    return mask, points


def test_alpha_follows_the_true_edge_from_a_rough_mask():
    picture, truth = disc()
    rough = cv2.resize(cv2.dilate(np.where(truth > 127, 255, 0).astype(np.uint8), np.ones((5, 5))), (80, 80))
    soft = matte.soften(picture, rough)
    before = np.abs(cv2.resize(rough, (240, 240)).astype(int) - truth).mean()
    assert np.abs(soft.astype(int) - truth).mean() < 0.75 * before


def test_alpha_costs_no_more_than_its_share_on_a_large_photo_and_stays_the_same_shape():
    picture, truth = disc()
    large = cv2.resize(picture, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    assert overlap(matte.soften(large, truth), cv2.resize(truth, (960, 960))) > 0.98


def test_the_grounds_colour_is_taken_out_of_the_soft_edge():
    picture, alpha = disc()
    clean = matte.own_colours(picture, alpha)
    edge = (alpha > 20) & (alpha < 235)
    assert np.abs(clean[edge].astype(int) - (200, 30, 40)).mean() < 0.2 * np.abs(picture[edge] - (200.0, 30, 40)).mean()
    assert (clean[alpha == 255] == picture[alpha == 255]).all()


def test_the_mask_finds_the_edge_near_a_displaced_belief():
    picture, truth = disc(size=320, radius=90)
    belief = cv2.GaussianBlur(np.roll(truth, 7, axis=1), (0, 0), 6)
    found = cutout.cut_out(picture, belief, (30, 30, 290, 290))
    assert overlap(belief, truth) < 0.93
    assert overlap(found, truth) > 0.97


def test_a_shadow_on_the_ground_is_not_cut_out():
    _, truth = disc(size=320, radius=90)
    shadow = cv2.GaussianBlur(np.roll(truth, 14, axis=0), (0, 0), 12)[..., None] / 255
    picture = np.where(truth[..., None] > 127, (60, 90, 160), 236 * (1 - 0.3 * shadow)).astype(np.uint8)
    found = cutout.cut_out(picture, cv2.GaussianBlur(truth, (0, 0), 8), (20, 20, 300, 300))
    assert overlap(found, truth) > 0.95


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_quarter_turns_are_exact(quarters):
    picture = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    turned = upright.turn_back(picture, 90.0 * quarters)
    assert (np.rot90(turned, -quarters) == picture).all()


@pytest.mark.parametrize("degrees", [-120.0, -33.0, 20.0, 64.0])
def test_turning_back_brings_the_neck_up(degrees):
    canvas = np.zeros((200, 300), np.uint8)
    angle = np.radians(degrees)
    up = np.array((np.sin(angle), -np.cos(angle)))
    tip = np.array((150, 100)) + 60 * up
    cv2.circle(canvas, (round(tip[0]), round(tip[1])), 8, 255, -1)
    turned = upright.turn_back(canvas, upright.lean(up))
    y, x = np.nonzero(turned > 127)
    assert abs(x.mean() - (turned.shape[1] - 1) / 2) < 2
    assert y.mean() < turned.shape[0] / 2 - 50


def test_small_leans_leave_the_pixels_alone():
    assert upright.settle_angle(8.0) == 0
    assert upright.settle_angle(-87.0) == 270
    assert upright.settle_angle(40.0) == 40


def test_an_unsure_landmark_is_placed_by_its_twin_and_an_odd_one_is_put_right():
    mask, truth = tee()
    seen = truth.copy()
    seen[Landmark.CUFF_OUTER_LEFT] = (160, 200, 0.05)
    seen[Landmark.HEM_RIGHT] = (250, 60, 0.5)
    settled = landmarks.settle(seen, mask, "top", "short")
    diagonal = np.hypot(260, 230)
    for mark in (Landmark.CUFF_OUTER_LEFT, Landmark.HEM_RIGHT):
        assert np.hypot(*(settled[mark] - truth[mark])[:2]) < 0.03 * diagonal
        assert 0 < settled[mark, 2] < 0.5


def test_landmarks_move_onto_the_outline():
    mask, truth = tee()
    seen = truth.copy()
    seen[:, :2] += np.random.default_rng(0).normal(0, 3, (28, 2))
    settled = landmarks.settle(seen, mask, "top", "short")
    marks = [m for m in shapes.wanted("top", "short") if m is not Landmark.NECK_FRONT]
    before = np.hypot(*(seen - truth)[marks, :2].T).mean()
    assert np.hypot(*(settled - truth)[marks, :2].T).mean() < 0.8 * before


@pytest.mark.parametrize(("category", "sleeve"), [("top", "none"), ("dress", "short"), ("skirt", "none")])
def test_only_landmarks_of_the_kind_are_set(category, sleeve):
    mask, truth = tee()
    settled = landmarks.settle(np.maximum(truth, (0, 0, 0.5)), mask, category, sleeve)
    have = {mark for mark in Landmark if settled[mark, 2] > 0}
    assert have <= set(LANDMARKS_OF[category])
    assert (settled[[mark for mark in Landmark if mark not in have]] == 0).all()
    if sleeve == "none":
        assert not have & (shapes.CUFFS | shapes.ELBOWS)


def neck_garment(*, seen_edge=True):
    mask, truth = tee()
    image = np.full((310, 320, 3), (70, 110, 180), np.uint8)
    truth[Landmark.NECK_FRONT] = (160, 78, 0.9)
    if seen_edge:  # the inside of the back collar, bounded below by a half ellipse
        cv2.ellipse(image, (160, 40), (40, 38), 0, 0, 180, (40, 60, 100), -1)
    cv2.fillPoly(mask, [np.array([(120, 40), (200, 40), (160, 80)], np.int32)], 255)
    return Garment(image, mask, "top", truth, sleeve="short", neckline="round", scores={"top": 1.0})


def test_the_front_neckline_follows_the_edge_to_the_back_collar():
    line = landmarks.front_neckline(neck_garment())
    x, y = (line - (160, 40)).T
    inner = np.abs(x) < 34
    assert np.abs(np.hypot(x / 40, y / 38) - 1)[inner].max() < 0.09
    assert line[0, 0] < line[-1, 0]


def test_the_front_neckline_is_a_smooth_curve_where_no_edge_is_seen():
    garment = neck_garment(seen_edge=False)
    line = landmarks.front_neckline(garment)
    ends = [garment.landmark(Landmark.NECK_RIGHT), garment.landmark(Landmark.NECK_LEFT)]
    assert np.allclose(line[[0, -1]], ends, atol=4)
    assert np.abs(np.diff(line, 2, axis=0)).max() < 2


def test_main_colours_with_their_shares():
    image = np.full((60, 100, 3), (250, 250, 250), np.uint8)
    image[:, :70] = (20, 40, 120)
    image[:, 95:] = (255, 0, 0)
    alpha = np.full((60, 100), 255, np.uint8)
    alpha[:, 95:] = 0
    (first, share), (second, rest) = colours.main_colours(image, alpha)
    assert np.abs(np.array(first) - (20, 40, 120)).max() < 4
    assert np.abs(np.array(second) - 250).max() < 4
    assert share == pytest.approx(70 / 95, abs=0.02)
    assert rest == pytest.approx(25 / 95, abs=0.02)


def test_a_notched_hem_speaks_for_legs_and_a_straight_one_for_a_skirt():
    even = dict.fromkeys(attributes.CATEGORIES, 1 / 6)
    skirt = np.zeros((200, 200), np.uint8)
    skirt[30:170, 40:160] = 255
    shorts = skirt.copy()
    cv2.fillPoly(shorts, [np.array([(100, 110), (85, 175), (115, 175)], np.int32)], 0)
    assert attributes.outline_shape(shorts)[0] > 0.3
    plain, notched = attributes.with_outline(even, skirt), attributes.with_outline(even, shorts)
    assert plain["skirt"] > plain["shorts"]
    assert notched["shorts"] > notched["skirt"]
    assert sum(notched.values()) == pytest.approx(1)


@pytest.mark.parametrize(("cuff", "length"), [((30, 110), "short"), ((-40, 250), "long")])
def test_sleeve_length_heeds_where_the_cuffs_are(cuff, length):
    _, points = tee()
    points[Landmark.CUFF_OUTER_RIGHT, :2], points[Landmark.CUFF_OUTER_LEFT, :2] = cuff, (320 - cuff[0], cuff[1])
    scores = {"none": 0.1, "short": 0.3, "half": 0.3, "long": 0.3}
    assert attributes.sleeve_length(scores, points, "top") == length
    assert attributes.sleeve_length(scores, points, "skirt") == "none"


def wearer():
    """Somebody in a red long-sleeved top and blue trousers with one hand on the chest."""
    places = {"SHOULDER": (60, 80), "ELBOW": (82, 150), "WRIST": (88, 215), "HIP": (36, 220), "KNEE": (38, 330)}
    places["ANKLE"] = (40, 430)
    pose = np.zeros((33, 4), np.float32)
    for name, (x, y) in places.items():
        pose[Joint[f"LEFT_{name}"]], pose[Joint[f"RIGHT_{name}"]] = (200 + x, y, 0, 1), (200 - x, y, 0, 1)
    parts = np.zeros((460, 400), np.uint8)
    torso = np.array([(150, 70), (250, 70), (262, 85), (250, 240), (150, 240), (138, 85)])
    cv2.fillPoly(parts, [torso], int(Part.TOP))
    for sign in (-1, 1):
        arm = [(200 + sign * x, y) for x, y in ((60, 80), (82, 150), (88, 205))]
        cv2.polylines(parts, [np.array(arm)], False, int(Part.TOP), 26)
        leg = np.array([(200, 240), (200 + sign * 50, 240), (200 + sign * 52, 425), (200 + sign * 26, 425)])
        cv2.fillPoly(parts, [leg], int(Part.TROUSERS))
    parts[130:160, 180:215] = Part.LEFT_HAND
    image = np.full((460, 400, 3), 230, np.uint8)
    image[parts == Part.TOP] = (180, 40, 40)
    image[parts == Part.TROUSERS] = (40, 60, 150)
    image[parts == Part.LEFT_HAND] = (225, 180, 150)
    silhouette = np.where(parts > 0, 255, 0).astype(np.uint8)
    return Person(image, pose, np.zeros((33, 3), np.float32), np.zeros((18, 3), np.float32), silhouette, parts, "front")


def test_the_top_is_taken_off_unless_something_else_is_asked_for():
    person = wearer()
    assert worn.choose(person, None)[0] == "top"
    kind, where = worn.choose(person, "trousers")
    assert kind == "trousers"
    assert (person.parts[where] == Part.TROUSERS).all()
    with pytest.raises(GarmentError, match=r"'skirt'.*top, trousers"):
        worn.choose(person, "skirt")


def test_what_a_hand_covered_is_filled_in_with_the_garment():
    person = wearer()
    mask = worn.tidy(worn.choose(person, None)[1], 1.5)
    picture, filled, covers = worn.uncover(person, mask, "top")
    hand = person.parts == Part.LEFT_HAND
    assert covers == ["hand"]
    assert (filled[hand] == 255).mean() > 0.97
    assert np.abs(picture[hand].astype(int) - (180, 40, 40)).mean() < 12
    assert (picture[~hand] == person.image[~hand]).mean() > 0.99


def test_landmarks_of_a_worn_top_follow_the_pose():
    person = wearer()
    _, mask, _ = worn.uncover(person, worn.tidy(worn.choose(person, None)[1], 1.5), "top")
    found, sleeve = worn_landmarks(person, mask, "top")
    assert sleeve == "long"
    expected = {"HEM": (50, 240), "CUFF_OUTER": (101, 205), "CUFF_INNER": (75, 205), "SHOULDER": (64, 76)}
    for name, (x, y) in expected.items():
        for side, sign in (("LEFT", 1), ("RIGHT", -1)):
            assert np.hypot(*(found[Landmark[f"{name}_{side}"], :2] - (200 + sign * x, y))) < 16, (name, side)
    assert (found[list(shapes.wanted("top", "long")), 2] > 0).all()


def test_the_card_shows_the_garment():
    garment = neck_garment()
    card = garment_card(garment)
    assert card.dtype == np.uint8
    assert card.ndim == 3
    assert (np.abs(card.astype(int) - (70, 110, 180)).sum(-1) < 20).mean() > 0.05


@pytest.mark.parametrize("name", ["tee_white.jpg", "sweater_bed_phone.jpg", "jeans_blue.jpg"])
def test_sample_garments_are_read(name):
    opened = open_picture(str(SAMPLES / name))
    garment = read(opened.image, opened.alpha)
    assert garment.category == {"tee": "top", "swe": "top", "jea": "trousers"}[name[:3]]
    assert garment.image.shape[:2] == garment.alpha.shape
    assert 0.1 < (garment.alpha > 127).mean() < 0.8
    assert not garment.worn
    assert sum(share for _, share in garment.colours) > 0.8


def test_a_png_with_alpha_keeps_its_alpha_and_the_callers_category_wins():
    opened = open_picture(str(SAMPLES / "top_vneck.png"))
    garment = read(opened.image, opened.alpha, category="dress")
    assert (garment.alpha == opened.alpha).all()
    assert garment.category == "dress"
    assert garment.sleeve == "none"
    assert garment.landmarks[Landmark.CUFF_OUTER_LEFT, 2] == 0


def test_reading_twice_gives_the_same_bytes():
    opened = open_picture(str(SAMPLES / "tee_floor_phone.jpg"))
    first, second = read(opened.image), read(opened.image)
    assert first.alpha.tobytes() == second.alpha.tobytes()
    assert first.image.tobytes() == second.image.tobytes()
    assert first.landmarks.tobytes() == second.landmarks.tobytes()


@pytest.mark.parametrize("kind", ["plain", "noise", "gradient"])
def test_a_picture_without_a_garment_is_refused(kind):
    picture = np.full((300, 240, 3), 200, np.uint8)
    if kind == "noise":
        picture = np.random.default_rng(0).integers(0, 255, (300, 240, 3), np.uint8)
    if kind == "gradient":
        picture[:] = np.linspace(90, 230, 300).astype(np.uint8)[:, None, None]
    with pytest.raises(GarmentError, match="no garment"):
        read(picture)
