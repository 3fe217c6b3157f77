"""The style anchor: its measure of colour and texture, and how it moves a picture towards it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import figures
import numpy as np
import pytest

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # diffusers' schedulers
]
torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from dressing_rooms import fit, saved  # noqa: E402
from PIL import Image  # noqa: E402

from vestiary.diffusion import latents  # noqa: E402
from vestiary.diffusion.anchor import Anchor, Example, Palette, garment_region, is_palette, lab, style  # noqa: E402
from vestiary.diffusion.conditions import Conditions, conditions_of  # noqa: E402
from vestiary.diffusion.model import TryOnModel, tiny_model  # noqa: E402
from vestiary.errors import OptionError  # noqa: E402


@pytest.fixture(scope="module")
def model() -> TryOnModel:
    return tiny_model(text=False, controls=())


@pytest.fixture(scope="module")
def conditions() -> Conditions:
    return conditions_of(figures.person(), [figures.garment("tee_white.jpg")], height=128, width=96)


def cloth(colour: tuple[int, int, int], *, stripes: int = 0, size: int = 64) -> np.ndarray:
    image = np.full((size, size, 3), colour, np.uint8)
    if stripes:
        image[(np.arange(size) // stripes) % 2 == 0] = 255 - np.array(colour, np.uint8)
    return image


def tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image.transpose(2, 0, 1) / np.float32(127.5) - 1)[None].float()


def test_lab_is_that_of_opencv() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8)
    expected = cv2.cvtColor(colours.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    assert np.abs(lab(tensor(colours))[0].permute(1, 2, 0).numpy() - expected).max() < 0.3


def test_distances_are_of_colour_and_of_texture() -> None:
    whole = torch.ones(1, 1, 64, 64)
    opaque = np.full((64, 64), 255, np.uint8)
    red = Example(cloth((200, 30, 40)), opaque)
    same, near, far = (red.apart(tensor(cloth(c)), whole) for c in ((200, 30, 40), (190, 40, 50), (30, 60, 200)))
    assert same < 0.5 < near < 15 < 60 < far
    striped = Example(cloth((200, 30, 40), stripes=4), opaque)
    coarse, turned = cloth((200, 30, 40), stripes=16), cloth((200, 30, 40), stripes=4).transpose(1, 0, 2)
    assert striped.apart(tensor(cloth((200, 30, 40), stripes=4)), whole) < 0.5
    for other in (coarse, np.ascontiguousarray(turned)):
        assert striped.apart(tensor(other), whole) > 10, "the same colours in another pattern"
    assert style(tensor(coarse), whole).shape == (1, 34)


def test_only_what_counts_is_compared_and_size_does_not_matter() -> None:
    weight = torch.zeros(1, 1, 64, 64)
    weight[..., 16:48, 16:48] = 1
    picture = cloth((10, 200, 10))
    picture[16:48, 16:48] = (200, 30, 40)
    large = cloth((0, 0, 0), size=256)
    large[64:192, 64:192] = (200, 30, 40)
    alpha = np.zeros((256, 256), np.uint8)
    alpha[64:192, 64:192] = 255
    assert Example(large, alpha).apart(tensor(picture), weight) < 3


def test_palettes_hold_each_colour_to_its_own_pixels() -> None:
    flag = cloth((200, 16, 46))
    flag[:, 32:] = 255
    whole = torch.ones(1, 1, 64, 64)
    assert Palette("#c8102e, #ffffff").apart(tensor(flag), whole) < 0.5
    assert Palette("#c8102e").apart(tensor(flag), whole) > 20
    assert Palette("#0000ff,#ffffff").apart(tensor(flag), whole) > 40
    shaded = np.clip(flag.astype(int) + np.linspace(-20, 20, 64)[:, None, None], 0, 255).astype(np.uint8)
    assert Palette("#c8102e,#ffffff").apart(tensor(shaded), whole) < 8, "light and shade may stay"
    assert [is_palette(text) for text in ("#c8102e", "#c8102e,#ffffff", "logo.png", "#c8102", "garment", "")] == [
        *(True, True, False, False, False, False)
    ]


@pytest.mark.parametrize("space", ["latents", "pixels"])
@pytest.mark.parametrize(
    "reference", [Palette("#c8102e"), Example(cloth((200, 30, 40), stripes=8), cloth((255,) * 3)[..., 0])]
)
def test_it_moves_latents_towards_the_anchor(
    model: TryOnModel, conditions: Conditions, space: str, reference: Palette | Example
) -> None:
    region = torch.zeros(1, 1, 128, 96)
    region[..., 32:96, 24:72] = 1
    weight = torch.nn.functional.interpolate(region, (16, 12)) if space == "latents" else region
    x0 = latents.encode(model.vae, conditions.person).detach()
    late = torch.tensor(10)
    apart = []
    for strength in (0.0, 0.3, 1.0):
        anchor = Anchor(model, conditions, reference, region, strength=strength, space=space)  # type: ignore[arg-type]
        x = x0.clone()
        for _ in range(4):
            move = anchor(x, x, late)
            assert torch.isfinite(move).all()
            assert move.abs().max() <= 1.0001
            x = x + move
        apart.append(float(reference.apart(anchor.picture(x).detach(), weight)))
        if space == "latents":
            assert torch.equal((x - x0)[..., :2, :], torch.zeros(1, 4, 2, 12)), "outside it nothing moves"
    assert apart[0] > max(apart[1:])


def test_it_pulls_little_while_all_is_noise(model: TryOnModel, conditions: Conditions) -> None:
    x0 = latents.encode(model.vae, conditions.person).detach()
    anchor = Anchor(model, conditions, Palette("#c8102e"), conditions.mask, strength=0.05)
    early, late = (float(anchor(x0, x0, torch.tensor(t)).abs().max()) for t in (990, 10))
    assert 0 < early < 0.1 * late


def test_where_garments_surely_lie(conditions: Conditions) -> None:
    person = figures.person()
    whole = torch.ones(1, 1, 128, 96)
    top, jeans, dress = (
        garment_region(person, conditions.frame, {category}, whole) for category in ("top", "trousers", "dress")
    )
    place = lambda region, x, y: float(region[0, 0, int(y * 0.256), int((x - 150) * 0.256 + 48)])  # noqa: E731
    assert place(top, 150, 150) == place(dress, 150, 150) == 1
    assert place(top, 170, 290) == 0
    assert place(jeans, 170, 230) == place(dress, 170, 230) == 1
    assert place(top, 200, 190) == place(dress, 200, 190) == 0, "an arm may be bare"
    assert place(jeans, 150, 150) == 0
    assert torch.equal(garment_region(person, conditions.frame, {"top"}, conditions.mask * 0), conditions.mask * 0)


def test_in_the_engine(tmp_path: Path) -> None:
    weights = saved(tmp_path / "m", text=False)
    red = np.dstack([cloth((200, 30, 40), size=96), np.full((96, 96), 255, np.uint8)])
    red[:20, :, 3] = 0
    Image.fromarray(red).save(tmp_path / "brand.png")
    plain = fit(weights, "tee_white.jpg", steps=3)
    idle = fit(weights, "tee_white.jpg", steps=3, anchor="garment", anchor_strength=0)
    assert np.array_equal(plain.image, idle.image)
    core = (slice(120, 180), slice(130, 170))
    reds = []
    how = {"steps": 3, "anchor_strength": 1.0}
    for anchor in ("#c8102e", str(tmp_path / "brand.png")):
        made = fit(weights, "tee_white.jpg", anchor=anchor, **how)
        assert np.array_equal(made.mask, plain.mask)
        seen = made.image[core].astype(float).mean(axis=(0, 1))
        reds.append(seen[0] - seen[1:].mean())
    before = plain.image[core].astype(float).mean(axis=(0, 1))
    assert all(red > before[0] - before[1:].mean() for red in reds)
    assert str(tmp_path) not in str(made.provenance)
    assert made.provenance["options"]["anchor"].startswith("sha256:")
    with pytest.raises(OptionError, match=r"anchor cannot be read.*none\.png"):
        fit(weights, "tee_white.jpg", anchor=str(tmp_path / "none.png"))
    region = fit(weights, region="110,100,190,200", anchor="#c8102e", anchor_space="latents")
    assert not np.array_equal(region.image, fit(weights, region="110,100,190,200").image)
    with pytest.raises(OptionError, match="no picture of a garment to hold on to"):
        fit(weights, region="110,100,190,200", anchor="garment")
    blank = figures.garment("tee_white.jpg")
    assert not np.array_equal(fit(weights, replace(blank), anchor="garment").image, fit(weights, blank).image)
