"""What every call passes: who calls and how often; and how errors of ours become status codes."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import grpc

from vestiary.errors import BusyError, ForbiddenError, UnauthorizedError, UnavailableError, VestiaryError
from vestiary.serve.rates import Rates
from vestiary.serve.security import PAGE, SCOPES, Caller, KeyRing, check_scope
from vestiary.serve.settings import Settings

log = logging.getLogger("vestiary.serve")
_BY_STATUS = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    406: grpc.StatusCode.INVALID_ARGUMENT,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    409: grpc.StatusCode.FAILED_PRECONDITION,
    413: grpc.StatusCode.INVALID_ARGUMENT,
    415: grpc.StatusCode.INVALID_ARGUMENT,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    451: grpc.StatusCode.FAILED_PRECONDITION,
    499: grpc.StatusCode.CANCELLED,
    500: grpc.StatusCode.INTERNAL,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
    507: grpc.StatusCode.RESOURCE_EXHAUSTED,
}


class Guard:
    """Lets through whom it knows, as often as they may."""

    def __init__(self, settings: Settings, keys: KeyRing | None, rates: Rates) -> None:
        self._settings, self._keys, self._rates = settings, keys, rates

    def owner(self, context: Any, scope: str) -> str:
        """Whose things this call is about.

        Raises:
            UnauthorizedError: no key where one is needed, or a wrong one, or one that is for pages.
            ForbiddenError: the key lacks the scope.
            BusyError: more calls than this caller may make in a minute.
        """
        try:
            caller = self._identify(_key(context))
        except UnauthorizedError:
            self._rates.count(f"address:{_address(context)}")  # so that keys are not tried one after the other
            raise
        self._rates.count(caller.limited_as or f"address:{_address(context)}", caller.rate)
        check_scope(caller, scope)
        return caller.owner

    def _identify(self, secret: str | None) -> Caller:
        if secret is None:
            if self._settings.needs_keys:
                hint = "Send the metadata 'authorization: Bearer KEY'; `vestiary keys create NAME` makes a key."
                raise UnauthorizedError("this service needs a key.", hint=hint)
            return Caller("local", frozenset(SCOPES), "")
        key = self._keys.find(secret) if self._keys is not None else None
        if key is None:
            hint = "Check it for missing characters, or make a new one with `vestiary keys create NAME`."
            raise UnauthorizedError("the key is wrong or was revoked.", hint=hint)
        if PAGE in key.scopes:
            raise ForbiddenError("this key is for pages.", hint="Make one for programs: vestiary keys create NAME")
        return Caller(f"key:{key.id}", frozenset(key.scopes), f"key:{key.id}", key.rate)


@contextlib.contextmanager
def told(context: Any) -> Iterator[None]:
    """Errors as a status: ours with code, message and hint in the trailing metadata, faults without their inside."""
    try:
        yield
    except VestiaryError as error:
        context.set_trailing_metadata(_metadata(error))
        context.abort(_BY_STATUS.get(error.http_status, grpc.StatusCode.UNKNOWN), error.message)
    except Exception:
        if not context.is_active() or context.code() is not None:  # gone, or aborted: that is told by an exception too
            raise
        log.exception("a fault in a gRPC call")
        message, hint = "the service failed at this request.", "It is logged there; try again."
        context.set_trailing_metadata(_words("internal", message, hint))
        context.abort(grpc.StatusCode.INTERNAL, message)


def _metadata(error: VestiaryError) -> tuple[tuple[str, str | bytes], ...]:
    words = _words(error.code, error.message, error.hint)
    if isinstance(error, BusyError):
        return (*words, ("retry-after", str(max(1, math.ceil(error.retry_after)))))
    return (*words, ("retry-after", "5")) if isinstance(error, UnavailableError) else words


def _words(code: str, message: str, hint: str) -> tuple[tuple[str, str | bytes], ...]:
    return (
        ("vestiary-code", code),
        ("vestiary-message-bin", message.encode()),
        ("vestiary-hint-bin", hint.encode()),
    )


def _key(context: Any) -> str | None:
    given = dict(context.invocation_metadata()).get("authorization")
    if given is None:
        return None
    scheme, _, secret = str(given).partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise UnauthorizedError("the authorization metadata holds no key.", hint="Send 'authorization: Bearer KEY'.")
    return secret.strip()


def _address(context: Any) -> str:
    """The caller's address as HTTP has it, from `ipv4:1.2.3.4:5` or `ipv6:[::1]:5`, escaped or not."""
    _, _, place = unquote(str(context.peer())).partition(":")
    return place.rpartition(":")[0].strip("[]")
