"""The HTTP service on a fake one behind it: routes, formats, errors, keys, sessions, limits, idempotency, sockets."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")

from fastapi.testclient import TestClient
from rooms import FakeService
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from vestiary.errors import ForbiddenError, NotAcceptableError
from vestiary.serve.app import create_app
from vestiary.serve.negotiate import choose_format, wants_record
from vestiary.serve.settings import Settings

LOCAL = "http://127.0.0.1:8000"
SOCKETS = "ws://127.0.0.1:8000"
PHOTO = {"photo": ("holiday.jpg", b"a photo")}
Start = Callable[..., tuple[TestClient, FakeService]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Make a client of an app with these settings."""
    open_clients = []

    def make(*, quick: bool = True, base_url: str = LOCAL, **given: Any) -> tuple[TestClient, FakeService]:
        given = {"watermark": False, "database": f"sqlite:///{tmp_path}/v.db", "storage": str(tmp_path), **given}
        settings = Settings(**given)
        service = FakeService(settings, quick=quick)
        client = TestClient(create_app(settings, service), base_url=base_url)  # type: ignore[arg-type]
        open_clients.append(client)
        return client.__enter__(), service

    yield make
    for client in open_clients:
        client.__exit__(None, None, None)


def dressed(client: TestClient, **headers: str) -> dict[str, str]:
    """The form of a fitting of a new person in a new garment."""
    person = client.post("/v1/people", files=PHOTO, headers=headers).json()["id"]
    return {"person_id": person, "garment_id": client.post("/v1/garments", files=PHOTO, headers=headers).json()["id"]}


def test_a_fitting_comes_as_the_picture_that_is_asked_for(start: Start) -> None:
    client, _ = start()
    form = dressed(client)
    for kind, mark in (("webp", b"WEBP"), ("jpeg", b"\xff\xd8"), ("png", b"PNG"), ("avif", b"ftypavif")):
        answer = client.post("/v1/fittings", data=form, headers={"Accept": f"image/{kind}"})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == f"image/{kind}"
        assert mark in answer.content[:16]
        record = client.get(f"/v1/fittings/{answer.headers['vestiary-fitting']}").json()
        assert record["garments"] == [form["garment_id"]]
        assert "engine;dur=250.0" in answer.headers["server-timing"]
        assert answer.headers["cache-control"] == "no-store"


def test_a_slow_fitting_is_answered_by_its_record(start: Start) -> None:
    client, service = start(quick=False)
    answer = client.post("/v1/fittings", data={**dressed(client), "wait": "0"})
    assert answer.status_code == 202
    place = answer.headers["location"]
    assert client.get(f"{place}/picture").status_code == 409
    service.end(answer.json()["id"], "done")
    assert client.get(f"{place}/picture").headers["content-type"] == "image/jpeg"
    assert client.get(f"{place}/mask").headers["content-type"] == "image/png"
    assert client.delete(place).status_code == 204
    assert client.get(place).json()["error"]["code"] == "not-found"


def test_an_outfit_keeps_the_order_of_files_and_ids(start: Start) -> None:
    client, _ = start()
    form = dressed(client)
    files = [("garment", ("a", b"1")), ("garment_id", (None, form["garment_id"])), ("garment", ("b", b"2"))]
    answer = client.post(
        "/v1/fittings",
        data={"person_id": form["person_id"]},
        files=files,  # type: ignore[arg-type]
        headers={"Accept": "application/json"},
    )
    garments = answer.json()["garments"]
    assert len(garments) == 3
    assert garments[1] == form["garment_id"]


@pytest.mark.parametrize(
    ("accept", "format"),
    [
        (None, "jpeg"),
        ("*/*", "jpeg"),
        ("image/*", "jpeg"),
        ("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", "webp"),
        ("image/png;q=0.5, image/avif;q=0.9", "avif"),
        ("image/webp;q=0, */*", "jpeg"),
        ("image/jpeg;q=0, */*;q=0.1", "webp"),
        ("text/html, image/jpg", "jpeg"),
        ("image/png;q=nan, image/jpeg;q=0.1", "jpeg"),
    ],
)
def test_accept_is_read_as_the_standard_says(accept: str | None, format: str) -> None:
    assert choose_format(accept) == format


def test_transparency_is_not_lost_and_what_cannot_be_written_is_refused() -> None:
    assert choose_format("*/*", transparent=True) == "png"
    assert choose_format("image/jpeg, image/webp;q=0.1", transparent=True) == "webp"
    with pytest.raises(NotAcceptableError, match="image/webp"):
        choose_format("image/tiff")
    with pytest.raises(NotAcceptableError):
        choose_format("image/jpeg", transparent=True)
    assert wants_record("application/json")
    assert not wants_record("*/*")
    assert not wants_record("image/webp, application/json;q=0.5")


