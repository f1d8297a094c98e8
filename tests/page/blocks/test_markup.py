import re
import time
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from resiliparse.parse.html import HTMLTree

from pipeline.archive.records import ArchiveLimits, Page, read_archive
from pipeline.html import elements as m
from pipeline.html.elements import TAGS
from pipeline.html.tags import text_runs
from pipeline.page.blocks.class_names import GROUP
from pipeline.page.blocks.markup import MAX_DEPTH, read_markup
from pipeline.page.charset import decode

WEB = Path(__file__).resolve().parents[3] / "../shared/data/web/web-002.warc.gz"
GONE = ("script", "style", "xmp", "iframe", "noembed", "noframes", "textarea", "title", "select", "svg", "datalist",
        "annotation", "rt", "rp", "template")  # fmt: skip
HIDING = re.compile("disp[^:]*:\\s*non", re.I)
BLANK = re.compile(r"[\s\u00a0\x00-\x1f\x7f]+")


def blocks(html: str) -> list[tuple[str, str]]:
    """(tag, text) of each block."""
    page = read_markup(html.encode())
    data = page.text.tobytes()
    return [
        (TAGS[page.tag[element]], data[start:end].decode())
        for element, start, end in zip(page.element, page.start, page.end, strict=True)
    ]


def common(left: str, right: str) -> int:
    """Length of the common beginning."""
    return next((at for at, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))


def texts(html: str) -> list[str]:
    return [text for _, text in blocks(html)]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("words", [("", "words")]),
        ("<p>one <b>t</b>wo\n\n  three<p>four</p>five", [("p", "one two three"), ("p", "four"), ("", "five")]),
        ("<ul><li>a<li>b<ul><li>c</ul>d</ul>e", [("li", "a"), ("li", "b"), ("li", "c"), ("li", "d"), ("", "e")]),
        ("<dl><dt>a<dd>b<dt>c</dl>", [("dt", "a"), ("dd", "b"), ("dt", "c")]),
        ("<table><tr><td>1<td>2<tr><th>3<tbody><tr><td>4</table>5",
         [("td", "1"), ("td", "2"), ("th", "3"), ("td", "4"), ("", "5")]),
        ("<td><table><tr><td>in</table>out", [("td", "in"), ("td", "out")]),
        ("<div>a<p>b<div>c</div>d</p>e</div>", [("div", "a"), ("p", "b"), ("div", "c"), ("div", "d"), ("div", "e")]),
        ("<h1>a<h2>b</h1>c", [("h1", "a"), ("h2", "b"), ("", "c")]),
        ("<p>a<br>b<br><br>c", [("p", "a"), ("p", "b"), ("p", "c")]),
        ("<pre>\n a\n\n   b <b>c</b>\n</pre>d", [("pre", " a\n\n   b c"), ("", "d")]),
        ("<pre>a<br>b</pre>", [("pre", "a\nb")]),
        ("<div>a</span></p></li>b</div>", [("div", "a"), ("div", "b")]),
        ("<table><tr><td><div>a</table></div>b", [("div", "a"), ("", "b")]),
        ("<a href=x>a</a> <span>b</span><custom-tag>c</custom-tag>", [("", "a bc")]),
        ("<button>a<button>b", [("button", "a"), ("button", "b")]),
    ],
)  # fmt: skip
def test_blocks(html, expected):
    assert blocks(html) == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("a&amp;b &lt;p&gt; &#x41;&#66;&#128;", "a&b <p> AB€"),
        ("&notit; &notin; &copy2026 &AMP", "¬it; ∉ ©2026 &"),
        ("&bogus; & &; &# &#x; &#xD800; &#0; &#x110000;", "&bogus; & &; &# &#x; \ufffd \ufffd \ufffd"),
        ("&nGt;&NotEqualTilde;&CounterClockwiseContourIntegral;", "≫⃒≂̸∳"),
        ("a&nbsp;&nbsp; b\u00a0c", "a b c"),
        ("1 < 2 <3 << <", "1 < 2 <3 << <"),
        ("a<!-- b --> c<!--> d <!---> e<!-- f --!> g<!doctype html><?php h ?>i</ j>", "a c d e gi"),
        ("a<script>'</p><p>'</script >b<style>c</style>d<title>e</title>f", "abdf"),
        ("a<SCRIPT></scriptx></ScRiPt\n>b", "ab"),
        ("a<p title='x>y' id=\"<b>\" data-z=q>b", "a|b"),
        ("a<svg><text>b</text></svg>c<select><option>d</select>e", "ace"),
        ("<ruby>漢<rp>(</rp><rt>かん</rt><rp>)</rp>字<rt>じ</ruby>だ", "漢字だ"),
        ("a<svg/>b<svg width='1' />c<SVG><path/></SVG>d", "abcd"),
        ("a<math><annotation/>b</math>c", "abc"),
        ("a<svg width=1/>b</svg>c<svg / >d</svg>e", "ace"),  # the slash is a value's, or not the tag's last
        ("a<select/>b</select>c<script/>d</script>e", "ace"),
        ("a<select>b", "ab"),
        ("a<!-- b", "a"),
        ("a<p b='", "a"),
        ("a<script>b", "a"),
        ("a\0b\x01c\x7fd", "abcd"),
    ],
)
def test_text(html, expected):
    assert "|".join(texts(html)) == expected


