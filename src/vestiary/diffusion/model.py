"""A try-on model: denoising UNet, autoencoder, text encoder, ControlNet branches, and the card that says what it is.

A model folder has the layout of diffusers (`unet/`, `vae/`, `text_encoder/`, `tokenizer/`, `scheduler/`,
`controlnet_KIND/`, safetensors) and a `model.json`, the card.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from vestiary.diffusion.card import CARD, Card, read_card, read_json
from vestiary.diffusion.latents import Concat
from vestiary.diffusion.loading import load_network, load_tokenizer, save_network
from vestiary.diffusion.options import CONTROLS
from vestiary.diffusion.schedulers import DEFAULTS
from vestiary.diffusion.skipped import skip_cross_attention
from vestiary.download import sha256_of
from vestiary.errors import OptionError, OutputError, WeightsError

_TINY_TEXT = 16  # width of the tiny model's text encoder


@dataclass
class TryOnModel:
    """The networks and what is known of them. `save` and `load` keep it in a folder."""

    unet: UNet2DConditionModel
    vae: AutoencoderKL
    text_encoder: CLIPTextModel | None = None
    tokenizer: CLIPTokenizer | None = None
    scheduler_config: dict[str, Any] = field(default_factory=dict)
    controls: dict[str, ControlNetModel] = field(default_factory=dict)
    card: Card = field(default_factory=Card)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, dtype: str = "float32", device: str = "cpu") -> TryOnModel:
        """The model of a folder. Every key and every shape has to fit; files that the card names have to be as it says.

        Raises:
            WeightsError: no such folder, a file missing or damaged, keys or shapes of another network, or another
                SHA-256 than the card's.
        """
        place = Path(folder)
        card = read_card(place)
        hashes = {name: sha256_of(place / name) for name in _weight_files(place)}
        for name, expected in card.sha256.items():
            if hashes.get(name) != expected:
                state = "missing" if name not in hashes else "not the file that its model.json names (SHA-256 differs)"
                raise WeightsError(f"{place / name} is {state}.", hint="Get the model again.")
        found = [kind for kind in CONTROLS if (place / f"controlnet_{kind}").is_dir()]
        text = (place / "text_encoder").is_dir()
        model = cls(
            load_network(UNet2DConditionModel, place / "unet"),
            load_network(AutoencoderKL, place / "vae"),
            load_network(CLIPTextModel, place / "text_encoder") if text else None,
            load_tokenizer(place / "tokenizer") if text else None,
            read_json(place / "scheduler" / "scheduler_config.json") if (place / "scheduler").is_dir() else {},
            {kind: load_network(ControlNetModel, place / f"controlnet_{kind}") for kind in found},
            card.model_copy(update={"sha256": hashes}),
        )
        model.check()
        if card.cross_attention == "skipped":
            skip_cross_attention(model.unet)
        return model.to(device, getattr(torch, dtype))

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the model folder, whole or not at all; one that is there is replaced.

        Raises:
            OutputError: it cannot be written there.
        """
        target = Path(folder).absolute()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as scratch:
                new, old = Path(scratch) / "new", Path(scratch) / "old"
                self._write(new)
                if target.exists():
                    os.replace(target, old)
                os.replace(new, target)
        except OSError as problem:
            reason = (problem.strerror or str(problem)).lower()
            raise OutputError(f"{folder} cannot be written: {reason}.", hint="Choose another folder.") from None

    def _write(self, folder: Path) -> None:
        for name, part in self.parts().items():
            save_network(part, folder / name)
        if self.tokenizer is not None:
            self.tokenizer.save_pretrained(folder / "tokenizer")
        (folder / "scheduler").mkdir()
        (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(self.scheduler_config, indent=1))
        hashes = {name: sha256_of(folder / name) for name in _weight_files(folder)}
        card = self.card.model_copy(update={"sha256": hashes})
        (folder / CARD).write_text(card.model_dump_json(indent=1), encoding="utf-8")

    def parts(self) -> dict[str, torch.nn.Module]:
        """The networks by the names of their folders."""
        text = {} if self.text_encoder is None else {"text_encoder": self.text_encoder}
        return {"unet": self.unet, "vae": self.vae, **text, **{f"controlnet_{k}": n for k, n in self.controls.items()}}

    def to(self, device: torch.device | str, dtype: torch.dtype) -> TryOnModel:
        """The same model, moved, ready to be used: no gradients, no dropout."""
        for part in self.parts().values():
            torch.nn.Module.to(part, device=device, dtype=dtype).eval().requires_grad_(False)
        return self

    def branch(self, kind: str) -> ControlNetModel:
        """The ControlNet branch of a kind.

        Raises:
            OptionError: the model has none.
        """
        if kind not in self.controls:
            has = f"It has: {', '.join(self.controls)}." if self.controls else "It has none."
            raise OptionError(f"the model {self.card.name} has no control branch for {kind}.", hint=has)
        return self.controls[kind]

    @property
    def mask_free(self) -> bool:
        """Whether it sees the whole photo (8 channels) and not the agnostic picture and its mask (9)."""
        return self.unet.config.in_channels == 2 * self.vae.config.latent_channels

    @property
    def multiple(self) -> int:
        """Width and height of a working frame are multiples of this: what autoencoder and UNet halve."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1 + len(self.unet.config.block_out_channels) - 1)

    def check(self) -> None:
        """Make sure that the networks fit together.

        Raises:
            WeightsError: channels or widths that do not.
        """
        latent, seen = self.vae.config.latent_channels, self.unet.config.in_channels
        if seen not in (2 * latent, 2 * latent + 1) or self.unet.config.out_channels != latent:
            raise WeightsError(
                f"this UNet takes {seen} channels and gives {self.unet.config.out_channels}: that is no try-on model.",
                hint=f"One takes {2 * latent + 1} (with a mask) or {2 * latent} (mask-free) and gives {latent}.",
            )
        if (
            self.text_encoder is not None
            and self.text_encoder.config.hidden_size != self.unet.config.cross_attention_dim
        ):
            raise WeightsError("text encoder and UNet have different widths.", hint="Use those of one model.")


def device_of(name: str) -> str:
    """The device of an option: "auto" is the first accelerator, or the CPU where there is none.

    Raises:
        OptionError: a device that this machine does not have.
    """
    there = ["cuda"] if torch.cuda.is_available() else ["mps"] if torch.backends.mps.is_available() else []
    if name == "auto":
        return [*there, "cpu"][0]
    if name != "cpu" and name.partition(":")[0] not in there:
        raise OptionError(f"this machine has no {name}.", hint=f"Choose one of: auto, {', '.join([*there, 'cpu'])}.")
    return name


def _weight_files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*.safetensors"))


def tiny_model(
    seed: int = 0,
    *,
    text: bool = True,
    controls: Sequence[str] = ("pose",),
    concat: Concat = "width",
    garments: int = 1,
    mask_free: bool = False,
    prediction_type: Literal["epsilon", "v_prediction"] = "epsilon",
) -> TryOnModel:
    """A model of about 100,000 random parameters; the same seed gives the same weights. Global seeds stay untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = UNet2DConditionModel(
            in_channels=8 if mask_free else 9,
            block_out_channels=(16, 32),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=_TINY_TEXT,
            attention_head_dim=8,
            norm_num_groups=8,
        )
        vae = AutoencoderKL(
            block_out_channels=(8, 8, 8, 8),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            norm_num_groups=4,
        )
        encoder, tokenizer = _tiny_text() if text else (None, None)
        branches = {kind: _branch(unet) for kind in controls}
    card = Card(
        name=f"tiny-{seed}",
        licence="Apache-2.0",
        commercial=True,
        source="random weights",
        prediction_type=prediction_type,
        width=96,
        height=128,
        garments=garments,
        concat=concat,
    )
    model = TryOnModel(unet, vae, encoder, tokenizer, dict(DEFAULTS), branches, card)
    return model.to("cpu", torch.float32)


def _tiny_text() -> tuple[CLIPTextModel, CLIPTokenizer]:
    """A CLIP text encoder that spells: its tokens are single characters."""
    letters = [chr(code) for code in range(33, 127)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(vocab={word: number for number, word in enumerate(words)}, merges=[], model_max_length=77)
    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=_TINY_TEXT,
        intermediate_size=_TINY_TEXT,
        num_hidden_layers=1,
        num_attention_heads=2,
        bos_token_id=len(words) - 2,
        eos_token_id=len(words) - 1,
    )
    return CLIPTextModel(config), tokenizer


def _branch(unet: UNet2DConditionModel) -> ControlNetModel:
    return ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 8, 8, 8))
