"""Requests made from the OpenAPI schema, to the real service: no answer is a fault, and all are as the schema says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("schemathesis")

import schemathesis
from conftest import stand_in
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from service_process import photo
from service_rooms import rooms

from vestiary.serve.app import create_app
from vestiary.serve.settings import Settings

KINDS = {"people": "person", "garments": "garment"}


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A service with a worker; scanning takes no time."""
    stand_in(monkeypatch)
    monkeypatch.setattr("vestiary.registry.list_engines", rooms)
    chosen = Settings(
        host="0.0.0.0",
        keys="off",
        nudity="off",
        database=f"sqlite:///{tmp_path}/v.db",
        storage=str(tmp_path / "kept"),
        rate_per_minute=10**6,
        workers=1,
        quick_seconds=0.2,
        watermark=False,
    )
    with TestClient(create_app(chosen), base_url="http://testserver") as made:
        yield made


def furnish(client: TestClient) -> dict[str, str]:
    """Ids of a person, a garment, a fitting and a batch, made anew where they were deleted."""
    ids: dict[str, str] = {}
    for kind in KINDS:
        ids[kind] = client.post(f"/v1/{kind}", files={"photo": photo()}).json()["id"]
    form = {"person_id": ids["people"], "garment_id": ids["garments"], "engine": "paste", "wait": "60"}
    ids["fittings"] = client.post("/v1/fittings", data=form, headers={"Accept": "application/json"}).json()["id"]
    pair = {"person": ids["people"], "garments": [ids["garments"]]}
    ids["batches"] = client.post("/v1/batches", json={"pairs": [pair], "engine": "paste"}).json()["id"]
    return ids


def aim(case: Any, ids: dict[str, str], *, hit: bool) -> None:
    """Let a request that names things name some that are there; and not wait for long."""
    if hit and "id" in case.path_parameters:
        case.path_parameters["id"] = ids[case.path.split("/")[2]]
    if isinstance(case.body, dict):
        if hit and "person_id" in case.body:
            case.body.update(person_id=ids["people"], garment_id=[ids["garments"]])
        for field in ("wait", "person_url", "photo_url", "garment_url"):
            case.body.pop(field, None)


def drive(client: TestClient, examples: int) -> int:
    """Ask every operation so often; how many operations there are."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", client.app)
    count, ids = 0, furnish(client)
    for found in schema.get_all_operations():
        operation = found.ok()
        count += 1

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        )
        @given(case=operation.as_strategy(), hit=st.booleans())
        def answers(case: Any, hit: bool) -> None:
            aim(case, ids, hit=hit)  # noqa: B023
            answer = case.call(session=client)
            assert answer.status_code < 500, answer.text
            declared = {*case.operation.definition.raw["responses"], "400", "404", "405", "406", "422"}
            assert str(answer.status_code) in declared, answer.text

        answers()
        if operation.method.upper() == "DELETE":
            ids = furnish(client)
    return count


def test_requests_of_the_schema_are_no_fault(client: TestClient) -> None:
    assert drive(client, 3) >= 20
    assert client.get("/ready").status_code == 200


@pytest.mark.slow
def test_many_requests_of_the_schema_are_no_fault(client: TestClient) -> None:
    assert drive(client, 150) >= 20
    assert client.get("/ready").status_code == 200
