"""Requests that arrive once: sent again when the service is busy or away, and its errors raised as our own classes."""

from __future__ import annotations

import json
import os
import random
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import httpx

from vestiary.errors import BusyError, ImageError, InputError, UnavailableError, VestiaryError

Photo = str | os.PathLike[str] | bytes | IO[bytes]


@dataclass(frozen=True)
class Upload:
    """A part of a form that is a file."""

    photo: Photo


Form = Sequence[tuple[str, str | Upload]]

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 8.0
_jitter = random.Random()  # spreads the retries of many clients; nothing that is computed depends on it


@dataclass(frozen=True)
class Retries:
    """How long a client bears with a service that is busy or away.

    Attributes:
        attempts: how often a request is sent at most.
        longest: seconds in one pause; when the service asks for a longer one, its error is raised at once.
    """

    attempts: int = 5
    longest: float = 30.0


class Transport:
    """Sends requests of one client; safe to use from several threads.

    Every request that changes something carries an `Idempotency-Key`, the same one each time it is sent again, so the
    service does it once, also when its first answer was lost on the way.
    """

    def __init__(
        self, base_url: str, key: str | None, timeout: float, retries: Retries, http: httpx.Client | None
    ) -> None:
        self.retries = retries
        self.base_url = base_url.rstrip("/")
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._own = http is None
        self._http = http or httpx.Client(timeout=timeout, follow_redirects=False)

    def close(self) -> None:
        if self._own:
            self._http.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        form: Form = (),
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        once: str | None = None,
        query: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """The service's answer, 2xx.

        Args:
            method: of HTTP.
            path: below the service's address, such as `/v1/people`.
            form: names and values, in their order.
            json: a body instead of a form.
            headers: besides those of every request.
            once: the idempotency key; one is made up for requests that change something.
            query: parameters in the URL.

        Raises:
            VestiaryError: the very class that the service raised.
            UnavailableError: the service could not be reached.
        """
        every = {**self.headers, **(headers or {})}
        if method != "GET":
            every["Idempotency-Key"] = once or uuid.uuid4().hex
        content = [(name, _part(value)) for name, value in form]
        parameters = dict(query or {})
        for attempt in range(1, self.retries.attempts + 1):
            error: VestiaryError
            try:
                answer = self._http.request(
                    method, self.base_url + path, headers=every, json=json, params=parameters, files=content or None
                )
            except httpx.TransportError as problem:
                error = _unreachable(self.base_url, problem)
                pause: float | None = None
            else:
                if answer.is_success:
                    return answer
                error, pause = error_of(answer), _asked_pause(answer)
            pause = _backoff(attempt) if pause is None else pause
            passing = isinstance(error, (BusyError, UnavailableError))
            if not passing or attempt == self.retries.attempts or pause > self.retries.longest:
                raise error
            time.sleep(pause)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def error_from(code: str, message: str, hint: str, *, status: int = 500, retry_after: float = 1.0) -> VestiaryError:
    """The error of that code; for a code that this version does not know, the nearest class by HTTP status."""
    kind = next((kind for kind in _kinds(VestiaryError) if kind.code == code), _nearest(status))
    if issubclass(kind, BusyError):
        return kind(message, hint=hint, retry_after=retry_after)
    return kind(message, hint=hint)


def error_of(answer: httpx.Response) -> VestiaryError:
    """What an answer that is not 2xx says, as one of `vestiary.errors`."""
    return error_told(answer.status_code, answer.content, _asked_pause(answer))


def error_told(status: int, body: bytes, pause: float | None = None) -> VestiaryError:
    """What the body of an answer says, or its status alone where the body is not the service's."""
    try:
        told = json.loads(body)["error"]
        code, message, hint = str(told["code"]), str(told["message"]), str(told.get("hint", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        code, message, hint = "", f"the service answered with {status}.", ""
    return error_from(code, message, hint, status=status, retry_after=1.0 if pause is None else pause)


def read_photo(photo: Photo) -> bytes:
    """The bytes of a photo.

    Raises:
        ImageError: no such file, or it cannot be read.
    """
    if isinstance(photo, bytes):
        return photo
    if isinstance(photo, (str, os.PathLike)):
        try:
            return Path(photo).read_bytes()
        except OSError as problem:
            hint = f"Check the name; the current folder is {Path.cwd()}."
            raise ImageError(
                f"{os.fspath(photo)} cannot be read: {str(problem.strerror).lower()}.", hint=hint
            ) from problem
    return photo.read()


def _part(value: str | Upload) -> tuple[Any, ...]:
    # All in one list, plain fields as parts without a file name: that keeps the order in which garments are put on.
    return (
        ("photo", read_photo(value.photo), "application/octet-stream") if isinstance(value, Upload) else (None, value)
    )


def _kinds(kind: type[VestiaryError]) -> list[type[VestiaryError]]:
    """The classes of `vestiary.errors`; other modules have finer ones with the same code, which never travel."""
    deeper = [each for child in kind.__subclasses__() for each in _kinds(child)]
    return [kind, *(each for each in deeper if each.__module__ == kind.__module__)]


def _nearest(status: int) -> type[VestiaryError]:
    if status == 429:
        return BusyError
    if status in (502, 503, 504):
        return UnavailableError
    return InputError if 400 <= status < 500 else VestiaryError


def _asked_pause(answer: httpx.Response) -> float | None:
    try:
        return max(0.0, float(answer.headers["Retry-After"]))
    except (KeyError, ValueError):
        return None


def _backoff(attempt: int) -> float:
    return min(_FIRST_PAUSE * 2.0 ** (attempt - 1), _LONGEST_PAUSE) * _jitter.uniform(0.5, 1.0)


def _unreachable(base_url: str, problem: httpx.TransportError) -> UnavailableError:
    reason = str(problem) or type(problem).__name__
    hint = "Start one with `vestiary serve`, or check the address."
    return UnavailableError(f"the service at {base_url} cannot be reached: {reason}.", hint=hint)
