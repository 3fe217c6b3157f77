"""Who calls, and may they: keys, anonymous sessions, other people's pages, other people's names for this machine."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Annotated, Any, Protocol
from urllib.parse import urlsplit

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from vestiary.errors import ForbiddenError, UnauthorizedError
from vestiary.serve.settings import LOCAL_HOSTS, Settings

SCOPES = ("read", "write", "delete", "metrics")
PAGE = "page"  # of a key that is written into a web page: it works only together with a session of one visitor
COOKIE = "vestiary_session"
SESSION_HEADER = "Vestiary-Session"
_SESSION = re.compile(r"[A-Za-z0-9_-]{32,128}")
_PROTOCOL_KEY, _PROTOCOL_SESSION = "vestiary.key.", "vestiary.session."


@dataclass(frozen=True)
class Caller:
    """Who calls.

    Attributes:
        owner: whose people, garments and fittings these are: "local", "key:<id>", "key:<id>/<hash>" (one visitor of
            a page that holds the key), or "session:<hash>".
        scopes: what the caller may do.
        limited_as: what the rate limit counts by.
        rate: requests a minute, where the key has a rate of its own.
    """

    owner: str
    scopes: frozenset[str]
    limited_as: str
    rate: int | None = None


class KeyRing(Protocol):
    """Where keys are looked up."""

    def find(self, secret: str) -> Any: ...


def new_session() -> str:
    """The name of a new anonymous session: 256 random bits, which nobody can guess and nothing is stored of."""
    return secrets.token_urlsafe(32)


def identify(connection: HTTPConnection, settings: Settings, keys: KeyRing) -> Caller:
    """Who calls, from the Authorization header, the session header or cookie, or the lack of both.

    A session is not looked up anywhere: its hash is the owner, so only who knows the 256 bits reaches what it owns.

    Raises:
        UnauthorizedError: a key is needed and none was given; or a wrong or revoked one was given.
    """
    address = connection.client.host if connection.client else "unknown"
    protocols = _protocols(connection.headers)
    secret = _bearer(connection.headers) or protocols.get(_PROTOCOL_KEY)
    session = _valid(connection.headers.get(SESSION_HEADER) or protocols.get(_PROTOCOL_SESSION))
    if secret is not None:
        return _with_key(secret, session, keys)
    if session is None and settings.studio:
        session = _valid(_cookie(connection.headers))
    open_to_all = not settings.needs_keys
    if session is not None and (open_to_all or settings.studio):
        allowed = SCOPES if open_to_all else SCOPES[:3]
        return Caller(f"session:{_digest(session)}", frozenset(allowed), f"address:{address}")
    if open_to_all:
        return Caller("local", frozenset(SCOPES), f"address:{address}")
    hint = "Send the header 'Authorization: Bearer KEY'; `vestiary keys create NAME` makes a key."
    raise UnauthorizedError("this service needs a key.", hint=hint)


def _with_key(secret: str, session: str | None, keys: KeyRing) -> Caller:
    key = keys.find(secret)
    if key is None:
        hint = "Check it for missing characters, or make a new one with `vestiary keys create NAME`."
        raise UnauthorizedError("the key is wrong or was revoked.", hint=hint)
    owner = f"key:{key.id}"
    if PAGE in key.scopes and session is None:
        hint = f"Send {SESSION_HEADER} with 32 to 128 random letters and digits, one value for each visitor."
        raise UnauthorizedError("this key is for pages and needs the visitor's session.", hint=hint)
    if session is not None:
        owner += f"/{_digest(session)}"
    return Caller(owner, frozenset(key.scopes), f"key:{key.id}", key.rate)


def _bearer(headers: Headers) -> str | None:
    given = headers.get("authorization")
    if given is None:
        return None
    scheme, _, secret = given.partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise UnauthorizedError("the Authorization header holds no key.", hint="Send 'Authorization: Bearer KEY'.")
    return secret.strip()


def _protocols(headers: Headers) -> dict[str, str]:
    """Key and session of a browser's WebSocket, which can set no header but Sec-WebSocket-Protocol."""
    offered = [item.strip() for item in headers.get("sec-websocket-protocol", "").split(",")]
    marks = (_PROTOCOL_KEY, _PROTOCOL_SESSION)
    return {mark: item.removeprefix(mark) for item in offered for mark in marks if item.startswith(mark)}


