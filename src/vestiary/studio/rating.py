"""A blind rating over HTTP: the questions of a `vestiary.evaluation.rating.Poll`, for the studio's page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from vestiary.errors import ForbiddenError
from vestiary.evaluation.rating import Choice, Poll

RATER = Query("anonymous", max_length=60)


class Vote(BaseModel):
    """An answer to one question."""

    rater: str = Field("anonymous", max_length=60)
    index: int
    answer: Choice | int
    seconds: float | None = None


def rating_router(poll: Poll) -> APIRouter:
    """Routes `/studio-rating/question`, `/picture` and `/vote`; no answer tells whose picture it is."""
    router = APIRouter(prefix="/studio-rating", include_in_schema=False)

    @router.get("/question")
    def question(rater: str = RATER) -> dict[str, Any]:
        index, total = poll.next_index(rater), len(poll.order(rater))
        done = index >= total
        shown = [] if done else list(poll.question(rater, index).references)
        return {"done": done, "index": index, "total": total, "mode": poll.mode, "references": shown}

    @router.get("/picture")
    def picture(index: int, which: str, rater: str = RATER) -> FileResponse:
        found = poll.question(rater, index)
        files: dict[str, Path | None] = {"left": found.left, "right": found.right, **found.references}
        file = files.get(which)
        if file is None:
            raise HTTPException(404)
        return FileResponse(file, headers={"Cache-Control": "no-store"})

    @router.post("/vote")
    def vote(given: Vote, request: Request) -> dict[str, bool]:
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise ForbiddenError("only the studio's own page may vote.")
        poll.vote(given.rater, given.index, given.answer, seconds=given.seconds)
        return {"kept": True}

    return router
