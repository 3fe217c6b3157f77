"""The HTTP service: one FastAPI app over one `Service`."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

import vestiary
from vestiary.serve import (
    problems,
    routes_fittings,
    routes_garments,
    routes_people,
    routes_rest,
    sockets,
)
from vestiary.serve.gate import Armour, Gate
from vestiary.serve.idempotency import Ledger
from vestiary.serve.keys import Keys
from vestiary.serve.metrics import Measured, Metrics
from vestiary.serve.security import COOKIE, SESSION_HEADER, new_session
from vestiary.serve.settings import Settings

if TYPE_CHECKING:
    from vestiary.serve.service import Service

_STUDIO = Path(vestiary.__file__).parent / "studio"
_COOKIE_SECONDS = 30 * 24 * 3600
_ROUTERS = (
    routes_people.router,
    routes_garments.router,
    routes_fittings.router,
    routes_rest.router,
    sockets.router,
)
_DESCRIPTION = """
Photos of people and of garments in, those people wearing those garments out.

Scan a person once (`POST /v1/people`), read a garment once (`POST /v1/garments`), then fit (`POST /v1/fittings`)
as often as you like. Pictures come in the format that the `Accept` header likes best; every error has the same shape.
"""


def create_app(settings: Settings, service: Service | None = None) -> FastAPI:
    """The app; its lifespan starts and closes the service.

    Args:
        settings: of the service.
        service: in place of a new one.

    Raises:
        UnavailableError: the database or the storage cannot be reached.
    """
    if service is None:
        from vestiary.serve.service import Service as Made

        service = Made(settings)
    app = FastAPI(
        title="Vestiary",
        version=vestiary.__version__,
        description=_DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=_lifespan,
        docs_url=None,  # its page would fetch scripts from elsewhere
        redoc_url=None,
    )
    app.state.service = service
    app.state.settings = settings
    app.state.ledger = Ledger(service.database)
    app.state.keys = Keys(service.database)
    app.state.metrics = Metrics(service)
    problems.add_handlers(app)
    for router in _ROUTERS:
        app.include_router(router)
    if settings.studio:
        from vestiary.studio.routes import studio_routes

        studio_routes(app)
        app.mount("/", StudioPage(directory=_STUDIO, html=True), name="studio")
    _guard(app, settings)
    return app


def _guard(app: FastAPI, settings: Settings) -> None:
    """What every request passes; the last one added is the outermost."""
    app.add_middleware(Gate, settings=settings, keys=app.state.keys)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", SESSION_HEADER],
            expose_headers=["Location", "Content-Location", "Retry-After", "Server-Timing", "Vestiary-Fitting"],
            max_age=600,
        )
    app.add_middleware(Measured, metrics=app.state.metrics)
    app.add_middleware(Armour, settings=settings)


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Any = app.state.service
    await run_in_threadpool(service.start)
    try:
        yield
    finally:
        await run_in_threadpool(service.close)


class StudioPage(StaticFiles):
    """The studio's files. Who opens a page gets an anonymous session, a cookie that scripts cannot read."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        if path.endswith((".py", ".pyc")):  # the folder is a package as well
            raise HTTPException(404)
        response = await super().get_response(path, scope)
        if response.status_code == 200 and cast(str, response.media_type or "") == "text/html":
            _give_session(response, scope)
        response.headers["Cache-Control"] = "no-cache"  # asked for each time, so that the parts of a page match
        return response


def _give_session(response: Response, scope: Scope) -> None:
    cookies = [value for name, value in scope["headers"] if name == b"cookie"]
    if not any(f"{COOKIE}=".encode() in value for value in cookies):
        secure = scope.get("scheme") == "https"
        response.set_cookie(
            COOKIE, new_session(), _COOKIE_SECONDS, path="/", httponly=True, samesite="strict", secure=secure
        )
