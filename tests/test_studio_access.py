"""The studio for everybody: by keyboard alone, in enlarged windows, with little motion, for screen readers."""

from __future__ import annotations

from typing import Any

import pytest

expect = pytest.importorskip("playwright.sync_api").expect
pytest.importorskip("uvicorn")
pytest.importorskip("sqlalchemy")

from studio_page import MARKS, PHONE, address, browser, dress, shown, violations, visit  # noqa: E402

pytestmark = MARKS
__all__ = ["address", "browser", "visit"]

# What has the focus: its name, whether an outline shows that, whether some of it is in the window and on top, and its
# size. An input that is drawn by its label counts as the label.
_FOCUS = """() => {
  let it = document.activeElement;
  if (!it || it === document.body) return null;
  const name = it.getAttribute("aria-label") ?? (it.labels?.[0] ?? it).innerText.trim();
  const label = it.matches("input:not([role=switch])") ? it.closest("label") : null;
  const seen = !label || (it.offsetWidth > 9 && getComputedStyle(it).opacity > 0);
  const styled = [label ?? it, ...(label ? [it.nextElementSibling] : []), ...(seen ? [it] : [])];
  const ringed = (style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const outlined = styled.some((one) => one && ringed(getComputedStyle(one)));
  const { left, top, width, height } = styled[0].getBoundingClientRect();
  const own = (x, y) => {
    const above = document.elementFromPoint(x, y);
    return !!above && (styled[0].contains(above) || above.contains(styled[0]));
  };
  const free = [0.1, 0.5, 0.9].some((share) => own(left + share * width, top + Math.min(height / 2, innerHeight / 2)));
  return { name, tag: it.tagName, outlined, free, small: Math.min(width, height) < 24, dialog: !!it.closest("dialog") };
}"""


def tab(page: Any, until: str, most: int = 90, key: str = "Tab") -> list[dict[str, Any]]:
    """Press Tab until something of this name has the focus; all that had it on the way."""
    seen: list[dict[str, Any]] = []
    for _ in range(most):
        page.keyboard.press(key)
        now = page.evaluate(_FOCUS)
        if now is not None:
            seen.append(now)
            if now["name"] == until:
                return seen
    raise AssertionError(f"{until} cannot be reached: {[one['name'] for one in seen]}")


def focused(page: Any, name: str) -> None:
    """Wait until what has the focus is called this."""
    page.wait_for_function(f"(name) => ({_FOCUS})()?.name === name", arg=name)


def faults(stops: list[dict[str, Any]]) -> list[str]:
    """What is wrong with places where the focus was."""
    return [
        f"{stop['name']}: {fault}"
        for stop in stops
        for fault, is_wrong in (
            ("no outline", not stop["outlined"]),
            ("covered", not stop["free"]),
            ("too small", stop["small"]),
        )
        if is_wrong and stop["name"] != "" and stop["tag"] != "MAIN"
    ]


def test_the_whole_path_by_keyboard_alone(visit: Any) -> None:
    page = visit()
    stops = tab(page, "Skip to the picture")
    stops += tab(page, "Mira")
    page.keyboard.press("Enter")
    page.locator(".you .verdict.good, .you .verdict.fair").wait_for()
    page.wait_for_function("document.activeElement.id === 'main'")  # not lost with the page before
    stops += tab(page, "Wear White T-shirt")
    page.keyboard.press("Enter")
    shown(page, "White T-shirt")
    focused(page, "Wear White T-shirt")  # the focus stays where it was
    stops += tab(page, "Download", key="Shift+Tab")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    inside = [page.evaluate(_FOCUS)]
    for _ in range(6):
        page.keyboard.press("Tab")
        inside.append(page.evaluate(_FOCUS))
    assert all(one is None or one["dialog"] for one in inside)  # None: the browser's own bar
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    focused(page, "Download")
    stops += tab(page, "Before and after", key="Shift+Tab")
    page.keyboard.press("Enter")
    page.get_by_role("slider").wait_for()
    stops += tab(page, "How much of your photo is shown", key="Shift+Tab")
    page.keyboard.press("End")
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuenow", "100")
    stops += tab(page, "Looks", key="Shift+Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Your looks").wait_for()
    assert faults([*stops, *(one for one in inside if one)]) == []


