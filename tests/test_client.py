"""The typed client against a scripted service: what it sends, when it sends again, what it raises."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from vestiary import errors
from vestiary.client import Client, Preview, transport
from vestiary.client.transport import Retries, error_from

TIMES = {"created": "2026-01-01T00:00:00Z", "expires": "2026-01-02T00:00:00Z"}
PERSON = {"id": "p_1", "width": 30, "height": 40, "facing": "front", **TIMES}
GARMENT = {"id": "g_1", "category": "top", "sleeve": "short", "neckline": "v", "pattern": "plain", "length": "regular"}
GARMENT |= TIMES
FITTING: dict[str, Any] = {
    "id": "f_1",
    "state": "done",
    "person": "p_1",
    "garments": ["g_1"],
    "engine": "paste",
    **TIMES,
}
PROBLEM = {"error": {"code": "busy", "message": "64 fittings wait.", "hint": "Try again."}}

Answer = httpx.Response | Exception


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(transport.time, "sleep", slept.append)
    return slept


def service(*answers: Answer, retries: Retries | None = None) -> tuple[Client, list[httpx.Request]]:
    """A client of a service that gives these answers in turn, and the requests it got."""
    asked: list[httpx.Request] = []
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        request.read()
        asked.append(request)
        given = left.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    http = httpx.Client(transport=httpx.MockTransport(answer))
    return Client("http://shop", "key-1", retries=retries, http=http), asked


def reply(content: Any, status: int = 200, **headers: str) -> httpx.Response:
    return httpx.Response(
        status, json=content, headers={name.replace("_", "-"): text for name, text in headers.items()}
    )


def test_person_is_sent_as_a_file_with_the_key() -> None:
    client, asked = service(reply(PERSON))
    assert client.people.add(b"photo", number=2, keep_hours=1).id == "p_1"
    (request,) = asked
    assert (request.method, request.url.path) == ("POST", "/v1/people")
    assert request.headers["Authorization"] == "Bearer key-1"
    assert b'name="number"\r\n\r\n2\r\n' in request.content
    assert b'filename="photo"' in request.content


@pytest.mark.parametrize("kind", [bytes, io.BytesIO, Path, str])
def test_a_photo_comes_in_any_form(kind: Callable[[Any], Any], tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"photo-bytes")
    client, asked = service(reply(GARMENT))
    client.garments.add(kind(b"photo-bytes") if kind in (bytes, io.BytesIO) else kind(tmp_path / "a.jpg"))
    assert b"photo-bytes" in asked[0].content


def test_a_missing_photo_is_told_before_anything_is_sent() -> None:
    client, asked = service()
    with pytest.raises(errors.ImageError, match=r"none\.jpg"):
        client.people.add("none.jpg")
    assert not asked


def test_busy_service_is_asked_again_after_its_pause_with_the_same_key(pauses: list[float]) -> None:
    client, asked = service(reply(PROBLEM, 429, Retry_After="3"), reply(PROBLEM, 503, Retry_After="2"), reply(PERSON))
    client.people.add(b"photo")
    assert pauses == [3.0, 2.0]
    assert len({request.headers["Idempotency-Key"] for request in asked}) == 1
    assert all(b"photo" in request.content for request in asked)


def test_two_requests_have_two_keys() -> None:
    client, asked = service(reply(PERSON), reply(PERSON))
    client.people.add(b"photo")
    client.people.add(b"photo")
    assert asked[0].headers["Idempotency-Key"] != asked[1].headers["Idempotency-Key"]


def test_a_lost_connection_is_tried_again(pauses: list[float]) -> None:
    client, asked = service(httpx.ReadError("reset"), httpx.ConnectError("refused"), reply(PERSON))
    client.people.add(b"photo", once="mine")
    assert [request.headers["Idempotency-Key"] for request in asked] == ["mine"] * 3
    assert len(pauses) == 2


def test_it_gives_up_in_the_end(pauses: list[float]) -> None:
    client, asked = service(*[reply(PROBLEM, 429, Retry_After="1")] * 5)
    with pytest.raises(errors.BusyError) as raised:
        client.people.list()
    assert raised.value.retry_after == 1
    assert len(asked) == 5


def test_too_long_a_pause_is_not_waited_for(pauses: list[float]) -> None:
    client, asked = service(reply(PROBLEM, 429, Retry_After="3600"))
    with pytest.raises(errors.BusyError):
        client.people.list()
    assert (len(asked), pauses) == (1, [])


def test_a_service_that_is_not_there_is_unavailable() -> None:
    client, _ = service(httpx.ConnectError("refused"), retries=Retries(attempts=1))
    with pytest.raises(errors.UnavailableError, match="refused"):
        client.engines()


@pytest.mark.parametrize("kind", transport._kinds(errors.VestiaryError), ids=lambda kind: kind.__name__)
def test_every_error_comes_back_as_its_own_class(kind: type[errors.VestiaryError]) -> None:
    back = error_from(kind.code, "what", "do this", status=kind.http_status)
    assert type(back) is kind
    assert (back.message, back.hint) == ("what", "do this")


@pytest.mark.parametrize(
    ("status", "kind"), [(500, errors.VestiaryError), (503, errors.UnavailableError), (405, errors.InputError)]
)
def test_answers_without_our_errors_are_errors_too(status: int, kind: type[Exception]) -> None:
    client, _ = service(httpx.Response(status, text="<html>proxy</html>"), retries=Retries(attempts=1))
    with pytest.raises(kind, match=str(status)):
        client.engines()


def test_quick_fitting_gives_its_picture_and_record() -> None:
    picture = httpx.Response(200, content=b"RIFF", headers={"Content-Type": "image/webp", "Vestiary-Fitting": "f_1"})
    client, asked = service(picture, reply(FITTING))
    fitted = client.fit(b"me", [b"shirt", b"skirt"], engine="paste", options={"seed": 1})
    assert (fitted.picture, fitted.record.id) == (b"RIFF", "f_1")
    assert asked[0].headers["Accept"] == "image/webp"
    assert asked[0].content.index(b"shirt") < asked[0].content.index(b"skirt")
    assert b'{"seed": 1}' in asked[0].content


def test_slow_fitting_is_waited_for(pauses: list[float], tmp_path: Path) -> None:
    person, garment = PERSON, GARMENT
    waiting = {**FITTING, "state": "running"}
    client, asked = service(
        reply(person),
        reply(garment),
        reply(waiting, 202),
        reply(waiting),
        reply(FITTING),
        httpx.Response(200, content=b"P"),
    )
    fitted = client.fit(client.people.add(b"me"), client.garments.add(b"it"), format="png")
    assert [request.url.path for request in asked[3:]] == ["/v1/fittings/f_1"] * 2 + ["/v1/fittings/f_1/picture"]
    assert b'name="person_id"\r\n\r\np_1' in asked[2].content
    assert fitted.save(tmp_path / "out.png").read_bytes() == b"P"


def test_failed_fitting_raises_its_reason() -> None:
    failed = {**FITTING, "state": "failed", "error": {"code": "garment", "message": "no.", "hint": ""}}
    client, _ = service(reply(failed))
    with pytest.raises(errors.GarmentError):
        client.fittings.wait("f_1")


def test_cancelled_fitting_raises_cancelled() -> None:
    client, _ = service(reply({**FITTING, "state": "cancelled"}))
    with pytest.raises(errors.Cancelled):
        client.fittings.wait("f_1")


def test_waiting_ends_in_time(pauses: list[float]) -> None:
    client, _ = service(reply({**FITTING, "state": "running"}))
    with pytest.raises(errors.BusyError, match="running"):
        client.fittings.wait("f_1", timeout=0)


def test_an_outfit_of_photos_and_records_keeps_its_order() -> None:
    client, asked = service(reply(GARMENT), reply(FITTING, 202), reply(FITTING), httpx.Response(200, content=b"P"))
    client.fit(b"me", [client.garments.add(b"it"), b"shirt"])
    assert asked[1].content.index(b"g_1") < asked[1].content.index(b"shirt")


def test_batch_is_json() -> None:
    batch = {"id": "b_1", "states": {"queued": 1}, "fittings": ["f_1"], **TIMES}
    client, asked = service(reply(batch))
    assert client.batches.add([("p_1", ["g_1", "g_2"])], engine="paste").fittings == ["f_1"]
    assert json.loads(asked[0].content)["pairs"] == [{"person": "p_1", "garments": ["g_1", "g_2"]}]


@pytest.fixture
def live(looks: object, tmp_path: Path) -> Iterator[Client]:
    """A client of the real service, which listens on a port of this machine."""
    uvicorn = pytest.importorskip("uvicorn")
    from vestiary.serve.app import create_app
    from vestiary.serve.settings import Settings

    settings = Settings(
        database=f"sqlite:///{tmp_path / 'v.db'}", storage=str(tmp_path / "kept"), workers=1, watermark=False
    )
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=0, log_level="critical", ws="websockets-sansio"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with Client(f"http://127.0.0.1:{port}", retries=Retries(attempts=1)) as client:
        yield client
    server.should_exit = True
    thread.join()


def test_the_real_service_from_photo_to_picture(live: Client, folder: Path) -> None:
    person, garment = live.people.add(folder / "person.jpg"), live.garments.add(folder / "shirt.png")
    fitted = live.fit(person, [garment, folder / "other.jpg"], engine="paste", format="png")
    assert fitted.picture.startswith(b"\x89PNG")
    assert fitted.record.garments[0] == garment.id
    assert len(live.garments.list()) == 2
    batch = live.batches.add([(person, [garment])], engine="paste")
    assert live.fittings.wait(batch.fittings[0]).batch == batch.id
    assert "paste" in [engine.name for engine in live.engines()]
    assert live.erase() == 6  # a person, two garments, two fittings, a batch
    assert live.people.list() == []


def test_the_real_service_does_a_repeated_request_once(live: Client, folder: Path) -> None:
    first = live.people.add(folder / "person.jpg", once="mine")
    assert live.people.add(folder / "person.jpg", once="mine").id == first.id
    with pytest.raises(errors.ConflictError):
        live.people.add(folder / "other.jpg", once="mine")


def test_the_real_service_tells_each_change_of_a_fitting(live: Client, folder: Path) -> None:
    fitting = live.fittings.add(folder / "person.jpg", folder / "shirt.png", engine="paste")
    states = [change.state for change in live.fittings.watch(fitting) if not isinstance(change, Preview)]
    assert states[-1] == "done"


def test_the_real_service_raises_its_own_errors(live: Client, folder: Path) -> None:
    with pytest.raises(errors.PersonError, match="no person"):
        live.people.add(folder / "black.png")
    with pytest.raises(errors.ImageError):
        live.garments.add(folder / "text.jpg")
    with pytest.raises(errors.NotFoundError):
        live.people.delete("p_0000000000000000")
    with pytest.raises(errors.NotFoundError):
        list(live.fittings.watch("f_0000000000000000"))
    with pytest.raises(errors.UnknownEngineError):
        live.fit(folder / "person.jpg", folder / "shirt.png", engine="magic")
