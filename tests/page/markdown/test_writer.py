import html as html_module
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marked_down import READER, rendered, seen_blocks, written

from pipeline.archive.records import ArchiveLimits, Page, read_archive
from pipeline.page.blocks.markup import read_markup
from pipeline.page.charset import decode
from pipeline.page.documents import in_utf8
from pipeline.page.main_text.engine import main_text
from pipeline.page.markdown.nesting import MOST_BOXES
from pipeline.page.markdown.writer import Named, markdown_text, write
from pipeline.words.characters import characters

SAMPLE = Path(__file__).parents[2] / "archive" / "sample.warc.gz"
WORDS = {
    "zh": "每一种语言", "ja": "どの言語にも", "ko": "모든 언어에는", "th": "ทุกภาษา",
    "km": "ភាសានីមួយៗ", "ar": "لكل لغة",
    "he": "לכל שפה", "hi": "हर भाषा की",
    "ta": "ஒவ்வொரு மொழிக்கும்", "am": "እያንዳንዱ ቋንቋ", "ka": "ყოველ ენას", "ru": "У каждого языка",
    "tr": "Ağdaki her dilin", "en": "every language",
}  # fmt: skip


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<h1>a</h1><h6>b<br>c</h6><p>d", "# a\n\n###### b c\n\nd"),
        ("<h2><div>a</div></h2><h3><p>never closed<p>b<p>c<p>d<p>e<p>f<p>g<p>h",
         "## a\n\nnever closed\n\nb\n\nc\n\nd\n\ne\n\nf\n\ng\n\nh"),
        ("<p>a<br>b<br><br>c", "a  \nb\n\nc"),
        ("<p>x<ul><li>a<li>b<ul><li>c<li>d</ul><li>e</ul>y", "x\n\n- a\n- b\n  - c\n  - d\n- e\n\ny"),
        ("<ul><li>a<p>b<p>c<li>d</ul>", "- a\n\n  b\n\n  c\n- d"),
        ("<ol><li>a<ol><li>b<li>c</ol><li>d</ol>", "1. a\n   1. b\n   2. c\n2. d"),
        ("<ol>" + "<li>a" * 10 + "<ul><li>b</ul></ol>", "\n".join(f"{n}. a" for n in range(1, 11)) + "\n    - b"),
        ("<ul><li>a</ul><ul><li>b</ul><ol><li>c</ol><ol><li>d</ol>", "- a\n\n* b\n\n1. c\n\n1) d"),
        ("<ul><li><ul><li>a<li>b</ul></ul>", "- - a\n  - b"),
        ("<li>a<li>b", "- a\n- b"),
        ("<blockquote><p>a<p>b<blockquote>c</blockquote></blockquote><blockquote>d</blockquote>",
         "> a\n>\n> b\n>\n> > c\n\n> d"),
        ("<blockquote><ul><li>a<p>b</ul><pre>c\n\nd</pre></blockquote>",
         "> - a\n>\n>   b\n>\n> ```\n> c\n>\n> d\n> ```"),
        ("<ul><li>a<blockquote>b<p>c</blockquote><li><pre>d\n\n e</pre></ul>",
         "- a\n\n  > b\n  >\n  > c\n- ```\n  d\n\n   e\n  ```"),
        ("<pre>  a\n\n    b</pre><pre>```\nc ````</pre>", "```\n  a\n\n    b\n```\n\n`````\n```\nc ````\n`````"),
        ("<pre><div>a</div><ul><li># b</ul></pre>", "```\na\n# b\n```"),
        ("<dl><dt>a<dd>b<dd>c<dt>d<dd>e<p>f</dl>", "a\n: b\n: c\n\nd\n: e\n\n  f"),
        ("<dl><dt>a<dd><ul><li>b</ul><dt>c<dd>d<ul><li>e<li>f</ul></dl><dl><dd>g</dl>",
         "a\n\n- b\n\nc\n: d\n\n  - e\n  - f\n\ng"),
        ("<table><caption>t</caption><tr><th>a<th>b<tr><td>c|d<br>e<td>f</table>",
         "t\n\n| a | b |\n| --- | --- |\n| c\\|d e | f |"),
        ("<table><tr><td>a<tr><td>b<td><td>c</table>", "| a | | |\n| --- | --- | --- |\n| b | | c |"),
        ("<table><tr><td>a<tr><td>b</table>", "a\n\nb"),
        ("<table><tr><td>a<td>b</table>", "a\n\nb"),
        ("<table><tr><td>a<p>b<td>c<tr><td>d<td>e</table>", "a\n\nb\n\nc\n\nd\n\ne"),
        ("<table><tr><td><h2>a</h2><td>b<tr><td><ul><li>c</ul><td><pre>d</pre></table>",
         "## a\n\nb\n\n- c\n\n```\nd\n```"),
        ("<table><tr><td>x<td><table><tr><td>a<td>b<tr><td>c<td>d</table><tr><td>y<td>z</table>",
         "x\n\n| a | b |\n| --- | --- |\n| c | d |\n\ny\n\nz"),
        ("<ul><li>a<table><tr><td>b<td>c<tr><td>d<td>e</table><li>f</ul>",
         "- a\n\n  | b | c |\n  | --- | --- |\n  | d | e |\n\n- f"),
        ("<figure><img><figcaption>a</figcaption></figure><p>b <a href=x>c</a>", "a\n\nb c"),
    ],
)  # fmt: skip
def test_golden(html: str, text: str) -> None:
    assert written(html) == text
    assert [word for word in rendered(text).split() if word != ":"] == " ".join(seen_blocks(html)).split()


