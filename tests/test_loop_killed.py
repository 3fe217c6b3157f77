"""Runs that are killed, interrupted, or shared by two processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("yaml")

from toy_run import KEPT, SMALL, equal_runs, same, trainer  # noqa: E402

from vestiary.training import checkpoint  # noqa: E402

pytestmark = pytest.mark.train


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
