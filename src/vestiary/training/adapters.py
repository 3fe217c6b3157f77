"""Low-rank adapters of a frozen UNet (LoRA, Hu et al. 2022; DoRA, Liu et al. 2024) by peft, as a network of their own.

A checkpoint then holds the adapters and nothing else.
"""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from peft import LoraConfig
from torch import nn

from vestiary.errors import OptionError

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel

LORA = "pytorch_lora_weights.safetensors"  # diffusers' own name for it
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")


class Adapters(nn.Module):
    """The trained weights of a UNet that has been given adapters; the UNet itself is frozen.

    Args:
        unet: is changed: its layers get adapters, which at first add nothing.
        rank: of the adapters.
        strength: what they add is multiplied by `strength / rank`.
        targets: ends of the names of the layers that get one.
        decomposed: train direction and magnitude apart (DoRA).

    Raises:
        OptionError: no layer has such a name.
    """

    def __init__(
        self, unet: UNet2DConditionModel, *, rank: int, strength: float, targets: tuple[str, ...], decomposed: bool
    ) -> None:
        super().__init__()
        unet.requires_grad_(False)
        wanted = LoraConfig(
            r=rank,
            lora_alpha=strength,  # type: ignore[arg-type]
            target_modules=list(targets),
            use_dora=decomposed,
            init_lora_weights=True,
        )
        try:
            unet.add_adapter(wanted)
        except ValueError as problem:
            reason = str(problem).partition("\n")[0]
            hint = f"Name layers as the UNet has them, for example: {', '.join(ATTENTION)}"
            raise OptionError(f"adapters cannot be put there: {reason}", hint=hint) from None
        weights = {name: weight for name, weight in unet.named_parameters() if "lora_" in name}
        for weight in weights.values():
            weight.requires_grad_(True)
        self.weights = nn.ParameterDict({name.replace(".", "/"): weight for name, weight in weights.items()})

    @contextlib.contextmanager
    def standing_in(self, other: nn.Module) -> Iterator[None]:
        """Meanwhile the UNet has the weights of `other`, which is a copy of this."""
        before = {name: tensor.clone() for name, tensor in self.state_dict().items()}
        self.load_state_dict(other.state_dict())
        try:
            yield
        finally:
            self.load_state_dict(before)


def merged(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """A copy of the UNet with its adapters worked into its own weights."""
    whole = copy.deepcopy(unet)
    whole.fuse_lora()
    whole.unload_lora()
    return whole.requires_grad_(False)


def save_adapters(unet: UNet2DConditionModel, folder: Path) -> None:
    """Write the adapters by themselves, in the format that diffusers' `load_lora_adapter` reads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        unet.save_lora_adapter(folder, safe_serialization=True, weight_name=LORA)


def count_trained(network: nn.Module) -> int:
    """How many numbers of a network are trained."""
    return sum(weight.numel() for weight in network.parameters() if weight.requires_grad)


def freeze_all_but(network: nn.Module, part: str) -> None:
    """Train only the layers with `part` in their names, in place.

    Raises:
        OptionError: there are none.
    """
    found = 0
    for name, weight in network.named_parameters():
        weight.requires_grad_(part in name)
        found += weight.requires_grad
    if not found:
        raise OptionError(f"this UNet has no layers named {part}.", hint="Take method=full.")


@torch.no_grad()
def restore_from(network: nn.Module, other: nn.Module) -> None:
    """Give a network the weights of its copy."""
    network.load_state_dict(other.state_dict())
