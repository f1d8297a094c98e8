"""A payload becomes a document; copies are read once."""

import re

import pytest
from warcs import page_of, read, warc

from pipeline.page.documents import Known, extract_page
from pipeline.page.isolation import Extracted, Failure
from pipeline.page.metadata import read_metadata


class Counting:
    """Stands in for the extraction process."""

    def __init__(self) -> None:
        self.calls = 0

    def extract(self, html: bytes) -> Extracted:
        self.calls += 1
        return Extracted(re.sub("<[^>]*>", "", html.decode()), read_metadata(html))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "shift_jis", "gb18030"])
def test_the_engine_gets_utf_8(encoding):
    """Whatever the page is in, without its mark; bytes that are no text are U+FFFD there too."""
    label = f"Content-Type: text/html; charset={encoding.removesuffix('-sig')}"
    body = "<p>本文です".encode(encoding)
    assert extract_page(page_of(label, body=body), Counting()).text == "本文です"
    broken = extract_page(
        page_of("Content-Type: text/html; charset=utf-8", body="<p>本文です".encode() * 99 + b"\xff"), Counting()
    )
    assert (broken.text[-2:], broken.n_replacement) == ("す\ufffd", 1)


def test_copies_are_read_once_and_each_record_has_its_own_row():
    html = b"<title>t</title><link rel=canonical href=x><meta name=robots content=noindex><p>words"
    other = html + b" more"
    records = [
        {"url": "http://a.example/", "body": html, "warc": {"WARC-Payload-Digest": "sha1:LIE"}},
        {"url": "http://b.example/", "body": html, "http": [("Content-Type", "text/html"), ("X-Robots-Tag", "noai")]},
        {"url": "http://c.example/", "body": other, "warc": {"WARC-Payload-Digest": "sha1:LIE"}},
        {"url": "http://d.example/", "body": html, "http": [("Content-Type", "text/html; charset=latin1")]},
        {"url": "http://a.example/", "body": html},
        {"url": "http://e.example/", "type": "conversion", "http": None, "content_type": "text/plain", "body": html},
    ]
    pages = read(warc(records))
    each, once, known = Counting(), Counting(), Known()
    expected = [extract_page(page, each) for page in pages]
    assert [extract_page(page, once, known=known) for page in pages] == expected
    assert (each.calls, once.calls, len(known)) == (5, 3, 4)
    assert [row.canonical for row in expected[:3]] == [f"http://{host}.example/x" for host in "abc"]
    assert [row.opt_out for row in expected[:2]] == ["noindex", "noai,noindex"]
    assert len({row.id for row in expected}) == 6
    assert expected[5].text.startswith("<title>")


def test_failures_are_known_too_and_memory_is_bounded():
    page = page_of("Content-Type: text/html", body=b"<p>" + bytes(range(128, 160)) * 100)
    known, worker = Known(), Counting()
    assert extract_page(page, worker, known=known) == extract_page(page, worker, known=known)
    assert len(known) == 1
    known = Known(max_bytes=100_000)
    for number in range(50):
        extract_page(page_of("Content-Type: text/html", body=b"<p>%d" % number + b"x" * 10_000), worker, known=known)
    assert 5 <= len(known) <= 10
    before = worker.calls
    extract_page(page_of("Content-Type: text/html", body=b"<p>49" + b"x" * 10_000), worker, known=known)
    assert worker.calls == before  # the latest stay
    extract_page(page_of("Content-Type: text/html", body=b"<p>" + b"x" * 200_000), worker, known=known)
    assert len(known) <= 10  # too large to keep


class Failing:
    """Stands in for an extraction process that a page brings down."""

    def __init__(self, reason: str) -> None:
        self.calls, self._reason = 0, reason

    def extract(self, html: bytes) -> Failure:
        self.calls += 1
        return Failure(self._reason)


@pytest.mark.parametrize(
    ("reason", "calls"), [("no_main_text", 1), ("too_deep", 1), ("timeout", 2), ("memory", 2), ("parser_crash", 2)]
)
def test_a_copy_of_a_page_that_failed_by_accident_is_tried_again(reason, calls):
    page, known, worker = page_of("Content-Type: text/html", body=b"<p>words"), Known(), Failing(reason)
    assert [extract_page(page, worker, known=known).reason for _ in range(2)] == [reason, reason]
    assert worker.calls == calls


def test_what_pages_say_of_themselves_counts_as_memory():
    """Small pages with long addresses."""
    known, worker = Known(max_bytes=1 << 20), Counting()
    for number in range(400):
        body = b"<base href=http://a/%d%s><link rel=canonical href=%s><p>words" % (number, b"b" * 1900, b"c" * 1900)
        extract_page(page_of("Content-Type: text/html", body=body), worker, known=known)
    assert 100 < len(known) < (1 << 20) // 4000


def test_copies_of_a_page_have_days_by_their_own_fetch():
    html = b"<meta property=article:published_time content=2023-12-01><meta name=date content=2023-01-02><p>words"
    records = [{"url": "http://a.example/", "body": html, "warc": {"WARC-Date": f"{year}-03-10T08:00:00Z"}}
               for year in (2023, 2024, 2022)]  # fmt: skip
    worker, known = Counting(), Known()
    found = [extract_page(page, worker, known=known).published for page in read(warc(records))]
    assert (found, worker.calls) == (["2023-01-02", "2023-12-01", None], 1)
