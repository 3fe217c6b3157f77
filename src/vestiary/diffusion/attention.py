"""Self-attention that takes less memory or time where a picture has many latent pixels; diffusers does the attending.

The UNet's first level sees every latent pixel of person and garments, and full attention there grows with the square of
their number. Nothing here is trained: every way is laid over a finished UNet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch import Tensor
from torch.nn import functional as F

Way = Literal["sliced", "linear", "sparse"]
SLICE = 1024  # queries at a time
KEYS = 32 * 32  # that linear attention keeps of each place


class SlicedQueries(AttnProcessor2_0):
    """Full attention for some queries after another: the same numbers but for rounding, with fewer scores at a time.

    Only of use where PyTorch has no fused kernel and writes all scores out. (diffusers' own slicing goes by heads and
    always writes them out.)
    """

    def __call__(self, attn: Attention, hidden_states: Tensor, *args: Any, **named: Any) -> Tensor:
        """`(B, N, C)` of `(B, N, C)`."""
        parts = hidden_states.split(SLICE, dim=1)
        named["encoder_hidden_states"] = hidden_states
        return torch.cat([super(SlicedQueries, self).__call__(attn, part, *args, **named) for part in parts], dim=1)


class Grid:
    """Height and width of the latent picture that a UNet is looking at, and how many places lie along its long axis."""

    def __init__(self, places: int, concat: str) -> None:
        self.places = (1, places) if concat == "width" else (places, 1)
        self.size = (0, 0)

    def look(self, _: object, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Take the size from the UNet's input; a hook before its forward pass."""
        height, width = (args[0] if args else named["sample"]).shape[-2:]
        self.size = (height, width)

    def at(self, tokens: int) -> tuple[int, int]:
        """Height and width at the level of the UNet that has so many pixels; every level halves both sides."""
        height, width = self.size
        while height * width > tokens:
            height, width = -(-height // 2), -(-width // 2)
        return height, width


class FewerKeys(AttnProcessor2_0):
    """Every pixel asks, but only some answer: keys and values come from a smaller copy of the picture.

    sparse: of every 2 × 2 pixels one, on the level with the most pixels (token downsampling, ToDo; Smith et al. 2024).
    linear: on every level, pixels are averaged to at most `KEYS` for each place, so that the time grows with the number
    of pixels and no longer with its square (linear spatial reduction, PVT v2; Wang et al. 2022).
    """

    def __init__(self, way: Way, grid: Grid) -> None:
        super().__init__()
        self.way, self.grid = way, grid

    def __call__(self, attn: Attention, hidden_states: Tensor, *args: Any, **named: Any) -> Tensor:
        """`(B, N, C)` of `(B, N, C)`."""
        size = self.grid.at(hidden_states.shape[1])
        few = sparse(hidden_states, size) if self.way == "sparse" else pooled(hidden_states, size, self.grid.places)
        named["encoder_hidden_states"] = few
        return super().__call__(attn, hidden_states, *args, **named)


def sparse(tokens: Tensor, size: tuple[int, int]) -> Tensor:
    """`(B, ⌈h/2⌉·⌈w/2⌉, C)`: the first pixel of every 2 × 2 of `(B, h·w, C)`."""
    return tokens.unflatten(1, size)[:, ::2, ::2].flatten(1, 2)


def pooled(tokens: Tensor, size: tuple[int, int], places: tuple[int, int]) -> Tensor:
    """`(B, n, C)`: `(B, h·w, C)` averaged over blocks, none of which reaches from one place into the next.

    Args:
        tokens: of the whole picture.
        size: its height and width.
        places: how many lie one above another and side by side; at most `KEYS` are kept of each.
    """
    height, width = (side // count for side, count in zip(size, places, strict=True))
    if height * width <= KEYS:
        return tokens
    scale = (KEYS / (height * width)) ** 0.5
    kept = [max(int(side * scale), 1) * count for side, count in zip((height, width), places, strict=True)]
    picture = tokens.unflatten(1, size).permute(0, 3, 1, 2)
    return F.adaptive_avg_pool2d(picture, kept).flatten(2).transpose(1, 2)


def attend(network: torch.nn.Module, way: Way, *, places: int, concat: str) -> Callable[[], None]:
    """Let a UNet's or ControlNet's self-attention go another way.

    Args:
        network: of diffusers.
        way: see `SlicedQueries` and `FewerKeys`.
        places: person and garments.
        concat: how they lie: "width" or "height".

    Returns:
        What takes it back.
    """
    grid = Grid(places, concat)
    processor = SlicedQueries() if way == "sliced" else FewerKeys(way, grid)
    layers = _first_level(network) if way == "sparse" else _self_attention(network)
    before = [(layer, layer.processor) for layer in layers]
    hook = network.register_forward_pre_hook(grid.look, with_kwargs=True)
    for layer in layers:
        layer.set_processor(processor)

    def undo() -> None:
        hook.remove()
        for layer, old in before:
            layer.set_processor(old)

    return undo


def _self_attention(network: torch.nn.Module) -> list[Attention]:
    return [part for name, part in network.named_modules() if name.endswith(".attn1") and isinstance(part, Attention)]


def _first_level(network: torch.nn.Module) -> list[Attention]:
    """Self-attention on the level with the most pixels of those that have any."""
    down = next((block for block in network.down_blocks if _self_attention(block)), None)
    ups = getattr(network, "up_blocks", [])  # a ControlNet has none
    up = next((block for block in reversed(ups) if _self_attention(block)), None)
    return [layer for block in (down, up) if block is not None for layer in _self_attention(block)]
