"""The try-on pipeline on tiny random weights: what the UNet is shown, how it is guided, and what the run promises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # diffusers' schedulers
]
torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

import figures  # noqa: E402

from vestiary.diffusion import latents, schedulers  # noqa: E402
from vestiary.diffusion.conditions import Conditions, conditions_of, frame_size, stack  # noqa: E402
from vestiary.diffusion.model import TryOnModel, tiny_model  # noqa: E402
from vestiary.diffusion.options import DiffusionOptions  # noqa: E402
from vestiary.diffusion.pipeline import sample  # noqa: E402
from vestiary.diffusion.progressive import sample_progressively  # noqa: E402
from vestiary.diffusion.text import encode_text  # noqa: E402
from vestiary.errors import Cancelled, OptionError  # noqa: E402

SCHEDULERS = ["ddpm", "ddim", "dpm++", "unipc", "euler", "lcm"]


@pytest.fixture(scope="module")
def model() -> TryOnModel:
    return tiny_model()


@pytest.fixture(scope="module")
def conditions() -> Conditions:
    return conditions_of(figures.person(), [figures.garment("tee_white.jpg")], height=64, width=48)


def run(model: TryOnModel, conditions: Conditions, *, seed: int = 0, guides: tuple = (), **options: object):
    chosen = DiffusionOptions(**{"steps": 3, **options})
    return sample(model, conditions, chosen, guides=guides, generator=latents.seeded(seed))


@contextmanager
def watched(model: TryOnModel) -> Iterator[list[SimpleNamespace]]:
    """What the UNet is shown at each call."""
    calls: list[SimpleNamespace] = []

    def look(_: object, args: tuple, kwargs: dict) -> None:
        calls.append(SimpleNamespace(seen=args[0].clone(), t=args[1], **kwargs))

    hook = model.unet.register_forward_pre_hook(look, with_kwargs=True)
    try:
        yield calls
    finally:
        hook.remove()


def test_conditions_are_framed_and_on_white(conditions: Conditions) -> None:
    assert conditions.person.shape == (1, 3, 64, 48)
    assert conditions.garments.shape == (1, 1, 3, 64, 48)
    outside = conditions.garment_masks[0, 0, 0] == 0
    assert (conditions.garments[0, 0][:, outside] == 1).all()
    assert set(conditions.mask.unique().tolist()) == {0.0, 1.0}
    hidden = conditions.mask[0, 0] == 1
    assert (conditions.agnostic[0][:, hidden] == 0).all()
    assert torch.equal(conditions.agnostic[0][:, ~hidden], conditions.person[0][:, ~hidden])


@pytest.mark.parametrize("concat", ["width", "height"])
@pytest.mark.parametrize("mask_free", [False, True])
def test_the_unet_sees_person_and_garments_side_by_side(concat: str, mask_free: bool) -> None:
    model = tiny_model(concat=concat, mask_free=mask_free, garments=2, controls=())
    pair = [figures.garment("tee_white.jpg"), figures.garment("jeans_blue.jpg")]
    conditions = conditions_of(figures.person(), pair, height=64, width=48, places=2)
    with watched(model) as calls:
        run(model, conditions, steps=2, guidance=2)
    axis = -1 if concat == "width" else -2
    seen = calls[0].seen
    assert len(calls) == 2
    assert (
        seen.shape == ((2, 8, 8, 18) if concat == "width" else (2, 8, 24, 6)) if mask_free else (2, 9, *seen.shape[2:])
    )
    noisy, rest = seen[:, :4], seen[:, 4:]
    assert torch.equal(noisy[0], noisy[1]), "both passes look at the same noise"
    if not mask_free:
        mask, rest = rest[:, :1].chunk(3, axis), rest[:, 1:]
        assert mask[0].any()
        assert not mask[1].any()
        assert not mask[2].any()
    person, *garments = rest.chunk(3, axis)
    shown = conditions.person if mask_free else conditions.agnostic
    assert torch.equal(person[0], person[1])
    assert torch.allclose(person[0], latents.encode(model.vae, shown)[0])
    for number, garment in enumerate(garments):
        assert not garment[0].any(), "the first pass sees no garment"
        assert torch.allclose(garment[1], latents.encode(model.vae, conditions.garments[:, number])[0])


def test_an_empty_place_shows_nothing() -> None:
    model = tiny_model(garments=2, controls=())
    conditions = conditions_of(figures.person(), [figures.garment("tee_white.jpg")], height=64, width=48, places=2)
    with watched(model) as calls:
        run(model, conditions, steps=1)
    _, first, second = calls[0].seen[1, 5:].chunk(3, -1)
    assert first.any()
    assert not second.any()


def test_guidance_goes_away_from_the_bare_pass(model: TryOnModel, conditions: Conditions) -> None:
    """With one DDIM step the result is linear in the prediction, and so in the guidance."""
    noise = [run(model, conditions, steps=1, guidance=g, scheduler="ddim") for g in (1, 2, 3)]
    assert not torch.allclose(noise[0], noise[1], atol=1e-4)
    with watched(model) as calls:
        run(model, conditions, steps=1, guidance=1)
        run(model, conditions, steps=1, guidance=2)
    assert [len(call.seen) for call in calls] == [1, 2]
    said = model.unet(calls[1].seen, calls[1].t, encoder_hidden_states=calls[1].encoder_hidden_states).sample
    bare, wearing = said.detach().chunk(2)
    scheduler = schedulers.make_scheduler("ddim", model.scheduler_config, "epsilon")
    (t,) = schedulers.set_steps(scheduler, 1, 1.0)
    last = scheduler.step(bare + 3 * (wearing - bare), t, calls[1].seen[:1, :4]).prev_sample
    assert torch.allclose(noise[2], latents.decode(model.vae, last.chunk(2, -1)[0]).detach(), atol=2e-3)


def test_text_is_dropped_with_the_garment(model: TryOnModel, conditions: Conditions) -> None:
    told = replace(conditions, text=encode_text(model, ["red silk dress"]), negative_text=encode_text(model, ["blue"]))
    with watched(model) as calls:
        first = run(model, told, steps=1)
    assert torch.equal(calls[0].encoder_hidden_states, torch.cat([told.negative_text, told.text]))
    assert not torch.equal(first, run(model, conditions, steps=1))


def test_prompts_that_cannot_be_read(model: TryOnModel) -> None:
    with pytest.raises(OptionError, match=r"the prompt has 90 tokens; the model reads at most 75"):
        encode_text(model, ["a" * 90])
    deaf = tiny_model(text=False, controls=())
    assert encode_text(deaf, [""]) is None
    with pytest.raises(OptionError, match="reads no text"):
        encode_text(deaf, ["red"])


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_a_network_that_knows_the_answer_is_believed(scheduler: str, kind: str, conditions: Conditions) -> None:
    """Every scheduler ends at the clean latents that the predictions mean, for both kinds of prediction."""
    model = tiny_model(controls=(), prediction_type=kind)
    goal = torch.randn(1, 4, 8, 12, generator=latents.seeded(9))
    wanted: list[schedulers.Level] = []

    def know(_: object, args: tuple, kwargs: dict, output: tuple) -> tuple:
        made = schedulers.make_scheduler(scheduler, model.scheduler_config, kind)
        schedulers.set_steps(made, 8, 1.0)
        wanted.append(schedulers.level(made, args[1]))
        return (wanted[-1].prediction(goal, args[0][:, :4]),)

    hook = model.unet.register_forward_hook(know, with_kwargs=True)
    made = run(model, conditions, steps=8, scheduler=scheduler)
    hook.remove()
    noise = [one.noise for one in wanted]
    assert len(noise) == 8
    assert noise == sorted(noise, reverse=True)
    expected = latents.decode(model.vae, goal.chunk(2, -1)[0]).detach()
    assert (made - expected).abs().mean() < 0.05 * expected.std()


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_guides_move_the_clean_latents(scheduler: str, model: TryOnModel, conditions: Conditions) -> None:
    goal = torch.full((1, 4, 8, 6), 0.3)
    told: list[tuple] = []

    def nothing(x0: torch.Tensor, noisy: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        told.append((x0.shape, noisy.shape, float(t)))
        return torch.zeros_like(x0)

    plain = run(model, conditions, scheduler=scheduler)
    assert torch.allclose(plain, run(model, conditions, guides=(nothing,), scheduler=scheduler), atol=1e-3)
    assert [one[:2] for one in told] == [((1, 4, 8, 6), (1, 4, 8, 6))] * 3
    pulled = run(model, conditions, guides=(lambda x0, *_: goal - x0,), scheduler=scheduler, steps=8)
    expected = latents.decode(model.vae, goal).detach()
    assert (pulled - expected).abs().mean() < 0.3 * (plain - expected).abs().mean()


def test_control_branches_begin_without_effect_and_then_have_one(conditions: Conditions) -> None:
    model = tiny_model(controls=("pose", "depth"))
    picture = torch.rand(1, 3, 64, 48, generator=latents.seeded(3))
    controlled = replace(conditions, controls={"pose": picture, "depth": picture})
    plain = run(model, controlled)
    both = {"control_pose": 1.0, "control_depth": 0.5}
    assert torch.equal(plain, run(model, controlled, **both)), "zero convolutions (Zhang et al. 2023)"
    for weight in model.controls["pose"].controlnet_mid_block.parameters():
        weight.fill_(0.5)
    strong, weak = run(model, controlled, **both), run(model, controlled, control_pose=0.1)
    assert (strong - plain).abs().mean() > (weak - plain).abs().mean() > 0
    with pytest.raises(OptionError, match=r"no control branch for parts.*It has: pose, depth"):
        run(model, replace(controlled, controls={"parts": picture}), control_parts=1.0)


def test_the_seed_is_all_the_chance_there_is(model: TryOnModel, conditions: Conditions) -> None:
    for scheduler in ("ddpm", "dpm++"):
        first = run(model, conditions, seed=1, scheduler=scheduler)
        torch.manual_seed(99)
        assert torch.equal(first, run(model, conditions, seed=1, scheduler=scheduler))
        assert not torch.allclose(first, run(model, conditions, seed=2, scheduler=scheduler), atol=1e-3)


@pytest.mark.parametrize("scheduler", ["ddpm", "euler", "lcm"])
def test_a_batch_is_its_pictures_one_by_one(scheduler: str, model: TryOnModel, conditions: Conditions) -> None:
    other = conditions_of(figures.person(sleeves="none"), [figures.garment("top_vneck.png")], height=64, width=48)
    options = DiffusionOptions(steps=3, scheduler=scheduler)
    seeds = [latents.seeded(seed) for seed in (4, 5)]
    both = sample(model, stack([conditions, other]), options, generator=seeds)
    one = run(model, conditions, seed=4, scheduler=scheduler)
    two = run(model, other, seed=5, scheduler=scheduler)
    assert torch.allclose(both, torch.cat([one, two]), atol=1e-4)
    with pytest.raises(ValueError, match="1 generators for 2 pictures"):
        sample(model, stack([conditions, other]), options, generator=seeds[:1])


def test_part_strength_stays_near_its_start(model: TryOnModel, conditions: Conditions) -> None:
    begun = replace(conditions, start=conditions.person)
    with watched(model) as calls:
        run(model, begun, steps=10, strength=0.3, scheduler="ddim")
    assert len(calls) == 3
    scheduler = schedulers.make_scheduler("ddim", model.scheduler_config, "epsilon")
    first = schedulers.level(scheduler, calls[0].t)
    assert 0 < first.noise < 0.8
    start = latents.encode(model.vae, conditions.person).detach()
    noise = (calls[0].seen[:1, :4, :, :6] - first.signal * start) / first.noise
    assert abs(float(noise.std()) - 1) < 0.2
    with pytest.raises(OptionError, match="at most 50 steps"):
        run(model, conditions, steps=51, scheduler="lcm")


def test_progress_previews_and_cancelling(model: TryOnModel, conditions: Conditions) -> None:
    told: list[tuple] = []
    options = DiffusionOptions(steps=4)
    free = sample(model, conditions, options, generator=latents.seeded(0))
    seen = sample(model, conditions, options, generator=latents.seeded(0), on_step=lambda *step: told.append(step))
    assert torch.equal(free, seen), "looking on changes nothing"
    assert [step[:3] for step in told] == [(n, 4, "denoise") for n in (1, 2, 3, 4)]
    assert all(step[3].shape == (8, 6, 3) and step[3].dtype == np.uint8 for step in told)
    with watched(model) as calls, pytest.raises(Cancelled):
        sample(model, conditions, options, generator=latents.seeded(0), on_step=lambda step, *_: step < 2)
    assert len(calls) == 2
    assert torch.equal(free, sample(model, conditions, options, generator=latents.seeded(0)))


def test_previews_are_fitted_to_the_autoencoder() -> None:
    mixing = torch.randn(3, 4, generator=latents.seeded(1))
    pictures = torch.rand(2, 3, 64, 48, generator=latents.seeded(2)) * 2 - 1
    small = torch.nn.functional.interpolate(pictures, (8, 6), mode="area")
    code = torch.einsum("bkhw,kc->bchw", small, mixing) + 0.7
    assert torch.allclose(latents.preview(code, latents.preview_map(code, pictures)), small, atol=0.02)


@pytest.mark.parametrize("concat", ["width", "height"])
@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_a_preview_is_the_clean_latents_in_colours(concat: latents.Concat, kind: str) -> None:
    noisy, prediction = torch.randn(2, 1, 4, 8, 6, generator=latents.seeded(1)).tile(1, 2, 1, 1, 2)
    linear = torch.randn(5, 3, generator=latents.seeded(2)) / 3
    levels = [schedulers.Level(0.6, 0.8, kind), schedulers.Level(0.8, 0.6, kind)]
    previews = latents.Previews(linear, levels, 2, concat)
    for step, level in enumerate(levels):
        clean = latents.place(level.clean(prediction, noisy), 0, 2, concat)
        expected = (latents.preview(clean, linear)[0].permute(1, 2, 0).numpy() + 1) * 127.5
        seen = previews.picture(step, noisy, prediction)
        assert seen.dtype == np.uint8
        assert np.abs(seen - expected).max() < 0.51, "rounded, and beyond black and white cut off"
    assert previews.picture(0, noisy, prediction * torch.nan).shape == seen.shape, "half precision may overflow"


def test_what_comes_out_can_be_learnt_from(model: TryOnModel, conditions: Conditions) -> None:
    """The network runs in inference mode; what is made in it could not be kept for a gradient."""
    weight = torch.ones(1, requires_grad=True)
    for guidance in (1, 2):
        made = run(model, conditions, guidance=guidance)
        (made * weight).sum().backward()
    assert weight.grad is not None


def test_low_then_high_resolution(model: TryOnModel) -> None:
    conditions = conditions_of(figures.person(), [figures.garment("tee_white.jpg")], height=128, width=96)
    told: list[tuple] = []
    options = DiffusionOptions(steps=4, refine=True, refine_strength=0.5)
    with watched(model) as calls:
        made = sample_progressively(
            model, conditions, options, generator=latents.seeded(0), on_step=lambda *step: told.append(step[:2])
        )
    assert made.shape == (1, 3, 128, 96)
    assert [call.seen.shape[-2:] for call in calls] == [(8, 12)] * 4 + [(16, 24)] * 2
    assert told == [(n, 6) for n in range(1, 7)]
    again = sample_progressively(model, conditions, options, generator=latents.seeded(0))
    assert torch.equal(made, again)


def test_half_precision_is_near(conditions: Conditions) -> None:
    full = run(tiny_model(controls=()), conditions)
    half = run(tiny_model(controls=()).to("cpu", torch.bfloat16), conditions)
    assert half.dtype == torch.float32
    assert (full - half).abs().mean() < 0.15 * full.std()


@pytest.mark.parametrize(
    ("photo", "long_side", "size"),
    [
        ((768, 1024), 0, (384, 512)),
        ((300, 500), 0, (384, 512)),
        ((300, 500), 256, (160, 256)),
        ((1000, 333), 512, (512, 176)),
        ((50, 4000), 512, (16, 512)),
    ],
)
def test_frames_take_any_aspect(photo: tuple[int, int], long_side: int, size: tuple[int, int]) -> None:
    assert frame_size(photo, (384, 512), long_side, 16) == size
