"""A page's bytes to a document: characters, a quick look at the language, main text, metadata, in one verdict."""

import sys
from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

from xxhash import xxh3_128_digest

from pipeline.archive.records import Page, Skipped
from pipeline.language.quick_guess import QuickLanguage
from pipeline.page.charset import Decoded, decode
from pipeline.page.isolation import Extracted, Failure, PageWorker
from pipeline.page.metadata import Metadata
from pipeline.page.opt_out import header_flags, opt_out

KNOWN_BYTES = 64 << 20  # of the texts of pages that may come again
_ENTRY_BYTES = 2000  # of the books about a page, and of what has a bound
_ACCIDENTS = frozenset({"timeout", "memory", "parser_crash"})  # what another reading may not meet


@dataclass(frozen=True, slots=True)
class Document:
    """A row of schemas.extract.DOCUMENTS but for `dump` and `file_path`."""

    id: str
    text: str
    url: str
    date: str | None
    offset: int
    title: str | None
    html_lang: str | None
    encoding: str
    encoding_source: str
    n_replacement: int
    truncated: str | None
    payload_digest: str
    opt_out: str
    canonical: str | None = None
    licence: str | None = None
    published: str | None = None


class Reading(NamedTuple):
    """What a payload gives, whatever record it lies in."""

    text: str
    metadata: Metadata
    encoding: str
    encoding_source: str
    n_replacement: int


class Known:
    """What the latest payloads of an archive gave, so that copies are not read again; at most KNOWN_BYTES of memory.

    Payloads are told apart by our own digest: WARC-Payload-Digest may lie, and is of the bytes before decoding.
    """

    def __init__(self, max_bytes: int = KNOWN_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entries: OrderedDict[bytes, Reading | Failure] = OrderedDict()

    def get(self, key: bytes) -> Reading | Failure | None:
        if key in self._entries:
            self._entries.move_to_end(key)
        return self._entries.get(key)

    def put(self, key: bytes, reading: Reading | Failure) -> None:
        if _size(reading) > self._max_bytes or (isinstance(reading, Failure) and reading.reason in _ACCIDENTS):
            return
        self._entries[key] = reading
        self._bytes += _size(reading)
        while self._bytes > self._max_bytes:
            self._bytes -= _size(self._entries.popitem(last=False)[1])

    def __len__(self) -> int:
        return len(self._entries)


def _size(reading: Reading | Failure) -> int:
    if isinstance(reading, Failure):
        return _ENTRY_BYTES + sys.getsizeof(reading.detail)
    said = reading.metadata
    strings = (reading.text, said.title, said.html_lang, *said.links, said.base, said.licence, *said.days)
    return _ENTRY_BYTES + sum(map(sys.getsizeof, strings))


def extract_page(
    page: Page, worker: PageWorker, guess: QuickLanguage | None = None, known: Known | None = None
) -> Document | Skipped:
    """The document of a page; text of WET records is taken as it is, without an engine.

    guess: refuses pages that are surely in no wanted language.  known: the archive's, or every page is read.
    """
    key = _key(page)
    reading = known.get(key) if known is not None else None
    if reading is None:
        reading = _read(page, worker, guess)
        if known is not None:
            known.put(key, reading)
    if isinstance(reading, Failure):
        return Skipped(page.record_type, reading.reason, page.url, page.record_id, page.offset, reading.detail)
    said = reading.metadata
    return Document(
        page.record_id, reading.text, page.url, page.date, page.offset, said.title, said.html_lang,
        reading.encoding, reading.encoding_source, reading.n_replacement, page.truncated, page.payload_digest,
        opt_out(header_flags(page.statements) | said.flags), said.canonical(page.url), said.licence,
        said.published(page.date),
    )  # fmt: skip


def _key(page: Page) -> bytes:
    """All that `_read` looks at."""
    said = f"{int(page.is_text)} {page.http_charset or ''}\n".encode("utf-8", "surrogatepass")
    return xxh3_128_digest(said) + xxh3_128_digest(page.body)


def _read(page: Page, worker: PageWorker, guess: QuickLanguage | None) -> Reading | Failure:
    decoded = decode(page.body, page.http_charset)
    if decoded is None:
        return Failure("charset")
    data = in_utf8(page.body, decoded)
    if guess is not None and (other := guess.refuses(data, is_text=page.is_text)):
        return Failure("language", other)
    if page.is_text:
        text = decoded.text.strip()
        extracted = Extracted(text) if text else Failure("no_main_text")
    else:
        extracted = worker.extract(data)
    if isinstance(extracted, Failure):
        return extracted
    return Reading(extracted.text, extracted.metadata, decoded.encoding, decoded.source, decoded.n_replacement)


def in_utf8(body: bytes, decoded: Decoded) -> bytes:
    """The page as engines read it: most are as they come."""
    if decoded.encoding == "utf-8" and not decoded.n_replacement and not body.startswith(b"\xef\xbb\xbf"):
        return body
    return decoded.text.encode("utf-8", "replace")
