import gzip
import json
from itertools import islice
from pathlib import Path

import pytest

from pipeline.archive.records import ArchiveLimits, Page, read_archive
from pipeline.page.charset import decode
from pipeline.page.engines import ENGINES, Engine, extract_text, forget, html_depth
from pipeline.page.isolation import Extracted, PageWorker

SHARED = Path(__file__).resolve().parents[2] / "../shared"
WEB = SHARED / "data/web/web-002.warc.gz"

MAIN = {
    "zh": "网络上的每一种语言都有自己的文字，这篇文章用它写成，句子要足够长才像正文。",
    "ja": "ウェブ上のどの言語にも固有の文字があり、この記事はそれで書かれています。本文らしい長さの文です。",
    "ko": "웹에 있는 모든 언어에는 고유한 문자가 있으며, 이 글은 그 문자로 쓰였습니다. 본문답게 충분히 깁니다.",
    "th": "ทุกภาษาบนเว็บมีตัวอักษรของตนเอง และบทความนี้เขียนด้วยตัวอักษรนั้น ประโยคยาวพอที่จะเป็นเนื้อหาหลัก",
    "km": "ភាសានីមួយៗនៅលើបណ្ដាញមានអក្សរផ្ទាល់ខ្លួន ហើយអត្ថបទនេះត្រូវបានសរសេរដោយអក្សរនោះ។",
    "ar": "لكل لغة على الشبكة كتابتها الخاصة، وهذه المقالة مكتوبة بها، وجملها طويلة بما يكفي لتكون نصا رئيسيا.",
    "he": "לכל שפה ברשת יש כתב משלה, והמאמר הזה כתוב בו, ומשפטיו ארוכים מספיק כדי להיות טקסט ראשי.",
    "hi": "वेब पर हर भाषा की अपनी लिपि होती है, और यह लेख उसी में लिखा गया है, वाक्य पर्याप्त लंबे हैं।",
    "ta": "வலையில் ஒவ்வொரு மொழிக்கும் சொந்த எழுத்து உண்டு, இந்தக் கட்டுரை அதில் எழுதப்பட்டுள்ளது.",
    "am": "በድር ላይ እያንዳንዱ ቋንቋ የራሱ ፊደል አለው፣ ይህ ጽሑፍም በዚያ ፊደል የተጻፈ ነው።",
    "ka": "ვებში ყოველ ენას თავისი დამწერლობა აქვს და ეს სტატია სწორედ ამ დამწერლობით არის დაწერილი.",
    "ru": "У каждого языка в сети есть своё письмо, и эта статья написана им, достаточно длинными предложениями.",
    "tr": "Ağdaki her dilin kendi yazısı vardır ve bu makale onunla yazılmıştır, cümleleri yeterince uzundur.",
    "en": "Every language on the web has a script of its own, and this article is written in it, at sufficient length.",
}


def page(text: str, language: str = "en") -> bytes:
    links = "".join(f'<li><a href="/{n}">menu {n}</a></li>' for n in range(20))
    body = "".join(f"<p>{text} {n}.</p>" for n in range(8))
    return (
        f'<!DOCTYPE html><html lang="{language}"><head><title>Title &amp; {language}</title></head><body>'
        f"<nav><ul>{links}</ul></nav><article><h1>Heading</h1>{body}</article><footer>imprint</footer></body></html>"
    ).encode()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("language", MAIN)
def test_main_text_of_every_script(engine, language):
    text = extract_text(page(MAIN[language], language), engine=engine)
    assert all(f"{MAIN[language]} {n}." in text for n in range(8))
    assert "menu 7" not in text


@pytest.mark.parametrize("engine", ENGINES)
def test_a_page_gives_the_same_text_however_often_it_comes(engine):
    """trafilatura's own deduplication would empty the page from the fourth time on."""
    html = page(MAIN["en"])
    texts = set()
    for turn in range(6):
        texts.add(extract_text(html, engine=engine))
        if turn == 3:
            forget()
    assert len(texts) == 1


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("html", [b"", b" ", b"<html></html>", b"<html><body><script>var a;</script></body></html>"])
def test_pages_without_text(engine, html):
    assert extract_text(html, engine=engine) == ""


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_that_a_file_cannot_hold(engine):
    text = extract_text(page(MAIN["en"] + " &#xD800; &#0; \0"), engine=engine)
    text.encode()
    assert "\0" not in text


