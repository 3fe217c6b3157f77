"""Fittings without a garment: HTTP, WebSocket, gRPC, the client; what cannot be is told before it costs anything."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi")

from bare_rooms import words_known
from fastapi.testclient import TestClient

import vestiary
from vestiary import registry
from vestiary.client import Client
from vestiary.errors import GarmentError
from vestiary.images import read_provenance
from vestiary.serve.app import create_app
from vestiary.serve.engines import Engines
from vestiary.serve.service import Service
from vestiary.serve.settings import Settings
from vestiary.trust import watermark

PLACE = "http://127.0.0.1:8000"
RECORD = {"Accept": "application/json"}
RED = {"engine": "words", "options": '{"prompt": "a red coat"}', "wait": "60"}


@pytest.fixture
def client(looks: Counter[str], tmp_path: Path) -> Iterator[TestClient]:
    place = {"database": f"sqlite:///{tmp_path}/v.db", "storage": str(tmp_path / "kept")}
    with words_known(), TestClient(create_app(Settings(**place, workers=1)), base_url=PLACE) as opened:
        yield opened


@pytest.fixture
def person(client: TestClient, folder: Path) -> str:
    return str(client.post("/v1/people", files={"photo": (folder / "person.jpg").read_bytes()}).json()["id"])


def test_words_alone_give_a_picture_that_says_so(client: TestClient, person: str) -> None:
    answer = client.post("/v1/fittings", data={**RED, "person_id": person}, headers={"Accept": "image/png"})
    assert answer.status_code == 200, answer.text
    told = read_provenance(answer.content)
    assert (told["engine"], told["garments"], told["options"]["prompt"]) == ("words", [], "a red coat")
    record = client.get(f"/v1/fittings/{answer.headers['vestiary-fitting']}").json()
    assert (record["state"], record["garments"], record["person"]) == ("done", [], person)
    found = watermark.detect(np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")))
    assert found is not None
    assert found.payload == watermark.payload_of(record["id"])


def test_a_garment_may_come_with_the_words(client: TestClient, person: str, folder: Path) -> None:
    files = {"garment": (folder / "shirt.png").read_bytes()}
    answer = client.post("/v1/fittings", data={**RED, "person_id": person}, files=files, headers=RECORD)
    assert len(answer.json()["garments"]) == 1


def test_each_step_is_told_and_layers_are_kept(client: TestClient, person: str) -> None:
    asked = {**RED, "person_id": person, "options": '{"prompt": "blue", "layers": true}', "wait": "0"}
    place = client.post("/v1/fittings", data=asked, headers=RECORD).headers["location"]
    with client.websocket_connect(f"ws://127.0.0.1:8000{place}/events") as socket:
        last: dict[str, Any] = {}
        while last.get("state") != "done":
            message = socket.receive()
            last = json.loads(message["text"]) if message.get("text") else last
    assert last["garments"] == []
    assert last["layers"] == ["mask"]
    assert client.get(f"{place}/layers/mask").status_code == 200


def test_the_same_key_is_done_once(client: TestClient, person: str) -> None:
    headers = {**RECORD, "Idempotency-Key": "once"}
    first, again = (client.post("/v1/fittings", data={**RED, "person_id": person}, headers=headers) for _ in range(2))
    assert first.json()["id"] == again.json()["id"]
    other = client.post("/v1/fittings", data={**RED, "person_id": person, "options": "{}"}, headers=headers)
    assert other.status_code in (409, 422)
    assert len(client.get("/v1/fittings").json()) == 1


def test_a_batch_may_mix_both(client: TestClient, person: str, folder: Path) -> None:
    garment = client.post("/v1/garments", files={"photo": (folder / "shirt.png").read_bytes()}).json()["id"]
    pairs = [{"person": person, "garments": [garment]}, {"person": person, "garments": []}, {"person": person}]
    words = {"engine": "words", "options": {"prompt": "green"}}
    batch = client.post("/v1/batches", json={"pairs": pairs, **words})
    assert batch.status_code == 202, batch.text
    made = client.get("/v1/fittings", params={"batch": batch.json()["id"]}).json()
    assert [record["garments"] for record in made] == [[garment], [], []]
    refused = client.post("/v1/batches", json={"pairs": pairs, "engine": "paste"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "garment")


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"engine": "embedded"}, ("no garment to put on", "at least one garment photo", "need none: words.")),
        ({"engine": "embedded", "options": '{"background": "white"}'}, ("'embedded' needs one", "need none: words.")),
        ({"engine": "words"}, ("nothing else to do", "Set prompt.")),
    ],
)
def test_what_cannot_be_is_told_before_a_photo_is_looked_at(
    client: TestClient, looks: Counter[str], folder: Path, form: dict[str, str], words: tuple[str, ...]
) -> None:
    files = {"person": (folder / "person.jpg").read_bytes()}
    answer = client.post("/v1/fittings", data=form, files=files)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "garment")
    assert all(part in answer.text for part in words), answer.text
    assert looks["person"] == 0
    assert client.get("/v1/people").json() == client.get("/v1/fittings").json() == []


def test_engines_tell_whether_they_need_a_garment(client: TestClient) -> None:
    needs = {engine["name"]: engine["needs_garment"] for engine in client.get("/v1/engines").json()}
    assert needs == {"embedded": True, "paste": True, "words": False}
    told = client.get("/openapi.json").json()["components"]["schemas"]
    assert "needs_garment" in told["EngineRecord"]["properties"]
    assert "garments" not in told["Pair"]["required"]


def test_the_client_needs_no_garment_either(client: TestClient, person: str, folder: Path) -> None:
    with Client(PLACE, http=client) as room:
        red = room.fit(folder / "person.jpg", engine="words", options={"prompt": "a red coat"})
        assert red.record.garments == []
        assert {engine.name for engine in room.engines() if not engine.needs_garment} == {"words"}
        later = room.fittings.add(room.people.get(person), engine="words", options={"prompt": "blue"})
        assert room.fittings.wait(later).state == "done"
        batch = room.batches.add([(person, [])], engine="words", options={"prompt": "blue"})
        assert len(batch.fittings) == 1
        with pytest.raises(GarmentError, match="need none: words"):
            room.fit(folder / "person.jpg")


def test_grpc_needs_no_garment_either(looks: object, tmp_path: Path, folder: Path) -> None:
    grpc = pytest.importorskip("grpc")
    pytest.importorskip("grpc_health")
    from google.protobuf.empty_pb2 import Empty

    from vestiary.serve.rpc import fitting_room_pb2 as pb
    from vestiary.serve.rpc import serve_rpc
    from vestiary.serve.rpc.fitting_room_pb2_grpc import FittingRoomStub

    settings = Settings(grpc_port=0, database=f"sqlite:///{tmp_path}/v.db", storage=str(tmp_path / "k"), workers=1)
    service = Service(settings)
    with words_known():
        service.start()
        listening = serve_rpc(service, settings)
        with grpc.insecure_channel(f"127.0.0.1:{listening.port}") as channel:
            room = FittingRoomStub(channel)
            photo = pb.AddPersonRequest(data=(folder / "person.jpg").read_bytes())
            asked = pb.AddFittingRequest(person=room.AddPerson(iter([photo])).id, engine="words")
            with pytest.raises(grpc.RpcError) as refused:
                room.AddFitting(asked)
            assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
            asked.options.update({"prompt": "a red coat"})
            reply = room.Fit(pb.FitRequest(fitting=asked, timeout=60))
            assert list(reply.fitting.garments) == []
            assert len(reply.picture) > 100
            needs = {engine.name: engine.needs_garment for engine in room.ListEngines(Empty()).engines}
            assert needs == {"embedded": True, "paste": True, "words": False}
        listening.stop(1)
        service.close()


def test_packages_are_not_gone_through_at_every_request() -> None:
    with words_known(), pytest.MonkeyPatch.context() as patch:
        known, looked = registry.list_engines(), Counter[str]()
        patch.setattr(registry, "list_engines", lambda: looked.update(["all"]) or known)
        engines = Engines()

        def ask() -> int:
            with pytest.raises(GarmentError, match="need none: words"):
                engines.check("paste", {}, 0)
            assert engines.check("words", {"prompt": "red"}, 0)
            assert [record.name for record in engines.records()] == list(known)
            return looked["all"]

        assert ask() == ask() > 0


def test_python_is_told_the_same_before_the_photo_is_looked_at(looks: Counter[str], folder: Path) -> None:
    with words_known():
        for engine, words in (("embedded", "need none: words"), ("paste", "need none: words"), ("words", "Set prompt")):
            with pytest.raises(GarmentError, match=words):
                vestiary.try_on(folder / "person.jpg", [], engine=engine)
        assert looks["person"] == 0
        fitting = vestiary.try_on(folder / "person.jpg", [], engine="words", options={"prompt": "red"})
    assert fitting.provenance["garments"] == []
