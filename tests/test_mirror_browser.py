"""The live mirror in a real browser, with a film in place of the camera."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("playwright.sync_api")
pytest.importorskip("uvicorn")

from studio_page import MARKS, PATIENCE, chromium, served

from vestiary import samples
from vestiary.images import encode_picture, open_picture

pytestmark = [*MARKS, pytest.mark.slow]


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
    with served(tmp_path, real=True, workers=1) as found:
        yield found


def wait_for_frames(page: Any, count: int) -> None:
    seen = "(count) => Number(document.querySelector('.mirror canvas').dataset.frames ?? 0) >= count"
    page.wait_for_function(seen, arg=count)


def test_the_mirror_shows_frames_and_changes_garments(address: str, camera: Path) -> None:
    with chromium(f"--use-file-for-fake-video-capture={camera}") as browser:
        page = browser.new_page(viewport={"width": 800, "height": 900})
        page.set_default_timeout(2 * PATIENCE)  # the networks are loaded first
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(f"{address}#/mirror")
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
