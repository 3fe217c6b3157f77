"""What the denoising network is asked, and how wrong its answer is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vestiary.diffusion import latents as lat
from vestiary.diffusion import schedulers


@dataclass(frozen=True)
class Schedule:
    """How much signal and noise there is at each of the training timesteps.

    Attributes:
        bars: `(T,)` alpha-bar (Ho et al. 2020).
        kind: what the network predicts, "epsilon" or "v_prediction" (Salimans & Ho 2022).
    """

    bars: Tensor
    kind: str

    @classmethod
    def of(cls, config: Mapping[str, Any], kind: str) -> Schedule:
        """That of a model's scheduler configuration."""
        return cls(schedulers.make_scheduler("ddpm", config, kind).alphas_cumprod.float(), kind)

    def __len__(self) -> int:
        return len(self.bars)

    def shares(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """`(B, 1, 1, 1)` shares of signal and of noise at the timesteps `(B,)`; without noise below 0."""
        bars = self.bars.to(t.device)
        bar = torch.where(t >= 0, bars[t.clamp(min=0)], torch.ones_like(bars[:1]))[:, None, None, None]
        return bar.sqrt(), (1 - bar).sqrt()

    def noisy(self, clean: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """Clean latents under noise."""
        alpha, sigma = self.shares(t)
        return alpha * clean + sigma * noise

    def wanted(self, clean: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """What the network has to say."""
        alpha, sigma = self.shares(t)
        return noise if self.kind == "epsilon" else alpha * noise - sigma * clean

    def weight(self, t: Tensor, gamma: float | None) -> Tensor:
        """`(B, 1, 1, 1)`: how much a timestep counts: all alike, or by min-SNR `gamma` (Hang et al. 2023, eq. 8).

        With velocities min-SNR leaves almost nothing to the noisiest timesteps, the ones at which a picture can only
        come from what is shown beside it. A new network then learns for long to take away noise, and no garments.
        """
        if gamma is None:
            return torch.ones(len(t), 1, 1, 1, device=t.device)
        alpha, sigma = self.shares(t)
        ratio = (alpha / sigma).square().clamp(min=1e-8)
        return ratio.clamp(max=gamma) / (ratio if self.kind == "epsilon" else ratio + 1)

    def draw(self, count: int, device: torch.device) -> Tensor:
        """`(count,)` timesteps, spread evenly over them all so that batches are alike (Kingma et al. 2021)."""
        at = (torch.arange(count, device=device) + torch.rand(1, device=device)) / count
        return (at.frac() * len(self)).long().clamp(max=len(self) - 1)


@dataclass(frozen=True)
class Question:
    """A batch as the network sees it, without the noisy latents.

    Attributes:
        clean: `(B, C, h, w)` the places side by side, as they are to become.
        channels: `(B, C or C + 1, h, w)` what is told besides.
        importance: `(B, 1, h, w)` how much a place counts.
        text: `(B, T, D)`.
        control: `(B, 3, H, W)` in 0..1 with black in the garments' places, or None.
    """

    clean: Tensor
    channels: Tensor
    importance: Tensor
    text: Tensor
    control: Tensor | None = None

    def with_garments(self, kept: Tensor) -> Question:
        """The same without garment and text where `kept` `(B,)` is 0, as guidance asks it."""
        return Question(self.clean, self.channels * kept, self.importance, self.text, self.control)


def question(
    known: Mapping[str, Tensor],
    concat: lat.Concat,
    *,
    mask_free: bool,
    text: Tensor,
    kept: Tensor,
    garment_weight: float,
    mask_weight: float,
) -> Question:
    """A batch of latents put as the pipeline puts it (`diffusion.pipeline`).

    Args:
        known: from `latents_of`.
        text: `(B, T, D)`.
        kept: `(B,)` 0 where garments and text are left out, for classifier-free guidance (Ho & Salimans 2022).
        garment_weight: how much the garments' places count, which the network is to give back as they are.
        mask_weight: how much the painted place counts against the rest of the person's, which is given too.
    """
    garments = list(known["garments"].unbind(1))
    shown = kept[:, None, None, None]
    channels = lat.side_by_side([known["seen"], *(one * shown for one in garments)], concat)
    mask = known["mask"]
    if not mask_free:
        flags = lat.side_by_side([mask, *(torch.zeros_like(mask) for _ in garments)], concat)
        channels = torch.cat([flags, channels], dim=1)
    person = 1 + (mask_weight - 1) * mask
    others = [torch.full_like(mask, garment_weight) for _ in garments]
    return Question(
        lat.side_by_side([known["target"], *garments], concat),
        channels,
        lat.side_by_side([person, *others], concat),
        text * kept[:, None, None],
    )


def weighted(error: Tensor, importance: Tensor, weight: Tensor) -> Tensor:
    """Mean of squared errors `(B, C, h, w)`, by place and by timestep."""
    each = (error.float().square() * importance).mean((1, 2, 3)) / importance.mean((1, 2, 3))
    return (each * weight.flatten()).mean()
