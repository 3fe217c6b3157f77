"""Nothing of the old clothes stays round what is uncovered, and what is uncovered has the skin's own colour."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from tests.figures import garment, person
from vestiary.engines.embedded import EmbeddedEngine, EmbeddedOptions
from vestiary.fitting import agnostic, body, deform, layers, worn
from vestiary.types import Joint, Part

GREEN = (10, 200, 30)


def recoloured(wearer, where, colour, part=None):
    """The scan with other pixels, and another part, somewhere."""
    image, parts = wearer.image.copy(), wearer.parts.copy()
    image[where] = colour
    if part is not None:
        parts[where] = part
    return replace(wearer, image=image, parts=parts)


def greenish(image):
    red, green, blue = np.moveaxis(image.astype(int), 2, 0)
    return (green > red + 40) & (green > blue + 40)


def near(wearer, at, reach):
    """The square round a joint."""
    x, y = wearer.joint(at).round().astype(int)
    where = np.zeros(wearer.parts.shape, bool)
    where[y - reach : y + reach + 1, x - reach : x + reach + 1] = True
    return where


def test_no_rim_of_the_old_sleeve_stays_round_a_bare_arm():
    plain = person()
    wearer = recoloured(plain, plain.is_part(Part.TOP), GREEN)
    engine = EmbeddedEngine()
    fitting = engine.fit(engine.prepare(wearer), [garment("tee_white.jpg")], EmbeddedOptions(refine=False))
    assert greenish(wearer.image).sum() > 1000
    assert greenish(fitting.image).sum() < 5


def test_a_continued_picture_takes_nothing_from_what_is_hidden():
    image = np.full((60, 60, 3), 128, np.uint8)
    hidden = np.zeros((60, 60), np.uint8)
    hidden[:, 10:26] = hidden[:, 30:46] = 255  # each is mirrored at the gap, into the other
    image[hidden > 0] = GREEN
    filled = agnostic.continue_picture(image, hidden, hidden, fade=40)
    assert np.abs(filled.astype(int) - 128).max() <= 2


def test_crumbs_of_arm_on_a_sleeve_are_sleeve_and_wrists_are_wrists():
    wearer = person()
    elbow, hand = near(wearer, Joint.LEFT_ELBOW, 1), wearer.is_part(Part.LEFT_HAND)
    columns = np.flatnonzero(hand.any(axis=0))
    wrist = np.zeros_like(hand)
    wrist[np.flatnonzero(hand.any(axis=1))[0] - 2 :, columns[0] : columns[-1] + 1] = True
    wrist &= wearer.is_part(Part.TOP)
    assert elbow.any()
    assert wrist.any()
    crumbs = recoloured(wearer, elbow | wrist, (205, 165, 145), Part.LEFT_ARM)
    settled = worn.settle_crumbs(crumbs, body.measure(wearer).unit)
    assert (settled.parts[elbow] == Part.TOP).all()
    assert (settled.parts[wrist] == Part.LEFT_ARM).all()


def test_arms_have_not_the_colour_of_tights():
    plain = person()
    legs = plain.is_part(Part.TROUSERS)
    wearer = recoloured(plain, legs, (12, 12, 14), Part.LEFT_LEG)
    shape = body.measure(wearer)
    shape = replace(shape, torso=shape.torso - 0.5 * shape.unit)  # arms that reach far below the hips
    skin = agnostic.undress(wearer, shape).skin
    x, y = wearer.joint(Joint.LEFT_WRIST).round().astype(int)
    assert skin[y, x].min() > 80
    x, y = wearer.joint(Joint.LEFT_KNEE).round().astype(int)
    assert skin[y, x].max() < 60


def test_a_bare_arm_goes_on_to_a_hand_that_is_seen_further_on():
    wearer = person()
    shape = body.measure(wearer)
    hand = wearer.is_part(Part.LEFT_HAND)
    parts = np.where(hand, np.uint8(Part.TOP), wearer.parts)
    shift = round(0.2 * shape.unit)
    parts[shift:][hand[:-shift]] = Part.LEFT_HAND
    y = round(float(wearer.joint(Joint.LEFT_WRIST)[1]))
    column = slice(y, np.flatnonzero((parts == Part.LEFT_HAND).any(axis=1))[0] + 1)
    arms, _, _ = agnostic.body_masks(replace(wearer, parts=parts), shape)
    assert (arms[column].max(axis=1) > 200).all()


def test_under_a_waistcoat_the_sleeves_of_a_top_stay():
    wearer = person()
    engine = EmbeddedEngine()
    waistcoat = replace(garment("jacket_hooded.jpg"), sleeve="none")
    fitting = engine.fit(engine.prepare(wearer), [waistcoat], EmbeddedOptions(refine=False, layers=True))
    sleeve = near(wearer, Joint.LEFT_SHOULDER, 3) & wearer.is_part(Part.TOP)
    assert sleeve.any()
    assert np.array_equal(fitting.layers["agnostic"][sleeve], wearer.image[sleeve])


def test_what_a_fold_turns_over_is_not_shown():
    source = np.stack(np.meshgrid([0.0, 20.0], [0.0, 10.0, 20.0]), axis=-1)
    target = np.stack(np.meshgrid([0.0, 20.0], [0.0, 20.0, 12.0]), axis=-1)
    _, down, box = deform.inverse_map(deform.Mesh(source, target), (24, 24))
    assert box[:2] == (0, 0)
    assert abs(down[16, 10] - 8.0) < 0.1  # of the sheet that is not turned over; the other one shows 15 there


def test_sleeves_let_no_skin_show_outside_of_the_shoulder_and_hide_none_elsewhere():
    wearer = person()
    shape, size = body.measure(wearer), wearer.parts.shape
    limb, along = shape.arms["left"], 0.2 * shape.unit
    outside, inside = (limb.at(along) + sign * limb.radius(along) * limb.outward(along) for sign in (1, -1))
    at = [tuple(point.round().astype(int)[::-1]) for point in (outside, inside, limb.at(0.8 * shape.unit))]
    for reach, expected in ((shape.unit, [0, 1, 1]), (0, [1, 1, 1])):
        cloth = SimpleNamespace(placement=SimpleNamespace(cuffs={"left": reach, "right": reach}))
        shown = layers._not_under_sleeves(shape, [cloth], size)
        assert [round(float(shown[place]), 1) for place in at] == expected
