import re
import time

import pyarrow.dataset as ds
import pytest
from hypothesis import given
from hypothesis import strategies as st
from warcs import HTML, http, page_of, plain_record, read, warc

from pipeline.archive.records import ArchiveLimits, Page
from pipeline.page.documents import Document, extract_page
from pipeline.page.isolation import Extracted
from pipeline.page.metadata import read_metadata
from pipeline.page.opt_out import FLAGS, MODEL_CRAWLERS, header_flags, opt_out
from schemas.extract import OPT_OUT


class Echo:
    """Stands in for the extraction process."""

    def extract(self, html: bytes) -> Extracted:
        return Extracted("words", read_metadata(html))


def meta_flags(html: str) -> frozenset[str]:
    return read_metadata(html.encode("utf-8", "replace")).flags


def column(*headers: str, html: str = "<p>words") -> str:
    document = extract_page(page_of("Content-Type: text/html", *headers, body=html.encode()), Echo())
    assert isinstance(document, Document)
    return document.opt_out


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], ""),
        (["X-Robots-Tag: noai"], "noai"),
        (["x-robots-tag:NoAI,NOIMAGEAI"], "noai,noimageai"),
        (["X-Robots-Tag: noindex", "X-Robots-Tag: noai"], "noai,noindex"),
        (["X-Robots-Tag: none"], "noindex"),
        (["X-Robots-Tag: index, follow, all, nofollow, noarchive"], ""),
        (["X-Robots-Tag: noaic, xnoai, no-ai"], ""),
        (["X-Robots-Tag: *: noindex"], "noindex"),
        (["X-Robots-Tag: CCBot: noindex"], "noindex"),
        (["X-Robots-Tag: GPTBot: noindex, noai"], "noai,noindex"),
        (["X-Robots-Tag: googlebot: noindex"], ""),
        (["X-Robots-Tag: googlebot: noindex, nofollow", "X-Robots-Tag: noai"], "noai"),
        (["X-Robots-Tag: googlebot: noindex, ccbot: noai"], "noai"),
        (["X-Robots-Tag: noai, googlebot: noindex"], "noai"),
        (["X-Robots-Tag: unavailable_after: 25 Jun 2010 15:00:00 PST, noindex"], "noindex"),
        (["X-Robots-Tag: unavailable_after: Wed, 03 Jun 2026 15:00:00 GMT, noai"], "noai"),
        (["X-Robots-Tag: max-snippet:-1, max-image-preview:large, noai"], "noai"),
        (["X-Robots-Tag: nosnippet,\r\n noai"], "noai"),
        (["X-Robots-Tag:"], ""),
        (["TDM-Reservation: 1"], "tdm"),
        (["tdm-reservation:1", "tdm-policy: https://example.org/policy.json"], "tdm"),
        (["TDM-Reservation: 0"], ""),
        (["TDM-Reservation: 10"], ""),
        (["TDM-Reservation: 0", "TDM-Reservation: 1", "X-Robots-Tag: none"], "noindex,tdm"),
        (["X-Not-Robots-Tag: noai", "Link: noindex"], ""),
    ],
)
def test_headers(headers, expected):
    assert column(*headers) == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<meta name="robots" content="noai, noimageai">', "noai,noimageai"),
        ("<META CONTENT=NOINDEX NAME=ROBOTS>", "noindex"),
        ("<meta name='Robots' data-x=\"a>b\" content='none'/>", "noindex"),
        ("<meta\n\tname = robots\n content = 'noindex,nofollow' >", "noindex"),
        ("<meta name=robots content='noindex nofollow;noai'>", "noai,noindex"),
        ("<meta name=robots content='noai&#44;noindex'>", "noai,noindex"),
        ('<meta name="ccbot" content="noindex"><meta name="robots" content="index">', "noindex"),
        ('<meta name="googlebot" content="noindex"><meta name="bingbot" content="noai">', ""),
        ('<meta name="tdm-reservation" content="1">', "tdm"),
        ('<meta name="tdm-reservation" content="0">', ""),
        ('<meta name="tdm-policy" content="1">', ""),
        ('<meta name="robots" content="all"><p>noindex noai</p>', ""),
        ('<meta name="robots" name="x" content="noai">', "noai"),  # the first of two counts
        ('<meta name="x" name="robots" content="noai">', ""),
        ('<meta property="robots" content="noai">', ""),
        ('<body><div><meta name="robots" content="noindex"></div>', "noindex"),
        ('<noscript><meta name="robots" content="noindex"></noscript>', "noindex"),
        ('<!-- <meta name="robots" content="noindex"> -->', ""),
        ('<!-- > --!><meta name="robots" content="noindex">', "noindex"),
        ('<!--><meta name="robots" content="noindex">-->', "noindex"),
        ('<!-- never closed <meta name="robots" content="noindex">', ""),
        ('<script>document.write(\'<meta name="robots" content="noindex">\')</script>', ""),
        ("<script>if (a<b) x = '<!--'</script><meta name=robots content=noindex>", "noindex"),
        ('<SCRIPT><meta name="robots" content="noindex"></scriptx></SCRIPT >', ""),
        ('<style>/* <meta name="robots" content="noindex"> */', ""),
        ('<title><meta name="robots" content="noindex"></title>', ""),
        ('<textarea><meta name="robots" content="noindex"></textarea>', ""),
        ('<template><template></template><meta name="robots" content="noindex"></template>', ""),
        ('<template></template><meta name="robots" content="noindex">', "noindex"),
        ("<a title='<meta name=robots content=noindex>'>x</a>", ""),
        ("<a title=it's><meta name=robots content=noindex><b title='x'>", "noindex"),
        ("&lt;meta name=robots content=noindex&gt;", ""),
        ("<metadata name=robots content=noindex>", ""),
        ('<meta name="robots" content="noindex"', ""),  # cut off: a browser drops it too
        ("<meta name=robots>", ""),
        ("<p 1 < 2><meta name=robots content=noai>", "noai"),
        ("<? x ?><!DOCTYPE html></ x><meta name=robots content=noai>", "noai"),
    ],
)
def test_meta_elements(html, expected):
    assert column(html=f"{html}<p>words") == expected or '"noindex"' in html[-10:]
    assert opt_out(meta_flags(html)) == expected


