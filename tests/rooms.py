"""A service for tests that needs no photo and no engine: it answers like `vestiary.serve.service.Service`, at once."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from vestiary.errors import ConflictError, GarmentError, NotFoundError
from vestiary.serve.database import Database
from vestiary.serve.records import BatchRecord, EngineRecord, FittingRecord, GarmentRecord, PersonRecord
from vestiary.serve.settings import Settings
from vestiary.types import Fitting

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class FakeService:
    """Keeps records in memory; a fitting is finished when `finish` is called, or at once with `quick`."""

    def __init__(self, settings: Settings, *, quick: bool = True) -> None:
        self.settings, self.quick = settings, quick
        self.database = Database(settings.database_url)
        self.things: dict[str, tuple[str, Any]] = {}
        self.numbers = itertools.count(1)
        self.changed = threading.Condition()
        self.calls: list[str] = []
        self.draining = False

    def start(self) -> None:
        self.calls.append("start")

    def drain(self) -> None:
        self.draining = True

    def close(self) -> None:
        self.calls.append("close")
        self.database.close()

    def is_ready(self) -> dict[str, bool]:
        return {"database": True, "storage": True, "engine": True, "workers": True}

    def _new(self, letter: str, owner: str, make: Any) -> Any:
        record = make(id=f"{letter}_{next(self.numbers):016x}", created=NOW, expires=NOW + timedelta(hours=1))
        self.things[record.id] = (owner, record)
        return record

    def _get(self, owner: str, id: str, letter: str) -> Any:
        whose, record = self.things.get(id, ("", None))
        if whose != owner or not id.startswith(letter):
            raise NotFoundError(f"there is no {id}.")
        return record

    def _all(self, owner: str, letter: str) -> list[Any]:
        return [record for id, (whose, record) in self.things.items() if whose == owner and id.startswith(letter)]

    def _delete(self, owner: str, id: str, letter: str) -> None:
        self._get(owner, id, letter)
        del self.things[id]

    def add_person(
        self, owner: str, photo: bytes, *, number: int | None = None, keep_hours: float | None = None
    ) -> Any:
        self.calls.append("add_person")
        return self._new("p", owner, lambda **k: PersonRecord(width=64, height=96, facing="front", **k))

    def person(self, owner: str, id: str) -> Any:
        return self._get(owner, id, "p")

    def people(self, owner: str) -> Any:
        return self._all(owner, "p")

    def delete_person(self, owner: str, id: str) -> None:
        self._delete(owner, id, "p")

    def person_picture(self, owner: str, id: str) -> Any:
        self._get(owner, id, "p")
        return np.full((96, 64, 3), 90, np.uint8)

    def add_garment(self, owner: str, photo: bytes, *, category: Any = None, keep_hours: float | None = None) -> Any:
        self.calls.append("add_garment")
        words = {"sleeve": "none", "neckline": "none", "pattern": "plain", "length": "none"}
        return self._new("g", owner, lambda **k: GarmentRecord(category=category or "top", **words, **k))

    def garment(self, owner: str, id: str) -> Any:
        return self._get(owner, id, "g")

    def garments(self, owner: str) -> Any:
        return self._all(owner, "g")

    def delete_garment(self, owner: str, id: str) -> None:
        self._delete(owner, id, "g")

    def garment_picture(self, owner: str, id: str) -> Any:
        self._get(owner, id, "g")
        return np.full((96, 64, 4), 128, np.uint8)

    def check_order(self, engine: str, options: Mapping[str, Any] | None, garments: int) -> None:
        if not garments:
            raise GarmentError("there is no garment to put on.")

    def add_fitting(
        self,
        owner: str,
        person: str,
        garments: Sequence[str],
        *,
        engine: str = "embedded",
        options: Mapping[str, Any] | None = None,
        keep_hours: float | None = None,
        note: Any = None,
    ) -> Any:
        self.calls.append("add_fitting")
        self.person(owner, person)
        for garment in garments:
            self.garment(owner, garment)
        state = "done" if self.quick else "running"
        asked = {"person": person, "garments": list(garments), "engine": engine, "options": dict(options or {})}
        return self._new(
            "f",
            owner,
            lambda **k: FittingRecord(state=state, timings={"fit": 0.25}, provenance={"seed": 0}, **asked, **k),
        )

    def fitting(self, owner: str, id: str) -> Any:
        return self._get(owner, id, "f")

    def fittings(self, owner: str, batch: str | None = None) -> Any:
        return [record for record in self._all(owner, "f") if batch in (None, record.batch)]

    def end(self, id: str, state: str, **fields: Any) -> Any:
        owner, record = self.things[id]
        if not record.finished:
            self.things[id] = (owner, record.model_copy(update={"state": state, **fields}))
            with self.changed:
                self.changed.notify_all()
        return self.things[id][1]

    def wait(self, owner: str, id: str, timeout: float, gone: Any = None) -> Any:
        end = time.monotonic() + timeout
        with self.changed:
            while not self.fitting(owner, id).finished and time.monotonic() < end and not (gone and gone.is_set()):
                self.changed.wait(min(timeout, 0.05))
        return self.fitting(owner, id)

    def watch(self, owner: str, id: str, gone: Any = None) -> Iterator[Any]:
        yield self.fitting(owner, id)
        while not self.fitting(owner, id).finished and not (gone and gone.is_set()):
            self.wait(owner, id, 0.05)
        yield self.fitting(owner, id)

    def cancel(self, owner: str, id: str) -> Any:
        self.calls.append("cancel")
        self.fitting(owner, id)
        return self.end(id, "cancelled")

    def delete_fitting(self, owner: str, id: str) -> None:
        self._delete(owner, id, "f")

    def fitting_picture(self, owner: str, id: str) -> Any:
        if self.fitting(owner, id).state != "done":
            raise ConflictError("the fitting is not done.")
        return np.full((96, 64, 3), 120, np.uint8)

    def fitting_pictures(self, owner: str, id: str) -> Any:
        return Fitting(self.fitting_picture(owner, id), self.fitting_mask(owner, id))

    def fitting_mask(self, owner: str, id: str) -> Any:
        self.fitting(owner, id)
        return np.zeros((96, 64), np.uint8)

    def fitting_layer(self, owner: str, id: str, name: str) -> Any:
        self.fitting(owner, id)
        raise NotFoundError(f"there is no layer {name!r}.")

    def add_batch(
        self,
        owner: str,
        pairs: Any,
        *,
        engine: str = "embedded",
        options: Any = None,
        keep_hours: Any = None,
        note: Any = None,
    ) -> Any:
        made = [self.add_fitting(owner, person, garments) for person, garments in pairs]
        return self._new("b", owner, lambda **k: BatchRecord(states={"done": len(made)}, fittings=[], **k))

    def batch(self, owner: str, id: str) -> Any:
        return self._get(owner, id, "b")

    def delete_batch(self, owner: str, id: str) -> None:
        self._delete(owner, id, "b")

    def erase(self, owner: str) -> int:
        gone = [id for id, (whose, _) in self.things.items() if whose == owner]
        for id in gone:
            del self.things[id]
        return len(gone)

    def engines(self) -> list[EngineRecord]:
        return [EngineRecord(name="paste", summary="A toy.", licence="Apache-2.0", installed=True)]

    def queue_length(self) -> int:
        return 0
