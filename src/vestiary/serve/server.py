"""uvicorn as the service runs it: stops in good order, waits for nobody without end, writes nobody's doings down."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import socket
import sys
import threading
import time
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from vestiary.errors import OutputError

if TYPE_CHECKING:
    from fastapi import FastAPI

logger = logging.getLogger(__name__)
HEAD_SECONDS = 15.0  # within which a connection must have sent the whole head of a request
GRACE_SECONDS = 10.0  # after `drain_seconds`, within which a process must have ended
_SAME_SECONDS = 0.5  # signals that come so soon after the first are the same one: `timeout` sends it twice
LAST_SECONDS = 5  # that answers under way get when all fittings have ended
MOST_CONNECTIONS = 512  # WebSockets among them; a process has 1,024 files as a rule
_UNREAD_MS = 60_000  # how long a peer may leave unread what was sent to it
_BACKLOG = 256
_SWITCH_SECONDS = 0.0005  # how long a thread keeps the interpreter while others wait: an engine gives it away in every
# one of its many short array operations, and with the usual 5 ms it waits longer to get it back than it computes
_BODIES = 2**22  # bytes of the largest WebSocket message


class Server(uvicorn.Server):
    """A stop (SIGTERM, Ctrl+C) lets what runs finish while new work is answered with 503; a second one ends at once.

    Takes at most `drain_seconds` and ten seconds more, and is no failure: the exit code is 0. What does not end by
    then, such as a thread in foreign code, is left: the queue knows what to do with work whose process is gone.
    """

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app
        self._asked = math.inf  # when the first signal came

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called by a signal."""
        now = time.monotonic()
        if now > self._asked + _SAME_SECONDS:
            _leave("asked again")
        if self._asked < math.inf:
            return
        self._asked = now
        threading.Thread(target=self._give_up, name="vestiary-end", daemon=True).start()
        threading.Thread(target=self._drain, name="vestiary-drain", daemon=True).start()

    def _give_up(self) -> None:
        time.sleep(self._app.state.settings.drain_seconds + GRACE_SECONDS)
        _leave("it is time")

    def _drain(self) -> None:
        try:
            if self._app.state.rpc is not None:
                self._app.state.rpc.leave()
            self._app.state.service.drain()
        finally:
            self.should_exit = True


def _leave(why: str) -> NoReturn:
    """End this process at once, whatever its threads do."""
    try:
        others = [thread.name for thread in threading.enumerate() if thread is not threading.current_thread()]
        logger.warning("%s: the process ends in the middle of %s", why, ", ".join(others))
    finally:
        os._exit(0)


class ImpatientProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """Closes connections on which the head of a request is not there in time; uvicorn would wait for ever."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_busy():
            self._forget()
        elif self._timer is None:
            self._timer = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        is_socket = self.transport.get_protocol() is not self  # it has become a WebSocket
        if not is_socket and not self._is_busy() and self.timeout_keep_alive_task is None:
            self.transport.close()


def run(app: FastAPI, door: socket.socket, *, verbose: bool = False) -> None:
    """Serve on a socket of `listen` until stopped."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    Server(config(app, verbose=verbose), app).run(sockets=[door])


def config(app: FastAPI, *, verbose: bool) -> uvicorn.Config:
    """How uvicorn runs: its own access log is off, since it would write ids, queries and addresses."""
    return uvicorn.Config(
        app,
        http=ImpatientProtocol,
        log_config=_logging(verbose),
        access_log=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=LAST_SECONDS,
        timeout_keep_alive=15,
        ws_max_size=_BODIES,
        h11_max_incomplete_event_size=64 * 1024,
    )


def listen(host: str, port: int) -> socket.socket:
    """The socket on which the service listens.

    Raises:
        OutputError: the address is taken, or none of this machine's.
    """
    try:
        family, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        door = socket.socket(family, socket.SOCK_STREAM)
    except OSError as problem:
        raise OutputError(f"{host} is no address of this machine: {problem}.", hint="Give another --host.") from None
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; what is accepted inherits it
            door.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MS)
        door.bind(place)
        door.listen(_BACKLOG)
    except OSError as problem:
        door.close()
        reason = (problem.strerror or str(problem)).lower()
        raise OutputError(f"{host}:{port} cannot be listened on: {reason}.", hint="Give another --port.") from None
    return door


def _logging(verbose: bool) -> dict[str, Any]:
    """What is written on standard error: faults and warnings; requests only when asked for."""
    plain = {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}
    handler = {"class": "logging.StreamHandler", "formatter": "plain", "stream": "ext://sys.stderr"}
    levels = {"uvicorn": "WARNING", "vestiary": "WARNING", "vestiary.access": "INFO" if verbose else "WARNING"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": plain},
        "handlers": {"plain": handler},
        "loggers": {
            name: {"handlers": ["plain"], "level": level, "propagate": False} for name, level in levels.items()
        },
    }
