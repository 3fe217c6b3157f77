"""Pictures in a bucket: a real HTTP server that speaks S3, and the service on it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from service_rooms import rooms, settings_of
from sqlalchemy import update
from test_service import ME
from test_service_store import check_blobs

from vestiary import samples
from vestiary.errors import NotFoundError, UnavailableError
from vestiary.serve.database import FittingRow, PersonRow
from vestiary.serve.service import Service
from vestiary.serve.store import Store
from vestiary.serve.sweep import Sweeper

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    pytest.importorskip("s3fs", reason="needs the s3 extra")
    server_of = pytest.importorskip("moto.server", reason="needs moto").ThreadedMotoServer
    server = server_of(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """The URL of a new bucket; address and keys of the server come from the environment, as in operation."""
    import s3fs

    own = {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
    for name, value in {**own, "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    name = "b" + str(abs(hash(request.node.name)))
    s3fs.S3FileSystem(key="k", secret="s", endpoint_url=endpoint).mkdir(name)
    return f"s3://{name}/vestiary"


def test_blobs_are_put_got_listed_and_deleted(bucket: str) -> None:
    check_blobs(Store(bucket), Store(bucket), -2)


def test_half_a_blob_is_never_seen(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader finds the blob of before or the new one, whole, also where the writer dies between parts."""
    store, reader = Store(bucket), Store(bucket)
    old, new = b"a" * (1 << 20), b"b" * (1 << 20)
    store.write("people/p_1.npz", old)
    seen: set[bytes] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            data = reader.read("people/p_1.npz")
            seen.add(data[:1] + data[-1:] + str(len(data)).encode())

    thread = threading.Thread(target=read)
    thread.start()
    for turn in range(10):
        store.write("people/p_1.npz", (old, new)[turn % 2])
    done.set()
    thread.join()
    assert seen <= {b"aa1048576", b"bb1048576"}
    assert store.read("people/p_1.npz") == new

    calls: list[str] = []
    files: Any = store._files
    real = files._call_s3

    async def failing(method: str, *rest: Any, **more: Any) -> Any:
        calls.append(method)
        if method == "upload_part" and calls.count("upload_part") > 1:
            raise ConnectionError("cut")
        return await real(method, *rest, **more)

    monkeypatch.setattr(files, "_call_s3", failing)
    big = b"c" * (101 * 2**20)  # so large that it goes up in parts
    with pytest.raises(UnavailableError):
        store.write("people/p_2.npz", big)
    assert "upload_part" in calls
    with pytest.raises(NotFoundError):
        reader.read("people/p_2.npz")


@pytest.fixture
def service(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr("vestiary.registry.list_engines", rooms)
    made = Service(settings_of(tmp_path, storage=bucket, workers=1))
    made.start()
    yield made
    made.close()


def names(service: Service) -> set[str]:
    return {name.partition("/")[0] for name in service.store.older_than(-2)}


def fitted(service: Service) -> str:
    person = service.add_person(ME, samples.people()["mira"].read_bytes()).id
    garment = service.add_garment(ME, samples.garments()["tee_white"].read_bytes()).id
    id = service.add_fitting(ME, person, [garment], engine="paste").id
    assert service.wait(ME, id, 120).state == "done"
    return id


def test_a_fitting_lives_in_the_bucket_and_dies_with_its_person(service: Service) -> None:
    id = fitted(service)
    assert names(service) == {"people", "garments", "fittings"}
    picture = service.fitting_picture(ME, id)
    service.memory.forget(id)
    assert (service.fitting_picture(ME, id) == picture).all(), "from the bucket, pixel for pixel"
    service.delete_person(ME, service.people(ME)[0].id)
    with pytest.raises(NotFoundError):
        service.fitting_picture(ME, id)
    assert names(service) == {"garments"}
    service.erase(ME)
    assert names(service) == set()


def test_what_has_expired_and_what_nobody_knows_leaves_the_bucket(service: Service) -> None:
    id = fitted(service)
    service.store.write("fittings/f_lost/x.npz", b"of a worker that died")
    with service.database.writing() as session:
        for table in (PersonRow, FittingRow):
            session.execute(update(table).values(expires=time.time() - 1))
    sweeper = Sweeper(service.database, service.store, service.memory, service._fittings)
    sweeper.sweep()
    sweeper.sweep_orphans(age=-2)
    with pytest.raises(NotFoundError):
        service.fitting(ME, id)
    assert names(service) == {"garments"}


def test_a_bucket_that_cannot_be_reached_is_told(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    store = Store(bucket)
    with pytest.raises(UnavailableError):
        store.read("people/p_1.npz")
    assert not store.ping()
