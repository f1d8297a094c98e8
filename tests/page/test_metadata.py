import gzip
import json
import re
import time
import tracemalloc
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from warcs import SHARED, read

from pipeline.archive.limits import ArchiveLimits
from pipeline.html import tags
from pipeline.page.charset import decode
from pipeline.page.documents import in_utf8
from pipeline.page.metadata import MAX_URL, Metadata, read_metadata

URL = "http://example.org/a/page.html"


def of(html: str) -> Metadata:
    return read_metadata(html.encode("utf-8", "replace"))


@pytest.mark.parametrize(
    ("html", "title"),
    [
        ("<title>中文標題</title>", "中文標題"),
        ("<title>日本語の題名</title>", "日本語の題名"),
        ("<title>한국어 제목</title>", "한국어 제목"),
        ("<title>ชื่อเรื่องภาษาไทย</title>", "ชื่อเรื่องภาษาไทย"),
        ("<title>ចំណងជើងខ្មែរ</title>", "ចំណងជើងខ្មែរ"),
        ("<title>عنوان عربي</title>", "عنوان عربي"),
        ("<title>כותרת בעברית</title>", "כותרת בעברית"),
        ("<title>हिन्दी शीर्षक</title>", "हिन्दी शीर्षक"),
        ("<title>தமிழ் தலைப்பு</title>", "தமிழ் தலைப்பு"),
        ("<title>የአማርኛ ርዕስ</title>", "የአማርኛ ርዕስ"),
        ("<title>ქართული სათაური</title>", "ქართული სათაური"),
        ("<title>Русский заголовок</title>", "Русский заголовок"),
        ("<title>İstanbul'da ışık</title>", "İstanbul'da ışık"),
        ("<TITLE lang=en>\n two \t words&nbsp;&amp;&#8211; more</TITLE >", "two words &– more"),
        ("<title></title><meta property='og:title' content='From og &lt;b&gt;'>", "From og <b>"),
        ("<meta property='og:title' content='og'><title>own</title><title>second</title>", "own"),
        ("<svg><title>Play</title></svg><title>own</title>", "own"),
        ("<svg class='x'/><title>own</title>", "own"),
        ("<script>'<title>no</title>'</script><title>own</title>", "own"),
        ("<!-- <title>no</title> --><title>own</title>", "own"),
        ("<template><title>no</title></template><title>own</title>", "own"),
        ("<title>a <b>c</title>", "a <b>c"),
        ("<title>to the end", "to the end"),
        ("<title>\0\ud800&#xD800;x</title>", "?�x"),
        ("<title> \n </title>", None),
        ("<p>none", None),
        (f"<title>{'字' * 5000}</title>", "字" * 1000),
    ],
)
def test_title(html, title):
    assert of(html).title == title


@pytest.mark.parametrize(
    ("html", "language"),
    [
        ('<html lang="am-ET">', "am-ET"),
        ("<HTML LANG=ka>", "ka"),
        ('<html xml:lang="he" dir=rtl>', "he"),
        ('<html xml:lang="en" lang="tr">', "tr"),
        ('<html lang=""><meta http-equiv=content-language content=km>', "km"),
        ("<html><meta HTTP-EQUIV='Content-Language' content=' ta '>", "ta"),
        ("<html><meta http-equiv=content-language content='en, fr'>", None),
        ("<html lang=ru><meta http-equiv=content-language content=en>", "ru"),
        ("<!--[if IE 7]><html lang=en><![endif]--><html lang=hi>", "hi"),
        ("<html><meta property=og:locale content=en_US>", None),
        ("<html data-lang=en>", None),
        ("<html/lang=en/>", "en/"),  # a bare value takes the slash
        ("<html =lang=en 'lang=de' lang=fr>", "fr"),
        ("<html lang lang=en>", None),
        ("<html class='a'lang='b'>", "b"),
        (f"<html lang={'x' * 500}>", "x" * 100),
    ],
)
def test_html_lang(html, language):
    assert of(html).html_lang == language


