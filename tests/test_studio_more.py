"""More of the studio in a browser: rating, background, zoom, sharing, downloading, deleting, and what goes wrong."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

expect = pytest.importorskip("playwright.sync_api").expect
pytest.importorskip("uvicorn")
pytest.importorskip("sqlalchemy")

from studio_page import MARKS, PHONE, address, browser, dress, served, shown, violations, visit  # noqa: E402

from vestiary import samples  # noqa: E402
from vestiary.evaluation.rating import Mode, Poll, Votes, summarize  # noqa: E402

pytestmark = MARKS
__all__ = ["address", "browser", "visit"]

FORMATS = {"JPEG": "JPEG", "PNG": "PNG", "WebP": "WEBP", "AVIF": "AVIF"}
_SHARING = """
navigator.canShare = () => true;
navigator.share = async ({ files, title }) => {
  window.shared = { title, type: files[0].type, size: files[0].size };
  if (window.unwilling) throw new DOMException("no", "AbortError");
};"""


@pytest.mark.parametrize(("mode", "answers"), [("compare", ["Left is better", "No difference"]), ("score", ["5", "2"])])
def test_pictures_are_rated_blindly(visit: Any, tmp_path: Path, mode: Mode, answers: list[str]) -> None:
    folders = [tmp_path / name for name in ("system_a", "system_b")]
    for folder in folders:
        folder.mkdir()
        for name in ("one", "two"):
            shutil.copy(samples.people()["mira"], folder / f"{name}.jpg")
    votes = Votes(tmp_path / "votes.db")
    poll = Poll(folders if mode == "compare" else folders[:1], mode, votes)

    def add(app: Any) -> None:
        from vestiary.studio.routes import rating_routes

        rating_routes(app, poll)

    with served(tmp_path, add) as address:
        page = visit(address)
        page.get_by_role("link", name="Rate").click()
        page.locator(".rated img").nth(len(poll.folders) - 1).wait_for()
        assert "system_" not in page.content()  # nothing tells whose picture it is
        assert violations(page) == []
        for number, answer in enumerate(answers):
            page.get_by_text(f"{number + 1} of 2", exact=True).locator("visible=true").first.wait_for()
            page.locator(".votes").get_by_role("button", name=answer).click()
        page.get_by_text("that was all").locator("visible=true").first.wait_for()
        page.reload()
        page.get_by_text("that was all").locator("visible=true").first.wait_for()  # the browser is still the same rater
    told = summarize(votes)[0]
    assert told["votes"] == 2
    if mode == "compare":
        assert (told["a_wins"] + told["b_wins"], told["ties"]) == (1, 1)
    else:
        assert told["mean_opinion_score"]["a"]["value"] == 3.5


def test_the_menu_names_no_rating_where_there_is_none(visit: Any) -> None:
    page = visit()
    assert page.get_by_role("link", name="Rate").count() == 0
    page.evaluate("location.hash = '#/rate'")
    page.get_by_text("No rating is running").wait_for()


def test_the_background_is_chosen_from_what_the_engine_offers(visit: Any) -> None:
    page = visit()
    dress(page)
    page.evaluate("import('/page/actions.js').then(({ change }) => change({ engine: 'embedded' }))")
    asked: list[str] = []

    def answer(route: Any) -> None:
        asked.append(route.request.post_data or "")
        picture = samples.people()["mira"].read_bytes()
        route.fulfill(body=picture, content_type="image/jpeg", headers={"Vestiary-Fitting": f"f_{len(asked)}"})

    page.route("**/v1/fittings", answer)
    page.get_by_role("button", name="Wear White T-shirt", exact=True).click()
    shown(page, "White T-shirt")
    for name, value in (("White", "white"), ("Studio", "studio"), ("Blurred", "blur")):
        with page.expect_response("**/v1/fittings"):
            page.locator(".swatches").get_by_role("radio", name=name).check(force=True)
        assert f'"background":"{value}"' in asked[-1]
    with page.expect_response("**/v1/fittings"):
        page.get_by_label("Background: a colour of your own").fill("#336699")
    page.locator(".own.chosen").wait_for()
    assert '"background":"#336699"' in asked[-1]
    with page.expect_response("**/v1/fittings"):
        page.get_by_role("radio", name="Your own").check(force=True)
    assert len(asked) == 6


def test_two_fingers_bring_the_picture_closer(visit: Any) -> None:
    page = visit(viewport=PHONE, has_touch=True)
    dress(page, "White T-shirt")
    box = page.locator(".frame").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = page.context.new_cdp_session(page)

    def fingers(kind: str, *places: float) -> None:
        points = [{"x": x + place, "y": y, "id": number} for number, place in enumerate(places)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", -30)
    fingers("touchStart", -30, 30)
    for reach in (40, 50, 60):
        fingers("touchMove", -reach, reach)
    fingers("touchEnd")
    zoom = "new DOMMatrix(getComputedStyle(document.querySelector('.picture')).transform).a"
    page.wait_for_function(f"Math.abs({zoom} - 2) <= 0.3")
    page.locator(".frame").focus()
    page.keyboard.press("0")
    page.locator(".frame:not(.near)").wait_for()


def test_a_look_is_shared_as_a_picture(visit: Any) -> None:
    page = visit(script=_SHARING)
    dress(page, "White T-shirt")
    page.get_by_role("button", name="Share").click()
    page.wait_for_function("() => window.shared")
    shared = page.evaluate("window.shared")
    assert (shared["title"], shared["type"]) == ("White T-shirt", "image/jpeg")
    assert shared["size"] > 1000
    page.evaluate("() => { window.shared = null; window.unwilling = true; }")
    page.get_by_role("button", name="Share").click()
    page.wait_for_function("() => window.shared")
    expect(page.locator(".message")).to_have_count(0)  # who thinks better of it is told of no trouble


def test_every_format_can_be_downloaded(visit: Any) -> None:
    page = visit()
    dress(page, "White T-shirt")
    for label, format in FORMATS.items():
        page.get_by_role("button", name="Download").click()
        page.get_by_role("radio", name=label).check()
        with page.expect_download() as coming:
            page.get_by_role("dialog").get_by_role("button", name="Download").click()
        data = Path(coming.value.path()).read_bytes()
        assert PIL.Image.open(io.BytesIO(data)).format == format
        assert coming.value.suggested_filename.endswith({"JPEG": ".jpg"}.get(format, f".{format.lower()}"))
        page.get_by_role("dialog").wait_for(state="detached")


def test_nothing_is_deleted_before_it_is_confirmed(visit: Any) -> None:
    page = visit()
    dress(page, "White T-shirt")
    count = "fetch('/v1/people').then((answer) => answer.json()).then((found) => found.length)"
    for leave in (lambda: page.get_by_role("button", name="Cancel").click(), lambda: page.keyboard.press("Escape")):
        page.get_by_role("button", name="Delete everything").click()
        page.get_by_role("dialog").wait_for()
        leave()
        page.get_by_role("dialog").wait_for(state="detached")
        assert page.evaluate(count) == 1
    page.get_by_role("button", name="Delete everything").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete everything").click()
    page.get_by_role("heading", name="See it on you.").wait_for()
    assert page.evaluate(count) == 0


def test_a_photo_that_is_too_small_is_explained(visit: Any, tmp_path: Path) -> None:
    page = visit()
    PIL.Image.new("RGB", (8, 8), "white").save(tmp_path / "tiny.png")
    page.locator("input[type=file]").first.set_input_files(tmp_path / "tiny.png")
    page.locator(".you").get_by_role("alert").filter(has_text="too small").wait_for()


def test_the_page_goes_on_by_itself_when_the_service_is_back(visit: Any) -> None:
    page = visit()
    dress(page, "White T-shirt")
    page.route("**/*", lambda route: route.abort())
    page.get_by_role("button", name="Wear Checked shirt", exact=True).click()
    page.get_by_role("alert").filter(has_text="does not answer").wait_for()
    page.unroute("**/*")
    shown(page, "Checked shirt")
    expect(page.locator(".message")).to_have_count(0)


def test_the_budget_adds_up(visit: Any) -> None:
    page = visit()
    dress(page, "White T-shirt", "Checked shirt")
    read = "performance.getEntriesByName('vestiary-fitting').map((one) => ({ ...one.detail, took: one.duration }))"
    page.wait_for_function(f"{read}.length === 2")  # told when the picture has been painted
    first, second = page.evaluate(read)
    for budget in (first, second):
        parts = sum(budget[name] for name in ("read", "encode", "transfer", "queue", "fit", "compress", "draw"))
        assert parts == pytest.approx(budget["total"], abs=20)
        assert budget["took"] == pytest.approx(budget["total"], abs=1)
        assert budget["fit"] > 0
        assert budget["draw"] > 0
