"""Pages that break parsers, through each engine: each ends within its limits as a document or with the right reason,
and the page behind it is read as if nothing had happened.
"""

import gzip
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import brotli
import pytest
from warcs import http, one, plain_record, zstd

from pipeline.archive.records import ArchiveLimits, Page, Skipped
from pipeline.page.documents import Document, extract_page
from pipeline.page.engines import ENGINES, RECURSIVE
from pipeline.page.isolation import PageWorker

LIMITS = ArchiveLimits(page_seconds=0.8)
TEXT = "ვებში ყოველ ენას თავისი დამწერლობა აქვს, 所有语言都有自己的文字，ทุกภาษามีอักษร ሁሉም ቋንቋ ፊደል አለው።"
GOOD = f"<html><title>t</title><body><article><p>{TEXT} {TEXT}</p><p>{TEXT}</p></article></body></html>".encode()


class Bad(NamedTuple):
    """says: what a document of it has.  reason: what all engines refuse it for.  slow: it may be a timeout.
    deep: engines that build a tree refuse it.  lost: they may find no text in it.
    """

    body: bytes
    says: str = ""
    reason: str = ""
    slow: bool = False
    deep: bool = False
    lost: bool = False


def nested(tag: bytes, count: int) -> bytes:
    return b"<html><body>" + tag * count + GOOD


BAD = {
    "one line of 4 MB": Bad(b"<html><body><p>" + b"words of one line, " * 220_000 + b"</p>", "of one line, words"),
    "one word of 4 MB": Bad(b"<html><body><p>" + b"x" * (4 << 20) + b"</p>", "xxx"),
    "one tag of 4 MB": Bad(b"<html><body><p " + b"data-x=1 " * 460_000 + b">" + GOOD, TEXT),
    "4 MB of <": Bad(b"<html><body>" + b"<" * (4 << 20), slow=True, lost=True),
    "comments never closed": Bad(GOOD + b"<!--" * (1 << 20), TEXT),
    "UTF-16 without a mark": Bad(GOOD.decode().encode("utf-16-le"), TEXT),
    "UTF-16BE without a mark": Bad(GOOD.decode().encode("utf-16-be"), TEXT),
    "no such charset": Bad(GOOD.replace(b"<title>", b'<meta charset="x-none"><title>'), TEXT),
    "a charset that is refused": Bad(b'<meta charset="iso-2022-kr"><p>words', reason="charset"),
    "no text at all": Bad(bytes(range(256)) * 100, reason="charset"),
    "nothing": Bad(b"", reason="no_main_text"),
    "nothing but space": Bad(b" \n ", reason="no_main_text"),
    "nothing but wide space": Bad("<html><body><p>　　</p><p>\u2003&emsp;\u2028".encode(), reason="no_main_text"),
    "only a script": Bad(b"<script>" + b"var a = '<p>words</p>';\n" * 20_000 + b"</script>", reason="no_main_text"),
    "nothing but tags": Bad(b"<html><body>" + b"<div></div>" * 100_000, reason="no_main_text", slow=True),
    "a table of a million rows": Bad(b"<html><body><table>" + b"<tr><td>1" * 1_000_000, "1", slow=True),
    "400 nested tables": Bad(nested(b"<table><tr><td>", 400), TEXT, lost=True),
    "5,000 nested tables": Bad(nested(b"<table><tr><td>", 5_000), TEXT, deep=True),
    "50,000 nested elements": Bad(nested(b"<div>", 50_000), TEXT, deep=True),
    "50,000 nested formats": Bad(nested(b"<b>", 50_000), TEXT, deep=True),
    "50,000 nested lists": Bad(nested(b"<ul><li>", 50_000), TEXT, deep=True),
    "many entities": Bad(b"<html><body><p>" + b"&amp;&#x4e00; " * 100_000 + b"</p>", "&一 &一", slow=True),
    "a reference of 10,000 digits": Bad(GOOD.replace(b"<title>", b"<title>&#" + b"9" * 10_000 + b";"), TEXT, lost=True),
    "a drawing that its slash closes": Bad(GOOD.replace(b"<article>", b"<article><svg class='x'/>"), TEXT),
    "a script that its slash closes": Bad(
        b'<?xml version="1.0"?>' + GOOD.replace(b"<p>", b"<p><script src='x'/>"), TEXT, lost=True
    ),
    "NULs": Bad(GOOD.replace(b"<p>", b"<p>\0\0"), TEXT),
    "headings and nothing else": Bad(
        b"<html><body>" + b"".join(b"<h2>Heading %d of the page</h2>" % n for n in range(5_000)), lost=True, slow=True
    ),
    "a table of 10,000 rows": Bad(
        GOOD.replace(b"</article>", b"<table>" + b"<tr><td>1<td>Name of a place<td>443,037" * 10_000 + b"</table>"),
        TEXT, slow=True,
    ),
    "a list nested 200 deep": Bad(
        GOOD.replace(b"</article>", b"<ul><li>An item of the list" * 200 + b"</ul>" * 200 + b"</article>"), TEXT
    ),
    "a listing of 1 MB": Bad(
        GOOD.replace(b"</article>", b"<pre class=chroma><code class=language-c>" + b"".join(
            b"<span class=ln>%d</span>  x = y[%d] * 2;\n" % (n, n) for n in range(20_000)) + b"</code></pre>"),
        TEXT, slow=True,
    ),
    "markup that closes nothing": Bad(
        GOOD.replace(b"</p>", b"<ul><li><b><span class=katex-html><a href=#x><math><table><tr><td>" * 300), TEXT,
        deep=True, lost=True,
    ),
    "a heading inside a link inside a button": Bad(
        GOOD.replace(b"<p>", b"<button><a href=#x><h2>A heading</h2></a></button><p>", 1), TEXT
    ),
    "lone surrogates": Bad(GOOD.replace(b"<p>", b"<p>&#xD800;&#xDFFF;"), TEXT),
}  # fmt: skip


