"""Control pictures and ControlNet branches: what is drawn, that a fresh branch is silent and a disturbed one is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # diffusers' schedulers
]
torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

import figures  # noqa: E402

from vestiary.diffusion import latents  # noqa: E402
from vestiary.diffusion.conditions import Conditions, conditions_of  # noqa: E402
from vestiary.diffusion.control import (  # noqa: E402
    PART_COLOURS,
    applies,
    control_picture,
    controls_of,
    draw_distance,
    estimated_distance,
)
from vestiary.diffusion.model import TryOnModel, tiny_model  # noqa: E402
from vestiary.diffusion.options import DiffusionOptions  # noqa: E402
from vestiary.diffusion.pipeline import sample  # noqa: E402
from vestiary.encoding.frames import Frame  # noqa: E402
from vestiary.errors import OptionError  # noqa: E402
from vestiary.person.pose import openpose18  # noqa: E402
from vestiary.types import Joint, Part, Person  # noqa: E402

KINDS = ("pose", "parts", "depth")


def posed(**bent: object) -> Person:
    person = figures.person(sleeves="none", **bent)
    return replace(person, keypoints=openpose18(person.pose))


@pytest.fixture(scope="module")
def conditions() -> Conditions:
    person = posed()
    seen = conditions_of(person, [figures.garment("tee_white.jpg")], height=64, width=48)
    return replace(seen, controls=controls_of(person, seen.frame, KINDS))


def run(model: TryOnModel, conditions: Conditions, **options: object) -> torch.Tensor:
    chosen = DiffusionOptions(**{"steps": 3, **options})
    return sample(model, conditions, chosen, generator=latents.seeded(0))


def at(picture: torch.Tensor, frame: Frame, place: tuple[float, float]) -> list[int]:
    (x, y) = frame.points(np.array([place], np.float32))[0]
    return [round(float(value) * 255) for value in picture[:, round(float(y)), round(float(x))]]


def test_the_skeleton_has_openposes_colours() -> None:
    person = posed()
    frame = Frame.around((300, 500), (384, 512))
    picture = control_picture("pose", person, frame)
    assert picture.shape == (3, 512, 384)
    assert (float(picture.min()), float(picture.max())) == (0, 1)
    for joint, colour in ((1, (255, 85, 0)), (4, (170, 255, 0)), (7, (0, 255, 85)), (13, (85, 0, 255))):
        assert at(picture, frame, tuple(person.keypoints[joint, :2])) == list(colour)
    shoulder, elbow = person.keypoints[5, :2], person.keypoints[6, :2]
    assert at(picture, frame, tuple((shoulder + elbow) / 2)) == [round(0.6 * part) for part in (170, 255, 0)]
    assert not picture[:, :, : frame.left].any(), "the padding is black"
    unsure = person.keypoints.copy()
    unsure[4, 2] = 0.1
    less = control_picture("pose", replace(person, keypoints=unsure), frame)
    assert at(less, frame, tuple(unsure[4, :2])) == [0, 0, 0]
    assert at(less, frame, tuple(unsure[7, :2])) == [0, 255, 85]


def test_parts_have_one_colour_each() -> None:
    assert len({tuple(colour) for colour in PART_COLOURS}) == len(Part)
    person = posed()
    frame = Frame.around((300, 500), (96, 160))
    picture = control_picture("parts", person, frame)
    assert at(picture, frame, (150, 150)) == PART_COLOURS[Part.TOP].tolist()
    assert at(picture, frame, (170, 290)) == PART_COLOURS[Part.TROUSERS].tolist()
    assert at(picture, frame, (10, 10)) == [0, 0, 0]
    known = {tuple(colour) for colour in PART_COLOURS.tolist()}
    assert {tuple(colour) for colour in (picture.permute(1, 2, 0).reshape(-1, 3) * 255).int().tolist()} <= known


def test_depth_is_nearer_where_the_pose_is() -> None:
    person = posed()
    world = person.world.copy()
    world[[Joint.LEFT_WRIST, Joint.LEFT_ELBOW, Joint.LEFT_INDEX], 2] = (-0.9, -0.6, -1.0)
    frame = Frame.around((300, 500), (192, 320))
    picture = control_picture("depth", replace(person, world=world), frame)
    left, right = at(picture, frame, (204, 205)), at(picture, frame, (96, 205))
    assert left[0] > right[0] + 60
    assert left[0] == left[1] == left[2]
    assert at(picture, frame, (10, 10)) == [0, 0, 0]
    assert at(picture, frame, (128, 380))[0] > 40, "the person's farthest point is not the ground"
    trunk, rim = at(picture, frame, (150, 170)), at(picture, frame, (123, 170))
    assert trunk[0] > rim[0], "the trunk is round"


def test_exact_depth_takes_the_estimates_place() -> None:
    person = posed()
    frame = Frame.around((300, 500), (96, 160))
    slope = np.repeat(np.linspace(2000, 1000, 500, dtype=np.float32)[:, None], 300, axis=1)
    picture = control_picture("depth", person, frame, distance=slope)
    heights = [at(picture, frame, (170, y))[0] for y in (220, 290, 360)]
    assert heights == sorted(heights)
    assert heights[0] + 40 < heights[2]
    estimate = estimated_distance(person)
    assert np.isfinite(estimate).all()
    assert draw_distance(estimate, np.zeros_like(person.silhouette)).max() == 0


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(OptionError, match="no control pictures of edges"):
        control_picture("edges", posed(), Frame.around((300, 500), (96, 160)))


def disturbed(model: TryOnModel, *kinds: str) -> TryOnModel:
    for kind in kinds:
        for block in model.controls[kind].controlnet_down_blocks:
            for weight in block.parameters():
                weight.data.normal_(0, 0.3, generator=latents.seeded(7))
    return model


@pytest.mark.parametrize("concat", ["width", "height"])
def test_fresh_branches_are_silent_and_disturbed_ones_heard(concat: str, conditions: Conditions) -> None:
    model = tiny_model(text=False, controls=KINDS, concat=concat)
    plain = run(model, conditions)
    weights = {"control_pose": 1.0, "control_parts": 0.5, "control_depth": 2.0}
    assert torch.equal(plain, run(model, conditions, **weights)), "bit for bit"
    disturbed(model, "pose", "depth")
    pose, both = run(model, conditions, control_pose=1.0), run(model, conditions, **weights)
    assert not torch.equal(plain, pose)
    assert not torch.equal(pose, both)
    assert torch.equal(plain, run(model, conditions, control_parts=1.0))


@pytest.mark.parametrize("concat", ["width", "height"])
def test_the_garments_places_are_blank(concat: str, conditions: Conditions) -> None:
    model = tiny_model(text=False, controls=("parts",), concat=concat)
    shown: list[torch.Tensor] = []
    hook = model.controls["parts"].register_forward_pre_hook(lambda _, args: shown.append(args[3].clone()))
    run(model, conditions, steps=1, control_parts=1.0)
    hook.remove()
    person, garment = shown[0].chunk(2, -1 if concat == "width" else -2)
    assert torch.equal(person[:1], conditions.controls["parts"])
    assert not garment.any()


def test_branches_have_their_share_of_the_steps(conditions: Conditions) -> None:
    model = disturbed(tiny_model(text=False, controls=("pose",)), "pose")
    calls: list[int] = []
    hook = model.controls["pose"].register_forward_pre_hook(lambda _, args: calls.append(int(args[1])))
    for start, end, heard in ((0, 1, 4), (0, 0.5, 2), (0.25, 0.75, 2), (1, 1, 0)):
        calls.clear()
        run(model, conditions, steps=4, guidance=1, control_pose=1.0, control_start=start, control_end=end)
        assert len(calls) == heard
    hook.remove()
    half = DiffusionOptions(control_start=0.5)
    assert [applies(number, 4, half) for number in (1, 2, 3, 4)] == [False, False, True, True]


def test_branches_of_published_models_see_the_noisy_latents_alone(conditions: Conditions) -> None:
    model = tiny_model(text=False, controls=())
    plain = run(model, conditions)
    unet = diffusers.UNet2DConditionModel.from_config({**model.unet.config, "in_channels": 4})
    branch = diffusers.ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 8, 8, 8))
    model.controls["pose"] = branch.eval()
    assert torch.equal(plain, run(model, conditions, control_pose=1.0))
    disturbed(model, "pose")
    assert not torch.equal(plain, run(model, conditions, control_pose=1.0))


def test_the_real_architecture_fits(conditions: Conditions) -> None:
    """Stable Diffusion 1.5's UNet with 9 channels and a branch made from it, on the meta device: shapes alone."""
    with torch.device("meta"), torch.no_grad():
        unet = diffusers.UNet2DConditionModel(in_channels=9, cross_attention_dim=768, attention_head_dim=8)
        branch = diffusers.ControlNetModel.from_unet(unet, load_weights_from_unet=False)
        seen, text = torch.zeros(2, 9, 64, 96), torch.zeros(2, 77, 768)
        down, middle = branch(seen, 1, text, torch.zeros(2, 3, 512, 768), 0.5, return_dict=False)
        said = unet(seen, 1, text, down_block_additional_residuals=down, mid_block_additional_residual=middle).sample
    assert said.shape == (2, 4, 64, 96)
    assert len(down) == 12
