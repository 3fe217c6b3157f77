"""ControlNet branch and distillation at toy size: what they begin with, what they learn, and that the result opens."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("diffusers")
pytest.importorskip("peft")
pytestmark = pytest.mark.train

import torch  # noqa: E402

from tests import dressing_data as dressing  # noqa: E402
from tests import figures  # noqa: E402
from tests.toy_run import equal_runs  # noqa: E402
from vestiary import try_on  # noqa: E402
from vestiary.diffusion import schedulers  # noqa: E402
from vestiary.diffusion.model import TryOnModel, tiny_model  # noqa: E402
from vestiary.errors import OptionError  # noqa: E402
from vestiary.training.config import load_config  # noqa: E402
from vestiary.training.controlnet import ControlConfig, ControlRecipe  # noqa: E402
from vestiary.training.distil import DistilConfig, DistilRecipe  # noqa: E402
from vestiary.training.distil_consistency import Consistency, apart  # noqa: E402
from vestiary.training.distil_progressive import Progressive  # noqa: E402
from vestiary.training.distil_teacher import ask, ddim  # noqa: E402
from vestiary.training.loop import Trainer  # noqa: E402
from vestiary.training.recipes import make_recipe  # noqa: E402
from vestiary.training.ship import Order, ship  # noqa: E402

PLAN: dict[str, Any] = {"batch": 4, "workers": 0, "threads": 1, "log_steps": 1, "averaging": 0.5}


@pytest.fixture(scope="module", autouse=True)
def seen() -> Iterator[None]:
    def drawn(kind: str, person: Any, frame: Any, **_: Any) -> torch.Tensor:
        """The top's own colour, which a branch can make much of."""
        colour = torch.from_numpy(person.image[150, 150].astype("float32")) / 255
        return colour[:, None, None].expand(3, *frame.size[::-1])

    with pytest.MonkeyPatch.context() as patch:
        dressing.stand_in(patch)
        patch.setattr("vestiary.training.diffusion_pairs.control_picture", drawn)
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data, and two models with random weights."""
    folder = tmp_path_factory.mktemp("place")
    dressing.viton(folder / "data", 16)
    for kind in ("epsilon", "v_prediction"):
        model = tiny_model(3, text=False, controls=(), prediction_type=kind)  # type: ignore[arg-type]
        model.card = model.card.model_copy(update={"width": 48, "height": 64})
        model.save(folder / kind)
    return folder


def settings(model: Any, place: Path, steps: int, **keys: Any) -> Any:
    values = {"data": place / "data", "kept": place / f"kept-{model.__name__}", "validation": 1, "painted": 0}
    return model.model_validate({**values, **keys, "training": {**PLAN, "steps": steps}})


def test_a_branch_begins_by_changing_nothing_and_learns(place: Path, tmp_path: Path) -> None:
    wanted = settings(ControlConfig, place, 16, start=place / "v_prediction", kind="parts", rate=1e-2, min_snr=None)
    run = Trainer(make_recipe(ControlRecipe, wanted, tmp_path), wanted, tmp_path / "run")
    recipe = run.recipe
    samples = recipe.samples("train")
    rows = [samples[i] for i in range(2)]
    batch = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
    asked = recipe._question(batch, dropout=0)
    assert asked.control.shape == (2, 3, 64, 96)
    assert float(asked.control[..., 48:].abs().max()) == 0 < float(asked.control.max())
    noisy, t = torch.randn(asked.clean.shape), torch.tensor([100, 700])
    with torch.no_grad():
        alone = ask(recipe.model.unet, asked, noisy, t)
        assert torch.allclose(recipe.answer(asked, noisy, t), alone, atol=1e-5)
    before = recipe.validate(run.averaged)["loss"]
    result = run.fit()
    assert result.figures["loss"] < before
    assert sum("unet" in name for name in run.averaged) == 0
    ship(Order(result.checkpoint, tmp_path / "model"))
    model = TryOnModel.load(tmp_path / "model")
    assert set(model.controls) == {"parts"}
    first = TryOnModel.load(place / "v_prediction").unet.state_dict()
    assert all(torch.equal(weight, first[name]) for name, weight in model.unet.state_dict().items())
    with torch.no_grad():
        assert not torch.allclose(recipe.answer(asked, noisy, t), alone, atol=1e-4)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_two_steps_of_the_teacher_are_one_of_the_student(kind: str, place: Path, tmp_path: Path) -> None:
    """A student that says what it is to say lands, by the sampler's own step, where the teacher lands in two."""
    wanted = settings(DistilConfig, place, 1, teacher=place / kind, from_steps=8, to_steps=4)
    recipe = make_recipe(DistilRecipe, wanted, tmp_path)
    assert isinstance(recipe, DistilRecipe)
    student, method = recipe.student, recipe.method
    assert isinstance(method, Progressive)
    method.before, method.steps = student, 4
    samples = recipe.samples("train")
    row = samples[0]
    asked = recipe._question({name: value[None] for name, value in row.items()}, dropout=0)
    config = {**recipe.model.scheduler_config, "timestep_spacing": "trailing"}
    coarse, fine = (schedulers.make_scheduler("ddim", config, kind) for _ in range(2))
    coarse.set_timesteps(4)
    fine.set_timesteps(8)
    torch.manual_seed(0)
    noisy = torch.randn(asked.clean.shape)
    for number in range(4):
        t, then = coarse.timesteps[number], (coarse.timesteps[number + 1] if number < 3 else torch.tensor(-1))
        with torch.no_grad():
            target = method.two_steps(asked, noisy, t[None], then[None])
            x = noisy
            for middle in fine.timesteps[2 * number : 2 * number + 2]:
                x = fine.step(ask(student.unet, asked, x, middle[None]), middle, x).prev_sample
        landed = coarse.step(target, t, noisy).prev_sample
        assert torch.allclose(landed, x, atol=2e-2 * float(x.abs().max()))
    grid = method.grid(64, torch.device("cpu"))[0].unique()
    assert torch.equal(grid.sort(descending=True).values, coarse.timesteps)


