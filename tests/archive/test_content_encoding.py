import gzip
import time
import zlib

import brotli
import pytest
from warcs import HTML, http, one, page_of, plain_record, warc, zstd

from pipeline.archive.content_encoding import MAX_MEMBERS, dechunk


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_decompression_bomb(coding):
    bomb = b"<html>" + b" " * 30_000_000
    body = gzip.compress(bomb) if coding == "gzip" else brotli.compress(bomb, quality=4)
    item = one(warc([{"http": [("Content-Encoding", coding)], "body": body}]))
    assert item.reason == "decompression_ratio"


RAW_DEFLATE = zlib.compress(HTML)[2:-4]


@pytest.mark.parametrize(
    ("codings", "body"),
    [
        ("gzip", gzip.compress(HTML)),
        ("x-gzip", gzip.compress(HTML)),
        ("deflate", zlib.compress(HTML)),
        ("deflate", RAW_DEFLATE),
        ("br", brotli.compress(HTML)),
        ("zstd", zstd(HTML)),
        ("gzip, br", brotli.compress(gzip.compress(HTML))),
        ("identity", HTML),
        ("gzip", HTML),  # decoded before it was archived, header kept
        ("deflate", HTML),
        ("br", HTML),
        ("zstd", HTML),
        ("unheard-of", HTML),
        ("gzip", gzip.compress(HTML[:20]) + gzip.compress(HTML[20:])),
        ("gzip", gzip.compress(HTML) + b"trailing"),
    ],
)
def test_content_encodings(codings, body):
    assert page_of("Content-Type: text/html", f"Content-Encoding: {codings}", body=body).body == HTML


def test_gzip_cut_off_gives_what_it_has():
    page = page_of("Content-Encoding: gzip", body=gzip.compress(HTML * 100, mtime=0)[:-30])
    assert page.body.startswith(HTML)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"3\nabc\n0\n\n", b"abc"),
        (b"<html>not chunked", b"<html>not chunked"),
        (b"3\r\nabc\r\nzz not a chunk", b"abczz not a chunk"),
        (b"ff\r\ncut", b"cut"),
    ],
)
def test_dechunk(body, expected):
    assert dechunk(body) == expected


def test_chunked_and_gzip():
    packed = gzip.compress(HTML)
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(packed), packed)
    assert page_of("Transfer-Encoding: chunked", "Content-Encoding: gzip", body=chunks).body == HTML


def packed(body: bytes, times: int) -> bytes:
    for _ in range(times):
        body = gzip.compress(body)
    return body


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize(
    "head",
    [(), ("Content-Type: text/html",), ("Content-Type: application/octet-stream",), ("Content-Encoding: gzip",),
     ("Content-Type: text/html", "Content-Encoding: br")],
)  # fmt: skip
def test_gzip_that_no_header_tells_or_that_is_there_twice(head, times):
    assert page_of(*head, body=packed(HTML, times)).body == HTML


def test_gzip_that_no_header_tells_of_a_page_identified_by_its_bytes():
    page = page_of("Content-Type: text/html", body=packed(HTML, 1),
                   headers="WARC-Identified-Payload-Type: application/gzip\r\n")  # fmt: skip
    assert page.body == HTML


@pytest.mark.parametrize(
    ("content_type", "inside", "reason"),
    [
        ("application/gzip", HTML, "not_html"),  # a file to be downloaded
        ("text/html", b"%PDF-1.4 and more", "not_html"),
        (
            "application/octet-stream",
            b"a tar file" * 10_000_000,
            "not_html",
        ),  # refused for what it is, not for its size
        ("text/html", b"<html>" + b" " * 30_000_000, "decompression_ratio"),
    ],
)
def test_what_lies_in_gzip_is_judged(content_type, inside, reason):
    assert one(plain_record(http(packed(inside, 1), f"Content-Type: {content_type}"))).reason == reason


def test_members_of_gzip_cost_time_in_proportion():
    """Empty ones give no page a size that would be too large, so their number has a bound."""
    empty = gzip.compress(b"")
    few = page_of("Content-Encoding: gzip", body=empty * (MAX_MEMBERS - 1) + gzip.compress(HTML))
    assert few.body == HTML
    begin = time.process_time()
    item = one(plain_record(http(empty * 400_000, "Content-Encoding: gzip")))
    assert item.reason == "content_encoding" and str(MAX_MEMBERS) in item.detail
    assert time.process_time() - begin < 1.0


@pytest.mark.parametrize("size", [4095, 4096, 4097, 100_000])
def test_members_that_end_anywhere(size):
    body = HTML + bytes(range(33, 127)) * (size // 90)
    whole = b"".join(gzip.compress(body[at : at + size], 0) for at in range(0, len(body), size))
    assert page_of("Content-Encoding: gzip", body=whole).body == body