def test_what_a_reader_makes_of_it() -> None:
    """Structure, by a reader that is not ours: lists in lists, a quote in an item, code in it."""
    text = written("<ol><li>a<ul><li>b<blockquote>c<pre>d</pre></blockquote></ul><li>e</ol><table><tr><th>f<th>g<tr>"
                   "<td>h<td>i</table>")  # fmt: skip
    assert READER.render(text).replace("\n", "") == (
        "<ol><li><p>a</p><ul><li><p>b</p><blockquote><p>c</p><pre><code>d</code></pre></blockquote></li></ul></li>"
        "<li><p>e</p></li></ol><table><thead><tr><th>f</th><th>g</th></tr></thead>"
        "<tbody><tr><td>h</td><td>i</td></tr></tbody></table>"
    )


def test_languages_and_formulas() -> None:
    """As the reader of pages names them, by their places."""
    page = b"<pre class=py>x</pre><p>so a_1 * b_1 is $ 5<table><tr><td>|x|<td>b<tr><td>c<td>d</table>"
    markup = read_markup(page)
    languages = np.zeros((len(markup.tag), 2), np.int32)
    languages[1] = [11, 13]
    at, bars = markup.text.tobytes().index(b"a_1"), markup.text.tobytes().index(b"|x|")
    places = np.array([[at, at + 3, 0], [at + 6, at + 9, 1], [bars, bars + 3, 0]], np.int32)
    said = Named(np.frombuffer(page, np.uint8), languages, places)
    text = write(markup, np.ones(len(markup.start), bool), characters(), said).tobytes().decode()
    assert text == ("```py\nx\n```\n\nso $a_1$ * $$b_1$$ is \\$ 5\n\n| $\\|x\\|$ | b |\n| --- | --- |\n| c | d |")


@pytest.mark.parametrize("language", WORDS)
def test_every_script(language: str) -> None:
    word = WORDS[language]
    html = (
        f"<h2>{word} #</h2><p>{word}<br>- {word} * {word}*<ol><li>{word}<ul><li>{word}_{word}_</ul></ol>"
        f"<blockquote>{word}<pre>{word}\n  {word}</pre></blockquote><dl><dt>{word}<dd>{word}</dl>"
        f"<table><tr><th>{word}<th>{word}<tr><td>{word}<td>*{word}*</table>"
    )
    assert written(html) == (
        f"## {word} \\#\n\n{word}  \n\\- {word} * {word}*\n\n1. {word}\n   - {word}_{word}_\n\n> {word}\n>\n> ```\n"
        f"> {word}\n>   {word}\n> ```\n\n{word}\n: {word}\n\n| {word} | {word} |\n| --- | --- |\n"
        f"| {word} | \\*{word}\\* |"
    )
    assert [one for one in rendered(written(html)).split() if one != ":"] == " ".join(seen_blocks(html)).split()


TAGS = ("p", "div", "h1", "h3", "ul", "ol", "li", "li", "blockquote", "pre", "dl", "dt", "dd",
        "table", "tr", "td", "td",
        "th", "caption")  # fmt: skip