def _cookie(headers: Headers) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return found.value if found else None


def _valid(session: str | None) -> str | None:
    return session if session and _SESSION.fullmatch(session) else None


def _digest(session: str) -> str:
    return hashlib.sha256(session.encode()).hexdigest()[:32]


def check_host(headers: Headers, settings: Settings) -> None:
    """Refuse names that a local service does not have (DNS rebinding: a page's own name made to point here).

    Raises:
        ForbiddenError: the Host header names something else than this machine.
    """
    if settings.is_local and _host(headers.get("host", "")) not in LOCAL_HOSTS:
        hint = f"Open http://{settings.host}:{settings.port}, or start the service with --host."
        raise ForbiddenError("this service answers to localhost only.", hint=hint)


def check_origin(headers: Headers, settings: Settings, method: str) -> None:
    """Refuse what a page of somebody else makes a browser send here.

    Browsers say where a request comes from (Origin, Sec-Fetch-Site) and pages cannot change that. Reading across
    origins is refused by the browser itself unless CORS allows it; writing and WebSockets have to be refused here.

    Raises:
        ForbiddenError: the page's origin is neither this service nor among `cors_origins`.
    """
    if method in ("GET", "HEAD", "OPTIONS"):
        return
    origin = headers.get("origin")
    if origin in settings.cors_origins or "*" in settings.cors_origins:
        return
    own = origin is None or urlsplit(origin).netloc == headers.get("host")
    if not own or headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        hint = "Start the service with --cors-origin ORIGIN for each page that may call it."
        raise ForbiddenError("pages of that origin may not call this service.", hint=hint)


def _host(value: str) -> str:
    """The name in a Host header, without port, brackets and a final dot."""
    try:
        return (urlsplit(f"//{value}").hostname or "").rstrip(".")
    except ValueError:
        return ""


_bearer_scheme = HTTPBearer(auto_error=False, description="An API key, see `vestiary keys`; not needed on localhost.")


def needs(scope: str) -> Callable[..., Caller]:
    """A dependency: the caller, who must have this scope.

    Raises:
        ForbiddenError: the caller has not.
    """

    def caller(request: Request, _: Annotated[object, Security(_bearer_scheme)]) -> Caller:
        found: Caller = request.state.caller  # put there by the gate, before the body was read
        check_scope(found, scope)
        return found

    return caller


def check_scope(caller: Caller, scope: str) -> None:
    """Raises ForbiddenError unless the caller has this scope."""
    if scope not in caller.scopes:
        hint = f"Make one with: vestiary keys create NAME --scope {scope}"
        raise ForbiddenError(f"the key lacks the scope {scope!r}.", hint=hint)


Reader = Annotated[Caller, Depends(needs("read"))]
Writer = Annotated[Caller, Depends(needs("write"))]
Deleter = Annotated[Caller, Depends(needs("delete"))]
Watcher = Annotated[Caller, Depends(needs("metrics"))]


def page_headers(origins: tuple[str, ...]) -> Mapping[str, str]:
    """Security headers of every answer; the content policy is that of the studio's page: only what comes from here."""
    policy = {
        "default-src": "'none'",
        "script-src": "'self' 'wasm-unsafe-eval'",
        "style-src": "'self'",
        "img-src": "'self' blob: data:",
        "media-src": "'self' blob:",
        "connect-src": "'self'",
        "worker-src": "'self' blob:",
        "manifest-src": "'self'",
        "font-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'self'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "cross-origin" if origins else "same-origin",
    }
