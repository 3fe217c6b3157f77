"""The training loop for a fixed stretch of time: one-cycle learning rate, averaged weights, checkpoints, resume."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

Batch = tuple[Tensor, ...]


@dataclass(frozen=True)
class Plan:
    """How long to train and what to keep.

    Attributes:
        out: folder of `checkpoint.pt` and `log.txt`.
        minutes: of training time, over all resumed stretches.
        checkpoint_every, validate_every: minutes.
        warm_up: share of the time in which the learning rate rises.
        averaging: decay of the exponential moving average of the weights per step.
        bfloat16: compute in bfloat16 where the CPU is faster in it.
        max_steps: stop after so many steps, for tests.
    """

    out: Path
    minutes: float
    checkpoint_every: float = 5.0
    validate_every: float = 10.0
    warm_up: float = 0.04
    averaging: float = 0.998
    bfloat16: bool = True
    max_steps: int | None = None


@dataclass
class State:
    """Where a run stands; everything that a checkpoint holds."""

    model: nn.Module
    averaged: nn.Module
    optimizer: torch.optim.Optimizer
    steps: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)

    @classmethod
    def fresh(cls, model: nn.Module, optimizer: torch.optim.Optimizer) -> State:
        """A run that has not begun."""
        averaged = copy.deepcopy(model).requires_grad_(False)
        return cls(model, averaged, optimizer)

    def save(self, path: Path) -> None:
        """Write the checkpoint, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "steps": self.steps,
            "seconds": self.seconds,
        }
        torch.save(content, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint."""
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        self.model.load_state_dict(content["model"])
        self.averaged.load_state_dict(content["averaged"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.steps, self.seconds = content["steps"], content["seconds"]


def one_cycle(progress: float, warm_up: float) -> float:
    """The share of the peak learning rate at a progress of 0..1: a short linear rise, then half a cosine down to 0."""
    if progress < warm_up:
        return max(progress / warm_up, 0.02)
    return 0.5 * (1 + math.cos(math.pi * min((progress - warm_up) / (1 - warm_up), 1)))


@torch.no_grad()
def average(averaged: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the averaged weights towards the model's; batch statistics too, counters are copied."""
    for old, new in zip(averaged.state_dict().values(), model.state_dict().values(), strict=True):
        if old.dtype.is_floating_point:
            old.lerp_(new, 1 - decay)
        else:
            old.copy_(new)


def train(
    state: State,
    batches: Iterator[Batch],
    loss_of: Callable[[nn.Module, Batch], Tensor],
    plan: Plan,
    validate: Callable[[nn.Module], str] | None = None,
) -> State:
    """Train until the plan's minutes are over. What `validate` says of the averaged model goes to the log.

    Raises:
        FloatingPointError: the loss is no longer finite.
    """
    plan.out.mkdir(parents=True, exist_ok=True)
    peaks = [group.setdefault("peak", group["lr"]) for group in state.optimizer.param_groups]
    clock, saved, checked = time.perf_counter(), state.seconds, state.seconds
    while state.seconds < plan.minutes * 60 and (plan.max_steps is None or state.steps < plan.max_steps):
        share = one_cycle(state.seconds / (plan.minutes * 60), plan.warm_up)
        for group, peak in zip(state.optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * share
        state.losses.append(_step(state, next(batches), loss_of, plan))
        state.seconds += time.perf_counter() - clock
        clock = time.perf_counter()
        if state.steps % 50 == 0:
            recent = state.losses[-50:]
            _log(plan, f"step {state.steps}  {state.seconds / 60:.1f} min  loss {sum(recent) / len(recent):.4f}")
        if state.seconds - saved > plan.checkpoint_every * 60:
            state.save(plan.out / "checkpoint.pt")
            saved = state.seconds
        if validate and state.seconds - checked > plan.validate_every * 60:
            _log(plan, f"step {state.steps}  {state.seconds / 60:.1f} min  {validate(state.averaged.eval())}")
            checked, clock = state.seconds, time.perf_counter()
    state.save(plan.out / "checkpoint.pt")
    if validate:
        _log(plan, f"step {state.steps}  end  {validate(state.averaged.eval())}")
    return state


def _step(state: State, batch: Batch, loss_of: Callable[[nn.Module, Batch], Tensor], plan: Plan) -> float:
    state.model.train()
    with torch.autocast("cpu", torch.bfloat16, enabled=plan.bfloat16):
        loss = loss_of(state.model, batch)
    if not torch.isfinite(loss):
        raise FloatingPointError(f"the loss became {loss.item()} at step {state.steps}")
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    trained = [p for group in state.optimizer.param_groups for p in group["params"]]
    nn.utils.clip_grad_norm_(trained, 5.0)
    state.optimizer.step()
    state.steps += 1
    average(state.averaged, state.model, min(plan.averaging, (1 + state.steps) / (10 + state.steps)))
    return float(loss.detach())


def _log(plan: Plan, line: str) -> None:
    with (plan.out / "log.txt").open("a") as log:
        log.write(line + "\n")
