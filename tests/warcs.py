"""Archives made by hand, and reading them in small pieces."""

import io
from collections.abc import Iterable
from pathlib import Path

from fastwarc.stream_io import ZstdWriter
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from pipeline.archive.records import ArchiveLimits, Broken, Page, Skipped, read_archive

SHARED = Path(__file__).resolve().parents[1] / "../shared"
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


def zstd(data: bytes) -> bytes:
    out = io.BytesIO()
    writer = ZstdWriter(out)
    writer.write(data)
    writer.close()
    return out.getvalue()
