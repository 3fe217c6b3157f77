"""The recipe of a ControlNet branch (Zhang, Rao & Agrawala 2023): `vestiary train controlnet --set start=FOLDER`.

A copy of the UNet's first half sees a control picture as well. Its ends begin at zero, so at the first step the model
paints what it painted before; the model itself is frozen.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from pydantic import Field
from torch import Tensor, nn

from vestiary.diffusion.model import TryOnModel
from vestiary.training.config import RecipeConfig
from vestiary.training.diffusion_learner import DiffusionData, Learner
from vestiary.training.diffusion_loss import Question


class ControlConfig(DiffusionData):
    """Keys of the recipe `controlnet`."""

    start: Path = Field(description="Folder of the model that gets the branch.")
    kind: Literal["pose", "parts", "depth"] = Field("pose", description="Of the control pictures.")
    depth: Literal["exact", "estimated"] = Field(
        "exact", description="Of the kind depth, where the data has it; the engine shows an estimate."
    )
    embedding: int = Field(16, ge=4, description="Channels of the first layer that sees the control picture.")


class ControlRecipe(Learner):
    """Trains a branch; the result is the model folder with `controlnet_KIND/` added."""

    Config: ClassVar[type[RecipeConfig]] = ControlConfig
    name = "controlnet"
    config: ControlConfig

    def __init__(self, config: ControlConfig, folder: Path) -> None:
        self.config = config
        self._prepare(config, folder, TryOnModel.load(config.start))
        branch = self.model.controls.get(config.kind) or new_branch(self.model, config.embedding)
        nn.Module.to(branch.requires_grad_(True), memory_format=torch.channels_last)  # type: ignore[call-overload]
        if config.gradient_checkpointing:
            branch.enable_gradient_checkpointing()
            self.model.unet.enable_gradient_checkpointing()  # gradients go through it
        self.model.controls[config.kind] = branch
        self.networks = {"controlnet": branch}

    @property
    def kinds(self) -> tuple[str, ...]:
        """The one kind."""
        return (self.config.kind,)

    @property
    def depth(self) -> Literal["exact", "estimated"]:
        """As ordered, of the kind depth; the other kinds' kept pairs know none."""
        return self.config.depth if self.config.kind == "depth" else "estimated"

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """One."""
        weights = self.networks["controlnet"].parameters()
        return {"controlnet": torch.optim.AdamW(weights, self.config.rate, weight_decay=self.config.weight_decay)}

    def answer(self, asked: Question, noisy: Tensor, t: Tensor) -> Tensor:
        """What the network says with the branch's help."""
        seen = torch.cat([noisy, asked.channels], dim=1).contiguous(memory_format=torch.channels_last)
        branch = self.model.branch(self.config.kind)
        down, middle = branch(seen, t, asked.text, asked.control, return_dict=False)
        said: Tensor = self.model.unet(
            seen,
            t,
            encoder_hidden_states=asked.text,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
            return_dict=False,
        )[0]
        return said.float()

    @contextlib.contextmanager
    def _with(self, networks: dict[str, nn.Module]) -> Iterator[None]:
        before = self.model.controls
        self.model.controls = {**before, self.config.kind: networks["controlnet"]}  # type: ignore[dict-item]
        try:
            yield
        finally:
            self.model.controls = before

    def validate(self, networks: dict[str, nn.Module]) -> dict[str, float]:
        """Loss and pictures on held-back pairs."""
        with self._with(networks):
            return self.judge()

    def save_folder(self, networks: dict[str, nn.Module], folder: Path) -> dict[str, Any]:
        """Write the model folder with the branch."""
        with self._with(networks):
            replace(self.model).save(folder)
        return TryOnModel.load(folder).card.model_dump(mode="json")


def new_branch(model: TryOnModel, embedding: int) -> ControlNetModel:
    """A branch that adds nothing yet.

    Its view of the control picture is halved as often as the autoencoder halves pictures.
    """
    halvings = len(model.vae.config.block_out_channels) - 1
    widths = tuple(embedding * 2 ** min(step, 3) for step in range(halvings + 1))
    unet = model.unet
    assert isinstance(unet, UNet2DConditionModel)
    branch: ControlNetModel = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=widths)
    return branch
