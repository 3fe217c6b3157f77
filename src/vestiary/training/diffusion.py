"""The recipe of the try-on diffusion: `vestiary train diffusion --set data=DIR --set vae=FOLDER`.

From scratch on a trained autoencoder, or from a model folder: all weights, the attention alone (CatVTON, Chong et al.
2024), or adapters. Person and garments lie side by side in one latent picture; the network learns to take the noise
away from it. The autoencoder and the text encoder are frozen.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from diffusers import UNet2DConditionModel
from pydantic import Field
from torch import nn

from vestiary.diffusion.card import Card
from vestiary.diffusion.model import TryOnModel
from vestiary.diffusion.schedulers import DEFAULTS
from vestiary.errors import OptionError
from vestiary.training.adapters import ATTENTION, Adapters, freeze_all_but, merged, save_adapters
from vestiary.training.autoencoder import load_vae
from vestiary.training.config import RecipeConfig
from vestiary.training.diffusion_learner import DiffusionData, Learner

HEIGHT, WIDTH = 128, 96  # of a new model's frame where none is said
NO_TEXT = 32  # width of the cross-attention of a model without text, which looks at one zero


class DiffusionConfig(DiffusionData):
    """Keys of the recipe `diffusion`."""

    vae: Path | None = Field(None, description="Without `start`: folder of the autoencoder.")
    method: Literal["full", "attention", "lora", "dora"] = Field("full", description="What of the UNet is trained.")
    rank: int = Field(8, ge=1, description="Of adapters.")
    strength: float = Field(8.0, gt=0, description="Of adapters: what they add counts strength / rank.")
    targets: tuple[str, ...] = Field(ATTENTION, description="Ends of the names of layers that get adapters.")
    prediction: Literal["epsilon", "v_prediction"] | None = Field(
        None, description="What is predicted: the start's; velocity for a new model."
    )
    zero_snr: bool = Field(False, description="New models: nothing of the picture at the last step (Lin et al. 2023).")
    places: int = Field(1, ge=1, le=4, description="New models: places for garments.")
    concat: Literal["width", "height"] = Field("width", description="New models: where the garments lie.")
    mask_free: bool = Field(False, description="New models: see the worn clothes; needs pairs in two garments.")
    agnostic: Literal["filled", "masked"] = Field("masked", description="New models: what is shown where clothes go.")
    text: Path | None = Field(None, description="New models: folder with text_encoder/ and tokenizer/ (CLIP).")
    widths: tuple[int, ...] = Field((64, 96, 128), min_length=2, description="New models: channels, finest first.")
    layers: int = Field(1, ge=1, description="New models: blocks per scale.")
    attention_from: int = Field(1, ge=0, description="New models: the first scale with attention.")
    heads: int = Field(32, ge=4, description="New models: channels of an attention head.")
    groups: int = Field(8, ge=1, description="New models: of group normalisation.")


class DiffusionRecipe(Learner):
    """Trains the UNet of a try-on model, or adapters of it."""

    Config: ClassVar[type[RecipeConfig]] = DiffusionConfig
    name = "diffusion"
    config: DiffusionConfig

    def __init__(self, config: DiffusionConfig, folder: Path) -> None:
        if config.start is None:
            model = fresh(config)
        else:
            model = TryOnModel.load(config.start)
            _check_same(config, model)
        self._prepare(config, folder, model)
        unet = model.unet
        nn.Module.to(unet, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if config.gradient_checkpointing:
            unet.enable_gradient_checkpointing()
        if config.method in ("lora", "dora"):
            adapters = Adapters(
                unet,
                rank=config.rank,
                strength=config.strength,
                targets=config.targets,
                decomposed=config.method == "dora",
            )
            self.networks = {"adapters": adapters}
        else:
            unet.requires_grad_(True)
            if config.method == "attention":
                freeze_all_but(unet, ".attn1.")
            self.networks = {"unet": unet}

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """One, of the weights that are trained."""
        (name, network), *_ = self.networks.items()
        weights = [weight for weight in network.parameters() if weight.requires_grad]
        return {name: torch.optim.AdamW(weights, self.config.rate, weight_decay=self.config.weight_decay)}

    @contextlib.contextmanager
    def _with(self, networks: dict[str, nn.Module]) -> Iterator[None]:
        """Meanwhile the model has these networks."""
        if "adapters" in networks:
            mine = self.networks["adapters"]
            assert isinstance(mine, Adapters)
            with mine.standing_in(networks["adapters"]):
                yield
            return
        before = self.model.unet
        self.model.unet = networks["unet"]  # type: ignore[assignment]
        try:
            yield
        finally:
            self.model.unet = before

    def validate(self, networks: dict[str, nn.Module]) -> dict[str, float]:
        """Loss and pictures on held-back pairs."""
        with self._with(networks):
            return self.judge()

    def save_folder(self, networks: dict[str, nn.Module], folder: Path) -> dict[str, Any]:
        """Write the model folder: adapters worked in, and in `lora/` by themselves too."""
        with self._with(networks):
            model = self.model
            if "adapters" in networks:
                model = replace(self.model, unet=merged(self.model.unet))
            model.save(folder)
            if "adapters" in networks:
                save_adapters(self.model.unet, folder / "lora")
        return TryOnModel.load(folder).card.model_dump(mode="json")


def _check_same(config: DiffusionConfig, model: TryOnModel) -> None:
    kind = model.card.prediction_type
    if config.prediction not in (None, kind):
        hint = "Leave prediction out, or begin from scratch."
        raise OptionError(f"{config.start} predicts {kind}, not {config.prediction}.", hint=hint)


def fresh(config: DiffusionConfig) -> TryOnModel:
    """A new model on a trained autoencoder.

    Raises:
        OptionError: no autoencoder is named, or adapters of a new model are asked for.
        InputError: there is no autoencoder.
    """
    if config.vae is None:
        hint = "Name one: --set vae=FOLDER; vestiary train autoencoder makes it. Or begin with a model: --set start=…"
        raise OptionError("a new model needs an autoencoder.", hint=hint)
    if config.method != "full":
        raise OptionError(f"method={config.method} trains on a model.", hint="Name it: --set start=FOLDER")
    vae = load_vae(config.vae)
    encoder, tokenizer = (None, None) if config.text is None else _text_of(config.text)
    unet = fresh_unet(config, vae.config["latent_channels"], encoder.config.hidden_size if encoder else NO_TEXT)
    card = Card(
        name="diffusion",
        source="vestiary train diffusion",
        prediction_type=config.prediction or "v_prediction",
        width=config.width or WIDTH,
        height=config.height or HEIGHT,
        garments=config.places,
        concat=config.concat,
        agnostic=config.agnostic,
    )
    schedule = {**DEFAULTS, "timestep_spacing": "trailing", "rescale_betas_zero_snr": config.zero_snr}
    model = TryOnModel(unet, vae, encoder, tokenizer, schedule, {}, card)
    return model.to("cpu", torch.float32)


def fresh_unet(config: Any, latent: int, text: int) -> UNet2DConditionModel:
    """A new UNet of the configuration's widths; the rest of the keys are those of `DiffusionConfig`."""
    attending = [place >= config.attention_from for place in range(len(config.widths))]
    down = [f"{'CrossAttn' if attends else ''}DownBlock2D" for attends in attending]
    up = [f"{'CrossAttn' if attends else ''}UpBlock2D" for attends in reversed(attending)]
    try:
        return UNet2DConditionModel(
            in_channels=2 * latent + (not config.mask_free),
            out_channels=latent,
            block_out_channels=config.widths,
            layers_per_block=config.layers,
            down_block_types=tuple(down),
            up_block_types=tuple(up),
            cross_attention_dim=text,
            attention_head_dim=tuple(max(1, width // config.heads) for width in config.widths),
            norm_num_groups=config.groups,
        )
    except ValueError as problem:
        raise OptionError(f"such a UNet cannot be made: {problem}", hint="Look at widths and groups.") from None


def _text_of(folder: Path) -> tuple[Any, Any]:
    from transformers import CLIPTextModel, CLIPTokenizer

    from vestiary.diffusion.loading import load_network

    return load_network(CLIPTextModel, folder / "text_encoder"), CLIPTokenizer.from_pretrained(folder / "tokenizer")
