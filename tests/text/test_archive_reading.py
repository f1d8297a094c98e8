import contextlib
import gzip
import io
import random
import zlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import brotli
import pytest
import warcio.archiveiterator
from fastwarc.stream_io import Lz4Writer, ZstdWriter
from fastwarc.warc import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from pipeline.text.archive import ArchiveLimits, Broken, Page, Skipped, iso_date, read_archive
from pipeline.text.payload import dechunk, is_page
from schemas.extract import ARCHIVE_REASONS, RECORD_REASONS

SHARED = Path(__file__).resolve().parents[2] / "../shared"
CASES = SHARED / "data/warc-cases"
LIMITS = ArchiveLimits()
HTML = "<!DOCTYPE html><html><body><p>한국어 ไทย ខ្មែរ አማርኛ ქართული</p></body></html>".encode()
URL = "http://example.org/page"


class Pipe:
    """A stream that can only be read, in pieces of at most 1,000 bytes."""

    def __init__(self, data: bytes):
        self._data = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, 1000) if size >= 0 else 1000)


def read(data: bytes, limits: ArchiveLimits = LIMITS) -> list[Page | Skipped | Broken]:
    return list(read_archive(Pipe(data), name="a.warc.gz", limits=limits))


def warc(records: Iterable[dict], compress: bool = True) -> bytes:
    """Records of `type`, `url`, `status`, `http` (header pairs; None: no HTTP), `warc` (headers) and `body`."""
    out = io.BytesIO()
    writer = WARCWriter(out, gzip=compress)
    for spec in records:
        http = spec.get("http", [("Content-Type", "text/html")])
        head = None if http is None else StatusAndHeaders(spec.get("status", "200 OK"), http, protocol="HTTP/1.1")
        record = writer.create_warc_record(
            spec.get("url", URL),
            spec.get("type", "response"),
            payload=io.BytesIO(spec.get("body", HTML)),
            length=len(spec.get("body", HTML)),
            http_headers=head,
            warc_content_type=spec.get("content_type", ""),
            warc_headers_dict={"WARC-Date": "2026-10-21T07:08:09Z", **spec.get("warc", {})},
        )
        writer.write_record(record)
    return out.getvalue()


def plain_record(block: bytes, headers: str = "", record_type: str = "response", url: str = URL) -> bytes:
    head = f"WARC/1.0\r\nWARC-Type: {record_type}\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2026-10-21T07:08:09Z\r\n"
    content_type = "" if "Content-Type" in headers else "Content-Type: application/http; msgtype=response\r\n"
    return f"{head}{content_type}{headers}Content-Length: {len(block)}\r\n\r\n".encode() + block + b"\r\n\r\n"


