"""The HTTP service: one FastAPI app over one `Service`."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import anyio
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware

import vestiary
from vestiary.serve import (
    problems,
    routes_button,
    routes_fittings,
    routes_garments,
    routes_people,
    routes_rest,
    sockets,
)
from vestiary.serve.bodies import Bodies
from vestiary.serve.finish import check_signing
from vestiary.serve.gate import Armour, Gate
from vestiary.serve.idempotency import Ledger
from vestiary.serve.keys import Keys
from vestiary.serve.metrics import Measured, Metrics
from vestiary.serve.mirror import mirror_routes
from vestiary.serve.rates import Rates
from vestiary.serve.rpc import serve_rpc
from vestiary.serve.security import SESSION_HEADER
from vestiary.serve.settings import Settings
from vestiary.serve.wardrobe import MOST_WAITING

if TYPE_CHECKING:
    from vestiary.serve.service import Service

_ROUTERS = (
    routes_people.router,
    routes_garments.router,
    routes_fittings.router,
    routes_rest.router,
    sockets.router,
    routes_button.router,
)
_THREADS = MOST_WAITING + 40  # those of requests; photos that wait for their turn must leave some to the others
_LAST_SECONDS = 2.0  # that gRPC calls under way get when all fittings have ended
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
        UnavailableError: the database, the storage or Redis cannot be reached.
        OptionError: signing key and certificate cannot sign.
    """
    check_signing(settings)
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
    app.state.rpc = None
    app.state.settings = settings
    app.state.ledger = Ledger(service.database)
    app.state.keys = Keys(service.database)
    app.state.metrics = Metrics(service)
    app.state.rates = Rates(settings.redis, settings.rate_per_minute)
    problems.add_handlers(app)
    for router in _ROUTERS:
        app.include_router(router)
    mirror_routes(app, service)
    if settings.studio:
        from vestiary.studio.routes import studio_routes

        studio_routes(app)
    _guard(app, settings)
    return app


def _guard(app: FastAPI, settings: Settings) -> None:
    """What every request passes; the last one added is the outermost."""
    app.add_middleware(Bodies, settings=settings)
    app.add_middleware(Gate, settings=settings, keys=app.state.keys, rates=app.state.rates)
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
    settings: Settings = app.state.settings
    anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
    await run_in_threadpool(service.start)
    try:
        if settings.grpc_port is not None:
            app.state.rpc = await run_in_threadpool(serve_rpc, service, settings, app.state.keys, app.state.rates)
        yield
    finally:
        await run_in_threadpool(service.drain)
        if app.state.rpc is not None:
            await run_in_threadpool(app.state.rpc.stop, _LAST_SECONDS)
        await run_in_threadpool(service.close)
