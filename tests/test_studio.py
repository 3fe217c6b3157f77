"""The studio in a real browser, against the real service."""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vestiary import samples

sync_api = pytest.importorskip("playwright.sync_api")
uvicorn = pytest.importorskip("uvicorn")
pytest.importorskip("sqlalchemy")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; name one in the variable CHROMIUM"),
    pytest.mark.filterwarnings("ignore"),  # of uvicorn's and Playwright's own
]
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 800}
_FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from vestiary.serve.app import create_app
    from vestiary.serve.settings import Settings

    folder = tmp_path_factory.mktemp("service")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        place = {"database": f"sqlite:///{folder / 'service.db'}", "storage": str(folder / "pictures")}
        app = create_app(Settings(port=port, studio=True, max_upload_mb=3, **place))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}/"
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=[*_FLAGS, *_CAMERA])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Any]:
    """Opens the page in a fresh context; fails the test when a script fails."""
    contexts: list[Any] = []
    faults: list[str] = []

    def opened(**context: Any) -> Any:
        contexts.append(browser.new_context(**{"viewport": DESKTOP, "locale": "en-GB", **context}))
        page = contexts[-1].new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda problem: faults.append(str(problem)))
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def dress(page: Any, *names: str, person: str = "Jonas") -> None:
    page.get_by_role("button", name=person).click()
    page.locator(".verdict.good, .verdict.fair").first.wait_for(state="attached")
    for name in names:
        page.get_by_role("button", name=f"Wear {name}", exact=True).click()
        shown(page, name)


def shown(page: Any, name: str) -> None:
    page.locator(f".stage canvas[aria-label*='{name}']").wait_for()


def violations(page: Any) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    serious = [entry for entry in found if entry["impact"] in ("serious", "critical")]
    return [f"{entry['id']}: {json.dumps([node['html'][:120] for node in entry['nodes']][:3])}" for entry in serious]


def test_a_photo_is_uploaded_fitted_compared_and_deleted(visit: Any) -> None:
    page = visit()
    page.locator("input[type=file]").first.set_input_files(samples.people()["jonas"])
    page.locator(".you .verdict.good, .you .verdict.fair").wait_for()
    page.locator(".wall input[type=file]").set_input_files(samples.garments()["tee_white"])
    shown(page, "Top")
    page.get_by_role("button", name="Keep", exact=True).click()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_role("radio", name="Loose").check(force=True)
    page.get_by_role("button", name="Compare", exact=True).click()
    slider_moves_with_keys(page)
    assert violations(page) == []
    page.get_by_role("link", name="Compare").click()
    page.locator(".columns img").nth(1).wait_for()
    assert violations(page) == []
    page.get_by_role("link", name="Looks").click()
    page.locator(".look img").wait_for()
    page.get_by_role("button", name="Delete everything").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete everything").click()
    page.get_by_role("heading", name="See it on you.").wait_for()
    assert page.evaluate("async () => (await (await fetch('/v1/fittings')).json()).length") == 0


def slider_moves_with_keys(page: Any) -> None:
    page.get_by_role("button", name="Before and after").click()
    slider = page.get_by_role("slider", name="How much of your photo is shown")
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("PageUp")
    assert slider.get_attribute("aria-valuenow") == "62"
    page.keyboard.press("End")
    assert slider.get_attribute("aria-valuenow") == "100"


def test_outfits_are_layered_and_undone(visit: Any) -> None:
    page = visit()
    dress(page, "Striped long-sleeve", "Pleated skirt", person="Mira")
    page.get_by_role("button", name="Wear Floral dress", exact=True).click()
    shown(page, "Floral dress")
    assert page.locator(".worn-chip").count() == 1  # a dress goes with neither top nor skirt
    page.keyboard.press("Control+z")
    shown(page, "Striped long-sleeve, Pleated skirt")
    page.keyboard.press("Control+Shift+z")
    shown(page, "Floral dress")


@pytest.mark.parametrize(
    ("content", "said"), [(b"not a picture", "not a picture that can be read"), (b"x" * 4_000_000, "too large")]
)
def test_a_photo_that_cannot_serve_is_explained(visit: Any, tmp_path: Path, content: bytes, said: str) -> None:
    page = visit()
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(content)
    page.locator("input[type=file]").first.set_input_files(photo)
    page.locator(".you").get_by_role("alert").filter(has_text=said).wait_for()


