"""The training loop on a toy: it learns, resumes to the byte, and loses nothing when something goes wrong."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("yaml")

from toy_recipe import Samples, ToyRecipe  # noqa: E402

from vestiary import errors  # noqa: E402
from vestiary.errors import InputError, OptionError, OutputError, TrainingError, WeightsError  # noqa: E402
from vestiary.training import checkpoint  # noqa: E402
from vestiary.training.config import load_config  # noqa: E402
from vestiary.training.loader import Places, Shuffled, batches  # noqa: E402
from vestiary.training.loop import Result, Trainer, one_cycle  # noqa: E402
from vestiary.training.pace import average  # noqa: E402
from vestiary.training.recipes import make_recipe  # noqa: E402

pytestmark = pytest.mark.train
SMALL = {"batch": 4, "workers": 0, "device": "cpu", "threads": 1, "log_steps": 5}


def trainer(folder: Path, training: dict[str, Any], *, resume: bool = False, **rest: Any) -> Trainer:
    """A toy run; keys of the recipe and hooks of the loop by name."""
    hooks = {name: rest.pop(name) for name in ("on_event", "should_stop") if name in rest}
    config = load_config(ToyRecipe.Config, {"training": {**SMALL, **training}, **rest})
    return Trainer(make_recipe(ToyRecipe, config, folder), config, folder, resume=resume, **hooks)


def after(steps: int) -> Callable[[], bool]:
    """Asked after each step: whether so many are done."""
    asked = iter(range(steps + 1))
    return lambda: next(asked) == steps


def events(folder: Path, kind: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == kind]


def same(one: Any, other: Any) -> bool:
    """Whether two states are equal to the byte."""
    if isinstance(one, torch.Tensor):
        return bool(one.dtype == other.dtype and one.numpy().tobytes() == other.numpy().tobytes())
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


KEPT = ("networks", "averaged", "optimizers", "plateaus", "state")


def equal_runs(one: Result, other: Result) -> None:
    first, second = checkpoint.read(one.checkpoint), checkpoint.read(other.checkpoint)
    for key in KEPT:
        assert same(first[key], second[key]), key
    for key in ("steps", "samples", "best", "stale"):
        assert first["position"][key] == second["position"][key]


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


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def test_unreadable_samples_are_replaced_named_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    plan = {"steps": 20, "unreadable": 0.1}
    result = trainer(tmp_path, plan, broken=20).fit()
    assert result.skipped == 4
    assert [event["count"] for event in events(tmp_path, "skipped")] == [1, 2, 3, 4]
    assert "photos/19.jpg" in events(tmp_path, "skipped")[0]["reason"]
    assert "photos/19.jpg" in caplog.text


def test_too_many_unreadable_samples_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"4 of \d+ samples could not be read.*photos/\d+.jpg") as caught:
        trainer(tmp_path, {"steps": 20}, broken=5).fit()
    assert "training.unreadable" in caught.value.hint


@pytest.mark.parametrize("workers", [0, 1])
def test_data_that_cannot_be_read_at_all_is_an_error_in_words(tmp_path: Path, workers: int) -> None:
    class Nothing:
        def __getitem__(self, index: int) -> Any:
            raise errors.ImageError("photos/1.jpg is no picture.")

    class Wrong:
        def __getitem__(self, index: int) -> Any:
            raise InputError("labels/1.png has another size than its photo.")

    for samples, words in (
        (Nothing(), "in a row cannot be read; the last one: photos/1.jpg"),
        (Wrong(), "^labels/1.png"),
    ):
        with pytest.raises(InputError, match=words):
            next(batches(samples, Places(0, 2), workers=workers))


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"diverged at step 7: generator/l1 = nan"):
        trainer(tmp_path, {"steps": 20, "checkpoint_steps": 3}, diverge_at=7).fit()
    assert checkpoint.newest(tmp_path)[1]["position"]["steps"] == 6


def test_a_gradient_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    run = trainer(tmp_path, {"steps": 5})
    run.recipe.losses = lambda *_: {  # type: ignore[method-assign]
        "root": (0 * next(run.recipe.networks["generator"].parameters()).sum()).sqrt()
    }
    with pytest.raises(TrainingError, match="generator/gradient = nan"):
        run.fit()


def test_checkpoints_of_something_else_are_refused(tmp_path: Path) -> None:
    trainer(tmp_path, {"steps": 1}).fit()
    with pytest.raises(WeightsError, match=r"another architecture: other shapes: generator.0.weight \(4, 3, 3, 3\)"):
        trainer(tmp_path, {"steps": 2}, resume=True, width=5)
    with pytest.raises(WeightsError, match=r"it lacks discriminator.0.weight, .*discriminator.2.bias"):
        trainer(tmp_path, {"steps": 2}, resume=True, adversarial=True)
    with pytest.raises(WeightsError, match=r"of the recipe 'toyrecipe', not of 'other'"):
        checkpoint.check_recipe(checkpoint.read(checkpoint.saved(tmp_path)[0]), "other", tmp_path)
    (tmp_path / "notes.pt").write_text("nothing")
    with pytest.raises(WeightsError, match="damaged or no checkpoint"):
        checkpoint.read(tmp_path / "notes.pt")
    with pytest.raises(WeightsError, match="no checkpoint to go on from"):
        trainer(tmp_path / "empty", {"steps": 2}, resume=True)


def test_a_run_does_not_write_over_another(tmp_path: Path) -> None:
    trainer(tmp_path, {"steps": 1}).fit()
    with pytest.raises(OutputError, match="holds a run already"):
        trainer(tmp_path, {"steps": 1})


def test_a_damaged_last_checkpoint_falls_back_on_the_one_before(tmp_path: Path) -> None:
    trainer(tmp_path, {"steps": 4, "checkpoint_steps": 2}).fit()
    last = checkpoint.saved(tmp_path)[-1]
    last.write_bytes(last.read_bytes()[:500])
    trainer(tmp_path, {"steps": 4}, resume=True).fit()
    (resumed,) = events(tmp_path, "resumed")
    assert resumed["step"] == 2
    assert "step-00000004.pt is damaged" in resumed["problems"][0]


def test_a_resumed_run_says_what_was_changed(tmp_path: Path) -> None:
    trainer(tmp_path, {"steps": 1}).fit()
    trainer(tmp_path, {"steps": 2}, resume=True, rate=0.02).fit()
    assert events(tmp_path, "changed")[0]["keys"] == ["rate", "training.steps"]


def test_a_full_disk_loses_nothing_that_was_saved(tmp_path: Path) -> None:
    path = trainer(tmp_path, {"steps": 1}).fit().checkpoint
    before, content = path.read_bytes(), {"averaged": {}, "weights": torch.zeros(100_000)}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))  # the system refuses to write beyond that
    try:
        with pytest.raises(OutputError, match=f"{path} cannot be written: file too large") as caught:
            checkpoint.save(content, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "step-00000001.pt" in caught.value.hint
    assert path.read_bytes() == before
    assert not list(tmp_path.glob(".*"))


def test_a_disk_that_fills_up_ends_the_run_with_the_earlier_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = torch.save

    def full(content: dict[str, Any], file: Any) -> None:
        if content["position"]["steps"] >= 4:
            file.write(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(content, file)

    monkeypatch.setattr(checkpoint.torch, "save", full)
    with pytest.raises(OutputError, match=r"step-00000004.pt cannot be written: no space left on device"):
        trainer(tmp_path, {"steps": 9, "checkpoint_steps": 2}).fit()
    monkeypatch.undo()
    assert checkpoint.newest(tmp_path)[1]["position"]["steps"] == 2
    assert not list(tmp_path.glob(".*"))
    equal_runs(trainer(tmp_path, {"steps": 9}, resume=True).fit(), trainer(tmp_path / "straight", {"steps": 9}).fit())


def start(folder: Path, *rest: str, **environment: str) -> subprocess.Popen[str]:
    settings = [f"training.{key}={value}" for key, value in SMALL.items()]
    settings += ["training.steps=60", "training.checkpoint_steps=5", "slow=0.02", *rest]
    order = [sys.executable, "-m", "vestiary", "train", "toy_recipe:ToyRecipe", "--out", str(folder), "--json"]
    paths = {"PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": "1", **environment}
    wanted = [word for setting in settings for word in ("--set", setting)]
    given = {**os.environ, **paths}
    return subprocess.Popen([*order, *wanted], env=given, stdout=subprocess.PIPE, text=True, start_new_session=True)


def wait_for(folder: Path, checkpoints: int) -> None:
    deadline = time.monotonic() + 120
    while len(checkpoint.saved(folder)) < checkpoints and time.monotonic() < deadline:
        time.sleep(0.02)


@pytest.mark.slow
def test_killed_runs_go_on_to_the_same_bytes(tmp_path: Path) -> None:
    cut = start(tmp_path / "cut")
    wait_for(tmp_path / "cut", 2)
    cut.send_signal(signal.SIGKILL)  # in the middle of a run
    cut.communicate()
    reached = checkpoint.newest(tmp_path / "cut")[1]["position"]["steps"]
    assert 5 < reached < 60
    plan = {"steps": 60, "checkpoint_steps": 5}
    resumed = trainer(tmp_path / "cut", plan, resume=True).fit()

    half = start(tmp_path / "half", TOY_DIES_WHILE_SAVING="15")
    half.communicate(timeout=120)  # dies in the middle of a checkpoint
    assert half.returncode == -signal.SIGKILL
    assert list((tmp_path / "half").glob(".*.part"))
    assert checkpoint.newest(tmp_path / "half")[1]["position"]["steps"] == 10
    second = trainer(tmp_path / "half", plan, resume=True).fit()
    assert not list((tmp_path / "half").glob(".*.part"))

    straight = trainer(tmp_path / "straight", plan).fit()
    equal_runs(straight, resumed)
    equal_runs(straight, second)


@pytest.mark.slow
def test_control_c_reaches_the_workers_too_and_still_ends_well(tmp_path: Path) -> None:
    run = start(tmp_path, "training.workers=2", "training.steps=5000")
    wait_for(tmp_path, 1)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does
    told = json.loads(run.communicate(timeout=120)[0])
    assert (run.returncode, told["reason"]) == (130, "stopped")
    assert Path(told["checkpoint"]).is_file()


@pytest.mark.slow
def test_two_processes_learn_together_and_resume_to_the_same_bytes(tmp_path: Path) -> None:
    settings = {**SMALL, "batch": 2, "steps": 6, "validate_steps": 2, "checkpoint_steps": 3}
    wanted = [word for key, value in settings.items() for word in ("--set", f"training.{key}={value}")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": "1"}

    def launch(folder: str, *rest: str) -> dict[str, Any]:
        order = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
        order += ["-m", "vestiary", "train", "toy_recipe:ToyRecipe", "--out", str(tmp_path / folder), "--json", *rest]
        done = subprocess.run(
            [*order, *wanted], env=environment, capture_output=True, text=True, check=False, timeout=240
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return dict(json.loads(done.stdout))

    straight = launch("straight")
    shutil.copytree(tmp_path / "straight", tmp_path / "cut")
    (tmp_path / "cut" / "step-00000006.pt").unlink()
    resumed = launch("cut", "--resume")
    first, second = (checkpoint.read(Path(run["checkpoint"])) for run in (straight, resumed))
    assert all(same(first[key], second[key]) for key in KEPT)
    assert first["position"]["samples"] == 24
    assert json.loads((tmp_path / "cut" / "run.json").read_text())["processes"] == 2


# -- configuration and trackers ----------------------------------------------------------------------------------------


def test_unknown_and_wrong_keys_are_named() -> None:
    plan = {"training": {"steps": 1}}
    with pytest.raises(
        OptionError, match=r"unknown key training\.stepz.*Did you mean steps\? Known keys: steps, minutes"
    ):
        load_config(ToyRecipe.Config, plan, overrides=["training.stepz=3"])
    with pytest.raises(OptionError, match=r"unknown key wdth.*Did you mean width\?"):
        load_config(ToyRecipe.Config, plan, overrides=["wdth=3"])
    with pytest.raises(OptionError, match=r"training\.batch = 0 is not allowed.*greater than or equal to 1"):
        load_config(ToyRecipe.Config, plan, overrides=["training.batch=0"])
    with pytest.raises(OptionError, match="does not say training"):
        load_config(ToyRecipe.Config)
    with pytest.raises(OptionError, match=r"steps or minutes"):
        load_config(ToyRecipe.Config, {"training": {"batch": 1}})
    with pytest.raises(OptionError, match="key=value"):
        load_config(ToyRecipe.Config, plan, overrides=["width"])


def test_later_layers_win(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("rate: 1e-4\ntraining:\n  minutes: 3\n")
    below = {"training": {"steps": 1, "batch": 2}, "width": 9}
    found = load_config(ToyRecipe.Config, below, tmp_path / "run.yaml", overrides=["training.batch=5"])
    assert (found.rate, found.width, found.training.batch) == (1e-4, 9, 5)
    assert (found.training.steps, found.training.minutes) == (None, 3)  # a new budget takes the place of the old one


@pytest.mark.parametrize("text", ["- a list", "key: [", "\tx"])
def test_files_that_are_no_configuration_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(InputError, match=r"run\.yaml (is not YAML|holds no keys)"):
        load_config(ToyRecipe.Config, tmp_path / "run.yaml")


def test_half_precision_asks_for_a_gpu(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="fp16"):
        trainer(tmp_path, {"steps": 1, "precision": "fp16"})


@pytest.mark.slow
def test_weights_and_biases_keeps_its_files_in_the_run(tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    trainer(tmp_path, {"steps": 5, "trackers": ["wandb"]}).fit()
    assert list(tmp_path.glob("wandb/offline-run-*/*.wandb"))


def test_tensorboard_gets_the_figures(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trainer(tmp_path, {"steps": 10, "validate_steps": 5, "trackers": ["tensorboard"]}).fit()
    board = EventAccumulator(str(next(tmp_path.rglob("events.out.*")).parent)).Reload()
    assert {"train/losses/generator/l1", "train/rate/generator", "validation/score"} <= set(board.Tags()["scalars"])
    assert [event.step for event in board.Scalars("validation/score")] == [5, 10]


def test_a_tracker_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(errors.MissingExtraError, match=r"wandb is not installed. Type: pip install wandb"):
        trainer(tmp_path, {"steps": 1, "trackers": ["wandb"]})


def test_samples_of_the_toy_are_pure() -> None:
    assert np.array_equal(Samples(1, 0)[5]["image"], Samples(1, 0)[5]["image"])
