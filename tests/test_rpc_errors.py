"""gRPC beside HTTP: the same errors in the same words; TLS; watchers who leave."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("grpc")
pytest.importorskip("grpc_health")

import grpc
from conftest import stand_in
from fastapi.testclient import TestClient
from google.protobuf.empty_pb2 import Empty
from service_process import photo
from service_rooms import rooms
from tls import certificate_of

from vestiary.errors import OptionError, UnavailableError
from vestiary.serve.app import create_app
from vestiary.serve.rpc import fitting_room_pb2 as pb
from vestiary.serve.rpc.fitting_room_pb2_grpc import FittingRoomStub
from vestiary.serve.settings import Settings

HOST = "localhost"


def settings_of(folder: Path, **more: Any) -> Settings:
    own = {"database": f"sqlite:///{folder}/v.db", "storage": str(folder / "kept"), "grpc_port": 0, "workers": 1}
    return Settings(**{**own, "watermark": False, "max_upload_mb": 0.5, **more})


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    settings = settings_of(tmp_path_factory.mktemp("service"))
    with pytest.MonkeyPatch.context() as patch:
        stand_in(patch)
        patch.setattr("vestiary.registry.list_engines", rooms)
        with TestClient(create_app(settings), base_url=f"http://{HOST}") as one:
            yield one


@pytest.fixture(scope="module")
def stub(http: TestClient) -> Iterator[FittingRoomStub]:
    port = http.app.state.rpc.port  # type: ignore[attr-defined]
    with grpc.insecure_channel(f"{HOST}:{port}") as channel:
        yield FittingRoomStub(channel)


@pytest.fixture(scope="module")
def ids(http: TestClient) -> dict[str, str]:
    kinds = {"person": "people", "garment": "garments"}
    return {name: http.post(f"/v1/{kind}", files={"photo": photo()}).json()["id"] for name, kind in kinds.items()}


def words(call: Callable[[], Any]) -> tuple[str, str, str]:
    """Code, message and hint of a call that fails."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    told = dict(raised.value.trailing_metadata())
    return told["vestiary-code"], told["vestiary-message-bin"].decode(), told["vestiary-hint-bin"].decode()


def upload(kind: Any, data: bytes, **head: Any) -> Iterator[Any]:
    yield kind(data=data, **head)


def fitting(ids: dict[str, str], **changes: Any) -> tuple[dict[str, str], Any]:
    """The same order as a form and as a message."""
    asked = {"person": ids["person"], "garment": ids["garment"], "engine": "paste", **changes}
    form = {"person_id": asked["person"], "garment_id": asked["garment"], "engine": asked["engine"], "wait": "60"}
    message = pb.AddFittingRequest(person=asked["person"], garments=[asked["garment"]], engine=asked["engine"])
    if "keep_hours" in asked:
        form["keep_hours"], message.keep_hours = str(asked["keep_hours"]), asked["keep_hours"]
    return form, message


@pytest.mark.parametrize(
    ("data", "code"), [(b"", "image"), (b"no picture", "image"), (bytes(520_000), "too-large")], ids=len
)
def test_uploads_fail_in_the_same_words(http: TestClient, stub: FittingRoomStub, data: bytes, code: str) -> None:
    over_http = http.post("/v1/people", files={"photo": data}).json()["error"]
    told = words(lambda: stub.AddPerson(upload(pb.AddPersonRequest, data)))
    assert told[0] == over_http["code"] == code
    if data:
        assert told[1:] == (over_http["message"], over_http["hint"]) or code == "too-large"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"person": "p_0"}, "not-found"),
        ({"garment": "g_0"}, "not-found"),
        ({"engine": "none"}, "engine-unknown"),
        ({"engine": "broken"}, "engine"),
        ({"keep_hours": 5000}, "option"),
    ],
    ids=str,
)
def test_fittings_fail_in_the_same_words(
    http: TestClient, stub: FittingRoomStub, ids: dict[str, str], changes: dict[str, Any], code: str
) -> None:
    form, message = fitting(ids, **changes)
    over_http = http.post("/v1/fittings", data=form, headers={"Accept": "image/png"}).json()["error"]
    told = words(lambda: stub.Fit(pb.FitRequest(fitting=message, format=pb.PICTURE_FORMAT_PNG)))
    assert told == (over_http["code"], over_http["message"], over_http["hint"])
    assert told[0] == code


@pytest.mark.parametrize(
    ("problem", "code"), [(UnavailableError("gone.", hint="Wait."), "unavailable"), (KeyError("secret"), "internal")]
)
def test_faults_fail_in_the_same_words(
    http: TestClient, stub: FittingRoomStub, monkeypatch: pytest.MonkeyPatch, problem: Exception, code: str
) -> None:
    def fail(*_: Any) -> None:
        raise problem

    monkeypatch.setattr(http.app.state.service, "people", fail)  # type: ignore[attr-defined]
    over_http = http.get("/v1/people").json()["error"]
    assert words(lambda: stub.ListPeople(Empty())) == tuple(over_http.values())
    assert over_http["code"] == code
    assert "secret" not in str(over_http)


