"""Every key and shape of a checkpoint held against the architecture it is for, before one weight is read.

The architecture is built on the meta device, where a network of any size has shapes and no memory. Of the checkpoint
only the headers of its safetensors files are read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch
from torch import nn

from vestiary.diffusion.published.headers import Shapes, shapes_in, weight_files
from vestiary.errors import WeightsError

SHOWN = 6  # names in a message
_OLD_ATTENTION = re.compile(r"(attentions\.\d+)\.(query|key|value|proj_attn)\.(weight|bias)$")
_NEW_NAMES = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
_LORA = re.compile(r"transformer\.(?P<layer>.+)\.lora_(?P<side>[AB])\.weight$")


def empty(config: Mapping[str, Any]) -> nn.Module:
    """The network of a diffusers configuration on the meta device.

    Raises:
        WeightsError: diffusers has no such network, or it does not know these settings.
    """
    name = str(config.get("_class_name", ""))
    network = getattr(diffusers, name, None)
    if network is None:
        raise WeightsError(f"a configuration asks for the network {name!r}, which diffusers does not have.")
    try:
        with torch.device("meta"):
            built: nn.Module = network.from_config(dict(config))
    except (TypeError, ValueError) as problem:
        raise WeightsError(f"the configuration of {name} is not one that diffusers can build: {problem}.") from None
    return built


def shapes_of(network: nn.Module) -> Shapes:
    """What a checkpoint of this network has to hold."""
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def account(found: Shapes, expected: Shapes, what: str) -> None:
    """Make sure that a checkpoint has every tensor of the architecture in its shape, and no other.

    Raises:
        WeightsError: it does not; the message names what is missing, left over, or of another shape.
    """
    both = found.keys() & expected.keys()
    wrong = [f"{n} is {found[n]}, should be {expected[n]}" for n in sorted(both) if found[n] != expected[n]]
    complaints = {
        "missing": sorted(expected.keys() - found.keys()),
        "unexpected": sorted(found.keys() - expected.keys()),
        "of another shape": wrong,
    }
    words = [f"{len(names)} {kind} ({_some(names)})" for kind, names in complaints.items() if names]
    if words:
        raise WeightsError(
            f"{what} is not what its architecture needs: {'; '.join(words)}.",
            hint="It is another model, another version, or a broken download.",
        )


def account_folder(folder: Path, what: str) -> dict[str, Any]:
    """Hold a network's folder (`config.json` and safetensors) against its own configuration; that configuration.

    Raises:
        WeightsError: the configuration is missing or cannot be built, or the weights do not fit it.
    """
    config = read_config(folder / "config.json")
    account(modern(shapes_in(weight_files(folder))), shapes_of(empty(config)), what)
    return config


def read_config(path: Path) -> dict[str, Any]:
    """A JSON file.

    Raises:
        WeightsError: it is not there, or not JSON.
    """
    try:
        loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise WeightsError(f"{path} cannot be read: {problem}.") from None
    return loaded


def modern(found: Shapes) -> Shapes:
    """The same with the attention layers' names of today; the VAE of Stable Diffusion was stored with older ones."""
    return {
        _OLD_ATTENTION.sub(lambda m: f"{m[1]}.{_NEW_NAMES[m[2]]}.{m[3]}", name): shape for name, shape in found.items()
    }


def account_lora(found: Shapes, network: nn.Module, what: str) -> int:
    """Make sure that every tensor of a LoRA adapter belongs to a linear layer of the network; the adapter's rank.

    A pair holds `A (rank, in)` and `B (out, rank)` (Hu et al. 2021).

    Raises:
        WeightsError: a tensor belongs to no layer, half of a pair is missing, or a shape does not fit.
    """
    layers = {name: m for name, m in network.named_modules() if isinstance(m, nn.Linear)}
    ranks = {shape[0] for name, shape in found.items() if name.endswith(".lora_A.weight") and shape}
    if len(ranks) != 1:
        raise WeightsError(f"{what} is no LoRA adapter of one rank: the ranks found are {sorted(ranks) or 'none'}.")
    rank = ranks.pop()
    expected: Shapes = {}
    for name in found:
        if (match := _LORA.match(name)) and (layer := layers.get(match["layer"])):
            prefix = f"transformer.{match['layer']}.lora_"
            expected[f"{prefix}A.weight"] = (rank, layer.in_features)
            expected[f"{prefix}B.weight"] = (layer.out_features, rank)
    account(found, expected, what)
    return rank


def _some(names: list[str]) -> str:
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