def test_keys_reach_everything_on_a_phone_too(visit: Any) -> None:
    page = visit(viewport=PHONE)
    dress(page, "White T-shirt")
    page.locator("#main").focus()
    stops = tab(page, "Fit")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Fit", exact=True).wait_for()
    stops += tab(page, "Tuck the top in", key="Shift+Tab") if page.get_by_role("switch").count() else []
    assert faults(stops) == []


@pytest.mark.parametrize("viewport", [{"width": 320, "height": 256}, {"width": 640, "height": 400}])
def test_enlarged_pages_scroll_one_way_only(visit: Any, viewport: dict[str, int]) -> None:
    """1280 × 1024 at 400 %, and 1280 × 800 at 200 %."""
    page = visit(viewport=viewport)
    wide = "document.documentElement.scrollWidth - innerWidth"
    assert page.evaluate(wide) <= 0
    dress(page, "White T-shirt")
    page.get_by_role("button", name="Keep", exact=True).click()
    page.get_by_role("button", name="Wear Blue jeans", exact=True).click()  # far down, and not covered
    shown(page, "Blue jeans")
    for route, ready in (
        ("", ".stage"),
        ("looks", ".look img"),
        ("compare", ".empty"),
        ("developer", "pre"),
        ("mirror", ".mirror"),
    ):
        page.evaluate(f"location.hash = '#/{route}'")
        page.locator(ready).first.wait_for()
        assert page.evaluate(wide) <= 0, route


def test_little_motion_where_that_is_asked_for(visit: Any) -> None:
    page = visit(reduced_motion="reduce")
    dress(page)
    page.route("**/v1/fittings", lambda route: None)  # never answers, so it stays busy
    page.get_by_role("button", name="Wear White T-shirt", exact=True).click()
    page.locator(".busy .spinner").wait_for()
    moving = "document.getAnimations().filter((one) => one.effect.getComputedTiming().activeDuration > 10).length"
    assert page.evaluate(moving) == 0


def test_changes_are_told_to_screen_readers_in_the_pages_language(visit: Any) -> None:
    page = visit()
    page.evaluate(
        """() => {
          window.told = [];
          const place = document.querySelector("[role=status]");
          const all = { childList: true, characterData: true, subtree: true };
          new MutationObserver(() => told.push(place.textContent)).observe(place, all);
        }"""
    )
    dress(page, "White T-shirt")
    page.keyboard.press("Control+z")
    page.wait_for_function("() => told.includes('Undone.')")
    assert {"Now wearing White T-shirt.", "Undone."} <= set(page.evaluate("told"))
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.get_by_role("button", name="Switch to Chinese").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.get_by_role("button", name="切换为英文")).to_have_attribute("lang", "en")
    page.get_by_role("button", name="试穿V领上衣").click()
    page.wait_for_function("() => told.includes('现在穿着V领上衣。')")
    page.reload()
    page.get_by_role("button", name="切换为英文").wait_for()  # it is remembered


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_passes_the_scan_in_both_themes(visit: Any, theme: str) -> None:
    page = visit(color_scheme=theme)
    found = {"welcome": violations(page)}
    dress(page, "White T-shirt")
    page.get_by_role("button", name="Keep", exact=True).click()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_role("button", name="Before and after").click()
    page.locator("summary").click()
    found["room"] = violations(page)
    page.get_by_role("button", name="Delete everything").click()
    page.get_by_role("dialog").wait_for()
    found["dialog"] = violations(page)
    page.keyboard.press("Escape")
    for route, ready in (
        ("looks", ".look img"),
        ("compare", ".columns img"),
        ("developer", "pre"),
        ("mirror", ".mirror"),
    ):
        page.evaluate(f"location.hash = '#/{route}'")
        page.locator(ready).first.wait_for()
        found[route] = violations(page)
    assert {place: what for place, what in found.items() if what} == {}
