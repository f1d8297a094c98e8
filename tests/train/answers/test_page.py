"""The page: whole, escaped, of itself enough, and read by a browser as it is meant."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from answering import SENTENCES
from browser import headless_browser, overflow, watched_page

from train.answers.cards import Bar, Bars, Card, Line, Mark
from train.answers.page import Page

CARDS = [
    Card("<i>.txt:1", "eng_Latn", (Line("<b>Bonn</b> & Köln", "context", (Mark(3, 7, "LOC", "LOC 9 %"),)),), ()),
    *(
        Card("", language, (Line(text),), (Bars("mask 1", (Bar(text, 0.25, "25.0 %", language),)),))
        for language, text in SENTENCES.items()
    ),
    Card("", "", (Line("a\x00\x1bb\ud800"),), (Bars("", (Bar("\n", None, "3.2"),)),)),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("page") / "new" / "a.html"
    with Page(target, "tag <1>", "model tiny & co") as page:
        for card in CARDS:
            page.add(card)
        assert not target.exists()
    assert [one.name for one in target.parent.iterdir()] == ["a.html"]
    return target


def test_it_holds_every_text_and_loads_nothing(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    tags: list[str] = []
    reader = HTMLParser()
    reader.handle_starttag = lambda tag, attributes: tags.append(tag)  # type: ignore[method-assign]
    reader.feed(text)
    assert not {"script", "link", "img", "b", "iframe"} & set(tags) and not re.search(r"https?:|url\(|@import", text)
    assert '&lt;b&gt;<mark class="k0"><bdi>Bonn</bdi><small><bdi dir="ltr">LOC 9 %</bdi></small></mark>' in text
    assert "<title>tag &lt;1&gt;</title>" in text and "&lt;i&gt;.txt:1" in text and "model tiny &amp; co" in text
    for language, sentence in SENTENCES.items():
        lang = language.replace("_", "-")
        assert f'<p class="text" dir="auto" lang="{lang}">{sentence}</p>' in text
        assert f'<bdi lang="{lang}">{sentence}</bdi>' in text
    assert text.count('style="width:25.00%"') == len(SENTENCES) and "a  b" in text
    assert f"{len(CARDS)} texts</p>" in text and text.endswith("</html>\n")


def test_one_that_is_broken_off_is_none(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Page(tmp_path / "a.html", "tag", "") as page:
        page.add(CARDS[0])
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_it(page: Path, scheme: str) -> None:
    """Texts run as their script does, nothing is wider than the screen, and ink stands out from paper."""
    with headless_browser() as browser, watched_page(browser, 400, 800, scheme) as watched:
        tab = watched.page
        tab.goto(page.as_uri())
        directions = tab.eval_on_selector_all(
            "p.text[lang]", "all => all.map(one => [one.lang, getComputedStyle(one).direction])"
        )
        ink, card = tab.eval_on_selector(
            "article", "one => [getComputedStyle(one).color, getComputedStyle(one).backgroundColor]"
        )
        bars = tab.eval_on_selector_all(
            ".bar i", "all => all.map(one => one.offsetWidth / one.parentElement.offsetWidth)"
        )
        wider = overflow(tab)
    assert watched.said == [] and wider <= 0
    turned = {lang for lang, direction in directions if direction == "rtl"}
    assert turned == {"arb-Arab", "heb-Hebr"} and len(directions) == 1 + len(SENTENCES)
    assert bars == pytest.approx([0.25] * len(bars), abs=0.02)
    light, dark = _lightness(ink), _lightness(card)
    assert (light < 60 and dark > 240) if scheme == "light" else (light > 200 and dark < 60)


def _lightness(colour: str) -> float:
    return sum(int(number) for number in re.findall(r"\d+", colour)[:3]) / 3