def test_headers_and_elements_add_up():
    html = '<meta name="robots" content="noai"><meta name="tdm-reservation" content="1">'
    assert column("X-Robots-Tag: noindex, noimageai", html=html) == ",".join(FLAGS) == "noai,noimageai,noindex,tdm"


@pytest.mark.parametrize("encoding", ["utf-16", "shift_jis", "utf-8-sig"])
def test_pages_in_any_encoding(encoding):
    html = '<html><title>日本語のページ</title><meta name="robots" content="noai"><p>本文はここにあります。'
    page = page_of("Content-Type: text/html", body=html.encode(encoding))
    assert extract_page(page, Echo()).opt_out == "noai"


def test_text_and_resource_records():
    html = b'<html><meta name="robots" content="noai"><p>words'
    text, resource = read(
        warc(
            [
                {"type": "conversion", "http": None, "content_type": "text/plain", "body": html},
                {"type": "resource", "http": None, "content_type": "text/html", "body": html},
            ]
        )
    )
    assert extract_page(text, Echo()).opt_out == ""  # words about a meta element, not one
    assert extract_page(resource, Echo()).opt_out == "noai"


def test_arc_records_have_heads_too():
    block = http(HTML, "Content-Type: text/html", "X-Robots-Tag: noindex")
    head = b"http://example.org/ 192.0.2.1 20261021070809 text/html %d\n" % len(block)
    version = b"1 0 Test\nURL IP-address Archive-date Content-type Archive-length\n"
    arc = b"filedesc://a.arc 0.0.0.0 20261021070809 text/plain %d\n%s\n" % (len(version), version)
    pages = [item for item in read(arc + head + block + b"\n") if isinstance(item, Page)]
    assert [header_flags(page.statements) for page in pages] == [{"noindex"}]


