"""The live mirror over a WebSocket: newest frame only, orders, errors, places; and one film through the real app."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("fastapi")

from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from vestiary import samples
from vestiary.api import read_garment
from vestiary.errors import NotFoundError, OptionError, TooLargeError
from vestiary.images import encode_picture, open_picture
from vestiary.serve.app import create_app
from vestiary.serve.mirror import MOST_BYTES, Session
from vestiary.serve.settings import Settings
from vestiary.types import Garment

PLACE = "ws://localhost/v1/mirror"


@pytest.fixture(scope="module")
def garment() -> Garment:
    return read_garment(samples.garments()["tee_white"], words=False)


@pytest.fixture(scope="module")
def frames() -> list[bytes]:
    """JPEGs of a sample person who sways."""
    photo = open_picture(samples.people()["jonas"]).image
    scale = 256 / photo.shape[0]
    every = []
    for k in range(3):
        place = np.array([[scale, 0, 3.0 * k], [0, scale, 0]])
        seen = cv2.warpAffine(photo, place, (192, 256), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
        every.append(encode_picture(seen, "jpeg"))
    return every


class House:
    """Stands in for the service where only garments are asked for."""

    def __init__(self, garment: Garment) -> None:
        self.settings = Settings()
        self.garment = garment

    def read(self, owner: str, id: str) -> Garment:
        if owner != "local" or not id.startswith("g_"):
            raise NotFoundError(f"there is no garment {id}.")
        return self.garment


@pytest.fixture
def session(garment: Garment) -> Iterator[Session]:
    made = Session(House(garment), "local")  # type: ignore[arg-type]
    yield made
    made.close()


def message(number: int, jpeg: bytes) -> dict[str, Any]:
    return {"type": "websocket.receive", "bytes": number.to_bytes(4, "big") + jpeg}


def order(**told: Any) -> dict[str, Any]:
    return {"type": "websocket.receive", "text": json.dumps(told)}


def test_only_the_newest_frame_is_worked_on(session: Session, frames: list[bytes]) -> None:
    session.take(order(garments=["g_1", "g_2"]))
    for number, jpeg in enumerate(frames):
        session.take(message(number, jpeg))
    shown, picture = session.work()
    assert shown.sequence == 2
    assert shown.dropped == 2
    assert shown.garment == "g_1"
    assert picture[:4] == (2).to_bytes(4, "big")
    assert open_picture(picture[4:]).image.shape == (256, 192, 3)
    assert session.work() is None


def test_orders_change_the_garment(session: Session, frames: list[bytes]) -> None:
    session.take(order(garments=["g_1", "g_2"]))
    worn = []
    for told in ({"next": True}, {"next": True}, {"previous": True}, {"garment": "g_1"}, {"garment": "g_new"}):
        session.take(order(**told))
        session.take(message(0, frames[0]))
        worn.append(session.work()[0].garment)
    assert worn == ["g_2", "g_1", "g_2", "g_1", "g_new"]


@pytest.mark.parametrize(
    "told", [{"garments": []}, {"garments": "g_1"}, {"garments": [1]}, {"garments": ["g"] * 99}, {"next": True}]
)
def test_bad_orders_are_refused(session: Session, told: dict[str, Any]) -> None:
    session.take(order(**told))
    with pytest.raises(OptionError):
        session.work()


def test_what_is_neither_order_nor_frame_is_refused(session: Session, frames: list[bytes]) -> None:
    for text in ("", "[]", "{", '{"dance": 1}', "[" * 100_000):
        with pytest.raises(OptionError):
            session.take({"type": "websocket.receive", "text": text})
    with pytest.raises(OptionError):
        session.take({"type": "websocket.receive", "bytes": b"abc"})
    with pytest.raises(TooLargeError):
        session.take(message(0, bytes(MOST_BYTES)))
    session.take(message(0, frames[0]))
    with pytest.raises(OptionError, match="no garments"):
        session.work()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    settings = Settings(
        database=f"sqlite:///{tmp_path / 'v.db'}", storage=str(tmp_path / "pictures"), workers=1, watermark=False
    )
    with TestClient(create_app(settings), base_url="http://localhost") as made:
        yield made


def test_a_film_over_the_wire(client: TestClient, frames: list[bytes]) -> None:
    with open(samples.garments()["tee_white"], "rb") as photo:
        id = client.post("/v1/garments", files={"photo": photo}).json()["id"]
    with client.websocket_connect(PLACE) as socket:
        socket.send_text(json.dumps({"garments": [id]}))
        for number, jpeg in enumerate(frames):
            socket.send_bytes(number.to_bytes(4, "big") + jpeg)
            shown = socket.receive_json()
            picture = socket.receive_bytes()
            assert shown["sequence"] == number
            assert shown["garment"] == id
            assert shown["message"] == ""
            went = open_picture(picture[4:]).image
            assert np.abs(went.astype(int) - open_picture(jpeg).image).mean() > 3
        assert shown["fps"] > 0
        socket.send_bytes(b"\0\0\0\7no picture")
        assert socket.receive_json()["error"]["code"] == "image"
        with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect(PLACE):
            pass
        assert refused.value.status_code == 429
        assert "Retry-After" in refused.value.headers
    with client.websocket_connect(PLACE) as socket:  # the place is free again
        socket.send_text(json.dumps({"garments": ["g_nobodys"]}))
        assert socket.receive_json()["error"]["code"] == "not-found"


def test_pages_of_others_are_refused(client: TestClient) -> None:
    with (
        pytest.raises((WebSocketDenialResponse, WebSocketDisconnect)),
        client.websocket_connect(PLACE, headers={"Origin": "https://elsewhere.example"}),
    ):
        pass
