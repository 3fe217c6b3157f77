"""What the service deletes, and what becomes of work when something fails, fills up, goes away or stops."""

from __future__ import annotations

# ruff: noqa: F811  fixtures of another file
import errno
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import service_rooms
from patience import until
from service_rooms import rooms
from sqlalchemy import update
from test_service import ME, Open, files, fit, folder, furnished, mine, open_  # noqa: F401

from vestiary import samples
from vestiary.errors import (
    BusyError,
    ImageError,
    NotFoundError,
    OutputError,
    UnavailableError,
)
from vestiary.serve.database import FittingRow, PersonRow
from vestiary.serve.sweep import Sweeper


def test_deleting_a_person_deletes_everywhere(open_: Open, folder: Path) -> None:
    service = open_(workers=1)
    person, *_ = mine(service)
    done = service.wait(ME, fit(service, "slow", options={"seconds": 0}).id, 120)
    runs = fit(service, "slow", options={"held": True})
    until(lambda: service.fitting(ME, runs.id).state == "running")
    service.delete_person(ME, person)
    for id in (done.id, runs.id):
        with pytest.raises(NotFoundError):
            service.fitting(ME, id)
    assert service.runner is not None
    until(lambda: not service.runner.running())  # type: ignore[union-attr]
    assert not files(folder, "people") + files(folder, "fittings")
    assert person not in service.memory.subjects()
    assert done.id not in service.memory.subjects()


def test_erasing_leaves_nothing(open_: Open, folder: Path) -> None:
    service = open_()
    person, top, _ = mine(service)
    batch = service.add_batch(ME, [(person, [top])], engine="paste")
    service.wait(ME, batch.fittings[0], 120)
    assert service.erase(ME) == 5
    assert not files(folder, "")
    assert service.people(ME) == []


def test_what_has_expired_goes(open_: Open, folder: Path) -> None:
    service = open_(start=False)
    person, top, _ = mine(service)
    waiting = fit(service)
    assert waiting.expires <= service.person(ME, person).expires, "a fitting never outlives its person"
    with service.database.writing() as session:
        session.execute(update(PersonRow).values(expires=time.time() - 1))
    with pytest.raises(NotFoundError):
        service.person(ME, person)
    sweeper = Sweeper(service.database, service.store, service.memory, service._fittings)
    assert sweeper.sweep() == 2
    assert not files(folder, "people")
    with pytest.raises(NotFoundError):
        service.fitting(ME, waiting.id)
    assert service.garment(ME, top).expires > datetime.now(UTC)
    assert sweeper.sweep() == 0


def test_pixels_without_a_row_are_swept(open_: Open, folder: Path) -> None:
    service = open_(start=False)
    service.store.write("fittings/f_1/a.npz", b"x")
    (folder / "pictures" / "notes.txt").write_text("not ours")
    sweeper = Sweeper(service.database, service.store, service.memory, service._fittings)
    assert sweeper.sweep_orphans() == 0, "it may still get its row"
    assert sweeper.sweep_orphans(age=-1) == 1
    assert not files(folder, "fittings")
    assert len(files(folder, "")) == 4


def test_a_failing_engine_fails_its_fitting_only(open_: Open) -> None:
    service = open_(workers=1)
    failed = service.wait(ME, fit(service, "broken").id, 120)
    assert failed.state == "failed"
    assert failed.error is not None
    assert failed.error.code == "engine"
    assert "secret" not in failed.model_dump_json()
    assert service.wait(ME, fit(service).id, 120).state == "done"