def test_every_error_has_one_shape(start: Start) -> None:
    client, _ = start()
    wrong = [
        (client.get("/v1/people/p_1"), 404, "not-found"),
        (client.get("/v1/nothing"), 404, "not-found"),
        (client.put("/v1/people"), 405, "method"),
        (client.post("/v1/people"), 400, "input"),
        (client.post("/v1/people", files={"photo": ("a", b"")}), 415, "image"),
        (client.post("/v1/people", files=PHOTO, data={"keep_hours": "never"}), 422, "request"),
        (client.post("/v1/fittings", data={"person_id": "p_1"}), 422, "garment"),
        (client.post("/v1/fittings", data={**dressed(client), "options": "[1]"}), 422, "option"),
        (client.post("/v1/batches", content=b"{", headers={"Content-Type": "application/json"}), 422, "request"),
        (client.post("/v1/people", data={"photo_url": "https://127.0.0.1/a.jpg"}), 403, "forbidden"),
        (client.get("/v1/people/p_1/picture", headers={"Accept": "text/html"}), 406, "not-acceptable"),
    ]
    for answer, status, code in wrong:
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert answer.json()["error"]["message"]
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_fault_tells_nothing_of_the_inside(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    client, service = start()

    def fail(owner: str) -> None:
        raise ZeroDivisionError("secret words")

    service.people = fail  # type: ignore[method-assign,assignment]
    answer = client.get("/v1/people?token=hidden")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert "a fault in GET /v1/people" in caplog.text
    assert "hidden" not in caplog.text


def test_large_uploads_are_stopped_before_they_are_read(start: Start) -> None:
    client, service = start(max_upload_mb=0.1)
    assert client.post("/v1/people", files={"photo": ("a", bytes(300_000))}).status_code == 413
    sent = []

    def endless() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\n'
        for _ in range(1000):
            sent.append(1)
            yield bytes(10_000)

    head = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = client.post("/v1/people", content=endless(), headers=head)
    assert answer.status_code == 413, answer.json()
    assert "add_person" not in service.calls


def test_keys_are_needed_beyond_this_machine_and_hold_to_their_scopes(start: Start) -> None:
    client, _ = start(host="0.0.0.0", base_url="http://shop.example")
    keys = client.app.state.keys  # type: ignore[attr-defined]
    assert client.get("/health").status_code == 200
    refused = client.get("/v1/people")
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert client.get("/v1/people", headers={"Authorization": "Bearer vst_wrong"}).status_code == 401
    key, secret = keys.create("reader", ["read"])
    bearer = {"Authorization": f"Bearer {secret}"}
    assert client.get("/v1/people", headers=bearer).json() == []
    assert client.post("/v1/people", files=PHOTO, headers=bearer).status_code == 403
    assert client.get("/metrics", headers=bearer).status_code == 403
    keys.revoke("reader")
    assert client.get("/v1/people", headers=bearer).status_code == 401
    assert secret not in Path(keys.database.engine.url.database).read_bytes().decode("latin-1")
    assert key.id in [one.id for one in keys.all()]


def test_a_key_in_a_page_gives_every_visitor_a_room_of_their_own(start: Start) -> None:
    client, _ = start(host="0.0.0.0", base_url="http://shop.example")
    _, secret = client.app.state.keys.create("button", ["read", "write", "page"])  # type: ignore[attr-defined]
    one, other = ({"Authorization": f"Bearer {secret}", "Vestiary-Session": letter * 32} for letter in "ab")
    assert client.get("/v1/people", headers={"Authorization": f"Bearer {secret}"}).status_code == 401
    assert client.post("/v1/people", files=PHOTO, headers=one).status_code == 201
    assert len(client.get("/v1/people", headers=one).json()) == 1
    assert client.get("/v1/people", headers=other).json() == []


def test_too_many_requests_are_told_when_to_come_again(start: Start) -> None:
    client, _ = start(rate_per_minute=3)
    answers = [client.get("/v1/engines") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 61
    assert client.get("/health").status_code == 200


def test_pages_and_names_of_others_are_refused(start: Start) -> None:
    client, _ = start(cors_origins=("https://shop.example",))
    assert client.get("/health", headers={"Host": "evil.example"}).status_code == 403
    assert client.get("/health", headers={"Host": "localhost.:8000"}).status_code == 200
    assert client.get("/health", headers={"Host": "[::1]:8000"}).status_code == 200
    for headers, status in (
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": LOCAL, "Sec-Fetch-Site": "same-origin"}, 201),
        ({"Origin": "https://shop.example", "Sec-Fetch-Site": "cross-site"}, 201),
    ):
        assert client.post("/v1/people", files=PHOTO, headers=headers).status_code == status
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    assert client.options("/v1/people", headers=asked).headers["access-control-allow-origin"] == "https://shop.example"
    asked["Origin"] = "https://evil.example"
    assert "access-control-allow-origin" not in client.options("/v1/people", headers=asked).headers


def test_who_opens_the_studio_gets_a_session(start: Start) -> None:
    client, _ = start(host="0.0.0.0", studio=True, base_url="http://shop.example")
    assert client.post("/v1/people", files=PHOTO).status_code == 401
    page = client.get("/")
    told = page.headers["set-cookie"]
    assert "HttpOnly" in told
    assert "samesite=strict" in told.lower()
    assert client.post("/v1/people", files=PHOTO).status_code == 201
    assert len(client.get("/v1/people").json()) == 1
    assert "set-cookie" not in client.get("/").headers
    client.cookies.clear()
    client.get("/")
    assert client.get("/v1/people").json() == []


def test_a_repeat_with_the_same_key_is_done_once(start: Start) -> None:
    client, service = start()
    again = {"Idempotency-Key": "one"}
    first, second = (client.post("/v1/people", files=PHOTO, headers=again) for _ in range(2))
    assert first.json() == second.json()
    assert service.calls.count("add_person") == 1
    other = client.post("/v1/people", files={"photo": ("a", b"another")}, headers=again)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "conflict")
    fitting = {"Idempotency-Key": "two", "Accept": "application/json"}
    form = dressed(client)
    ids = {client.post("/v1/fittings", data=form, headers=fitting).json()["id"] for _ in range(3)}
    assert len(ids) == 1
    form["engine"] = "paste"
    assert client.post("/v1/fittings", data=form, headers=fitting).status_code == 409


def test_two_at_once_with_the_same_key_are_done_once(start: Start) -> None:
    client, service = start()
    make, begun = service.add_person, threading.Event()

    def slow(*args: Any, **given: Any) -> Any:
        begun.set()
        time.sleep(0.3)
        return make(*args, **given)

    service.add_person = slow  # type: ignore[method-assign]
    ids = []

    def send() -> None:
        ids.append(client.post("/v1/people", files=PHOTO, headers={"Idempotency-Key": "one"}).json()["id"])

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 1
    assert service.calls.count("add_person") == 1


def test_a_failed_request_frees_its_key(start: Start) -> None:
    client, service = start()
    make = service.add_person

    def fail(*_: Any, **__: Any) -> Any:
        raise ForbiddenError("not today.")

    service.add_person = fail  # type: ignore[method-assign]
    assert client.post("/v1/people", files=PHOTO, headers={"Idempotency-Key": "one"}).status_code == 403
    service.add_person = make  # type: ignore[method-assign]
    assert client.post("/v1/people", files=PHOTO, headers={"Idempotency-Key": "one"}).status_code == 201


def test_a_socket_tells_the_changes_and_cancels(start: Start) -> None:
    client, _ = start(quick=False)
    id = client.post("/v1/fittings", data={**dressed(client), "wait": "0"}).json()["id"]
    with client.websocket_connect(f"{SOCKETS}/v1/fittings/{id}/events") as socket:
        assert socket.receive_json()["state"] == "running"
        socket.send_text("no json")
        socket.send_json({"cancel": True})
        assert socket.receive_json()["state"] == "cancelled"
        with pytest.raises(WebSocketDisconnect):
            socket.receive_json()


def test_a_socket_is_refused_to_others(start: Start) -> None:
    client, _ = start(quick=False)
    id = client.post("/v1/fittings", data={**dressed(client), "wait": "0"}).json()["id"]
    evil = {"Origin": "https://evil.example"}
    for one, headers, status in ((id, evil, 403), ("f_0", {}, 404)):
        with pytest.raises(WebSocketDenialResponse) as refused:
            client.websocket_connect(f"{SOCKETS}/v1/fittings/{one}/events", headers=headers).__enter__()
        assert refused.value.status_code == status


def test_metrics_know_routes_and_no_ids(start: Start) -> None:
    client, _ = start()
    client.get("/v1/people/p_secret")
    client.get("/wp-login.php")
    text = client.get("/metrics").text
    assert 'vestiary_requests_total{method="GET",route="/v1/people/{id}",status="404"} 1.0' in text
    assert "vestiary_queue_length 0.0" in text
    assert "p_secret" not in text
    assert "wp-login" not in text


def test_readiness_says_what_is_missing(start: Start) -> None:
    client, service = start()
    assert client.get("/ready").status_code == 200
    service.is_ready = lambda: {"database": True, "storage": False}  # type: ignore[method-assign]
    assert (client.get("/ready").status_code, client.get("/ready").json()["storage"]) == (503, False)
