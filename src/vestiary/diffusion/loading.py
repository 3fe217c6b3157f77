"""Networks out of folders, strictly: no key missing, none over, every shape right.

The libraries' own `from_pretrained` fills what is missing with random numbers and warns; a model loaded so looks right
and paints noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from vestiary.diffusion.card import read_json
from vestiary.errors import WeightsError

_RENAMED = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}  # old VAEs


def load_network(kind: Any, folder: Path) -> Any:
    """A network of diffusers or transformers with the weights of its folder, where nothing is missing and nothing over.

    Raises:
        WeightsError: a file is missing or damaged, or the first keys and shapes that do not fit.
    """
    config = read_json(folder / "config.json")
    named = config.get("_class_name", (config.get("architectures") or [kind.__name__])[0])
    if named not in (kind.__name__, "CLIPModel"):
        raise WeightsError(f"{folder} holds {named}, not {kind.__name__}.", hint="See docs/diffusion.md.")
    try:
        with init_empty_weights(include_buffers=False):
            network = kind(CLIPTextConfig(**config)) if kind is CLIPTextModel else kind.from_config(config)
    except (TypeError, ValueError, KeyError) as problem:
        raise WeightsError(f"{folder / 'config.json'} is of another network: {problem}.") from None
    fill(network, _tensors(folder), str(folder))
    return network


def save_network(network: Any, folder: Path) -> None:
    """Write a network of diffusers or transformers in their layout."""
    if not isinstance(network, CLIPTextModel):
        network.save_pretrained(folder)
        return
    network.config.save_pretrained(folder)  # its own save_pretrained draws a progress bar
    tensors = {f"text_model.{key.removeprefix('text_model.')}": part for key, part in network.state_dict().items()}
    save_file({key: part.contiguous() for key, part in tensors.items()}, folder / "model.safetensors")


def fill(network: torch.nn.Module, tensors: Mapping[str, torch.Tensor], where: str) -> None:
    """Put weights into a network, strictly; also into one on the meta device.

    Raises:
        WeightsError: names the first keys that are missing or over, or the first shape that differs.
    """
    wanted = network.state_dict()
    given = _renamed(tensors, wanted)
    problems = []
    for title, keys in (
        ("missing", wanted.keys() - given.keys()),
        ("not of this network", given.keys() - wanted.keys()),
    ):
        if keys:
            names = ", ".join(sorted(keys)[:3]) + (" …" if len(keys) > 3 else "")
            problems.append(f"{len(keys)} {title} ({names})")
    for name in sorted(wanted.keys() & given.keys()):
        if wanted[name].shape != given[name].shape:
            problems.append(f"{name} has shape {tuple(given[name].shape)}, not {tuple(wanted[name].shape)}")
            break
    if problems:
        raise WeightsError(f"the weights in {where} do not fit its config.json: {'; '.join(problems)}.")
    network.load_state_dict(dict(given), strict=True, assign=True)


def _renamed(tensors: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Keys as this version of the libraries has them: attention of old autoencoders, CLIP's former prefix."""
    given = {}
    for key, tensor in tensors.items():
        new = key
        if new not in wanted:
            for old, now in _RENAMED.items():
                new = new.replace(old, now)
        for other in (new.removeprefix("text_model."), f"text_model.{new}"):
            if new not in wanted and other in wanted:
                new = other
        if not new.endswith("position_ids"):  # a buffer that older versions stored
            given[new] = tensor
    return given


def _tensors(folder: Path) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = {}
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        others = [path.name for path in folder.glob("*.bin")]
        hint = f"Convert {others[0]} to safetensors." if others else "Get the model again."
        raise WeightsError(f"there is no .safetensors file in {folder}.", hint=hint)
    plain = [file for file in files if file.name.count(".") == 1]  # beside them may lie variants: NAME.fp16.safetensors
    for file in plain or files:
        try:
            tensors |= load_file(file)
        except (SafetensorError, OSError) as problem:
            raise WeightsError(f"{file} is damaged: {problem}.", hint="Get the model again.") from None
    return tensors


def load_tokenizer(folder: Path) -> CLIPTokenizer:
    """The tokenizer of a CLIP text encoder.

    Raises:
        WeightsError: it is missing or damaged.
    """
    if not folder.is_dir():
        raise WeightsError(f"{folder} is missing: a text encoder needs its tokenizer.", hint="Get the model again.")
    try:
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError) as problem:
        raise WeightsError(f"{folder} holds no CLIP tokenizer: {problem}.", hint="Get the model again.") from None
