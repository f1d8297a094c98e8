import pytest
from warcs import HTML, one, plain_record

from pipeline.archive.http_head import parse_head
from pipeline.archive.records import Page


@pytest.mark.parametrize(
    "block",
    [
        HTML,  # HTTP/0.9
        b"HTTP/1.1 200\r\nContent-Type: text/html\r\n\r\n" + HTML,
        b"HTTP/1.0 200 OK\nContent-Type: text/html\n\n" + HTML,
        b"HTTP/2 200\r\nContent-Type:\r\n  text/html;\r\n charset=utf-8\r\nno header line\r\n\r\n" + HTML,
        b"HTTP/1.1 200 OK\r\n\r\n" + HTML,
        b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n" + HTML,
        b"HTTP/1.1 200 OK\r\nX-Title: \xe4\xb8\xad\xff\r\n\r\n" + HTML,
    ],
)
def test_http_heads_that_are_read(block):
    item = one(plain_record(block))
    assert isinstance(item, Page)
    assert item.body == HTML


def test_statements_are_kept_as_they_were_sent():
    head = parse_head(
        b"HTTP/1.1 200 OK\r\nX-Robots-Tag: noai\r\nTDM-Policy: /p\r\nx-robots-tag: ccbot:\r\n NoIndex\r\n"
        b"Tdm-Reservation:1\r\n\r\nX-Robots-Tag: body"
    )
    assert head.statements == (
        ("x-robots-tag", "noai"), ("x-robots-tag", "ccbot: NoIndex"), ("tdm-reservation", "1"),
    )  # fmt: skip
