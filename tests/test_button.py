"""The shop's button in a real browser: a shop's page on one port, the real service on another."""

from __future__ import annotations

import http.server
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api")
uvicorn = pytest.importorskip("uvicorn")
pytest.importorskip("fastapi")

from patience import until  # noqa: E402
from studio_page import MARKS, PATIENCE, browser, violations  # noqa: E402

import vestiary  # noqa: E402
from vestiary.serve.app import create_app  # noqa: E402
from vestiary.serve.settings import Settings  # noqa: E402

pytestmark = MARKS
__all__ = ["browser"]

PACKAGE = Path(vestiary.__file__).parent
POLICY = "style-src 'unsafe-inline'; script-src *"  # of the page; the button adds no inline script
SHOTS = os.environ.get("SCREENSHOTS")  # a folder, to look at what the browser showed


class _Shop(http.server.SimpleHTTPRequestHandler):
    """The package's folder as a shop, its page pointed at the service."""

    service = ""

    def do_GET(self) -> None:
        if not self.path.endswith("demo.html"):
            return super().do_GET()
        page = (PACKAGE / "studio/button/demo.html").read_text(encoding="utf-8")
        page = page.replace("http://localhost:8000", self.service).replace(
            "<vestiary-try-on", '<vestiary-try-on engine="paste"'
        )
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write(page.encode())
        return None

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def shop() -> Iterator[http.server.ThreadingHTTPServer]:
    handler = type("Shop", (_Shop,), {"__init__": lambda self, *a: _Shop.__init__(self, *a, directory=str(PACKAGE))})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def service(looks: object, shop: Any, tmp_path: Path) -> Iterator[Any]:
    """The real service, which lets the shop's pages call it."""
    settings = Settings(
        database=f"sqlite:///{tmp_path / 'v.db'}",
        storage=str(tmp_path / "kept"),
        workers=1,
        cors_origins=(f"http://127.0.0.1:{shop.server_port}",),
    )
    app = create_app(settings)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", ws="websockets-sansio"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    shop.RequestHandlerClass.service = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield app.state.service
    server.should_exit = True
    thread.join()


@pytest.fixture
def visit(browser: Any, service: Any, shop: Any) -> Iterator[Callable[..., Any]]:
    """Opens the shop's page in a fresh context; fails the test when a script fails."""
    contexts: list[Any] = []
    faults: list[str] = []

    def opened(**context: Any) -> Any:
        contexts.append(browser.new_context(**{"viewport": {"width": 900, "height": 760}, **context}))
        contexts[-1].set_default_timeout(PATIENCE)
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"http://127.0.0.1:{shop.server_port}/studio/button/demo.html")
        return page

    try:
        yield opened
    finally:
        for context in contexts:
            context.close()
    assert not faults


@pytest.fixture
def page(visit: Callable[..., Any]) -> Any:
    return visit()


def look(page: Any, name: str) -> None:
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"))


def try_on(page: Any, photo: Path, *, number: int = 0) -> Any:
    """Open a product's dialog and hand in a photo."""
    button = page.locator("vestiary-try-on").nth(number)
    button.locator("#open").click()
    button.locator("#file").set_input_files(str(photo))
    return button


def people(service: Any) -> int:
    from sqlalchemy import func, select

    from vestiary.serve.database import PersonRow

    with service.database.reading() as session:
        return int(session.scalar(select(func.count()).select_from(PersonRow)) or 0)


def test_from_the_shops_page_to_the_picture(page: Any, folder: Path, service: Any) -> None:
    page.evaluate("() => { addEventListener('vestiary-fitted', (e) => { window.heard = e.detail.fitting; }); }")
    page.locator("#open").first.click()
    look(page, "choose")
    page.locator("vestiary-try-on #close").first.click()
    button = try_on(page, folder / "person.jpg")
    button.locator("#after").wait_for(state="visible")
    look(page, "result")
    sizes = button.locator("#before, #after").evaluate_all(
        "all => all.map((image) => [image.naturalWidth, image.naturalHeight])"
    )
    assert sizes == [[240, 320], [240, 320]]
    assert page.evaluate("() => window.heard").startswith("f_")
    assert button.locator("#status").text_content() == "Here you are."