def http(body: bytes, *lines: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", *lines]).encode() + b"\r\n\r\n" + body


def one(data: bytes, limits: ArchiveLimits = LIMITS) -> Page | Skipped | Broken:
    (item,) = read(data, limits)
    return item


def reasons(items: list) -> list[str]:
    return [getattr(item, "reason", "page") for item in items]


def page_of(*lines: str, body: bytes, headers: str = "") -> Page:
    item = one(plain_record(http(body, *lines), headers))
    assert isinstance(item, Page), item
    return item


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


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_decompression_bomb(coding):
    bomb = b"<html>" + b" " * 30_000_000
    body = gzip.compress(bomb) if coding == "gzip" else brotli.compress(bomb, quality=4)
    item = one(warc([{"http": [("Content-Encoding", coding)], "body": body}]))
    assert item.reason == "decompression_ratio"


def zstd(data: bytes) -> bytes:
    out = io.BytesIO()
    writer = ZstdWriter(out)
    writer.write(data)
    writer.close()
    return out.getvalue()


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


PAGES = [{"url": f"http://example.org/{n}", "body": HTML + random.Random(n).randbytes(3000).hex().encode()}
         for n in range(20)]  # fmt: skip


def containers() -> dict[str, bytes]:
    lz4 = io.BytesIO()
    for record in ArchiveIterator(io.BytesIO(warc(PAGES, compress=False)), parse_http=False):
        writer = Lz4Writer(lz4)  # a frame a record, as FastWARC packs them
        record.write(writer)
        writer.close()
    plain = warc(PAGES, compress=False)
    return {
        "plain": plain,
        "members": warc(PAGES),
        "one member": gzip.compress(plain),
        "lz4": lz4.getvalue(),
        "zstd": zstd(plain),
    }


@pytest.mark.parametrize("kind", ["plain", "members", "one member", "lz4", "zstd"])
def test_containers(kind):
    items = read(containers()[kind])
    assert [item.url for item in items] == [spec["url"] for spec in PAGES]
    assert all(isinstance(item, Page) for item in items)


def test_bare_line_feeds():
    block = http(HTML)
    text = f"WARC/1.0\nWARC-Type: response\nWARC-Target-URI: {URL}\nContent-Type: application/http\nContent-Length: "
    record = text.encode() + str(len(block)).encode() + b"\n\n" + block + b"\n\n"
    assert reasons(read(record * 3)) == ["page"] * 3
    assert reasons(read(record + b"noise\n" * 100 + record)) == ["page", "corrupt", "page"]


ARC = (
    b"filedesc://test.arc 0.0.0.0 20080430204825 text/plain 77\n1 0 InternetArchive\n"
    b"URL IP-address Archive-date Content-type Archive-length\n\n"
)
ARC_BLOCK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + HTML


def arc_record(n: int) -> bytes:
    return b"http://example.org/%d 10.0.0.1 20080430204826 text/html %d\n" % (n, len(ARC_BLOCK)) + ARC_BLOCK + b"\n"


@pytest.mark.parametrize("kind", ["plain", "members", "one member"])
def test_arc(kind):
    records = [ARC, *(arc_record(n) for n in range(3))]
    data = b"".join(map(gzip.compress, records)) if kind == "members" else b"".join(records)
    items = read(gzip.compress(data) if kind == "one member" else data)
    assert reasons(items) == ["type", "page", "page", "page"]
    assert items[1].date == "2008-04-30T20:48:26Z"
    assert items[1].body == HTML
    if kind != "one member":
        sizes = [len(gzip.compress(r)) if kind == "members" else len(r) for r in records]
        assert [item.offset for item in items] == [sum(sizes[:n]) for n in range(4)]


def test_arc_goes_on_behind_damage():
    data = ARC + arc_record(0) + b"x" * 500 + b"\n" + arc_record(1) + arc_record(2)[:-40]
    items = read(data)
    assert reasons(items) == ["type", "page", "corrupt", "page", "truncated"]
    assert items[2].offset == len(ARC) + len(arc_record(0))


@pytest.mark.parametrize("kind", ["plain", "members"])
def test_archive_cut_off(kind):
    data = containers()[kind]
    offsets = [item.offset for item in read(data)]
    for cut in (offsets[10] + 3, offsets[10] + 200, offsets[11] - 7):
        items = read(data[:cut])
        whole = kind == "members" and cut == offsets[11] - 7  # only the checksum behind the record is missing
        assert reasons(items) == ["page"] * (11 if whole else 10) + ["truncated"]
        assert items[-1].offset == offsets[10]
        assert "\n" not in items[-1].detail


@pytest.mark.parametrize("kind", ["plain", "members", "lz4"])
def test_archive_damaged_in_the_middle_loses_one_record(kind):
    data = containers()[kind]
    offsets = [item.offset for item in read(data)]
    bad = bytearray(data)
    begin = offsets[10]
    if kind == "plain":
        bad[begin : begin + 20] = b"?" * 20
    else:
        bad[begin + 100 : begin + 400] = random.Random(2).randbytes(300)
    items = read(bytes(bad))
    assert [item.url for item in items if isinstance(item, Page)] == [
        spec["url"] for n, spec in enumerate(PAGES) if n != 10
    ]
    (gap,) = (item for item in items if isinstance(item, Broken))
    assert gap.reason == "corrupt"
    assert gap.offset == (offsets[9] if kind == "lz4" else begin)  # lz4 members cannot be followed to their ends


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not_an_archive"),
        (b"<html>an error page</html>", "not_an_archive"),
        (gzip.compress(b"words"), "not_an_archive"),
        (b"\0" * 300_000, "not_an_archive"),
        (warc(PAGES[:1])[:9], "truncated"),
        (warc(PAGES[:1])[:40] + b"\0" * 5000, "corrupt"),
    ],
)
def test_no_archive_at_all(data, reason):
    assert reasons(read(data)) == [reason]


def test_archive_whose_beginning_is_lost():
    data = containers()["members"]
    second = read(data)[1].offset
    assert reasons(read(b"\0" * 50 + data[second:])) == ["corrupt"] + ["page"] * 19


