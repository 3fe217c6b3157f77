"""The recipe of distillation: `vestiary train distil --set teacher=FOLDER`, fewer steps, a smaller network, or both.

First the student learns to say what the teacher says under guidance, in one pass instead of two (Meng et al. 2023);
then the number of steps is halved again and again, each time learning to make in one step what took two (progressive
distillation, Salimans & Ho 2022). Sample the result with scheduler=ddim, guidance=1 and its last number of steps.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from diffusers import UNet2DConditionModel
from pydantic import Field, model_validator
from torch import Tensor, nn

from vestiary.diffusion.model import TryOnModel
from vestiary.diffusion.options import DiffusionOptions
from vestiary.errors import OptionError
from vestiary.training.config import RecipeConfig
from vestiary.training.diffusion import fresh_unet
from vestiary.training.diffusion_learner import DiffusionData, Learner, noise_for
from vestiary.training.diffusion_loss import Question, weighted


class DistilConfig(DiffusionData):
    """Keys of the recipe `distil`."""

    teacher: Path = Field(description="Model folder of the teacher; its autoencoder and text encoder are kept.")
    from_steps: int = Field(32, ge=1, description="Steps of the teacher that the student starts from.")
    to_steps: int = Field(4, ge=1, description="Steps of the student at last: from_steps halved some times.")
    teacher_guidance: float = Field(1.5, ge=1, description="Guidance of the teacher, which the student takes over.")
    first: float = Field(0.4, gt=0, lt=1, description="Share of the run before the first halving, if there is any.")
    widths: tuple[int, ...] | None = Field(None, description="A smaller network: channels, finest first.")
    layers: int = Field(1, ge=1, description="Of a smaller network: blocks per scale.")
    attention_from: int = Field(1, ge=0, description="Of a smaller network: the first scale with attention.")
    heads: int = Field(32, ge=4, description="Of a smaller network: channels of an attention head.")
    groups: int = Field(8, ge=1, description="Of a smaller network.")
    features: float = Field(0.1, ge=0, description="How much the inner features of a smaller network count.")

    @model_validator(mode="after")
    def _halvings(self) -> DistilConfig:
        steps = self.from_steps
        while steps > self.to_steps and steps % 2 == 0:
            steps //= 2
        if steps != self.to_steps:
            raise ValueError(f"from_steps={self.from_steps} halved some times is to be to_steps={self.to_steps}")
        return self


class Student(nn.Module):
    """The smaller or equal network, and what makes its inner features comparable with the teacher's."""

    def __init__(self, unet: UNet2DConditionModel, teacher: UNet2DConditionModel) -> None:
        super().__init__()
        self.unet = unet
        mine, theirs = (network.config["block_out_channels"][-1] for network in (unet, teacher))
        self.bridge = nn.Conv2d(mine, theirs, 1) if mine != theirs else nn.Identity()