def test_a_key_for_pages_keeps_visitors_apart(page: Any, visit: Callable[..., Any], folder: Path, service: Any) -> None:
    from vestiary.serve.keys import Keys

    _, secret = Keys(service.database).create("shop", ["page", "read", "write", "delete"])
    page.locator("vestiary-try-on").first.evaluate("(button, key) => button.setAttribute('key', key)", secret)
    button = try_on(page, folder / "person.jpg")
    button.locator("#after").wait_for(state="visible")
    (id,) = page.evaluate("() => Object.values(sessionStorage).map((text) => JSON.parse(text).id).filter(Boolean)")
    other = visit()
    status = """async ([server, id, key]) => (await fetch(`${server}/v1/people/${id}`, { headers: {
        Authorization: `Bearer ${key}`, "Vestiary-Session": "x".repeat(64) } })).status"""
    assert other.evaluate(status, [button.get_attribute("server"), id, secret]) == 404


def test_the_slider_works_by_keyboard(page: Any, folder: Path) -> None:
    button = try_on(page, folder / "person.jpg")
    button.locator("#after").wait_for(state="visible")
    page.wait_for_function("() => document.activeElement.shadowRoot?.activeElement?.id === 'slider'")
    page.keyboard.press("Home")
    assert button.locator("#after").evaluate("image => image.style.getPropertyValue('--share')") == "0%"
    page.keyboard.press("Escape")
    button.locator("dialog").wait_for(state="hidden")


def test_the_next_product_needs_no_new_photo(page: Any, folder: Path, service: Any) -> None:
    button = try_on(page, folder / "person.jpg")
    button.locator("#after").wait_for(state="visible")
    button.locator("#close").click()
    second = page.locator("vestiary-try-on").nth(1)
    second.locator("#open").click()
    second.locator("#after").wait_for(state="visible")
    look(page, "chinese")
    assert people(service) == 1
    assert second.locator("#remove").inner_text() == "删除我的照片"


def test_delete_my_photo_deletes_it_at_the_service(page: Any, folder: Path, service: Any) -> None:
    button = try_on(page, folder / "person.jpg")
    button.locator("#remove").click()
    button.locator("#tips").wait_for(state="visible")
    assert people(service) == 0
    assert button.locator("#status").text_content() == "Your photo is deleted."
    assert not button.locator("#remove").is_visible()


def test_a_new_photo_replaces_the_old_one_at_the_service(page: Any, folder: Path, service: Any) -> None:
    button = try_on(page, folder / "person.jpg")
    button.locator("#another").click()
    button.locator("#file").set_input_files(str(folder / "other.jpg"))
    button.locator("#after").wait_for(state="visible")  # the choice of a photo has hidden the picture before
    until(lambda: people(service) == 1)  # the shopper need not wait for that


@pytest.mark.parametrize(
    ("photo", "words"), [("black.png", "no person was found in this photo."), ("text.jpg", "cannot be opened")]
)
def test_a_photo_that_cannot_serve_says_why(page: Any, folder: Path, photo: str, words: str) -> None:
    button = try_on(page, folder / photo)
    button.locator("[role=alert]").wait_for(state="visible")
    look(page, f"error-{photo}")
    assert words in button.locator("[role=alert]").inner_text()
    assert button.locator("#choose").is_visible()
    assert not button.locator("#again").is_visible()


def test_errors_are_told_in_chinese_too(page: Any, folder: Path) -> None:
    button = try_on(page, folder / "black.png", number=1)
    button.locator("[role=alert]").wait_for(state="visible")
    assert button.locator("[role=alert]").inner_text().strip() == "照片中没有可以试穿的人，请使用单人正面照。"


def test_closing_and_opening_at_once_goes_on(page: Any, folder: Path) -> None:
    button = try_on(page, folder / "person.jpg")
    button.locator("#after").wait_for(state="visible")
    button.evaluate("button => { button.dialog.close(); button.open(); }")
    button.locator("#after").wait_for(state="visible")