@pytest.mark.parametrize(
    ("html", "address"),
    [
        ("<link rel=canonical href=https://example.com/x>", "https://example.com/x"),
        ("<LINK HREF='/x?a=1&amp;b=2#top' REL='Canonical'>", "http://example.org/x?a=1&b=2"),
        ("<link rel='nofollow canonical' href=other.html>", "http://example.org/a/other.html"),
        ("<link rel=canonical href=//example.net>", "http://example.net"),
        ("<base href=/b/><link rel=canonical href=c>", "http://example.org/b/c"),
        ("<link rel=canonical href=c><base href=https://example.net/b/>", "https://example.net/b/c"),
        ("<link rel=canonical href=' \n/a\tb '>", "http://example.org/ab"),
        ("<link rel=canonical href='/日本/ไทย'>", "http://example.org/日本/ไทย"),
        ("<link rel=canonical href=a><link rel=canonical href=b>", "http://example.org/a/a"),
        ("<meta property=og:url content=https://example.com/og>", "https://example.com/og"),
        ("<meta property=og:url content=/og><link rel=canonical href=/x>", "http://example.org/x"),
        ("<link rel=canonical href=javascript:x><meta property=og:url content=/og>", "http://example.org/og"),
        ("<link rel=canonical href='http://[x/'><meta property=og:url content=/og>", "http://example.org/og"),
        ("<link rel=canonical href=ftp://example.org/>", None),
        ("<link rel=canonical href='/two words'>", None),
        ("<link rel=canonical href=''>", None),
        ("<link rel=canonical>", None),
        ("<link rel=alternate href=/x>", None),
        ("<!-- <link rel=canonical href=/x> -->", None),
        (f"<link rel=canonical href=/{'x' * MAX_URL}>", None),
    ],
)
def test_canonical(html, address):
    assert of(html).canonical(URL) == address


def test_canonical_is_the_page_s_own():
    said = of("<link rel=canonical href=x>")
    assert [said.canonical(f"http://{host}.example/") for host in "ab"] == ["http://a.example/x", "http://b.example/x"]
    assert said.canonical("dns:x") is None


CC = "https://creativecommons.org/licenses"


@pytest.mark.parametrize(
    ("html", "licence"),
    [
        (f"<a rel=license href={CC}/by-sa/4.0/>CC", f"{CC}/by-sa/4.0/"),
        ("<a href='http://creativecommons.org/licenses/by-sa/4.0/deed.ja' rel='nofollow license'>", f"{CC}/by-sa/4.0/"),
        ("<a rel=license href=//www.CreativeCommons.org/licenses/BY-NC-ND/3.0/de/legalcode>", f"{CC}/by-nc-nd/3.0/de/"),
        ("<link rel=license href=//creativecommons.org/licenses/by/2.5/jp>", f"{CC}/by/2.5/jp/"),
        (f"<a rel=license href='{CC}/by/4.0/?ref=x'>", f"{CC}/by/4.0/"),
        (f"<footer><a href={CC}/by-nc/>", f"{CC}/by-nc/"),
        ("<footer><a href=https://creativecommons.org/publicdomain/zero/1.0/deed.hi>",
         "https://creativecommons.org/publicdomain/zero/1.0/"),
        ("<footer><area href=https://creativecommons.org/publicdomain/mark/1.0/>",
         "https://creativecommons.org/publicdomain/mark/1.0/"),
        (f"<footer><a href={CC}/by/3.0/igo/>", f"{CC}/by/3.0/igo/"),
        ("<meta name=DC.rights content='http://creativecommons.org/licenses/by/4.0'>", f"{CC}/by/4.0/"),
        (f"<a href={CC}/by/2.0/>photo</a><a rel=license href={CC}/by-sa/4.0/>", f"{CC}/by-sa/4.0/"),
        (f"<a rel=license href={CC}/by/2.0/>photo</a><link rel=license href={CC}/by-sa/4.0/>", f"{CC}/by-sa/4.0/"),
        (f"<footer><a href={CC}/by/2.0/>1</a><a href={CC}/by/2.0/deed.ko>2</a>", f"{CC}/by/2.0/"),
        (f"<footer><a href={CC}/by/2.0/>one</a><a href={CC}/by/4.0/>another</a>", None),
        (f"<a rel=license href={CC}/by/2.0/>one</a><a rel=license href={CC}/by-sa/2.0/>another</a>", None),
        (f"<link rel=license href={CC}/by/2.0/><link rel=license href={CC}/by-sa/2.0/>", None),
        (f"<p>text <a href={CC}/by-nc/>CC", None),  # of whatever the text speaks of
        (f"<a href={CC}/>all licences</a>", None),
        ("<a href=https://creativecommons.org/about/cclicenses/>about</a>", None),
        (f"<p>{CC}/by/4.0/</p>", None),
        (f"<a title={CC}/by/4.0/ href=/x>", None),
        (f"<a href=https://example.org/?u={CC}/by/4.0/>", None),
        ("<a href=https://creativecommons.org.example.net/licenses/by/4.0/>", None),
        ("<a href=https://creativecommons.org/licenses/byte/4.0/>", None),
        (f"<!-- <a rel=license href={CC}/by/4.0/> -->", None),
        (f"<script>'<a rel=license href={CC}/by/4.0/>'</script>", None),
        ("<a rel=license href=https://www.gnu.org/licenses/fdl.html>", None),
    ],
)  # fmt: skip
def test_licence(html, licence):
    assert of(html).licence == licence


