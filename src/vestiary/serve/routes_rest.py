"""`/v1/batches`, `/v1/engines`, `/v1/me`, `/health`, `/ready`, `/metrics`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

import vestiary
from vestiary.serve.doors import Book, House, IdempotencyKey
from vestiary.serve.fittings import MOST_GARMENTS
from vestiary.serve.idempotency import digest
from vestiary.serve.problems import answers
from vestiary.serve.records import BatchRecord, EngineRecord
from vestiary.serve.security import Deleter, Reader, Watcher, Writer

router = APIRouter()
_Id = Annotated[str, Field(max_length=64)]


class Pair(BaseModel):
    """One fitting of a batch."""

    model_config = ConfigDict(extra="forbid")

    person: _Id = Field(description="Id of the person.", examples=["p_3f2c9a0d5be14c7e"])
    garments: list[_Id] = Field(
        default_factory=list,
        description="Ids, in wearing order; none where the engine needs none.",
        max_length=MOST_GARMENTS,
        examples=[["g_81d0c2f4a7b94e53"]],
    )


class BatchOrder(BaseModel):
    """Fittings that are asked for together."""

    model_config = ConfigDict(extra="forbid")

    pairs: list[Pair] = Field(min_length=1, max_length=10_000)
    engine: str = Field("embedded", max_length=64)
    options: dict[str, Any] = Field(default_factory=dict, examples=[{"seed": 1}])
    keep_hours: float | None = Field(None, gt=0, le=24 * 366)


class Erased(BaseModel):
    """What was deleted."""

    erased: int = Field(description="How many people, garments and fittings.")


@router.post(
    "/v1/batches",
    status_code=202,
    tags=["batches"],
    summary="Ask for many fittings",
    responses=answers(400, 404, 409, 451, 501),
)
def add_batch(
    order: BatchOrder,
    response: Response,
    caller: Writer,
    house: House,
    ledger: Book,
    idempotency_key: IdempotencyKey = None,
) -> BatchRecord:
    """All are accepted or none; 429 when the queue has not the room."""
    pairs = [(pair.person, pair.garments) for pair in order.pairs]

    note = ledger.note(caller.owner, idempotency_key)

    def make() -> str:
        record: BatchRecord = house.add_batch(
            caller.owner, pairs, engine=order.engine, options=order.options, keep_hours=order.keep_hours, note=note
        )
        return record.id

    id = ledger.once(caller.owner, idempotency_key, digest("batches", order.model_dump(mode="json")), make)
    response.headers["Location"] = f"/v1/batches/{id}"
    found: BatchRecord = house.batch(caller.owner, id)
    return found


@router.get("/v1/batches/{id}", tags=["batches"], summary="One", responses=answers(404))
def get_batch(id: str, caller: Reader, house: House) -> BatchRecord:
    """How many of its fittings are in which state."""
    record: BatchRecord = house.batch(caller.owner, id)
    return record


@router.delete("/v1/batches/{id}", status_code=204, tags=["batches"], summary="Delete", responses=answers(404))
def delete_batch(id: str, caller: Deleter, house: House) -> None:
    """Stop what has not begun and delete its fittings."""
    house.delete_batch(caller.owner, id)


@router.get("/v1/engines", tags=["engines"], summary="List", responses=answers())
def list_engines(caller: Reader, house: House) -> list[EngineRecord]:
    """The engines with the JSON schemas of their options; one that is not installed says what brings it."""
    found: list[EngineRecord] = house.engines()
    return found


@router.delete("/v1/me", tags=["me"], summary="Delete everything of mine", responses=answers())
def erase(caller: Deleter, house: House) -> Erased:
    """Every photo, scan, garment and fitting of the caller, everywhere."""
    return Erased(erased=house.erase(caller.owner))


@router.get("/health", tags=["operation"], summary="Does the process live")
async def health() -> dict[str, str]:
    """Always 200; looks at nothing, and waits for no thread."""
    return {"status": "ok", "version": vestiary.__version__}


@router.get(
    "/ready",
    tags=["operation"],
    summary="Can it work",
    response_model=dict[str, bool],
    responses={503: {"model": dict[str, bool], "description": "Something is missing: it is false."}},
)
def ready(house: House) -> Response:
    """200 when database, storage, engine and workers are there; else 503, with which are not."""
    parts: dict[str, bool] = house.is_ready()
    return JSONResponse(parts, 200 if all(parts.values()) else 503, headers={"Cache-Control": "no-store"})


@router.get("/metrics", tags=["operation"], summary="For Prometheus", response_class=Response, responses=answers())
def metrics(request: Request, caller: Watcher) -> Response:
    """Requests, latencies, queue, cache, fittings by state and engine seconds, in Prometheus' text format."""
    from prometheus_client import CONTENT_TYPE_LATEST

    return Response(request.app.state.metrics.text(), media_type=CONTENT_TYPE_LATEST)
