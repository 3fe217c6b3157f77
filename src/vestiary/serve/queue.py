"""The queue of fittings: rows of the database that several processes and hosts share.

A fitting is begun by one worker, which holds a lease on it and renews it. A worker that dies stops renewing, and its
fittings go back into the queue, somewhat behind their place: so one that takes its workers down holds up no others,
and fails at last, while one that happened to be there meets another worker. Whoever finishes a fitting must still hold
it, so nothing is finished twice.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import CursorResult, Select, and_, func, or_, select, update
from sqlalchemy.orm import Session

from vestiary.serve.database import Database, FittingRow

LEASE_SECONDS = 15.0
MOST_ATTEMPTS = 5
SETBACK_SECONDS = 30.0  # how much younger than it is a fitting counts for each time that its worker died
_QUEUED = FittingRow.state == "queued"
_TURN = (FittingRow.created + SETBACK_SECONDS * FittingRow.attempts, FittingRow.place)
_ABANDONED = {
    "code": "engine",
    "message": f"the fitting was begun {MOST_ATTEMPTS} times, and each time its worker stopped without a word.",
    "hint": "Try other options or a smaller photo; the service's log says more.",
}


@dataclass(frozen=True)
class Order:
    """A fitting that this worker has taken."""

    id: str
    person: str
    garments: tuple[str, ...]
    engine: str
    options: Mapping[str, Any]
    created: float
    attempts: int


def this_host() -> str:
    """This machine and its space of process numbers, which a container has for itself."""
    try:
        space = os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:
        space = ""
    return f"{socket.gethostname()[:60]}/{space}"


def this_worker() -> str:
    """The name of this process in the queue: host, process number, when the process began, and a random part."""
    pid = os.getpid()
    return f"{this_host()}|{pid}|{_begun(pid)}|{secrets.token_hex(4)}"


def _begun(pid: int) -> str:
    """When a process began, in the kernel's ticks: tells it from a later one of the same number. Linux only."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def is_dead(worker: str) -> bool:
    """Whether a worker was a process of this host that is no more; False where that cannot be told."""
    host, _, rest = worker.partition("|")
    pid, _, rest = rest.partition("|")
    if host != this_host() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    begun = rest.partition("|")[0]
    return bool(begun) and _begun(int(pid)) not in ("", begun)


