"""The recipe of the autoencoder in whose latents the diffusion works: `vestiary train autoencoder --set data=DIR`.

A small `AutoencoderKL` of diffusers (Rombach et al. 2022): absolute difference and distance of features to the photo,
and a weak pull of the latents towards a normal distribution.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from diffusers import AutoencoderKL
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.utils.data import Dataset

from vestiary.errors import InputError, OptionError
from vestiary.images import open_picture
from vestiary.training.config import RecipeConfig, Settings
from vestiary.training.losses import PerceptualLoss
from vestiary.training.model_folder import write_card, write_folder
from vestiary.training.pictures import Crops, framed, list_pictures


class Weights(Settings):
    """How much each loss counts; 0 leaves it out."""

    pixel: float = Field(1.0, ge=0, description="Mean absolute difference of colours (0..1).")
    perceptual: float = Field(0.3, ge=0, description="Distance of encoder features.")
    normal: float = Field(1e-4, ge=0, description="Kullback-Leibler divergence of the latents from a normal one.")


class AutoencoderConfig(RecipeConfig):
    """Keys of the recipe `autoencoder`."""

    data: tuple[Path, ...] = Field(description="Folders of photos: people, garments, both.")
    start: Path | None = Field(None, description="A model folder whose vae/ is trained on; its widths are taken.")
    height: int = Field(128, ge=32, description="Of the frame in which photos will be used, in pixels.")
    width: int = Field(96, ge=32, description="Of that frame.")
    crop: int = Field(64, ge=16, description="Side of a training sample.")
    widths: tuple[int, ...] = Field((24, 48, 64), min_length=2, description="Channels, finest first; halved between.")
    layers: int = Field(1, ge=1, description="Residual blocks per scale.")
    groups: int = Field(8, ge=1, description="Of group normalisation.")
    latent_channels: int = Field(4, ge=1, description="Channels of a latent.")
    attention: bool = Field(False, description="Self-attention on the coarsest scale.")
    rate: float = Field(2e-3, gt=0, description="Peak learning rate.")
    perceptual_levels: tuple[int, ...] = Field((0, 1), description="Encoder levels of the perceptual loss.")
    encoder: Path | None = Field(None, description="The encoder's weights; left out: those of the installed package.")
    gradient_checkpointing: bool = Field(False, description="Less memory, about a third more time.")
    recolour: float = Field(0.5, ge=0, le=1, description="Share of samples whose hues are turned, colours made strong.")
    validation: int = Field(48, ge=1, description="Held-back photos to validate on.")
    losses: Weights = Field(default_factory=lambda: Weights.model_validate({}))

    @field_validator("data", mode="before")
    @classmethod
    def _one_folder(cls, data: Any) -> Any:
        return [data] if isinstance(data, (str, Path)) else data


class Autoencoder(nn.Module):
    """The network, and how widely its latents spread, which diffusion divides them by."""

    spread: Tensor
    seen: Tensor

    def __init__(self, vae: AutoencoderKL) -> None:
        super().__init__()
        self.vae = vae
        self.register_buffer("spread", torch.zeros(()))
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """`(N, 3, H, W)` in -1..1 as it comes back, and the mean divergence of the latents."""
        posterior = self.vae.encode(picture).latent_dist
        if self.training:
            latents = posterior.sample()
            with torch.no_grad():  # numerator and denominator of a moving average
                self.spread.lerp_(latents.detach().float().std(), 0.01)
                self.seen.lerp_(torch.ones_like(self.seen), 0.01)
        else:
            latents = posterior.mode()
        divergence = 0.5 * (posterior.mean.square() + posterior.var - 1 - posterior.logvar)
        return self.vae.decode(latents).sample, divergence.float().mean()

    @property
    def scale(self) -> float:
        """What latents are multiplied by to have a spread of 1."""
        return float(self.seen / self.spread) if float(self.spread) > 0 else 1.0


class AutoencoderRecipe:
    """Trains an `AutoencoderKL`; the result is a model folder with `vae/` and its card."""

    Config: ClassVar[type[RecipeConfig]] = AutoencoderConfig
    name = "autoencoder"

    def __init__(self, config: AutoencoderConfig, folder: Path) -> None:
        self.config, self.folder = config, folder
        vae = fresh(config) if config.start is None else load_vae(config.start)
        if config.gradient_checkpointing:
            vae.enable_gradient_checkpointing()
        step = 2 ** (len(vae.config["block_out_channels"]) - 1)
        if wrong := [f"{key}={value}" for key, value in self._sides().items() if value % step]:
            raise OptionError(f"{', '.join(wrong)}: sides are to be multiples of {step}.", hint="Change the sides.")
        self.networks: dict[str, nn.Module] = {"autoencoder": Autoencoder(vae)}
        self.networks["autoencoder"].to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._perceptual: PerceptualLoss | None = None

    def _sides(self) -> dict[str, int]:
        return {"height": self.config.height, "width": self.config.width, "crop": self.config.crop}

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """One."""
        weights = self.networks["autoencoder"].parameters()
        return {"autoencoder": torch.optim.AdamW(weights, self.config.rate, betas=(0.9, 0.99), weight_decay=1e-4)}

    def samples(self, split: str) -> Dataset[dict[str, Any]]:
        """Crops of the photos."""
        paths = list_pictures(self.config.data, validation=split != "train")
        return Crops(paths, (self.config.width, self.config.height), self.config.crop, self.config.seed)

    def losses(self, which: str, batch: dict[str, Tensor], step: int) -> dict[str, Tensor]:
        """Of crops and what came back."""
        shown, scale = recoloured(batch["picture"], self.config.recolour), self.config.losses
        real = shown.contiguous(memory_format=torch.channels_last)
        made, divergence = self.networks["autoencoder"](real)
        found = {"pixel": scale.pixel * (made.float() - real).abs().mean() / 2}
        if scale.normal:
            found["normal"] = scale.normal * divergence
        if scale.perceptual:
            everywhere = torch.ones_like(real[:, :1])
            distance = self._features(real.device)((made + 1) / 2, (real + 1) / 2, everywhere)
            found["perceptual"] = scale.perceptual * distance
        return found

    def _features(self, device: torch.device) -> PerceptualLoss:
        if self._perceptual is None:
            self._perceptual = PerceptualLoss(self.config.perceptual_levels, self.config.encoder).eval()
            self._perceptual.requires_grad_(False).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self._perceptual

    def validate(self, networks: dict[str, nn.Module]) -> dict[str, float]:
        """PSNR of held-back photos, whole, at the frame's size; the score is its mean."""
        paths = list_pictures(self.config.data, validation=True)
        network = networks["autoencoder"]
        assert isinstance(network, Autoencoder)
        found = []
        for path in paths[:: max(1, len(paths) // self.config.validation)][: self.config.validation]:
            whole, frame = framed(open_picture(path).on_white(), (self.config.width, self.config.height))
            real = torch.from_numpy(whole.transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1)
            made = network(real.to(next(network.parameters()).device))[0].clamp(-1, 1).cpu()
            error = (made - real)[(..., *frame.window)].square().mean() / 4
            found.append(float(-10 * torch.log10(error.clamp(min=1e-10))))
        return {
            "psnr": float(np.mean(found)),
            "worst": min(found),
            "scale": network.scale,
            "score": float(np.mean(found)),
        }

    def save_folder(self, networks: dict[str, nn.Module], folder: Path) -> dict[str, Any]:
        """Write the model folder: `vae/` and `model.json`.

        Raises:
            OutputError: it cannot be written, or is there already.
        """
        network = networks["autoencoder"]
        assert isinstance(network, Autoencoder)
        network.vae.register_to_config(scaling_factor=network.scale)
        with write_folder(folder) as draft:
            network.vae.save_pretrained(draft / "vae")
            about = {"name": "autoencoder", "source": "vestiary train autoencoder", "licence": "", "commercial": False}
            return write_card(draft, {**about, "width": self.config.width, "height": self.config.height})

    def export(self, networks: dict[str, nn.Module], path: Path) -> None:
        """An autoencoder is not kept as ONNX; `save_folder` writes it."""
        raise OptionError("the recipe autoencoder writes a model folder, not ONNX.", hint="Name a folder with -o.")


def fresh(config: AutoencoderConfig) -> AutoencoderKL:
    """A new network as the configuration says."""
    count = len(config.widths)
    if wrong := [width for width in config.widths if width % config.groups]:
        hint = f"Take multiples of groups={config.groups}."
        raise OptionError(f"widths={wrong} cannot be normalised in groups.", hint=hint)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * count,
        up_block_types=("UpDecoderBlock2D",) * count,
        block_out_channels=config.widths,
        layers_per_block=config.layers,
        latent_channels=config.latent_channels,
        norm_num_groups=config.groups,
        sample_size=max(config.height, config.width),
        force_upcast=False,
        mid_block_add_attention=config.attention,
    )


def recoloured(pictures: Tensor, share: float) -> Tensor:
    """Pictures `(N, 3, H, W)` in -1..1, a share of them with hues turned and colours up to three times as strong.

    Photos of streets are brown, blue and grey. An autoencoder that sees little else spends nothing on green and
    magenta, and makes of a green garment a blue one.
    """
    if not share:
        return pictures
    turn = torch.rand(3, len(pictures), device=pictures.device)
    angle, strength = turn[0] * 2 * torch.pi, 1 + 2 * turn[1]
    grey = pictures.mean(1, keepdim=True)
    colour = pictures - grey  # in the plane across the grey axis, where Rodrigues' formula has two terms
    across = (colour.roll(-1, 1) - colour.roll(1, 1)) / 3**0.5
    cos, sin = (strength * angle.cos())[:, None, None, None], (strength * angle.sin())[:, None, None, None]
    other = (grey + cos * colour - sin * across).clamp(-1, 1)
    return torch.where((turn[2] < share)[:, None, None, None], other, pictures)


def load_vae(folder: Path) -> AutoencoderKL:
    """The autoencoder of a model folder, or of its `vae/`.

    Raises:
        InputError: there is none.
    """
    place = folder / "vae" if (folder / "vae").is_dir() else folder
    try:
        vae: AutoencoderKL = AutoencoderKL.from_pretrained(place, local_files_only=True)
    except (OSError, ValueError, KeyError) as problem:
        reason = str(problem).partition("\n")[0]
        hint = "Hand in a model folder with vae/: vestiary export runs/autoencoder/best.pt -o FOLDER"
        raise InputError(f"{folder} holds no autoencoder: {reason}", hint=hint) from None
    return vae
