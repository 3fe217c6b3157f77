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
    early, late = (max(round(options.steps * share), 1) for share in (options.strength, options.refine_strength))
    small = sample(
        model,
        conditions.scaled(height // 2, width // 2),
        options,
        guides=guides,
        generator=generator,
        on_step=_counted(on_step, 0, early + late),
    )
    start = F.interpolate(small, (height, width), mode="bicubic", antialias=True).clamp(-1, 1)
    return sample(
        model,
        replace(conditions, start=start),
        options.model_copy(update={"strength": options.refine_strength}),
        guides=guides,
        generator=generator,
        on_step=_counted(on_step, early, early + late),
    )


def _counted(on_step: OnStep | None, before: int, total: int) -> OnStep | None:
    """`on_step` told of one run as a part of several."""
    if on_step is None:
        return None
    return lambda step, _, name, preview: on_step(before + step, total, name, preview)
