"""A story drawn: as lines that a terminal may print, as JSON with all of it, as a page that is safe to open."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lxml.html
import pytest
from browser import overflow, watched_page
from programs import ARCHIVE, REPOSITORY, job_environment

from jobs import explain
from pipeline.explaining.as_lines import told_lines
from pipeline.explaining.as_page import page_of
from pipeline.explaining.corpus import Corpus
from pipeline.explaining.story import Block, Blocks, Extracted, HostPage, HostTold, Story, Told
from pipeline.explaining.telling import Wish, tell_url

URL = "https://eng-news.example.com/1"
EVIL = "<script>document.title='run'</script><img src=x onerror=alert(1)>\x1b[2J\u202egnp.exe"
TEXTS = {
    "zh": "网络上的每一种语言都有自己的文字。",
    "ja": "この記事は日本語で書かれています。",
    "ko": "이 글은 한글로 쓰였습니다.",
    "th": "บทความนี้เขียนด้วยอักษรไทย", "km": "អត្ថបទនេះសរសេរជាអក្សរខ្មែរ", "ar": "هذه المقالة مكتوبة بالعربية.",
    "he": "המאמר הזה כתוב בעברית.", "hi": "यह लेख देवनागरी में लिखा गया है।", "ta": "இந்தக் கட்டுரை தமிழில் உள்ளது.",
    "am": "ይህ ጽሑፍ በአማርኛ ተጻፈ።", "ka": "ეს სტატია ქართულად დაიწერა.", "ru": "Эта статья написана по-русски.",
    "tr": "Bu makale Türkçe yazıldı.", "en": "This article is written in English.",
}  # fmt: skip


def told(*blocks: Block, **values: Any) -> Told:
    story = Story("id-1", URL, Extracted("a.warc.gz", 7, **values), blocks=Blocks(tuple(blocks), 0.5))
    return Told("/root", URL, (story,), {"clean": "has not run on this root, or not to its end"})


@pytest.fixture
def full(corpus: Corpus) -> Told:
    (found,) = tell_url([corpus], URL, Wish(blocks=True, votes=True, archives=str(ARCHIVE)))
    return found


def test_lines_obey_no_page() -> None:
    page = told(Block(EVIL, "p", 3, 0.9, True), said={"title": EVIL})
    lines = [*told_lines(page)]
    assert any("onerror" in line for line in lines)
    assert all(character.isprintable() or character == " " for line in lines for character in line)


def test_texts_of_every_script_are_in_the_lines_and_on_the_page() -> None:
    blocks = [Block(text, "p", 3, 0.9, number % 2 == 0) for number, text in enumerate(TEXTS.values())]
    lines = "\n".join(told_lines(told(*blocks)))
    shown = lxml.html.document_fromstring(page_of(URL, [told(*blocks)])).text_content()
    for text in TEXTS.values():
        assert text in lines and text in shown


def test_json_is_the_whole_story(corpus_root: Path, full: Told, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--blocks", "--votes", "--archives", str(ARCHIVE)]
    assert explain.main(["--root", str(corpus_root), "--url", URL, "--json", *flags]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps([dataclasses.asdict(full)]))


def test_what_a_page_holds_cannot_run() -> None:
    page = told(Block(EVIL, "p", 3, 0.9, True), said={"title": EVIL}, detail=EVIL, reason="not_html")
    host = HostTold("/r", EVIL, 1, {"extract": {EVIL: 1}}, {EVIL: 1}, {EVIL: 1}, (HostPage(EVIL, "i", EVIL, EVIL),), {})
    root = lxml.html.document_fromstring(page_of(EVIL, [page], [host]))
    assert not root.xpath("//script | //img | //iframe | //object | //a | //@onerror | //@onclick | //@src")
    assert "script-src" not in page_of(URL, [page]) and "default-src 'none'" in page_of(URL, [page])
    assert "\x1b" not in page_of(EVIL, [page])


def test_the_page_says_what_the_story_says(full: Told) -> None:
    root = lxml.html.document_fromstring(page_of(URL, [full]))
    (story,) = full.stories
    assert story.blocks and story.judged and story.copies
    shown = root.xpath("//li[contains(@class, 'block')]")
    assert [("chosen" in (one.get("class") or "")) for one in shown[: len(story.blocks.blocks)]] == [
        block.chosen for block in story.blocks.blocks
    ]
    text = " ".join(root.text_content().split())
    for word in (
        story.id,
        "archive/sample.warc.gz at byte",
        "profile eng_Latn",
        "https://eng-news.example.com/print/1",
    ):
        assert word in text
    rules = root.xpath("//table[@class='rules']/tbody/tr")
    assert [row.xpath("string(./th)") for row in rules] == [rule.reason for rule in story.judged.rules]


def test_same_story_same_bytes(full: Told) -> None:
    assert page_of(URL, [full]) == page_of(URL, [full])


def test_no_engine_is_started(corpus_root: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from jobs import explain; status = explain.main(sys.argv[1:]); "
        "print(status, sorted({'pyspark', 'torch'} & set(sys.modules)))"
    )
    argv = ["--root", str(corpus_root), "--url", URL, "--html", str(tmp_path / "page.html")]
    done = subprocess.run(
        [sys.executable, "-c", program, *argv], cwd=REPOSITORY, env=job_environment(), capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr
    assert (tmp_path / "page.html").stat().st_size > 10_000


LUMINANCE = """element => {
  const parts = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const linear = v => v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4;
  const light = colour => parts(colour).map(linear).reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  let under = element;
  while (under && getComputedStyle(under).backgroundColor === 'rgba(0, 0, 0, 0)') under = under.parentElement;
  const colour = name => light(getComputedStyle(name === 'color' ? element : under || document.body)[name]);
  const [a, b] = [colour('color'), colour('backgroundColor')];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("pages")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_in_a_browser(browser: Any, full: Told, pages: Path, width: int, scheme: str) -> None:
    """Nothing is asked from outside, nothing is wider than the window, all of it can be read, right to left too."""
    mixed = told(*(Block(text, "p", 3, 0.9, number % 2 == 0) for number, text in enumerate(TEXTS.values())))
    path = pages / "page.html"
    path.write_text(page_of(URL, [full, mixed]), encoding="utf-8")
    with watched_page(browser, width=width, scheme=scheme) as seen:
        seen.page.goto(path.as_uri())
        assert seen.said == [] and all(one.startswith(("file:", "data:")) for one in seen.requests)
        assert overflow(seen.page) <= 0
        chosen, other = seen.page.locator(".blocks .chosen").first, seen.page.locator(".block:not(.chosen)").first
        colour = "element => getComputedStyle(element).borderInlineStartColor"
        assert chosen.evaluate(colour) != other.evaluate(colour)
        for place in ("body", ".chosen .text", ".block:not(.chosen) .text", ".fact", ".source", "td", "th", ".note"):
            assert seen.page.locator(place).first.evaluate(LUMINANCE) >= 4.5, place
        for text, turned in ((TEXTS["ar"], "rtl"), (TEXTS["he"], "rtl"), (TEXTS["th"], "ltr")):
            block = seen.page.locator(".block", has_text=text)
            assert block.evaluate("element => getComputedStyle(element).direction") == turned
            box = block.bounding_box()
            bar = seen.page.evaluate("element => getComputedStyle(element).borderRightWidth", block.element_handle())
            assert box and (bar == "4px") == (turned == "rtl")