@pytest.mark.parametrize("timeout", [math.nan, -1.0, 121.0, math.inf])
def test_nobody_waits_without_end(stub: FittingRoomStub, ids: dict[str, str], timeout: float) -> None:
    _, message = fitting(ids)
    assert words(lambda: stub.Fit(pb.FitRequest(fitting=message, timeout=timeout)))[0] == "option"


@pytest.mark.parametrize("key", ["a b", "x" * 129])
def test_keys_that_are_none_are_refused(http: TestClient, stub: FittingRoomStub, ids: dict[str, str], key: str) -> None:
    form, message = fitting(ids)
    assert http.post("/v1/fittings", data=form, headers={"Idempotency-Key": key}).status_code == 422
    assert words(lambda: stub.AddFitting(message, metadata=(("idempotency-key", key),)))[0] == "option"


def test_watchers_who_leave_free_their_thread(
    http: TestClient, stub: FittingRoomStub, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    service = http.app.state.service  # type: ignore[attr-defined]
    watch, active = service.watch, threading.Semaphore(0)

    def counted(*args: Any) -> Iterator[Any]:
        try:
            yield from watch(*args)
        finally:
            active.release()

    monkeypatch.setattr(service, "watch", counted)
    _, message = fitting(ids, engine="slow")
    message.options.update({"held": True})
    held, waits = stub.AddFitting(message), stub.AddFitting(message)
    calls = [stub.WatchFitting(pb.Name(id=waits.id)) for _ in range(5)]
    for call in calls:
        assert next(call).fitting.state == pb.STATE_QUEUED
        call.cancel()
    ended = all(active.acquire(timeout=120) for _ in calls)
    for id in (waits.id, held.id):
        stub.CancelFitting(pb.Name(id=id))
    assert ended


def test_those_who_wait_leave_threads_to_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vestiary.serve.rpc.calls.MOST_WAITING", 2)
    stand_in(monkeypatch)
    app = create_app(settings_of(tmp_path, upload_seconds=3, workers=0))
    with (
        TestClient(app, base_url=f"http://{HOST}"),
        grpc.insecure_channel(f"{HOST}:{app.state.rpc.port}") as channel,
    ):
        calls = FittingRoomStub(channel)
        person = calls.AddPerson(upload(pb.AddPersonRequest, photo())).id
        garment = calls.AddGarment(upload(pb.AddGarmentRequest, photo())).id
        _, message = fitting({"person": person, "garment": garment})
        id = calls.AddFitting(message).id
        watchers = [calls.WatchFitting(pb.Name(id=id)) for _ in range(2)]
        assert all(next(one).fitting.id == id for one in watchers)
        assert words(lambda: next(calls.WatchFitting(pb.Name(id=id))))[0] == "busy"
        assert words(lambda: calls.Fit(pb.FitRequest(fitting=message)))[0] == "busy"
        assert len(calls.ListFittings(pb.ListFittingsRequest()).fittings) == 1, "nothing was asked for in vain"
        for one in watchers:
            one.cancel()
        never, codes = threading.Event(), [grpc.StatusCode.RESOURCE_EXHAUSTED]
        end = time.monotonic() + 120
        while codes[-1] == grpc.StatusCode.RESOURCE_EXHAUSTED:  # the watchers have not quite gone yet
            with pytest.raises(grpc.RpcError) as raised:
                calls.AddPerson(dribble(never), timeout=120)
            codes.append(raised.value.code())
            assert time.monotonic() < end
            time.sleep(0.02)
        never.set()
        assert codes[-1] == grpc.StatusCode.CANCELLED
        assert calls.ListPeople(Empty()).people[0].id == person


def dribble(until: threading.Event) -> Iterator[Any]:
    """An upload that does not go on."""
    yield pb.AddPersonRequest(data=b"\xff\xd8")
    until.wait(120)


def test_tls_keeps_what_is_said_between_two(tmp_path: Path) -> None:
    pem = tmp_path / "both.pem"
    pem.write_bytes(certificate_of(HOST))
    app = create_app(settings_of(tmp_path, grpc_certificate=pem, grpc_key=pem))
    with TestClient(app, base_url=f"http://{HOST}"):
        place = f"{HOST}:{app.state.rpc.port}"
        with grpc.secure_channel(place, grpc.ssl_channel_credentials(pem.read_bytes())) as channel:
            assert not FittingRoomStub(channel).ListPeople(Empty(), timeout=60).people
        with grpc.insecure_channel(place) as channel, pytest.raises(grpc.RpcError):
            FittingRoomStub(channel).ListPeople(Empty(), timeout=5)


def test_a_certificate_that_cannot_serve_is_told_at_the_start(tmp_path: Path) -> None:
    from vestiary.serve.rpc.server import credentials

    one, other, text = (tmp_path / name for name in ("one.pem", "other.pem", "text.pem"))
    one.write_bytes(certificate_of(HOST))
    other.write_bytes(certificate_of(HOST))
    text.write_text("no certificate")
    for certificate, key in ((one, None), (one, tmp_path / "none.pem"), (text, one), (one, text)):
        with pytest.raises(OptionError, match="certificate"):
            credentials(settings_of(tmp_path, grpc_certificate=certificate, grpc_key=key))
    assert credentials(settings_of(tmp_path)) is None
