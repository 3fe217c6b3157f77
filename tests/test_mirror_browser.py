"""The live mirror in a real browser, with a film in place of the camera."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("playwright.sync_api")
pytest.importorskip("uvicorn")

import uvicorn
from playwright.sync_api import sync_playwright

from vestiary import samples
from vestiary.images import encode_picture, open_picture
from vestiary.serve.app import create_app
from vestiary.serve.settings import Settings

CHROMIUM = shutil.which("chromium")
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-quic")


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    """A film of a sample person who sways, as Chromium's fake camera plays it."""
    photo = open_picture(samples.people()["mira"]).image
    scale = 480 / photo.shape[0]
    film = tmp_path / "camera.mjpeg"
    with film.open("wb") as written:
        for k in range(16):
            x = 320 - scale * photo.shape[1] / 2 + 12 * np.sin(2 * np.pi * k / 16)
            place = np.array([[scale, 0, x], [0, scale, 0]])
            seen = cv2.warpAffine(photo, place, (640, 480), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
            written.write(encode_picture(seen, "jpeg"))
    return film


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A service with the studio's page."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = Settings(
        database=f"sqlite:///{tmp_path / 'v.db'}", storage=str(tmp_path / "pictures"), studio=True, port=port, workers=1
    )
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=port, log_level="error", ws="websockets-sansio"))
    thread = threading.Thread(target=server.run)
    thread.start()
    until = time.monotonic() + 20
    while not server.started and time.monotonic() < until:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


def wait_for_frames(page: Any, count: int) -> None:
    until = time.monotonic() + 40
    while int(page.locator(".mirror canvas").get_attribute("data-frames") or 0) < count:
        assert time.monotonic() < until, page.inner_text(".mirror .word")
        page.wait_for_timeout(100)


def test_the_mirror_shows_frames_and_changes_garments(address: str, camera: Path) -> None:
    film = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    flags = [*FLAGS, *film, f"--use-file-for-fake-video-capture={camera}"]
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page(viewport={"width": 800, "height": 900})
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(f"{address}/#/mirror")
        page.click(".mirror .start")
        wait_for_frames(page, 6)
        assert "frames/s" in page.inner_text(".mirror .rate")
        assert page.inner_text(".mirror .name") == "White T-shirt"
        page.click(".mirror .next")
        seen = int(page.locator(".mirror canvas").get_attribute("data-frames"))
        wait_for_frames(page, seen + 4)
        assert page.inner_text(".mirror .name") == "Striped long-sleeve"
        page.click(".mirror .start")
        assert page.inner_text(".mirror .start") == "Start the camera"
        assert not wrong
        browser.close()
