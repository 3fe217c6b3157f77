"""The try-on pipeline: photos in, a dressed person out, by denoising latents (Rombach et al. 2022).

The person and the garments lie side by side in one latent picture, so that the UNet's own self-attention carries the
garment over to the person; no second network looks at the garment (CatVTON, Chong et al. 2024). Per place the UNet sees

    noisy latents (4) + mask (1) + latents of the picture that has a hole (4) = 9 channels, or
    noisy latents (4) + latents of the whole photo (4)                        = 8 channels, a mask-free model;

a garment's mask is 0 and it has no hole. Read `sample`, then what it calls, from top to bottom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from vestiary.diffusion import control, schedulers
from vestiary.diffusion import latents as lat
from vestiary.diffusion.conditions import Conditions
from vestiary.diffusion.model import TryOnModel
from vestiary.diffusion.options import DiffusionOptions
from vestiary.diffusion.schedulers import Level
from vestiary.errors import Cancelled

if TYPE_CHECKING:
    from vestiary.registry import OnStep


class Guide(Protocol):
    """Pulls the picture somewhere while it comes about."""

    def __call__(self, x0: Tensor, latents: Tensor, t: Tensor) -> Tensor:
        """What to add to `x0`: a step down the gradient of what the guide wants to be small.

        Args:
            x0: `(B, 4, h, w)`: the person's clean latents, as the network sees them coming at this step.
            latents: `(B, 4, h, w)`: the person's noisy latents that it looked at.
            t: the timestep.
        """


@dataclass(frozen=True)
class Given:
    """What the UNet is told at every step, with the pass without garment and prompt first if there is guidance.

    Attributes:
        seen: `(P·B, 9 or 8, h, w)`, P passes: 2 with guidance, else 1.
        noisy: `(P, B, 4, h, w)`: a view of the first 4 channels of `seen`, which get the noisy latents of every step.
        text: `(P·B, T, D)`.
        controls: `(P·B, 3, H, W)` by kind, with black in the garments' places.
    """

    seen: Tensor
    noisy: Tensor
    text: Tensor
    controls: dict[str, Tensor]


@torch.no_grad()
def sample(
    model: TryOnModel,
    conditions: Conditions,
    options: DiffusionOptions,
    *,
    guides: Sequence[Guide] = (),
    generator: lat.Generators,
    on_step: OnStep | None = None,
) -> Tensor:
    """`(B, 3, H, W)` in -1..1: the persons wearing the garments, the whole working frame as the decoder paints it.

    Args:
        model: the networks.
        conditions: what they see.
        options: steps, scheduler, guidance, strength, weights of the control branches.
        guides: applied at every step, one after another.
        generator: one for the batch or one for each picture; on the CPU, so that every machine draws the same noise.
        on_step: told after every step, with a preview of the first picture in the size of its latents.

    Raises:
        Cancelled: `on_step` returned False.
        OptionError: more steps than the scheduler can make.
    """
    person, garments, colours = _encoded(model, conditions)
    places, concat = len(garments) + 1, model.card.concat
    given = _given(model, conditions, person, garments, options)

    scheduler = schedulers.make_scheduler(options.scheduler, model.scheduler_config, model.card.prediction_type)
    timesteps = schedulers.set_steps(scheduler, options.steps, options.strength)
    extra = schedulers.step_arguments(scheduler, generator)
    x = lat.noise(lat.side_by_side([person, *garments], concat).shape, generator, person.device)
    if options.strength < 1:  # SDEdit: begin with a picture under part of the noise (Meng et al. 2021)
        start = lat.encode(model.vae, conditions.agnostic if conditions.start is None else conditions.start)
        x = scheduler.add_noise(lat.side_by_side([start, *garments], concat), x, timesteps[:1])
    else:
        x = x * scheduler.init_noise_sigma

    total, levels = len(timesteps), [schedulers.level(scheduler, t) for t in timesteps]
    previews = lat.Previews(colours, levels, places, concat)
    for number, t in enumerate(timesteps):
        noisy = scheduler.scale_model_input(x, t)
        told = given if control.applies(number + 1, total, options) else replace(given, controls={})
        prediction = _predict(model, noisy, t, told, options)
        if guides:
            prediction = _guided(prediction, noisy, t, levels[number], guides, places, concat)
        x = scheduler.step(prediction, t, x, **extra, return_dict=False)[0]
        if on_step is not None:
            preview = previews.picture(number, noisy, prediction)
            if on_step(number + 1, total, "denoise", preview) is False:
                raise Cancelled("the fitting was cancelled.")
    return lat.decode(model.vae, lat.place(x, 0, places, concat))


def _encoded(model: TryOnModel, conditions: Conditions) -> tuple[Tensor, list[Tensor], Tensor]:
    """Latents of the person (what the model may see of them), of each garment (0 for an empty place), and the colours
    of latents for previews."""
    pictures = [conditions.person if model.mask_free else conditions.agnostic, *conditions.garments.unbind(1)]
    person, *garments = known = [lat.encode(model.vae, picture) for picture in pictures]
    colours = lat.preview_map(torch.cat(known), torch.cat(pictures))
    worn = conditions.garment_masks.flatten(2).any(dim=2).to(person.device)[:, :, None, None, None]
    return person, [garment * there for garment, there in zip(garments, worn.unbind(1), strict=True)], colours


def _given(
    model: TryOnModel, conditions: Conditions, person: Tensor, garments: list[Tensor], options: DiffusionOptions
) -> Given:
    concat, device, dtype = model.card.concat, person.device, model.unet.dtype
    nothing = [torch.zeros_like(garment) for garment in garments]
    passes = [garments] if options.guidance <= 1 else [nothing, garments]
    channels = torch.cat([lat.side_by_side([person, *shown], concat) for shown in passes])
    if not model.mask_free:
        mask = F.interpolate(conditions.mask.to(device), person.shape[-2:])
        mask = lat.side_by_side([mask, *(torch.zeros_like(mask) for _ in garments)], concat)
        channels = torch.cat([mask.repeat(len(passes), 1, 1, 1), channels], dim=1)
    seen = torch.cat([torch.empty_like(channels[:, :4]), channels], dim=1).to(dtype)
    text = conditions.text
    if text is None:
        text = torch.zeros(len(person), 1, model.unet.config.cross_attention_dim)
    negative = torch.zeros_like(text) if conditions.negative_text is None else conditions.negative_text
    text = torch.cat([negative, text][-len(passes) :]).to(device, dtype)
    controls = {}
    for kind in options.control:
        picture = conditions.controls[kind].to(device, dtype)
        joined = lat.side_by_side([picture, *(torch.zeros_like(picture) for _ in garments)], concat)
        controls[kind] = joined.repeat(len(passes), 1, 1, 1)
    return Given(seen, seen.unflatten(0, (len(passes), -1))[:, :, :4], text, controls)


def _predict(model: TryOnModel, noisy: Tensor, t: Tensor, given: Given, options: DiffusionOptions) -> Tensor:
    """The UNet's word, with classifier-free guidance: away from the pass that sees neither garment nor prompt
    (Ho & Salimans 2022)."""
    # Inference mode keeps no books on a thousand small operations; weights that come and go in it could not be trained.
    quick = options.offload == "none" and not options.compile
    with torch.inference_mode() if quick else torch.no_grad():
        given.noisy.copy_(noisy)
        residuals = _residuals(model, given.seen, t, given, options)
        said = model.unet(given.seen, t, encoder_hidden_states=given.text, return_dict=False, **residuals)[0].float()
    if len(given.noisy) == 1:
        return said
    return torch.lerp(*said.chunk(2), options.guidance)


def _residuals(model: TryOnModel, seen: Tensor, t: Tensor, given: Given, options: DiffusionOptions) -> dict[str, Any]:
    """What the ControlNet branches add to the UNet's skip connections and middle (Zhang et al. 2023), summed."""
    down: list[Tensor] | None = None
    for kind, picture in given.controls.items():
        branch = model.branch(kind)
        shown = seen[:, : branch.config.in_channels]  # published branches look at the noisy latents alone
        said = branch(shown, t, given.text, picture, options.control[kind], return_dict=False)
        both = [*said[0], said[1]]
        down = both if down is None else [one + other for one, other in zip(down, both, strict=True)]
    if down is None:
        return {}
    return {"down_block_additional_residuals": down[:-1], "mid_block_additional_residual": down[-1]}


def _guided(
    prediction: Tensor, noisy: Tensor, t: Tensor, level: Level, guides: Sequence[Guide], places: int, concat: lat.Concat
) -> Tensor:
    """The prediction after the guides have moved the person's clean latents (Bansal et al. 2023)."""
    clean = level.clean(prediction, noisy)
    person, *garments = (lat.place(clean, number, places, concat) for number in range(places))
    for guide in guides:
        person = person + guide(person, lat.place(noisy, 0, places, concat), t)
    return level.prediction(lat.side_by_side([person, *garments], concat), noisy)
