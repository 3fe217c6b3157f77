"""The bodies of requests: not too large, and not too slow."""

from __future__ import annotations

import time

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vestiary.errors import TooLargeError, TooSlowError
from vestiary.serve import problems
from vestiary.serve.settings import Settings

_FORM = 64 * 1024  # of a body, besides the pictures in it


class Bodies:
    """ASGI: hands a body on as it comes, up to the limits of size and time."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self.settings = app, settings
        self.largest = int(settings.max_upload_mb * 1e6) + _FORM

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        told = Headers(scope=scope).get("content-length", "")
        if told.isdecimal() and int(told) > self.largest:
            await problems.as_response(self._too_large())(scope, receive, send)
            return
        await self.app(scope, self._measured(receive), send)

    def _measured(self, receive: Receive) -> Receive:
        """What has no or a false length is stopped while it is read; so is what dribbles in."""
        read, whole, until = 0, False, time.monotonic() + self.settings.upload_seconds

        async def measured() -> Message:
            nonlocal read, whole
            if whole:  # what comes now is that the caller hangs up, whenever
                return await receive()
            with anyio.move_on_after(max(0.0, until - time.monotonic())) as patience:
                message = await receive()
            if patience.cancelled_caught:
                raise TooSlowError(
                    f"the upload was not there within {self.settings.upload_seconds:g} s.",
                    hint="Send a smaller picture, or try again on a better line.",
                )
            read += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if read > self.largest:
                raise self._too_large()
            return message

        return measured

    def _too_large(self) -> TooLargeError:
        limit = f"{self.settings.max_upload_mb:g} MB"
        return TooLargeError(f"the upload is larger than {limit}.", hint="Scale the picture down, or save it as JPEG.")
