import pytest
from warcs import HTML, one, page_of, plain_record

from pipeline.archive.http_head import media_type, parse_head
from pipeline.archive.records import Page
from pipeline.page.charset import decode


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


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text/html; charset=utf-8", ("text/html", "utf-8")),
        ('"text/html"', ("text/html", None)),
        ("'text/html; charset=iso-8859-2'", ("text/html", "iso-8859-2")),
        ('"Text/HTML"; charset="utf-8"', ("text/html", "utf-8")),
        ('text/html; charset=\\"big5\\"', ("text/html", "big5")),
        ("text/html; charset='euc-kr", ("text/html", "euc-kr")),
        ('text/html charset = "tis-620"', ("text/html", "tis-620")),
        ('"text/html";charset = koi8-r"', ("text/html", "koi8-r")),
        ("text/html, text/html", ("text/html", None)),
        ("", ("", None)),
        ('"', ("", None)),
    ],
)
def test_media_types_in_quotes(value, expected):
    assert media_type(value) == expected


@pytest.mark.parametrize(
    ("label", "words"),
    [("iso-8859-2", "żółtą"), ("big5", "中文"), ("shift_jis", "日本語"), ("euc-kr", "한국어"), ("tis-620", "ภาษาไทย"),
     ("utf-8", "ខ្មែរ हिन्दी தமிழ் አማርኛ ქართული"), ("windows-1256", "العربية"), ("windows-1255", "עברית"),
     ("koi8-r", "Русский"), ("iso-8859-9", "Türkçe ışık"), ("us-ascii", "English")],
)  # fmt: skip
def test_the_charset_of_a_quoted_type_is_heard(label, words):
    page = page_of(f"Content-Type: '\"text/html\"; charset={label}'", body=f"<p>{words}</p>".encode(label))
    assert decode(page.body, page.http_charset).text == f"<p>{words}</p>"


def test_statements_are_kept_as_they_were_sent():
    head = parse_head(
        b"HTTP/1.1 200 OK\r\nX-Robots-Tag: noai\r\nTDM-Policy: /p\r\nx-robots-tag: ccbot:\r\n NoIndex\r\n"
        b"Tdm-Reservation:1\r\n\r\nX-Robots-Tag: body"
    )
    assert head.statements == (
        ("x-robots-tag", "noai"), ("x-robots-tag", "ccbot: NoIndex"), ("tdm-reservation", "1"),
    )  # fmt: skip
