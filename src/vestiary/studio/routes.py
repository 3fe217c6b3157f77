"""What the studio adds to the service besides its files: the samples, and a blind rating where one was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vestiary.studio.samples import samples_router

if TYPE_CHECKING:
    from fastapi import FastAPI

    from vestiary.evaluation.rating import Poll

FOLDER = Path(__file__).parent  # index.html, page/ and what other parts of the page live beside it


def studio_routes(app: FastAPI) -> None:
    """Add the sample people and garments; the files of `FOLDER` are mounted by the app itself."""
    app.include_router(samples_router())


def rating_routes(app: FastAPI, poll: Poll) -> None:
    """Add the questions, pictures and votes of a poll; its page is at `/#/rate`."""
    from vestiary.studio.rating import rating_router

    app.router.routes[:0] = rating_router(poll).routes  # before the files, which answer every other address
