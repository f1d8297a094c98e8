"""Real records, damaged in every way that a fixed seed draws: nothing crashes, no page goes beyond its limits, every
record is in the account, and the records beside the damaged one come out as if it were whole.
"""

import gzip
import io
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
import pytest
from fastwarc.warc import ArchiveIterator
from programs import ARCHIVE
from warcs import CASES, LIMITS, SHARED, plain_record, zstd

from pipeline.archive.manifest import Archive
from pipeline.archive.records import read_archive
from pipeline.config import ExtractConfig
from pipeline.page.engines import Engine
from pipeline.stages import extract
from pipeline.stages.extract_tasks import Part
from schemas.extract import REASONS

WEB = SHARED / "data/web"
CHUNK = 50  # mutations of one test
PER_FILE = 120  # records of each web archive
PAGES = re.compile(r"mutations/(\d)")
CONTAINERS: dict[str, Callable[[list[bytes]], bytes]] = {
    "plain": b"".join,
    "members": lambda records: b"".join(map(gzip.compress, records)),
    "one member": lambda records: gzip.compress(b"".join(records)),
    "zstd": lambda records: b"".join(map(zstd, records)),
}
LENGTH = re.compile(rb"(?<=\nContent-Length: )[^\r]*", re.I)
LENGTHS = (b"0", b"1", b"17", b"-5", b"", b"many", b"1e3", b"99999999999", b"9" * 30, b"\xd9\xa7", b"0x10", b"100000")
TYPES = (b"request", b"revisit", b"metadata", b"warcinfo", b"", b"RESPONSE ", b"re\xffnse", b"conversion", b"resource")
ENCODINGS = (b"gzip", b"x-gzip", b"deflate", b"br", b"zstd", b"gzip, br", b"identity", b"compress", b"\xff", b"none")
CHARSETS = (b"utf-16", b"utf-7", b"shift_jis", b"x-none", b"iso-2022-kr", b"", b"\xfe\xff", b"gb18030", b"hz-gb-2312")
STATUSES = (b"HTTP/1.1 200", b"HTTP/1.1 2000 OK", b"HTTP/9 200 OK", b"ICY 200 OK", b"", b"HTTP/1.1 404 No", b"\x00\x01")

Change = Callable[[np.random.Generator, bytes], bytes]


def span(rng: np.random.Generator, data: bytes) -> tuple[int, int]:
    """A stretch of 1 byte to all of it, short ones as often as long ones."""
    size = int(len(data) ** rng.random())
    begin = int(rng.integers(0, max(len(data) - size, 0) + 1))
    return begin, begin + size


def flipped(rng: np.random.Generator, data: bytes) -> bytes:
    found = np.frombuffer(data, np.uint8).copy()
    if len(found):
        begin, end = span(rng, data)
        at = rng.integers(begin, max(end, begin + 1), int(rng.integers(1, 200)))
        found[np.minimum(at, len(found) - 1)] ^= rng.integers(1, 256, len(at), dtype=np.uint8)
    return found.tobytes()


def cut(rng: np.random.Generator, data: bytes) -> bytes:
    begin, end = span(rng, data)
    return data[:begin] + data[end:]


def doubled(rng: np.random.Generator, data: bytes) -> bytes:
    begin, end = span(rng, data)
    return data[:end] + data[begin:]


def zeroed(rng: np.random.Generator, data: bytes) -> bytes:
    begin, end = span(rng, data)
    return data[:begin] + bytes(end - begin) + data[end:]


def noisy(rng: np.random.Generator, data: bytes) -> bytes:
    begin, _ = span(rng, data)
    return data[:begin] + rng.bytes(int(rng.integers(1, 2000))) + data[begin:]


RAW: tuple[Change, ...] = (flipped, cut, doubled, zeroed, noisy)


def parts(record: bytes) -> tuple[bytes, bytes, bytes]:
    """WARC head, HTTP head and body, each head with its blank line."""
    head, _, block = record.removesuffix(b"\r\n\r\n").partition(b"\r\n\r\n")
    http, blank, body = block.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", http + blank, body


def whole(head: bytes, block: bytes) -> bytes:
    """A record whose length is true."""
    return LENGTH.sub(str(len(block)).encode(), head, count=1) + block + b"\r\n\r\n"


