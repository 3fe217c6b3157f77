"""What the engine `diffusion` promises whatever it is told: the photo around the edit mask, the same bytes again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import figures
import numpy as np
import pytest

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # diffusers' schedulers
]
torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from vestiary.diffusion.model import tiny_model  # noqa: E402
from vestiary.diffusion.options import DiffusionOptions  # noqa: E402
from vestiary.engines.diffusion import DiffusionEngine  # noqa: E402
from vestiary.types import Person  # noqa: E402

SCHEDULERS = ("ddpm", "ddim", "dpm++", "unipc", "euler", "lcm")
SIZES = ((301, 517), (640, 333), (299, 499), (77, 403), (500, 500))
FURTHER: tuple[dict[str, Any], ...] = (
    {},
    {"refine": True},
    {"control_pose": 0.7},
    {"refine": True, "control_pose": 1.0, "control_end": 0.5},
    {"strength": 0.6, "long_side": 150},
    {"guidance": 1, "attention": "sliced"},
    {"anchor": "#c8102e", "anchor_space": "latents"},
)
# Every scheduler with and without a mask; what else is told, and the size, go through them at paces of their own.
CASES = [
    (scheduler, free, SIZES[number % len(SIZES)], FURTHER[number % len(FURTHER)])
    for number, (free, scheduler) in enumerate((free, scheduler) for free in (False, True) for scheduler in SCHEDULERS)
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, str]:
    """Models with a mask and without one; their branch for the pose does something."""
    place = tmp_path_factory.mktemp("models")
    for free in (False, True):
        model = tiny_model(int(free), text=False, mask_free=free)
        model.card = model.card.model_copy(update={"width": 48, "height": 64})
        for weight in model.controls["pose"].controlnet_mid_block.parameters():
            weight.data.fill_(0.2)
        model.save(place / str(free))
    return {free: str(place / str(free)) for free in (False, True)}


@pytest.fixture(scope="module")
def used() -> DiffusionEngine:
    """One engine for all, which has served others before."""
    return DiffusionEngine()


def standing_in(size: tuple[int, int]) -> Person:
    """Somebody in the middle of a photo of that width and height, before a ground of noise."""
    small = figures.person(scale=min(size[0] / 300, size[1] / 500))
    x, y = (size[0] - small.image.shape[1]) // 2, (size[1] - small.image.shape[0]) // 2
    pad = ((y, size[1] - y - small.image.shape[0]), (x, size[0] - x - small.image.shape[1]))
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    silhouette = np.pad(small.silhouette, pad)
    image = np.where(silhouette[..., None] > 0, np.pad(small.image, (*pad, (0, 0))), noise)
    pose = small.pose + np.array([x, y, 0, 0], np.float32)
    return replace(small, image=image, silhouette=silhouette, parts=np.pad(small.parts, pad), pose=pose)


def named(value: object) -> str:
    if isinstance(value, bool):
        return "mask-free" if value else "masked"
    return "+".join(value) or "plain" if isinstance(value, dict) else str(value).replace(", ", "x").strip("()")


@pytest.mark.parametrize(("scheduler", "free", "size", "further"), CASES, ids=named)
def test_the_photo_stays_around_the_mask_and_the_seed_decides_every_byte(
    scheduler: str,
    free: bool,
    size: tuple[int, int],
    further: dict[str, Any],
    folders: dict[bool, str],
    used: DiffusionEngine,
) -> None:
    person, worn = standing_in(size), [figures.garment("tee_white.jpg")]
    chosen = {"weights": folders[free], "scheduler": scheduler, "steps": 2, "seed": 5, "device": "cpu", **further}
    options = DiffusionOptions.model_validate(chosen)
    made = used.fit(person, worn, options)
    outside = made.mask == 0
    assert made.image.shape == person.image.shape
    assert np.array_equal(made.image[outside], person.image[outside])
    assert (made.image != person.image).any(axis=2)[~outside].mean() > 0.8
    torch.manual_seed(99)  # nothing of it may come in
    again = DiffusionEngine().fit(person, worn, options)
    assert again.image.tobytes() == made.image.tobytes()
    assert again.mask.tobytes() == made.mask.tobytes()
    assert again.provenance == made.provenance
