"""Requests made from the OpenAPI schema: no answer is a fault of the service."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("schemathesis")

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from rooms import FakeService

from vestiary.serve.app import create_app
from vestiary.serve.settings import Settings


@pytest.mark.slow
def test_requests_of_the_schema_are_no_fault(tmp_path: Path) -> None:
    chosen = Settings(host="0.0.0.0", keys="off", rate_per_minute=10**6, database=f"sqlite:///{tmp_path}/v.db")
    schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(chosen, FakeService(chosen)))
    count = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        count += 1

        @settings(
            max_examples=12,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        )
        @given(case=operation.as_strategy())
        def answers(case: schemathesis.Case) -> None:
            assert case.call().status_code < 500

        answers()
    assert count >= 20