@pytest.mark.parametrize(
    ("beginning", "closed"),
    [
        ("<?xml version='1.0'?>", True),
        (" \t\r\n<?xml\nversion='1.0' encoding='utf-8'?><!DOCTYPE html>", True),
        ("<?xml:namespace prefix = o />", False),
        ("<?php xml ?>", False),
        ("<?xml>", False),
        ("<!-- --><?xml version='1.0'?>", False),
        ("<!DOCTYPE html>", False),
    ],
)
@pytest.mark.parametrize("name", ["script", "style", "textarea", "iframe", "title", "select", "xmp"])
def test_a_slash_closes_raw_text_in_xml_only(beginning, closed, name):
    assert "".join(texts(f"{beginning}ก<{name} class='x' />字</{name}>я")) == ("ก字я" if closed else "กя")


BEGINNINGS = ("", "<!DOCTYPE html>", "<?php ?>", "<?xml version='1.0'?>", "\n<?xml version='1.0'?><!DOCTYPE html>")
SLASHED = ("<script src='x'/>", "<script src=x/>", "<script>", "</script>", "<STYLE />", "</style>", "<textarea / >",
           "<textarea/>", "</textarea>", "<iframe src='x'/>", "</iframe>", "<svg/>", "<svg width='1' />", "<br/>",
           "<p>", "<svg><style/><path d=1 /><script/></svg>", "</p>", "<p/>", "<noframes/>", "</noframes>",
           "<xmp/>", "</xmp>",
           "中文", "日本", "한국", "ไทย", "ខ្មែរ", "عرب", "עבר", "हिन्दी", "தமிழ்", "አማርኛ", "ქართ", "рус", "ığ", "en",
           "\n")  # fmt: skip


@given(st.sampled_from(BEGINNINGS), st.lists(st.sampled_from(SLASHED), max_size=30))
def test_blocks_and_runs_see_the_same_text(beginning, pieces):
    html = beginning + "".join(pieces)
    page = html.encode()
    runs = "".join(page[begin:end].decode() for begin, end in text_runs(page))
    assert BLANK.sub("", "".join(texts(html))) == BLANK.sub("", runs)


@pytest.mark.parametrize(
    "words",
    ["中文正文。", "日本語の本文です。", "한국어 본문", "ข้อความภาษาไทย", "អត្ថបទខ្មែរ", "النص العربي", "טקסט עברי",
     "हिन्दी पाठ", "தமிழ் உரை", "የአማርኛ ጽሑፍ", "ქართული ტექსტი", "русский текст", "Türkçe İçerik ığ", "English text"],
)  # fmt: skip
def test_every_script_passes(words):
    assert texts(f"<div class='{words}'>{words}<p>{words} &amp; {words}") == [words, f"{words} & {words}"]


