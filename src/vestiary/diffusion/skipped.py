"""A UNet whose cross-attention is skipped, as CatVTON was trained (Chong et al. 2024): it reads no text."""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.attention_processor import Attention


class SkippedAttention(Attention):
    """A cross-attention that hands on what it is given.

    The block around it adds that to its input, as it would add what was attended to: the layer's normalised input is
    added, not nothing. CatVTON was trained so. The weights stay, so that the UNet can be saved whole.
    """

    def forward(self, hidden_states: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        """What came in."""
        return hidden_states


def skip_cross_attention(unet: torch.nn.Module) -> None:
    """Turn every cross-attention of a UNet into one that is skipped."""
    for name, module in unet.named_modules():
        if name.endswith(".attn2"):
            module.__class__ = SkippedAttention
