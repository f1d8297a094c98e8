import gzip
import zlib

import brotli
import pytest
from warcs import HTML, one, page_of, warc, zstd

from pipeline.archive.content_encoding import dechunk


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
