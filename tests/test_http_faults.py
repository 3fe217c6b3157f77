"""The service while its database is away; and what its commands write down."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")

import uvicorn
from conftest import stand_in
from fastapi.testclient import TestClient
from patience import until
from service_process import photo
from service_rooms import go_on, rooms
from sqlalchemy.exc import OperationalError
from starlette.testclient import WebSocketDenialResponse

from vestiary.cli.main import main
from vestiary.serve import server
from vestiary.serve.app import create_app
from vestiary.serve.settings import Settings

SHOP = "http://shop.example"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A service that asks for keys, called with one."""
    stand_in(monkeypatch)
    place = {"database": f"sqlite:///{tmp_path}/v.db", "storage": str(tmp_path / "kept")}
    settings = Settings(**place, host="0.0.0.0", nudity="off", workers=1, upload_seconds=60)
    with TestClient(create_app(settings), base_url=SHOP) as made:
        _, secret = made.app.state.keys.create("shop", ["read", "write", "delete", "metrics"])  # type: ignore[attr-defined]
        made.headers["Authorization"] = f"Bearer {secret}"
        yield made


def gone(*_: Any, **__: Any) -> None:
    raise OperationalError("SELECT", {}, Exception("server closed the connection at 10.0.0.9"))


def test_a_database_that_is_away_is_told_and_comes_back(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = {kind: client.post(f"/v1/{kind}", files={"photo": photo()}).json()["id"] for kind in ("people", "garments")}
    form = {"person_id": ids["people"], "garment_id": ids["garments"], "engine": "paste", "wait": "60"}
    id = client.post("/v1/fittings", data=form).headers["vestiary-fitting"]
    with monkeypatch.context() as patch:
        patch.setattr("vestiary.serve.database.Session", gone)
        for answer in (
            client.get("/v1/people"),
            client.post("/v1/people", files={"photo": photo()}),
            client.post("/v1/fittings", data=form),
            client.get(f"/v1/fittings/{id}/picture"),
            client.delete("/v1/me"),
            client.get("/metrics"),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
            assert int(answer.headers["retry-after"]) > 0
            assert "10.0.0.9" not in answer.text
        assert client.get("/health").status_code == 200
        assert client.get("/ready").json()["database"] is False
        with pytest.raises(WebSocketDenialResponse) as refused:
            client.websocket_connect(f"ws://shop.example/v1/fittings/{id}/events").__enter__()
        assert refused.value.status_code == 503
    assert client.get("/ready").status_code == 200
    assert client.post("/v1/fittings", data=form).status_code == 200
    assert [one["id"] for one in client.get("/v1/people").json()] == [ids["people"]]


@pytest.mark.parametrize("what", ["fitting", "database"])
def test_what_goes_away_while_a_request_waits_for_it_is_told(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr("vestiary.registry.list_engines", rooms)
    go_on.clear()
    ids = {kind: client.post(f"/v1/{kind}", files={"photo": photo()}).json()["id"] for kind in ("people", "garments")}
    form = {"person_id": ids["people"], "garment_id": ids["garments"], "engine": "slow", "options": '{"held": true}'}
    with ThreadPoolExecutor(1) as pool, monkeypatch.context() as patch:
        waits = pool.submit(client.post, "/v1/fittings", data={**form, "wait": "60"})
        mine = until(lambda: client.get("/v1/fittings").json())
        if what == "fitting":
            assert client.delete(f"/v1/fittings/{mine[0]['id']}").status_code == 204
        else:
            patch.setattr("vestiary.serve.database.Session", gone)
        answer = waits.result(120)
    go_on.set()
    expected = {"fitting": (404, "not-found"), "database": (503, "unavailable")}
    assert (answer.status_code, answer.json()["error"]["code"]) == expected[what]


def test_the_studio_runs_as_the_service_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[uvicorn.Config] = []

    def run(self: server.Server, sockets: Any = None) -> None:
        seen.append(self.config)
        self.should_exit = True

    monkeypatch.setattr(server.Server, "run", run)
    monkeypatch.setenv("VESTIARY_DATABASE", f"sqlite:///{tmp_path}/v.db")
    monkeypatch.setenv("VESTIARY_STORAGE", str(tmp_path / "kept"))
    levels = {name: logging.getLogger(name).level for name in ("uvicorn", "vestiary", "vestiary.access")}
    try:
        assert main(["studio", "--no-browser", "--port", "0"]) == 0
        assert main(["serve", "--port", "0", "--verbose"]) == 0
    finally:
        for name in levels:
            logger = logging.getLogger(name)
            logger.handlers.clear()
            logger.propagate, logger.level = True, levels[name]
    studio, service = seen
    assert not studio.access_log
    assert not service.access_log
    assert studio.http is service.http is server.ImpatientProtocol
    assert studio.limit_concurrency == service.limit_concurrency
    levels_of_studio = studio.log_config["loggers"]  # type: ignore[index,call-overload]
    assert levels_of_studio["vestiary.access"]["level"] == "WARNING"
