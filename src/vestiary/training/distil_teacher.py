"""Teacher and student of a distillation: what the teacher says under guidance, and where a step by a word lands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from vestiary.diffusion.model import TryOnModel
from vestiary.training.diffusion_loss import Question, Schedule

Sampler = Literal["ddim", "lcm"]


class Student(nn.Module):
    """The smaller or equal network, and what makes its inner features comparable with the teacher's.

    Attributes:
        steps: in which it is sampled; kept with the weights, so that every checkpoint of them says it.
        consistent: whether it is sampled with lcm, not ddim; kept with them too.
    """

    steps: Tensor
    consistent: Tensor

    def __init__(self, unet: UNet2DConditionModel, teacher: UNet2DConditionModel, steps: int) -> None:
        super().__init__()
        self.unet = unet
        self.register_buffer("steps", torch.tensor(steps))
        self.register_buffer("consistent", torch.tensor(False))
        mine, theirs = (network.config["block_out_channels"][-1] for network in (unet, teacher))
        self.bridge = nn.Conv2d(mine, theirs, 1) if mine != theirs else nn.Identity()

    @property
    def sampler(self) -> Sampler:
        """The scheduler that these weights are for."""
        return "lcm" if self.consistent else "ddim"

    def note(self, steps: int, sampler: Sampler) -> None:
        """Keep with the weights how they are sampled."""
        self.steps.fill_(steps)
        self.consistent.fill_(sampler == "lcm")


class Teacher:
    """The network that is learnt from, under guidance."""

    def __init__(self, model: TryOnModel, guidance: float) -> None:
        self.unet: Any = model.unet
        self.card, self.latent, self.guidance = model.card, model.vae.config["latent_channels"], guidance

    def says(self, asked: Question, noisy: Tensor, t: Tensor) -> Tensor:
        """Its word under classifier-free guidance (Ho & Salimans 2022)."""
        if self.guidance <= 1:
            return ask(self.unet, asked, noisy, t)
        empty = self._without(asked)
        both = replace(
            asked, channels=torch.cat([empty.channels, asked.channels]), text=torch.cat([empty.text, asked.text])
        )
        without, wearing = ask(self.unet, both, noisy.repeat(2, 1, 1, 1), t.repeat(2)).chunk(2)
        return without + self.guidance * (wearing - without)

    def _without(self, asked: Question) -> Question:
        """The question without garments and text."""
        channels = asked.channels.clone()
        along, places = (-1 if self.card.concat == "width" else -2), 1 + self.card.garments
        side = channels.shape[along] // places
        channels[:, -self.latent :].narrow(along, side, side * (places - 1)).zero_()
        return replace(asked, channels=channels, text=torch.zeros_like(asked.text))


def ask(unet: Any, asked: Question, noisy: Tensor, t: Tensor) -> Tensor:
    """`(B, C, h, w) float32`: what a network says of noisy latents at the timesteps `(B,)`."""
    seen = torch.cat([noisy, asked.channels], dim=1).contiguous(memory_format=torch.channels_last)
    said: Tensor = unet(seen, t, encoder_hidden_states=asked.text, return_dict=False)[0]
    return said.float()


def parts_of(schedule: Schedule, said: Tensor, noisy: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """The clean latents and the noise that a network's word means."""
    alpha, sigma = schedule.shares(t)
    if schedule.kind == "epsilon":
        return (noisy - sigma * said) / alpha, said
    return alpha * noisy - sigma * said, sigma * noisy + alpha * said


def ddim(schedule: Schedule, said: Tensor, noisy: Tensor, t: Tensor, then: Tensor) -> Tensor:
    """The latents at the timesteps `then`, by one step of DDIM without noise of its own (Song et al. 2021)."""
    clean, noise = parts_of(schedule, said, noisy, t)
    alpha, sigma = shares_after(schedule, then)
    return alpha * clean + sigma * noise


def shares_after(schedule: Schedule, then: Tensor) -> tuple[Tensor, Tensor]:
    """As the sampler has it: after the last step (-1) a trace of noise is left, that of timestep 0."""
    return schedule.shares(then.clamp(min=0))