def test_stream_that_fails():
    class Failing(Pipe):
        def read(self, size: int = -1) -> bytes:
            data = super().read(size)
            if not data:
                raise ConnectionError("reset\nby peer")
            return data

    data = containers()["members"]
    items = list(read_archive(Failing(data[: len(data) // 2]), name="a", limits=LIMITS))
    assert reasons(items)[-1] == "unreadable"
    assert reasons(items)[:-1] == ["page"] * (len(items) - 1)
    assert items[-1].detail == "ConnectionError: reset by peer"


def test_memory_does_not_follow_the_archive():
    import tracemalloc

    record = warc([{"type": "metadata", "http": None, "body": random.Random(3).randbytes(1 << 20)}])

    class Endless:
        def __init__(self, copies: int):
            self._left, self._pending = copies, b""

        def read(self, size: int = -1) -> bytes:
            while len(self._pending) < size and self._left:
                self._pending += record
                self._left -= 1
            data, self._pending = self._pending[:size], self._pending[size:]
            return data

    def peak(copies: int) -> int:
        tracemalloc.start()
        assert sum(1 for _ in read_archive(Endless(copies), name="a", limits=LIMITS)) == copies
        high = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return high

    assert peak(64) < peak(8) + (1 << 20)


@pytest.mark.parametrize("kind", ["plain", "members", "arc"])
def test_mutations_never_raise_and_never_count_twice(kind):
    whole = b"".join([ARC, *(arc_record(n) for n in range(20))]) if kind == "arc" else containers()[kind]
    for seed in range(70):
        chance = random.Random(seed)
        data = bytearray(whole)
        at, size = chance.randrange(len(data)), chance.choice([1, 4, 40, 400])
        match chance.randrange(4):
            case 0:
                data[at : at + size] = chance.randbytes(size)
            case 1:
                del data[at : at + size]
            case 2:
                data[at:at] = chance.randbytes(size)
            case 3:
                del data[at:]
        items = read(bytes(data))
        places = [(item.offset, item.url) for item in items if not isinstance(item, Broken)]
        assert len(places) == len(set(places)), seed
        assert {item.reason for item in items if isinstance(item, Broken)} <= set(ARCHIVE_REASONS)
        assert len(places) <= 21


def case_files() -> list[Path]:
    return sorted(path for path in CASES.rglob("*") if path.is_file())


def warcio_count(path: Path) -> tuple[int, bool]:
    count = 0
    with path.open("rb") as file, contextlib.redirect_stderr(io.StringIO()) as notes:
        try:
            for record in warcio.archiveiterator.ArchiveIterator(file):
                count += 1
                record.raw_stream.read()
        except Exception:
            return count, False
        return count, not notes.getvalue().startswith("    WARNING")


@pytest.mark.skipif(not CASES.exists(), reason="no ../shared/data/warc-cases")
def test_every_case_ends_in_items_that_add_up():
    agreed = 0
    for path in case_files():
        with path.open("rb") as file:
            items = list(read_archive(file, name=path.name, limits=LIMITS))
        assert items, path
        reasons_here = Counter(item.reason for item in items if not isinstance(item, Page))
        assert set(reasons_here) <= {*RECORD_REASONS, *ARCHIVE_REASONS}, path
        broken = sum(isinstance(item, Broken) for item in items)
        count, readable = warcio_count(path)
        if readable and not broken:
            assert len(items) == count, path
            agreed += 1
        elif broken:
            assert len(items) >= count, path
    assert agreed > 80


@pytest.mark.skipif(not CASES.exists(), reason="no ../shared/data/warc-cases")
@pytest.mark.parametrize(
    ("name", "pages"),
    [("whirlwind.warc.gz", 1), ("warcfile.warc.lz4", 16), ("cc.warc.gz", 1), ("example-wrong-chunks.warc.gz", 1),
     ("transfer_compression_brotli.warc.gz", 1), ("clueweb-quirk.warc.gz", 29), ("clipped.warc.gz", 0)],
)  # fmt: skip
def test_pages_of_known_cases(name, pages):
    (path,) = (path for path in case_files() if path.name == name and "_history" not in path.parts)
    with path.open("rb") as file:
        items = list(read_archive(file, name=path.name, limits=LIMITS))
    assert sum(isinstance(item, Page) for item in items) == pages
