"""Deleting what has expired, and pixels that no row knows: each minute, on every host."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from vestiary.errors import VestiaryError
from vestiary.serve.database import BatchRow, Database, FittingRow, GarmentRow, IdempotencyRow, PersonRow
from vestiary.serve.wardrobe import blob_of, folder_of

if TYPE_CHECKING:
    from vestiary.serve.fittings import Fittings
    from vestiary.serve.memory import Memory
    from vestiary.serve.store import Store

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 60.0
ORPHAN_SECONDS = 3600.0  # pixels are written before their row: younger ones may still get it
_ORPHANS_EVERY = 30  # sweeps: listing a bucket is slow


class Sweeper:
    """The thread that tidies up."""

    def __init__(self, database: Database, store: Store, memory: Memory, fittings: Fittings) -> None:
        self._database, self._store, self._memory, self._fittings = database, store, memory, fittings
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="vestiary-sweeper", daemon=True)

    def start(self) -> None:
        """Begin to sweep."""
        self._thread.start()

    def close(self) -> None:
        """Stop sweeping."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def _work(self) -> None:
        count = 0
        while not self._closing.is_set():
            try:
                self.sweep()
                if count % _ORPHANS_EVERY == 0:
                    self.sweep_orphans()
                count += 1
            except VestiaryError as problem:
                logger.warning("the sweep waits: %s", problem)
            except Exception:
                logger.exception("the sweep failed")
            self._closing.wait(SWEEP_SECONDS)

    def sweep(self) -> int:
        """Delete what has expired, with its pixels, and stop what is still being made of it; how many things."""
        now = time.time()
        with self._database.writing() as session:
            over = select(PersonRow.id).where(PersonRow.expires <= now)
            lost = (FittingRow.expires <= now) | FittingRow.person.in_(over)
            fittings = list(session.scalars(select(FittingRow.id).where(lost)))
            people = list(session.scalars(over))
            garments = list(session.scalars(select(GarmentRow.id).where(GarmentRow.expires <= now)))
            session.execute(delete(FittingRow).where(FittingRow.id.in_(fittings)))
            for kind in (PersonRow, GarmentRow, BatchRow, IdempotencyRow):
                session.execute(delete(kind).where(kind.expires <= now))
        self._fittings.stop(fittings)
        for name in (*people, *garments, *fittings):
            self._store.delete(folder_of(name) if name in fittings else blob_of(name))
            self._memory.forget(name)
        self._forget_strangers()
        return len(fittings) + len(people) + len(garments)

    def _forget_strangers(self) -> None:
        """Drop from memory what another process has deleted."""
        kept = self._memory.subjects()
        if not kept:
            return
        with self._database.reading() as session:
            for kind in (PersonRow, GarmentRow, FittingRow):
                kept -= set(session.scalars(select(kind.id).where(kind.id.in_(kept))))
        for name in kept:
            self._memory.forget(name)

    def sweep_orphans(self, age: float = ORPHAN_SECONDS) -> int:
        """Delete pixels that belong to no row, as a process leaves them that was killed; how many blobs.

        Args:
            age: seconds since they were written; younger ones may yet get their row.
        """
        found = self._store.older_than(age)
        with self._database.reading() as session:
            known = set(session.scalars(select(FittingRow.blob).where(FittingRow.blob.is_not(None))))
            for kind in (PersonRow, GarmentRow):
                known |= {blob_of(id) for id in session.scalars(select(kind.id))}
        orphans = [name for name in found if name not in known and _is_ours(name)]
        for name in orphans:
            self._store.delete(name)
        return len(orphans)


def _is_ours(name: str) -> bool:
    """Whether a file in the storage is one of the service's: the folder may hold others."""
    return name.startswith(("people/", "garments/", "fittings/", "ping/"))
