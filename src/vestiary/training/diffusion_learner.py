"""What the diffusion's recipes have in common: what they learn from, what the network is asked, how it is judged."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.utils.data import Dataset

from vestiary.diffusion.model import TryOnModel
from vestiary.diffusion.options import DiffusionOptions
from vestiary.errors import OptionError
from vestiary.training import diffusion_score
from vestiary.training.config import RecipeConfig
from vestiary.training.diffusion_loss import Question, Schedule, question, weighted
from vestiary.training.diffusion_pairs import Frames, Keep, Pair, Source, sources
from vestiary.training.diffusion_samples import Samples, View, keep_latents, latents_of


class DiffusionData(RecipeConfig):
    """Keys of what the diffusion's recipes learn from, and of the question that is put."""

    data: Path = Field(description="A data set with pairs, synthetic pairs, or photos of people; see the docs.")
    pictures: Literal["auto", "paired", "photos"] = Field("auto", description="Insist on pairs or on photos alone.")
    split: str = Field("train", description="Of a data set that has several.")
    kept: Path | None = Field(None, description="Folder of pairs and latents worked out; in the run's by default.")
    limit: int | None = Field(None, ge=1, description="Learn from so many entries only.")
    latents: bool = Field(True, description="Work out the latents once, before the first step, and keep them.")
    start: Path | None = Field(None, description="Model folder to begin with.")
    height: int | None = Field(None, ge=32, description="Of the working frame; else the model's.")
    width: int | None = Field(None, ge=32, description="Of the working frame; else the model's.")
    dropout: float = Field(0.1, ge=0, lt=1, description="How often garment and text are left out, for guidance.")
    min_snr: float | None = Field(
        None, gt=0, description="Let noisy timesteps count less, up to this ratio of signal to noise; 5 is usual."
    )
    garment_weight: float = Field(0.2, ge=0, description="How much the garments' places count against the person's.")
    mask_weight: float = Field(4.0, gt=0, description="How much the painted place counts against the rest.")
    rate: float = Field(1e-4, gt=0, description="Peak learning rate.")
    weight_decay: float = Field(1e-2, ge=0, description="Of AdamW.")
    gradient_checkpointing: bool = Field(False, description="Less memory, about a third more time.")
    validation: int = Field(32, ge=1, description="Held-back pairs of which the loss is taken.")
    painted: int = Field(8, ge=0, description="Held-back pairs that are painted in a validation.")
    sampling_steps: int = Field(12, ge=1, description="Denoising steps then.")
    guidance: float = Field(1.5, ge=1, description="Guidance then.")


