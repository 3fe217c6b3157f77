"""`/v1/mirror`: a WebSocket through which a camera's frames go, and come back with a garment on.

The caller sends, as text, `{"garments": [ids]}` first, and later `{"garment": id}`, `{"next": true}` or
`{"previous": true}`; and in binary, frames: a sequence number (4 bytes, big-endian) and a JPEG, not mirrored. For each
frame that was worked on, the service sends `Shown` as JSON and then the same number and a JPEG. While one frame is
worked on only the newest other one waits; older ones are dropped. Nothing is kept.
"""

from __future__ import annotations

import json
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import anyio
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from vestiary.errors import BusyError, ImageError, OptionError, TooLargeError, VestiaryError
from vestiary.images import PixelsError, encode_picture, open_picture
from vestiary.serve import problems
from vestiary.serve.checks import check
from vestiary.serve.security import Caller, check_scope

if TYPE_CHECKING:
    from vestiary.mirror.live import Mirror, MirrorFrame
    from vestiary.serve.service import Service
    from vestiary.serve.settings import Settings

PROTOCOL = "vestiary"
MOST_BYTES, MOST_PIXELS = 2 * 2**20, 4_000_000  # of a frame
MOST_GARMENTS = 32
IDLE = 60.0  # seconds without a frame after which the place is given to others
CHECK_EVERY = 5.0  # seconds between checks of what the camera shows, where pictures are checked
QUALITY = 85
RATE_OVER = 12  # frames
_IDLE, _POLICY = 1000, 1008


class Shown(BaseModel):
    """What is told of a frame."""

    model_config = ConfigDict(frozen=True)

    sequence: int = Field(description="Number of the frame, as it came.")
    garment: str | None = Field(description="Id of the garment that is worn; none while it cannot be put on.")
    gesture: str | None = Field(description="A swipe that ended in this frame: next or previous.")
    fps: float = Field(description="Frames a second that went through lately.")
    dropped: int = Field(description="Frames so far that were left out because newer ones came.")
    message: str = Field(description="What the wearer should do; empty when all is well.")
    timings: dict[str, float] = Field(description="Seconds per step.")


def mirror_routes(app: FastAPI, service: Service) -> None:
    """Add `/v1/mirror` to an app; as many people at a time as the service has workers."""
    count = max(1, service.settings.workers)
    places = anyio.Semaphore(count, max_value=count)

    @app.websocket("/v1/mirror")
    async def mirror(socket: WebSocket) -> None:
        caller: Caller = socket.state.caller  # put there by the gate
        try:
            check_scope(caller, "write")
            places.acquire_nowait()
        except VestiaryError as error:
            await socket.send_denial_response(problems.as_response(error))
            return
        except anyio.WouldBlock:
            busy = BusyError("every mirror is in use.", hint="Try again in a minute.", retry_after=15.0)
            await socket.send_denial_response(problems.as_response(busy))
            return
        try:
            await socket.accept(PROTOCOL if PROTOCOL in socket.scope.get("subprotocols", []) else None)
            await _hold(socket, Session(service, caller.owner))
        finally:
            places.release()


