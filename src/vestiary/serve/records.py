"""What the service tells about people, garments and fittings: the same values in HTTP, gRPC and the client."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

State = Literal["queued", "running", "done", "failed", "cancelled"]
FINISHED: frozenset[str] = frozenset({"done", "failed", "cancelled"})


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class Problem(_Record):
    """What went wrong, as `vestiary.errors` says it."""

    code: str = Field(description="Stable name of the kind of error.")
    message: str = Field(description="What was wrong.")
    hint: str = Field("", description="What to do next.")


class PersonRecord(_Record):
    """A scanned person."""

    id: str = Field(description="Name for later requests.", examples=["p_3f2c9a0d5be14c7e"])
    created: datetime
    expires: datetime = Field(description="When photo and scan are deleted.")
    width: int = Field(description="Of the photo, in pixels.")
    height: int = Field(description="Of the photo, in pixels.")
    facing: str = Field(description="Which way the chest points.")
    warnings: list[str] = Field(default_factory=list, description="What may spoil a fitting.")
    timings: dict[str, float] = Field(default_factory=dict, description="Seconds per step.")


class GarmentRecord(_Record):
    """A garment that was read."""

    id: str = Field(description="Name for later requests.", examples=["g_81d0c2f4a7b94e53"])
    created: datetime
    expires: datetime = Field(description="When photo and cut-out are deleted.")
    category: str
    sleeve: str
    neckline: str
    pattern: str
    length: str
    colours: list[str] = Field(default_factory=list, description="Names of the main colours.")
    warnings: list[str] = Field(default_factory=list, description="What may spoil a fitting.")
    timings: dict[str, float] = Field(default_factory=dict, description="Seconds per step.")


class Progress(_Record):
    """How far a fitting is."""

    step: int = 0
    total: int = 0
    name: str = ""


class FittingRecord(_Record):
    """A fitting: asked for, under way, or finished."""

    id: str = Field(description="Name for later requests.", examples=["f_c07be5d2914a4f68"])
    state: State
    created: datetime
    expires: datetime = Field(description="When the picture is deleted.")
    person: str = Field(description="Id of the person.")
    garments: list[str] = Field(description="Ids of the garments, in the order in which they are put on; may be none.")
    engine: str
    options: dict[str, Any] = Field(
        default_factory=dict, description="What was asked for; the engine chooses the rest."
    )
    batch: str | None = Field(None, description="Id of the batch it belongs to.")
    progress: Progress = Progress()
    error: Problem | None = None
    layers: list[str] = Field(default_factory=list, description="Names of the intermediate pictures that were kept.")
    warnings: list[str] = Field(default_factory=list, description="What may have spoiled the picture.")
    timings: dict[str, float] = Field(default_factory=dict, description="Seconds per step.")
    provenance: dict[str, Any] = Field(default_factory=dict, description="How the picture came about.")

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in FINISHED


class BatchRecord(_Record):
    """Fittings that were asked for together."""

    id: str = Field(examples=["b_5a1e0f9c7d3b4826"])
    created: datetime
    expires: datetime
    states: dict[State, int] = Field(description="How many fittings are in which state.")
    fittings: list[str] = Field(description="Ids, in the order in which they were asked for.")


class EngineRecord(_Record):
    """An engine and the schema of its options."""

    name: str
    summary: str
    licence: str
    installed: bool
    install: str = Field("", description="The command that brings what is missing.")
    needs_garment: bool = Field(
        True, description="Whether a fitting must have a garment; else its options can say what to change instead."
    )
    options: dict[str, Any] = Field(default_factory=dict, description="JSON schema of its options.")
