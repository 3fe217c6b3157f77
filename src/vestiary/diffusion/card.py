"""The card of a model folder, `model.json`: what a model is, where it is from, how it is sampled. Without PyTorch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vestiary.diffusion.options import DiffusionOptions, SchedulerName
from vestiary.errors import WeightsError

CARD = "model.json"
NEEDED = ("unet", "vae")  # folders that every model has


class Distilled(BaseModel):
    """How a distilled student is to be sampled: options of the engine for those who ask for nothing else."""

    model_config = ConfigDict(extra="allow", frozen=True)

    steps: int = Field(ge=1, le=1000)
    guidance: float = Field(default=1.0, ge=1, le=30)
    scheduler: SchedulerName
    teacher: str = ""


class Card(BaseModel):
    """What a model is, where it comes from and what it may be used for: `model.json`. Further entries are kept."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = "unnamed"
    licence: str = "unknown"
    commercial: bool = Field(default=False, description="Whether the licence admits commercial use of what it makes.")
    source: str = ""
    revision: str = ""
    trained_on: str = ""
    prediction_type: Literal["epsilon", "v_prediction"] = "epsilon"
    width: int = Field(default=384, ge=32, le=4096, description="Of the frame it was trained at.")
    height: int = Field(default=512, ge=32, le=4096)
    garments: int = Field(default=1, ge=1, le=4, description="Places for garments beside the person.")
    concat: Literal["width", "height"] = "width"
    agnostic: Literal["filled", "masked"] = "masked"  # what it sees where it shall paint; see `encoding.Encoding`
    cross_attention: Literal["text", "skipped"] = "text"  # whether the UNet attends to text; see `skipped`
    distilled: Distilled | None = None
    sha256: Mapping[str, str] = Field(default_factory=dict, description="Of the weight files, by path in the folder.")

    def chosen(self, options: DiffusionOptions) -> dict[str, Any]:
        """The options that this card decides: those of a distilled student which the caller did not set."""
        if self.distilled is None:
            return {}
        ours = ("steps", "guidance", "scheduler")
        return {name: getattr(self.distilled, name) for name in ours if name not in options.model_fields_set}


def read_card(folder: Path) -> Card:
    """The card of a model folder.

    Raises:
        WeightsError: there is no such folder or no card in it, or the card is damaged.
    """
    if not folder.is_dir():
        hint = "Name a model folder: see docs/diffusion.md."
        raise WeightsError(f"there is no model folder {folder}.", hint=hint)
    try:
        return Card.model_validate(read_json(folder / CARD))
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise WeightsError(f"{folder / CARD}: {where}: {first['msg'].lower()}.", hint="Mend it.") from None


def check_folder(folder: Path) -> None:
    """Nothing, where a model folder is whole as far as one sees without opening its weights.

    Raises:
        WeightsError: its card is damaged, or a part of it or a file that the card names is missing.
    """
    card = read_card(folder)
    files = [f"{part}/config.json" for part in NEEDED]
    for name in [*files, *card.sha256]:
        if not (folder / name).is_file():
            raise WeightsError(f"{folder / name} is missing.", hint="Get the model again.")


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        WeightsError: the file is missing, damaged or holds something else.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WeightsError(f"{file} is missing.", hint="Is this a model folder? See docs/diffusion.md.") from None
    except (OSError, ValueError) as problem:
        raise WeightsError(f"{file} cannot be read: {problem}.", hint="Get the model again.") from None
    if not isinstance(content, dict):
        raise WeightsError(f"{file} holds no JSON object.", hint="Get the model again.")
    return content
