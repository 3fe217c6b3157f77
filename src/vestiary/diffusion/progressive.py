"""From low to high resolution: the layout is settled at half the size, detail is painted at the full one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn import functional as F

from vestiary.diffusion.conditions import Conditions
from vestiary.diffusion.latents import Generators
from vestiary.diffusion.model import TryOnModel
from vestiary.diffusion.options import DiffusionOptions
from vestiary.diffusion.pipeline import Guide, sample

if TYPE_CHECKING:
    from vestiary.registry import OnStep


def sample_progressively(
    model: TryOnModel,
    conditions: Conditions,
    options: DiffusionOptions,
    *,
    guides: Sequence[Guide] = (),
    generator: Generators,
    on_step: OnStep | None = None,
) -> Tensor:
    """`(B, 3, H, W)` in -1..1, as `pipeline.sample`: denoised at half the size, enlarged, renoised at
    `options.refine_strength` and denoised again (SDEdit, Meng et al. 2021).

    It is enlarged as a picture, since interpolated latents decode to blur with ringing.

    Args:
        conditions: at the full size; its sides are multiples of twice `model.multiple`.
    """
    height, width = conditions.person.shape[-2:]
    late = max(round(options.steps * options.refine_strength), 1)
    early = max(round(options.steps * options.strength), 1)
    small = sample(
        model,
        conditions.scaled(height // 2, width // 2),
        options,
        guides=guides,
        generator=generator,
        on_step=on_step,
        steps_after=late,
    )
    start = F.interpolate(small, (height, width), mode="bicubic", antialias=True).clamp(-1, 1)
    return sample(
        model,
        replace(conditions, start=start.cpu()),
        options.model_copy(update={"strength": options.refine_strength}),
        guides=guides,
        generator=generator,
        on_step=on_step,
        steps_before=early,
    )
