"""Stages of a distillation: what the card of a student says in each, which one is best, and how a run goes on."""

from __future__ import annotations

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
from tests.toy_run import events  # noqa: E402
from vestiary.diffusion import schedulers  # noqa: E402
from vestiary.diffusion.model import TryOnModel, tiny_model  # noqa: E402
from vestiary.errors import OptionError  # noqa: E402
from vestiary.training import checkpoint  # noqa: E402
from vestiary.training.distil import DistilConfig, DistilRecipe  # noqa: E402
from vestiary.training.distil_consistency import Consistency  # noqa: E402
from vestiary.training.loop import Trainer  # noqa: E402
from vestiary.training.recipes import make_recipe  # noqa: E402
from vestiary.training.ship import Order, ship  # noqa: E402

PLAN: dict[str, Any] = {"batch": 2, "workers": 0, "threads": 1, "log_steps": 1, "averaging": 0.5}


@pytest.fixture(scope="module", autouse=True)
def seen() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        dressing.stand_in(patch)
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data, and a teacher with random weights."""
    folder = tmp_path_factory.mktemp("place")
    dressing.viton(folder / "data", 16)
    model = tiny_model(3, text=False, controls=())
    model.card = model.card.model_copy(update={"width": 48, "height": 64})
    model.save(folder / "teacher")
    return folder


def settings(place: Path, training: dict[str, Any], **keys: Any) -> DistilConfig:
    values = {"data": place / "data", "kept": place / "kept", "teacher": place / "teacher", "painted": 0}
    plan = {**PLAN, **training}
    return DistilConfig.model_validate({**values, "validation": 1, "first": 0.5, **keys, "training": plan})


def started(config: DistilConfig, folder: Path, *, resume: bool = False) -> Trainer:
    return Trainer(make_recipe(DistilRecipe, config, folder), config, folder, resume=resume)


@pytest.mark.parametrize(("method", "last"), [("progressive", "ddim"), ("consistency", "lcm")])
def test_each_checkpoint_says_how_it_is_sampled_and_none_is_best_without_pictures(
    method: str, last: str, place: Path, tmp_path: Path
) -> None:
    """Those of the first part know the teacher's word, and want the teacher's steps."""
    plan = {"steps": 4, "validate_steps": 1, "checkpoint_steps": 1, "keep": 9}
    plan |= {"early_stopping": 1, "schedule": "plateau", "plateau_patience": 0}
    config = settings(place, plan, method=method, from_steps=4, to_steps=2)
    result = started(config, tmp_path / "run").fit()
    assert (result.steps, result.reason) == (4, "budget")
    assert result.best is None
    assert not (tmp_path / "run" / "best.pt").exists()
    assert len({event["rate"]["student"] for event in events(tmp_path / "run", "losses")}) == 1
    told = []
    for number in (2, 4):
        path = checkpoint.place(tmp_path / "run", number)
        how = ship(Order(path, tmp_path / f"model-{number}"))["card"]["distilled"]
        told.append((how["steps"], how["scheduler"]))
    assert told == [(4, "ddim"), (2, last)]


def test_the_teachers_word_is_sampled_in_the_grid_in_which_it_was_learnt(place: Path, tmp_path: Path) -> None:
    config = settings(place, {"steps": 1}, method="consistency", from_steps=10, to_steps=2)
    recipe = make_recipe(DistilRecipe, config, tmp_path)
    assert isinstance(recipe, DistilRecipe)
    assert isinstance(recipe.method, Consistency)
    recipe.save_folder(recipe.networks, tmp_path / "model")
    saved = TryOnModel.load(tmp_path / "model")
    assert saved.card.distilled is not None
    scheduler = schedulers.make_scheduler(saved.card.distilled.scheduler, saved.scheduler_config, "epsilon")
    scheduler.set_timesteps(saved.card.distilled.steps)
    assert torch.equal(scheduler.timesteps, recipe.method.times.flip(0))


def test_of_painted_students_those_of_the_last_stage_are_better(place: Path, tmp_path: Path) -> None:
    """Even where both parts take as many steps."""
    config = settings(place, {"steps": 1}, method="consistency", from_steps=2, to_steps=2, painted=1)
    recipe = make_recipe(DistilRecipe, config, tmp_path)
    assert isinstance(recipe, DistilRecipe)
    samplers, scores = [], []
    for progress in (0.0, 0.5):
        recipe.advance(0, progress, recipe.networks)
        samplers.append(recipe.sampling.scheduler)
        figures = recipe.validate(recipe.networks)
        scores.append(figures["score"] + figures["lite0"])
    assert samplers == ["ddim", "lcm"]
    assert scores == pytest.approx([0, 1])


def test_without_pictures_only_a_run_about_the_teachers_word_is_scored(place: Path, tmp_path: Path) -> None:
    scored = []
    for method, whole in (("progressive", 2), ("progressive", 4), ("consistency", 2)):
        config = settings(place, {"steps": 1}, method=method, from_steps=whole, to_steps=2)
        recipe = make_recipe(DistilRecipe, config, tmp_path)
        scored.append("score" in recipe.validate(recipe.networks))
    assert scored == [True, False, False]


def test_a_run_goes_on_by_its_own_method_alone(place: Path, tmp_path: Path) -> None:
    methods = ("progressive", "consistency")
    for method, other in (methods, methods[::-1]):
        folder = tmp_path / method
        started(settings(place, {"steps": 1}, method=method, from_steps=4), folder).fit()
        with pytest.raises(OptionError, match=f"distils by method={method}") as caught:
            started(settings(place, {"steps": 2}, method=other, from_steps=4), folder, resume=True)
        assert f"--set method={method}" in str(caught.value.hint)
    started(settings(place, {"steps": 2}, method=method, from_steps=4), folder, resume=True)