def full(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_told_and_leaves_no_half_file(
    open_: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = open_(workers=1)
    before = len(files(folder, ""))
    monkeypatch.setattr(os, "replace", full)
    failed = service.wait(ME, fit(service).id, 120)
    assert failed.error is not None
    assert failed.error.code == "output"
    with pytest.raises(OutputError, match="full"):
        service.add_garment(ME, samples.garments()["tee_white"].read_bytes())
    monkeypatch.undo()
    assert len(files(folder, "")) == before
    assert len(service.garments(ME)) == 2


def test_a_storage_that_is_away_delays_and_loses_nothing(
    open_: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = open_(workers=1)
    person, *_ = mine(service)
    (folder / "pictures").rename(folder / "away")
    (folder / "pictures").write_text("a file in its place")
    assert not service.is_ready()["storage"]
    with pytest.raises(UnavailableError):
        service.person_picture(ME, person)
    monkeypatch.setattr("vestiary.registry.list_engines", rooms)
    record = fit(service)
    time.sleep(0.3)
    (folder / "pictures").unlink()
    (folder / "away").rename(folder / "pictures")
    assert service.wait(ME, record.id, 120).state == "done"


def test_a_database_that_is_away_delays_and_loses_nothing(open_: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.exc import OperationalError

    service = open_(workers=1)
    record = fit(service, "slow", options={"held": True})
    until(lambda: service.fitting(ME, record.id).state == "running")

    def gone(*_: Any, **__: Any) -> None:
        raise OperationalError("", {}, Exception("server closed the connection"))

    with monkeypatch.context() as patch:
        patch.setattr("vestiary.serve.database.Session", gone)
        service_rooms.go_on.set()
        with pytest.raises(UnavailableError):
            service.fitting(ME, record.id)
        assert not service.is_ready()["database"]
        time.sleep(0.8)
    assert service.wait(ME, record.id, 120).state == "done"
    assert service_rooms.begun["slow"] == 1, "what was computed is not computed again"


def test_a_stop_puts_back_what_does_not_finish_in_time(open_: Open) -> None:
    service = open_(workers=1, drain_seconds=0.1)
    held, waits = fit(service, "slow", options={"held": True}), fit(service, "slow", options={"seconds": 0})
    until(lambda: service.fitting(ME, held.id).state == "running")
    service.close()
    service_rooms.go_on.set()
    again = open_(start=False)
    assert [again.fitting(ME, id).state for id in (held.id, waits.id)] == ["queued", "queued"]
    with again.database.reading() as session:
        row = session.get(FittingRow, held.id)
        assert row is not None
        assert row.attempts == 0
    again.start()
    assert [again.wait(ME, id, 120).state for id in (held.id, waits.id)] == ["done", "done"]


def test_a_stop_tells_those_who_wait(open_: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    service = open_(workers=1, drain_seconds=0.3)
    began, looked = threading.Event(), threading.Event()

    def slow(*_: Any, **__: Any) -> None:
        began.set()
        looked.wait(120)
        raise ImageError("no.")

    monkeypatch.setattr("vestiary.api.scan_person", slow)
    held, waits = fit(service, "slow", options={"held": True}), fit(service)
    until(lambda: service.fitting(ME, held.id).state == "running")
    with ThreadPoolExecutor(4) as pool:
        waiters = [pool.submit(service.wait, ME, one.id, 600) for one in (held, waits)]
        scans = pool.submit(service.add_person, ME, b"x")
        assert began.wait(120)
        in_line = pool.submit(service.add_person, ME, b"x")
        service.drain()
        assert [waiter.result(120).state for waiter in waiters] == ["queued", "queued"]
        with pytest.raises(UnavailableError, match="stopping"):
            in_line.result(120)
        looked.set()
        with pytest.raises(ImageError):
            scans.result(120)


def test_a_stop_lets_finish_what_has_begun(open_: Open) -> None:
    service = open_(workers=1)
    record = fit(service, "slow", options={"seconds": 0.4})
    until(lambda: service.fitting(ME, record.id).state == "running")
    service.close()
    assert open_(start=False).fitting(ME, record.id).state == "done"


def test_memory_stays_within_its_bound(open_: Open) -> None:
    service = open_(cache_mb=8, workers=2)
    person, top, skirt = mine(service)
    batch = service.add_batch(ME, [(person, [top, skirt])] * 6, engine="paste")
    until(lambda: service.batch(ME, batch.id).states["done"] == 6)
    assert service.memory.size <= 8 * 2**20
    assert service.memory.size > 2**20
    assert service.fitting_picture(ME, batch.fittings[0]).size


def test_uploads_wait_for_their_turn_and_not_without_end(open_: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    service = open_(start=False, workers=1, queue_size=2)
    held = threading.Event()

    def slow(*_: Any, **__: Any) -> None:
        held.wait(120)
        raise ImageError("no.")

    monkeypatch.setattr("vestiary.api.scan_person", slow)
    refused: list[Exception] = []

    def upload() -> None:
        try:
            service.add_person(ME, b"x")
        except Exception as problem:
            refused.append(problem)

    threads = [threading.Thread(target=upload) for _ in range(5)]
    for thread in threads:
        thread.start()
    until(lambda: len(refused) == 3)
    assert all(isinstance(problem, BusyError) for problem in refused)
    held.set()
    for thread in threads:
        thread.join()
    assert sum(isinstance(problem, ImageError) for problem in refused) == 2