def test_the_steps_are_halved_and_the_result_says_how_it_is_sampled(place: Path, tmp_path: Path) -> None:
    keys: dict[str, Any] = {"teacher": place / "v_prediction", "from_steps": 4, "to_steps": 1, "first": 0.5}
    wanted = settings(DistilConfig, place, 8, **keys, rate=1e-3)
    seen: list[int] = []
    whole = Trainer(make_recipe(DistilRecipe, wanted, tmp_path), wanted, tmp_path / "whole")
    whole.on_event = None  # type: ignore[attr-defined]
    recipe = whole.recipe
    assert [recipe.method.steps_at(share) for share in (0, 0.49, 0.5, 0.74, 0.75, 1)] == [4, 4, 2, 2, 1, 1]  # type: ignore[attr-defined]
    result = whole.fit()
    assert result.figures["steps"] == 1
    for steps in (6, 8):  # cut off in the second stage
        part = settings(DistilConfig, place, 8, **keys, rate=1e-3)
        cut = Trainer(
            make_recipe(DistilRecipe, part, tmp_path),
            part,
            tmp_path / "cut",
            resume=steps == 8,
            should_stop=lambda: len(seen) >= 6,
            on_event=lambda event, fields: seen.append(1) if event == "step" and len(seen) < 6 else None,
        )
        if steps == 8:
            cut.should_stop = lambda: False
        cut.fit()
    states = (run.averaged["student"].state_dict().values() for run in (whole, cut))
    assert all(torch.equal(a, b) for a, b in zip(*states, strict=True))
    report = ship(Order(result.checkpoint, tmp_path / "model"))
    assert report["card"]["distilled"] == {
        "steps": 1,
        "guidance": 1.0,
        "scheduler": "ddim",
        "teacher": "tiny-3",
    }
    assert TryOnModel.load(tmp_path / "model").scheduler_config["timestep_spacing"] == "trailing"


def test_a_smaller_student_comes_nearer_to_its_teacher(place: Path, tmp_path: Path) -> None:
    keys: dict[str, Any] = {"from_steps": 4, "to_steps": 4, "widths": (8, 16), "heads": 8, "min_snr": None}
    wanted = settings(DistilConfig, place, 30, teacher=place / "v_prediction", **keys, rate=1e-2)
    losses: list[dict[str, float]] = []
    run = Trainer(
        make_recipe(DistilRecipe, wanted, tmp_path),
        wanted,
        tmp_path / "run",
        on_event=lambda event, fields: losses.append(fields["losses"]) if event == "step" else None,
    )
    result = run.fit()
    for name in ("student/match", "student/features"):
        first, last = (sum(one[name] for one in part) for part in (losses[:5], losses[-5:]))
        assert last < 0.7 * first
    ship(Order(result.checkpoint, tmp_path / "model"))
    small = TryOnModel.load(tmp_path / "model").unet
    big = TryOnModel.load(place / "v_prediction").unet
    assert small.num_parameters() < 0.4 * big.num_parameters()


