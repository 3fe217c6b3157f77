"""Progressive distillation (Salimans & Ho 2022): the number of steps is halved again and again.

Each time the student learns to make in one step what its former self makes in two.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from vestiary.training.diffusion_learner import noise_for
from vestiary.training.diffusion_loss import Question, Schedule, weighted
from vestiary.training.distil_teacher import Sampler, Student, Teacher, ask, ddim, shares_after

if TYPE_CHECKING:
    from vestiary.training.distil import DistilConfig


class Progressive:
    """The stages, and what the student has to say in them.

    Attributes:
        steps: of the student, at present.
        before: the student with twice the steps; None until the first halving.
        sampler, scheduler_keys: how the student is sampled, and what its scheduler's configuration has to say.
    """

    sampler: Sampler = "ddim"

    def __init__(self, config: DistilConfig, schedule: Schedule, teacher: Teacher) -> None:
        self.config, self.schedule = config, schedule
        self.steps = config.whole
        self.scheduler_keys: dict[str, Any] = {"timestep_spacing": "trailing"}
        self.before: Student | None = None

    @property
    def begun(self) -> bool:
        """Whether the teacher's own word is learnt."""
        return self.before is not None

    @property
    def last(self) -> bool:
        """Whether no further halving comes."""
        return self.steps == self.config.to_steps

    def advance(self, progress: float, student: Student, averaged: Student) -> None:
        """Halve the steps when it is time: the averaged student becomes the teacher."""
        if self.steps_at(progress) < self.steps:
            self.before = copy.deepcopy(averaged).requires_grad_(False).eval()
            student.load_state_dict(averaged.state_dict())
            self.steps //= 2

    def steps_at(self, progress: float) -> int:
        """Steps of the student at a progress of 0..1; the halvings share the rest of the run alike."""
        first, whole = self.config.first_share, self.config.whole
        halvings = (whole // self.config.to_steps).bit_length() - 1
        if not halvings or progress < first:
            return whole
        done = int((progress - first) / (1 - first) * halvings) + 1
        return int(whole >> min(done, halvings))

    def state(self) -> dict[str, Any]:
        """For checkpoints: the present number of steps, and the present teacher if it was a student."""
        return {"steps": self.steps, "before": None if self.before is None else self.before.state_dict()}

    def restore(self, state: dict[str, Any], student: Student) -> None:
        """The inverse of `state`."""
        self.steps = state["steps"]
        if state["before"] is not None:
            self.before = copy.deepcopy(student).requires_grad_(False).eval()
            self.before.load_state_dict(state["before"])

    def grid(self, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """`(B,)` timesteps out of those that a sampler with so many steps visits, and the one after each; -1 = none."""
        whole = len(self.schedule)
        number = (self.schedule.draw(count, device) * self.steps) // whole + 1  # 1 = the last step
        at = torch.round(number * whole / self.steps).long() - 1
        return at, torch.round((number - 1) * whole / self.steps).long() - 1

    def losses(self, student: Student, asked: Question) -> dict[str, Tensor]:
        """How far the student's clean latents are from what two steps reach, by timestep as `min_snr` says."""
        t, then = self.grid(len(asked.clean), asked.clean.device)
        noisy = self.schedule.noisy(asked.clean, noise_for(asked.clean), t)
        with torch.no_grad():
            target = self.two_steps(asked, noisy, t, then)
        gap = ask(student.unet, asked, noisy, t) - target
        return {"match": weighted(gap, asked.importance, self.schedule.weight(t, self.config.min_snr))}

    def two_steps(self, asked: Question, noisy: Tensor, t: Tensor, then: Tensor) -> Tensor:
        """What the student has to say to land in one step where its former self lands in two (algorithm 2)."""
        assert self.before is not None
        between = (t + then + 1) // 2  # both grids have it
        x = ddim(self.schedule, ask(self.before.unet, asked, noisy, t), noisy, t, between)
        x = ddim(self.schedule, ask(self.before.unet, asked, x, between), x, between, then)
        (alpha, sigma), (alpha_then, sigma_then) = self.schedule.shares(t), shares_after(self.schedule, then)
        ratio = sigma_then / sigma
        clean = (x - ratio * noisy) / (alpha_then - ratio * alpha)
        noise = (noisy - alpha * clean) / sigma
        return noise if self.schedule.kind == "epsilon" else alpha * noise - sigma * clean
