"""`/button.js`: the button that shops put on their pages, one script made of the four files of `studio/button`."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response

import vestiary

router = APIRouter()
FOLDER = Path(vestiary.__file__).parent / "studio" / "button"
_FILES = ("words.js", "looks.js", "room.js", "element.js")


@cache
def script() -> bytes:
    """The whole button as one classic script, which leaves no name but `vestiary-try-on` in the shop's page."""
    parts = [(FOLDER / name).read_text(encoding="utf-8") for name in _FILES]
    return ('(() => {\n"use strict";\n' + "\n".join(parts) + "})();\n").encode()


@router.get("/button.js", include_in_schema=False)
def button(request: Request) -> Response:
    """The script; a browser keeps it for an hour, then asks whether it has changed."""
    tag = f'"{hashlib.sha256(script()).hexdigest()[:16]}"'
    headers = {"Cache-Control": "public, max-age=3600", "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(script(), media_type="text/javascript; charset=utf-8", headers=headers)