def lying_length(rng: np.random.Generator, record: bytes) -> bytes:
    wrong = (*LENGTHS, str(len(record) + int(rng.integers(-2000, 2000))).encode())
    return LENGTH.sub(wrong[rng.integers(len(wrong))], record, count=1)


def garbled_type(rng: np.random.Generator, record: bytes) -> bytes:
    return re.sub(rb"(?<=\nWARC-Type: )[^\r]*", TYPES[rng.integers(len(TYPES))], record, count=1)


def garbled_head(rng: np.random.Generator, record: bytes) -> bytes:
    head, http, body = parts(record)
    return RAW[rng.integers(len(RAW))](rng, head) + http + body + b"\r\n\r\n"


def garbled_http(rng: np.random.Generator, record: bytes) -> bytes:
    head, http, body = parts(record)
    return whole(head, RAW[rng.integers(len(RAW))](rng, http) + body)


def garbled_body(rng: np.random.Generator, record: bytes) -> bytes:
    head, http, body = parts(record)
    return whole(head, http + RAW[rng.integers(len(RAW))](rng, body))


def lying_http(rng: np.random.Generator, record: bytes) -> bytes:
    """Encodings, chunks, character set or status that are not those of the body; some are, and are damaged then."""
    head, http, body = parts(record)
    status, _, lines = http.partition(b"\r\n")
    match rng.integers(5):
        case 0:
            lines = b"Content-Encoding: " + ENCODINGS[rng.integers(len(ENCODINGS))] + b"\r\n" + lines
        case 1:
            lines = b"Content-Encoding: gzip\r\n" + lines
            body = RAW[rng.integers(len(RAW))](rng, gzip.compress(body, 1))
        case 2:
            lines = b"Transfer-Encoding: chunked\r\n" + lines
            if rng.random() < 0.7:
                pieces = (body[at : at + 5000] for at in range(0, len(body), 5000))
                body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
                body = RAW[rng.integers(len(RAW))](rng, body)
        case 3:
            lines = b"Content-Type: text/html; charset=" + CHARSETS[rng.integers(len(CHARSETS))] + b"\r\n" + lines
        case 4:
            status = STATUSES[rng.integers(len(STATUSES))]
    return whole(head, status + b"\r\n" + lines + body)


RECORD: tuple[Change, ...] = (*RAW, lying_length, garbled_type, garbled_head, garbled_http, garbled_body, lying_http)


def swapped_tags(rng: np.random.Generator, page: bytes) -> bytes:
    tokens = re.split(rb"(<[^<>]*>)", page)
    tags = np.arange(1, len(tokens), 2)
    share = rng.choice(tags, int(len(tags) * rng.choice([0.01, 0.2, 1.0])), replace=False)
    for one, other in zip(share[::2], share[1::2], strict=False):
        tokens[one], tokens[other] = tokens[other], tokens[one]
    return b"".join(tokens)


def some(pattern: bytes, replace: Callable[[np.random.Generator, bytes], bytes]) -> Change:
    """Of what matches, a share that is drawn is replaced."""

    def change(rng: np.random.Generator, page: bytes) -> bytes:
        share = rng.choice([0.005, 0.1, 1.0])
        return re.sub(pattern, lambda m: replace(rng, m.group()) if rng.random() < share else m.group(), page)

    return change


def nested(rng: np.random.Generator, page: bytes) -> bytes:
    """Many open elements at a place between tags."""
    tags = (b"<div>", b"<table><tr><td>", b"<ul><li>", b"<b><i>", b"<svg><g>", b"<font>", b"<p>", b"<template>", b"<a>")
    places = [match.start() for match in re.finditer(b"<", page)] or [0]
    at = places[rng.integers(len(places))]
    return page[:at] + tags[rng.integers(len(tags))] * int(10 ** (4 * rng.random())) + page[at:]


def opened(rng: np.random.Generator, page: bytes) -> bytes:
    """Something that is not closed."""
    what = (b"<!--", b"<script>", b"<style>", b"<textarea>", b"<title>", b"<![CDATA[", b"<plaintext>", b'<a href="',
            b"<!DOCTYPE", b"<", b"</", b"<?xml", b"<noscript>", b"<iframe>", b"<select>", b"<frameset>")  # fmt: skip
    places = [match.start() for match in re.finditer(b"<", page)] or [0]
    at = places[rng.integers(len(places))]
    return page[:at] + what[rng.integers(len(what))] + page[at:]


