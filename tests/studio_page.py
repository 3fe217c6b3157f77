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
_FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
_QUICK = """if (!localStorage.getItem("vestiary-studio"))
  localStorage.setItem("vestiary-studio", '{"look": {"garments": [], "engine": "paste", "options": {}}}');"""
_WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")


@contextmanager
def served(folder: Path, add: Callable[[Any], None] = lambda app: None) -> Iterator[str]:
    """The address of a service with the studio; `add` may add routes to its app."""
    import uvicorn

    from vestiary.serve.app import create_app
    from vestiary.serve.settings import Settings

    with socket.socket() as listening, pytest.MonkeyPatch.context() as patch:
        stand_in(patch)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        place = {"database": f"sqlite:///{folder / 'service.db'}", "storage": str(folder / "pictures")}
        app = create_app(Settings(port=port, studio=True, rate_per_minute=10_000, **place))
        add(app)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="websockets-sansio"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}/"
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("service")) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Any]:
    """Opens the page in a fresh context; fails the test when a script fails."""
    contexts: list[Any] = []
    faults: list[str] = []

    def opened(place: str = address, script: str = "", **context: Any) -> Any:
        contexts.append(browser.new_context(**{"viewport": DESKTOP, "locale": "en-GB", **context}))
        contexts[-1].add_init_script(_QUICK + script)
        page = contexts[-1].new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda problem: faults.append(str(problem)))
        page.goto(place)
        page.locator(".people img, .rate h1, .mirror").first.wait_for()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def dress(page: Any, *names: str) -> None:
    """Choose the first sample person and wear garments, one after the other."""
    page.locator(".welcome .people button").first.click()
    page.locator(".verdict.good, .verdict.fair").first.wait_for(state="attached")
    for name in names:
        page.get_by_role("button", name=f"Wear {name}", exact=True).click()
        shown(page, name)


def shown(page: Any, name: str) -> None:
    """Wait until the picture has this garment."""
    page.locator(f".stage canvas[aria-label*='{name}']").wait_for()


def violations(page: Any) -> list[str]:
    """Everything that axe finds against WCAG 2.2 A and AA, and its serious advice besides."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    kept = [one for one in found if set(one["tags"]) & set(_WCAG) or one["impact"] in ("serious", "critical")]
    return [f"{one['id']}: {[node['html'][:120] for node in one['nodes']][:3]}" for one in kept]
