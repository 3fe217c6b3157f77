"""The studio's page in Chromium, before a service whose recognisers are stand-ins: for tests of the page itself."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import stand_in

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; name one in the variable CHROMIUM"),
    pytest.mark.filterwarnings("ignore"),  # of uvicorn's and Playwright's own
]
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
PATIENCE = 60_000  # ms that a page gets for anything: the machine may be slow, and have other things to do
_FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-quic")
_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
_QUICK = """if (!localStorage.getItem("vestiary-studio"))
  localStorage.setItem("vestiary-studio", '{"look": {"garments": [], "engine": "paste", "options": {}}}');"""
_STILL = """() => document.getAnimations().every(({ effect, playState }) =>
  playState !== "running" || effect.getComputedTiming().iterations === Infinity)"""
_WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")


@contextmanager
def served(
    folder: Path, add: Callable[[Any], None] = lambda app: None, *, real: bool = False, **more: Any
) -> Iterator[str]:
    """The address of a service with the studio.

    Its recognisers are stand-ins unless they are to be `real`; `add` may add routes to its app.
    """
    import uvicorn

    from vestiary.serve.app import create_app
    from vestiary.serve.settings import Settings

    with socket.socket() as listening, pytest.MonkeyPatch.context() as patch:
        if not real:
            stand_in(patch)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        place = {"database": f"sqlite:///{folder / 'service.db'}", "storage": str(folder / "pictures")}
        app = create_app(Settings(port=port, studio=True, rate_per_minute=10_000, **place, **more))
        add(app)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="websockets-sansio"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}/"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("service")) as found:
        yield found


@contextmanager
def chromium(*flags: str) -> Iterator[Any]:
    """A browser with a camera that shows a pattern."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*_FLAGS, *_CAMERA, *flags], timeout=2 * PATIENCE
        )
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


@contextmanager
def visits(browser: Any, address: str, first: str = "") -> Iterator[Callable[..., Any]]:
    """Opens the page in a fresh context, in which scripts run `first`; fails when one of the page's own fails."""
    contexts: list[Any] = []
    faults: list[str] = []

    def opened(place: str = address, script: str = "", **context: Any) -> Any:
        contexts.append(browser.new_context(**{"viewport": DESKTOP, "locale": "en-GB", **context}))
        contexts[-1].set_default_timeout(PATIENCE)
        contexts[-1].add_init_script(first + script)
        page = contexts[-1].new_page()
        page.on("pageerror", lambda problem: faults.append(str(problem)))
        page.goto(place)
        page.locator(".people img, .rate h1, .mirror").first.wait_for()
        return page

    try:
        yield opened
    finally:
        for context in contexts:
            context.close()
    assert faults == []


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Any]:
    """Opens the page, on which the quick engine is chosen."""
    with visits(browser, address, _QUICK) as opened:
        yield opened


def dress(page: Any, *names: str, person: str = "") -> None:
    """Choose a sample person, the first if none is named, and wear garments, one after the other."""
    page.locator(".welcome .people button").filter(has_text=person).first.click()
    page.locator(".verdict.good, .verdict.fair").first.wait_for(state="attached")
    for name in names:
        page.get_by_role("button", name=f"Wear {name}", exact=True).click()
        shown(page, name)


def shown(page: Any, name: str) -> None:
    """Wait until the picture has this garment."""
    page.locator(f".stage canvas[aria-label*='{name}']").wait_for()


def violations(page: Any, *, every: bool = False) -> list[str]:
    """What axe finds against WCAG 2.2 A and AA, and its serious advice besides, or `every` advice."""
    from axe_playwright_python.sync_playwright import Axe

    page.wait_for_function(_STILL)  # half-faded colours have no contrast
    found = Axe().run(page).response["violations"]
    kept = [one for one in found if every or set(one["tags"]) & set(_WCAG) or one["impact"] in ("serious", "critical")]
    return [f"{one['id']}: {[node['html'][:120] for node in one['nodes']][:3]}" for one in kept]