class Queue:
    """The queue as one worker process sees it."""

    def __init__(self, database: Database, worker: str) -> None:
        self._database, self.worker = database, worker
        self._mine = and_(FittingRow.state == "running", FittingRow.worker == worker)

    def length(self) -> int:
        """How many fittings wait."""
        with self._database.reading() as session:
            return waiting(session)

    def peek(self) -> tuple[str, float] | None:
        """Engine and time of the fitting that is next, if any; a read takes no lock."""
        with self._database.reading() as session:
            first = session.execute(_next(FittingRow.engine, FittingRow.created).limit(1)).first()
            return None if first is None else (first.engine, first.created)

    def claim(self, most: Callable[[str, int], int]) -> list[Order]:
        """Take the oldest fitting, and others for the same engine, those of the same person first.

        Args:
            most: how many at a time, by engine and by how many there are.
        """
        with self._database.writing() as session:
            first = session.scalars(_locked(_next(FittingRow).limit(1))).first()
            if first is None:
                return []
            rows = [first, *self._others(session, first, most)]
            for row in rows:
                row.state, row.worker, row.lease = "running", self.worker, time.time() + LEASE_SECONDS
                row.attempts += 1
            return [_order(row) for row in rows]

    def _others(self, session: Session, first: FittingRow, most: Callable[[str, int], int]) -> list[FittingRow]:
        if most(first.engine, 2**31) < 2:
            return []
        same = and_(FittingRow.engine == first.engine, FittingRow.id != first.id)
        more = session.scalar(select(func.count()).where(_QUEUED, same)) or 0
        number = most(first.engine, more + 1) - 1
        by_person = (FittingRow.person != first.person, *_TURN)
        chosen = select(FittingRow).where(_QUEUED, same).order_by(*by_person).limit(number)
        return list(session.scalars(_locked(chosen)))

    def finish(self, fitting: str, blob: str, outcome: Mapping[str, Any], progress: Mapping[str, Any]) -> bool:
        """Set a fitting done; False when it was taken away or deleted meanwhile."""
        return self._end(fitting, state="done", blob=blob, outcome=dict(outcome), progress=dict(progress))

    def fail(self, fitting: str, problem: Mapping[str, str]) -> bool:
        """Set a fitting failed; False when it was taken away or deleted meanwhile."""
        return self._end(fitting, state="failed", error=dict(problem))

    def stopped(self, fitting: str) -> bool:
        """Set a fitting cancelled; False when it was taken away or deleted meanwhile."""
        return self._end(fitting, state="cancelled")

    def _end(self, fitting: str, **values: Any) -> bool:
        with self._database.writing() as session:
            change = update(FittingRow).where(FittingRow.id == fitting, self._mine)
            return _changed(session, change.values(worker=None, lease=None, **values)) == 1

    def release(self, *fittings: str) -> None:
        """Put fittings back at their place in the queue, as if they had not been begun; without names, all of mine."""
        wanted = (FittingRow.id.in_(fittings),) if fittings else ()
        back: dict[str, Any] = {
            "state": "queued",
            "worker": None,
            "lease": None,
            "attempts": FittingRow.attempts - 1,
            "progress": {},
        }
        with self._database.writing() as session:
            _changed(session, update(FittingRow).where(self._mine, *wanted).values(**back))

    def renew(self, progress: Mapping[str, Mapping[str, Any]]) -> set[str]:
        """Keep these fittings of mine and note how far they are; the ids of those that are to stop.

        One that this worker no longer knows of is not kept: its lease runs out, and it goes on elsewhere.

        Args:
            progress: fields of `records.Progress` by id, of all that this worker runs.
        """
        with self._database.writing() as session:
            rows = session.scalars(select(FittingRow).where(self._mine, FittingRow.id.in_(progress))).all()
            for row in rows:
                row.lease = time.time() + LEASE_SECONDS
                row.progress = dict(progress[row.id])
            return set(progress) - {row.id for row in rows if not row.cancel}

    def cancel(self, session: Session, *which: Any) -> None:
        """Cancel those that wait, and ask the workers of those that run to stop."""
        _changed(session, update(FittingRow).where(_QUEUED, *which).values(state="cancelled"))
        _changed(session, update(FittingRow).where(FittingRow.state == "running", *which).values(cancel=True))

    def recover(self) -> int:
        """Put back what dead workers held; how many fittings that were."""
        running = FittingRow.state == "running"
        with self._database.reading() as session:
            holders = session.scalars(select(FittingRow.worker).where(running).distinct()).all()
            late = session.scalar(select(func.count()).where(running, FittingRow.lease < time.time()))
        dead = [worker for worker in holders if worker and worker != self.worker and is_dead(worker)]
        if not dead and not late:
            return 0
        lost = and_(running, or_(FittingRow.lease < time.time(), FittingRow.worker.in_(dead)))
        free: dict[str, Any] = {"worker": None, "lease": None, "progress": {}}
        often = FittingRow.attempts >= MOST_ATTEMPTS
        with self._database.writing() as session:
            ends = _changed(
                session, update(FittingRow).where(lost, FittingRow.cancel).values(state="cancelled", **free)
            )
            failed = update(FittingRow).where(lost, often).values(state="failed", error=_ABANDONED, **free)
            ends += _changed(session, failed)
            return ends + _changed(session, update(FittingRow).where(lost).values(state="queued", **free))


def waiting(session: Session) -> int:
    """How many fittings wait."""
    return session.scalar(select(func.count()).where(_QUEUED)) or 0


def _next(*what: Any) -> Select[Any]:
    return select(*what).where(_QUEUED).order_by(*_TURN)


def _locked(rows: Select[Any]) -> Select[Any]:
    """Rows that nobody else is taking: PostgreSQL skips those that are locked; SQLite has one writer at a time."""
    return rows.with_for_update(skip_locked=True)


def _changed(session: Session, change: Any) -> int:
    done = session.execute(change.execution_options(synchronize_session=False))
    assert isinstance(done, CursorResult)
    return done.rowcount


def _order(row: FittingRow) -> Order:
    return Order(row.id, row.person, tuple(row.garments), row.engine, row.options, row.created, row.attempts)