def test_nobody_in_the_photo_is_said_in_chinese(visit: Any) -> None:
    page = visit(locale="zh-CN")
    page.locator("input[type=file]").first.set_input_files(samples.garments()["jeans_blue"])
    page.locator(".you").get_by_role("alert").filter(has_text="没有可以试衣的人").wait_for()
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    assert violations(page) == []


def test_the_camera_takes_a_photo(visit: Any) -> None:
    page = visit()
    page.get_by_role("button", name="Take a photo").click()
    page.get_by_role("dialog").get_by_role("button", name="Take photo").click()
    page.get_by_role("button", name="Use this photo").click()
    page.locator(".you .verdict.bad").wait_for()  # the false camera shows a pattern, and nobody


def test_a_refused_camera_is_explained(visit: Any) -> None:
    page = visit()
    refuse = "() => Promise.reject(new DOMException('no', 'NotAllowedError'))"
    page.evaluate(f"() => {{ navigator.mediaDevices.getUserMedia = {refuse}; }}")
    page.get_by_role("button", name="Take a photo").click()
    page.get_by_role("dialog").get_by_role("alert").filter(has_text="camera is not available").wait_for()


def test_a_busy_service_is_asked_again(visit: Any) -> None:
    page = visit()
    asked: list[float] = []

    def busy_once(route: Any) -> None:
        asked.append(time.monotonic())
        if len(asked) == 1:
            route.fulfill(status=429, headers={"Retry-After": "1"}, json={"error": {"code": "busy", "message": "full"}})
        else:
            route.continue_()

    page.route("**/v1/fittings", busy_once)
    dress(page, "White T-shirt")
    assert len(asked) == 2
    assert asked[1] - asked[0] >= 1


def test_a_service_that_is_gone_is_said_and_comes_back(visit: Any) -> None:
    page = visit()
    dress(page, "White T-shirt")
    page.route("**/health", lambda route: route.abort())  # so that it does not come back before the click
    page.route("**/v1/**", lambda route: route.abort())
    page.get_by_role("button", name="Wear Checked shirt", exact=True).click()
    page.get_by_role("alert").filter(has_text="does not answer").wait_for()
    page.unroute("**/v1/**")
    page.get_by_role("button", name="Try again").click()
    shown(page, "Checked shirt")


def test_a_service_that_comes_back_is_noticed_without_a_click(visit: Any) -> None:
    page = visit()
    dress(page, "White T-shirt")
    for everything in ("**/health", "**/v1/**"):
        page.route(everything, lambda route: route.abort())
    page.get_by_role("button", name="Wear Checked shirt", exact=True).click()
    page.get_by_role("alert").filter(has_text="does not answer").wait_for()
    page.unroute_all()
    shown(page, "Checked shirt")


def test_a_phone_has_the_same_room(visit: Any) -> None:
    page = visit(viewport=PHONE, has_touch=True, color_scheme="dark")
    dress(page, "White T-shirt")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    small = "[...document.querySelectorAll('button, a, select')].filter((e) => e.offsetWidth && e.offsetWidth < 24)"
    assert page.evaluate(f"{small}.map((e) => e.outerHTML)") == []
    page.get_by_role("button", name="Fit", exact=True).click()
    page.get_by_role("radio", name="Slim").check(force=True)
    page.locator(".stage .busy").wait_for(state="detached")
    assert violations(page) == []


def test_developers_see_how_a_look_was_made(visit: Any) -> None:
    page = visit()
    dress(page, "White T-shirt")
    page.get_by_role("link", name="Developer").click()
    page.locator("pre").filter(has_text='"engine": "embedded"').wait_for()
    page.get_by_role("button", name="Fit again and keep the layers").click()
    page.locator(".layers img").nth(2).wait_for()
    assert page.locator(".bars").count() >= 2
    assert violations(page) == []


def test_both_languages_say_everything(visit: Any) -> None:
    page = visit()
    words, known = page.evaluate(
        "async () => { const {WORDS, NOTES} = await import('/page/i18n.js'); return [WORDS, NOTES.map(([, k]) => k)]; }"
    )
    assert words["en"].keys() == words["zh"].keys()
    names = {language: {k: sorted(_names(v)) for k, v in said.items()} for language, said in words.items()}
    assert names["en"] == names["zh"]
    assert {f"sample.{name}" for name in (*samples.people(), *samples.garments())} <= words["en"].keys()
    assert set(known) <= words["en"].keys()
    page.get_by_role("button", name="Switch to Chinese").click()
    page.get_by_role("heading", name="穿在您身上看看").wait_for()
    assert violations(page) == []


def _names(text: str) -> list[str]:
    return [part.split("}")[0] for part in text.split("{")[1:]]
