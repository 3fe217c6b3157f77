"""Schedulers of diffusers by our names, and the little algebra between noise, clean latents and velocity."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    UniPCMultistepScheduler,
)
from torch import Tensor

from vestiary.diffusion.options import SchedulerName
from vestiary.errors import OptionError

_CLASSES: dict[SchedulerName, Any] = {
    "ddpm": DDPMScheduler,  # Ho et al. 2020
    "ddim": DDIMScheduler,  # Song et al. 2021
    "dpm++": DPMSolverMultistepScheduler,  # Lu et al. 2022
    "unipc": UniPCMultistepScheduler,  # Zhao et al. 2023
    "euler": EulerDiscreteScheduler,  # Karras et al. 2022
    "lcm": LCMScheduler,  # Luo et al. 2023
}

# Stable Diffusion's own, for models that bring none.
DEFAULTS: Mapping[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
    "timestep_spacing": "leading",
    "clip_sample": False,
    "set_alpha_to_one": False,
}


def make_scheduler(name: SchedulerName, config: Mapping[str, Any], prediction_type: str) -> Any:
    """A new scheduler; it keeps the state of one run, so every run makes its own.

    Args:
        name: which.
        config: the model's `scheduler/scheduler_config.json`; what this scheduler does not know is left out.
        prediction_type: "epsilon" or "v_prediction", from the model's card.
    """
    kind = _CLASSES[name]
    known = set(inspect.signature(kind.__init__).parameters)
    wanted = {**DEFAULTS, **config, "prediction_type": prediction_type}
    if name in ("ddpm", "ddim", "lcm"):
        wanted["clip_sample"] = wanted["thresholding"] = False  # latents go beyond -1..1
    return kind(**{key: value for key, value in wanted.items() if key in known and not key.startswith("_")})


def set_steps(scheduler: Any, steps: int, strength: float) -> Tensor:
    """`(n,)` timesteps, from much noise to little: the last `strength` of them all (SDEdit, Meng et al. 2021).

    They stay on the CPU, so that no step waits for an accelerator to say where it is.

    Raises:
        OptionError: more steps than this scheduler can make.
    """
    most = getattr(scheduler.config, "original_inference_steps", scheduler.config.num_train_timesteps)
    if steps > most:
        raise OptionError(f"this scheduler makes at most {most} steps, not {steps}.", hint=f"Ask for {most} or fewer.")
    scheduler.set_timesteps(steps, device="cpu")
    begin = min(steps - max(round(steps * strength), 1), len(scheduler.timesteps) - 1)
    if begin and hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(begin)
    return scheduler.timesteps[begin:]


def step_arguments(scheduler: Any, generator: Any) -> dict[str, Any]:
    """What `scheduler.step` wants beyond prediction, timestep and latents: some draw noise, some do not."""
    draws = "generator" in inspect.signature(scheduler.step).parameters
    return {"generator": generator if isinstance(generator, torch.Generator) else list(generator)} if draws else {}


class Level(NamedTuple):
    """How much signal and noise the network's input holds at a timestep, and what follows from a prediction there.

    Attributes:
        signal: root of alpha-bar.
        noise: root of 1 - alpha-bar.
        prediction_type: "epsilon", or "v_prediction" (Salimans & Ho 2022).
    """

    signal: float
    noise: float
    prediction_type: str

    def clean(self, prediction: Tensor, noisy: Tensor) -> Tensor:
        """The clean latents that a prediction implies."""
        if self.prediction_type == "v_prediction":
            return self.signal * noisy - self.noise * prediction
        return (noisy - self.noise * prediction) / self.signal

    def prediction(self, clean: Tensor, noisy: Tensor) -> Tensor:
        """The inverse of `clean`: what the network would have to say to mean these clean latents."""
        if self.prediction_type == "v_prediction":
            return (self.signal * noisy - clean) / self.noise
        return (noisy - self.signal * clean) / self.noise


def level(scheduler: Any, t: Tensor) -> Level:
    """The level of a timestep. Euler's may lie between whole ones; it interpolates noise over signal, and so does this.

    Args:
        scheduler: of diffusers.
        t: a timestep on the CPU.
    """
    bars, at = scheduler.alphas_cumprod, float(t)
    low = min(int(at), len(bars) - 1)
    high = min(low + 1, len(bars) - 1)
    here, there = (math.sqrt((1 - bar) / max(bar, 1e-12)) for bar in (float(bars[low]), float(bars[high])))
    ratio = here + (there - here) * (at - int(at))
    signal = 1 / math.sqrt(1 + ratio**2)
    return Level(signal, ratio * signal, scheduler.config.prediction_type)
