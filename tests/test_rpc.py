"""The service over gRPC: round trips with the real service and the engine `paste`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

grpc = pytest.importorskip("grpc")
pytest.importorskip("grpc_health")
pytest.importorskip("sqlalchemy")

from google.protobuf.empty_pb2 import Empty  # noqa: E402
from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: E402

from vestiary.errors import InputError, VestiaryError  # noqa: E402
from vestiary.serve.keys import Keys  # noqa: E402
from vestiary.serve.rpc import fitting_room_pb2 as pb  # noqa: E402
from vestiary.serve.rpc import guard, serve_rpc  # noqa: E402
from vestiary.serve.rpc.fitting_room_pb2_grpc import FittingRoomStub  # noqa: E402
from vestiary.serve.service import Service  # noqa: E402
from vestiary.serve.settings import Settings  # noqa: E402


class Room:
    """The real service behind gRPC, and a channel to it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.settings = Settings(
            grpc_port=0, database=f"sqlite:///{folder / 'v.db'}", storage=str(folder / "kept"), workers=1, **settings
        )
        self.service = Service(self.settings)
        self.service.start()
        self.keys = Keys(self.service.database)
        self.listening = serve_rpc(self.service, self.settings, self.keys)
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.listening.port}")
        self.calls = FittingRoomStub(self.channel)

    def close(self) -> None:
        self.channel.close()
        self.listening.stop(1)
        self.service.close()

    def person(self, photo: Path, **more: Any) -> Any:
        return self.calls.AddPerson(pieces(pb.AddPersonRequest, photo), **more)

    def garment(self, photo: Path, **head: Any) -> Any:
        return self.calls.AddGarment(pieces(pb.AddGarmentRequest, photo, **head))


@pytest.fixture
def room(looks: object, tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path, watermark=False)
    yield made
    made.close()


def pieces(kind: Any, photo: Path, **head: Any) -> Iterator[Any]:
    """A photo in messages of 1000 bytes, behind one that says what it is."""
    data = photo.read_bytes()
    yield kind(**head)
    for begin in range(0, len(data), 1000):
        yield kind(data=data[begin : begin + 1000])


def code_of(raised: Any) -> str:
    return dict(raised.value.trailing_metadata()).get("vestiary-code", "")


def test_from_photo_to_picture(room: Room, folder: Path) -> None:
    person = room.person(folder / "person.jpg")
    garment = room.garment(folder / "shirt.png", category="dress", keep_hours=1)
    assert (person.width, person.height, garment.category) == (240, 320, "dress")
    assert garment.expires.seconds - garment.created.seconds == pytest.approx(3600, abs=2)
    asked = pb.AddFittingRequest(person=person.id, garments=[garment.id], engine="paste")
    reply = room.calls.Fit(pb.FitRequest(fitting=asked, format=pb.PICTURE_FORMAT_PNG))
    assert reply.fitting.state == pb.STATE_DONE
    assert reply.fitting.provenance["engine"] == "paste"
    assert reply.picture.startswith(b"\x89PNG")
    chunks = room.calls.GetPicture(pb.GetPictureRequest(id=reply.fitting.id, format=pb.PICTURE_FORMAT_PNG))
    assert b"".join(chunk.data for chunk in chunks) == reply.picture


def test_watching_ends_with_the_picture_done(room: Room, folder: Path) -> None:
    person, garment = room.person(folder / "person.jpg"), room.garment(folder / "shirt.png")
    asked = pb.AddFittingRequest(person=person.id, garments=[garment.id], engine="paste")
    events = list(room.calls.WatchFitting(pb.Name(id=room.calls.AddFitting(asked).id)))
    assert events[-1].fitting.state == pb.STATE_DONE
    assert all(event.preview.startswith(b"\xff\xd8") for event in events if event.WhichOneof("event") == "preview")


def test_batches_lists_and_erasing(room: Room, folder: Path) -> None:
    person, garment = room.person(folder / "person.jpg"), room.garment(folder / "shirt.png")
    pair = pb.AddBatchRequest.Pair(person=person.id, garments=[garment.id])
    batch = room.calls.AddBatch(pb.AddBatchRequest(pairs=[pair, pair], engine="paste"))
    for id in batch.fittings:
        list(room.calls.WatchFitting(pb.Name(id=id)))
    counted = {count.state: count.fittings for count in room.calls.GetBatch(pb.Name(id=batch.id)).states}
    assert counted[pb.STATE_DONE] == 2
    assert len(room.calls.ListFittings(pb.ListFittingsRequest(batch=batch.id)).fittings) == 2
    assert [found.id for found in room.calls.ListPeople(Empty()).people] == [person.id]
    assert room.calls.Erase(Empty()).things == 5
    assert not room.calls.ListGarments(Empty()).garments