def noise(rng: np.random.Generator, _: bytes) -> bytes:
    found = (b"&#xD800;", b"&#0;", b"&#x110000;", b"&", b"&amp", b"&#99999999999;", b"&nosuch;", b"\0", b"\xff")
    return found[rng.integers(len(found))]


HTML: tuple[Change, ...] = (
    swapped_tags,
    nested,
    opened,
    some(rb"[\"']", lambda rng, _: b""),
    some(rb"[\"']", lambda rng, quote: b"'" if quote == b'"' else b'"'),
    some(rb"\s[a-zA-Z-]+=\"[^\"<>]*\"", lambda rng, attribute: attribute * int(rng.integers(2, 20))),
    some(rb"&#?\w+;", noise),
    some(rb"(?<=[a-z]) (?=[a-z])", noise),
    some(rb"</\w+>", lambda rng, _: b""),
    some(rb">", lambda rng, _: b""),
    some(rb"<", lambda rng, _: b"<<"),
    some(rb"</?[a-z]+", lambda rng, tag: tag.upper()),
    some(rb"<[a-z]+", lambda rng, tag: b"<" + rng.permutation(list(b"abcdhiprtuv")).astype(np.uint8).tobytes()[:3]),
    some(rb"\n", lambda rng, _: b""),
    *RAW,
)


def changed_page(rng: np.random.Generator, record: bytes) -> bytes:
    head, http, body = parts(record)
    for _ in range(rng.integers(1, 4)):
        body = HTML[rng.integers(len(HTML))](rng, body)
    return whole(head, http + body[: LIMITS.max_page_bytes])


@cache
def sample_records() -> list[bytes]:
    return list(records_of(ARCHIVE / "sample.warc.gz"))


@cache
def web_records() -> list[bytes]:
    return [record for path in sorted(WEB.glob("*.warc.gz")) for record in islice(records_of(path), PER_FILE)]


@cache
def case_archives() -> list[bytes]:
    found = (path.read_bytes() for path in sorted(CASES.rglob("*")) if path.is_file())
    return [data for data in found if len(data) < 300_000]


def records_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        for record in ArchiveIterator(file, parse_http=False):
            out = io.BytesIO()
            record.write(out)
            yield out.getvalue()


def neighbour(n: int) -> bytes:
    words = "გვერდი, որը ჩანს, strona obok, 隣のページ、หน้าข้างเคียง, ገጽ, соседняя страница, sayfa " * 6
    page = f"<html><title>{n}</title><body><article><p>{words}{n}.</p><p>{words}</p></article>".encode()
    block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + page
    return plain_record(block, f"WARC-Record-ID: <urn:uuid:{n:032}>\r\n", url=f"http://example.org/mutations/{n}")


NEIGHBOURS = [neighbour(n) for n in range(4)]


class Read(NamedTuple):
    receipt: dict[str, Any]
    documents: list[dict[str, Any]]
    skipped: list[dict[str, Any]]


def read(data: bytes, folder: Path, engine: Engine = "blocks") -> Read:
    """An archive through the code of a task of the job: its receipt and its rows."""
    (folder / "a.warc").write_bytes(data)
    archive = Archive("a.warc", str(folder / "a.warc"), len(data))
    name = extract.file_name(archive)
    began = time.process_time()
    extract.read_part(Part(archive), extract.Reading(ExtractConfig(engine=engine), None, str(folder / "out")))
    assert time.process_time() - began < LIMITS.page_seconds  # of what runs outside the guarded process
    tables = [folder / "out" / table / name for table in ("documents", "skipped", "inputs")]
    documents, skipped, (receipt,) = (pq.read_table(path).to_pylist() for path in tables)
    for path in tables:
        path.unlink()
    return Read(receipt, documents, skipped)


