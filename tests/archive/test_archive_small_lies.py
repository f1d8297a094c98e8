"""Lengths that are a little too large cost nothing: ClueWeb09 (WARC/0.18) has bare line feeds and counts the carriage
returns that were taken out.
"""

import gzip
import io
import random
import time
from collections.abc import Callable

import pytest
from warcs import LIMITS, http, plain_record, read, reasons

from pipeline.archive.parts import part_starts
from pipeline.archive.records import Page, read_archive

TEXTS = ["中文", "日本語", "한국어", "ไทย", "ខ្មែរ", "العربية", "עברית", "हिन्दी", "தமிழ்",
         "አማርኛ", "ქართული", "Русский", "Türkçe", "English"]  # fmt: skip
PACKS: dict[str, Callable[[list[bytes]], bytes]] = {
    "plain": b"".join,
    "one member": lambda records: gzip.compress(b"".join(records), 1),
    "members": lambda records: b"".join(gzip.compress(record, 1) for record in records),
    "members of three": lambda records: b"".join(
        gzip.compress(b"".join(records[at : at + 3]), 1) for at in range(0, len(records), 3)
    ),
    "blocks": lambda records: b"".join(
        gzip.compress(b"".join(records)[at : at + 5000], 1) for at in range(0, sum(map(len, records)), 5000)
    ),
}


def body_of(n: int) -> bytes:
    lines = "".join(f"<p>{TEXTS[(n + k) % len(TEXTS)]} {n}\n" for k in range(n % 40))
    return f"<!doctype html>\n<title>{n}</title>\n{lines}</html>".encode()


def record(n: int, length: int | None = None, line: bytes = b"\n", record_type: str = "response") -> bytes:
    """A record as ClueWeb09 has them: each line of its block counted with the carriage return that it had."""
    lines = [b"HTTP/1.1 200 OK", b"Content-Type: text/html; charset=utf-8", b"Server: X", b"", body_of(n)]
    block = line.join(lines)
    counted = len(block) + (block.count(b"\n") if line == b"\n" else 0)
    head = [b"WARC/0.18", b"WARC-Type: " + record_type.encode(), b"WARC-Target-URI: http://clue.example/%d" % n,
            b"Content-Type: application/http; msgtype=response",
            b"Content-Length: %d" % (counted if length is None else len(block) + length), b"", block]  # fmt: skip
    return line.join(head) + 2 * line


def numbers(items: list) -> list[int]:
    return [int(item.url.rpartition("/")[2]) for item in items if isinstance(item, Page)]


def all_are_whole(items: list, count: int) -> None:
    assert len(items) == count
    assert numbers(items) == list(range(count))
    assert [item.body.rstrip(b"\r\n") for item in items] == [body_of(n) for n in range(count)]


@pytest.mark.parametrize("pack", PACKS)
def test_lengths_that_count_stripped_carriage_returns(pack: str) -> None:
    all_are_whole(read(PACKS[pack](list(map(record, range(120))))), 120)


