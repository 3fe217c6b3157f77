"""Repair of a region: painted there and nowhere else; several garments, at once and in turn; garments in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import figures
import numpy as np
import pytest

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # diffusers' schedulers
]
torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from dressing_rooms import changed, fit, saved  # noqa: E402
from PIL import Image  # noqa: E402

from vestiary.diffusion import latents  # noqa: E402
from vestiary.diffusion.conditions import conditions_of  # noqa: E402
from vestiary.diffusion.model import tiny_model  # noqa: E402
from vestiary.diffusion.regions import Keep, painting, region_mask  # noqa: E402
from vestiary.errors import GarmentError, OptionError, PersonError  # noqa: E402
from vestiary.types import Part  # noqa: E402

SHAPE = (500, 300)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("models")
    return {
        "masked": saved(folder / "masked"),
        "free": saved(folder / "free", seed=1, mask_free=True, text=False),
        "pair": saved(folder / "pair", seed=2, garments=2, concat="height", text=False),
    }


def test_regions_in_numbers() -> None:
    box = region_mask("10,20,30,60", SHAPE)
    assert (box > 0).sum() == 20 * 40
    assert box[20, 10] == box[59, 29] == 255
    assert box[60, 29] == box[20, 30] == 0
    triangle = region_mask("100,100 200,100 100,200", SHAPE)
    assert triangle[110, 110] == 255
    assert triangle[190, 190] == 0
    both = region_mask("10,20,30,60; 100,100 200,100 100,200", SHAPE)
    assert np.array_equal(both, np.maximum(box, triangle))
    assert (region_mask("-50,-50,5,5", SHAPE) > 0).sum() == 25, "cut to the photo"


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ("1,2,3", "'1,2,3' is no region.*polygon"),
        ("1,2 3,4", "is no region"),
        ("1,2,3,..", "is no region"),
        ("400,0,500,90", "no pixel of the photo.*300 x 500"),
        ("30,60,10,20", "no pixel"),
        (";", "no pixel"),
        ("nowhere.png", "region cannot be read.*nowhere.png"),
    ],
)
def test_regions_that_cannot_be_painted(region: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        region_mask(region, SHAPE)


def test_regions_as_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = np.zeros((*SHAPE, 3), np.uint8)
    drawn[40:90, 20:60] = 255
    Image.fromarray(drawn).save(tmp_path / "region.png")
    path = str(tmp_path / "region.png")
    assert np.array_equal(region_mask(path, SHAPE), drawn[..., 0])
    with pytest.raises(OptionError, match="300 x 500 pixels, the photo 300 x 400"):
        region_mask(path, (400, 300))
    monkeypatch.setenv("VESTIARY_DIFFUSION_WEIGHTS", "somewhere")
    with pytest.raises(OptionError, match=r"cannot name a picture on this machine.*VESTIARY_DIFFUSION_PICTURES"):
        region_mask(path, SHAPE)
    monkeypatch.setenv("VESTIARY_DIFFUSION_PICTURES", str(tmp_path))
    assert np.array_equal(region_mask("region.png", SHAPE), drawn[..., 0])
    for outside in (path, "../region.png", "/etc/passwd"):
        with pytest.raises(OptionError, match=r"no picture of the name.*Choose one of: region\.png"):
            region_mask(outside, SHAPE)


@pytest.mark.parametrize("kind", ["masked", "free"])
def test_nothing_but_the_region_changes(models: dict[str, str], kind: str) -> None:
    person = figures.person(scale=1.4)
    asked = "5,5,60,90; 170,150 260,150 200,260"
    fitting = fit(models[kind], person=person, region=asked)
    mask = region_mask(asked, person.image.shape[:2])
    assert np.array_equal(fitting.mask, mask)
    new = changed(fitting, person)
    assert not new[mask == 0].any()
    assert new[mask > 0].mean() > 0.9
    assert fitting.provenance["passes"] == ["repair"]


def test_a_garment_can_be_had_in_a_region(models: dict[str, str]) -> None:
    plain = fit(models["masked"], region="110,100,190,200")
    worn = fit(models["masked"], "tee_white.jpg", region="110,100,190,200")
    assert not np.array_equal(plain.image, worn.image)
    assert np.array_equal(plain.mask, worn.mask)


def test_the_network_sees_a_hole_and_is_held_outside_it() -> None:
    model, person = tiny_model(controls=(), text=False), figures.person()
    seen = conditions_of(person, (), height=128, width=96)
    hole = region_mask("100,100,140,160", SHAPE)
    for filled in (False, True):
        holed = painting(seen, person, hole, filled=filled, multiple=8)
        assert holed.mask.unique().tolist() == [0, 1]
        outside = holed.mask[0, 0] == 0
        x, y = seen.frame.points(np.array([[120, 130]], np.float32))[0].astype(int)
        assert not outside[y, x]
        assert outside.float().mean() > 0.9
        if not filled:
            assert torch.equal(holed.agnostic[0][:, outside], seen.person[0][:, outside])
            assert not holed.agnostic[0][:, ~outside].any()
    keep = Keep(model, holed)
    for height, width in ((16, 12), (8, 6)):
        x0 = torch.randn(1, 4, height, width, generator=latents.seeded(1))
        moved = x0 + keep(x0, x0, torch.tensor(500))
        inside = torch.nn.functional.adaptive_max_pool2d(holed.mask, (height, width))[0, 0] > 0
        assert torch.equal(moved[..., inside], x0[..., inside])
        small = torch.nn.functional.interpolate(seen.person, (height * 8, width * 8), mode="area")
        known = latents.encode(model.vae, small).detach()
        assert torch.allclose(moved[..., ~inside], known[..., ~inside], atol=1e-5)


def test_a_garment_told_in_words_alone(models: dict[str, str]) -> None:
    person = figures.person()
    top = fit(models["masked"], prompt="red silk blouse")
    jeans = fit(models["masked"], prompt="blue jeans")
    for fitting in (top, jeans):
        assert not changed(fitting, person)[fitting.mask == 0].any()
        assert not fitting.provenance["garments"]
    rows = [np.flatnonzero((fitting.mask > 0).any(axis=1)) for fitting in (top, jeans)]
    assert rows[0].mean() < rows[1].mean() - 100
    named = fit(models["masked"], prompt="red silk", covers="top", guidance=3)
    assert np.array_equal(named.mask, top.mask)
    other = fit(models["masked"], prompt="red silk", covers="top", guidance=3, negative_prompt="green")
    assert not np.array_equal(other.image, named.image)
    with pytest.raises(OptionError, match="does not say what the garment covers"):
        fit(models["masked"], prompt="red silk")
    with pytest.raises(OptionError, match="tiny-1 reads no text"):
        fit(models["free"], prompt="red silk blouse")
    pose = person.pose.copy()
    pose[23:33, 3] = 0
    with pytest.raises(PersonError, match="lower body"):
        fit(models["masked"], prompt="blue jeans", person=replace(person, pose=pose))


def test_nothing_asked_for_is_an_error(models: dict[str, str]) -> None:
    with pytest.raises(GarmentError, match="no garment to put on"):
        fit(models["masked"])


def test_garments_keep_their_order_side_by_side(models: dict[str, str]) -> None:
    pair = ("tee_white.jpg", "jeans_blue.jpg")
    one, other = fit(models["pair"], *pair, layers=True), fit(models["pair"], *pair[::-1], layers=True)
    assert np.array_equal(one.mask, other.mask), "the categories decide, not the order"
    assert np.array_equal(one.layers["garment-1"], other.layers["garment-2"])
    assert np.array_equal(one.layers["garment-2"], other.layers["garment-1"])
    assert not np.array_equal(one.image, other.image)


def test_more_garments_than_places(models: dict[str, str]) -> None:
    pair = ("tee_white.jpg", "jeans_blue.jpg")
    with pytest.raises(GarmentError, match=r"puts on 1 garment\(s\) at a time, not 2.*in_turn"):
        fit(models["masked"], *pair)
    with pytest.raises(GarmentError, match="at a time"):
        fit(models["masked"], *pair, in_turn=True, region="5,5,60,90")
    told: list[tuple] = []
    person = figures.person()
    both = fit(models["masked"], *pair, in_turn=True, on_step=lambda *step: told.append(step[:2]))
    assert told == [(1, 2), (2, 2)]
    top, jeans = (fit(models["masked"], name) for name in pair)
    assert np.array_equal(both.mask, np.maximum(top.mask, jeans.mask))
    above = (top.mask > 0) & (jeans.mask == 0)
    assert np.array_equal(both.image[above], top.image[above]), "the first stays where the second does not go"
    assert not changed(both, person)[both.mask == 0].any()
    assert not changed(both, person)[person.is_part(Part.FACE)].any()
    assert both.provenance["passes"] == ["wear", "wear"]


def test_control_pictures_come_from_the_scan(tmp_path: Path) -> None:
    weights = saved(tmp_path / "m", controls=("pose", "depth"))
    plain = fit(weights, "tee_white.jpg")
    held = fit(weights, "tee_white.jpg", control_pose=1, control_depth=0.5, layers=True)
    assert np.array_equal(plain.image, held.image), "fresh branches change nothing"
    assert {"control-pose", "control-depth"} <= held.layers.keys()
    assert held.layers["control-depth"][150, 150].min() > 60
    with pytest.raises(OptionError, match="no control branch for parts"):
        fit(weights, "tee_white.jpg", control_parts=1)
    with pytest.raises(OptionError, match="control_end does not lie behind control_start"):
        fit(weights, "tee_white.jpg", control_pose=1, control_start=0.5, control_end=0.5)
