"""The client: people, garments, fittings and batches of one service, typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import httpx

from vestiary.client.fittings import Fitted, Fittings, Format
from vestiary.client.transport import Form, Photo, Retries, Transport, Upload
from vestiary.serve.records import BatchRecord, EngineRecord, GarmentRecord, PersonRecord
from vestiary.types import Category

Pair = tuple[str | PersonRecord, Sequence[str | GarmentRecord]]


class Client:
    """A caller of a Vestiary service; use it in a `with` block, from as many threads as you like.

    Args:
        base_url: where the service listens, such as `http://localhost:8000`.
        key: an API key, when the service asks for one.
        timeout: seconds for one request.
        retries: how long to bear with a service that is busy or away; `Retries(attempts=1)` never sends twice.
        http: an `httpx.Client` of your own (proxies, certificates); it is not closed with this client.

    Every method raises the class of `vestiary.errors` that the service raised. Requests are sent again after 429, 503
    and lost connections, after the pause that the service asks for, and are done once all the same.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8000",
        key: str | None = None,
        *,
        timeout: float = 60.0,
        retries: Retries | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        self._transport = Transport(base_url, key, timeout, retries or Retries(), http)
        self.people = People(self._transport)
        self.garments = Garments(self._transport)
        self.fittings = Fittings(self._transport)
        self.batches = Batches(self._transport)

    def fit(
        self,
        person: Photo | PersonRecord,
        garments: Photo | GarmentRecord | Sequence[Photo | GarmentRecord] = (),
        *,
        engine: str = "embedded",
        options: Mapping[str, Any] | None = None,
        format: Format = "webp",
        keep_hours: float | None = None,
        timeout: float = 120.0,
        once: str | None = None,
    ) -> Fitted:
        """The person wearing the garments: the picture's bytes and the record of how it came about.

        Args:
            person: a photo (path, bytes, binary file), or what `people.add` gave.
            garments: a photo or what `garments.add` gave; or several, in the order they are put on; or none, where the
                engine needs none (`EngineRecord.needs_garment`) and the options say what to change.
            engine: a name from `engines()`.
            options: the engine's options.
            format: of the picture.
            keep_hours: how long the service keeps photo and picture.
            timeout: seconds until the picture must be there.
            once: an idempotency key of your own; the service does what carries it once, whoever sends it again.

        Raises:
            InputError: one of its kinds, when something handed in cannot be used.
            BusyError: the service is too busy, or the picture is not finished in time.
        """
        return self.fittings.fit(
            person,
            garments,
            engine=engine,
            options=options,
            format=format,
            keep_hours=keep_hours,
            timeout=timeout,
            once=once,
        )

    def engines(self) -> list[EngineRecord]:
        """The engines of the service with the JSON schemas of their options."""
        return [EngineRecord.model_validate(item) for item in self._transport.send("GET", "/v1/engines").json()]

    def erase(self) -> int:
        """Delete everything that this key has left with the service; how many things that were."""
        return int(self._transport.send("DELETE", "/v1/me").json()["erased"])

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class People:
    """The caller's scanned people."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def add(
        self, photo: Photo, *, number: int | None = None, keep_hours: float | None = None, once: str | None = None
    ) -> PersonRecord:
        """Scan a photo once for many fittings; `number` says which person when there are several (1 = the largest)."""
        form: Form = [("photo", Upload(photo)), *_given(number=number, keep_hours=keep_hours)]
        answer = self._transport.send("POST", "/v1/people", form=form, once=once)
        return PersonRecord.model_validate(answer.json())

    def get(self, person: str | PersonRecord) -> PersonRecord:
        """What is known of a scanned person."""
        return PersonRecord.model_validate(self._transport.send("GET", f"/v1/people/{_id(person)}").json())

    def list(self) -> list[PersonRecord]:
        """All that are kept."""
        return [PersonRecord.model_validate(item) for item in self._transport.send("GET", "/v1/people").json()]

    def picture(self, person: str | PersonRecord, *, format: Format = "webp") -> bytes:
        """The photo as the service keeps it."""
        path = f"/v1/people/{_id(person)}/picture"
        return self._transport.send("GET", path, headers={"Accept": f"image/{format}"}).content

    def delete(self, person: str | PersonRecord) -> None:
        """Delete photo, scan and all fittings of this person everywhere."""
        self._transport.send("DELETE", f"/v1/people/{_id(person)}")


class Garments:
    """The caller's garments."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def add(
        self,
        photo: Photo,
        *,
        category: Category | None = None,
        keep_hours: float | None = None,
        once: str | None = None,
    ) -> GarmentRecord:
        """Read a photo once for many fittings; `category` where the caller knows better than the reader."""
        form: Form = [("photo", Upload(photo)), *_given(category=category, keep_hours=keep_hours)]
        answer = self._transport.send("POST", "/v1/garments", form=form, once=once)
        return GarmentRecord.model_validate(answer.json())

    def get(self, garment: str | GarmentRecord) -> GarmentRecord:
        """What is known of a garment."""
        return GarmentRecord.model_validate(self._transport.send("GET", f"/v1/garments/{_id(garment)}").json())

    def list(self) -> list[GarmentRecord]:
        """All that are kept."""
        return [GarmentRecord.model_validate(item) for item in self._transport.send("GET", "/v1/garments").json()]

    def picture(self, garment: str | GarmentRecord) -> bytes:
        """The cut-out as PNG, transparent around it."""
        path = f"/v1/garments/{_id(garment)}/picture"
        return self._transport.send("GET", path, headers={"Accept": "image/png"}).content

    def delete(self, garment: str | GarmentRecord) -> None:
        """Delete photo and cut-out everywhere."""
        self._transport.send("DELETE", f"/v1/garments/{_id(garment)}")


class Batches:
    """Fittings that are asked for together."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def add(
        self,
        pairs: Sequence[Pair],
        *,
        engine: str = "embedded",
        options: Mapping[str, Any] | None = None,
        keep_hours: float | None = None,
        once: str | None = None,
    ) -> BatchRecord:
        """Ask for the fittings of many pairs `(person, garments)` of ids or records; all are accepted, or none.

        The garments of a pair may be an empty list, where the engine needs none.
        """
        asked = [{"person": _id(person), "garments": [_id(item) for item in garments]} for person, garments in pairs]
        body: dict[str, Any] = {"pairs": asked, "engine": engine, "options": dict(options or {})}
        if keep_hours is not None:
            body["keep_hours"] = keep_hours
        return BatchRecord.model_validate(self._transport.send("POST", "/v1/batches", json=body, once=once).json())

    def get(self, batch: str | BatchRecord) -> BatchRecord:
        """How far it is."""
        return BatchRecord.model_validate(self._transport.send("GET", f"/v1/batches/{_id(batch)}").json())

    def delete(self, batch: str | BatchRecord) -> None:
        """Stop what has not begun and delete the pictures."""
        self._transport.send("DELETE", f"/v1/batches/{_id(batch)}")


def _given(**fields: Any) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in fields.items() if value is not None]


def _id(thing: str | PersonRecord | GarmentRecord | BatchRecord) -> str:
    return thing if isinstance(thing, str) else thing.id
