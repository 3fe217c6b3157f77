"""People and garments of the service's callers: scanned or read once, kept as pixels and as rows, given back by id."""

from __future__ import annotations

import contextlib
import math
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import delete, select

from vestiary import api, values
from vestiary.errors import BusyError, ImageError, NotFoundError, OptionError, TooLargeError, UnavailableError
from vestiary.images import PixelsError
from vestiary.serve import checks
from vestiary.serve.database import BatchRow, Database, FittingRow, GarmentRow, PersonRow
from vestiary.serve.records import GarmentRecord, PersonRecord
from vestiary.types import Category, Garment, Person

if TYPE_CHECKING:
    from vestiary.serve.memory import Memory
    from vestiary.serve.settings import Settings
    from vestiary.serve.store import Store

R = TypeVar("R", PersonRow, GarmentRow)
Row = TypeVar("Row", PersonRow, GarmentRow, FittingRow, BatchRow)
MOST_WAITING = 64  # photos that wait to be looked at; each holds a thread
_HOUR = 3600.0
_LOOK = 0.25  # seconds between two looks whether the service stops


def new_id(prefix: str) -> str:
    """A name that nobody can guess (64 random bits)."""
    return f"{prefix}_{secrets.token_hex(8)}"


def moment(seconds: float) -> datetime:
    """Seconds since 1970 as a time with its zone."""
    return datetime.fromtimestamp(seconds, UTC)


def expiry(settings: Settings, keep_hours: float | None) -> float:
    """When a thing is to be deleted, in seconds since 1970.

    Raises:
        OptionError: that is longer than the service keeps anything.
    """
    hours = settings.keep_hours if keep_hours is None else keep_hours
    longest = max(settings.longest_keep_hours, settings.keep_hours)
    if not 0 < hours <= longest:
        hint = f"Ask for more than 0 and at most {longest:g} hours."
        raise OptionError(f"keep_hours {hours:g} is not possible here.", hint=hint)
    return time.time() + hours * _HOUR


def check_open(stopping: threading.Event) -> None:
    """Nothing, while the service takes things in.

    Raises:
        UnavailableError: it is stopping.
    """
    if stopping.is_set():
        raise UnavailableError("the service is stopping.", hint="Try again in a moment: another may take over.")