class DistilRecipe(Learner):
    """Trains the student; the teacher changes whenever the number of steps is halved."""

    Config: ClassVar[type[RecipeConfig]] = DistilConfig
    name = "distil"
    config: DistilConfig

    def __init__(self, config: DistilConfig, folder: Path) -> None:
        if config.start is not None:
            raise OptionError("distillation starts from its teacher.", hint="Name it: --set teacher=FOLDER")
        model = TryOnModel.load(config.teacher)
        self._prepare(config, folder, model)
        self.teacher: Any = model.unet  # of the first stage, with guidance
        self.before: Student | None = None  # of the later ones: the student with twice the steps
        self.steps = config.from_steps
        unet = copy.deepcopy(self.teacher) if config.widths is None else self._smaller(config, model)
        nn.Module.to(unet.requires_grad_(True), memory_format=torch.channels_last)  # type: ignore[call-overload]
        if config.gradient_checkpointing:
            unet.enable_gradient_checkpointing()
        self.networks = {"student": Student(unet, self.teacher)}
        self._inner: dict[str, Tensor] = {}
        self.teacher.mid_block.register_forward_hook(self._noting("teacher"))

    def _smaller(self, config: DistilConfig, model: TryOnModel) -> UNet2DConditionModel:
        keys = config.model_copy(update={"mask_free": model.mask_free})
        if len(config.widths or ()) != len(self.teacher.config.block_out_channels):
            raise OptionError(
                f"widths={config.widths}: as many as the teacher has are needed.",
                hint=f"The teacher's: {self.teacher.config.block_out_channels}",
            )
        return fresh_unet(keys, model.vae.config["latent_channels"], self.teacher.config.cross_attention_dim)

    def _noting(self, who: str) -> Any:
        def note(module: nn.Module, given: Any, answer: Tensor) -> None:
            self._inner[who] = answer

        return note

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """One."""
        weights = self.networks["student"].parameters()
        return {"student": torch.optim.AdamW(weights, self.config.rate, weight_decay=self.config.weight_decay)}

    # -- stages --------------------------------------------------------------------------------------------------------

    def advance(self, step: int, progress: float, averaged: dict[str, nn.Module]) -> bool:
        """Halve the steps when it is time: the averaged student becomes the teacher."""
        if self._steps_at(progress) < self.steps:
            self.before = copy.deepcopy(averaged["student"]).requires_grad_(False).eval()  # type: ignore[assignment]
            self.networks["student"].load_state_dict(averaged["student"].state_dict())
            self.steps //= 2
        return False

    def _steps_at(self, progress: float) -> int:
        """Steps of the student at a progress of 0..1; the halvings share the rest of the run alike."""
        halvings = (self.config.from_steps // self.config.to_steps).bit_length() - 1
        if not halvings or progress < self.config.first:
            return self.config.from_steps
        done = int((progress - self.config.first) / (1 - self.config.first) * halvings) + 1
        return int(self.config.from_steps >> min(done, halvings))

    def state(self) -> dict[str, Any]:
        """For checkpoints: the present number of steps, and the present teacher if it was a student."""
        return {"steps": self.steps, "before": None if self.before is None else self.before.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        self.steps = state["steps"]
        if state["before"] is not None:
            self.before = copy.deepcopy(self.networks["student"]).requires_grad_(False).eval()  # type: ignore[assignment]
            self.before.load_state_dict(state["before"])

    # -- the question --------------------------------------------------------------------------------------------------

    def losses(self, which: str, batch: dict[str, Tensor], step: int) -> dict[str, Tensor]:
        """How far the student's clean latents are from what the teacher reaches, by timestep as `min_snr` says."""
        self._settled()
        student = self.networks["student"]
        assert isinstance(student, Student)
        asked = self._question(batch, dropout=0)
        t, then = self._grid(len(asked.clean), asked.clean.device)
        noisy = self.schedule.noisy(asked.clean, noise_for(asked.clean), t)
        with torch.no_grad():
            target = self._first(asked, noisy, t) if self.before is None else self._two_steps(asked, noisy, t, then)
        handle = student.unet.mid_block.register_forward_hook(self._noting("student"))
        try:
            said = _ask(student.unet, asked, noisy, t)
        finally:
            handle.remove()
        found = {"match": weighted(said - target, asked.importance, self.schedule.weight(t, self.config.min_snr))}
        if self.before is None and self.config.widths is not None and self.config.features:
            theirs = self._inner["teacher"][-len(t) :].float()  # of the pass that sees the garment
            gap = student.bridge(self._inner["student"]).float() - theirs
            found["features"] = self.config.features * gap.square().mean() / theirs.square().mean().clamp(min=1e-6)
        self._inner.clear()
        return found

    def _grid(self, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """`(B,)` timesteps out of those that a sampler with so many steps visits, and the one after each; -1 = none."""
        whole = len(self.schedule)
        number = (self.schedule.draw(count, device) * self.steps) // whole + 1  # 1 = the last step
        at = torch.round(number * whole / self.steps).long() - 1
        return at, torch.round((number - 1) * whole / self.steps).long() - 1

    def _first(self, asked: Question, noisy: Tensor, t: Tensor) -> Tensor:
        """The teacher's word under guidance."""
        scale = self.config.teacher_guidance
        if scale <= 1:
            return _ask(self.teacher, asked, noisy, t)
        empty = self._without(asked)
        both = replace(
            asked, channels=torch.cat([empty.channels, asked.channels]), text=torch.cat([empty.text, asked.text])
        )
        without, wearing = _ask(self.teacher, both, noisy.repeat(2, 1, 1, 1), t.repeat(2)).chunk(2)
        return without + scale * (wearing - without)

    def _without(self, asked: Question) -> Question:
        """The question without garments and text."""
        channels, latent = asked.channels.clone(), self.model.vae.config["latent_channels"]
        along, places = (-1 if self.model.card.concat == "width" else -2), 1 + self.model.card.garments
        side = channels.shape[along] // places
        channels[:, -latent:].narrow(along, side, side * (places - 1)).zero_()
        return replace(asked, channels=channels, text=torch.zeros_like(asked.text))

    def _two_steps(self, asked: Question, noisy: Tensor, t: Tensor, then: Tensor) -> Tensor:
        """What the student has to say to land in one step where its former self lands in two (algorithm 2)."""
        assert self.before is not None
        between = (t + then + 1) // 2  # both grids have it
        x = self._step(_ask(self.before.unet, asked, noisy, t), noisy, t, between)
        x = self._step(_ask(self.before.unet, asked, x, between), x, between, then)
        (alpha, sigma), (alpha_then, sigma_then) = self.schedule.shares(t), self._shares_after(then)
        ratio = sigma_then / sigma
        clean = (x - ratio * noisy) / (alpha_then - ratio * alpha)
        noise = (noisy - alpha * clean) / sigma
        return noise if self.schedule.kind == "epsilon" else alpha * noise - sigma * clean

    def _step(self, said: Tensor, noisy: Tensor, t: Tensor, then: Tensor) -> Tensor:
        """One step of DDIM without noise of its own (Song et al. 2021)."""
        (alpha, sigma), (alpha_then, sigma_then) = self.schedule.shares(t), self._shares_after(then)
        if self.schedule.kind == "epsilon":
            clean, noise = (noisy - sigma * said) / alpha, said
        else:
            clean, noise = alpha * noisy - sigma * said, sigma * noisy + alpha * said
        return alpha_then * clean + sigma_then * noise

    def _shares_after(self, then: Tensor) -> tuple[Tensor, Tensor]:
        """As the sampler has it: after the last step a trace of noise is left, that of timestep 0."""
        return self.schedule.shares(then.clamp(min=0))

    # -- validation and result -----------------------------------------------------------------------------------------

    @property
    def sampling(self) -> DiffusionOptions:
        """As the student is to be used, at its present number of steps."""
        return DiffusionOptions.model_validate({"steps": self.steps, "guidance": 1, "scheduler": "ddim"})

    @contextlib.contextmanager
    def _with(self, networks: dict[str, nn.Module]) -> Iterator[None]:
        student, before = networks["student"], (self.model.unet, self.model.scheduler_config)
        assert isinstance(student, Student)
        self.model.unet = student.unet
        self.model.scheduler_config = {**before[1], "timestep_spacing": "trailing"}
        try:
            yield
        finally:
            self.model.unet, self.model.scheduler_config = before

    def validate(self, networks: dict[str, nn.Module]) -> dict[str, float]:
        """The student's loss on held-back pairs, its pictures in its present steps, and beside them the teacher's.

        Once there are fewer steps, the score is the perceptual distance of the pictures: the loss at single timesteps
        rises then, as it should.
        """
        with self._with(networks):
            figures = self.judge()
        figures |= {"steps": float(self.steps)}
        if "lite0" in figures:
            figures["score"] = -figures["lite0"] + float(self.steps == self.config.to_steps)  # the last stage wins
        return figures

    def save_folder(self, networks: dict[str, nn.Module], folder: Path) -> dict[str, Any]:
        """Write the student's model folder; its card says how to sample it."""
        how = {"steps": self.steps, "guidance": 1.0, "scheduler": "ddim", "teacher": self.model.card.name}
        with self._with(networks):
            card = self.model.card.model_copy(update={"distilled": how, "name": f"{self.model.card.name}-distilled"})
            replace(self.model, card=card).save(folder)
        return TryOnModel.load(folder).card.model_dump(mode="json")


def _ask(unet: Any, asked: Question, noisy: Tensor, t: Tensor) -> Tensor:
    seen = torch.cat([noisy, asked.channels], dim=1).contiguous(memory_format=torch.channels_last)
    said: Tensor = unet(seen, t, encoder_hidden_states=asked.text, return_dict=False)[0]
    return said.float()
