"""Errors as answers: one JSON shape for everything that can go wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as StarletteHTTPException

from vestiary.errors import BusyError, EngineError, TooLargeError, TooSlowError, UnavailableError, VestiaryError
from vestiary.serve.records import Problem

_RETRY_UNAVAILABLE = "5"  # seconds


class ErrorAnswer(BaseModel):
    """The body of every answer that is not 2xx."""

    error: Problem = Field(
        examples=[{"code": "person", "message": "nobody is seen in the photo.", "hint": "Use a photo of one person."}]
    )


_TOLD = {
    400: "The request cannot be read.",
    401: "A key is needed, and none or a wrong one was given.",
    403: "The key is not for this, or the page that asks may not.",
    404: "There is nothing of that name, or it is somebody else's, or it was deleted.",
    406: "No accepted picture format can be written.",
    408: "The upload came too slowly.",
    409: "Not in a state for this, or an idempotency key with another request.",
    413: "The upload is too large.",
    415: "The picture cannot be read.",
    422: "A field, an option or a photo that cannot serve.",
    429: "Too many requests, or too much work waits; `Retry-After` says for how many seconds.",
    451: "The licence of the engine's weights has not been accepted here.",
    500: "A fault of the service.",
    501: "Something optional is not installed here.",
    503: "The service cannot do this now.",
    507: "The disk of the service is full.",
}


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI descriptions of these errors and of those that every route may give."""
    every = sorted({401, 403, 422, 429, 500, 503, *statuses})
    return {status: {"model": ErrorAnswer, "description": _TOLD[status]} for status in every}


def as_response(error: VestiaryError) -> JSONResponse:
    """The answer that tells this error."""
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, BusyError):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    elif isinstance(error, UnavailableError):
        headers["Retry-After"] = _RETRY_UNAVAILABLE
    if isinstance(error, (TooLargeError, TooSlowError)):
        headers["Connection"] = "close"  # the rest of the body may still be on its way
    if error.http_status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    status = 409 if error.http_status == 499 else error.http_status  # 499 is for logs: nobody is left to read it
    return JSONResponse({"error": error.as_dict()}, status, headers)


def plain(status: int, code: str, message: str, hint: str = "", headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer for what is no `VestiaryError`."""
    told = {"Cache-Control": "no-store", **(headers or {})}
    return JSONResponse({"error": {"code": code, "message": message, "hint": hint}}, status, told)


def error_of(problem: Problem) -> VestiaryError:
    """The error that a record tells of; one of an unknown code is a fault of the engine."""
    kind = next((kind for kind in _kinds(VestiaryError) if kind.code == problem.code), EngineError)
    return kind(problem.message, hint=problem.hint)


def _kinds(kind: type[VestiaryError]) -> Iterator[type[VestiaryError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _kinds(child)


def add_handlers(app: FastAPI) -> None:
    """Let the app answer each error in the one shape."""
    app.add_exception_handler(VestiaryError, _own)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(StarletteHTTPException, _http)


def _own(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, VestiaryError)
    return as_response(error)


def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    return plain(
        422, "request", f"{name}: {str(first['msg']).lower()}.", "See /openapi.json for what each field takes."
    )


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StarletteHTTPException)
    cause = error.__cause__
    if isinstance(cause, VestiaryError):  # raised while the body was read
        return as_response(cause)
    words = HTTPStatus(error.status_code).phrase.lower()
    hint = "See /openapi.json for the paths and methods." if error.status_code in (404, 405) else ""
    if request.url.path == "/":
        hint = "The fitting room is here when the service is started with --studio. " + hint
    code = {404: "not-found", 405: "method"}.get(error.status_code, "request")
    message = (
        f"{request.method} {request.url.path}: {words}." if error.status_code in (404, 405) else f"{error.detail}."
    )
    return plain(error.status_code, code, message, hint, dict(error.headers or {}))