def data(value: object) -> str:
    return f"<script type='application/ld+json'>{json.dumps(value)}</script>"


@pytest.mark.parametrize(
    ("html", "day"),
    [
        ("<meta property=article:published_time content=2016-12-23T05:11:55-0500>", "2016-12-23"),
        ("<meta content='2016/1/3 10:00' itemprop='datePublished'>", "2016-01-03"),
        ("<meta name='DC.date.issued' content=20161223>", "2016-12-23"),
        ("<meta name=date content=20161223101112>", "2016-12-23"),
        ("<meta name=date content='23.12.2016'>", "2016-12-23"),
        ("<meta name=pubdate content='Fri, 23 Dec 2016 10:00:00 GMT'>", "2016-12-23"),
        ("<meta name=pubdate content='December 3rd, 2016'>", "2016-12-03"),
        ("<meta name=date content='12/11/2016'>", None),  # of two readings, none
        ("<meta name=date content=2016-13-01>", None),
        ("<meta name=date content=2016-02-30>", None),
        ("<meta name=date content=1482487915>", None),
        ("<meta name=date content=1399-05-03>", None),  # another calendar
        ("<meta name=date content=2559-05-03>", None),
        ("<meta name=date content=2016>", None),
        ("<meta name=date content=''><meta name=pubdate content=2016-12-23>", "2016-12-23"),
        ("<meta name=last-modified content=2016-12-23>", None),
        ("<meta name=date content=2019-01-01>" + data({"@type": "NewsArticle", "datePublished": "2016-12-23"}),
         "2016-12-23"),
        (data([{"@type": "Organization"}, {"@type": ["Article"], "datePublished": "2016-12-23T00:00Z"}]), "2016-12-23"),
        (data({"@graph": [{"@type": "WebPage", "datePublished": "2016-12-23"}]}), "2016-12-23"),
        (data({"@type": "Product", "review": [{"@type": "Review", "datePublished": "2016-12-23"}]}), None),
        (data({"@type": "Comment", "datePublished": "2016-12-23"}), None),
        ("<script type=application/ld+json>{\"datePublished\": \"2016-12-23\",}</script>", None),
        ("<script type=application/ld+json>" + "[" * 100_000 + "\"datePublished\"</script>", None),
        ("<time pubdate datetime=2016-12-23>yesterday</time>", "2016-12-23"),
        ("<time itemprop=datePublished datetime=2016-12-23T10:00>", "2016-12-23"),
        ("<time class='entry-date published' datetime=2016-12-23>" * 2, "2016-12-23"),
        ("<time pubdate datetime=2016-12-23></time><time pubdate datetime=2016-12-24>", None),
        ("<time datetime=2016-12-23>", None),
    ],
)  # fmt: skip
def test_published(html, day):
    assert of(html).published(None) == day