def test_engines_come_with_their_schemas(room: Room) -> None:
    engines = {engine.name: engine for engine in room.calls.ListEngines(Empty()).engines}
    assert engines["paste"].installed
    assert "properties" in engines["embedded"].options


def test_the_same_key_is_done_once(room: Room, folder: Path) -> None:
    mine = (("idempotency-key", "mine"),)
    first = room.person(folder / "person.jpg", metadata=mine)
    assert room.person(folder / "person.jpg", metadata=mine).id == first.id
    with pytest.raises(grpc.RpcError) as raised:
        room.person(folder / "other.jpg", metadata=mine)
    assert raised.value.code() == grpc.StatusCode.FAILED_PRECONDITION


def test_errors_tell_code_message_and_hint(room: Room, folder: Path) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        room.person(folder / "black.png")
    told = dict(raised.value.trailing_metadata())
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert told["vestiary-code"] == "person"
    assert told["vestiary-message-bin"].decode() == raised.value.details()
    assert told["vestiary-hint-bin"].decode() == "Hand in a photo of one person."


@pytest.mark.parametrize(
    ("call", "request_", "code"),
    [
        ("GetPerson", pb.Name(id="p_0"), "not-found"),
        ("DeleteFitting", pb.Name(id="f_0"), "not-found"),
        ("GetPicture", pb.GetPictureRequest(id="f_0", format=77), "option"),
    ],
)
def test_what_cannot_be_is_told(room: Room, call: str, request_: Any, code: str) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        list(getattr(room.calls, call)(request_))
    assert code_of(raised) == code


def test_too_large_and_empty_uploads(looks: object, tmp_path: Path, folder: Path) -> None:
    room = Room(tmp_path, max_upload_mb=0.001)
    with pytest.raises(grpc.RpcError) as raised:
        room.person(folder / "person.jpg")
    assert code_of(raised) == "too-large"
    with pytest.raises(grpc.RpcError) as raised:
        room.calls.AddPerson(iter(()))
    assert code_of(raised) == "input"
    room.close()


def test_keys_scopes_and_rates(looks: object, tmp_path: Path, folder: Path) -> None:
    room = Room(tmp_path, keys="on")
    _, reader = room.keys.create("reader", ["read"], rate=3)
    _, writer = room.keys.create("writer", ["read", "write"])
    _, page = room.keys.create("page", ["read", "write", "page"])

    def status(call: Any) -> Any:
        with pytest.raises(grpc.RpcError) as raised:
            call()
        return raised.value.code()

    def bearer(secret: str) -> Any:
        return (("authorization", f"Bearer {secret}"),)

    codes = grpc.StatusCode
    assert status(lambda: room.calls.ListPeople(Empty())) == codes.UNAUTHENTICATED
    assert status(lambda: room.calls.ListPeople(Empty(), metadata=bearer("vst_wrong"))) == codes.UNAUTHENTICATED
    assert status(lambda: room.calls.ListPeople(Empty(), metadata=bearer(page))) == codes.PERMISSION_DENIED
    person = room.person(folder / "person.jpg", metadata=bearer(writer))
    assert status(lambda: room.calls.GetPerson(pb.Name(id=person.id), metadata=bearer(reader))) == codes.NOT_FOUND
    assert status(lambda: room.person(folder / "person.jpg", metadata=bearer(reader))) == codes.PERMISSION_DENIED
    room.calls.ListPeople(Empty(), metadata=bearer(reader))
    assert status(lambda: room.calls.ListPeople(Empty(), metadata=bearer(reader))) == codes.RESOURCE_EXHAUSTED
    room.close()


def test_health_is_told(room: Room) -> None:
    asked = health_pb2.HealthCheckRequest(service="vestiary.v1.FittingRoom")
    answer = health_pb2_grpc.HealthStub(room.channel).Check(asked)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_a_taken_port_is_told(room: Room) -> None:
    settings = room.settings.model_copy(update={"grpc_port": room.listening.port})
    with pytest.raises(InputError, match="cannot be opened"):
        serve_rpc(room.service, settings)


def test_every_error_has_a_status() -> None:
    kinds = [VestiaryError]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    assert {kind.http_status for kind in kinds} <= set(guard._BY_STATUS)


def test_generated_code_is_that_of_the_proto_file(tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools")
    import importlib.util

    tool = Path(__file__).parents[1] / "tools" / "protos.py"
    spec = importlib.util.spec_from_file_location("protos", tool)
    assert spec is not None
    assert spec.loader is not None
    protos = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(protos)
    assert protos.compile_to(tmp_path) == 0
    made = tmp_path / "vestiary" / "serve" / "rpc"
    for path in made.iterdir():
        assert path.read_bytes() == (Path(guard.__file__).parent / path.name).read_bytes(), (
            "type: python tools/protos.py"
        )