class Learner:
    """What the diffusion's recipes have in common: a model, pairs, the question, and how pictures are judged."""

    config: DiffusionData
    model: TryOnModel
    folder: Path
    networks: dict[str, nn.Module]

    def _prepare(self, config: DiffusionData, folder: Path, model: TryOnModel) -> None:
        if config.height or config.width:
            size = {"height": config.height or model.card.height, "width": config.width or model.card.width}
            model.card = model.card.model_copy(update=size)
        self.config, self.folder, self.model = config, folder, model
        size = {"height": model.card.height, "width": model.card.width}
        if wrong := [f"{name}={side}" for name, side in size.items() if side % model.multiple]:
            hint = f"Take multiples of {model.multiple}."
            raise OptionError(f"{', '.join(wrong)} cannot be halved as often as the networks do.", hint=hint)
        self.schedule = Schedule.of(model.scheduler_config, model.card.prediction_type)
        if self.schedule.kind == "epsilon" and float(self.schedule.bars[-1]) < 1e-6:
            hint = "Take prediction=v_prediction."
            raise OptionError("where nothing of the picture is left, its noise tells nothing.", hint=hint)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Of control pictures that are needed."""
        return ()

    @property
    def depth(self) -> Literal["exact", "estimated"]:
        """Of these control pictures, where the data has both."""
        return "estimated"

    # -- data ----------------------------------------------------------------------------------------------------------

    def _keep(self) -> Keep:
        card = self.model.card
        size = {"height": card.height, "width": card.width, "places": card.garments, "agnostic": card.agnostic}
        frames = Frames.model_validate({**size, "controls": self.kinds, "depth": self.depth})
        return Keep(self.config.kept or self.folder / "kept", frames)

    def _found(self, split: str) -> list[Source]:
        config, validation = self.config, split != "train"
        found = sources(config.data, validation=validation, split=config.split, pictures=config.pictures)
        if self.model.mask_free and not all(source.changes for source in found):
            hint = "Take the synthetic pairs of `vestiary synth`, or a model with a mask."
            raise OptionError("a mask-free model learns from people in two garments; here they wear one.", hint=hint)
        return found[: config.limit]

    @property
    def view(self) -> View:
        """How samples are shown."""
        return View(self.model.mask_free, not self.kinds, self._tokens if self.model.tokenizer is not None else None)

    def _tokens(self, caption: str) -> Tensor:
        assert self.model.tokenizer is not None
        assert self.model.text_encoder is not None
        most = self.model.text_encoder.config.max_position_embeddings
        found = self.model.tokenizer(caption, padding="max_length", truncation=True, max_length=most)
        return torch.tensor(found.input_ids)

    def samples(self, split: str) -> Dataset[dict[str, Any]]:
        """Pairs as latents, or as pictures; of those held back only as many as are looked at, since each is made."""
        keep, found = self._keep(), self._found(split)
        if split != "train":
            found = list(islice((source for source in found if keep.pair(source) is not None), self.config.validation))
        kept = keep_latents(keep, found, self.view, self._settled().vae) if self.config.latents else None
        return Samples(keep, found, self.view, self.config.seed, kept)

    def _settled(self) -> TryOnModel:
        """The model, with its frozen parts where the trained ones are."""
        device = next(next(iter(self.networks.values())).parameters()).device
        for part in self.model.parts().values():
            if next(part.parameters()).device != device:
                nn.Module.to(part, device)
        return self.model

    # -- the question --------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def _question(self, batch: dict[str, Tensor], *, dropout: float) -> Question:
        known = latents_of(self.model.vae, batch)
        count, device = len(known["target"]), known["target"].device
        kept = (torch.rand(count, device=device) >= dropout).float()
        asked = question(
            known,
            self.model.card.concat,
            mask_free=self.model.mask_free,
            text=self._text(batch, count, device),
            kept=kept,
            garment_weight=self.config.garment_weight,
            mask_weight=self.config.mask_weight,
        )
        if not self.kinds:
            return asked
        picture = batch["controls"][:, 0].float() / 255
        sides = [picture, *(torch.zeros_like(picture) for _ in range(known["garments"].shape[1]))]
        joined = torch.cat(sides, dim=-1 if self.model.card.concat == "width" else -2)
        return replace(asked, control=joined)

    def _text(self, batch: dict[str, Tensor], count: int, device: torch.device) -> Tensor:
        if "tokens" not in batch:
            return torch.zeros(count, 1, self.model.unet.config.cross_attention_dim, device=device)
        assert self.model.text_encoder is not None
        found: Tensor = self.model.text_encoder.to(device)(batch["tokens"]).last_hidden_state
        return found.float()

    def answer(self, asked: Question, noisy: Tensor, t: Tensor) -> Tensor:
        """What the network says of noisy latents."""
        seen = torch.cat([noisy, asked.channels], dim=1).contiguous(memory_format=torch.channels_last)
        said: Tensor = self.model.unet(seen, t, encoder_hidden_states=asked.text, return_dict=False)[0]
        return said.float()

    def losses(self, which: str, batch: dict[str, Tensor], step: int) -> dict[str, Tensor]:
        """Squared error of the predicted noise or velocity."""
        self._settled()
        asked = self._question(batch, dropout=self.config.dropout)
        t = self.schedule.draw(len(asked.clean), asked.clean.device)
        return {"noise": self._error(asked, noise_for(asked.clean), t)}

    def _error(self, asked: Question, noise: Tensor, t: Tensor) -> Tensor:
        said = self.answer(asked, self.schedule.noisy(asked.clean, noise, t), t)
        wanted = self.schedule.wanted(asked.clean, noise, t)
        return weighted(said - wanted, asked.importance, self.schedule.weight(t, self.config.min_snr))

    # -- validation ----------------------------------------------------------------------------------------------------

    def _held_back(self) -> tuple[Samples, list[tuple[Source, Pair]]]:
        samples = self.samples("validation")
        assert isinstance(samples, Samples)
        return samples, [(source, pair) for source in samples.found if (pair := samples.keep.pair(source)) is not None]

    @torch.no_grad()
    def judge(self) -> dict[str, float]:
        """Figures of the model as it is: the loss at fixed noise, and pictures painted; the score is minus the loss."""
        samples, held = self._held_back()
        device = next(self.model.unet.parameters()).device
        draw, errors = torch.Generator().manual_seed(0), []
        for first in range(0, len(held), 8):
            rows = [samples.shown(source, pair) for source, pair in held[first : first + 8]]
            batch = {name: torch.stack([row[name] for row in rows]).to(device) for name in rows[0]}
            asked = self._question(batch, dropout=0)
            noise = torch.randn(asked.clean.shape, generator=draw).to(device)
            spread = (torch.arange(len(rows)) + 0.5) / len(rows)
            t = (spread * len(self.schedule)).long().to(device)
            errors += [float(self._error(asked, noise, t))] * len(rows)
        figures = {"loss": sum(errors) / len(errors)}
        if self.config.painted:
            pairs = [pair for _, pair in held[: self.config.painted]]
            found = diffusion_score.paint(self.model, pairs, self.sampling, kinds=self.kinds)
            figures |= {"psnr": found.psnr, "lite0": found.lite0}
            diffusion_score.write_sheet(self.folder / "painted.png", pairs, found.pictures)
        return {**figures, "score": -figures["loss"]}

    @property
    def sampling(self) -> DiffusionOptions:
        """How validations paint."""
        wanted: dict[str, Any] = {"steps": self.config.sampling_steps, "guidance": self.config.guidance}
        wanted |= {f"control_{kind}": 1.0 for kind in self.kinds}
        return DiffusionOptions.model_validate({**wanted, "scheduler": "ddim"})

    def export(self, networks: dict[str, nn.Module], path: Path) -> None:
        """The diffusion is not kept as ONNX; `save_folder` writes it."""
        raise OptionError("the diffusion's recipes write a model folder, not ONNX.", hint="Name a folder with -o.")


def noise_for(clean: Tensor) -> Tensor:
    """Normal noise of that shape; `randn_like` would fill it in the order in which `clean` lies in memory."""
    return torch.randn(clean.shape, device=clean.device)
