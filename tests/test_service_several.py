"""Fittings that are made several at once, and what becomes of each of them when something goes away meanwhile."""

from __future__ import annotations

# ruff: noqa: F811  fixtures of another file
from typing import Any

import pytest
import service_rooms
from test_service import Open, fit, folder, furnished, open_  # noqa: F401

from vestiary.errors import UnavailableError
from vestiary.serve.database import FittingRow
from vestiary.serve.jobs import Job
from vestiary.serve.runner import Runner
from vestiary.serve.service import Service


def runner_of(service: Service) -> Runner:
    """The workers of a service that was not started, without their threads."""
    parts = (service.queue, service._wardrobe, service.store, service.memory, service._board, service._engines)
    return Runner(service.settings, *parts)


def rows(service: Service, ids: list[str]) -> list[tuple[str, int]]:
    """State and attempts of fittings."""
    with service.database.reading() as session:
        found = {row.id: (row.state, row.attempts) for row in session.query(FittingRow)}
    return [found[id] for id in ids]


def away(*_: Any, **__: Any) -> Any:
    raise UnavailableError("the storage of the service cannot be reached.")


def after(number: int, good: Any) -> Any:
    """`good` for the first calls; after those it is away."""
    calls: list[int] = []

    def call(*args: Any, **named: Any) -> Any:
        calls.append(1)
        return away() if len(calls) > number else good(*args, **named)

    return call


@pytest.mark.parametrize("when", ["before", "at once", "one by one", "keeping"])
def test_of_several_none_is_left_behind_when_something_goes_away(
    open_: Open, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    service = open_(start=False, workers=1)
    ids = [fit(service, "many", options={"seconds": 0}).id for _ in range(4)]
    other = fit(service).id
    maker = runner_of(service)._maker
    jobs = [Job(order) for order in service.queue.claim(lambda *_: 4)]
    assert {job.order.id for job in jobs} == set(ids)
    assert [order.id for order in service.queue.claim(lambda *_: 1)] == [other], "another thread's"
    with monkeypatch.context() as patch:
        if when == "before":
            patch.setattr(service._wardrobe, "person", away)
        elif when == "keeping":
            patch.setattr(service.store, "write", after(1, service.store.write))
        else:
            patch.setattr(service_rooms.ManyEngine, "fit_many", away)
            patch.setattr(service_rooms.ManyEngine, "fit", after(when == "one by one", service_rooms.ManyEngine.fit))
        with pytest.raises(UnavailableError):
            maker.make(jobs)
    made = when in ("one by one", "keeping")
    assert sorted(rows(service, ids)) == [("done", 1)] * made + [("queued", 0)] * (4 - made)
    assert rows(service, [other]) == [("running", 1)], "it is not theirs to give back"
    maker.make([Job(order) for order in service.queue.claim(lambda *_: 4)])
    assert rows(service, ids) == [("done", 1)] * 4


def test_one_that_goes_back_takes_no_other_along(open_: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    service = open_(start=False, workers=1)
    ids = [fit(service).id, fit(service).id]
    first, _ = [Job(service.queue.claim(lambda *_: 1)[0]) for _ in ids]
    monkeypatch.setattr(service.store, "write", away)
    with pytest.raises(UnavailableError):
        runner_of(service)._maker.make([first])
    assert rows(service, ids) == [("queued", 0), ("running", 1)]


def test_what_went_back_and_runs_again_is_not_forgotten(open_: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    service = open_(start=False, workers=1)
    fit(service)
    (order,) = service.queue.claim(lambda *_: 1)
    runner = runner_of(service)
    monkeypatch.setattr(runner._maker, "make", lambda jobs: runner._begin(order))  # by another thread
    runner._do([runner._begin(order)])
    assert runner.runs(order.id)
    monkeypatch.setattr(runner._maker, "make", lambda jobs: None)
    runner._do([runner._jobs[order.id]])
    assert not runner.runs(order.id)
