"""The page as people see it, in headless Chromium: narrow and wide, light and dark, by keyboard, with scripts off."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import headless_browser, overflow, watched_page
from judged import evaluation, write_evaluation
from reported import build_corpus, build_run

from jobs import report

WIDTHS = (360, 1280)
SCHEMES = ("light", "dark")
OPEN_ALL = "document.querySelectorAll('details').forEach(one => one.open = true)"
# Headings of sortable columns become buttons and a choice of gaps is added; neither is text of the page.
TEXT = """() => {
  const page = document.body.cloneNode(true);
  page.querySelectorAll('script, .gaps').forEach(one => one.remove());
  return page.textContent.split(/\\s+/).join(' ');
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with headless_browser() as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each kind of page: all of a corpus, what is there before anything has run, runs compared, an evaluation."""
    folder = tmp_path_factory.mktemp("pages")
    root, run, other = build_corpus(folder / "root"), build_run(folder / "a", 400), build_run(folder / "b", 300)
    judged = write_evaluation(folder / "judged.json", evaluation(3, 12))
    (folder / "empty").mkdir()
    wanted = {
        "whole": ["--root", root, "--run", run, "--evaluation", judged],
        "empty": ["--root", folder / "empty"],
        "runs": ["--run", run, "--run", other],
        "evaluation": ["--evaluation", judged],
    }
    for name, arguments in wanted.items():
        assert report.main([*map(str, arguments), "--output", str(folder / f"{name}.html")]) == 0
    return {name: folder / f"{name}.html" for name in wanted}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["whole", "empty", "runs", "evaluation"])
def test_fits_and_asks_for_nothing(browser: Any, pages: dict[str, Path], name: str, width: int) -> None:
    with watched_page(browser, width) as seen:
        seen.page.goto(pages[name].as_uri())
        assert overflow(seen.page) <= 0
        seen.page.evaluate(OPEN_ALL)
        assert overflow(seen.page) <= 0
        assert seen.said == [] and all(one.startswith(("file:", "data:")) for one in seen.requests)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["whole", "empty", "runs", "evaluation"])
def test_axe_finds_nothing(browser: Any, pages: dict[str, Path], name: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install -e .[dev]").Axe()
    with watched_page(browser, WIDTHS[name == "whole"], scheme=scheme) as seen:
        seen.page.goto(pages[name].as_uri())
        seen.page.evaluate(OPEN_ALL)
        found = axe.run(seen.page).response
    assert {one["id"]: [node["html"] for node in one["nodes"][:3]] for one in found["violations"]} == {}
    assert {"color-contrast", "document-title", "html-has-lang"} <= {one["id"] for one in found["passes"]}


@pytest.mark.parametrize("name", ["whole", "runs", "evaluation"])
def test_text_is_complete_with_scripts_off(browser: Any, pages: dict[str, Path], name: str) -> None:
    texts = []
    for scripts in (True, False):
        context = browser.new_context(java_script_enabled=scripts)
        page = context.new_page()
        page.goto(pages[name].as_uri())
        # With scripts off a page can still be asked from outside.
        texts.append(page.evaluate(TEXT))
        assert page.locator("table.sortable thead button").count() > 0 if scripts else True
        assert scripts or page.locator("button").count() == 0
        context.close()
    assert texts[0] == texts[1] and len(texts[0]) > 1_000


def test_by_keyboard(browser: Any, pages: dict[str, Path]) -> None:
    """The skip link comes first; all that scrolls can be reached; what has the focus has an outline."""
    with watched_page(browser, 360) as seen:
        page = seen.page
        page.goto(pages["whole"].as_uri())
        page.keyboard.press("Tab")
        skip = page.locator(":focus")
        assert skip.inner_text() == "Skip to the content"
        assert page.evaluate("document.activeElement.getBoundingClientRect().top >= 0")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"
        page.keyboard.press("Tab")
        assert page.evaluate("document.querySelector('main').contains(document.activeElement)")
        for _ in range(12):
            page.keyboard.press("Tab")
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            width = page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)")
            assert outline not in ("none", "") and width >= 2
        page.evaluate(OPEN_ALL)
        unreachable = page.evaluate(
            """() => [...document.querySelectorAll('main *')].filter(one => one.scrollWidth > one.clientWidth + 1 &&
               ['auto', 'scroll'].includes(getComputedStyle(one).overflowX) &&
               !(one.tabIndex === 0 && one.getAttribute('role') === 'region' && one.getAttribute('aria-label')))
               .map(one => one.outerHTML.slice(0, 80))"""
        )
        assert unreachable == []
        assert page.locator("div.scroll").count() > 10


def test_columns_sort(browser: Any, pages: dict[str, Path]) -> None:
    with watched_page(browser, 1280) as seen:
        seen.page.goto(pages["whole"].as_uri())
        table = seen.page.get_by_role("region", name="Mixture", exact=True).locator("table")

        def first() -> str:
            return table.locator("tbody tr").first.locator("th code").inner_text()

        assert first() == "eng_Latn"
        table.get_by_role("button", name="epochs").press("Enter")
        largest = first()
        assert largest != "eng_Latn"
        table.get_by_role("button", name="Language").press("Enter")
        assert first() == "amh_Ethi"


def test_each_direction_and_script(browser: Any, pages: dict[str, Path]) -> None:
    """Arabic and Hebrew begin at the right, the others at the left; no line of a text leaves its box."""
    with watched_page(browser, 360) as seen:
        page = seen.page
        page.goto(pages["whole"].as_uri())
        page.evaluate(OPEN_ALL)
        directions = page.evaluate(
            """() => Object.fromEntries([...document.querySelectorAll('#copies ~ details .text[lang]')].map(
               one => [one.lang, getComputedStyle(one).direction]))"""
        )
        right = {tag for tag, direction in directions.items() if direction == "rtl"}
        assert right == {"ar-Arab", "he-Hebr"} and len(directions) == 17
        wide = page.evaluate(
            """() => [...document.querySelectorAll('.text')].filter(one => one.scrollWidth > one.clientWidth + 1)
               .map(one => one.lang)"""
        )
        assert wide == []


def test_no_motion_for_those_who_ask_for_none(browser: Any, pages: dict[str, Path]) -> None:
    for wish, expected in (("reduce", "auto"), ("no-preference", "smooth")):
        context = browser.new_context(reduced_motion=wish)
        page = context.new_page()
        page.goto(pages["empty"].as_uri())
        assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == expected
        context.close()


def test_print_shows_what_is_folded(browser: Any, pages: dict[str, Path]) -> None:
    with watched_page(browser, 1000) as seen:
        seen.page.goto(pages["whole"].as_uri())
        inside = seen.page.locator("#copies ~ details .text").first
        assert not inside.is_visible()
        seen.page.emulate_media(media="print")
        assert inside.is_visible() and not seen.page.locator("nav").is_visible()
