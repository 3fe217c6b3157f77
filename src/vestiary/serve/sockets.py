"""`/v1/fittings/{id}/events`: a WebSocket that tells how a fitting goes on.

The service sends the `FittingRecord` as JSON at each change, previews as JPEG in binary messages, and closes after the
last change. The caller may send `{"cancel": true}`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import anyio
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from starlette.concurrency import run_in_threadpool

from vestiary.errors import VestiaryError
from vestiary.images import encode_picture
from vestiary.serve import problems
from vestiary.serve.records import FittingRecord
from vestiary.serve.security import Caller, check_scope

router = APIRouter()
PROTOCOL = "vestiary"
_PREVIEW_QUALITY = 80
_GOING_AWAY, _DONE, _POLICY, _FAULT = 1001, 1000, 1008, 1011
_watching = anyio.CapacityLimiter(256)  # threads that only wait for the next change


@router.websocket("/v1/fittings/{id}/events")
async def events(socket: WebSocket, id: str) -> None:
    """Each change of a fitting until it is finished."""
    caller: Caller = socket.state.caller  # put there by the gate
    house = socket.app.state.service
    try:
        check_scope(caller, "read")
        await run_in_threadpool(house.fitting, caller.owner, id)
    except VestiaryError as error:
        await socket.send_denial_response(problems.as_response(error))
        return
    await socket.accept(PROTOCOL if PROTOCOL in socket.scope.get("subprotocols", []) else None)
    gone = threading.Event()
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_listen, socket, house, caller, id, tasks.cancel_scope)
            await _tell(socket, house.watch(caller.owner, id, gone))
            tasks.cancel_scope.cancel()
    finally:
        gone.set()  # else the thread that waits for the next change would wait on


async def _tell(socket: WebSocket, changes: Iterator[Any]) -> None:
    """Send each change; end when there are no more, or nobody listens."""
    try:
        following = partial(next, changes, None)
        while True:
            change = await anyio.to_thread.run_sync(following, abandon_on_cancel=True, limiter=_watching)
            if change is None:
                break
            if isinstance(change, FittingRecord):
                await socket.send_text(change.model_dump_json())
            else:
                data = await run_in_threadpool(encode_picture, change.image, "jpeg", quality=_PREVIEW_QUALITY)
                await socket.send_bytes(data)
        await socket.close(_DONE)
    except (WebSocketDisconnect, RuntimeError):  # gone while we sent
        return
    except VestiaryError as error:  # deleted meanwhile, or the database is away
        await socket.close(_POLICY if error.http_status < 500 else _FAULT, error.code)


async def _listen(socket: WebSocket, house: Any, caller: Caller, id: str, ended: anyio.CancelScope) -> None:
    """Cancel the fitting when asked to; end everything when the caller is gone."""
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                break
            if _asks_to_cancel(message) and "write" in caller.scopes:
                await run_in_threadpool(house.cancel, caller.owner, id)
    except (WebSocketDisconnect, RuntimeError, VestiaryError):
        pass
    ended.cancel()


def _asks_to_cancel(message: Any) -> bool:
    try:
        told = json.loads(message.get("text") or "{}")
    except (ValueError, RecursionError):
        return False
    return isinstance(told, dict) and told.get("cancel") is True
