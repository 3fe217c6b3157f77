"""The operations of the service in one process."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import service_rooms
from patience import until
from service_rooms import rooms, settings_of

from vestiary import samples
from vestiary.errors import (
    BusyError,
    ConflictError,
    ImageError,
    NotFoundError,
    OptionError,
    TooLargeError,
    UnknownEngineError,
)
from vestiary.serve.records import FittingRecord
from vestiary.serve.service import Preview, Service

ME, YOU = "key:1", "key:2"
Open = Callable[..., Service]


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a person and two garments of mine, really scanned and read."""
    folder = tmp_path_factory.mktemp("service")
    service = Service(settings_of(folder))
    service.add_person(ME, samples.people()["mira"].read_bytes())
    for name in ("tee_white", "skirt_pleated"):
        service.add_garment(ME, samples.garments()[name].read_bytes())
    service.close()
    return folder


@pytest.fixture
def folder(furnished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(furnished, tmp_path / "service"))


@pytest.fixture
def open_(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Open services on the same folder; all are closed at the end."""
    monkeypatch.setattr("vestiary.registry.list_engines", rooms)
    service_rooms.go_on.clear()
    service_rooms.prepared.clear()
    service_rooms.begun.clear()
    service_rooms.sizes.clear()
    opened: list[Service] = []

    def make(*, start: bool = True, **changes: Any) -> Service:
        opened.append(Service(settings_of(folder, **changes)))
        if start:
            opened[-1].start()
        return opened[-1]

    yield make
    service_rooms.go_on.set()
    for service in opened:
        service.close()


def mine(service: Service) -> tuple[str, str, str]:
    """Ids of the person, the top and the skirt."""
    by_category = {record.category: record.id for record in service.garments(ME)}
    return service.people(ME)[0].id, by_category["top"], by_category["skirt"]


def fit(service: Service, engine: str = "paste", **changes: Any) -> FittingRecord:
    person, top, _ = mine(service)
    return service.add_fitting(ME, person, [top], engine=engine, **changes)


def files(folder: Path, kind: str) -> list[Path]:
    return [path for path in (folder / "pictures" / kind).rglob("*") if path.is_file()]


def test_a_fitting_from_the_photo_to_the_picture(open_: Open) -> None:
    service = open_()
    person, top, skirt = mine(service)
    record = service.add_fitting(ME, person, [top, skirt], engine="paste", options={"size": 1.1})
    assert record.state == "queued"
    done = service.wait(ME, record.id, 120)
    assert (done.state, done.error, done.garments) == ("done", None, [top, skirt])
    assert done.options == {"size": 1.1}
    assert done.provenance["engine"] == "paste"
    assert {"queue", "load", "prepare", "store"} <= done.timings.keys()
    picture, mask = service.fitting_picture(ME, done.id), service.fitting_mask(ME, done.id)
    photo = service.person_picture(ME, person)
    assert mask.any()
    assert np.array_equal(picture[mask == 0], photo[mask == 0])
    assert not np.array_equal(picture, photo)
    assert service.fitting_layer(ME, done.id, "garment-2").shape == (*mask.shape, 4)
    with pytest.raises(NotFoundError, match="no layer"):
        service.fitting_layer(ME, done.id, "none")
    service.memory.forget(done.id)
    assert np.array_equal(service.fitting_picture(ME, done.id), picture), "the stored one is the same"
    assert service.garment_picture(ME, top).shape[2] == 4
    assert all(service.is_ready().values())


def test_what_cannot_be_is_refused_before_it_is_queued(open_: Open) -> None:
    service = open_(start=False, longest_keep_hours=48)
    person, top, _ = mine(service)
    with pytest.raises(ImageError):
        service.add_person(ME, b"no picture")
    with pytest.raises(TooLargeError):
        service.add_person(ME, b"0" * 21_000_000)
    with pytest.raises(OptionError, match="keep_hours"):
        service.add_garment(ME, b"", keep_hours=49)
    with pytest.raises(UnknownEngineError):
        service.add_fitting(ME, person, [top], engine="no")
    with pytest.raises(OptionError):
        service.add_fitting(ME, person, [top], engine="paste", options={"size": 99})
    with pytest.raises(NotFoundError):
        service.add_fitting(ME, person, [top, "g_0"], engine="paste")
    with pytest.raises(NotFoundError):
        service.add_fitting(ME, top, [person], engine="paste")
    assert service.queue_length() == 0


def test_another_owner_sees_nothing_and_cannot_tell(open_: Open) -> None:
    service = open_()
    person, top, _ = mine(service)
    batch = service.add_batch(ME, [(person, [top])], engine="paste")
    fitting = batch.fittings[0]
    service.wait(ME, fitting, 120)
    assert not (service.people(YOU) + service.garments(YOU) + service.fittings(YOU))  # type: ignore[operator]
    doors: list[tuple[Callable[..., Any], str]] = [
        *((getattr(service, name), person) for name in ("person", "person_picture", "scanned", "delete_person")),
        *((getattr(service, name), top) for name in ("garment", "garment_picture", "read", "delete_garment")),
        *((getattr(service, f"fitting{name}"), fitting) for name in ("", "_picture", "_mask")),
        *((getattr(service, name), fitting) for name in ("cancel", "delete_fitting")),
        *((getattr(service, name), batch.id) for name in ("batch", "delete_batch")),
        (lambda owner, id: service.wait(owner, id, 0), fitting),
        (lambda owner, id: list(service.watch(owner, id)), fitting),
        (lambda owner, id: service.fittings(owner, id), batch.id),
        (lambda owner, id: service.add_fitting(owner, id, [top], engine="paste"), person),
    ]
    for door, id in doors:
        with pytest.raises(NotFoundError) as theirs:
            door(YOU, id)
        with pytest.raises(NotFoundError) as none:
            door(YOU, id[:2] + "0" * 16)
        assert theirs.value.message.replace(id, "") == none.value.message.replace(id[:2] + "0" * 16, "")
    assert service.erase(YOU) == 0
    assert service.fitting_picture(ME, fitting).size


def test_watching_tells_steps_and_previews(open_: Open) -> None:
    service = open_()
    record = fit(service, "slow", options={"seconds": 1.0})
    told = list(service.watch(ME, record.id))
    records = [item for item in told if isinstance(item, FittingRecord)]
    assert [item.state for item in records][-1] == "done"
    steps = [item.progress.step for item in records]
    assert steps == sorted(steps)
    assert len(set(steps)) > 3
    previews = [item for item in told if isinstance(item, Preview)]
    assert previews
    assert max(previews[0].image.shape) == 512


def test_watching_what_another_process_runs(open_: Open) -> None:
    accepts, works = open_(workers=0), open_(start=False, workers=1)
    record = fit(accepts, "slow", options={"held": True})
    states: list[tuple[str, int]] = []
    for item in accepts.watch(ME, record.id):
        states.append((item.state, item.progress.step))  # type: ignore[union-attr]
        if len(states) == 1:
            works.start()
        if states[-1][0] == "running":
            service_rooms.go_on.set()
    assert states[0][0] == "queued"
    assert states[-1] == ("done", 20)
    assert len(states) >= 3
    assert works.runner is not None
    assert works.runner.done == 1


def test_a_person_is_prepared_once_and_garments_change_nothing(open_: Open) -> None:
    service = open_(workers=4)
    person, top, skirt = mine(service)
    pairs = [(person, [garment]) for garment in (top, skirt) * 4]
    batch = service.add_batch(ME, pairs, engine="slow", options={"seconds": 0.05})
    until(lambda: service.batch(ME, batch.id).states["done"] == 8)
    assert service_rooms.prepared["slow"] == 1
    assert [record.garments[0] for record in service.fittings(ME, batch.id)] == [top, skirt] * 4


def test_engines_that_can_get_several_at_once(open_: Open) -> None:
    service = open_(start=False, workers=1)
    person, top, _ = mine(service)
    batch = service.add_batch(ME, [(person, [top])] * 7, engine="many")
    service.start()
    until(lambda: service.batch(ME, batch.id).states["done"] == 7)
    assert service_rooms.sizes == [4, 2]  # and one alone


def test_one_of_several_fails_alone(open_: Open) -> None:
    service = open_(start=False, workers=1)
    one, two = fit(service, "many", options={"seconds": 9}), fit(service, "many")
    service.start()
    assert service.wait(ME, one.id, 120).state == "failed"
    assert service.wait(ME, two.id, 120).state == "done"


def test_a_full_queue_says_when_to_come_back(open_: Open) -> None:
    service = open_(start=False, queue_size=3)
    person, top, _ = mine(service)
    for _ in range(3):
        fit(service)
    with pytest.raises(BusyError) as full:
        fit(service)
    assert full.value.retry_after >= 1
    with pytest.raises(TooLargeError):
        service.add_batch(ME, [(person, [top])] * 4, engine="paste")
    with pytest.raises(BusyError):
        service.add_batch(ME, [(person, [top])] * 2, engine="paste")
    assert service.queue_length() == 3
    service.start()
    until(lambda: service.queue_length() == 0)
    assert service.wait(ME, fit(service).id, 120).state == "done"


def test_cancelling_stops_what_runs_and_what_waits(open_: Open) -> None:
    service = open_(workers=1)
    runs = fit(service, "slow", options={"held": True})
    until(lambda: service_rooms.begun["slow"])
    waits = fit(service, "slow")
    assert service.cancel(ME, waits.id).state == "cancelled"
    service.cancel(ME, runs.id)
    assert service.wait(ME, runs.id, 120).state == "cancelled"
    assert service_rooms.begun["slow"] == 1
    with pytest.raises(ConflictError, match="cancelled"):
        service.fitting_picture(ME, runs.id)
    done = service.wait(ME, fit(service).id, 120)
    assert service.cancel(ME, done.id).state == "done"


def test_cancelling_reaches_another_process(open_: Open) -> None:
    accepts, _ = open_(workers=0), open_(workers=1)
    record = fit(accepts, "slow", options={"held": True})
    until(lambda: accepts.fitting(ME, record.id).state == "running")
    accepts.cancel(ME, record.id)
    assert accepts.wait(ME, record.id, 120).state == "cancelled"