class Wardrobe:
    """What callers have uploaded."""

    def __init__(
        self, settings: Settings, database: Database, store: Store, memory: Memory, stopping: threading.Event
    ) -> None:
        self._settings, self._database, self._store, self._memory = settings, database, store, memory
        self._stopping = stopping
        self._turns = threading.Semaphore(max(settings.workers, 1))
        self._lock = threading.Lock()
        self._waiting, self._seconds = 0, 1.0  # seconds: of one scan, as measured lately

    def add_person(self, owner: str, photo: bytes, number: int | None, keep_hours: float | None) -> PersonRecord:
        """Scan a photo and keep the scan; the photo's file, with all it says beside its pixels, is not kept."""
        expires = expiry(self._settings, keep_hours)
        with self._turn(photo):
            person = api.scan_person(photo, person=number, max_pixels=self._settings.max_pixels)
            timings = checks.check(person.image, self._settings)
            if self._settings.anonymize:
                person = replace(person, image=checks.hidden(person))
        height, width = person.image.shape[:2]
        details = {"width": width, "height": height, "facing": person.facing, "warnings": list(person.warnings)}
        row = PersonRow(id=new_id("p"), owner=owner, created=time.time(), expires=expires, details=details)
        self._keep(row, ("person", row.id), person, values.dump_person, {**person.timings, **timings})
        return person_record(row)

    def add_garment(
        self, owner: str, photo: bytes, category: Category | None, keep_hours: float | None
    ) -> GarmentRecord:
        """Read a garment's photo and keep the cut-out."""
        expires = expiry(self._settings, keep_hours)
        with self._turn(photo):
            garment = api.read_garment(photo, category=category, max_pixels=self._settings.max_pixels)
            timings = checks.check(garment.image, self._settings)
            if self._settings.anonymize:
                garment = replace(garment, image=checks.without_faces(garment.image))
        garment = replace(garment, name=new_id("g"))
        words = {name: getattr(garment, name) for name in ("category", "sleeve", "neckline", "pattern", "length")}
        details = {**words, "colours": list(garment.colour_names), "warnings": list(garment.warnings)}
        row = GarmentRow(id=garment.name, owner=owner, created=time.time(), expires=expires, details=details)
        self._keep(row, ("garment", row.id), garment, values.dump_garment, {**garment.timings, **timings})
        return garment_record(row)

    def _keep(self, row: R, key: tuple[str, str], value: Any, dump: Callable[[Any], bytes], took: Any) -> None:
        """The pixels first, then the row: a row's pixels are always there."""
        started = time.perf_counter()
        blob = blob_of(row.id)
        self._store.write(blob, dump(value))
        timings = {name: round(seconds, 4) for name, seconds in took.items()}
        row.details = {**row.details, "timings": {**timings, "store": round(time.perf_counter() - started, 4)}}
        try:
            with self._database.writing() as session:
                session.add(row)
        except BaseException:
            with contextlib.suppress(Exception):  # else the sweeper finds it
                self._store.delete(blob)
            raise
        self._memory.put(key, value)

    @contextlib.contextmanager
    def _turn(self, photo: bytes) -> Iterator[None]:
        """Wait for one's turn to compute; in vain when the service stops meanwhile."""
        if len(photo) > self._settings.max_upload_mb * 1e6:
            hint = f"The limit is {self._settings.max_upload_mb:g} MB: save the picture as a JPEG first."
            raise TooLargeError(f"the upload has {len(photo) / 1e6:.1f} MB.", hint=hint)
        with self._lock:
            if self._waiting >= min(self._settings.queue_size, MOST_WAITING):
                seconds = self._waiting * self._seconds / max(self._settings.workers, 1)
                raise BusyError("too many photos wait to be looked at.", retry_after=min(max(seconds, 1.0), 300.0))
            self._waiting += 1
        try:
            while not self._turns.acquire(timeout=_LOOK):
                check_open(self._stopping)
            try:
                started = time.perf_counter()
                yield
                self._seconds += 0.2 * (time.perf_counter() - started - self._seconds)
            except PixelsError as problem:
                side = math.isqrt(self._settings.max_pixels)
                hint = f"Send it scaled down, such as to {side} x {side}: this service takes no larger ones."
                raise ImageError(problem.message, hint=hint) from None
            finally:
                self._turns.release()
        finally:
            with self._lock:
                self._waiting -= 1

    def row(self, kind: type[R], owner: str, id: str) -> R:
        """The row of a person or garment of this owner.

        Raises:
            NotFoundError: there is none, it is another owner's, or its time is over; nobody can tell which.
        """
        return owned(self._database, kind, owner, id)

    def rows(self, kind: type[R], owner: str) -> list[R]:
        """All of this owner, the newest first."""
        with self._database.reading() as session:
            chosen = select(kind).where(kind.owner == owner, kind.expires > time.time())
            return list(session.scalars(chosen.order_by(kind.created.desc(), kind.id)))

    def person(self, id: str) -> Person:
        """The scan of a person, whoever owns it."""
        return self._memory.get(("person", id), lambda: values.load_person(self._store.read(blob_of(id))))

    def garment(self, id: str) -> Garment:
        """A garment that was read, whoever owns it."""
        return self._memory.get(("garment", id), lambda: values.load_garment(self._store.read(blob_of(id))))

    def delete(self, kind: type[R], id: str) -> list[str]:
        """Delete a person with its fittings, or a garment: rows, pixels, memory; the ids of the fittings."""
        with self._database.writing() as session:
            fittings: list[str] = []
            if kind is PersonRow:
                fittings = list(session.scalars(select(FittingRow.id).where(FittingRow.person == id)))
            session.execute(delete(kind).where(kind.id == id))
        for name in (id, *fittings):
            self._store.delete(blob_of(name) if name == id else folder_of(name))
            self._memory.forget(name)
        return fittings

    def delete_all(self, kind: type[R], owner: str) -> int:
        """Delete all of this owner, also what has expired; how many there were."""
        with self._database.reading() as session:
            ids = list(session.scalars(select(kind.id).where(kind.owner == owner)))
        for id in ids:
            self.delete(kind, id)
        return len(ids)


def blob_of(id: str) -> str:
    """Where the storage has the pixels of a person or garment."""
    return f"{'people' if id.startswith('p') else 'garments'}/{id}.npz"


def folder_of(fitting: str) -> str:
    """Where the storage has the pictures of a fitting."""
    return f"fittings/{fitting}"


def owned(database: Database, kind: type[Row], owner: str, id: str) -> Row:
    """The row of something of this owner.

    Raises:
        NotFoundError: there is none, it is another owner's, or its time is over; nobody can tell which.
    """
    with database.reading() as session:
        found = session.scalar(select(kind).where(kind.id == id, kind.owner == owner, kind.expires > time.time()))
    if found is None:
        raise missing(id)
    return found


def missing(id: str) -> NotFoundError:
    """What is raised for an id that this caller may not know of."""
    return NotFoundError(f"there is nothing called {id[:40]!r}.", hint="It may have expired: upload it again.")


def person_record(row: PersonRow) -> PersonRecord:
    """The row as it is told."""
    return PersonRecord(id=row.id, created=moment(row.created), expires=moment(row.expires), **row.details)


def garment_record(row: GarmentRow) -> GarmentRecord:
    """The row as it is told."""
    return GarmentRecord(id=row.id, created=moment(row.created), expires=moment(row.expires), **row.details)
