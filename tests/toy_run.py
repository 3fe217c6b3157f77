"""Runs of the toy recipe, and how they are compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from toy_recipe import ToyRecipe

from vestiary.training import checkpoint
from vestiary.training.config import load_config
from vestiary.training.loop import Result, Trainer
from vestiary.training.recipes import make_recipe

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
