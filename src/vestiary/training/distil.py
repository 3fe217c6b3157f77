"""The recipe of distillation: `vestiary train distil --set teacher=FOLDER`, fewer steps, a smaller network, or both.

First the student learns to say what the teacher says under guidance, in one pass instead of two (Meng et al. 2023).
Then, by `method`, its steps are halved again and again (`distil_progressive`), or it learns to answer any noise with
clean latents at once (`distil_consistency`). The card of the result says how to sample it, and the engine does so.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import torch
from diffusers import UNet2DConditionModel
from pydantic import Field, model_validator
from torch import Tensor, nn

from vestiary.diffusion.card import Distilled
from vestiary.diffusion.model import TryOnModel
from vestiary.diffusion.options import DiffusionOptions
from vestiary.errors import OptionError
from vestiary.training.config import RecipeConfig
from vestiary.training.diffusion import fresh_unet
from vestiary.training.diffusion_learner import DiffusionData, Learner, noise_for
from vestiary.training.diffusion_loss import Question, weighted
from vestiary.training.distil_consistency import Consistency
from vestiary.training.distil_progressive import Progressive
from vestiary.training.distil_teacher import Sampler, Student, Teacher, ask

FROM_STEPS = {"progressive": 32, "consistency": 50}
FIRST = 0.4


class DistilConfig(DiffusionData):
    """Keys of the recipe `distil`."""

    teacher: Path = Field(description="Model folder of the teacher; its autoencoder and text encoder are kept.")
    method: Literal["progressive", "consistency"] = Field(
        "progressive", description="Halve the steps, sampled with ddim; or one answer for all noise, sampled with lcm."
    )
    from_steps: int | None = Field(
        None, ge=1, le=1000, description="Steps of the teacher that the student starts from: 32, for consistency 50."
    )
    to_steps: int = Field(4, ge=1, description="Steps of the student at last; progressive: from_steps halved.")
    teacher_guidance: float = Field(1.5, ge=1, description="Guidance of the teacher, which the student takes over.")
    first: float | None = Field(
        None, ge=0, lt=1, description="Share of the run for the teacher's own word: 0.4, or 0 for consistency if alike."
    )
    target_averaging: float = Field(
        0.95, ge=0, lt=1, description="Consistency: decay per step of the average that answers the nearer end."
    )
    huber: float | None = Field(
        1e-3, gt=0, description="Consistency: gaps below it count by their square; none = all do."
    )
    widths: tuple[int, ...] | None = Field(None, description="A smaller network: channels, finest first.")
    layers: int = Field(1, ge=1, description="Of a smaller network: blocks per scale.")
    attention_from: int = Field(1, ge=0, description="Of a smaller network: the first scale with attention.")
    heads: int = Field(32, ge=4, description="Of a smaller network: channels of an attention head.")
    groups: int = Field(8, ge=1, description="Of a smaller network.")
    features: float = Field(0.1, ge=0, description="How much the inner features of a smaller network count.")

    @model_validator(mode="after")
    def _reachable(self) -> DistilConfig:
        if self.method == "progressive" and not self.first_share:
            raise ValueError("progressive distillation begins with the teacher's own word: first is to be above 0")
        steps = self.whole
        while self.method == "progressive" and steps > self.to_steps and steps % 2 == 0:
            steps //= 2
        if self.method == "progressive" and steps != self.to_steps:
            raise ValueError(f"from_steps={self.whole} halved some times is to be to_steps={self.to_steps}")
        if steps < self.to_steps:
            raise ValueError(f"to_steps={self.to_steps} is more than from_steps={self.whole}")
        return self

    @property
    def whole(self) -> int:
        """Steps of the teacher."""
        return self.from_steps or FROM_STEPS[self.method]

    @property
    def first_share(self) -> float:
        """Share of the run in which the teacher's own word is learnt."""
        alike = self.method == "consistency" and self.widths is None
        return self.first if self.first is not None else 0.0 if alike else FIRST


