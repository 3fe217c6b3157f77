"""The sample people and garments over HTTP: a list, the photos, and small cut-outs for the wall."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any, Literal

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import FileResponse, Response

from vestiary import samples

Kind = Literal["people", "garments"]
THUMB = 360  # pixels of the longer side
FINE = 2  # the outline is filled at this scale and averaged, for a soft edge
_KEPT = {"Cache-Control": "public, max-age=86400"}


def samples_router() -> APIRouter:
    """Routes `/studio-samples`, `/studio-samples/{kind}/{name}` and `/studio-samples/{kind}/{name}/thumb`."""
    router = APIRouter(prefix="/studio-samples", include_in_schema=False)

    @router.get("")
    def every(request: Request) -> dict[str, Any]:
        facts = samples.garment_facts()
        people = [_entry("people", name) for name in samples.people()]
        garments = [
            {**_entry("garments", name), "category": facts.get(name, {}).get("category", "top")}
            for name in samples.garments()
        ]
        return {"people": people, "garments": garments, "rating": getattr(request.app.state, "rating", False)}

    @router.get("/{kind}/{name}")
    def photo(kind: Kind, name: str) -> FileResponse:
        found = _known(kind).get(name)
        if found is None:
            raise HTTPException(404)
        return FileResponse(found, headers=_KEPT)

    @router.get("/{kind}/{name}/thumb")
    def thumb(kind: Kind, name: str) -> Response:
        if name not in _known(kind):
            raise HTTPException(404)
        return Response(_thumb(kind, name), media_type="image/webp", headers=_KEPT)

    return router


def _known(kind: Kind) -> dict[str, Any]:
    return samples.people() if kind == "people" else samples.garments()


def _entry(kind: Kind, name: str) -> dict[str, Any]:
    place = f"/studio-samples/{kind}/{name}"
    return {"name": name, "photo": place, "thumb": f"{place}/thumb"}


@lru_cache(maxsize=64)
def _thumb(kind: Kind, name: str) -> bytes:
    """A small WebP: of a drawn garment only the garment, by its exact outline."""
    import PIL.Image
    import PIL.ImageDraw

    with PIL.Image.open(_known(kind)[name]) as opened:
        picture = opened.convert("RGBA")
    outline = samples.garment_facts().get(name, {}).get("outline") if kind == "garments" else None
    if outline and picture.getchannel("A").getextrema() == (255, 255):  # one that has an alpha of its own keeps it
        mask = PIL.Image.new("L", (picture.width * FINE, picture.height * FINE))
        PIL.ImageDraw.Draw(mask).polygon([(x * FINE, y * FINE) for x, y in outline], fill=255)
        picture.putalpha(mask.resize(picture.size, PIL.Image.Resampling.BOX))
    box = picture.getchannel("A").getbbox()
    picture = picture.crop(box) if box else picture
    picture.thumbnail((THUMB, THUMB), PIL.Image.Resampling.LANCZOS)
    written = io.BytesIO()
    picture.save(written, "WEBP", quality=82, method=2)
    return written.getvalue()