def test_http_0_9_says_nothing():
    (page,) = read(plain_record(HTML))
    assert page.statements == ()


def test_the_job_writes_the_column(tmp_path, monkeypatch):
    from jobs import extract
    from pipeline.spark.session import LazySession

    monkeypatch.setattr(LazySession, "local_cores", lambda _: 2)  # without an engine
    words = "Sentences that are long enough to be the main text of a page, again and again. " * 5
    page = f'<html><head><meta name="robots" content="noai"></head><body><article><p>{words}</p></article>'.encode()
    records = [
        {"url": "http://example.org/both", "body": page,
         "http": [("Content-Type", "text/html"), ("X-Robots-Tag", "googlebot: noindex"), ("TDM-Reservation", "1")]},
        {"url": "http://example.org/none", "body": page.replace(b"noai", b"all")},
    ]  # fmt: skip
    (tmp_path / "a.warc.gz").write_bytes(warc(records))
    assert extract.main(["--input", str(tmp_path / "a.warc.gz"), "--root", str(tmp_path / "root")]) == 0
    rows = ds.dataset(tmp_path / "root/extract/documents", format="parquet", exclude_invalid_files=True).to_table()
    found = dict(zip(rows["url"].to_pylist(), rows["opt_out"].to_pylist(), strict=True))
    assert found == {"http://example.org/both": "noai,tdm", "http://example.org/none": ""}


def test_flags_are_the_contract_s():
    assert tuple(OPT_OUT) == FLAGS
    assert all(name == name.lower() and re.fullmatch(r"[a-z0-9-]+", name) for name in MODEL_CRAWLERS)


@given(st.lists(st.tuples(st.sampled_from(["x-robots-tag", "tdm-reservation", "link"]), st.text(max_size=30))))
def test_any_header(headers):
    assert header_flags(headers) <= set(FLAGS)


PIECES = [
    *("<meta name=robots content=noai>", "<meta content='noindex' name=\"robots\"/>") * 4,
    *("<meta ", "name=", "robots", '"', "'", " content=", "noai", ">", "<!--", "-->", "<script>", "</script>"),
    *("<a ", "/", "=", "\n", "x", "<template>", "</template>", "\ud800", "\0", "<title>", "</title>"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_agrees_with_a_browser_s_parser(html):
    """lexbor reads any markup as the standard says. XML-like oddities apart, the same elements are found."""
    from resiliparse.parse.html import HTMLTree

    clean = html.replace("\0", "").replace("\ud800", "")
    tree = HTMLTree.parse(f"<!DOCTYPE html><html><head>{clean}")
    metas = tree.document.query_selector_all("meta")
    expected = {
        flag
        for meta in metas
        if (meta.getattr("name") or "").strip().lower() == "robots"
        and not any(parent in ("template",) for parent in _parents(meta))
        for flag in re.split(r"[\s,;]+", (meta.getattr("content") or "").lower())
        if flag in FLAGS
    }
    assert meta_flags(f"<!DOCTYPE html><html><head>{clean}") == expected


def _parents(node):
    while (node := node.parent) is not None:
        yield node.tag


@pytest.mark.parametrize(
    "piece",
    ["<a ", '<a b="', "<!--", "<script>", "</", "<a x= ", "<", "<a  ", "<a x=\"'>", "<meta ", "<meta name=robots"],
)
def test_time_is_linear(piece):
    page = piece * ((ArchiveLimits().max_page_bytes // 4) // len(piece)) + "<meta name=robots content=noai>"
    meta_flags("<meta name=robots content=noai>")  # compiles
    began = time.process_time()
    meta_flags(page)
    assert time.process_time() - began < 3
