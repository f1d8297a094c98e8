"""The page in a browser: each tab asks, what is found stands there as text, and nothing is asked of anyone else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from answering import SENTENCES
from browser import Watched, headless_browser, overflow, watched_page
from serving import running

from train.answers.embed import embed, probe
from train.answers.fill_mask import fill_mask
from train.answers.tag import tag
from train.answers.texts import Text
from train.answers.vector_files import Making, vector_file
from train.encoders.vectors import Reading
from train.served.heads import Served
from train.served.vectors import served_vectors

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with headless_browser() as found:
        yield found


@pytest.fixture(scope="module")
def address(models: list[Served], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """All models, with a file of the first one's vectors."""
    path = tmp_path_factory.mktemp("vectors") / "sentences.parquet"
    model, texts = models[0].opened, list(SENTENCES.values())
    with vector_file(path, Making("masked", "mean", -1, probe(model, Reading()))) as file:
        rows = np.stack([one.vector for one in embed(model, texts)])
        file.write([Text((text,), "news.txt", row) for row, text in enumerate(texts, 1)], list(SENTENCES), rows)
    with running(models, served_vectors(path, models)) as found:
        yield found


@pytest.fixture(params=[(1100, "light"), (390, "dark")], ids=["wide", "narrow"])
def seen(request: pytest.FixtureRequest, browser: Any, address: str) -> Iterator[Watched]:
    """The page. Whatever was done: it is as wide as its window, was silent, and asked its own server alone."""
    width, scheme = request.param
    with watched_page(browser, width, 900, scheme) as found:
        found.page.goto(address + "/")
        yield found
        assert overflow(found.page) <= 0
        assert found.said == []
        assert found.requests and all(url.startswith((address + "/", "data:", "blob:")) for url in found.requests)
        assert found.page.locator("img").count() == 0


def tab(page: Any, model: str, name: str) -> Any:
    """The panel behind the tab, opened."""
    page.get_by_label("Model", exact=True).select_option(model)
    page.get_by_role("tab", name=name).click()
    return page.get_by_role("tabpanel")


def answers(panel: Any, button: str) -> list[Any]:
    panel.get_by_role("button", name=button, exact=True).click()
    panel.locator(".results[aria-busy=false] > *").first.wait_for()
    found: list[Any] = panel.locator("article").all()
    return found


def test_masks(seen: Watched, models: list[Served], tmp_path: Path) -> None:
    panel = tab(seen.page, "masked", "Fill masks")
    texts = [f"The [MASK] is [MASK]. {EVIL}", "הנהר [MASK] אחרי הגשם."]
    panel.get_by_label("Texts, one a line").fill("\n\n".join(texts))
    panel.get_by_label("Words for a mask").fill("3")
    before = panel.locator("form").bounding_box()
    first, second = answers(panel, "Fill")
    assert panel.locator("form").bounding_box() == before  # nothing jumps
    right = fill_mask(models[0].opened, texts, 3)
    assert first.locator(".text").inner_text() == f"The 1 is 2. {EVIL}"
    words = [word.word for mask in right[0].masks for word in mask]
    assert first.locator(".what").all_inner_texts() == words
    shares = [f"{100 * word.probability:.1f} %" for mask in right[0].masks for word in mask]
    assert first.locator(".share").all_inner_texts() == shares
    assert second.locator(".what").count() == 3
    assert second.locator(".text").evaluate("one => getComputedStyle(one).direction") == "rtl"
    assert first.locator(".text").evaluate("one => getComputedStyle(one).direction") == "ltr"
    fill = first.locator(".fill").first.evaluate("one => one.offsetWidth / one.parentNode.offsetWidth")
    assert fill == pytest.approx(right[0].masks[0][0].probability, abs=0.02)
    picture = tmp_path / "page.png"
    seen.page.screenshot(path=picture)
    assert picture.stat().st_size > 5_000


def test_classes(seen: Watched) -> None:
    panel = tab(seen.page, "classes", "Classify")
    panel.get_by_label("Texts, one a line").fill(EVIL)
    (found,) = answers(panel, "Classify")
    assert set(found.locator(".what").all_inner_texts()) == {"sport", "علوم", "<b>politics</b>"}
    shares = [float(one.removesuffix(" %")) for one in found.locator(".share").all_inner_texts()]
    assert shares == sorted(shares, reverse=True) and sum(shares) == pytest.approx(100, abs=0.2)
    panel.get_by_label("Second texts").fill("a\nb")
    assert answers(panel, "Classify") == []
    assert panel.locator(".error").inner_text().startswith("There are 1 texts and 2 second texts")
    panel.get_by_label("Second texts").fill("a")
    (found,) = answers(panel, "Classify")
    assert found.locator(".text").all_inner_texts() == [EVIL, "a"]


def test_tags_stand_in_their_sentence(seen: Watched, models: list[Served]) -> None:
    """Signs beyond 16 bits are one place to the server and two to a browser."""
    panel = tab(seen.page, "tags", "Tag")
    texts = [f"😀 𠮷 Ada {EVIL}", "النهر مرتفع بعد المطر"]
    panel.get_by_label("Texts, one a line").fill("\n".join(texts))
    for found, right in zip(answers(panel, "Tag"), tag(models[2].opened, texts), strict=True):
        marks = found.locator("mark").evaluate_all("all => all.map((one) => one.firstChild.textContent)")
        assert marks and marks == [one.text for one in right.entities]
        assert found.locator("mark small").all_inner_texts() == [one.kind for one in right.entities]
        parts = "[...one.childNodes].map((part) => (part.nodeName === 'MARK' ? part.firstChild : part).textContent)"
        whole = found.locator(".text").evaluate(f"one => {parts}.join('')")
        assert whole == right.text


