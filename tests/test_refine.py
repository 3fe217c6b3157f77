"""The refiner's maps on the full picture: what they may change and what never; and the engine's switch."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.figures import garment, person
from vestiary import weights
from vestiary.engines.embedded import EmbeddedEngine, EmbeddedOptions, Prepared
from vestiary.fitting import blend, cloth, heal, layers, placement, refine
from vestiary.fitting.refine import CHANNELS, Maps
from vestiary.types import Part


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return EmbeddedEngine().prepare(person(scale=1.5))


@pytest.fixture(scope="module")
def canvas(prepared: Prepared) -> layers.Canvas:
    near, shape = prepared.near, prepared.shape
    worn = garment("tee_white.jpg")
    size = (near.image.shape[1], near.image.shape[0])
    cloths = [cloth.dress(worn, placement.place(shape, worn), shape, size, None)]
    return layers.compose(near.image, near, shape, prepared.agnostic, cloths, prepared.light, tuck=False, shading=1.0)


@pytest.fixture(scope="module")
def working(prepared: Prepared, canvas: layers.Canvas) -> np.ndarray:
    return refine.working_picture(canvas, prepared.near, prepared.shape, prepared.agnostic, prepared.light)


def maps_of(working: np.ndarray, gain: float = 0.0, uncover: float = 0.0, skin: float = 0.0) -> Maps:
    size = working.shape[:2]
    share = working[..., CHANNELS.index("cloth")].astype(np.float32) / 255
    fields = [np.full(size, value, np.float32) for value in (gain, uncover)]
    return Maps(*fields, np.full((*size, 3), skin, np.float32), share)


def test_the_working_picture_shows_everybody_at_one_scale(prepared: Prepared, working: np.ndarray) -> None:
    height = prepared.near.image.shape[0] * refine.UNIT / prepared.shape.unit
    assert working.shape == (round(height), working.shape[1], len(CHANNELS))
    assert working.dtype == np.uint8
    shares = {name: working[..., CHANNELS.index(name)] for name in ("cloth", "skin", "ground", "front", "seen skin")}
    assert all(share.max() == 255 for share in shares.values())  # a short sleeve: arms and ground are made up
    total = sum(shares[name].astype(int) for name in ("cloth", "skin", "ground"))
    assert total.max() <= 258
    level = working[..., CHANNELS.index("level")].astype(int)
    assert (np.diff(level, axis=0) >= 0).all()


def test_kinds_lie_inside_the_edit_mask(canvas: layers.Canvas) -> None:
    assert not canvas.kind[canvas.edited == 0].any()
    assert set(np.unique(canvas.kind)) >= {layers.Kind.PHOTO, layers.Kind.GROUND, layers.Kind.SKIN, layers.Kind.CLOTH}


def test_nothing_outside_the_mask_and_nothing_in_front_changes(
    prepared: Prepared, canvas: layers.Canvas, working: np.ndarray
) -> None:
    wild = maps_of(working, gain=0.7, uncover=0.9, skin=60)
    mended = blend.blend(canvas, prepared.near, wild)
    assert np.array_equal(mended[canvas.edited == 0], canvas.colour[canvas.edited == 0])
    front = canvas.layers["front"] == 255
    assert front.any()
    assert np.array_equal(mended[front], canvas.colour[front])
    ground = cv2.erode((canvas.kind == layers.Kind.GROUND).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert np.abs(mended - canvas.colour)[ground].max() < 0.5
    assert np.abs(mended - canvas.colour)[canvas.kind == layers.Kind.SKIN].mean() > 20


def test_cloth_is_multiplied_so_that_prints_stay(
    prepared: Prepared, canvas: layers.Canvas, working: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blend, "DRIFT", 1.0)
    dark = blend.blend(canvas, prepared.near, maps_of(working, gain=-0.2))
    inner = cv2.erode((canvas.kind == layers.Kind.CLOTH).astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
    assert dark[inner] == pytest.approx(canvas.colour[inner] * np.exp(-0.2), abs=0.1)


def test_the_garments_mean_colour_is_kept(prepared: Prepared, canvas: layers.Canvas, working: np.ndarray) -> None:
    dark = blend.blend(canvas, prepared.near, maps_of(working, gain=-0.5))
    cloth_pixels = canvas.kind == layers.Kind.CLOTH
    ratio = dark[cloth_pixels].mean() / canvas.colour[cloth_pixels].mean()
    assert ratio == pytest.approx(np.exp(-blend.DRIFT), abs=0.02)


def test_grain_is_as_strong_as_the_photos() -> None:
    wearer = person(sleeves="none", scale=2.0)
    kind = np.where(wearer.parts == Part.TOP, layers.Kind.SKIN, layers.Kind.PHOTO).astype(np.uint8)
    box = (50, 100, 350, 600)
    assert blend.grain(wearer, kind, box).std() < 0.05  # drawn skin has none
    noisy = wearer.image.astype(np.float32) + np.random.default_rng(0).normal(0, 4, wearer.image.shape)
    object.__setattr__(wearer, "image", np.clip(noisy, 0, 255).astype(np.uint8))
    assert blend.grain(wearer, kind, box).shape == (500, 300)
    assert 0.5 < blend.grain(wearer, kind, box).std() < 4


def test_seams_of_made_up_skin_heal() -> None:
    wearer = person(sleeves="none", scale=2.0)
    arm = wearer.parts == Part.LEFT_ARM
    level = np.arange(len(arm))[:, None] * np.ones(arm.shape[1])
    colour = wearer.image.astype(np.float32)
    colour[arm & (level > 300) & (level < 304)] = 20  # the old cuff's rim, in the real arm
    kind = np.where(arm & (level <= 300), layers.Kind.SKIN, layers.Kind.PHOTO).astype(np.uint8)
    colour[kind == layers.Kind.SKIN] -= 15
    edited = np.where(kind > 0, 255, 0).astype(np.uint8)
    canvas = layers.Canvas(colour.copy(), edited.copy(), kind)
    heal.heal_seams(canvas, wearer, 120.0)
    rim = arm & (level > 300) & (level < 304)
    assert colour[rim].mean() < 30
    assert canvas.colour[rim].mean() > 120
    assert np.array_equal(canvas.colour[canvas.edited == 0], colour[canvas.edited == 0])
    grown = (canvas.edited > 0) & (edited == 0)
    assert grown.any()
    assert (arm & (level < 312))[grown].all()
    joint = arm & (level > 290) & (level <= 299)
    assert abs(canvas.colour[joint].mean() - wearer.image[joint].mean()) < 6
    patch = kind.copy()
    patch[arm & (level > 290)] = layers.Kind.PHOTO
    apart = layers.Canvas(np.where(arm[..., None] & (level[..., None] > 290), 20, colour), edited.copy(), patch)
    heal.heal_seams(apart, wearer, 120.0)  # too unlike to be skin: no warning, nothing carried far
    assert np.isfinite(apart.colour).all()
    nothing = layers.Canvas(colour.copy(), edited.copy(), np.zeros_like(kind))
    heal.heal_seams(nothing, wearer, 120.0)
    assert np.array_equal(nothing.colour, colour)


def test_the_network_speaks_within_its_bounds_and_always_alike(working: np.ndarray) -> None:
    first, second = refine.look(working), refine.look(working)
    assert np.array_equal(first.gain, second.gain)
    assert first.gain.shape == working.shape[:2]
    assert np.abs(first.gain).max() <= 1.05
    assert 0 <= first.uncover.min() <= first.uncover.max() <= 0.9
    assert np.abs(first.skin).max() <= 64


def test_the_engines_switch(prepared: Prepared) -> None:
    engine, worn = EmbeddedEngine(), garment("tee_white.jpg")
    off = engine.fit(prepared, [worn], EmbeddedOptions(refine=False))
    on = engine.fit(prepared, [worn], EmbeddedOptions())
    again = engine.fit(prepared, [worn], EmbeddedOptions())
    assert np.array_equal(on.image, again.image)
    assert (on.mask >= off.mask).all()  # real skin at the seams joins the mask
    assert on.mask.sum() < 1.1 * off.mask.sum()
    assert np.array_equal(on.image[on.mask == 0], prepared.person.image[on.mask == 0])
    assert not np.array_equal(on.image, off.image)
    assert on.provenance["weights"]["refiner"] == weights.list_weights()["refiner"].sha256
    assert "refiner" not in off.provenance["weights"]
