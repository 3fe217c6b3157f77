"""The pace of a run: learning rate and averaged weights per step, and what is due when."""

from __future__ import annotations

import math
import time

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from vestiary.training.checkpoint import Position


def one_cycle(progress: float, warm_up: float) -> float:
    """The share of the peak learning rate at a progress of 0..1: a short linear rise, then half a cosine down to 0."""
    if progress < warm_up:
        return max(progress / warm_up, 0.02)
    return 0.5 * (1 + math.cos(math.pi * min((progress - warm_up) / (1 - warm_up), 1)))


@torch.no_grad()
def average(averaged: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the averaged weights towards the model's; batch statistics too, counters are copied."""
    pairs = list(zip(averaged.state_dict().values(), model.state_dict().values(), strict=True))
    moving = [pair for pair in pairs if pair[0].is_floating_point()]
    get_ema_multi_avg_fn(decay)([old for old, _ in moving], [new for _, new in moving], None)
    for old, new in pairs:
        if not old.is_floating_point():
            old.copy_(new)


class Due:
    """Whether something that is done every so many steps or minutes is to be done now."""

    def __init__(self, position: Position) -> None:
        self.step, self.seconds = position.steps, position.seconds

    def is_due(self, position: Position, steps: int | None, minutes: float | None) -> bool:
        """Whether it is; then it counts as done."""
        by_step = steps is not None and position.steps % steps == 0
        if by_step or (minutes is not None and position.seconds - self.seconds >= 60 * minutes):
            self.step, self.seconds = position.steps, position.seconds
            return True
        return False


class Means:
    """Mean losses and speed since they were last taken."""

    def __init__(self) -> None:
        self.last: dict[str, float] = {}
        self._clear()

    def _clear(self) -> None:
        self.sums: dict[str, float] = {}
        self.steps, self.samples, self.since = 0, 0, time.perf_counter()

    def add(self, losses: dict[str, float], samples: int) -> None:
        """The losses of one more step."""
        self.last, self.steps, self.samples = losses, self.steps + 1, self.samples + samples
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def take(self) -> tuple[dict[str, float], float]:
        """Means by name, and samples a second; starts anew."""
        means = {name: value / max(self.steps, 1) for name, value in self.sums.items()}
        speed = round(self.samples / max(time.perf_counter() - self.since, 1e-9), 2)
        self._clear()
        return means, speed
