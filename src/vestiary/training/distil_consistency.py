"""Consistency distillation of latents (Luo et al. 2023, after Song et al. 2023): any noise to clean latents at once.

The student f(x, t) = c_skip(t) x + c_out(t) x0(x, t), x0 being the clean latents that its network means, is to give the
same at both ends of every step that the teacher makes by DDIM under guidance; at timestep 0 it gives x itself. The end
nearer to the picture is answered by a moving average of the student. Sampled with scheduler=lcm, which has the same f.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from vestiary.diffusion.schedulers import make_scheduler
from vestiary.training.diffusion_learner import noise_for
from vestiary.training.diffusion_loss import Question, Schedule
from vestiary.training.distil_teacher import Sampler, Student, Teacher, ask, ddim, parts_of
from vestiary.training.pace import average

if TYPE_CHECKING:
    from vestiary.training.distil import DistilConfig


class Consistency:
    """The student's function, the solver's steps, and the target that moves behind.

    Attributes:
        target: the moving average of the student; None until the teacher's own word is learnt.
        times: `(N,)` timesteps between which the teacher steps, rising: every k-th, the paper's skipping step.
        scheduler_keys: what the configuration of the student's scheduler has to say, of either one.
    """

    def __init__(self, config: DistilConfig, schedule: Schedule, teacher: Teacher) -> None:
        self.config, self.schedule, self.teacher = config, schedule, teacher
        self.scheduler_keys: dict[str, Any] = {"original_inference_steps": config.whole, "timestep_scaling": 10.0}
        self.scheduler_keys["timestep_spacing"] = "trailing"  # ddim, before: the grid in which the word is learnt
        keys = {**self.scheduler_keys, "num_train_timesteps": len(schedule)}
        self.scheduler = make_scheduler("lcm", keys, schedule.kind)
        self.scheduler.set_timesteps(config.whole)
        self.times: Tensor = self.scheduler.timesteps.flip(0)
        self.target: Student | None = None

    @property
    def begun(self) -> bool:
        """Whether the teacher's own word is learnt."""
        return self.target is not None

    @property
    def last(self) -> bool:
        """Whether no further stage comes: from when it has begun."""
        return self.begun

    @property
    def steps(self) -> int:
        """In which the student is sampled: all of the teacher's, as long as it knows the teacher's word alone."""
        return self.config.to_steps if self.begun else self.config.whole

    @property
    def sampler(self) -> Sampler:
        """With which the student is sampled, by then."""
        return "lcm" if self.begun else "ddim"

    def advance(self, progress: float, student: Student, averaged: Student) -> None:
        """Let the target follow the student; once it is time, it begins as the averaged one."""
        if self.target is not None:
            average(self.target, student, self.config.target_averaging)
        elif progress >= self.config.first_share:
            self.target = copy.deepcopy(averaged).requires_grad_(False).eval()
            student.load_state_dict(averaged.state_dict())

    def state(self) -> dict[str, Any]:
        """For checkpoints: the target."""
        return {"target": None if self.target is None else self.target.state_dict()}

    def restore(self, state: dict[str, Any], student: Student) -> None:
        """The inverse of `state`."""
        if state["target"] is not None:
            self.target = copy.deepcopy(student).requires_grad_(False).eval()
            self.target.load_state_dict(state["target"])

    def grid(self, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """`(B,)` timesteps that the teacher steps from, and those that it steps to: the one before, at last 0."""
        number = (self.schedule.draw(count, device) * len(self.times)) // len(self.schedule)
        times = torch.cat([self.times.new_zeros(1), self.times]).to(device)
        return times[number + 1], times[number]

    def losses(self, student: Student, asked: Question) -> dict[str, Tensor]:
        """How far the student's answers at both ends of a step of the teacher are apart."""
        t, then = self.grid(len(asked.clean), asked.clean.device)
        noisy = self.schedule.noisy(asked.clean, noise_for(asked.clean), t)
        with torch.no_grad():
            target = self.reached(asked, noisy, t, then)
        gap = self.answer(student, asked, noisy, t) - target
        return {"consistency": apart(gap, asked.importance, self.config.huber)}

    def reached(self, asked: Question, noisy: Tensor, t: Tensor, then: Tensor) -> Tensor:
        """The target's answer where the teacher's step lands."""
        assert self.target is not None
        near = ddim(self.schedule, self.teacher.says(asked, noisy, t), noisy, t, then)
        return self.answer(self.target, asked, near, then)

    def answer(self, student: Student, asked: Question, noisy: Tensor, t: Tensor) -> Tensor:
        """f(x, t): clean latents, with the boundary condition f(x, 0) = x."""
        skip, out = (
            part[:, None, None, None] for part in self.scheduler.get_scalings_for_boundary_condition_discrete(t)
        )
        clean: Tensor = parts_of(self.schedule, ask(student.unet, asked, noisy, t), noisy, t)[0]
        return skip * noisy + out * clean


def apart(gap: Tensor, importance: Tensor, huber: float | None) -> Tensor:
    """Mean pseudo-Huber distance (Song & Dhariwal 2023), or mean square if `huber` is None, by place.

    Args:
        gap: `(B, C, h, w)`.
        importance: `(B, 1, h, w)`: how much a place counts.
        huber: below about this a gap counts by its square, beyond it by its size.
    """
    square = gap.float().square()
    each = square if huber is None else (square + huber**2).sqrt() - huber
    return ((each * importance).mean((1, 2, 3)) / importance.mean((1, 2, 3))).mean()
