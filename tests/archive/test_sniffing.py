import pytest
from warcs import one, warc

from pipeline.archive.records import Page
from pipeline.archive.sniffing import is_page


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"  \n<!doctype HTML>", "", True),
        (b"\xef\xbb\xbf<html>", "text/plain", True),
        ("<html><p>日本語".encode("utf-16"), "", True),
        (b"<htmlx>", "", False),
        (b"<B>bold", "unknown/unknown", True),
        (b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml">', "application/xml", True),
        (b'<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom">', "application/xml", False),
        (b'<?xml version="1.0"?><html>', "application/xhtml+xml", True),
        (b"words without markup", "text/html", True),
        (b"\x89PNG\r\n\x1a\n", "text/html", False),
        (b"<html>", "image/png", False),
        (b"<html>", "application/json", False),
    ],
)
def test_is_page(body, content_type, expected):
    assert is_page(body, content_type) is expected


def test_identified_type_outranks_the_header():
    spec = {"http": [("Content-Type", "image/png")], "warc": {"WARC-Identified-Payload-Type": "application/xhtml+xml"}}
    assert isinstance(one(warc([spec])), Page)
