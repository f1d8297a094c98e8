import gzip
import random

import pytest
from warcs import HTML, LIMITS, Pipe, http, one, page_of, plain_record, read, warc

from pipeline.archive.records import ArchiveLimits, Page, Skipped, iso_date, read_archive
from schemas.extract import RECORD_REASONS


def test_every_column_of_a_page():
    identifier = "<urn:uuid:11111111-2222-3333-4444-555555555555>"
    other = warc([{"type": "warcinfo", "http": None}])
    data = other + warc([{
        "url": "<http://example.org/a b>",
        "http": [("Content-Type", 'text/HTML; Charset="windows-874"')],
        "warc": {"WARC-Record-ID": identifier, "WARC-Truncated": "length", "WARC-Payload-Digest": "sha1:ABC"},
    }])  # fmt: skip
    assert read(data)[1] == Page(
        record_id="11111111-2222-3333-4444-555555555555",
        record_type="response",
        url="http://example.org/a%20b",
        date="2026-10-21T07:08:09Z",
        offset=len(other),
        status=200,
        body=HTML,
        http_charset="windows-874",
        content_type="text/html",
        truncated="length",
        payload_digest="sha1:ABC",
    )


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"type": "request", "http": None, "body": b"GET / HTTP/1.1\r\n\r\n"}, "type"),
        ({"type": "metadata", "http": None}, "type"),
        ({"type": "revisit"}, "revisit"),
        ({"status": "404 Not Found"}, "status"),
        ({"status": "206 Partial Content"}, "status"),
        ({"http": [("Content-Type", "application/pdf")]}, "not_html"),
        ({"warc": {"WARC-Identified-Payload-Type": "application/pdf"}}, "not_html"),
        ({"body": b"%PDF-1.7 \x01\x02"}, "not_html"),
        ({"body": b'<?xml version="1.0"?><!-- x --><rss version="2.0"></rss>'}, "not_html"),
        ({"body": b'{"a": [1, 2]}'}, "not_html"),
        ({"http": [("Content-Type", "text/plain")], "body": b"plain words"}, "not_html"),
        ({"url": ""}, "no_url"),
        ({"body": b""}, "empty_body"),
        ({"body": b" \r\n\t"}, "empty_body"),
        ({"http": [("Content-Encoding", "gzip")], "body": b"\x1f\x8b\x08\0\0\0\0\0\0\0 broken"}, "content_encoding"),
        ({"http": [("Content-Encoding", "br")], "body": b"\xff\xfe\x01\x00\x03"}, "content_encoding"),
    ],
)
def test_reason_of_a_skipped_record(spec, reason):
    item = one(warc([spec]))
    assert isinstance(item, Skipped)
    assert item.reason == reason
    assert reason in RECORD_REASONS


def test_block_without_http_head():
    assert one(plain_record(b"no head at all\r\n\r\nwords")).reason == "http_malformed"


def test_too_large_before_and_after_decoding():
    limits = ArchiveLimits(max_page_bytes=100_000)
    big = b"<html>" + bytes(range(32, 127)) * 4000
    assert one(warc([{"body": big}]), limits).reason == "too_large"
    random_text = b"<html>" + random.Random(1).randbytes(75_000).hex().encode()
    packed = {"http": [("Content-Encoding", "gzip"), ("Content-Type", "text/html")], "body": gzip.compress(random_text)}
    assert one(warc([packed]), limits).reason == "too_large"
    assert isinstance(one(warc([packed])), Page)


def test_wet_text_and_resources():
    text = "本文 plain".encode()
    data = warc([
        {"type": "conversion", "http": None, "content_type": "text/plain", "body": text},
        {"type": "resource", "http": None, "content_type": "text/html; charset=utf-8"},
        {"type": "resource", "http": None, "content_type": "image/png", "body": b"\x89PNG\r\n\x1a\n"},
    ])  # fmt: skip
    wet, resource, image = read(data)
    assert (wet.is_text, wet.body, wet.record_type) == (True, text, "conversion")
    assert (resource.is_text, resource.http_charset, resource.body) == (False, "utf-8", HTML)
    assert image.reason == "not_html"


def test_digest_is_computed_over_the_stored_payload():
    import base64
    import hashlib

    packed = gzip.compress(HTML)
    page = page_of("Content-Encoding: gzip", body=packed)
    assert page.payload_digest == "sha1:" + base64.b32encode(hashlib.sha1(packed).digest()).decode()


def test_ids_without_record_id_follow_name_and_offset():
    data = plain_record(http(HTML)) * 2
    first, second = (item.record_id for item in read(data))
    assert len(first) == 32
    assert first != second
    assert [first, second] == [item.record_id for item in read(data)]
    assert next(iter(read_archive(Pipe(data), name="b", limits=LIMITS))).record_id != first
    in_one_member = [item.record_id for item in read(gzip.compress(data))]
    assert len(set(in_one_member)) == 2


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-10-21T07:08:09Z", "2026-10-21T07:08:09Z"),
        ("2026-10-21T07:08:09.123456Z", "2026-10-21T07:08:09Z"),
        ("2026-10-21T07:08", "2026-10-21T07:08:00Z"),
        ("2026", "2026-01-01T00:00:00Z"),
        ("20080430204825", "2008-04-30T20:48:25Z"),
        ("2026-13-01", None),
        ("yesterday", None),
        (None, None),
    ],
)
def test_iso_date(value, expected):
    assert iso_date(value) == expected
