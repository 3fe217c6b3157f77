"""The part parser: framing, limbs, tidying, the recipe at toy size, and the shipped network on a real photo."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import vestiary.samples
from vestiary.errors import OptionError
from vestiary.images import open_picture
from vestiary.person import framing, parsing, views
from vestiary.person.limbs import divide_skin, with_sides
from vestiary.person.scan import find_parts
from vestiary.person.tidy import tidy
from vestiary.types import UPPER_CLOTHES, Joint, Part

INDEX = {name: i for i, name in enumerate(parsing.CLASSES)}


@pytest.fixture
def pose():
    """Somebody who stands 400 pixels high and faces the camera, arms a little away from the body."""
    places = {
        "NOSE": (100, 40),
        "LEFT_EYE": (106, 34),
        "RIGHT_EYE": (94, 34),
        "LEFT_EAR": (114, 38),
        "RIGHT_EAR": (86, 38),
        "MOUTH_LEFT": (104, 49),
        "MOUTH_RIGHT": (96, 49),
        "SHOULDER": (34, 85),
        "ELBOW": (50, 145),
        "WRIST": (60, 200),
        "PINKY": (62, 215),
        "INDEX": (58, 216),
        "THUMB": (55, 210),
        "HIP": (18, 205),
        "KNEE": (20, 290),
        "ANKLE": (20, 370),
        "HEEL": (20, 378),
        "FOOT": (24, 390),
        "EYE_INNER": (3, 34),
        "EYE_OUTER": (9, 34),
    }
    out = np.zeros((33, 4), np.float32)
    out[:, 3] = 1
    for joint in Joint:
        side, _, name = joint.name.partition("_")
        if joint.name in places:
            out[joint, :2] = places[joint.name]
        else:
            x, y = places[name]
            out[joint, :2] = 100 + (x if side == "LEFT" else -x), y
    return out


def test_the_frame_holds_the_person_and_a_margin(pose):
    silhouette = np.zeros((420, 200), np.uint8)
    silhouette[20:395, 45:156] = 255
    matrix = framing.crop_matrix(framing.person_box(pose, silhouette))
    corners = np.array([[38, 20], [162, 395]]) @ matrix[:, :2].T + matrix[:, 2]
    assert corners.min() > 5
    assert (corners[1] < (framing.WIDTH - 6, framing.HEIGHT - 6)).all()
    assert corners[1, 1] - corners[0, 1] > 0.8 * framing.HEIGHT


def test_a_photo_without_silhouette_or_joints_is_seen_whole(pose):
    pose[:, 3] = 0
    assert framing.person_box(pose, np.zeros((30, 20), np.uint8)) == (0, 0, 19, 29)


def test_sampling_keeps_places_when_it_shrinks():
    image = np.zeros((400, 300, 3), np.uint8)
    image[200:240, 100:140] = 255
    matrix = np.array([[0.2, 0, 3], [0, 0.2, 5]], np.float32)
    seen = framing.sample(image, matrix, (70, 90))[..., 0].astype(float)
    rows, columns = np.mgrid[:90, :70]
    centre = np.array([(columns * seen).sum(), (rows * seen).sum()]) / seen.sum()
    assert centre == pytest.approx((119.5 * 0.2 + 3, 219.5 * 0.2 + 5), abs=0.1)


def test_mirrored_hints_are_those_of_the_mirrored_pose(pose):
    size, matrix = (112, 160), np.array([[0.4, 0, 8], [0, 0.4, 0]], np.float32)
    mirrored = pose.copy()
    mirrored[:, 0] = (size[0] - 1 - 2 * 8) / 0.4 - pose[:, 0]
    for joint in Joint:
        if joint.name.startswith("LEFT_"):
            other = Joint["RIGHT_" + joint.name[5:]]
            mirrored[[joint, other]] = mirrored[[other, joint]]
    straight = framing.heat_maps(pose, matrix, size)
    again = framing.heat_maps(mirrored, matrix, size)
    np.testing.assert_allclose(again, straight[framing.MIRRORED_JOINTS[:18]][..., ::-1], atol=1e-4)


def test_joints_outside_the_photo_count_for_nothing(pose):
    hidden = framing.hidden_joints(pose, (250, 200, 3))
    assert hidden[Joint.LEFT_KNEE, 3] == 0
    assert hidden[Joint.LEFT_HIP, 3] == 1


@pytest.mark.parametrize(
    ("place", "part"),
    [
        ((100, 40), Part.FACE),
        ((100, 25), Part.FACE),
        ((100, 68), Part.NECK),
        ((100, 110), Part.NECK),
        ((145, 120), Part.LEFT_ARM),
        ((55, 120), Part.RIGHT_ARM),
        ((156, 180), Part.LEFT_ARM),
        ((160, 216), Part.LEFT_HAND),
        ((40, 220), Part.RIGHT_HAND),
        ((122, 300), Part.LEFT_LEG),
        ((80, 365), Part.RIGHT_LEG),
    ],
)
def test_skin_goes_to_the_limb_it_lies_on(pose, place, part):
    assert Part(divide_skin(np.array([place], np.float32), pose)[0]) is part


def test_sides_are_the_wearers(pose):
    labels = np.zeros((420, 220), np.uint8)
    labels[100:190, 40:60] = labels[100:190, 140:160] = INDEX["arm"]
    labels[250:360, 70:130] = INDEX["leg"]
    labels[10:20, 90:110] = INDEX["hair"]
    parts = with_sides(labels, pose, parsing.CLASSES)
    assert set(np.unique(parts[100:190, :100])) == {Part.BACKGROUND, Part.RIGHT_ARM}
    assert set(np.unique(parts[100:190, 100:])) == {Part.BACKGROUND, Part.LEFT_ARM}
    assert (parts[250:360, 70:97] == Part.RIGHT_LEG).all()
    assert (parts[250:360, 104:130] == Part.LEFT_LEG).all()
    assert (parts[10:20, 90:110] == Part.HAIR).all()


def _shares(labels):
    return np.stack([(labels == i) * 0.9 + 0.005 for i in range(len(parsing.CLASSES))]).astype(np.float32)


def _dressed():
    labels = np.zeros((200, 120), np.uint8)
    labels[10:40, 45:75] = INDEX["face"]
    labels[40:110, 30:90] = INDEX["top"]
    labels[110:190, 35:85] = INDEX["trousers"]
    return labels, (labels > 0).astype(np.uint8) * 255


def test_tidying_leaves_a_clear_picture_alone():
    labels, silhouette = _dressed()
    np.testing.assert_array_equal(tidy(_shares(labels), silhouette, parsing.CLASSES), labels)


def test_tidying_fills_crumbs_and_keeps_real_gaps():
    labels, silhouette = _dressed()
    spoilt = labels.copy()
    spoilt[60:62, 50:52] = INDEX["skirt"]
    spoilt[80:82, 50:51] = 0
    spoilt[150:190, 58:62] = 0  # between the legs
    done = tidy(_shares(spoilt), silhouette, parsing.CLASSES)
    assert (done[45:105, 35:85] == INDEX["top"]).all()
    assert (done[150:190, 58:62] == 0).all()


def test_tidying_settles_on_one_lower_garment():
    labels, silhouette = _dressed()
    spoilt = labels.copy()
    spoilt[110:125, 35:85] = INDEX["shorts"]
    np.testing.assert_array_equal(tidy(_shares(spoilt), silhouette, parsing.CLASSES), labels)


def test_tidying_drops_people_in_the_background():
    labels, silhouette = _dressed()
    spoilt = labels.copy()
    spoilt[100:160, 100:115] = INDEX["outerwear"]
    np.testing.assert_array_equal(tidy(_shares(spoilt), silhouette, parsing.CLASSES), labels)


def test_the_grid_lies_back_on_the_photo():
    matrix = framing.crop_matrix((500, 300, 2500, 3700))
    grid = parsing.Grid.over(matrix, (4000, 3000, 3))
    assert max(grid.size) == parsing.FINEST
    photo = np.zeros((4000, 3000), np.uint8)
    photo[1000:3000, 1000:2000] = 255
    labels = (grid.cut(photo) > 127).astype(np.uint8) * Part.TOP
    back = grid.lay_back(labels, photo.shape)
    assert ((back == Part.TOP) != (photo > 0)).sum() < 4 * 2 * (2000 + 1000)
    corner = np.array([1000, 1000]) @ grid.matrix()[:, :2].T + grid.matrix()[:, 2]
    rows, columns = np.nonzero(labels)
    assert corner == pytest.approx((columns.min(), rows.min()), abs=1)


def test_shares_follow_the_edges_of_the_photo():
    """A soft border that lies 2 pixels beside a strong edge of a picture three times as fine is drawn to it."""
    fine = np.full((3 * framing.HEIGHT, 3 * framing.WIDTH, 3), 40, np.uint8)
    fine[:, 336:] = 220
    to_seen = np.array([[1 / 3, 0, -1 / 3], [0, 1 / 3, -1 / 3]], np.float32)
    border = 1 / (1 + np.exp((np.arange(framing.WIDTH) - 109.5) / 2))
    shares = np.zeros((len(parsing.CLASSES), framing.HEIGHT, framing.WIDTH), np.float32)
    shares[7], shares[0] = border, 1 - border
    done = parsing._to_edges(shares, fine[1::3, 1::3], fine, to_seen)
    moved = int((done[7, 480] > done[0, 480]).sum())
    assert moved == pytest.approx(336, abs=2)


@pytest.fixture(scope="module")
def astronaut():
    """A photo of somebody's upper body, her pose, and the pose network's own mask."""
    from vestiary.person.pose import detect_people, estimate_pose

    image = open_picture(Path(vestiary.samples.__file__).parent / "astronaut.jpg").image
    pose = estimate_pose(image, detect_people(image)[0])
    return image, pose.landmarks, pose.mask


def test_a_real_photo_is_understood(astronaut):
    image, pose, silhouette = astronaut
    parts = parsing.parse_parts(image, pose, silhouette)
    assert parts.shape == image.shape[:2]
    assert parts.dtype == np.uint8
    x, y = pose[Joint.NOSE, :2].astype(int)
    assert parts[y, x] == Part.FACE
    assert (parts[: y - 60, x - 20 : x + 20] == Part.HAIR).sum() > 300
    assert (parts[10:200, 360:500] == Part.BACKGROUND).mean() > 0.98
    shoulders = pose[[Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER], :2].astype(int)
    chest = parts[shoulders[:, 1].max() + 60 :, shoulders[1, 0] : shoulders[0, 0]]
    assert np.isin(chest, list(UPPER_CLOTHES)).mean() > 0.8
    np.testing.assert_array_equal(parts, parsing.parse_parts(image, pose, silhouette))


def test_the_mirror_image_has_mirrored_parts(astronaut):
    image, pose, silhouette = astronaut
    mirrored = pose.copy()
    mirrored[:, 0] = image.shape[1] - 1 - pose[:, 0]
    swap = list(range(len(Joint)))
    for joint in Joint:
        if "LEFT" in joint.name:
            other = Joint[joint.name.replace("LEFT", "RIGHT")]
            swap[joint], swap[other] = other, joint
    sides = np.arange(len(Part), dtype=np.uint8)
    sides[[4, 5, 6, 7, 8, 9]] = [5, 4, 7, 6, 9, 8]
    straight = parsing.parse_parts(image, pose, silhouette)
    flipped = parsing.parse_parts(image[:, ::-1].copy(), mirrored[swap], silhouette[:, ::-1].copy())
    assert (sides[flipped[:, ::-1]] == straight).mean() > 0.99


def test_a_large_photo_has_the_same_parts(astronaut):
    image, pose, silhouette = astronaut
    size = (3 * image.shape[1], 3 * image.shape[0])
    large = pose.copy()
    large[:, :2] = (pose[:, :2] + 0.5) * 3 - 0.5
    parts = parsing.parse_parts(cv2.resize(image, size), large, cv2.resize(silhouette, size))
    small = parsing.parse_parts(image, pose, silhouette)
    assert (parts[1::3, 1::3] == small).mean() > 0.97


def test_shares_are_shares(astronaut):
    shares, grid = parsing.parse_probabilities(*astronaut)
    assert shares.shape == (len(parsing.CLASSES), grid.size[1], grid.size[0])
    assert shares.min() >= 0
    assert shares.max() <= 1


def test_tall_people_are_looked_at_from_nearer(pose):
    silhouette = np.zeros((420, 200), np.uint8)
    silhouette[20:395, 45:156] = 255
    (first, cut), (start, last) = views.halves(pose, silhouette)
    assert (first, last) == (0, 420)
    assert 20 + 0.5 * 375 < cut < 20 + 0.65 * 375
    assert start == pytest.approx(415 - cut, abs=2)
    assert views.halves(pose, silhouette[:200]) == []


def test_the_nearer_view_mends_outlines_and_leaves_names():
    top, dress, arm = INDEX["top"], INDEX["dress"], INDEX["arm"]
    shares = np.zeros((len(parsing.CLASSES), 2, 2), np.float32)
    nearer = shares.copy()
    shares[top], nearer[dress] = 1, 1
    shares[:, 1, 1], nearer[:, 1, 1] = 0, 0
    shares[top, 1, 1], shares[arm, 1, 1] = 0.6, 0.4
    nearer[arm, 1, 1] = 1
    weight = np.array([[1.0], [1.0]], np.float32)
    views.join_nearer(shares, nearer, weight, parsing.CLASSES)
    np.testing.assert_allclose(shares.sum(0), 1, atol=1e-3)
    assert shares[top, 0, 0] >= shares[dress, 0, 0] > 0
    assert shares[:, 1, 1].argmax() == arm


def test_rules_find_the_large_parts(astronaut):
    image, pose, silhouette = astronaut
    by_rules = find_parts(image, pose, silhouette, parser="rules")
    assert by_rules[tuple(pose[Joint.NOSE, 1::-1].astype(int))] == Part.FACE
    assert (by_rules[silhouette <= 127] == Part.BACKGROUND).all()
    network = find_parts(image, pose, silhouette)
    both = [np.isin(parts, list(UPPER_CLOTHES)) for parts in (by_rules, network)]
    assert (both[0] & both[1]).sum() > 0.5 * both[1].sum()
    with pytest.raises(OptionError, match="no parser 'guess'"):
        find_parts(image, pose, silhouette, parser="guess")


def test_rules_bear_an_empty_silhouette(pose):
    photo, empty = np.zeros((420, 200, 3), np.uint8), np.zeros((420, 200), np.uint8)
    assert not find_parts(photo, pose, empty, parser="rules").any()


def test_an_arm_of_the_clothes_colour_is_a_sleeve_and_one_of_the_faces_colour_is_not():
    from vestiary.person.skin import settle_sleeves

    face, top, arm = (parsing.CLASSES.index(name) for name in ("face", "top", "arm"))
    labels, photo = np.zeros((120, 120), np.uint8), np.full((120, 120, 3), 90, np.uint8)
    for rows, columns, label, colour in (
        (slice(5, 30), slice(45, 75), face, (120, 80, 60)),
        (slice(35, 110), slice(40, 80), top, (240, 180, 20)),
        (slice(40, 110), slice(25, 40), arm, (235, 175, 25)),
        (slice(40, 110), slice(80, 95), arm, (118, 82, 58)),
    ):
        labels[rows, columns], photo[rows, columns] = label, colour
    photo = (photo + np.random.default_rng(0).integers(-4, 5, photo.shape)).astype(np.uint8)
    settled = settle_sleeves(labels, photo, parsing.CLASSES)
    assert (settled[60:100, 28:38] == top).all()
    assert (settled[60:100, 83:93] == arm).all()
