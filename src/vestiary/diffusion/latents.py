"""Between pixels and latents (Rombach et al. 2022), and several pictures side by side in one (Chong et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from vestiary.diffusion.schedulers import Level

Concat = Literal["width", "height"]
Generators: TypeAlias = "torch.Generator | Sequence[torch.Generator]"


def encode(vae: torch.nn.Module, pictures: Tensor) -> Tensor:
    """`(N, C, h, w) float32` latents of `(N, 3, H, W)` in -1..1: the mode of the posterior, so without chance."""
    latents = vae.encode(pictures.to(computes_on(vae), vae.dtype)).latent_dist.mode().float()
    return (latents - (vae.config.shift_factor or 0.0)) * vae.config.scaling_factor


def decode(vae: torch.nn.Module, latents: Tensor, *, clamp: bool = True) -> Tensor:
    """`(N, 3, H, W) float32` in -1..1 of latents; beyond it too if not clamped, so that gradients do not end there."""
    latents = latents / vae.config.scaling_factor + (vae.config.shift_factor or 0.0)
    pictures = vae.decode(latents.to(computes_on(vae), vae.dtype)).sample.float()
    return pictures.clamp(-1, 1) if clamp else pictures


def computes_on(network: torch.nn.Module) -> torch.device:
    """The device on which a network computes; if it is offloaded, its weights wait on another one."""
    hooks = (getattr(part, "_hf_hook", None) for part in network.modules())
    devices = (getattr(hook, "execution_device", None) for hook in hooks)
    return next((torch.device(device) for device in devices if device is not None), network.device)


def side_by_side(places: Sequence[Tensor], concat: Concat) -> Tensor:
    """The places `(B, C, h, w)` in one picture: the person first, then the garments."""
    return torch.cat(list(places), dim=-1 if concat == "width" else -2)


def place(joined: Tensor, number: int, count: int, concat: Concat) -> Tensor:
    """One of the `count` places of a joined picture, as a view; the person's is number 0."""
    return joined.chunk(count, dim=-1 if concat == "width" else -2)[number]


def seeded(seed: int) -> torch.Generator:
    """A generator on the CPU: the same noise on every machine."""
    return torch.Generator().manual_seed(seed)


def noise(shape: Sequence[int], generator: Generators, device: torch.device | str) -> Tensor:
    """Standard normal noise, drawn on the generator's own device: a CPU generator gives the same noise everywhere.

    Args:
        shape: `(B, C, h, w)`.
        generator: one for the whole batch, or one for each of its pictures.
        device: where the noise is needed.
    """
    if isinstance(generator, torch.Generator):
        return torch.randn(tuple(shape), generator=generator, device=generator.device).to(device)
    if len(generator) != shape[0]:
        raise ValueError(f"{len(generator)} generators for {shape[0]} pictures")
    one = (1, *shape[1:])
    return torch.cat([torch.randn(one, generator=g, device=g.device).to(device) for g in generator])


def preview_map(latents: Tensor, pictures: Tensor) -> Tensor:
    """`(C + 1, 3)`: the linear map from latents to colours that fits these pictures best, by least squares.

    A latent pixel is close to a linear function of the mean colour below it, for any autoencoder; so a preview costs
    one small product instead of a decoder. Fitted to what is encoded anyway.

    Args:
        latents: `(N, C, h, w)`.
        pictures: `(N, 3, H, W)`, what was encoded.
    """
    seen = F.interpolate(pictures.to(latents.device).float(), latents.shape[-2:], mode="area").cpu()
    known = latents.cpu().permute(0, 2, 3, 1).reshape(-1, latents.shape[1]).double()  # not every device has doubles
    known = torch.cat([known, torch.ones_like(known[:, :1])], dim=1)
    colours = seen.permute(0, 2, 3, 1).reshape(-1, 3).double()
    ridge = 1e-3 * torch.eye(known.shape[1], dtype=known.dtype)
    return torch.linalg.solve(known.T @ known + ridge, known.T @ colours).float().to(latents.device)


def preview(latents: Tensor, linear: Tensor) -> Tensor:
    """`(B, 3, h, w)` in -1..1: the colours of latents by `preview_map`."""
    colours = torch.einsum("bchw,ck->bkhw", latents, linear[:-1]) + linear[-1][:, None, None]
    return colours.clamp(-1, 1)


class Previews:
    """Small pictures of what a network sees coming, in the size of the person's latents.

    Clean latents are a weighted sum of what the network saw and what it said, and colours are linear in latents: so a
    picture is two small products. They are NumPy's, since after a network's call the processor's caches are empty, and
    every operation of PyTorch costs many times its arithmetic.
    """

    def __init__(self, linear: Tensor, levels: Sequence[Level], places: int, concat: Concat) -> None:
        """
        Args:
            linear: of `preview_map`.
            levels: of the steps.
            places: how many a picture of latents has; the first is shown.
            concat: how they lie.
        """
        colours = np.float32(127.5) * linear.cpu().numpy()  # -1..1 are 256 steps
        shares = [level.clean(*torch.eye(2)).tolist() for level in levels]
        self.steps = [(saw * colours[:-1].T, said * colours[:-1].T) for said, saw in shares]
        self.constant = colours[-1][:, None] + np.float32(127.5 + 0.5)  # which rounds
        self.places = (1, places) if concat == "width" else (places, 1)

    def picture(self, step: int, noisy: Tensor, prediction: Tensor) -> NDArray[np.uint8]:
        """`(h, w, 3) uint8`: the first picture of the batch after a step, from 0.

        Args:
            step: number.
            noisy: `(B, 4, h, w)`, what the network saw.
            prediction: `(B, 4, h, w)`, what it said.
        """
        of_noisy, of_prediction = self.steps[step]
        saw, said = (latents.cpu().numpy()[0] for latents in (noisy, prediction))
        channels, height, width = saw.shape
        colours = of_noisy @ saw.reshape(channels, -1)
        colours += of_prediction @ said.reshape(channels, -1)
        colours += self.constant
        np.nan_to_num(colours, copy=False)  # half precision may overflow
        whole = colours.clip(0, 255, out=colours).astype(np.uint8).reshape(3, height, width)
        return whole[:, : height // self.places[0], : width // self.places[1]].transpose(1, 2, 0)