def consistent(place: Path, folder: Path, kind: str = "v_prediction", **keys: Any) -> tuple[DistilRecipe, Consistency]:
    keys = {"from_steps": 10, "to_steps": 2, **keys}
    wanted = settings(DistilConfig, place, 1, teacher=place / kind, method="consistency", **keys)
    recipe = make_recipe(DistilRecipe, wanted, folder)
    assert isinstance(recipe, DistilRecipe)
    method = recipe.method
    assert isinstance(method, Consistency)
    return recipe, method


def asked_of(recipe: DistilRecipe, count: int = 1) -> Any:
    samples = recipe.samples("train")
    rows = [samples[number] for number in range(count)]
    return recipe._question({name: torch.stack([row[name] for row in rows]) for name in rows[0]}, dropout=0)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_the_target_is_answered_where_the_teachers_step_lands(kind: str, place: Path, tmp_path: Path) -> None:
    """By diffusers' own DDIM, and by LCM's last step: the answer that it paints is the one that is trained."""
    recipe, method = consistent(place, tmp_path, kind, teacher_guidance=2.0)
    method.advance(0.0, recipe.student, recipe.student)
    assert method.begun
    for weight in method.target.unet.parameters():  # type: ignore[union-attr]
        weight.mul_(1.1)  # so that it is neither teacher nor student
    asked, teacher = asked_of(recipe), recipe.teacher.unet
    config = {**recipe.model.scheduler_config, "timestep_spacing": "trailing"}
    solver = schedulers.make_scheduler("ddim", config, kind)
    solver.set_timesteps(10)
    lcm = schedulers.make_scheduler("lcm", {**config, **method.scheduler_keys}, kind)
    lcm.set_timesteps(10)
    assert torch.equal(method.times.flip(0), solver.timesteps)
    assert torch.equal(lcm.timesteps, solver.timesteps)
    half = asked.channels.shape[-1] // 2
    bare = asked.channels.clone()
    bare[:, -4:, :, half:] = 0
    noisy = torch.randn(asked.clean.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for t, then in [(999, 899), (499, 399), (99, 0)]:
            at, after = torch.tensor([t]), torch.tensor([then])
            without, wearing = (
                teacher(torch.cat([noisy, seen], 1), at, encoder_hidden_states=asked.text).sample
                for seen in (bare, asked.channels)
            )
            near = solver.step(without + 2 * (wearing - without), t, noisy).prev_sample
            lcm.set_timesteps(10)
            lcm.set_begin_index(9)
            said = ask(method.target.unet, asked, near, after)  # type: ignore[union-attr]
            expected = lcm.step(said, after[0], near).prev_sample
            assert torch.allclose(method.reached(asked, noisy, at, after), expected, atol=1e-3)


def test_at_no_noise_the_answer_is_what_was_asked(place: Path, tmp_path: Path) -> None:
    recipe, method = consistent(place, tmp_path)
    asked = asked_of(recipe)
    with torch.no_grad():
        answers = [method.answer(recipe.student, asked, asked.clean, torch.tensor([t])) for t in (0, 1)]
    assert torch.equal(answers[0], asked.clean)
    assert (answers[1] - asked.clean).abs().max() > 1e-2
    t, then = method.grid(4000, torch.device("cpu"))
    assert sorted(set(zip(t.tolist(), then.tolist(), strict=True))) == [
        *[(99, 0)],
        *((100 * n + 99, 100 * n - 1) for n in range(1, 10)),
    ]


def test_gaps_count_by_place_and_large_ones_by_their_size() -> None:
    gap = torch.zeros(1, 4, 1, 2)
    gap[..., 0], gap[..., 1] = 3.0, 1e-5
    importance = torch.tensor([[[[3.0, 1.0]]]])
    assert float(apart(gap, importance, None)) == pytest.approx(0.75 * 9)
    assert float(apart(gap, importance, 1e-3)) == pytest.approx(0.75 * 3, rel=1e-3)
    assert float(apart(gap[..., 1:], importance[..., 1:], 1e-3)) == pytest.approx(1e-10 / 2e-3, rel=1e-2)


def test_a_consistent_student_comes_to_answer_at_once_where_the_teacher_ends(place: Path, tmp_path: Path) -> None:
    """From each point of the teacher's way down, without a step of its own."""
    recipe, method = consistent(place, tmp_path, from_steps=5, target_averaging=0.5, rate=3e-3)
    asked = asked_of(recipe, 2)
    way, student = [torch.randn(asked.clean.shape, generator=torch.Generator().manual_seed(0))], recipe.student
    times = torch.cat([torch.zeros(1, dtype=torch.long), method.times]).flip(0)[:, None].expand(-1, 2)

    def missed() -> float:
        answers = [method.answer(student, asked, x, t) for x, t in zip(way[:-1], times[:-1], strict=True)]
        return sum(float((answer - way[-1]).square().mean()) for answer in answers)

    with torch.no_grad():
        for t, then in itertools.pairwise(times):
            way.append(ddim(recipe.schedule, recipe.teacher.says(asked, way[-1], t), way[-1], t, then))
        before = missed()
    (optimizer,) = recipe.optimizers().values()
    torch.manual_seed(0)
    for step in range(40):
        recipe.advance(step, step / 40, recipe.networks)
        optimizer.zero_grad()
        method.losses(student, asked)["consistency"].backward()
        optimizer.step()
    with torch.no_grad():
        assert missed() < 0.75 * before


def test_a_consistent_student_goes_on_where_it_stopped_and_is_sampled(place: Path, tmp_path: Path) -> None:
    keys: dict[str, Any] = {"method": "consistency", "from_steps": 10, "to_steps": 2, "rate": 3e-3}
    wanted = settings(DistilConfig, place, 6, teacher=place / "v_prediction", **keys)

    def started(folder: str, **hooks: Any) -> Trainer:
        return Trainer(make_recipe(DistilRecipe, wanted, tmp_path), wanted, tmp_path / folder, **hooks)

    result = started("whole").fit()
    assert "score" not in result.figures, "without pictures nobody knows how good it is"
    asked = iter(range(99))
    started("cut", should_stop=lambda: next(asked) == 3).fit()
    equal_runs(result, started("cut", resume=True).fit())
    report = ship(Order(result.checkpoint, tmp_path / "model"))
    how = report["card"]["distilled"]
    assert (how["steps"], how["guidance"], how["scheduler"]) == (2, 1.0, "lcm")
    assert TryOnModel.load(tmp_path / "model").scheduler_config["original_inference_steps"] == 10
    chosen = {"weights": str(tmp_path / "model"), "scheduler": "lcm", "guidance": 1, "device": "cpu"}
    for steps in (1, 8):
        made = try_on(
            figures.person(), figures.garment("tee_white.jpg"), engine="diffusion", options={**chosen, "steps": steps}
        )
        assert made.provenance["options"]["steps"] == steps
        assert made.image.std() > 0


def test_a_smaller_student_hears_the_teachers_word_before_it_is_made_consistent(place: Path, tmp_path: Path) -> None:
    keys: dict[str, Any] = {"method": "consistency", "from_steps": 10, "widths": (8, 16), "heads": 8, "first": 0.5}
    wanted = settings(DistilConfig, place, 8, teacher=place / "epsilon", **keys, rate=1e-2)
    seen: list[set[str]] = []
    Trainer(
        make_recipe(DistilRecipe, wanted, tmp_path),
        wanted,
        tmp_path / "run",
        on_event=lambda event, fields: seen.append(set(fields["losses"])) if event == "step" else None,
    ).fit()
    assert seen == [{"student/match", "student/features"}] * 4 + [{"student/consistency"}] * 4


def test_steps_that_cannot_be_halved_are_refused(place: Path, tmp_path: Path) -> None:
    layer = {"data": "x", "teacher": "y", "from_steps": 12, "to_steps": 4, "training": {"steps": 1}}
    with pytest.raises(OptionError, match="distil"):
        load_config(DistilConfig, layer, source="the distil file")
    with pytest.raises(OptionError, match="distil"):
        load_config(DistilConfig, {**layer, "method": "consistency", "to_steps": 13}, source="the distil file")
    load_config(DistilConfig, {**layer, "method": "consistency"}, source="the distil file")
    wanted = settings(DistilConfig, place, 1, teacher=place / "epsilon", widths=(8,))
    with pytest.raises(OptionError, match="as many as the teacher has"):
        DistilRecipe(wanted, tmp_path)
