"""CatVTON (Chong et al. 2024) as a try-on model: attention weights over a UNet of Stable Diffusion 1.5.

Only the self-attention of the UNet was trained. Its checkpoint numbers the layers instead of naming them: the authors
stored a list of all modules whose name has `attn1` in it, the parts of each attention among them, and safetensors kept
the first of those that share their weights. So layer i is found at 8·i, counted in the order in which the UNet was
built: down, up, and the middle last. Cross-attention is skipped: there is no text.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file

from vestiary.diffusion.card import Card
from vestiary.diffusion.loading import load_network
from vestiary.diffusion.model import TryOnModel
from vestiary.diffusion.published import accounting
from vestiary.diffusion.published.headers import Shapes, shapes_in
from vestiary.diffusion.published.licences import is_commercial, licences_of
from vestiary.diffusion.published.specs import Part, Published
from vestiary.diffusion.skipped import skip_cross_attention
from vestiary.errors import WeightsError

# An attention and what is in it: to_q, to_k, to_v, to_out, its linear layer, its dropout, the processor.
MODULES_PER_LAYER = 8
PLACES = ("down_blocks", "up_blocks", "mid_block")


def attention_names(unet: torch.nn.Module) -> dict[str, str]:
    """The key of every tensor of an attention checkpoint, and the name that the UNet has for it."""
    layers = [name for name, _ in unet.named_modules() if name.endswith(".attn1")]
    layers.sort(key=lambda name: PLACES.index(name.partition(".")[0]))  # stable: within a place as they were built
    own = list(unet.state_dict())
    return {
        f"{MODULES_PER_LAYER * number}.{name.removeprefix(layer + '.')}": name
        for number, layer in enumerate(layers)
        for name in own
        if name.startswith(layer + ".")
    }


def expected_attention(unet: torch.nn.Module) -> Shapes:
    """Every key and shape of an attention checkpoint for this UNet, which may be on the meta device."""
    shapes = accounting.shapes_of(unet)
    return {key: shapes[name] for key, name in attention_names(unet).items()}


def check(published: Published, folders: Mapping[str, Path]) -> None:
    """Hold all three checkpoints against their architectures, by their headers alone.

    Raises:
        WeightsError: names what is missing, left over or of another shape.
    """
    base = folders["base"] / "unet"
    config = accounting.account_folder(base, f"the UNet in {base}")
    channels, wanted = config.get("in_channels"), published.traits["in_channels"]
    if channels != wanted:
        raise WeightsError(
            f"{published.name} lies over a UNet of {wanted} input channels; the one in {base} has {channels}.",
            hint="With a mask it takes 9 (an inpainting model), without one 8 (instruct-pix2pix).",
        )
    accounting.account_folder(folders["vae"], f"the autoencoder in {folders['vae']}")
    file = _attention_file(published, folders)
    expected = expected_attention(accounting.empty(config))
    accounting.account(shapes_in([file]), expected, f"the attention checkpoint {file}")


def load(published: Published, folders: Mapping[str, Path], *, dtype: str, device: str) -> TryOnModel:
    """The try-on model of folders that were checked.

    Raises:
        WeightsError: a checkpoint is not what its architecture needs.
    """
    check(published, folders)
    kind = getattr(torch, dtype)
    unet = load_network(UNet2DConditionModel, folders["base"] / "unet")
    if unet.dtype != kind:  # it may be stored coarser than what is trained
        unet.to(kind)
    names = attention_names(unet)
    trained = {names[key]: value for key, value in load_file(_attention_file(published, folders)).items()}
    unet.load_state_dict(trained, strict=False)
    skip_cross_attention(unet)
    vae = load_network(AutoencoderKL, folders["vae"])
    scheduler = accounting.read_config(folders["base"] / "scheduler" / "scheduler_config.json")
    model = TryOnModel(unet, vae, scheduler_config=scheduler, card=card_of(published))
    model.check()
    return model.to(device, kind)


def card_of(published: Published) -> Card:
    """The card of a published set: its licences, its commits, the frame it was trained at."""
    traits = published.traits
    return Card(
        name=published.name,
        licence=" and ".join(licences_of(published)),
        commercial=is_commercial(published),
        source=", ".join(part.repo for part in published.parts),
        revision=", ".join(part.revision for part in published.parts),
        trained_on="VITON-HD, DressCode",
        width=traits["width"],
        height=traits["height"],
        concat=traits["concat"],
        agnostic="masked",
        cross_attention="skipped",
    )


def _attention_file(published: Published, folders: Mapping[str, Path]) -> Path:
    part = published.part("attention")
    found = Part.found(folders["attention"], part.files[0])
    if found is None:
        raise WeightsError(f"{folders['attention'] / part.files[0]} is missing.")
    return found