def test_an_answer_stands_in_its_text(seen: Watched) -> None:
    panel = tab(seen.page, "spans", "Answer")
    panel.get_by_label("Example").select_option("עברית")
    assert panel.get_by_label("Question").evaluate("one => getComputedStyle(one).direction") == "rtl"
    (found,) = answers(panel, "Answer")
    answer = found.locator(".what").inner_text()
    assert answer and found.locator("mark").inner_text() == answer
    assert found.locator(".text").all()[1].inner_text() == panel.get_by_label("Text in which").input_value()


def test_nearest_in_the_file_and_among_own_sentences(seen: Watched) -> None:
    panel = tab(seen.page, "masked", "Nearest")
    thai = SENTENCES["tha_Thai"]
    panel.get_by_label("Texts, one a line").fill(thai)
    (found,) = answers(panel, "Find")
    assert found.locator(".near > li").count() == 5
    assert found.locator(".near .text").first.inner_text() == thai
    assert found.locator(".near .note").first.inner_text() == "Thai (tha_Thai) · news.txt, row 7"
    panel.get_by_label("Language", exact=True).select_option("arb_Arab")
    (found,) = answers(panel, "Find")
    (only,) = found.locator(".near .text").all()
    assert only.evaluate("one => [getComputedStyle(one).direction, one.lang]") == ["rtl", "arb"]
    panel.get_by_label("Look in").select_option("my own sentences")
    assert panel.get_by_label("Language", exact=True).is_hidden()
    panel.get_by_label("Sentences to look among").fill(f"a b\n{EVIL}\n{thai}")
    (found,) = answers(panel, "Find")
    assert (
        found.locator(".near .text").first.inner_text() == thai
        and EVIL in found.locator(".near .text").all_inner_texts()
    )
    (found,) = answers(panel, "Show vectors")
    assert found.locator(".note").inner_text().startswith("16 numbers, of length ")
    with seen.page.expect_download() as download:
        panel.get_by_role("link", name="Save the vectors").click()
    assert '"vector":[' in Path(download.value.path()).read_text()


def test_it_is_used_by_keys_alone(seen: Watched) -> None:
    page = seen.page
    page.get_by_label("Model", exact=True).select_option("masked")
    page.get_by_role("tab", name="Fill masks").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("tab", selected=True).inner_text() == "Nearest"
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("tab", selected=True).inner_text() == "Fill masks"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "mask-texts"
    page.keyboard.press("Control+Enter")
    page.locator("#fill-mask article").wait_for()
    assert page.get_by_role("tab").count() == 2  # of this model


def test_limits_are_said_in_the_page_s_words(seen: Watched) -> None:
    panel = tab(seen.page, "tags", "Tag")
    for text, said in (
        ("a\n" * 33, "“Texts” has 33 lines, and 32 are taken at once: ask in parts."),
        ("a\n" + "a" * 5001, "“Texts”, line 2, has more than 5,000 characters: shorten it."),
        (" \n ", "There is nothing in “Texts”: write something."),
    ):
        panel.get_by_label("Texts, one a line").fill(text)
        assert answers(panel, "Tag") == [] and panel.locator(".error").inner_text() == said
    panel.get_by_label("Texts, one a line").fill("😀" * 5000)  # 10,000 halves of signs
    assert len(answers(panel, "Tag")) == 1
    panel = tab(seen.page, "spans", "Answer")
    panel.get_by_label("Text in which").fill("a" * 5001)
    assert answers(panel, "Answer") == []
    assert panel.locator(".error").inner_text().startswith("“Text in which its answer stands” has more than 5,000")
    assert not any(url.endswith("/answer") for url in seen.requests)


def test_errors_are_words(browser: Any, models: list[Served]) -> None:
    """And a page whose server has gone says so."""
    with watched_page(browser) as seen:
        with running(models[:1]) as address:
            seen.page.goto(address + "/")
            panel = seen.page.get_by_role("tabpanel")
            panel.get_by_label("Texts, one a line").fill("no mask")
            assert answers(panel, "Fill") == []
            assert panel.locator(".error").inner_text() == "text 1 has no [MASK]: write it where a word is asked for"
        panel.get_by_label("Texts, one a line").fill("[MASK]")
        panel.get_by_role("button", name="Fill").click()
        panel.get_by_text("The server does not answer: is it still there?").wait_for()
        assert all("Failed to load resource" in one for one in seen.said)


def test_a_page_of_another_site_cannot_ask(browser: Any, models: list[Served]) -> None:
    with running(models[:1]) as mine, running(models[:1]) as other, watched_page(browser) as seen:
        seen.page.goto(other + "/models")
        question = "fetch('%s/embed', {method: 'POST', mode: '%s', body: '{}'}).then(() => 'sent', () => 'refused')"
        assert seen.page.evaluate(question % (mine, "cors")) == "refused"