def test_a_missing_product_picture_and_a_service_that_is_away(page: Any, folder: Path) -> None:
    page.locator("vestiary-try-on").first.evaluate("button => button.setAttribute('garment', 'none.jpg')")
    button = try_on(page, folder / "person.jpg")
    button.locator("[role=alert]").wait_for(state="visible")
    assert "picture of this product" in button.locator("[role=alert]").inner_text()
    page.route("**/v1/**", lambda route: route.abort())
    button.evaluate("button => button.setAttribute('garment', '../../samples/tee_white.jpg')")
    page.evaluate("() => { window.setTimeout = ((real) => (f, ms) => real(f, ms / 50))(window.setTimeout); }")
    button.locator("#again").click()
    button.locator("[role=alert]", has_text="cannot be reached").wait_for(state="visible")


def test_the_camera_takes_the_photo(page: Any, service: Any) -> None:
    page.evaluate("() => { window.setTimeout = ((real) => (f, ms) => real(f, ms / 50))(window.setTimeout); }")
    button = page.locator("vestiary-try-on").first
    button.locator("#open").click()
    button.locator("#take").click()
    button.locator("#video").wait_for(state="visible")
    look(page, "camera")
    button.locator("#shoot").click()
    button.locator("#after").wait_for(state="visible")
    assert people(service) == 1
    assert button.evaluate("button => button.stream") is None


def test_a_busy_service_is_asked_again_with_the_same_key(page: Any, folder: Path) -> None:
    keys: list[str] = []

    def busy(route: Any) -> None:
        if route.request.method != "POST":
            return route.continue_()
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) > 1:
            return route.continue_()
        cors = {"Access-Control-Allow-Origin": "*", "Retry-After": "1"}
        return route.fulfill(status=429, headers=cors, json={"error": {"code": "busy", "message": "", "hint": ""}})

    page.route("**/v1/people", busy)
    button = try_on(page, folder / "person.jpg")
    button.locator("#after").wait_for(state="visible")
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_it_says_what_happens_to_the_photo_and_has_names_for_readers(page: Any, service: Any) -> None:
    button = page.locator("vestiary-try-on").first
    button.locator("#open").click()
    assert "deleted after one hour" in button.locator("#consent").inner_text()
    page.get_by_role("dialog", name="Try it on").wait_for()
    for name in ("Choose a photo", "Take a photo", "Close"):
        assert page.get_by_role("button", name=name).is_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_state_passes_the_scan(visit: Callable[..., Any], folder: Path, theme: str) -> None:
    page = visit(color_scheme=theme)
    if theme == "dark":  # the shop's own page is light
        page.add_style_tag(content=":root { color-scheme: dark; } vestiary-try-on { --vestiary-accent: #7a2e1d }")
    found = {"closed": violations(page, every=True)}
    button = page.locator("vestiary-try-on").nth(0)
    button.locator("#open").click()
    assert button.locator("dialog").get_attribute("lang") == "en"
    found["choose"] = violations(page, every=True)
    button.locator("#file").set_input_files(folder / "text.jpg")
    button.locator("#error").wait_for()
    found["error"] = violations(page, every=True)
    button.locator("#file").set_input_files(folder / "person.jpg")
    button.locator("#after").wait_for(state="visible")
    found["result"] = violations(page, every=True)
    page.keyboard.press("Escape")
    page.wait_for_function("document.activeElement.tagName === 'VESTIARY-TRY-ON'")  # the focus goes back to the button
    assert {state: what for state, what in found.items() if what} == {}


def test_a_phone_shows_all_of_it(visit: Callable[..., Any], folder: Path) -> None:
    phone = {"width": 360, "height": 640}
    page = visit(viewport=phone, has_touch=True, is_mobile=True, color_scheme="dark")
    button = try_on(page, folder / "person.jpg")
    button.locator("#after").wait_for(state="visible")
    look(page, "phone")
    box = button.locator("dialog").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    assert button.locator("#save").bounding_box()["height"] >= 44


def test_the_script_is_one_and_is_kept_by_browsers(service: Any, shop: Any) -> None:
    import httpx

    address = f"{shop.RequestHandlerClass.service}/button.js"
    script = httpx.get(address)
    assert script.text.startswith("(() => {")
    assert script.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert httpx.get(address, headers={"If-None-Match": script.headers["ETag"]}).status_code == 304