@pytest.mark.parametrize("pack", ["plain", "one member", "members"])
@pytest.mark.parametrize("most", [2000, pytest.param(10_000, marks=pytest.mark.faults)])
def test_many_of_them_cost_time_in_proportion(pack: str, most: int) -> None:
    costs = []
    for count in (most // 4, most):
        data = PACKS[pack](list(map(record, range(count))))
        began = time.process_time()
        items = list(read_archive(io.BytesIO(data), name="a", limits=LIMITS))
        costs.append(time.process_time() - began)
        all_are_whole(items, count)
    assert costs[1] < 8 * costs[0] + 1


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("line", [b"\n", b"\r\n"])
@pytest.mark.parametrize("length", [*range(1, 17), 40])
def test_any_small_lie_costs_nothing(pack: str, line: bytes, length: int) -> None:
    all_are_whole(read(PACKS[pack]([record(n, length, line) for n in range(9)])), 9)


@pytest.mark.parametrize("pack", ["plain", "one member", "members of three"])
@pytest.mark.parametrize("line", [b"\n", b"\r\n"])
@pytest.mark.parametrize("length", [200, 700, 1500])
def test_a_larger_lie_costs_its_record_alone(pack: str, line: bytes, length: int) -> None:
    """Wherever it ends, if that is inside a record: what it would have swallowed comes out."""
    for n in (0, 4, 5, 20):
        records = [record(k, length if k == n else 0, line) for k in range(30)]
        items = read(PACKS[pack](records))
        assert numbers(items) == [k for k in range(30) if k != n]
        assert reasons(items).count("corrupt") == 1 and len(items) == 30
        assert all(b"WARC/" not in item.body for item in items if isinstance(item, Page))


@pytest.mark.parametrize("pack", ["plain", "one member"])
def test_a_lie_that_ends_with_the_archive(pack: str) -> None:
    """A little behind the last record, but far behind its own."""
    records = [record(n) for n in range(6)]
    swallowed = sum(map(len, records[3:])) + 2
    items = read(PACKS[pack]([*records[:2], record(2, swallowed + 5), *records[3:]]))
    assert numbers(items) == [0, 1, 3, 4, 5] and reasons(items).count("corrupt") == 1


@pytest.mark.parametrize("pack", PACKS)
def test_records_that_give_no_page_lie_too(pack: str) -> None:
    """Their blocks are passed over, not held."""
    kinds = ["response", "request", "metadata", "warcinfo"]
    items = read(PACKS[pack]([record(n, record_type=kinds[n % 4]) for n in range(40)]))
    assert reasons(items) == ["page", "type", "type", "type"] * 10


@pytest.mark.parametrize("pack", ["plain", "one member", "members", "blocks"])
@pytest.mark.parametrize("line", [b"\n", b"\r\n"])
def test_a_page_that_quotes_an_archive_to_its_end(pack: str, line: bytes) -> None:
    """Even where the quoted record says that it goes on, and even before damage, the length of the page is believed."""
    quote = b"<pre>\n" + line.join([b"", b"WARC/1.0", b"WARC-Type: response", b"Content-Length: %d", b"", b"x"])
    for said in (1, 10**6):
        block = http(b"<p>page</p>" + quote % said, "Content-Type: text/html")
        page = plain_record(block)
        if line == b"\n":
            head, blank, _ = page.partition(b"\r\n\r\n")
            page = (head + blank).replace(b"\r\n", b"\n") + block + b"\n\n"
        items = read(PACKS[pack]([page] * 6))
        assert reasons(items) == ["page"] * 6
        assert all(item.body.endswith(quote % said) for item in items)
    quoting = plain_record(http(b"<p>page</p>" + quote % 1 + b"." * 500))
    items = read(PACKS[pack]([quoting + b"?" * 300 + b"\r\n", plain_record(http(b"<p>more"))]))
    assert reasons(items) == ["page", "corrupt", "page"] and items[0].body.endswith(quote % 1 + b"." * 500)


@pytest.mark.parametrize("pack", ["plain", "one member", "members"])
def test_an_archive_cut_off_is_not_taken_for_a_lie(pack: str) -> None:
    records = [record(n, 0) for n in range(6)]
    data = PACKS[pack](records)
    ends = len(PACKS[pack](records[:5])) if pack != "one member" else 0
    for cut in range(ends + 300, len(data) - 12, 97) if ends else (len(data) // 2, len(data) - 60):
        assert "truncated" in reasons(read(data[:cut])), cut


def test_large_pages_that_lie() -> None:
    """Larger than what the reader remembers."""
    filler = random.Random(1).randbytes(1_600_000).hex().encode()
    pages = [plain_record(http(b"<p>%d " % n + filler), url=f"http://clue.example/{n}") for n in range(3)]
    length = len(pages[0].partition(b"\r\n\r\n")[2]) - 4
    pages = [page.replace(b"Length: %d\r" % length, b"Length: %d\r" % (length + 30)) for page in pages]
    for pack in ("plain", "one member", "members"):
        items = read(PACKS[pack](pages))
        assert numbers(items) == [0, 1, 2] and all(item.body.endswith(filler) for item in items)


def test_parts_of_an_archive_that_lies(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Where parts begin does not depend on what is held of a block."""
    data = b"".join(record(n, n % 9, b"\r\n") for n in range(400))
    (tmp_path / "a.warc").write_bytes(data)
    starts = part_starts(str(tmp_path / "a.warc"), 65536)
    assert len(starts) > 3
    items: list = []
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        stream = io.BytesIO(data)
        stream.seek(start)
        items += read_archive(stream, name="a", limits=LIMITS, start=start, end=end)
    assert items == list(read_archive(io.BytesIO(data), name="a", limits=LIMITS))
    all_are_whole(items, 400)
