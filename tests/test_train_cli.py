"""`vestiary train`: what it lists, runs, shows and refuses; the training itself is in test_loop.py."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from vestiary.cli.main import main
from vestiary.errors import InputError, MissingExtraError
from vestiary.training import recipes
from vestiary.training.recipes import BUILT_IN, find_recipe, list_recipes

TOY = "toy_recipe:ToyRecipe"
with_torch = pytest.mark.skipif(importlib.util.find_spec("accelerate") is None, reason="needs the train extra")


def settings(**keys: Any) -> list[str]:
    plan = {"steps": 6, "batch": 2, "workers": 0, "device": "cpu", "threads": 1, "log_steps": 3, **keys}
    return [word for key, value in plan.items() for word in ("--set", f"training.{key}={value}")]


def test_the_recipes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(list_recipes())
    assert main(["train", "--list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in found[:4]] == ["parser", "landmarks", "attributes", "refiner"]


def test_a_missing_extra_is_named_with_its_pip_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(recipes, "NEEDS", ("torch", "no_such_module"))
    for order in (["train", "parser"], ["export", "best.pt", "-o", str(tmp_path / "x.onnx")]):
        assert main(order) == MissingExtraError.exit_code
        said = capsys.readouterr().err
        assert "no_such_module" in said
        assert "pip install 'vestiary[train]'" in said


def test_an_unknown_recipe_lists_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "parsr"]) == InputError.exit_code
    assert "Choose one of: parser, landmarks, attributes, refiner" in capsys.readouterr().err
    assert main(["train"]) == 2
    assert "--list" in capsys.readouterr().err
    assert find_recipe("a.b:Own").target == "a.b:Own"


@with_torch
@pytest.mark.train
@pytest.mark.parametrize("spec", BUILT_IN, ids=lambda spec: spec.name)
def test_every_shipped_configuration_is_whole(spec: recipes.RecipeSpec) -> None:
    from vestiary.training.config import load_config

    assert spec.config is not None
    kind = recipes.load_recipe(spec)
    config = load_config(kind.Config, spec.config)
    assert config.training.minutes or config.training.steps
    assert kind.name == spec.name


@with_torch
@pytest.mark.train
def test_the_keys_of_a_recipe_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    order = ["train", TOY, "--out", str(tmp_path / "run"), "--keys", *settings(batch=3)]
    assert main(order) == 0
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()}
    assert rows["width"] == ["4"]
    assert rows["training.batch"] == ["3", "Samples", "per", "process", "and", "backward", "pass."]
    assert main([*order, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["training"]["batch"] == 3
    assert not list(tmp_path.iterdir())


@with_torch
@pytest.mark.train
def test_a_run_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.yaml").write_text("width: 3\n")
    out = ["--out", str(tmp_path / "run")]
    order = ["train", TOY, "--config", str(tmp_path / "run.yaml"), *out]
    assert main([*order, *settings(validate_steps=3)]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "step 3, " in said.err
    assert "validation (the best so far): score" in said.err
    assert "Next: vestiary export" in said.err
    assert "width: 3" in (tmp_path / "run" / "config.yaml").read_text()

    assert main([*order, *settings()]) == 3
    assert "holds a run already" in capsys.readouterr().err

    assert main(["train", TOY, *out, "--resume", "--set", "training.steps=8", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)  # with the configuration of the first stretch
    assert (result["steps"], result["reason"]) == (8, "budget")
    assert Path(result["checkpoint"]).name == "step-00000008.pt"
    assert "width: 3" in (tmp_path / "run" / "config.yaml").read_text()


@with_torch
@pytest.mark.train
def test_control_c_ends_a_run_with_a_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from toy_recipe import ToyRecipe

    losses = ToyRecipe.losses

    def interrupted(self: Any, which: str, batch: Any, step: int) -> Any:
        if step == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return losses(self, which, batch, step)

    monkeypatch.setattr(ToyRecipe, "losses", interrupted)
    before = signal.getsignal(signal.SIGINT)
    assert main(["train", TOY, "--out", str(tmp_path), *settings(steps=1000)]) == 130
    assert "step-00000004.pt" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is before


@with_torch
@pytest.mark.train
@pytest.mark.parametrize(
    ("rest", "words"),
    [
        (["--config", "nothing.yaml"], "there is no configuration nothing.yaml"),
        (["--set", "training.stps=4"], "Did you mean steps?"),
        (["--set", "data=/no/such/folder"], "there is no folder /no/such/folder. Hand in"),
        (["--resume"], "no checkpoint to go on from"),
    ],
)
def test_bad_orders_are_answered_in_words(
    rest: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", TOY, "--out", str(tmp_path / "run"), *settings(), *rest]) in (2, 5)
    assert words in " ".join(capsys.readouterr().err.split())


@with_torch
@pytest.mark.train
def test_recipes_that_cannot_be_imported(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "no_such_module:Own"]) == 2
    assert "there is no module no_such_module. Put its folder on PYTHONPATH" in " ".join(
        capsys.readouterr().err.split()
    )
    assert main(["train", "toy_recipe:Own"]) == 2
    assert "toy_recipe has no class Own" in capsys.readouterr().err