def test_xml_declaration_in_decoded_text():
    html = b'<?xml version="1.0" encoding="gb2312"?>' + page(MAIN["zh"])
    assert MAIN["zh"] in extract_text(html, engine="trafilatura")


def test_unknown_engine():
    with pytest.raises(ValueError, match="unknown engine 'justext': choose one of blocks, trafilatura, resiliparse"):
        extract_text(b"", engine="justext")


@pytest.mark.parametrize(
    ("html", "depth"),
    [
        ("words", 0),
        ("<div><span><b>x</b></span></div>", 3),
        ("<html><body><p>a<br><img src=x><p>b<li>c<td>d", 0),
        ("</div><div></div></div><div>", 2),  # an upper bound, where the page is shallow
        ("<div></div>" * 5000, 1),
        ("<div>" * 700 + "</div>" * 700, 700),
        ("<DIV>" * 150 + "</div>" * 150 + "<div>" * 120, 150),
        ("</div>" * 500 + "<div>" * 120, 120),
        ("<!--" + "<div>" * 500 + "-->" + "<script>" + "'<div>'" * 500 + "</script><div>", 1),
        ("<font><ul><li>" * 600, 1200),
    ],
)
def test_html_depth(html, depth):
    assert html_depth(html) == depth


@pytest.mark.skipif(not WEB.exists(), reason="no ../shared/data/web/web-002.warc.gz")
def test_no_real_page_is_refused_for_its_depth():
    with WEB.open("rb") as file:
        depths = [
            html_depth(decode(item.body, item.http_charset).text)
            for item in islice(read_archive(file, name="web", limits=ArchiveLimits()), 300)
        ]
    assert len(depths) == 300
    assert max(depths) < ArchiveLimits().max_tree_depth / 3


@pytest.mark.skipif(not WEB.exists(), reason="no ../shared/data/web/web-002.warc.gz")
@pytest.mark.parametrize(("engine", "share"), [("blocks", 0.8), ("trafilatura", 0.8), ("resiliparse", 0.7)])
def test_words_of_the_gold_texts_are_found(engine, share):
    gold = {}
    with gzip.open(WEB.parent / "gold.jsonl.gz", "rt") as file:
        for row in map(json.loads, file):
            if row.get("gold_text"):
                gold[row["url"]] = set(row["gold_text"].split())
    found = []
    with WEB.open("rb") as file:
        for item in read_archive(file, name="web", limits=ArchiveLimits()):
            if isinstance(item, Page) and gold.get(item.url) and len(found) < 10:
                text = extract_text(decode(item.body, None).text.encode(), engine=engine)
                found.append(len(gold[item.url] & set(text.split())) / len(gold[item.url]))
    assert sum(found) / len(found) > share


@pytest.mark.parametrize("engine", ["blocks", "trafilatura"])
def test_markdown_of_an_article_in_its_own_process(engine: Engine) -> None:
    paragraphs = "".join(f"<p>{MAIN['ja']}{n}</p>" for n in range(5))
    html = page(f"{paragraphs}<h2>{MAIN['ja'][:8]}</h2>{paragraphs}<ul><li>{MAIN['ja']}<li>{MAIN['zh']}</ul>", "ja")
    with PageWorker(engine, ArchiveLimits(), markdown=True) as worker:
        found = worker.extract(html)
    assert isinstance(found, Extracted)
    assert {f"## {MAIN['ja'][:8]}", f"- {MAIN['ja']}"} <= set(found.text.splitlines())


def test_markdown_of_an_engine_that_has_none_is_refused() -> None:
    with pytest.raises(ValueError, match="choose one of blocks, trafilatura"):
        extract_text(b"<p>words", engine="resiliparse", markdown=True)
