"""The studio in a real browser, against the real service."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vestiary import samples

sync_api = pytest.importorskip("playwright.sync_api")
pytest.importorskip("uvicorn")
pytest.importorskip("sqlalchemy")

from studio_page import MARKS, PHONE, browser, dress, served, shown, violations, visits  # noqa: E402

pytestmark = MARKS
expect = sync_api.expect
__all__ = ["browser"]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("service"), real=True, max_upload_mb=3) as found:
        yield found


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Any]:
    with visits(browser, address) as opened:
        yield opened


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
    expect(slider).to_have_attribute("aria-valuenow", "62")
    page.keyboard.press("End")
    expect(slider).to_have_attribute("aria-valuenow", "100")


def test_outfits_are_layered_and_undone(visit: Any) -> None:
    page = visit()
    dress(page, "Striped long-sleeve", "Pleated skirt", person="Mira")
    page.get_by_role("button", name="Wear Floral dress", exact=True).click()
    shown(page, "Floral dress")
    expect(page.locator(".worn-chip")).to_have_count(1)  # a dress goes with neither top nor skirt
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
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
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
    assert asked[1] - asked[0] > 0.9


# Nobody answers any more, until somebody presses the message's button.
_GONE = """() => {
  const real = window.fetch;
  let back = false;
  window.fetch = (...asked) => (back ? real(...asked) : Promise.reject(new TypeError("nobody is there")));
  addEventListener("click", ({ target }) => { back ||= target.closest("[role=alert]") !== null; }, true);
}"""


def test_a_service_that_is_gone_is_said_and_comes_back(visit: Any) -> None:
    page = visit()
    dress(page, "White T-shirt")
    page.evaluate(_GONE)
    page.get_by_role("button", name="Wear Checked shirt", exact=True).click()
    page.get_by_role("alert").filter(has_text="does not answer").wait_for()
    page.get_by_role("button", name="Try again").click()
    shown(page, "Checked shirt")


def test_a_service_that_comes_back_is_noticed_without_a_click(visit: Any) -> None:
    page = visit()
    dress(page, "White T-shirt")
    for everything in ("**/health", "**/v1/**"):
        page.route(everything, lambda route: route.abort())
    page.get_by_role("button", name="Wear Checked shirt", exact=True).click()
    page.get_by_role("alert").filter(has_text="does not answer").wait_for()
    page.unroute_all(behavior="ignoreErrors")
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
