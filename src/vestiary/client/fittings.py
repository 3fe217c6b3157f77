"""Fittings of a client: asked for, watched, waited for, fetched."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx

from vestiary.client.transport import Form, Photo, Transport, Upload, error_from, error_told
from vestiary.errors import BusyError, Cancelled, MissingExtraError, UnavailableError
from vestiary.files import write_file
from vestiary.serve.records import FittingRecord, GarmentRecord, PersonRecord

Format = Literal["webp", "jpeg", "png", "avif", "jxl"]
_FIRST_LOOK, _LONGEST_LOOK = 0.05, 1.0  # seconds between two looks at a fitting that is under way


@dataclass(frozen=True)
class Preview:
    """A fitting's picture so far: `picture` is a small JPEG."""

    id: str
    picture: bytes


@dataclass(frozen=True)
class Fitted:
    """A finished fitting: `picture` is the file's bytes in `format`, `record` says how it came about."""

    picture: bytes
    format: Format
    record: FittingRecord

    def save(self, path: str | Path) -> Path:
        """Write the picture as it came; a path that ends otherwise is not converted."""
        write_file(path, self.picture)
        return Path(path)


class Fittings:
    """The caller's fittings."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def add(
        self,
        person: Photo | PersonRecord,
        garments: Photo | GarmentRecord | Sequence[Photo | GarmentRecord] = (),
        *,
        engine: str = "embedded",
        options: Mapping[str, Any] | None = None,
        keep_hours: float | None = None,
        once: str | None = None,
    ) -> FittingRecord:
        """Ask for a fitting and go on at once; `wait`, `watch` or `get` it later. No garments: see `Client.fit`."""
        form = _request(person, garments, engine, options, keep_hours)
        answer = self._transport.send(
            "POST",
            "/v1/fittings",
            form=[*form, ("wait", "0")],
            headers={"Accept": "application/json"},
            once=once,
        )
        return FittingRecord.model_validate(answer.json())

    def fit(
        self,
        person: Photo | PersonRecord,
        garments: Photo | GarmentRecord | Sequence[Photo | GarmentRecord],
        *,
        engine: str,
        options: Mapping[str, Any] | None,
        format: Format,
        keep_hours: float | None,
        timeout: float,
        once: str | None,
    ) -> Fitted:
        """See `Client.fit`."""
        until = time.monotonic() + timeout
        form = _request(person, garments, engine, options, keep_hours)
        answer = self._transport.send(
            "POST", "/v1/fittings", form=form, headers={"Accept": f"image/{format}"}, once=once
        )
        if answer.status_code == httpx.codes.OK and answer.headers["Content-Type"].startswith("image/"):
            return Fitted(answer.content, format, self.get(answer.headers["Vestiary-Fitting"]))
        record = self.wait(FittingRecord.model_validate(answer.json()), timeout=until - time.monotonic())
        return Fitted(self.picture(record, format=format), format, record)

    def get(self, fitting: str | FittingRecord) -> FittingRecord:
        """How it is now."""
        return FittingRecord.model_validate(self._transport.send("GET", _path(fitting)).json())

    def list(self) -> list[FittingRecord]:
        """All that are kept."""
        return [FittingRecord.model_validate(item) for item in self._transport.send("GET", "/v1/fittings").json()]

    def wait(self, fitting: str | FittingRecord, *, timeout: float = 120.0) -> FittingRecord:
        """The fitting when it is done.

        Raises:
            VestiaryError: it failed; the class that says why.
            Cancelled: it was cancelled.
            BusyError: it is not finished in time; it goes on, ask again.
        """
        until, pause = time.monotonic() + timeout, _FIRST_LOOK
        while not (record := self.get(fitting)).finished:
            left = until - time.monotonic()
            if left <= 0:
                raise BusyError(
                    f"fitting {record.id} is still {record.state}.", hint="Wait for it again, or cancel it."
                )
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, _LONGEST_LOOK)
        return _done(record)

    def watch(self, fitting: str | FittingRecord) -> Iterator[FittingRecord | Preview]:
        """Each change of a fitting until it is finished, with previews in between; never raises for its failure.

        Raises:
            MissingExtraError: websockets is not installed.
            NotFoundError: there is none of that id, or it is somebody else's.
            UnavailableError: the connection was lost.
        """
        try:
            from websockets.exceptions import InvalidStatus, WebSocketException
            from websockets.sync.client import connect
        except ImportError:
            hint = "Type: pip install websockets"
            raise MissingExtraError("watching a fitting needs websockets.", hint=hint) from None
        address = "ws" + self._transport.base_url.removeprefix("http") + _path(fitting) + "/events"
        try:
            with connect(address, additional_headers=self._transport.headers, max_size=2**24) as socket:
                for message in socket:
                    if isinstance(message, bytes):
                        yield Preview(_id(fitting), message)
                    else:
                        yield FittingRecord.model_validate_json(message)
        except InvalidStatus as refused:
            raise error_told(refused.response.status_code, bytes(refused.response.body or b"")) from None
        except (OSError, WebSocketException) as problem:
            raise UnavailableError(
                f"watching {_id(fitting)} broke off: {problem}.", hint="Watch it again."
            ) from problem

    def cancel(self, fitting: str | FittingRecord) -> FittingRecord:
        """Ask it to stop; a finished one stays as it is."""
        return FittingRecord.model_validate(self._transport.send("POST", _path(fitting) + "/cancel").json())

    def delete(self, fitting: str | FittingRecord) -> None:
        """Delete its picture everywhere."""
        self._transport.send("DELETE", _path(fitting))

    def picture(self, fitting: str | FittingRecord, *, format: Format = "webp") -> bytes:
        """The finished picture.

        Raises:
            ConflictError: it is not done.
        """
        return self._transport.send("GET", _path(fitting) + "/picture", headers={"Accept": f"image/{format}"}).content

    def mask(self, fitting: str | FittingRecord) -> bytes:
        """A PNG: white where the picture may differ from the photo."""
        return self._transport.send("GET", _path(fitting) + "/mask", headers={"Accept": "image/png"}).content

    def layer(self, fitting: str | FittingRecord, name: str) -> bytes:
        """A PNG of one of the intermediate pictures that `FittingRecord.layers` names."""
        path = f"{_path(fitting)}/layers/{name}"
        return self._transport.send("GET", path, headers={"Accept": "image/png"}).content


def _request(
    person: Photo | PersonRecord,
    garments: Photo | GarmentRecord | Sequence[Photo | GarmentRecord],
    engine: str,
    options: Mapping[str, Any] | None,
    keep_hours: float | None,
) -> Form:
    wanted: list[Any] = list(garments) if isinstance(garments, (list, tuple)) else [garments]
    form: list[tuple[str, str | Upload]] = [("engine", engine), ("options", json.dumps(dict(options or {})))]
    for name, thing in (("person", person), *(("garment", garment) for garment in wanted)):
        form.append(
            (f"{name}_id", thing.id) if isinstance(thing, (PersonRecord, GarmentRecord)) else (name, Upload(thing))
        )
    if keep_hours is not None:
        form.append(("keep_hours", str(keep_hours)))
    return form


def _done(record: FittingRecord) -> FittingRecord:
    if record.state == "cancelled":
        raise Cancelled(f"fitting {record.id} was cancelled.", hint="Ask for it again.")
    if record.state == "failed":
        told = record.error
        raise (
            error_from(told.code, told.message, told.hint) if told else error_from("engine", "the fitting failed.", "")
        )
    return record


def _id(thing: str | FittingRecord) -> str:
    return thing if isinstance(thing, str) else thing.id


def _path(fitting: str | FittingRecord) -> str:
    return f"/v1/fittings/{_id(fitting)}"
