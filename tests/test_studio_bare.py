"""The studio with an engine that needs no garment: words are typed, a button makes the picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api")
pytest.importorskip("uvicorn")
pytest.importorskip("sqlalchemy")

from bare_rooms import words_known
from studio_page import MARKS, PHONE, browser, dress, served, shown, violations, visit

pytestmark = MARKS
__all__ = ["browser", "visit"]
WORDS = "import('/page/actions.js').then(({ change }) => change({ engine: 'words', options: {} }))"
MAKE = "Make the picture"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with words_known(), served(tmp_path_factory.mktemp("service")) as found:
        yield found


def asked(page: Any) -> list[str]:
    """What fittings were made of, the first one first."""
    told = "fetch('/v1/fittings').then((answer) => answer.json()).then((all) => all.map((one) => one.options.prompt))"
    return list(reversed(page.evaluate(told)))


def test_words_alone_change_the_photo_and_the_look_is_kept(visit: Any) -> None:
    page = visit()
    dress(page)
    make = page.get_by_role("button", name=MAKE)
    assert make.count() == 0  # the quick engine needs a garment
    page.evaluate(WORDS)
    make.click()
    page.get_by_role("alert").filter(has_text="There is nothing to do yet. Tap a garment, or say under Fit").wait_for()
    page.get_by_label("In words").press_sequentially("a red coat")
    make.click()  # what is being typed counts
    page.locator(".stage canvas[aria-label='Your photo, changed: a red coat']").wait_for()
    assert asked(page) == ["a red coat"]
    assert page.get_by_role("alert").filter(has_text="nothing to do").count() == 0
    assert violations(page) == []
    page.get_by_role("button", name="Keep", exact=True).click()
    page.get_by_role("link", name="Looks").click()
    page.get_by_role("button", name="Show: a red coat").click()
    page.locator(".stage canvas[aria-label='Your photo, changed: a red coat']").wait_for()


def test_it_works_by_keyboard_and_undoes(visit: Any) -> None:
    page = visit()
    dress(page)
    page.evaluate(WORDS)
    words = page.get_by_label("In words")
    for said in ("blue", "green"):
        words.fill(said)
        words.press("Enter")
        shown(page, said)
        assert words.evaluate("(field) => document.activeElement === field")
    page.get_by_role("button", name="Undo").click()
    shown(page, "blue")
    page.get_by_role("button", name="Undo").click()
    page.locator(".stage canvas[aria-label='Your photo']").wait_for()  # nobody asked for a picture of that
    assert asked(page) == ["blue", "green"]


def test_words_that_are_being_typed_stay_when_the_page_is_drawn_anew(visit: Any) -> None:
    page = visit()
    dress(page)
    page.evaluate(WORDS)
    page.get_by_label("In words").press_sequentially("a long")
    page.evaluate("import('/page/store.js').then(({ set }) => set({ said: 'something' }))")
    page.get_by_label("In words").press_sequentially(" coat")
    assert page.get_by_label("In words").input_value() == "a long coat"


def test_a_garment_and_words_go_together(visit: Any) -> None:
    page = visit()
    dress(page)
    page.evaluate(WORDS)
    page.get_by_role("button", name="Wear White T-shirt", exact=True).click()
    shown(page, "White T-shirt")
    assert page.get_by_role("button", name=MAKE).count() == 0  # each change shows itself
    page.get_by_role("button", name="Take off White T-shirt").click()
    page.locator(".stage canvas[aria-label='Your photo']").wait_for()


def test_a_phone_speaks_chinese(visit: Any) -> None:
    page = visit(viewport=PHONE, has_touch=True, locale="zh-CN", color_scheme="dark")
    dress(page)
    page.evaluate(WORDS)
    page.locator(".outfit").get_by_text("或在“穿法”中用文字说明要更改什么").wait_for()
    page.locator(".tabs button").last.tap()
    page.get_by_label("用文字描述").press_sequentially("红色大衣")
    page.get_by_role("button", name="生成图片").tap()
    page.locator(".stage canvas[aria-label='您的照片，已更改：红色大衣']").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert violations(page) == []