@pytest.mark.parametrize(
    ("html", "days"),
    [
        # An issue's month lies months behind its pages; an old issue is put online long after.
        ("<meta name=citation_publication_date content=2023/12/01><meta name=citation_online_date content=2023/01/02>",
         ["2023-01-02", "2023-12-01"]),
        ("<meta name=citation_online_date content=2012/05/01><meta name=citation_publication_date content=1995/03/01>",
         ["1995-03-01", "2012-05-01"]),
        ("<meta name=date content=2016-01-01><meta property=article:published_time content=2031-01-01>"
         + data({"@type": "NewsArticle", "datePublished": "2017-01-01", "expires": "2018-01-01"})
         + "<time pubdate datetime=2015-01-01>", ["2031-01-01", "2017-01-01", "2016-01-01", "2015-01-01"]),
        ("<meta name=expires content=2031-01-31><meta itemprop=priceValidUntil content=2031-01-31>"
         + data({"@type": "Offer", "validThrough": "2031-01-31", "dateModified": "2020-01-01"}), []),
        ("<script>var sub={'expires':'2031-01-31','datePublished':'2031-01-31'}</script>", []),
        ("".join(f"<meta name=date content=2016-01-{day:02}>" for day in range(1, 31)),
         [f"2016-01-{day:02}" for day in range(1, 9)]),
    ],
)  # fmt: skip
def test_the_surest_day_comes_first(html, days):
    assert list(of(html).days) == days


@pytest.mark.parametrize(
    ("fetched", "day"),
    [
        ("2023-11-29T23:59:59Z", "2016-12-23"),
        ("2023-11-30T00:00:00Z", "2023-12-01"),  # where it is tomorrow already
        ("2016-12-01T00:00:00Z", None),
        ("1970-01-01T00:00:00Z", "2023-12-01"),  # a clock that was never set
        (None, "2023-12-01"),
    ],
)
def test_a_day_behind_the_fetch_is_none(fetched, day):
    said = of("<meta property=article:published_time content=2023-12-01><meta name=date content=2016-12-23>")
    assert said.published(fetched) == day


@given(st.lists(st.dates(date(1990, 1, 1), date(2100, 12, 31)), max_size=8, unique=True), st.dates())
def test_believed_is_the_first_that_can_be(days, fetched):
    said = Metadata(days=tuple(map(str, days)))
    can = [day for day in days if day.toordinal() <= fetched.toordinal() + 1 or fetched.year < 1990]
    assert said.published(f"{fetched}T00:00:00Z") == (str(can[0]) if can else None)


@pytest.mark.parametrize(
    ("lines", "title"),
    [
        ("流感新增\n四死", "流感新增四死"),
        ("日本語の \r\n\t 題名", "日本語の題名"),
        ("全角！\n「かぎ」", "全角！「かぎ」"),
        ("ﾊﾝｶｸ\nｶﾅ", "ﾊﾝｶｸｶﾅ"),
        ("中文 標題", "中文 標題"),  # a space that was written
        ("中文\u3000\n標題", "中文 標題"),
        ("中文\nEnglish", "中文 English"),
        ("한국어\n제목", "한국어 제목"),
        ("中文\n제목", "中文 제목"),
        ("ﾡ\nﾢ", "ﾡ ﾢ"),  # Hangul of half width
        ("ชื่อ\nเรื่อง", "ชื่อ เรื่อง"),
        ("ចំណង\nជើង", "ចំណង ជើង"),
        ("عنوان\nعربي", "عنوان عربي"),
        ("two\nwords", "two words"),
        ("\n\n中\n", "中"),
    ],
)
def test_lines_of_a_title(lines, title):
    assert of(f"<title>{lines}</title>").title == title


