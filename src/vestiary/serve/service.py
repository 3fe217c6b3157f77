"""The operations of the service, whatever asks for them: HTTP, WebSocket, gRPC or a test. Thread-safe.

An owner is a name for the caller. Whatever is another owner's raises `NotFoundError`, exactly as if it were not there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from threading import Event
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from vestiary.errors import VestiaryError
from vestiary.serve.board import Board, Preview
from vestiary.serve.database import BatchRow, Database, FittingRow, GarmentRow, PersonRow
from vestiary.serve.engines import Engines
from vestiary.serve.fittings import Fittings, Note, fitting_record, layer
from vestiary.serve.memory import Memory
from vestiary.serve.queue import Queue, this_worker
from vestiary.serve.records import BatchRecord, EngineRecord, FittingRecord, GarmentRecord, PersonRecord
from vestiary.serve.runner import Runner
from vestiary.serve.store import Store
from vestiary.serve.sweep import Sweeper
from vestiary.serve.wardrobe import Wardrobe, check_open, garment_record, person_record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vestiary.serve.settings import Settings
    from vestiary.types import Category, Fitting, Garment, Person

    U8 = NDArray[np.uint8]

__all__ = ["Preview", "Service"]


class Service:
    """People, garments and fittings of many callers."""

    def __init__(self, settings: Settings) -> None:
        """Open database and storage; no thread is started.

        Raises:
            UnavailableError: one of them cannot be reached.
            InputError: one of their URLs is none, or the database is of a newer version.
        """
        self.settings = settings
        self.store = Store(settings.storage_url)
        self.database = Database(settings.database_url)
        self.memory = Memory(settings.cache_mb * 2**20)
        self.queue = Queue(self.database, this_worker())
        self._board, self._engines = Board(), Engines(settings.ray)
        self._stopping = Event()
        self._wardrobe = Wardrobe(settings, self.database, self.store, self.memory, self._stopping)
        parts = (self.database, self.store, self.memory, self._board, self.queue, self._engines, self._stopping)
        self._fittings = Fittings(settings, *parts)
        self.runner: Runner | None = None
        self.sweeper: Sweeper | None = None

    def start(self) -> None:
        """Take up what was left in the queue, and begin to work."""
        self.queue.recover()
        parts = (self.queue, self._wardrobe, self.store, self.memory, self._board, self._engines)
        self.runner = Runner(self.settings, *parts)
        self.sweeper = Sweeper(self.database, self.store, self.memory, self._fittings)
        self._fittings.runner = self.runner
        self.runner.start()
        self.sweeper.start()

    @property
    def draining(self) -> bool:
        """Whether nothing new is taken in any more."""
        return self._stopping.is_set()

    def drain(self) -> None:
        """Take nothing new; return when fittings that have begun have finished, or `settings.drain_seconds` are over.

        What has not finished, and what waits, is put back in the queue and done after the next start.
        """
        self._stopping.set()
        if self.runner is not None:
            self.runner.close()

    def close(self) -> None:
        """Drain, then close everything."""
        self.drain()
        if self.runner is not None and self.sweeper is not None:
            self.sweeper.close()
            self.runner = self.sweeper = self._fittings.runner = None
        self.database.close()

    def is_ready(self) -> dict[str, bool]:
        """Which parts can do their work now."""
        try:
            engine = bool(self._engines.get("embedded"))
        except VestiaryError:
            engine = False
        return {
            "database": self.database.ping(),
            "storage": self.store.ping(),
            "engine": engine,
            "workers": self.runner is not None and self.runner.is_alive and not self.draining,
        }

    def add_person(
        self, owner: str, photo: bytes, *, number: int | None = None, keep_hours: float | None = None
    ) -> PersonRecord:
        """Scan a photo of a person.

        Raises:
            ImageError, PersonError: the photo cannot serve.
            UnsuitableError: it is one that this service does not take in.
            BusyError: too many photos wait.
            UnavailableError: the service is stopping.
        """
        check_open(self._stopping)
        return self._wardrobe.add_person(owner, photo, number, keep_hours)

    def person(self, owner: str, id: str) -> PersonRecord:
        """A person."""
        return person_record(self._wardrobe.row(PersonRow, owner, id))

    def people(self, owner: str) -> list[PersonRecord]:
        """All people, the newest first."""
        return [person_record(row) for row in self._wardrobe.rows(PersonRow, owner)]

    def delete_person(self, owner: str, id: str) -> None:
        """Delete photo, scan, and all fittings of this person; those under way stop."""
        self._wardrobe.row(PersonRow, owner, id)
        self._fittings.stop(self._wardrobe.delete(PersonRow, id))

    def person_picture(self, owner: str, id: str) -> U8:
        """`(H, W, 3) uint8`: the photo as it is kept."""
        return self.scanned(owner, id).image

    def scanned(self, owner: str, id: str) -> Person:
        """The scan."""
        self._wardrobe.row(PersonRow, owner, id)
        return self._wardrobe.person(id)

    def add_garment(
        self, owner: str, photo: bytes, *, category: Category | None = None, keep_hours: float | None = None
    ) -> GarmentRecord:
        """Read a photo of a garment.

        Raises:
            ImageError, GarmentError: the photo cannot serve.
            UnsuitableError: it is one that this service does not take in.
            BusyError: too many photos wait.
            UnavailableError: the service is stopping.
        """
        check_open(self._stopping)
        return self._wardrobe.add_garment(owner, photo, category, keep_hours)

    def garment(self, owner: str, id: str) -> GarmentRecord:
        """A garment."""
        return garment_record(self._wardrobe.row(GarmentRow, owner, id))

    def garments(self, owner: str) -> list[GarmentRecord]:
        """All garments, the newest first."""
        return [garment_record(row) for row in self._wardrobe.rows(GarmentRow, owner)]

    def delete_garment(self, owner: str, id: str) -> None:
        """Delete photo and cut-out; fittings that were made with it stay."""
        self._wardrobe.row(GarmentRow, owner, id)
        self._wardrobe.delete(GarmentRow, id)

    def garment_picture(self, owner: str, id: str) -> U8:
        """`(H, W, 4) uint8`: the cut-out."""
        import numpy as np

        garment = self.read(owner, id)
        return np.dstack([garment.image, garment.alpha])

    def read(self, owner: str, id: str) -> Garment:
        """The garment as it was read."""
        self._wardrobe.row(GarmentRow, owner, id)
        return self._wardrobe.garment(id)

    def check_order(self, engine: str, options: Mapping[str, Any] | None, garments: int) -> None:
        """Nothing, where a fitting of so many garments could be asked for: known before a photo is handed in for it.

        Raises:
            InputError: too many garments.
            GarmentError: the engine needs a garment, or something else to do.
            OptionError, UnknownEngineError, MissingExtraError: the engine cannot do that here.
        """
        self._fittings.check(engine, options, [garments])

    def add_fitting(
        self,
        owner: str,
        person: str,
        garments: Sequence[str],
        *,
        engine: str = "embedded",
        options: Mapping[str, Any] | None = None,
        keep_hours: float | None = None,
        note: Note | None = None,
    ) -> FittingRecord:
        """Queue a fitting; it is kept through a crash from here on. It expires with its person, or before.

        What `note` writes is committed together with the fitting, or neither is.

        Raises:
            BusyError: the queue is full.
            UnavailableError: the service is stopping.
            NotFoundError: the person or a garment is not there.
            GarmentError: there is no garment, and the engine needs one, or something else to do.
            OptionError, UnknownEngineError, MissingExtraError: the engine cannot do that here.
        """
        check_open(self._stopping)
        rows, _ = self._fittings.add(owner, [(person, garments)], engine, options, keep_hours, note=note)
        return fitting_record(rows[0])

    def fitting(self, owner: str, id: str) -> FittingRecord:
        """A fitting as it is now."""
        return fitting_record(self._fittings.row(owner, id))

    def fittings(self, owner: str, batch: str | None = None) -> list[FittingRecord]:
        """All fittings, the newest first; or those of a batch, in its order."""
        return [fitting_record(row) for row in self._fittings.rows(owner, batch)]

    def wait(self, owner: str, id: str, timeout: float, gone: Event | None = None) -> FittingRecord:
        """A fitting as soon as it has finished, or as it is after the timeout (seconds) or when waiting is in vain.

        That is when `gone` is set, because nobody listens any more, and when the service stops before it was begun.

        Raises:
            NotFoundError: there is none, or it was deleted meanwhile.
        """
        return self._fittings.wait(owner, id, timeout, gone)

    def watch(self, owner: str, id: str, gone: Event | None = None) -> Iterator[FittingRecord | Preview]:
        """A fitting as it is, then at each change, and previews, until it has finished or is deleted.

        Args:
            gone: set when nobody listens any more; it ends within a quarter of a second.

        Raises:
            NotFoundError: there is none, or it was deleted meanwhile.
        """
        return self._fittings.watch(owner, id, gone)

    def cancel(self, owner: str, id: str) -> FittingRecord:
        """Cancel a fitting: one that waits never starts, one under way stops at its next step."""
        self._fittings.row(owner, id)
        self._fittings.cancel(owner, FittingRow.id == id)
        return self.fitting(owner, id)

    def delete_fitting(self, owner: str, id: str) -> None:
        """Delete a fitting and its pictures; if it is under way, it stops."""
        self._fittings.row(owner, id)
        self._fittings.delete(owner, FittingRow.id == id)

    def fitting_pictures(self, owner: str, id: str) -> Fitting:
        """Picture, mask and layers at once.

        Raises:
            ConflictError: the fitting is not done.
        """
        return self._fittings.pictures(owner, id)

    def fitting_picture(self, owner: str, id: str) -> U8:
        """`(H, W, 3) uint8`: the person wearing the garments.

        Raises:
            ConflictError: the fitting is not done.
        """
        return self._fittings.pictures(owner, id).image

    def fitting_mask(self, owner: str, id: str) -> U8:
        """`(H, W) uint8`: 255 where the picture may differ from the photo."""
        return self._fittings.pictures(owner, id).mask

    def fitting_layer(self, owner: str, id: str, name: str) -> U8:
        """An intermediate picture, `(H, W)`, `(H, W, 3)` or `(H, W, 4) uint8`."""
        found: U8 = layer(self._fittings.pictures(owner, id), id, name)
        return found

    def add_batch(
        self,
        owner: str,
        pairs: Sequence[tuple[str, Sequence[str]]],
        *,
        engine: str = "embedded",
        options: Mapping[str, Any] | None = None,
        keep_hours: float | None = None,
        note: Note | None = None,
    ) -> BatchRecord:
        """Queue fittings of people with garments, all or none; errors and `note` as for `add_fitting`.

        Raises:
            TooLargeError: more than the queue can ever hold.
        """
        check_open(self._stopping)
        _, batch = self._fittings.add(owner, pairs, engine, options, keep_hours, together=True, note=note)
        assert batch is not None
        return self._fittings.batch(batch)

    def batch(self, owner: str, id: str) -> BatchRecord:
        """A batch as it is now."""
        return self._fittings.batch(self._fittings.batch_row(owner, id))

    def delete_batch(self, owner: str, id: str) -> None:
        """Delete a batch with its fittings and their pictures."""
        self._fittings.delete_batch(owner, id)

    def erase(self, owner: str) -> int:
        """Delete everything of this owner; how many things that were."""
        count = self._fittings.delete(owner)
        count += self._wardrobe.delete_all(PersonRow, owner) + self._wardrobe.delete_all(GarmentRow, owner)
        with self.database.reading() as session:
            batches = list(session.scalars(select(BatchRow.id).where(BatchRow.owner == owner)))
        for batch in batches:
            self._fittings.delete_batch(owner, batch)
        return count + len(batches)

    def engines(self) -> list[EngineRecord]:
        """All engines, also those that are not installed."""
        return self._engines.records()

    def queue_length(self) -> int:
        """How many fittings wait."""
        return self.queue.length()