def test_what_lies_above_and_inside():
    page = read_markup(
        b"<nav><a href=1>Home</a></nav><main role=main><article itemprop=articleBody><h2 class='entry-title'>T</h2>"
        b"<div style='display : none'>h</div><p>a <a name=x>b</a> <a href=2>link</a> <strong>bold</strong>"
        b"<img src=x><div class='postComments sidebarRight'><p>c"
    )
    flags = page.flags
    assert flags[0] == m.IN_NAV
    assert flags[1] & m.IN_MAIN and flags[1] & m.IN_ARTICLE_BODY and flags[1] & m.IN_HEADING
    assert flags[2] & m.IN_HIDDEN and not flags[3] & m.IN_HIDDEN
    assert list(page.link_bytes) == [4, 0, 0, 4, 0]
    assert list(page.links) == [1, 0, 0, 1, 0]
    assert page.bold_bytes[3] == 4
    assert page.images[4] == 1
    groups = [{name for name, bit in GROUP.items() if int(mask) >> bit & 1} for mask in page.near]
    assert {"title", "body"} <= groups[1] and "comment" not in groups[3]
    assert {"comment", "side", "post"} <= groups[4]
    assert page.own[4] == 0 and page.above[4] == page.near[4]


def test_ranges_of_elements():
    page = read_markup(b"a<div>b<p>c</p>d<ul><li>e<li>f</ul></div>g")
    spans = [(TAGS[tag], first, last) for tag, first, last in zip(page.tag, page.first, page.last, strict=True)]
    assert spans == [("", 0, 7), ("div", 1, 6), ("p", 2, 3), ("ul", 4, 6), ("li", 4, 5), ("li", 5, 6)]
    assert list(page.parent) == [-1, 0, 1, 1, 3, 3]


def test_where_the_title_is():
    html = b"<head><title> A &amp; B </title><body><svg><title>no</title></svg>"
    start, end = read_markup(html).title
    assert html[start:end] == b" A &amp; B "


@given(st.lists(st.sampled_from(
    ["<div>", "</div>", "<p>", "</p>", "<table>", "<tr>", "<td>", "</table>", "<li>", "<ul>", "</ul>", "<b>", "</b>",
     "<pre>", "</pre>", "<a href=x>", "</a>", "<br>", "<select>", "</select>", "<script>", "</script>", "<!--", "-->",
     "<h1>", "</h2>", "<p class='", "'", '"', ">", "<", "&", "&amp;", "&#", "x", " ", "\n", "é", "字", "<ruby>", "<rt>",
     "<svg>", "<template>", "</template>", "<form>", "<button>", "<title>", "<span hidden>", "<span>", "</span>", "1",
     "<math alttext=t>", "</math>", "<annotation encoding=tex>", "</annotation>", "<script type=math/tex>", "</script>",
     "<span class=MathJax>", "<div class=MathJax_Display>", "<span class=katex-html>", "<div class=linenos>",
     "<td class=lineno>", "<a class=anchor href=#>", "permalink",
     "<i class=mw-editsection>", "</i>"]), max_size=60))  # fmt: skip
def test_anything_gives_whole_blocks(pieces):
    page = read_markup("".join(pieces).encode())
    n = len(page.start)
    assert (page.start < page.end).all() and (page.start[1:] >= page.end[:-1]).all()
    page.text.tobytes().decode()
    assert page.first[0] == 0 and page.last[0] == n
    assert (page.link_bytes >= 0).all() and (page.bold_bytes >= 0).all()
    assert (page.link_bytes <= page.end - page.start).all()
    behind = 0
    for start, end, _ in page.formulas.tolist():  # each in a block, in order
        assert behind <= start < end and ((page.start <= start) & (end <= page.end)).any()
        behind = end
    assert ((page.first <= page.last) & (page.last <= n)).all()
    for block, element in enumerate(page.element):
        while element >= 0:
            assert page.first[element] <= block < page.last[element]
            element = page.parent[element]


