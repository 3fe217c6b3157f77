"""Several processes on one PostgreSQL: one queue, each fitting done once, also when the database goes away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from patience import until
from rooms import FakeService
from servers import Postgres, postgres_server
from service_rooms import rooms, settings_of
from starlette.testclient import TestClient
from test_service import ME

from vestiary import samples
from vestiary.errors import UnavailableError
from vestiary.serve.app import create_app
from vestiary.serve.database import Database, FittingRow, Table
from vestiary.serve.keys import Keys
from vestiary.serve.service import Service
from vestiary.serve.settings import Settings

pytestmark = pytest.mark.cluster
Start = Callable[[int], None]
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    pytest.importorskip("psycopg", reason="needs the postgres extra")
    with postgres_server() as running:
        yield running


@pytest.fixture(scope="module")
def shop(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a service that has a person and two garments of mine."""
    settings = settings_of(tmp_path_factory.mktemp("shop"), database=server.url, workers=0, queue_size=500)
    service = Service(settings)
    service.add_person(ME, samples.people()["mira"].read_bytes())
    for name in ("tee_white", "skirt_pleated"):
        service.add_garment(ME, samples.garments()[name].read_bytes())
    service.close()
    return settings


@pytest.fixture
def door(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A service that accepts work and does none."""
    monkeypatch.setattr("vestiary.registry.list_engines", rooms)
    service = Service(shop)
    yield service
    for fitting in service.fittings(ME):
        service.delete_fitting(ME, fitting.id)
    service.close()


@pytest.fixture
def start(shop: Settings) -> Iterator[Start]:
    """Start so many processes that work on the queue with two threads each; they end with the test."""
    made: list[subprocess.Popen[str]] = []

    def start(number: int) -> None:
        settings = json.dumps({"database": shop.database, "storage": shop.storage})
        command = [sys.executable, str(HERE / "service_rooms.py"), "/nowhere", "2", settings]
        own = {**os.environ, "PYTHONPATH": str(HERE)}
        pipe = subprocess.PIPE
        made.extend(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=own) for _ in range(number))
        for process in made:
            assert process.stdout is not None
            assert process.stdout.readline() == "started\n"

    yield start
    for process in made:
        process.kill()
        process.communicate()


def ask(service: Service, number: int, seconds: float, **how: str) -> list[str]:
    person = service.people(ME)[0].id
    garments = [garment.id for garment in service.garments(ME)]
    pairs = [(person, [garments[i % 2]]) for i in range(number)]
    return service.add_batch(ME, pairs, engine="slow", options={"seconds": seconds, **how}).fittings


def states(service: Service) -> Counter[str]:
    return Counter(record.state for record in service.fittings(ME))


def attempts(service: Service) -> Counter[int]:
    with service.database.reading() as session:
        return Counter(row.attempts for row in session.query(FittingRow))


def holders_of(service: Service) -> set[str]:
    """The processes that hold a fitting now."""
    with service.database.reading() as session:
        return {worker for (worker,) in session.query(FittingRow.worker).distinct() if worker}


def test_three_processes_share_a_queue_and_do_each_fitting_once(door: Service, start: Start, tmp_path: Path) -> None:
    start(3)
    gate = tmp_path / "gate"
    ids = ask(door, 60, 0.05, gate=str(gate))
    until(lambda: states(door)["running"] == 6)  # two by each
    assert len(holders_of(door)) == 3
    gate.touch()
    until(lambda: states(door)["done"] == len(ids))
    assert attempts(door) == {1: len(ids)}
    kept = [name for name in door.store.older_than(-1) if name.startswith("fittings/")]
    assert len(kept) == len(ids), "nothing was made twice"


def test_a_killed_process_leaves_its_fittings_to_the_others(door: Service, start: Start) -> None:
    start(2)
    ids = ask(door, 12, 0.8)
    until(lambda: states(door)["running"] >= 4)
    os.kill(int(holders_of(door).pop().split("|")[1]), signal.SIGKILL)
    until(lambda: states(door)["done"] == len(ids))
    assert sum(attempts(door).values()) == len(ids)
    assert max(attempts(door)) == 2


def test_the_database_goes_away_and_comes_back(door: Service, start: Start, server: Postgres) -> None:
    start(2)
    ids = ask(door, 8, 0.5)
    until(lambda: states(door)["running"] >= 2)
    server.stop()
    try:
        with pytest.raises(UnavailableError):
            door.fittings(ME)
        assert not door.is_ready()["database"]
        time.sleep(1.0)  # fittings finish meanwhile, and wait to be written down
    finally:
        server.start()
    until(lambda: states(door)["done"] == len(ids))
    assert attempts(door) == {1: len(ids)}, "what was computed is kept"


def test_without_its_database_the_service_answers_503(server: Postgres, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, database=server.url, keys="on")
    service = FakeService(settings)
    _, secret = Keys(service.database).create("shop", ["read"])
    client = TestClient(create_app(settings, service), base_url="http://127.0.0.1:8000")  # type: ignore[arg-type]
    bearer = {"Authorization": f"Bearer {secret}"}
    assert client.get("/v1/people", headers=bearer).status_code == 200
    server.stop()
    try:
        answer = client.get("/v1/people", headers=bearer)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) >= 1
    finally:
        server.start()
    assert client.get("/v1/people", headers=bearer).status_code == 200
    service.database.close()


def test_the_migrated_tables_are_those_of_the_code(server: Postgres) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    database = Database(server.url)
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []
    database.close()


def test_a_database_that_is_not_there_is_told(tmp_path: Path) -> None:
    pytest.importorskip("psycopg", reason="needs the postgres extra")
    with pytest.raises(UnavailableError):
        Database(f"postgresql://vestiary@/postgres?host={tmp_path}&port=1")
