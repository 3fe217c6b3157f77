"""The configuration of a run, and who is told of it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("yaml")

from toy_recipe import Samples, ToyRecipe  # noqa: E402
from toy_run import trainer  # noqa: E402

from vestiary import errors  # noqa: E402
from vestiary.errors import InputError, OptionError  # noqa: E402
from vestiary.training.config import load_config  # noqa: E402

pytestmark = pytest.mark.train


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
