"""Fittings and batches of the service's callers: asked for, looked at, followed, cancelled, deleted."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, get_args

from sqlalchemy import delete, func, select

from vestiary import values
from vestiary.errors import BusyError, ConflictError, InputError, NotFoundError, TooLargeError
from vestiary.serve.board import LOOK, Board, Preview
from vestiary.serve.database import BatchRow, Database, FittingRow, GarmentRow, PersonRow
from vestiary.serve.queue import Queue, waiting
from vestiary.serve.records import BatchRecord, FittingRecord, Problem, Progress, State
from vestiary.serve.wardrobe import expiry, folder_of, missing, moment, new_id, owned

if TYPE_CHECKING:
    from pydantic import BaseModel
    from sqlalchemy.orm import Session

    from vestiary.serve.engines import Engines
    from vestiary.serve.memory import Memory
    from vestiary.serve.runner import Runner
    from vestiary.serve.settings import Settings
    from vestiary.serve.store import Store
    from vestiary.types import Fitting

Note = Callable[["Session", str], None]  # writes something about a new id in the transaction that makes it
Pair = tuple[str, Sequence[str]]
POLL_SECONDS = 0.25  # how often a fitting that another process runs is looked at
MOST_GARMENTS = 8
LONGEST_WAIT = 120.0  # seconds that a caller may wait for a picture


class Fittings:
    """The callers' side of the queue."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        store: Store,
        memory: Memory,
        board: Board,
        queue: Queue,
        engines: Engines,
        stopping: Event,
    ) -> None:
        self._settings, self._database, self._store, self._memory = settings, database, store, memory
        self._board, self._queue, self._engines, self._stopping = board, queue, engines, stopping
        self.runner: Runner | None = None  # the one of this process, while it runs
        self._looking, self._looked = Lock(), 0.0
        self._seen: dict[str, tuple[str, Any]] = {}  # by fitting: what the last look found

    def add(
        self,
        owner: str,
        pairs: Sequence[Pair],
        engine: str,
        options: Mapping[str, Any] | None,
        keep_hours: float | None,
        *,
        together: bool = False,
        note: Note | None = None,
    ) -> tuple[list[FittingRow], BatchRow | None]:
        """Queue fittings, all or none; they are in the database when this returns."""
        checked = self.check(engine, options, {len(garments) for _, garments in pairs})
        asked = checked.model_dump(mode="json", exclude_unset=True)  # the rest is the engine's own choice
        if len(pairs) > self._settings.queue_size:
            hint = f"At most {self._settings.queue_size} fittings can be asked for at once."
            raise TooLargeError(f"{len(pairs)} fittings are too many.", hint=hint)
        expires, now = expiry(self._settings, keep_hours), time.time()
        with self._database.writing() as session:
            self._make_room(waiting(session), len(pairs))
            until = self._expiries(session, owner, pairs)
            batch = BatchRow(id=new_id("b"), owner=owner, created=now, expires=expires) if together else None
            if batch is not None:
                session.add(batch)
                session.flush()
            rows = [
                FittingRow(
                    id=new_id("f"),
                    owner=owner,
                    batch=batch.id if batch else None,
                    place=place,
                    person=person,
                    garments=list(garments),
                    engine=engine,
                    options=asked,
                    created=now,
                    expires=min(expires, until[person]),
                )
                for place, (person, garments) in enumerate(pairs)
            ]
            session.add_all(rows)
            if note is not None:
                note(session, batch.id if batch else rows[0].id)
        if self.runner is not None:
            self.runner.wake()
        return rows, batch

    def check(self, engine: str, options: Mapping[str, Any] | None, garments: Collection[int]) -> BaseModel:
        """The options as the engine's own, where it can work with them and with so many garments in each fitting."""
        if not garments or max(garments) > MOST_GARMENTS:
            hint = f"Name a person and at most {MOST_GARMENTS} garments for each."
            raise InputError("no fitting was asked for, or one with too many garments.", hint=hint)
        return self._engines.check(engine, options, min(garments))

    def _make_room(self, length: int, more: int) -> None:
        if length + more > self._settings.queue_size:
            raise BusyError(
                f"{length} fittings wait already.",
                hint="Try again later.",
                retry_after=self.seconds_to_wait(length + more - self._settings.queue_size),
            )

    def seconds_to_wait(self, fittings: int) -> float:
        """After how many seconds so many fittings of the queue will have been done, as measured lately."""
        each = self.runner.seconds_each if self.runner is not None else 1.0
        return min(max(fittings * each / max(self._settings.workers, 1), 1.0), 300.0)

    def _expiries(self, session: Any, owner: str, pairs: Sequence[Pair]) -> dict[str, float]:
        """When each person expires; makes sure that all people and garments are there and of this owner."""
        found: dict[str, float] = {}
        for kind, wanted in (
            (PersonRow, {person for person, _ in pairs}),
            (GarmentRow, {garment for _, garments in pairs for garment in garments}),
        ):
            chosen = select(kind.id, kind.expires).where(kind.owner == owner, kind.expires > time.time())
            rows = {row.id: row.expires for row in session.execute(chosen.where(kind.id.in_(wanted)))}
            if wanted - rows.keys():
                raise missing(min(wanted - rows.keys()))
            found |= rows
        return found

    def row(self, owner: str, id: str) -> FittingRow:
        """The row of a fitting of this owner."""
        return owned(self._database, FittingRow, owner, id)

    def rows(self, owner: str, batch: str | None) -> list[FittingRow]:
        """All of this owner, the newest first; those of a batch in their order."""
        chosen = select(FittingRow).where(FittingRow.owner == owner, FittingRow.expires > time.time())
        if batch is not None:
            self.batch_row(owner, batch)
            chosen = chosen.where(FittingRow.batch == batch).order_by(FittingRow.place)
        with self._database.reading() as session:
            return list(session.scalars(chosen.order_by(FittingRow.created.desc(), FittingRow.id)))

    def wait(self, owner: str, id: str, timeout: float, gone: Event | None = None) -> FittingRecord:
        """The fitting when it has finished, or as it is after the timeout (seconds) or when waiting is in vain."""
        end = time.monotonic() + timeout
        with self._board.reading(id) as reader:
            record = self._found(owner, id)
            while not self._in_vain(record, gone) and (left := end - time.monotonic()) > 0:
                if LOOK in reader.take(min(left, POLL_SECONDS)):
                    record = self._found(owner, id)
                else:
                    self._look()
            return record if record.finished else self._found(owner, id)

    def _in_vain(self, record: FittingRecord, gone: Event | None) -> bool:
        """Whether it has finished, nobody listens, or it will not be begun before this process ends."""
        left = self._stopping.is_set() and record.state == "queued" and not self._runs_here(record.id)
        return record.finished or left or (gone is not None and gone.is_set())

    def _found(self, owner: str, id: str) -> FittingRecord:
        record = fitting_record(row := self.row(owner, id))
        if record.finished:
            self._seen.pop(id, None)
        else:
            self._seen[id] = (row.state, row.progress)
        return record

    def _look(self) -> None:
        """One look at the database for all who wait here, at most every `POLL_SECONDS`: fittings that other processes
        run change there without a word.
        """
        if not self._looking.acquire(blocking=False):
            return
        try:
            if time.monotonic() - self._looked < POLL_SECONDS:
                return
            chosen = select(FittingRow.id, FittingRow.state, FittingRow.progress)
            with self._database.reading() as session:
                found = session.execute(chosen.where(FittingRow.id.in_(ids := self._board.read())))
                now = {id: (state, progress) for id, state, progress in found}
            for id in ids:
                if id not in self._seen or (self._seen[id] != now.get(id) and not self._runs_here(id)):
                    self._board.post(id, LOOK)
            self._seen, self._looked = now, time.monotonic()
        finally:
            self._looking.release()

    def watch(self, owner: str, id: str, gone: Event | None = None) -> Iterator[FittingRecord | Preview]:
        """The fitting as it is, then each change and each preview, until it has finished or the watcher is gone."""
        with self._board.reading(id, previews=True) as reader:
            last = fitting_record(self.row(owner, id))
            yield last
            while not last.finished and not (gone is not None and gone.is_set()):
                news = reader.take(POLL_SECONDS)
                if not news:
                    self._look()
                    continue
                for item in news:
                    if isinstance(item, Preview):
                        yield item
                    elif isinstance(item, Progress):
                        last = last.model_copy(update={"progress": item, "state": "running"})
                        yield last
                if news and LOOK not in news:
                    continue
                now = fitting_record(self.row(owner, id))
                if now.state != last.state or (now.progress != last.progress and not self._runs_here(id)):
                    last = now
                    yield last

    def _runs_here(self, id: str) -> bool:
        return self.runner is not None and self.runner.runs(id)

    def cancel(self, owner: str, *which: Any) -> None:
        """Cancel all fittings of an owner to which these conditions apply."""
        with self._database.writing() as session:
            self._queue.cancel(session, FittingRow.owner == owner, *which)
            ids = session.scalars(select(FittingRow.id).where(FittingRow.owner == owner, *which)).all()
        self.stop(ids)

    def stop(self, ids: Sequence[str]) -> None:
        """Let this process stop fittings that were cancelled or deleted, and tell those who wait for them."""
        if self.runner is not None:
            self.runner.stop(ids)

    def delete(self, owner: str, *which: Any) -> int:
        """Delete fittings of an owner, and stop them; how many there were."""
        with self._database.writing() as session:
            mine = select(FittingRow.id).where(FittingRow.owner == owner, *which)
            ids = list(session.scalars(mine))
            session.execute(delete(FittingRow).where(FittingRow.id.in_(ids)))
        self.stop(ids)
        for id in ids:
            self._store.delete(folder_of(id))
            self._memory.forget(id)
        return len(ids)

    def pictures(self, owner: str, id: str) -> Fitting:
        """Picture, mask and layers of a fitting that is done."""
        row = self.row(owner, id)
        if row.state != "done" or row.blob is None:
            hint = "Wait for it." if row.state in ("queued", "running") else "Ask for the fitting again."
            raise ConflictError(f"the fitting is {row.state}: it has no picture.", hint=hint)
        blob = row.blob
        return self._memory.get(("fitting", id), lambda: values.load_fitting(self._store.read(blob)))

    def batch_row(self, owner: str, id: str) -> BatchRow:
        """The row of a batch of this owner."""
        return owned(self._database, BatchRow, owner, id)

    def batch(self, row: BatchRow) -> BatchRecord:
        """A batch as it is told."""
        with self._database.reading() as session:
            of_it = FittingRow.batch == row.id
            ids = session.scalars(select(FittingRow.id).where(of_it).order_by(FittingRow.place)).all()
            counted = session.execute(
                select(FittingRow.state, func.count()).where(of_it).group_by(FittingRow.state)
            ).all()
        states: dict[State, int] = dict.fromkeys(get_args(State), 0)
        states |= {state: number for state in states for name, number in counted if name == state}
        created, expires = moment(row.created), moment(row.expires)
        return BatchRecord(id=row.id, created=created, expires=expires, states=states, fittings=list(ids))

    def delete_batch(self, owner: str, id: str) -> None:
        """Delete a batch with its fittings."""
        self.batch_row(owner, id)
        self.delete(owner, FittingRow.batch == id)
        with self._database.writing() as session:
            session.execute(delete(BatchRow).where(BatchRow.id == id))


def layer(fitting: Fitting, id: str, name: str) -> Any:
    """One of the intermediate pictures.

    Raises:
        NotFoundError: none of that name was kept.
    """
    if name not in fitting.layers:
        kept = ", ".join(fitting.layers) or "none: ask for them with the engine's option"
        raise NotFoundError(f"fitting {id} has no layer {name[:40]!r}.", hint=f"Kept are: {kept}.")
    return fitting.layers[name]


def fitting_record(row: FittingRow) -> FittingRecord:
    """The row as it is told."""
    return FittingRecord.model_validate(
        {
            "id": row.id,
            "state": row.state,
            "created": moment(row.created),
            "expires": moment(row.expires),
            "person": row.person,
            "garments": row.garments,
            "engine": row.engine,
            "options": row.options,
            "batch": row.batch,
            "progress": row.progress,
            "error": Problem(**row.error) if row.error else None,
            **row.outcome,
        }
    )