@given(st.binary(max_size=200))
def test_any_bytes(data):
    read_markup(data)


@pytest.mark.parametrize(
    "html",
    [
        b"<div>" * 1_000_000, b"<div>x</span></p>" * 300_000, b"<" * 5_000_000, b"<!--" * 1_000_000,
        b"<select>" * 600_000, b"<p class='" * 500_000, b"&" * 5_000_000, b"<table><tr><td>" * 300_000,
        b"<td>x" * 1_000_000, b"<p>" + b"x" * 4_000_000, b"<script>" * 600_000, b"<a href=x>" * 500_000,
        (b"<x>" * 400 + b"<td>" + b"<p>" * 300 + b"</div>" * 500) * 500, b"<b" * 2_000_000, b"<br>" * 1_000_000,
        b"<span class=katex-html>x" * 100_000, b"<math alttext=x>y" * 100_000, b"<span hidden><i hidden>x" * 100_000,
        b"<td class=lineno>1<pre class=linenos>2" * 50_000, b"<h2><a class=anchor href=#>permalink</a> x" * 50_000,
        b"<span class=MathJax>x</span><script type=math/tex>" * 100_000, b"<template><p>x" * 100_000,
        b"<pre><span class=lnt>" + b"1\n" * 500_000, b"<h2>" + b"<a href=#x>#" * 100_000,
        b"<math><annotation encoding=tex>x</annotation>" * 100_000, b"<ul><li>x" * 200 + b"<li>y" * 100_000,
        b"<h2><a href=#x><button>" * 50_000, b"<p><span class=MathJax><div class=MathJax_Display>" * 50_000,
        b"<td><pre>1\n2</pre>" * 100_000, b"<a class=anchor href=#>" + b"<span class=mwe-math-element>1" * 100_000,
    ],
    ids=lambda html: html[:16].decode(),
)  # fmt: skip
def test_hostile_pages_take_linear_time(html):
    read_markup(b"<p>warm")
    begin = time.process_time()
    page = read_markup(html)
    assert time.process_time() - begin < 3
    assert page.depth.max() <= MAX_DEPTH


@pytest.mark.skipif(not WEB.exists(), reason="no ../shared/data/web/web-002.warc.gz")
def test_real_pages_read_as_lexbor_reads_them():
    """The order and the text of everything that is visible, but for white space."""
    same = total = 0
    with WEB.open("rb") as file:
        for item in islice(read_archive(file, name="web", limits=ArchiveLimits()), 300):
            if not isinstance(item, Page):
                continue
            html = decode(item.body, item.http_charset).text
            tree = HTMLTree.parse(html)
            for name in GONE:
                for element in list(tree.document.get_elements_by_tag_name(name)):
                    if element.parent is not None:
                        element.decompose()
            for element in tree.document.query_selector_all("[hidden], [style*='disp' i], .mw-editsection"):
                hidden = HIDING.search(element.getattr("style", "")) or not element.hasattr("style")
                if hidden and element.tag not in TAGS[: m.N_TREE] and element.parent is not None:
                    element.decompose()
            page = read_markup(html.encode("utf-8", "replace"))
            visible = "".join(
                page.text[start:end].tobytes().decode()
                for start, end, flags in zip(page.start, page.end, page.flags, strict=True)
                if not flags & m.IN_TEMPLATE
            )
            wanted, found = BLANK.sub("", tree.body.text if tree.body else ""), BLANK.sub("", visible)
            near = common(wanted, found) + common(wanted[::-1], found[::-1])
            same += wanted == found or near >= 0.98 * max(len(wanted), len(found))
            total += 1
    assert total > 200
    assert same >= 0.98 * total