@pytest.fixture(scope="module", params=ENGINES)
def worker(request: pytest.FixtureRequest) -> Iterator[PageWorker]:
    with PageWorker(request.param, LIMITS) as worker:
        yield worker


def page(body: bytes) -> Page:
    return Page("1", "response", "http://example.org/", None, 7, 200, body, None, "text/html", None, "sha1:A")


@pytest.mark.parametrize("name", BAD)
def test_each_ends_within_its_limits(name: str, worker: PageWorker) -> None:
    bad, engine = BAD[name], worker._engine
    began = time.process_time()
    found = extract_page(page(bad.body), worker)
    assert time.process_time() - began < LIMITS.page_seconds  # of this process, which nothing guards
    if isinstance(found, Document):
        assert not bad.reason and not (bad.deep and engine in RECURSIVE)
        assert bad.says in found.text and "\0" not in found.text and found.text.encode()
    else:
        may_be = {"timeout": bad.slow, "too_deep": bad.deep, "no_main_text": bad.lost}
        assert found.reason == bad.reason or may_be.get(found.reason), found
        assert found.reason in (bad.reason, "timeout") or engine in RECURSIVE, found
    again = extract_page(page(GOOD), worker)
    assert isinstance(again, Document) and TEXT in again.text


BIG = b"<html><body>" + b"<p>words</p>" * (200_000_000 // 12)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_200_mb_after_decompression(coding: str) -> None:
    """Neither read whole nor held."""
    pack = {"gzip": lambda: gzip.compress(BIG, 1), "deflate": lambda: zlib.compress(BIG, 1),
            "br": lambda: brotli.compress(BIG, quality=1), "zstd": lambda: zstd(BIG)}[coding]  # fmt: skip
    record = plain_record(http(pack(), "Content-Type: text/html", f"Content-Encoding: {coding}"))
    assert len(record) < 8 << 20
    tracemalloc.start()
    found = one(record)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(found, Skipped) and found.reason in ("decompression_ratio", "too_large"), found
    assert peak < 64 << 20


@pytest.mark.parametrize(
    ("body", "lines", "reason"),
    [
        (b"", (), "empty_body"),
        (b"\r\n \t", (), "empty_body"),
        (BAD["a table of a million rows"].body, (), "too_large"),
        (
            gzip.compress(BAD["a table of a million rows"].body, mtime=0),
            ("Content-Encoding: gzip",),
            "decompression_ratio",
        ),
        (b"x" * 100, ("Content-Encoding: gzip",), "not_html"),
    ],
)
def test_refused_before_any_engine(body: bytes, lines: tuple[str, ...], reason: str) -> None:
    kind = "Content-Type: text/html" if reason != "not_html" else "Content-Type: application/pdf"
    found = one(plain_record(http(body, kind, *lines)))
    assert isinstance(found, Skipped) and found.reason == reason, found