def test_a_page_that_says_nothing():
    assert of("") == of("<") == of("words <3") == Metadata()


def test_text_runs():
    html = "<title> T&amp;t </title>a <b>ข้อความ</b>\n<script>x<b>y</script><style>s</style><!-- c -->1 < 2<textarea>t"
    data = html.encode()
    assert [data[a:b].decode() for a, b in tags.text_runs(data)] == ["T&amp;t", "a", "ข้อความ", "1 < 2"]
    assert tags.text_runs(b"").shape == (0, 2)


@pytest.mark.parametrize(
    ("html", "runs"),
    [
        ("<?xml version='1.0'?><title/><script src='x'/>字<style />я", ["字", "я"]),
        ("<script src='x'/>字<style />я", []),
        ("<?xml version='1.0'?><script src=x/>字</script>я", ["я"]),
        ("<?xml version='1.0'?></script/>字", ["字"]),
        ("a<svg><title/><style/>b</svg>c<style/>d</style>e", ["a", "b", "c", "e"]),
        ("a<svg/><style/>b</style>c", ["a", "c"]),
    ],
)
def test_runs_behind_what_a_slash_closes(html, runs):
    data = html.encode()
    assert [data[a:b].decode() for a, b in tags.text_runs(data)] == runs


@pytest.mark.parametrize(
    ("html", "titles"),
    [
        ("<?xml version='1.0'?><script src='x'/><title>ก</title>", [b"\xe0\xb8\x81"]),
        ("<script src='x'/><title>T</title>", []),
        ("<svg width='1'/><title>T</title>", [b"T"]),
        ("<svg width=1/><title>T</title>", []),  # the slash is the value's: the drawing goes on
        ("<svg><style/><title>no</title></svg><title>T</title>", [b"T"]),
        ("</svg/><title>T</title>", [b"T"]),
    ],
)
def test_titles_behind_what_a_slash_closes(html, titles):
    assert [tag.text for tag in tags.tags(html.encode()) if tag.kind == tags.TITLE] == titles


