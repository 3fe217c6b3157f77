"""The training loop on a toy: it learns, and resumes to the byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("yaml")

from toy_recipe import Samples, ToyRecipe  # noqa: E402
from toy_run import SMALL, after, equal_runs, events, same, trainer  # noqa: E402

from vestiary.training import checkpoint  # noqa: E402
from vestiary.training.config import load_config  # noqa: E402
from vestiary.training.loader import Places, Shuffled, batches  # noqa: E402
from vestiary.training.loop import Trainer  # noqa: E402
from vestiary.training.pace import average, one_cycle  # noqa: E402
from vestiary.training.recipes import make_recipe  # noqa: E402

pytestmark = pytest.mark.train


def test_the_loss_falls_and_the_folder_tells_how(tmp_path: Path) -> None:
    result = trainer(tmp_path, {"steps": 40, "validate_steps": 20}).fit()
    losses = [event["losses"]["generator/l1"] for event in events(tmp_path, "losses")]
    assert losses[-1] < 0.6 * losses[0]
    assert (result.steps, result.reason, result.skipped) == (40, "budget", 0)
    assert result.best is not None
    assert result.best_score == max(event["score"] for event in events(tmp_path, "validation")) > 0.8
    facts = json.loads((tmp_path / "run.json").read_text())
    assert facts["packages"]["torch"] == torch.__version__
    assert "width: 4" in (tmp_path / "config.yaml").read_text()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("training", "rest"),
    [
        ({}, {}),
        ({"accumulate": 3, "batch": 2}, {}),
        ({"workers": 2}, {}),
        ({"accumulate": 2, "precision": "bf16", "schedule": "plateau", "plateau_patience": 0}, {"adversarial": True}),
    ],
    ids=["plain", "accumulated", "workers", "adversarial"],
)
def test_a_resumed_run_ends_in_the_same_bytes(tmp_path: Path, training: dict[str, Any], rest: dict[str, Any]) -> None:
    training = {"steps": 9, "validate_steps": 2, **training}
    straight = trainer(tmp_path / "straight", training, **rest).fit()
    first = trainer(tmp_path / "cut", training, should_stop=after(5), **rest).fit()
    assert (first.steps, first.reason) == (5, "stopped")
    torch.manual_seed(99)  # what happens between the two runs does not matter
    resumed = trainer(tmp_path / "cut", training, resume=True, **rest).fit()
    equal_runs(straight, resumed)
    begun = trainer(tmp_path / "begun", training, should_stop=after(0), **rest).fit()
    assert not same(checkpoint.read(begun.checkpoint)["networks"], checkpoint.read(resumed.checkpoint)["networks"])


def test_accumulated_gradients_are_those_of_the_large_batch(tmp_path: Path) -> None:
    class Even(ToyRecipe):
        """Without dropout and batch norm, which look at a batch as a whole."""

        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            self.networks = {"generator": torch.nn.Conv2d(3, 1, 3, padding=1)}

    found = []
    for name, split in (("whole", {"batch": 4}), ("parts", {"batch": 2, "accumulate": 2})):
        config = load_config(Even.Config, {"training": {**SMALL, "steps": 5, **split}})
        result = Trainer(make_recipe(Even, config, tmp_path / name), config, tmp_path / name).fit()
        found.append(checkpoint.read(result.checkpoint)["networks"]["generator"]["weight"])
    assert torch.allclose(*found, atol=1e-6)


def test_each_pass_changes_its_own_network_only(tmp_path: Path) -> None:
    run = trainer(tmp_path, {"steps": 1}, adversarial=True)
    first = [parameter.clone() for parameter in run.recipe.networks["discriminator"].parameters()]
    run.optimizers.pop("discriminator")
    run.fit()
    second = list(run.recipe.networks["discriminator"].parameters())
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(parameter.requires_grad for parameter in second)


def test_the_rate_rises_falls_and_is_cut_on_a_plateau(tmp_path: Path) -> None:
    assert [round(one_cycle(at, 0.1), 3) for at in (0, 0.05, 0.1, 0.55, 1)] == [0.02, 0.5, 1, 0.5, 0]
    plan = {"steps": 12, "schedule": "plateau", "plateau_patience": 1, "validate_steps": 2, "log_steps": 2}
    trainer(tmp_path, plan, scores=(0.5, 0.6, 0.6, 0.6, 0.6)).fit()
    rates = [event["rate"]["generator"] for event in events(tmp_path, "losses")]
    assert rates == [0.01, 0.01, 0.01, 0.01, 0.005, 0.005]


def test_a_run_stops_early_and_keeps_its_best(tmp_path: Path) -> None:
    plan = {"steps": 100, "validate_steps": 1, "early_stopping": 3, "checkpoint_steps": 1, "keep": 2}
    result = trainer(tmp_path, plan, scores=(0.1, 0.7, 0.2, 0.7)).fit()
    assert (result.steps, result.reason, result.best_score) == (5, "early stopping", 0.7)
    assert [path.name for path in checkpoint.saved(tmp_path)] == ["step-00000004.pt", "step-00000005.pt"]
    assert checkpoint.read(tmp_path / "best.pt")["position"]["steps"] == 2


def test_validations_without_a_score_neither_end_a_run_nor_cut_its_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[dict[str, float]] = [{}, {"score": 0.5}, {}, {"loss": 1.0}, {}, {"score": 0.5}]
    figures = iter(found)
    monkeypatch.setattr(ToyRecipe, "validate", lambda *_: next(figures))
    plan = {"steps": 6, "validate_steps": 1, "log_steps": 1, "early_stopping": 2, "schedule": "plateau"}
    run = trainer(tmp_path, {**plan, "plateau_patience": 0})
    result = run.fit()
    assert (result.steps, result.reason, result.best_score) == (6, "budget", 0.5)
    assert [event["rate"]["generator"] for event in events(tmp_path, "losses")] == [0.01] * 6
    assert run.position.stale == 1, "only what was scored can be no better"
    assert run.optimizers["generator"].param_groups[0]["lr"] == 0.005


def test_a_run_ends_when_its_minutes_are_over(tmp_path: Path) -> None:
    result = trainer(tmp_path, {"minutes": 0.004, "checkpoint_minutes": 0.001}).fit()
    assert 0.004 <= result.minutes < 0.1
    assert len(events(tmp_path, "checkpoint")) > 1


def test_the_average_follows_weights_and_statistics() -> None:
    new, old = (torch.nn.BatchNorm1d(2) for _ in range(2))
    new.weight.data += 1
    new.running_mean += 2
    new.num_batches_tracked += 7
    average(old, new, 0.75)
    assert old.weight.tolist() == [1.25, 1.25]
    assert old.running_mean.tolist() == [0.5, 0.5]
    assert int(old.num_batches_tracked) == 7


def test_batches_depend_on_their_number_alone() -> None:
    samples = Shuffled(Samples(0, 0), seed=3)
    drawn = [batch for batch, _ in zip(batches(samples, Places(0, 4)), range(4), strict=False)]
    other = [batch for batch, _ in zip(batches(samples, Places(8, 4), workers=1), range(2), strict=False)]
    assert same(drawn[2].samples, other[0].samples)
    halves = [next(batches(samples, Places(0, 2, process, 2))).samples["image"] for process in (0, 1)]
    assert torch.equal(torch.cat(halves), drawn[0].samples["image"])
    assert len({samples[i]["target"].tobytes() for i in range(6)}) == 6
