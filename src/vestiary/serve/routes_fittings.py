"""`/v1/fittings`: garments on people; the picture at once where the engine is quick, else later by its id."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from threading import Event
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from vestiary.serve.doors import PICTURE, Book, House, IdempotencyKey, KeepHours, show
from vestiary.serve.finish import Stopwatch, engine_spans, finish_picture, picture_answer
from vestiary.serve.fittings import LONGEST_WAIT, Note
from vestiary.serve.idempotency import digest
from vestiary.serve.negotiate import Format, choose_format, wants_record
from vestiary.serve.order import Order, read_order
from vestiary.serve.problems import answers, error_of
from vestiary.serve.records import FittingRecord
from vestiary.serve.security import Deleter, Reader, Writer
from vestiary.serve.settings import Settings

router = APIRouter(prefix="/v1/fittings", tags=["fittings"], responses=answers())
_LISTEN = 0.5  # seconds between two looks whether the caller is still there
_waiting = anyio.CapacityLimiter(256)  # threads that only wait; work has the threads of the pool


@router.post(
    "",
    summary="Ask for a fitting",
    response_class=Response,
    responses={
        **answers(400, 404, 408, 409, 413, 415, 451, 501, 507),
        **PICTURE,
        202: {"model": FittingRecord, "description": "Not done in time; ask for it later at `Location`."},
    },
)
async def add_fitting(
    request: Request,
    caller: Writer,
    house: House,
    ledger: Book,
    person: Annotated[UploadFile | None, File(description="A photo of a person.")] = None,
    person_id: Annotated[str | None, Form(max_length=64, description="Instead: a person from /v1/people.")] = None,
    person_url: Annotated[str | None, Form(max_length=2000, description="Instead: an address, see /v1/people.")] = None,
    garment: Annotated[
        list[UploadFile] | None,
        File(description="Photos of garments, in wearing order; none where the engine needs none."),
    ] = None,
    garment_id: Annotated[list[str] | None, Form(description="Garments from /v1/garments; may be mixed.")] = None,
    garment_url: Annotated[list[str] | None, Form(description="Addresses; may be mixed.")] = None,
    engine: Annotated[str, Form(max_length=64, description="See /v1/engines.")] = "embedded",
    options: Annotated[str | None, Form(max_length=10_000, examples=['{"seed": 1}'])] = None,
    keep_hours: KeepHours = None,
    wait: Annotated[float | None, Form(ge=0, le=LONGEST_WAIT, description="Seconds to wait for the picture.")] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """The picture when it is done in time, else 202 with the record.

    With `Accept: application/json` the record is answered in either case. Who hangs up while waiting cancels the
    fitting, unless the request carries an idempotency key. Photos that come along are kept as if they had been sent to
    `/v1/people` and `/v1/garments`: the record has their ids. Engines whose `needs_garment` is false can do without a
    garment: their options say what is to change.
    """
    accept = request.headers.get("accept")
    format = None if wants_record(accept) else choose_format(accept, signed=house.settings.signs)
    watch = Stopwatch()
    order = await run_in_threadpool(
        read_order, house.settings, person, person_id, person_url, await request.form(), engine, options, keep_hours
    )
    asked = digest("fittings", *order.parts())
    note = ledger.note(caller.owner, idempotency_key)
    id = await run_in_threadpool(
        ledger.once, caller.owner, idempotency_key, asked, lambda: _place(house, caller.owner, order, note)
    )
    watch.lap("accept")
    patience = house.settings.quick_seconds if wait is None else wait
    record = await _wait(request, house, caller.owner, id, patience, cancel=idempotency_key is None)
    watch.lap("wait")
    if record.state == "done":
        request.app.state.metrics.engine_seconds.labels(record.engine).inc(sum(record.timings.values()))
    return await run_in_threadpool(_answer, house, caller.owner, record, format, watch)


def _place(house: Any, owner: str, order: Order, note: Note | None) -> str:
    """Hand in the photos, then the fitting."""
    person, garments = order.hand_in(house, owner)
    record: FittingRecord = house.add_fitting(
        owner, person, garments, engine=order.engine, options=order.options, keep_hours=order.keep_hours, note=note
    )
    return record.id


async def _wait(request: Request, house: Any, owner: str, id: str, patience: float, *, cancel: bool) -> FittingRecord:
    """The record when it is finished, when patience ends, or when the caller is gone."""
    async with _listening(request) as gone:
        record: FittingRecord = await anyio.to_thread.run_sync(house.wait, owner, id, patience, gone, limiter=_waiting)
    if cancel and gone.is_set() and not record.finished:
        await run_in_threadpool(house.cancel, owner, id)
    return record


@contextlib.asynccontextmanager
async def _listening(request: Request) -> AsyncIterator[Event]:
    """What is set as soon as the caller hangs up.

    No task group: what is raised beside its tasks comes out as an ExceptionGroup, which nobody answers with its status.
    """
    gone = Event()

    async def listen() -> None:
        while not await request.is_disconnected():
            await anyio.sleep(_LISTEN)
        gone.set()

    listener = asyncio.create_task(listen())
    try:
        yield gone
    except BaseException:
        gone.set()  # a request that is cancelled leaves a thread that waits
        raise
    finally:
        listener.cancel()


def _answer(house: Any, owner: str, record: FittingRecord, format: Format | None, watch: Stopwatch) -> Response:
    place = {"Location": f"/v1/fittings/{record.id}", "Vestiary-Fitting": record.id, "Cache-Control": "no-store"}
    if format is None or not record.finished:
        return JSONResponse(record.model_dump(mode="json"), 200 if record.finished else 202, headers=place)
    if record.error is not None:
        raise error_of(record.error)
    return _picture(house, owner, record, format, watch)


def _picture(house: Any, owner: str, record: FittingRecord, format: Format, watch: Stopwatch) -> Response:
    fitting = house.fitting_pictures(owner, record.id)
    watch.lap("store")
    settings: Settings = house.settings
    data = finish_picture(settings, fitting.image, fitting.mask, record, format)
    watch.lap("encode")
    headers = {"Vestiary-Fitting": record.id, "Content-Location": f"/v1/fittings/{record.id}/picture"}
    return picture_answer(data, format, {**engine_spans(record), **watch.spans}, **headers)


@router.get("", summary="List mine")
def list_fittings(
    caller: Reader, house: House, batch: Annotated[str | None, Query(max_length=64)] = None
) -> list[FittingRecord]:
    """All fittings that the caller has here, or those of one batch."""
    found: list[FittingRecord] = house.fittings(caller.owner, batch=batch)
    return found


@router.get("/{id}", summary="One", responses=answers(404))
def get_fitting(id: str, caller: Reader, house: House) -> FittingRecord:
    """How far it is, and when it is done how it came about."""
    record: FittingRecord = house.fitting(caller.owner, id)
    return record


@router.delete("/{id}", status_code=204, summary="Delete", responses=answers(404))
def delete_fitting(id: str, caller: Deleter, house: House) -> None:
    """Delete the picture and its layers; one that runs is cancelled."""
    house.delete_fitting(caller.owner, id)


@router.post("/{id}/cancel", summary="Stop", responses=answers(404))
def cancel_fitting(id: str, caller: Writer, house: House) -> FittingRecord:
    """Stop a fitting that waits or runs; a finished one stays as it is."""
    record: FittingRecord = house.cancel(caller.owner, id)
    return record


@router.get("/{id}/picture", summary="The picture", response_class=Response, responses={**answers(404, 409), **PICTURE})
def fitting_picture(id: str, request: Request, caller: Reader, house: House) -> Response:
    """The fitted picture; 409 while it is not done."""
    format = choose_format(request.headers.get("accept"), signed=house.settings.signs)
    watch = Stopwatch()
    record: FittingRecord = house.fitting(caller.owner, id)
    return _picture(house, caller.owner, record, format, watch)


@router.get("/{id}/mask", summary="The edit mask", response_class=Response, responses={**answers(404, 409), **PICTURE})
def fitting_mask(id: str, request: Request, caller: Reader, house: House) -> Response:
    """White where the picture may differ from the photo; PNG unless another format is asked for."""
    return show(request, lambda: house.fitting_mask(caller.owner, id), exact=True)


@router.get(
    "/{id}/layers/{name}", summary="A layer", response_class=Response, responses={**answers(404, 409), **PICTURE}
)
def fitting_layer(id: str, name: str, request: Request, caller: Reader, house: House) -> Response:
    """One of the intermediate pictures that the record names (asked for with the option `layers`)."""
    return show(request, lambda: house.fitting_layer(caller.owner, id, name), exact=True)
