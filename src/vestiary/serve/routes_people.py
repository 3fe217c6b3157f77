"""`/v1/people`: photos of people, scanned once for many fittings."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, Form, Request, Response, UploadFile

from vestiary.serve.doors import PICTURE, Book, House, IdempotencyKey, KeepHours, show
from vestiary.serve.idempotency import digest
from vestiary.serve.problems import answers
from vestiary.serve.records import PersonRecord
from vestiary.serve.security import Deleter, Reader, Writer
from vestiary.serve.uploads import read_photo

router = APIRouter(prefix="/v1/people", tags=["people"], responses=answers())


@router.post("", status_code=201, summary="Scan a photo", responses=answers(400, 408, 409, 413, 415, 507))
def add_person(
    response: Response,
    caller: Writer,
    house: House,
    ledger: Book,
    photo: Annotated[UploadFile | None, File(description="A photo of one person from the front.")] = None,
    photo_url: Annotated[
        str | None, Form(max_length=2000, description="Instead of a file: an https address on the allow-list.")
    ] = None,
    number: Annotated[int | None, Form(ge=1, le=100, description="Of several people: 1 is the largest.")] = None,
    keep_hours: KeepHours = None,
    idempotency_key: IdempotencyKey = None,
) -> PersonRecord:
    """Pose, silhouette and parts of the person in a photo. Its id serves any number of fittings until it expires."""
    data = read_photo(house.settings, photo, photo_url)
    asked = digest("people", data, number, keep_hours)

    def make() -> str:
        record: PersonRecord = house.add_person(caller.owner, data, number=number, keep_hours=keep_hours)
        return record.id

    id = ledger.once(caller.owner, idempotency_key, asked, make)
    response.headers["Location"] = f"/v1/people/{id}"
    record: PersonRecord = house.person(caller.owner, id)
    return record


@router.get("", summary="List mine")
def list_people(caller: Reader, house: House) -> list[PersonRecord]:
    """All people that the caller has here."""
    found: list[PersonRecord] = house.people(caller.owner)
    return found


@router.get("/{id}", summary="One", responses=answers(404))
def get_person(id: str, caller: Reader, house: House) -> PersonRecord:
    """What is known of a person."""
    record: PersonRecord = house.person(caller.owner, id)
    return record


@router.delete("/{id}", status_code=204, summary="Delete", responses=answers(404))
def delete_person(id: str, caller: Deleter, house: House) -> None:
    """Delete the photo, what was scanned, and every fitting of this person."""
    house.delete_person(caller.owner, id)


@router.get("/{id}/picture", summary="The photo", response_class=Response, responses={**answers(404), **PICTURE})
def person_picture(id: str, request: Request, caller: Reader, house: House) -> Response:
    """The photo as it is stored: upright, without metadata, with the face hidden where the service is set so."""
    return show(request, lambda: house.person_picture(caller.owner, id))