class Method(Protocol):
    """How the student comes to need fewer steps, once it says what the teacher says."""

    scheduler_keys: dict[str, Any]  # that sampling the student needs

    @property
    def steps(self) -> int:
        """Of the student, at present."""

    @property
    def sampler(self) -> Sampler:
        """Of the student, at present."""

    @property
    def begun(self) -> bool:
        """Whether it is its turn."""

    @property
    def last(self) -> bool:
        """Whether the student is sampled as it will be at the end."""

    def advance(self, progress: float, student: Student, averaged: Student) -> None:
        """Called before each step of the run with the share that is done."""

    def grid(self, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """`(B,)` timesteps that are asked, and those after them."""

    def losses(self, student: Student, asked: Question) -> dict[str, Tensor]:
        """What is made smaller."""

    def state(self) -> dict[str, Any]:
        """For checkpoints."""

    def restore(self, state: dict[str, Any], student: Student) -> None:
        """The inverse of `state`."""


METHODS: dict[str, type[Progressive | Consistency]] = {"progressive": Progressive, "consistency": Consistency}


class DistilRecipe(Learner):
    """Trains the student."""

    Config: ClassVar[type[RecipeConfig]] = DistilConfig
    name = "distil"
    config: DistilConfig

    def __init__(self, config: DistilConfig, folder: Path) -> None:
        if config.start is not None:
            raise OptionError("distillation starts from its teacher.", hint="Name it: --set teacher=FOLDER")
        model = TryOnModel.load(config.teacher)
        self._prepare(config, folder, model)
        self.teacher = Teacher(model, config.teacher_guidance)
        self.method: Method = METHODS[config.method](config, self.schedule, self.teacher)
        unet = copy.deepcopy(model.unet) if config.widths is None else self._smaller(config, model)
        nn.Module.to(unet.requires_grad_(True), memory_format=torch.channels_last)  # type: ignore[call-overload]
        if config.gradient_checkpointing:
            unet.enable_gradient_checkpointing()
        self.networks = {"student": Student(unet, model.unet, self.method.steps)}
        self._inner: dict[str, Tensor] = {}
        self.teacher.unet.mid_block.register_forward_hook(self._noting("teacher"))

    def _smaller(self, config: DistilConfig, model: TryOnModel) -> UNet2DConditionModel:
        keys, teacher = config.model_copy(update={"mask_free": model.mask_free}), model.unet.config
        if len(config.widths or ()) != len(teacher.block_out_channels):
            raise OptionError(
                f"widths={config.widths}: as many as the teacher has are needed.",
                hint=f"The teacher's: {teacher.block_out_channels}",
            )
        return fresh_unet(keys, model.vae.config["latent_channels"], teacher.cross_attention_dim)

    def _noting(self, who: str) -> Any:
        def note(module: nn.Module, given: Any, answer: Tensor) -> None:
            self._inner[who] = answer

        return note

    @property
    def student(self) -> Student:
        """The network that is trained."""
        return _student(self.networks)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """One."""
        weights = self.student.parameters()
        return {"student": torch.optim.AdamW(weights, self.config.rate, weight_decay=self.config.weight_decay)}

    def advance(self, step: int, progress: float, averaged: dict[str, nn.Module]) -> bool:
        """Let the method go on when it is time."""
        self.method.advance(progress, self.student, _student(averaged))
        self.student.note(self.method.steps, self.method.sampler)
        return False

    def state(self) -> dict[str, Any]:
        """For checkpoints: the method and its own."""
        return {"method": self.config.method, **self.method.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of `state`.

        Raises:
            OptionError: the run was begun by the other method.
        """
        if (begun := state["method"]) != self.config.method:
            message = f"this run distils by method={begun}, and cannot go on by method={self.config.method}."
            raise OptionError(message, hint=f"Go on with --set method={begun}, or start a new run with another --out.")
        self.method.restore(state, self.student)

    # -- the question --------------------------------------------------------------------------------------------------

    def losses(self, which: str, batch: dict[str, Tensor], step: int) -> dict[str, Tensor]:
        """The method's, or before its turn how far the student's clean latents are from the teacher's."""
        self._settled()
        asked = self._question(batch, dropout=0)
        found = self.method.losses(self.student, asked) if self.method.begun else self._first(asked)
        self._inner.clear()
        return found

    def _first(self, asked: Question) -> dict[str, Tensor]:
        """The teacher's word under guidance, by timestep as `min_snr` says; of a smaller network the features too."""
        t, _ = self.method.grid(len(asked.clean), asked.clean.device)
        noisy = self.schedule.noisy(asked.clean, noise_for(asked.clean), t)
        with torch.no_grad():
            target = self.teacher.says(asked, noisy, t)
        student = self.student
        handle = student.unet.mid_block.register_forward_hook(self._noting("student"))
        try:
            said = ask(student.unet, asked, noisy, t)
        finally:
            handle.remove()
        found = {"match": weighted(said - target, asked.importance, self.schedule.weight(t, self.config.min_snr))}
        if self.config.widths is not None and self.config.features:
            theirs = self._inner["teacher"][-len(t) :].float()  # of the pass that sees the garment
            gap = student.bridge(self._inner["student"]).float() - theirs
            found["features"] = self.config.features * gap.square().mean() / theirs.square().mean().clamp(min=1e-6)
        return found

    # -- validation and result -----------------------------------------------------------------------------------------

    @property
    def sampling(self) -> DiffusionOptions:
        """As the student is to be used, at its present number of steps."""
        how = {"steps": self.method.steps, "guidance": 1, "scheduler": self.method.sampler}
        return DiffusionOptions.model_validate(how)

    @contextlib.contextmanager
    def _with(self, networks: dict[str, nn.Module]) -> Iterator[None]:
        before = self.model.unet, self.model.scheduler_config
        self.model.unet = _student(networks).unet
        self.model.scheduler_config = {**before[1], **self.method.scheduler_keys}
        try:
            yield
        finally:
            self.model.unet, self.model.scheduler_config = before

    def validate(self, networks: dict[str, nn.Module]) -> dict[str, float]:
        """The student's loss on held-back pairs, and its pictures in its present steps.

        The score is the perceptual distance of the pictures: the loss at single timesteps rises, as it should, once
        the student leaves the teacher's word behind. So without pictures there is none where a student does or will.
        """
        with self._with(networks):
            figures = self.judge()
        figures |= {"steps": float(self.method.steps)}
        if "lite0" in figures:
            figures["score"] = -figures["lite0"] + float(self.method.last)  # the last stage wins
        elif self.method.begun or not self.method.last:
            del figures["score"]
        return figures

    def save_folder(self, networks: dict[str, nn.Module], folder: Path) -> dict[str, Any]:
        """Write the student's model folder; its card says how to sample it."""
        student, name = _student(networks), self.model.card.name
        how = Distilled(steps=int(student.steps), guidance=1, scheduler=student.sampler, teacher=name)
        with self._with(networks):
            card = self.model.card.model_copy(update={"distilled": how, "name": f"{name}-distilled"})
            replace(self.model, card=card).save(folder)
        return TryOnModel.load(folder).card.model_dump(mode="json")


def _student(networks: dict[str, nn.Module]) -> Student:
    student = networks["student"]
    assert isinstance(student, Student)
    return student