MARKS = ("*", "**", "_", "`", "``", "```", "~~~", "~~", "#", "##", "1.", "2)", "-", "+", ">", "<b>", "</b>", "<div",
         "<!--", "<a@b.c>", "&amp;", "&#65;", "[a]: b", "[", "](x)", "|", "---", "===", "--", "\\", "\\|", "$", "a_b",
         "x*y", "!", ":", "- a", "1. b", "***", "* * *", "|-|", "`x`", "\u3000", *WORDS.values())  # fmt: skip
TEXTS = st.lists(
    st.tuples(st.sampled_from(MARKS).map(html_module.escape), st.sampled_from(["", " ", "<br>", "\n"])).map("".join),
    min_size=1,
    max_size=6,
).map("".join)
TREES = st.recursive(
    TEXTS,
    lambda inner: st.tuples(st.sampled_from(TAGS), st.lists(inner, min_size=1, max_size=4), st.booleans()).map(
        lambda parts: f"<{parts[0]}>{''.join(parts[1])}" + (f"</{parts[0]}>" if parts[2] else "")
    ),
    max_leaves=20,
)


@settings(max_examples=400)
@given(st.lists(TREES, min_size=1, max_size=3).map("".join))
def test_a_reader_gives_every_text_back(html: str) -> None:
    assert [word for word in rendered(written(html)).split() if word != ":"] == [
        word for word in " ".join(seen_blocks(html)).split() if word != ":"
    ]


def plain_words(text: str) -> list[str]:
    """Without the marks of items and cells, which stand alone."""
    return [word for word in text.split() if word not in ("-", "|", ":")]


def test_both_forms_of_the_sample_archive_have_the_same_words() -> None:
    pages = 0
    with SAMPLE.open("rb") as file:
        for item in read_archive(file, name="sample", limits=ArchiveLimits()):
            if not isinstance(item, Page) or (decoded := decode(item.body, None)) is None:
                continue
            data = in_utf8(item.body, decoded)
            text = markdown_text(data)
            assert plain_words(rendered(text)) == plain_words(main_text(data))
            assert "\n\n\n" not in text
            pages += 1
    assert pages > 50


@given(
    st.binary(max_size=80).map(lambda data: data.replace(b"<", b"\xe3\x80\x80")), st.sampled_from(["p", "pre", "h1"])
)
def test_any_bytes_are_written(data: bytes, tag: str) -> None:
    page = f"<{tag}>".encode() + data
    markup = read_markup(page)
    nothing = Named(np.frombuffer(page, np.uint8), np.zeros((0, 2), np.int32), np.zeros((0, 3), np.int32))
    out = write(markup, np.ones(len(markup.start), bool), characters(), nothing)
    assert len(out) <= 2 * len(page) + 16


def test_an_item_too_deep_is_one_of_the_innermost_list() -> None:
    text = written("<ul><li>a" * 200)
    lines = text.split("\n")
    assert lines == [" " * 2 * min(depth, MOST_BOXES - 1) + "- a" for depth in range(200)]
    assert rendered(text).split() == ["a"] * 200


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("rows", "<tr><td>a<td>b|"), ("nested lists", "<ul><li>a"), ("items", "<li>a"), ("stars", "*a"), ("ticks", "`"),
        ("many stars", "**"), ("low lines", "_"), ("brackets", "["), ("references", "&amp;a"), ("tags", "&lt;"),
        ("lines", "a<br>"), ("quotes", "<blockquote>a"), ("backslashes", "\\"), ("definitions", "<dt>a<dd>b"),
        ("tables", "<table><tr><td>a<td>b"), ("listing", "a\n"), ("dashes", "-<br>"), ("columns", "<td>"),
    ],
)  # fmt: skip
def test_time_and_size_are_linear(name: str, part: str) -> None:
    """A page four times as long takes no sixteen times as long."""
    before = {"rows": "<table>", "listing": "<ul><li><pre>", "columns": "<table><tr><td>x<td>y<tr><td>z"}.get(name, "")

    def cost(times: int) -> tuple[float, int]:
        page = (before + part * times + "a").encode()
        markup = read_markup(page)
        nothing = Named(np.frombuffer(page, np.uint8), np.zeros((0, 2), np.int32), np.zeros((0, 3), np.int32))
        best = []
        for _ in range(3):
            began = time.process_time()
            size = len(write(markup, np.ones(len(markup.start), bool), characters(), nothing))
            best.append(time.process_time() - began)
        return min(best), size

    cost(10)
    (short, small), (long, large) = cost(5_000), cost(20_000)
    assert large < 6 * small + 1000
    assert long < 10 * short + 0.05
