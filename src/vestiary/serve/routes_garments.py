"""`/v1/garments`: photos of garments, read once for many fittings."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, Form, Request, Response, UploadFile

from vestiary.serve.doors import PICTURE, Book, House, IdempotencyKey, KeepHours, show
from vestiary.serve.idempotency import digest
from vestiary.serve.problems import answers
from vestiary.serve.records import GarmentRecord
from vestiary.serve.security import Deleter, Reader, Writer
from vestiary.serve.uploads import read_photo
from vestiary.types import Category

router = APIRouter(prefix="/v1/garments", tags=["garments"], responses=answers())


@router.post("", status_code=201, summary="Read a photo", responses=answers(400, 408, 409, 413, 415, 507))
def add_garment(
    response: Response,
    caller: Writer,
    house: House,
    ledger: Book,
    photo: Annotated[UploadFile | None, File(description="A photo of one garment, lying, hanging or worn.")] = None,
    photo_url: Annotated[
        str | None, Form(max_length=2000, description="Instead of a file: an https address on the allow-list.")
    ] = None,
    category: Annotated[Category | None, Form(description="What it is, where the caller knows better.")] = None,
    keep_hours: KeepHours = None,
    idempotency_key: IdempotencyKey = None,
) -> GarmentRecord:
    """The garment in a photo, cut out, upright and measured. Its id serves any number of fittings until it expires."""
    data = read_photo(house.settings, photo, photo_url)
    asked = digest("garments", data, category, keep_hours)

    def make() -> str:
        record: GarmentRecord = house.add_garment(caller.owner, data, category=category, keep_hours=keep_hours)
        return record.id

    id = ledger.once(caller.owner, idempotency_key, asked, make)
    response.headers["Location"] = f"/v1/garments/{id}"
    record: GarmentRecord = house.garment(caller.owner, id)
    return record


@router.get("", summary="List mine")
def list_garments(caller: Reader, house: House) -> list[GarmentRecord]:
    """All garments that the caller has here."""
    found: list[GarmentRecord] = house.garments(caller.owner)
    return found


@router.get("/{id}", summary="One", responses=answers(404))
def get_garment(id: str, caller: Reader, house: House) -> GarmentRecord:
    """What is known of a garment."""
    record: GarmentRecord = house.garment(caller.owner, id)
    return record


@router.delete("/{id}", status_code=204, summary="Delete", responses=answers(404))
def delete_garment(id: str, caller: Deleter, house: House) -> None:
    """Delete the photo and the cut-out."""
    house.delete_garment(caller.owner, id)


@router.get("/{id}/picture", summary="The cut-out", response_class=Response, responses={**answers(404), **PICTURE})
def garment_picture(id: str, request: Request, caller: Reader, house: House) -> Response:
    """The garment cut out, transparent around it: PNG, WebP, AVIF or JPEG XL."""
    return show(request, lambda: house.garment_picture(caller.owner, id), exact=True)