def account_holds(found: Read, data: bytes) -> None:
    """Every item is counted once, and every page has its row."""
    counts = Counter({(one["record_type"], one["reason"]): one["count"] for one in found.receipt["counts"]})
    reasons = {reason for _, reason in counts} - {None}
    assert reasons <= set(REASONS), reasons
    items = sum(1 for _ in read_archive(io.BytesIO(data), name="a.warc", limits=LIMITS))
    assert counts.total() == found.receipt["records"] == items
    documents = sum(count for (_, reason), count in counts.items() if reason is None)
    assert documents == found.receipt["documents"] == len(found.documents)
    assert all(row["text"] and row["url"] for row in found.documents)
    lost = Counter(row["reason"] for row in found.skipped)
    for reason in reasons - {"type"}:
        assert lost[reason] == sum(count for (_, why), count in counts.items() if why == reason), reason


@cache
def undamaged(folder: Path, engine: Engine) -> dict[int, str]:
    return neighbours_of(read(b"".join(NEIGHBOURS), folder, engine))


def neighbours_of(found: Read) -> dict[int, str]:
    return {int(match.group(1)): row["text"] for row in found.documents if (match := PAGES.search(row["url"]))}


def swallowed(before: int, record: bytes, later: list[bytes]) -> set[int]:
    """Neighbours behind the record that lie in what its head says is its own; all, where it would be the rest."""
    length = LENGTH.search(record[: record.find(b"\r\n\r\n") + 4])
    if length is None or not length.group().strip().isdigit():
        return set()
    end = before + record.find(b"\r\n\r\n") + 4 + int(length.group())
    starts = np.cumsum([before + len(record), *map(len, later)])
    return {n for n, start in enumerate(starts[:-1].tolist(), 1) if start < end <= starts[-1]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("mutations")
    for part in ("", "clean"):
        (folder / part).mkdir(exist_ok=True)
    yield folder
    extract._worker.cache_clear()  # ends the extraction processes


def check(seed: int, records: list[bytes], folder: Path, engine: Engine = "blocks") -> None:
    """One mutation of one record between neighbours, in one of the containers."""
    rng = np.random.default_rng(seed)
    record = records[rng.integers(len(records))]
    container = list(CONTAINERS)[rng.integers(len(CONTAINERS))]
    how = ("record", "page", "stored")[rng.integers(3)]
    if how == "stored":  # the damage is in what lies on disk
        damage = RAW[rng.integers(len(RAW))]
        stored = [CONTAINERS[container]([one]) for one in (NEIGHBOURS[0], record, *NEIGHBOURS[1:])]
        stored[1] = damage(rng, stored[1])
        data, record = b"".join(stored), stored[1] if container == "plain" else b""
    else:
        record = (changed_page if how == "page" else RECORD[rng.integers(len(RECORD))])(rng, record)
        data = CONTAINERS[container]([NEIGHBOURS[0], record, *NEIGHBOURS[1:]])
    try:
        found = read(data, folder, engine)
        account_holds(found, data)
        seen, known = neighbours_of(found), undamaged(folder / "clean", engine)
        assert all(seen[n] == known[n] for n in seen)
        missing = set(known) - set(seen)
        if container != "members" and how != "page":
            missing -= swallowed(len(NEIGHBOURS[0]), record, NEIGHBOURS[1:])
        if container != "one member" or found.receipt["status"] == "ok":  # nothing can be found again inside a member
            assert not missing
        if engine == "blocks":
            reasons = {row["reason"] for row in found.skipped}
            assert not reasons & {"timeout", "memory", "parser_crash", "too_deep"}
    except Exception as error:
        error.add_note(f"mutation {seed}: {container}, {how}, engine {engine}")
        raise


def chunks(quick: int, all_: int) -> list[Any]:
    return [n if n < quick else pytest.param(n, marks=pytest.mark.faults) for n in range(all_)]


@pytest.mark.parametrize("chunk", chunks(4, 20))
def test_records_of_the_sample(chunk: int, folder: Path) -> None:
    for n in range(CHUNK):
        check(chunk * CHUNK + n, sample_records(), folder)


@pytest.mark.skipif(not WEB.exists(), reason="no ../shared/data/web")
@pytest.mark.parametrize("chunk", chunks(2, 60))
def test_records_of_the_web(chunk: int, folder: Path) -> None:
    for n in range(CHUNK):
        check(100_000 + chunk * CHUNK + n, web_records(), folder)


@pytest.mark.skipif(not CASES.exists(), reason="no ../shared/data/warc-cases")
@pytest.mark.parametrize("chunk", chunks(2, 20))
def test_archives_of_others(chunk: int, folder: Path) -> None:
    """Whole archives, which are odd as they are."""
    for seed in range(200_000 + chunk * CHUNK, 200_000 + (chunk + 1) * CHUNK):
        rng = np.random.default_rng(seed)
        data = case_archives()[rng.integers(len(case_archives()))]
        for _ in range(rng.integers(1, 4)):
            data = RAW[rng.integers(len(RAW))](rng, data)
        try:
            account_holds(read(data, folder), data)
        except Exception as error:
            error.add_note(f"mutation {seed}")
            raise


@pytest.mark.faults
@pytest.mark.parametrize("engine", ["trafilatura", "resiliparse"])
def test_other_engines(engine: Engine, folder: Path) -> None:
    for seed in range(300_000, 300_300):
        check(seed, sample_records(), folder, engine)


def test_mutations_differ() -> None:
    """Each way of damage changes records, and the seed decides how."""
    record = sample_records()[5]
    for change in (*RECORD, changed_page):
        made = {change(np.random.default_rng(seed), record) for seed in range(12)}
        assert len(made - {record}) > 3, change


@pytest.mark.parametrize("container", ["plain", "members"])
@pytest.mark.parametrize("length", [b"100000", b"99999999999"])
def test_a_length_beyond_the_end_costs_one_record(container: str, length: bytes, folder: Path) -> None:
    wrong = LENGTH.sub(length, neighbour(9), count=1)
    found = read(CONTAINERS[container]([NEIGHBOURS[0], wrong, *NEIGHBOURS[1:]]), folder)
    assert set(neighbours_of(found)) == {0, 1, 2, 3}
    status = "truncated" if container == "plain" else "corrupt"
    assert found.receipt["status"] == status and found.receipt["broke_at"] > 0


def test_a_length_beyond_its_gzip_member_costs_one_record(folder: Path) -> None:
    wrong = LENGTH.sub(b"5500", neighbour(9), count=1)  # of 2,066 bytes: reaches into the second record behind it
    found = read(CONTAINERS["members"]([NEIGHBOURS[0], wrong, *NEIGHBOURS[1:]]), folder)
    assert set(neighbours_of(found)) == {0, 1, 2, 3} and found.receipt["status"] == "corrupt"
    together = gzip.compress(b"".join([*NEIGHBOURS[:2], wrong])) + gzip.compress(b"".join(NEIGHBOURS[2:]))
    assert {0, 1} <= set(neighbours_of(read(together, folder)))
    archive = NEIGHBOURS[3]  # a page that quotes an archive is no damage
    quoting = whole(*(parts(archive)[0], b"\r\n\r\n".join([parts(archive)[1].strip(), b"<p>Quote:</p>\n" + archive])))
    assert read(gzip.compress(quoting), folder).receipt["status"] == "ok"


def test_blank_lines_are_no_end_of_the_archive(folder: Path) -> None:
    """Behind a record that is four bytes longer than it says."""
    short = LENGTH.sub(lambda match: b"%d" % (int(match.group()) - 4), NEIGHBOURS[0], count=1)
    found = read(short + b"\r\n\r\n" + NEIGHBOURS[1] + NEIGHBOURS[2], folder)
    assert set(neighbours_of(found)) == {0, 1, 2} and found.receipt["status"] == "corrupt"


@pytest.mark.parametrize("container", ["plain", "members"])
def test_a_length_beyond_the_end_of_an_arc_costs_one_record(container: str, folder: Path) -> None:
    def arc(n: int, length: int | None = None) -> bytes:
        block = b"".join(parts(neighbour(n))[1:])
        line = f"http://example.org/mutations/{n} 10.0.0.1 20080430204826 text/html {length or len(block)}\n"
        return line.encode() + block + b"\n"

    found = read(CONTAINERS[container]([arc(0), arc(1, 10**7), arc(2), arc(3)]), folder)
    assert set(neighbours_of(found)) == {0, 2, 3} and found.receipt["status"] == "truncated"
