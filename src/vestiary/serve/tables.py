"""The tables of the service. Times are seconds since 1970 (UTC); a change here needs a migration in `migrations`."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import JSON, Float, ForeignKey, Index, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

ID = String(40)
NAME = String(120)


class Table(DeclarativeBase):
    """What all tables share."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {dict[str, Any]: JSON, list[str]: JSON, float: Float(53)}


class Owned:
    """The columns of what belongs to a caller until it expires."""

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    owner: Mapped[str] = mapped_column(NAME, index=True)
    created: Mapped[float]
    expires: Mapped[float] = mapped_column(index=True)


class PersonRow(Owned, Table):
    """A scanned person; the scan itself is in the storage. `details` are the other fields of `PersonRecord`."""

    __tablename__ = "people"
    details: Mapped[dict[str, Any]]


class GarmentRow(Owned, Table):
    """A garment that was read; its pixels are in the storage. `details` are the other fields of `GarmentRecord`."""

    __tablename__ = "garments"
    details: Mapped[dict[str, Any]]


class BatchRow(Owned, Table):
    """Fittings that were asked for together."""

    __tablename__ = "batches"


class FittingRow(Table):
    """A fitting and where it stands: the queue is the rows in state "queued", oldest first.

    Attributes:
        place: within its batch.
        worker: who runs it, as `queue.this_worker` names itself; None unless it runs.
        lease: when others may take it for abandoned; None unless it runs.
        attempts: how often it was begun.
        cancel: whether its worker is asked to stop.
        outcome: layers, warnings, timings, provenance of a fitting that is done.
        blob: where the storage has its pictures.
    """

    __tablename__ = "fittings"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    owner: Mapped[str] = mapped_column(NAME)
    batch: Mapped[str | None] = mapped_column(ForeignKey("batches.id", ondelete="CASCADE"), index=True)
    place: Mapped[int] = mapped_column(default=0)
    person: Mapped[str] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    garments: Mapped[list[str]]
    engine: Mapped[str] = mapped_column(NAME)
    options: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(12), default="queued")
    created: Mapped[float]
    expires: Mapped[float] = mapped_column(index=True)
    worker: Mapped[str | None] = mapped_column(NAME, index=True)
    lease: Mapped[float | None]
    attempts: Mapped[int] = mapped_column(default=0)
    cancel: Mapped[bool] = mapped_column(default=False)
    progress: Mapped[dict[str, Any]] = mapped_column(default=dict)
    error: Mapped[dict[str, Any]] = mapped_column(default=dict)
    outcome: Mapped[dict[str, Any]] = mapped_column(default=dict)
    blob: Mapped[str | None] = mapped_column(NAME)
    __table_args__ = (
        Index("ix_fittings_queue", "state", "created", "place"),
        Index("ix_fittings_owner", "owner", "created"),
    )


class KeyRow(Table):
    """An API key; only its hash is kept."""

    __tablename__ = "keys"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(NAME)
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]]
    rate: Mapped[int | None]
    created: Mapped[float]
    used: Mapped[float | None]
    revoked: Mapped[float | None]


class IdempotencyRow(Table):
    """What was answered to a request that came with an idempotency key."""

    __tablename__ = "idempotency"
    owner: Mapped[str] = mapped_column(NAME, primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]
    answer: Mapped[str | None] = mapped_column(Text)
    created: Mapped[float]
    expires: Mapped[float] = mapped_column(index=True)
