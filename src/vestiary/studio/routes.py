"""Mounts the studio on the service: the page at `/`, its files under `/studio/`, the samples under `/studio-samples/`."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from vestiary.studio.samples import samples_router

if TYPE_CHECKING:
    from fastapi import FastAPI

HERE = Path(__file__).parent
SERVED = frozenset({".html", ".js", ".css", ".svg", ".txt", ".webmanifest", ".png", ".jpg"})
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class _Files(StaticFiles):
    """The package's folder without its Python; a browser asks each time whether a file has changed."""

    async def get_response(self, path: str, scope: MutableMapping[str, Any]) -> Response:
        if Path(path).suffix not in SERVED:
            raise HTTPException(404)
        answer = await super().get_response(path, scope)
        answer.headers["Cache-Control"] = "no-cache"
        return answer


def studio_routes(app: FastAPI) -> None:
    """Add the studio's page, its files and the sample people and garments to a service."""

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        headers = {
            "Cache-Control": "no-cache",
            "Content-Security-Policy": POLICY,
            "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
            "Referrer-Policy": "no-referrer",
        }
        return FileResponse(HERE / "page" / "index.html", media_type="text/html", headers=headers)

    app.include_router(samples_router())
    app.mount("/studio", _Files(directory=HERE), name="studio")