PIECES = [
    "<title>", "</title>", "<meta name=date content=2016-12-23>", "<html lang=a>", "<link rel=canonical href=x>", "<a ",
    "<!--", "-->", "<script>", "<script type=application/ld+json>", "</script>", "'", '"', "=", ">", "<", "/", "&#x41;",
    "<svg>", "</svg>", "<template>", "</template>", "字", "\0", " ", "<plaintext>", "<base href=//[>", "</", "<!",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_any_markup(html):
    said = of(html)
    said.canonical(URL)
    assert all(value is None or value.encode() for value in (said.title, said.html_lang, said.licence, *said.days))
    runs = tags.text_runs(html.encode())
    assert (runs[:, 0] < runs[:, 1]).all() and (runs[1:, 0] >= runs[:-1, 1]).all()


@given(st.lists(st.sampled_from([one for one in PIECES if one not in ("\0", "<plaintext>")]), max_size=40).map("".join))
def test_text_is_a_browser_s(html):
    """lexbor reads any markup as the standard says; without scripts in comments and templates, the same is text."""
    from resiliparse.parse.html import HTMLTree

    html = re.sub("<svg>|</svg>|<template>|</template>|&#x41;", "", html)
    document = HTMLTree.parse(f"<!DOCTYPE html><html><body>{html}").document
    for node in document.query_selector_all("script"):
        node.parent.remove_child(node)
    expected = document.query_selector("html").text
    page = f"<!DOCTYPE html><html><body>{html}".encode()
    ours = "".join(page[a:b].decode() for a, b in tags.text_runs(page))
    assert re.sub(r"\s", "", ours) == re.sub(r"\s", "", expected)


HOSTILE = {
    "one line": "x" * (4 << 20),
    "unclosed quote": "<a href='" + "x<b>" * (1 << 20),
    "unclosed comment": "<!--" + "-" * (4 << 20),
    "metas": "<meta name=date content=never>" * 100_000,
    "bare metas": "<meta " * 700_000,
    "scripts": "<script>" * 500_000,
    "end of scripts": "<script>" + "</scrip" * 600_000,
    "spaces": "<meta" + " " * (4 << 20),
    "spaces in an attribute": "<meta name" + " " * (4 << 20),
    "equals": "<meta " + "=" * (4 << 20) + ">",
    "data": "<script type=application/ld+json>" + '{"datePublished":' * 200_000,
    "links": f"<a href={CC}/by/4.0/>" * 100_000,
    "entities": "<meta name='" + "&#x41;" * 600_000 + "'>",
    "title": "<title>" + "&amp" * (1 << 20),
    "lower than": "<" * (4 << 20),
}


@pytest.mark.parametrize("html", HOSTILE.values(), ids=HOSTILE.keys())
def test_time_is_linear(html):
    of("<html>"), tags.text_runs(b"<html>")  # compile
    began = time.process_time()
    of(html)
    tags.text_runs(html.encode())
    assert time.process_time() - began < 2


def test_more_tags_of_a_kind_than_a_page_has():
    html = "<a href=https://creativecommons.org/x>" * 1500 + "<title>t</title>" + "<meta name=x>" * 1500
    kinds = [tag.kind for tag in tags.tags(html.encode())]
    assert [kinds.count(kind) for kind in (tags.ANCHOR, tags.TITLE, tags.META)] == [1000, 1, 1000]


COSTLY = {
    "a reference of 10,000 digits": b"<title>t</title><meta name=robots content='&#%s; noai'>" % (b"9" * 10_000),
    "a title of 10,000 digits": b"<title>t &#%s;</title>" % (b"9" * 10_000),
    "a meta of 8 MB": b"<title>t</title><meta name=robots content='" + b"noai, " * 1_400_000 + b"'>",
    "a million attributes": b"<title>t</title><meta name=robots content=noai " + b"a=1 " * 1_000_000 + b">",
    "a title of 8 MB": b"<title>t " + b"&amp; " * 1_600_000 + b"</title>",
    "8 MB of meta elements": b"<title>t</title>" + b"<meta name=robots content=noai>" * 260_000,
}


@pytest.mark.parametrize("name", COSTLY)
def test_what_a_page_says_costs_little(name):
    tracemalloc.start()
    began = time.process_time()
    said = read_metadata(COSTLY[name] + b"<p>words")
    seconds, peak = time.process_time() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert said.title is not None and said.title.startswith("t") and len(said.title) <= 1000
    assert seconds < 1 and peak < 64 << 20


@pytest.mark.skipif(not (SHARED / "data/web").exists(), reason="no ../shared/data/web")
def test_real_pages():
    """Nearly all have a title; what is found has its form."""
    with gzip.open(SHARED / "data/web/web-002.warc.gz") as file:
        pages = [page for page in read(file.read(), ArchiveLimits()) if hasattr(page, "body")][:300]
    decoded = [decode(page.body, page.http_charset) for page in pages]
    given = [in_utf8(page.body, text) for page, text in zip(pages, decoded, strict=True)]
    assert given == [text.text.encode() for text in decoded]
    found = [read_metadata(html) for html in given]
    assert sum(said.title is not None for said in found) > 0.95 * len(found)
    days = [day for said in found if (day := said.published(None))]
    assert len(days) > 0.1 * len(found) and all(re.fullmatch(r"(19|20)\d\d-[01]\d-[0-3]\d", day) for day in days)
    addresses = [address for page, said in zip(pages, found, strict=True) if (address := said.canonical(page.url))]
    assert len(addresses) > 0.2 * len(found) and all(re.match("https?://.", address) for address in addresses)