class Session:
    """One person before the mirror: what waits, what is worn, how fast it goes."""

    def __init__(self, service: Service, owner: str) -> None:
        self.service, self.owner = service, owner
        self.settings: Settings = service.settings
        self.waiting: tuple[int, bytes] | None = None
        self.orders: deque[dict[str, Any]] = deque(maxlen=16)
        self.dropped = 0
        self.came = anyio.Event()
        self._mirror: Mirror | None = None
        self._ids: list[str] = []
        self._ends: deque[float] = deque(maxlen=RATE_OVER)
        self._checked = -CHECK_EVERY

    def take(self, message: dict[str, Any]) -> None:
        """Take in what the caller sent: an order, or a frame in place of one that waits.

        Raises:
            OptionError, TooLargeError: it is neither.
        """
        data, text = message.get("bytes"), message.get("text")
        if data is not None:
            if len(data) > MOST_BYTES:
                raise TooLargeError(f"a frame may have {MOST_BYTES} bytes.", hint="Send smaller JPEGs.")
            if len(data) < 5:
                raise OptionError("a frame is its number in 4 bytes, and a JPEG.")
            self.dropped += self.waiting is not None
            self.waiting = int.from_bytes(data[:4], "big"), data[4:]
        else:
            self.orders.append(_order(text or ""))
        self.came.set()

    def work(self) -> tuple[Shown, bytes] | None:
        """Do what waits: orders, then the newest frame. On a thread, one call at a time.

        Raises:
            VestiaryError: something of it cannot be done; the session may go on.
        """
        while self.orders:
            self._obey(self.orders.popleft())
        if self.waiting is None:
            return None
        (number, data), self.waiting = self.waiting, None
        if self._mirror is None:
            raise OptionError("no garments were chosen.", hint='Send {"garments": ["g_…"]} first.')
        started = time.perf_counter()
        try:
            frame = open_picture(data, max_pixels=MOST_PIXELS).image
        except PixelsError as problem:
            raise ImageError(problem.message, hint="Send smaller frames, such as 1280 x 720.") from None
        if time.monotonic() - self._checked >= CHECK_EVERY:
            check(frame, self.settings)
            self._checked = time.monotonic()
        decoded = time.perf_counter()
        made = self._mirror.step(frame, time.monotonic())
        fitted = time.perf_counter()
        picture = number.to_bytes(4, "big") + encode_picture(made.image, "jpeg", quality=QUALITY)
        timings = {"decode": decoded - started, **made.timings, "encode": time.perf_counter() - fitted}
        return self._shown(number, made, timings), picture

    def close(self) -> None:
        """End the mirror's thread."""
        if self._mirror is not None:
            self._mirror.close()

    def _shown(self, number: int, made: MirrorFrame, timings: dict[str, float]) -> Shown:
        self._ends.append(time.monotonic())
        span = self._ends[-1] - self._ends[0]
        return Shown(
            sequence=number,
            garment=self._ids[made.garment] if made.garment >= 0 else None,
            gesture=made.gesture,
            fps=round((len(self._ends) - 1) / span, 2) if span > 0 else 0.0,
            dropped=self.dropped,
            message=made.message,
            timings={name: round(seconds, 4) for name, seconds in timings.items()},
        )

    def _obey(self, order: dict[str, Any]) -> None:
        if "garments" in order:
            self._offer(order["garments"])
        elif self._mirror is None:
            raise OptionError("no garments were chosen.", hint='Send {"garments": ["g_…"]} first.')
        elif "garment" in order:
            if order["garment"] in self._ids:
                self._mirror.wear(self._ids.index(order["garment"]))
            else:
                self._offer([order["garment"]])
        else:
            self._mirror.wear(self._mirror.worn + (1 if "next" in order else -1))

    def _offer(self, ids: Any) -> None:
        from vestiary.mirror.live import Mirror  # brings the engine, which a service without mirrors need not wait for

        known = isinstance(ids, list) and 0 < len(ids) <= MOST_GARMENTS and all(isinstance(id, str) for id in ids)
        if not known:
            raise OptionError(f"garments is a list of 1 to {MOST_GARMENTS} ids.")
        garments = [self.service.read(self.owner, id) for id in ids]
        if self._mirror is None:
            self._mirror = Mirror(garments)
        else:
            self._mirror.offer(garments)
        self._ids = list(ids)


async def _hold(socket: WebSocket, session: Session) -> None:
    """Listen and answer until one of both ends it."""
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_listen, socket, session, tasks.cancel_scope)
            await _answer(socket, session)
            tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await run_in_threadpool(session.close)


async def _listen(socket: WebSocket, session: Session, ended: anyio.CancelScope) -> None:
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                break
            try:
                session.take(dict(message))
            except VestiaryError as error:
                await socket.send_json({"error": error.as_dict()})
    except (WebSocketDisconnect, RuntimeError):  # gone
        pass
    ended.cancel()


async def _answer(socket: WebSocket, session: Session) -> None:
    last = time.monotonic()
    try:
        while True:
            with anyio.move_on_after(IDLE):
                await session.came.wait()
            if not session.came.is_set() or time.monotonic() - last > IDLE:
                await socket.close(_IDLE, "idle")
                return
            session.came = anyio.Event()
            try:
                done = await run_in_threadpool(session.work)
            except VestiaryError as error:
                await socket.send_json({"error": error.as_dict()})
                if error.code == "unsuitable":
                    await socket.close(_POLICY, error.code)
                    return
                continue
            if done is not None:
                last = time.monotonic()
                await socket.send_text(done[0].model_dump_json())
                await socket.send_bytes(done[1])
    except (WebSocketDisconnect, RuntimeError):  # gone while we sent
        return


def _order(text: str) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict) or not told.keys() & {"garments", "garment", "next", "previous"}:
        raise OptionError("that is no order.", hint='Send {"garments": […]}, {"garment": "g_…"} or {"next": true}.')
    return told
