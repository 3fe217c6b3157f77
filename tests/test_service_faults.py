"""Workers that are killed, and several that share one queue."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import until
from service_rooms import rooms, settings_of
from sqlalchemy import update
from test_service import ME, folder, furnished, mine  # noqa: F401

from vestiary.errors import InputError, MissingExtraError
from vestiary.serve.database import Database, FittingRow, Table
from vestiary.serve.queue import MOST_ATTEMPTS, Queue, is_dead, this_worker
from vestiary.serve.service import Service
from vestiary.serve.sweep import Sweeper
from vestiary.values import load_fitting

HERE = Path(__file__).parent


class Workers:
    """Processes that work on the queue of a folder."""

    def __init__(self, folder: Path) -> None:  # noqa: F811
        self.folder, self.running = folder, []  # type: ignore[var-annotated]

    def start(self, threads: int = 1) -> subprocess.Popen[str]:
        worker = subprocess.Popen(
            [sys.executable, str(HERE / "service_rooms.py"), str(self.folder), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(HERE)},
        )
        self.running.append(worker)
        assert worker.stdout is not None
        assert worker.stdout.readline() == "started\n"
        return worker


@pytest.fixture
def workers(folder: Path) -> Iterator[Workers]:  # noqa: F811
    made = Workers(folder)
    yield made
    for worker in made.running:
        worker.kill()
        worker.communicate()


@pytest.fixture
def door(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:  # noqa: F811
    """A service that accepts work and does none; it is not started, so it recovers nothing either."""
    monkeypatch.setattr("vestiary.registry.list_engines", rooms)
    service = Service(settings_of(folder, workers=0, queue_size=500))
    yield service
    service.close()


def ask(service: Service, number: int, engine: str = "slow", seconds: float = 0.1) -> list[str]:
    person, top, skirt = mine(service)
    pairs = [(person, [top] if i % 2 else [skirt]) for i in range(number)]
    options = {"seconds": seconds} if engine == "slow" else {}
    return service.add_batch(ME, pairs, engine=engine, options=options).fittings


def states(service: Service) -> list[str]:
    return [record.state for record in service.fittings(ME)]


def check_whole(service: Service) -> None:
    """Every fitting is done, has whole pictures, and once."""
    assert set(states(service)) == {"done"}
    with service.database.reading() as session:
        rows = session.query(FittingRow).all()
    for row in rows:
        assert row.blob is not None
        assert load_fitting(service.store.read(row.blob)).mask.any()
        assert (row.worker, row.lease) == (None, None)
    with sqlite3.connect(service.database.engine.url.database or "") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    Sweeper(service.database, service.store, service.memory, service._fittings).sweep_orphans(age=-1)
    assert {name for name in service.store.older_than(-1) if name.startswith("fittings/")} == {r.blob for r in rows}


def kill_at_random(service: Service, workers: Workers, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    ids = ask(service, 4 * kills)
    for _ in range(kills):
        worker = workers.start(threads=2)
        time.sleep(chance.uniform(0.0, 0.5))
        worker.send_signal(signal.SIGKILL)
        worker.communicate()
        assert set(states(service)) <= {"queued", "running", "done"}
    workers.start(threads=2)
    until(lambda: states(service).count("done") == len(ids))
    check_whole(service)


def test_killed_workers_lose_nothing(door: Service, workers: Workers) -> None:
    kill_at_random(door, workers, kills=3, seed=1)


@pytest.mark.slow
def test_workers_killed_fifty_times_lose_nothing(door: Service, workers: Workers) -> None:
    kill_at_random(door, workers, kills=50, seed=2)


def test_two_processes_share_a_queue_and_do_nothing_twice(door: Service, workers: Workers) -> None:
    ids = ask(door, 30, seconds=0.05)
    for _ in range(2):
        workers.start(threads=2)
    until(lambda: states(door).count("done") == len(ids))
    with door.database.reading() as session:
        assert [row.attempts for row in session.query(FittingRow)] == [1] * len(ids)
    assert len([name for name in door.store.older_than(-1) if name.startswith("fittings/")]) == len(ids)
    check_whole(door)


def test_a_stopped_worker_leaves_its_work_to_the_next(door: Service, workers: Workers) -> None:
    ids = ask(door, 6, seconds=0.3)
    first = workers.start()
    until(lambda: "done" in states(door))
    first.communicate()  # its standard input ends: it closes in good order
    assert first.returncode == 0
    assert "running" not in states(door)
    workers.start(threads=2)
    until(lambda: states(door).count("done") == len(ids))
    with door.database.reading() as session:
        assert {row.attempts for row in session.query(FittingRow)} == {1}


def test_a_fitting_that_kills_its_workers_fails_at_last(door: Service, workers: Workers) -> None:
    (deadly,) = ask(door, 1, "deadly")
    for _ in range(MOST_ATTEMPTS):
        assert workers.start().wait(120) == 9
    (good,) = ask(door, 1)
    workers.start()
    until(lambda: door.fitting(ME, good).state == "done")
    failed = door.fitting(ME, deadly)
    assert failed.state == "failed"
    assert failed.error is not None
    assert str(MOST_ATTEMPTS) in failed.error.message


def test_an_expired_lease_is_taken_over_and_the_late_result_dropped(door: Service) -> None:
    (id,) = ask(door, 1)
    slow, quick = Queue(door.database, "far/1|1|1|a"), Queue(door.database, "far/2|1|1|b")
    (order,) = slow.claim(lambda *_: 1)
    assert order.id == id
    assert (quick.claim(lambda *_: 1), quick.recover()) == ([], 0), "it is held"
    with door.database.writing() as session:
        session.execute(update(FittingRow).values(lease=time.time() - 1))
    assert quick.recover() == 1
    assert [o.id for o in quick.claim(lambda *_: 1)] == [id]
    assert slow.renew({id: {}}) == {id}, "it is told to stop"
    assert not slow.finish(id, "late", {}, {})
    assert not slow.fail(id, {})
    assert quick.finish(id, "good", {}, {})
    assert not quick.finish(id, "again", {}, {})
    with door.database.reading() as session:
        assert session.query(FittingRow.blob, FittingRow.state, FittingRow.attempts).one() == ("good", "done", 2)


def test_what_a_worker_knows_nothing_of_is_not_kept(door: Service) -> None:
    ids = ask(door, 3)
    worker, other = Queue(door.database, "far/1|1|1|a"), Queue(door.database, "far/2|1|1|b")
    kept, stopped, forgotten = (order.id for _ in ids for order in worker.claim(lambda *_: 1))
    with door.database.writing() as session:
        session.execute(update(FittingRow).values(lease=time.time() - 1))
        session.execute(update(FittingRow).where(FittingRow.id != kept).values(cancel=True))
    assert worker.renew({kept: {"step": 3}, stopped: {}}) == {stopped}
    assert other.recover() == 1
    with door.database.reading() as session:
        found = {row.id: (row.state, row.progress.get("step")) for row in session.query(FittingRow)}
    assert found == {kept: ("running", 3), stopped: ("running", None), forgotten: ("cancelled", None)}


def test_workers_are_told_apart() -> None:
    me = this_worker()
    assert not is_dead(me)
    host, pid, begun, _ = me.split("|")
    assert not is_dead(f"other{me}")
    if begun:
        assert is_dead(f"{host}|{pid}|1|x"), "an earlier process of the same number"
    assert is_dead(f"{host}|4194999|1|x")


def test_the_migrated_tables_are_those_of_the_code(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    database = Database(f"sqlite:///{tmp_path / 'a b%.sqlite'}")
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []
    database.close()


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    place = f"sqlite:///{tmp_path / 'db.sqlite'}"
    Database(place).close()
    connection = sqlite3.connect(tmp_path / "db.sqlite")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(InputError, match="newer version"):
        Database(place)


@pytest.mark.parametrize("url", ["nonsense", "sqlite://", "sqlite:///:memory:", "cobol://a/b"])
def test_urls_that_are_none_are_refused(url: str) -> None:
    with pytest.raises((InputError, MissingExtraError)):
        Database(url)


POSTGRES = os.environ.get("VESTIARY_TEST_POSTGRES", "")


@pytest.mark.skipif(not POSTGRES, reason="VESTIARY_TEST_POSTGRES names no database")
def test_postgres_shares_its_queue_between_services(
    folder: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vestiary.registry.list_engines", rooms)
    services = [Service(settings_of(folder, database=POSTGRES, workers=2, queue_size=99)) for _ in range(3)]
    first = services[0]
    try:
        from vestiary import samples

        first.erase(ME)
        first.add_person(ME, samples.people()["mira"].read_bytes())
        for name in ("tee_white", "skirt_pleated"):
            first.add_garment(ME, samples.garments()[name].read_bytes())
        ids = ask(first, 40, seconds=0.02)
        for service in services:
            service.start()
        until(lambda: states(first).count("done") == len(ids))
        with first.database.reading() as session:
            assert {row.attempts for row in session.query(FittingRow)} == {1}
        assert first.erase(ME) == len(ids) + 4
    finally:
        for service in services:
            service.close()
