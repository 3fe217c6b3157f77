"""Puts the studio on the service: its page and files at `/`, the samples, and a blind rating where one is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from vestiary.serve.security import COOKIE, new_session
from vestiary.studio.samples import samples_router

if TYPE_CHECKING:
    from fastapi import FastAPI

    from vestiary.evaluation.rating import Poll

FOLDER = Path(__file__).parent  # index.html, page/ and what other parts of the page live beside it
SERVED = frozenset({".html", ".js", ".css", ".svg", ".txt", ".webmanifest", ".png", ".jpg"})
_COOKIE_SECONDS = 30 * 24 * 3600


def studio_routes(app: FastAPI) -> None:
    """Add samples and page; call it after all other routes, for the page's files answer every other address."""
    app.include_router(samples_router())
    app.mount("/", StudioPage(directory=FOLDER, html=True), name="studio")


def rating_routes(app: FastAPI, poll: Poll) -> None:
    """Add the questions, pictures and votes of a poll; its page is at `/#/rate`, and the menu names it."""
    from vestiary.studio.rating import rating_router

    app.state.rating = True
    app.router.routes[:0] = rating_router(poll).routes  # before the files


class StudioPage(StaticFiles):
    """The studio's files. Who opens the page gets an anonymous session, a cookie that scripts cannot read."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        if Path(path).suffix not in SERVED and path != ".":  # the folder is a package as well
            raise HTTPException(404)
        response = await super().get_response(path, scope)
        if response.status_code == 200 and response.media_type == "text/html":
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
