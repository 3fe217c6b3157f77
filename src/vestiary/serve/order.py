"""What a request for a fitting holds: photos, addresses or ids of a person and of garments, in wearing order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import UploadFile
from starlette.datastructures import FormData
from starlette.datastructures import UploadFile as SentFile

from vestiary.errors import InputError
from vestiary.serve.fetch import fetch
from vestiary.serve.fittings import MOST_GARMENTS
from vestiary.serve.settings import Settings
from vestiary.serve.uploads import check_bytes, read_options, read_photo


@dataclass(frozen=True)
class Item:
    """A photo, or the id of one that was handed in before."""

    kind: Literal["id", "photo"]
    content: str | bytes


@dataclass(frozen=True)
class Order:
    """A fitting as it was asked for."""

    person: Item
    garments: Sequence[Item]
    engine: str
    options: dict[str, Any]
    keep_hours: float | None

    def parts(self) -> list[Any]:
        """Everything that makes two orders differ."""
        contents = [item.content for item in (self.person, *self.garments)]
        return [*contents, self.engine, self.options, self.keep_hours]

    def hand_in(self, house: Any, owner: str) -> tuple[str, list[str]]:
        """The ids of person and garments; what came as a photo is added to the owner's.

        Raises:
            VestiaryError: the engine cannot do that, which is found out before a photo is looked at; or a photo cannot
                serve.
        """
        house.check_order(self.engine, self.options, len(self.garments))
        person = self._id(self.person, house, owner, house.add_person)
        return person, [self._id(item, house, owner, house.add_garment) for item in self.garments]

    def _id(self, item: Item, house: Any, owner: str, add: Any) -> str:
        if isinstance(item.content, str):
            return item.content
        record = add(owner, item.content, keep_hours=self.keep_hours)
        return str(record.id)


def read_order(
    settings: Settings,
    person: UploadFile | None,
    person_id: str | None,
    person_url: str | None,
    form: FormData,
    engine: str,
    options: str | None,
    keep_hours: float | None,
) -> Order:
    """The order in a form.

    Raises:
        InputError: not one person, or more than `MOST_GARMENTS` garments.
    """
    garments = [item for name, value in form.multi_items() if (item := _garment(settings, name, value))]
    if len(garments) > MOST_GARMENTS:
        hint = f"Send at most {MOST_GARMENTS} files 'garment' or fields 'garment_id', in wearing order."
        raise InputError(f"{len(garments)} garments are too many.", hint=hint)
    wearer = _person(settings, person, person_id, person_url)
    return Order(wearer, garments, engine, read_options(options), keep_hours)


def _person(settings: Settings, file: UploadFile | None, id: str | None, url: str | None) -> Item:
    remedy = "Send one of: the file 'person', the field 'person_id', the field 'person_url'."
    if id is None:
        return Item("photo", read_photo(settings, file, url, name="person", remedy=remedy))
    if file is not None or url is not None:
        raise InputError("more than one person was sent.", hint=remedy)
    return Item("id", id)


def _garment(settings: Settings, name: str, value: str | SentFile) -> Item | None:
    """The garment in one field of the form; None when the field is something else."""
    if name == "garment" and isinstance(value, SentFile):
        data = value.file.read()
        check_bytes(settings, data, "garment")
        return Item("photo", data)
    if name == "garment_id" and isinstance(value, str):
        return Item("id", value)
    if name == "garment_url" and isinstance(value, str):
        return Item("photo", fetch(settings, value))
    return None
