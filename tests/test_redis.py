"""Rate limits that several processes of a service count together."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rooms import FakeService
from servers import Redis, redis_server
from starlette.testclient import TestClient

from vestiary.errors import BusyError, InputError, MissingExtraError, UnavailableError
from vestiary.serve import rates
from vestiary.serve.app import create_app
from vestiary.serve.rates import Rates
from vestiary.serve.settings import Settings

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    pytest.importorskip("redis", reason="needs the redis extra")
    with redis_server() as running:
        yield running


def counted(counting: Rates, name: str, number: int, rate: int | None = None) -> int:
    """How many of so many requests may pass."""
    passed = 0
    for _ in range(number):
        with contextlib.suppress(BusyError):
            counting.count(name, rate)
            passed += 1
    return passed


def test_processes_count_together(server: Redis) -> None:
    one, other = Rates(server.url, 5), Rates(server.url, 5)
    assert counted(one, "address:a", 3) == 3
    assert counted(other, "address:a", 4) == 2
    assert counted(one, "address:a", 1) == 0
    with pytest.raises(BusyError) as refused:
        one.count("address:a")
    assert refused.value.retry_after is not None
    assert 1 <= refused.value.retry_after <= 61
    assert counted(one, "address:b", 5) == 5
    assert counted(other, "key:1", 9, rate=8) == 8, "a key's own rate"


def test_without_redis_each_process_counts_for_itself() -> None:
    assert [counted(Rates("", 5), "a", 9) for _ in range(2)] == [5, 5]


def test_two_services_and_their_grpc_count_together(server: Redis, tmp_path: Path) -> None:
    grpc = pytest.importorskip("grpc")
    from vestiary.serve.rpc import fitting_room_pb2 as pb
    from vestiary.serve.rpc.fitting_room_pb2_grpc import FittingRoomStub
    from vestiary.serve.rpc.server import start

    settings = Settings(redis=server.url, rate_per_minute=4, database=f"sqlite:///{tmp_path}/db", grpc_port=0)
    clients = []
    for _ in range(2):
        app = create_app(settings.model_copy(update={"grpc_port": None}), FakeService(settings))  # type: ignore[arg-type]
        clients.append(TestClient(app, base_url="http://127.0.0.1:8000", client=("127.0.0.1", 5)))
    codes = [clients[turn % 2].get("/v1/engines").status_code for turn in range(3)]
    listening = start(FakeService(settings), settings)
    try:
        with grpc.insecure_channel(f"127.0.0.1:{listening.port}") as channel:
            call = FittingRoomStub(channel).ListPeople
            call(pb.google_dot_protobuf_dot_empty__pb2.Empty())
            with pytest.raises(grpc.RpcError) as refused:
                call(pb.google_dot_protobuf_dot_empty__pb2.Empty())
    finally:
        listening.stop(0)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    codes += [client.get("/v1/engines").status_code for client in clients]
    assert codes == [200, 200, 200, 429, 429]


def test_redis_lost_and_found(server: Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(rates, "_AGAIN", 0.0)
    counting = Rates(server.url, 3)
    assert counted(counting, "address:lost", 2) == 2
    server.stop()
    with caplog.at_level(logging.WARNING):
        assert counted(counting, "address:lost", 4) == 3, "counted here meanwhile"
    assert "Redis is away" in caplog.text
    server.start()
    assert counted(counting, "address:lost", 4) == 3, "it was restarted empty"
    assert counted(Rates(server.url, 3), "address:lost", 1) == 0


def test_a_redis_that_is_not_there_is_told_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("redis", reason="needs the redis extra")
    with pytest.raises(UnavailableError, match="does not answer"):
        Rates(f"redis+unix://{tmp_path}/none.sock", 3)
    for url in ("nonsense", "http://127.0.0.1", "redis://"):
        with pytest.raises(InputError, match="not one"):
            Rates(url, 3)
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(MissingExtraError, match=r"vestiary\[redis\]"):
        Rates("redis://127.0.0.1:6379", 3)
