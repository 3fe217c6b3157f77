"""Schedulers of diffusers by our names, and the little algebra between noise, clean latents and velocity."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

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


def set_steps(scheduler: Any, steps: int, strength: float, device: torch.device | str) -> Tensor:
    """`(n,)` timesteps, from much noise to little: the last `strength` of them all (SDEdit, Meng et al. 2021).

    Raises:
        OptionError: more steps than this scheduler can make.
    """
    most = getattr(scheduler.config, "original_inference_steps", scheduler.config.num_train_timesteps)
    if steps > most:
        raise OptionError(f"this scheduler makes at most {most} steps, not {steps}.", hint=f"Ask for {most} or fewer.")
    scheduler.set_timesteps(steps, device=device)
    begin = min(steps - max(round(steps * strength), 1), len(scheduler.timesteps) - 1)
    if begin and hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(begin)
    return scheduler.timesteps[begin:]


def step_arguments(scheduler: Any, generator: Any) -> dict[str, Any]:
    """What `scheduler.step` wants beyond prediction, timestep and latents: some draw noise, some do not."""
    draws = "generator" in inspect.signature(scheduler.step).parameters
    return {"generator": generator if isinstance(generator, torch.Generator) else list(generator)} if draws else {}


def signal(scheduler: Any, t: Tensor) -> tuple[Tensor, Tensor]:
    """Shares of signal and of noise in the network's input at a timestep: roots of alpha-bar and of 1 - alpha-bar.

    Euler's timesteps may lie between whole ones; it interpolates noise over signal there, and so does this.
    """
    bars = scheduler.alphas_cumprod.double().cpu()
    at = float(t)
    low = min(int(at), len(bars) - 1)
    high = min(low + 1, len(bars) - 1)
    ratios = ((1 - bars) / bars.clamp_min(1e-12)).sqrt()
    ratio = torch.lerp(ratios[low], ratios[high], at - int(at))
    alpha = (1 / (1 + ratio**2)).sqrt()
    return alpha.float().to(t.device), (ratio * alpha).float().to(t.device)


def clean_of(prediction: Tensor, noisy: Tensor, alpha: Tensor, sigma: Tensor, prediction_type: str) -> Tensor:
    """The clean latents that a prediction implies (Salimans & Ho 2022 for velocity)."""
    if prediction_type == "v_prediction":
        return alpha * noisy - sigma * prediction
    return (noisy - sigma * prediction) / alpha


def prediction_of(clean: Tensor, noisy: Tensor, alpha: Tensor, sigma: Tensor, prediction_type: str) -> Tensor:
    """The inverse of `clean_of`: what the network would have to say to mean these clean latents."""
    if prediction_type == "v_prediction":
        return (alpha * noisy - clean) / sigma
    return (noisy - alpha * clean) / sigma
