"""What every request passes before its body is read: host, origin, caller, rate."""

from __future__ import annotations

import logging
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from vestiary.errors import UnauthorizedError, VestiaryError
from vestiary.serve import problems
from vestiary.serve.rates import Rates
from vestiary.serve.security import (
    Caller,
    KeyRing,
    check_host,
    check_origin,
    identify,
    page_headers,
)
from vestiary.serve.settings import Settings

log = logging.getLogger("vestiary.serve")
_GUARDED = ("/v1/", "/metrics")


class Gate:
    """ASGI: lets through whom it knows, as often as they may."""

    def __init__(self, app: ASGIApp, settings: Settings, keys: KeyRing, rates: Rates) -> None:
        self.app, self.settings, self.keys, self.rates = app, settings, keys, rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        try:
            await self._check(scope)
        except VestiaryError as error:
            await _refuse(error, scope, receive, send)
            return
        await self.app(scope, receive, send)

    async def _check(self, scope: Scope) -> None:
        connection = HTTPConnection(scope)
        check_host(connection.headers, self.settings)
        method = scope.get("method", "WEBSOCKET")
        check_origin(connection.headers, self.settings, method)
        if not scope["path"].startswith(_GUARDED) or method == "OPTIONS":
            return
        scope.setdefault("state", {})["caller"] = await run_in_threadpool(self._caller, connection)

    def _caller(self, connection: HTTPConnection) -> Caller:
        address = connection.client.host if connection.client else "unknown"
        try:
            caller = identify(connection, self.settings, self.keys)
        except UnauthorizedError:
            self.rates.count(f"address:{address}")  # so that keys are not tried one after the other
            raise
        self.rates.count(caller.limited_as, caller.rate)
        return caller


class Armour:
    """ASGI, outermost: security headers on every answer; faults become 500 without a word of their inside."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.headers = page_headers(settings.cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def dressed(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self.app(scope, receive, dressed)
        except Exception as error:
            log.exception("a fault in %s %s", scope["method"], route_of(scope))
            if begun:
                raise
            await _answer_fault(error)(scope, receive, dressed)


def _answer_fault(error: Exception) -> Any:
    if isinstance(error, OSError) and error.errno == 28:
        return problems.plain(507, "output", "the disk of the service is full.", "Try again later.")
    return problems.plain(500, "internal", "the service failed at this request.", "It is logged there; try again.")


def route_of(scope: Scope) -> str:
    """The pattern of the route, such as `/v1/people/{id}`, never the path with its ids."""
    route = scope.get("route")
    return str(getattr(route, "path", None) or "other")


async def _refuse(error: VestiaryError, scope: Scope, receive: Receive, send: Send) -> None:
    response = problems.as_response(error)
    if scope["type"] == "http":
        response.headers["Connection"] = "close"  # the body that is not read may still be on its way
        await response(scope, receive, send)
        return
    socket = WebSocket(scope, receive, send)
    await socket.receive()
    await socket.send_denial_response(response)
