"""Records that say that they are longer than what holds them cost themselves alone, and no more time than others."""

import gzip
import random
import re
import time
from collections.abc import Callable

import pytest
from warcs import LIMITS, Pipe, http, plain_record, read, reasons, zstd

from pipeline.archive.records import Broken, Page, read_archive
from pipeline.archive.window import Window

TEXTS = ["中文", "日本語", "한국어", "ไทย", "ខ្មែរ", "العربية", "עברית", "हिन्दी", "தமிழ்",
         "አማርኛ", "ქართული", "Русский", "Türkçe", "English"]  # fmt: skip
QUOTE = b"\nWARC/1.0\r\nWARC-Type: response\r\nContent-Length: 5\r\n\r\nquote\r\n\r\n"
FILLER = " ".join(TEXTS).encode() * 3
PACKS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstd}


def page(n: int, length: int | None = None, body: bytes = b"", record_type: str = "response") -> bytes:
    text = f"<p>{TEXTS[n % len(TEXTS)]} {n}</p>".encode()
    block = http(text + body, "Content-Type: text/html")
    record = plain_record(block, url=f"http://example.org/{n}", record_type=record_type)
    return record if length is None else record.replace(b"Length: %d\r" % len(block), b"Length: %d\r" % length, 1)


def numbers(items: list) -> list[int]:
    return [int(item.url.rpartition("/")[2]) for item in items if isinstance(item, Page)]


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("length", [180, 1000, 10**4, 10**6, 10**7, 10**9, 10**18])
@pytest.mark.parametrize("place", [0, 20, 39])
@pytest.mark.parametrize("record_type", ["response", "metadata"])
def test_a_lie_costs_one_record(pack: str, length: int, place: int, record_type: str) -> None:
    records = [page(n, length if n == place else None, b"", record_type if n == place else "response")
               for n in range(40)]  # fmt: skip
    members = [PACKS[pack](record) for record in records]
    items = read(b"".join(members))
    assert numbers(items) == [n for n in range(40) if n != place]
    (gap,) = (item for item in items if isinstance(item, Broken))
    assert gap.offset == sum(map(len, members[:place]))
    assert gap.reason == ("corrupt" if place < 39 else "truncated")
    assert f"http://example.org/{place}" in gap.detail


@pytest.mark.parametrize("pack", PACKS)
def test_a_lie_of_a_record_beyond_the_window(pack: str) -> None:
    """Nothing of the record's own member is remembered when its end is seen."""
    noise = random.Random(1).randbytes(3 << 20)
    records = [page(0), page(1, 10**9, noise), *(page(n, body=noise[:n]) for n in range(2, 60))]
    items = read(b"".join(map(PACKS[pack], records)))
    assert numbers(items) == [0, *range(2, 60)]
    assert reasons(items).count("corrupt") == 1 and len(items) == 60


@pytest.mark.parametrize("body", [b"", b"\nWARC/1.0\r\n"])
@pytest.mark.parametrize("length", [10**6, 10**9])
def test_many_lies_cost_time_in_proportion(body: bytes, length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plain_read, taken = Window.read, 0

    def counted(window: Window, size: int = -1) -> bytes:
        nonlocal taken
        data = plain_read(window, size)
        taken += len(data)
        return data

    monkeypatch.setattr(Window, "read", counted)
    costs = []
    for count in (600, 2400):
        data = b"".join(gzip.compress(page(n, length, body), 1) for n in range(count))
        taken, begin = 0, time.process_time()
        items = read(data)
        costs.append((taken, time.process_time() - begin))
        assert reasons(items) == ["corrupt"] * (count - 1) + ["truncated"]
        assert [item.offset for item in items] == sorted({item.offset for item in items})
    assert costs[1][0] < 2400 * (1 << 17)  # bytes: two buffers of the decompressor a record
    assert costs[1][1] < 12 * costs[0][1] + 2


@pytest.mark.parametrize("container", ["gzip", "zstd", "one member", "one frame", "plain", "blocks"])
def test_a_page_that_quotes_an_archive_is_read_whole(container: str) -> None:
    quotes = [(QUOTE + FILLER) * (1 + n * n * 40) for n in range(8)]
    records = [page(n, body=quotes[n]) for n in range(8)]
    data = b"".join(records)
    if container in PACKS:
        data = b"".join(map(PACKS[container], records))
    elif container == "blocks":  # as bgzip packs: members end anywhere, honest records go on in the next ones
        data = b"".join(gzip.compress(data[at : at + 5000]) for at in range(0, len(data), 5000))
    elif container != "plain":
        data = PACKS["gzip" if container == "one member" else "zstd"](data)
    items = read(data)
    assert reasons(items) == ["page"] * 8
    assert [item.body.partition(b"</p>")[2] for item in items] == quotes


@pytest.mark.parametrize("lenient", [False, True])
def test_lies_among_members_of_many_records(lenient: bool) -> None:
    """The last record of a member goes on into the next: what is before it and behind it stays."""
    lie = page(4, 10**9)
    parts = [b"".join([*map(page, range(4)), lie]), b"".join(map(page, range(5, 9))), page(9)]
    if lenient:
        head = re.compile(rb"WARC/1\.0\r\n.*?\r\n\r\n", re.S)
        parts = [head.sub(lambda match: match.group().replace(b"\r\n", b"\n"), part) for part in parts]
    items = read(b"".join(map(gzip.compress, parts)))
    assert [item.url[-1] for item in items if not isinstance(item, Broken)] == list("012356789")
    assert reasons(items)[4] == "corrupt" and "example.org/4" in items[4].detail and len(items) == 10


def test_a_record_without_its_blank_lines_is_no_lie() -> None:
    items = read(b"".join(gzip.compress(page(n, body=b"x" * (4096 * n))[:-4]) for n in range(12)))
    assert numbers(items) == list(range(12)) and len(items) == 12


def test_a_lie_in_one_gzip_member_is_in_the_account() -> None:
    data = gzip.compress(b"".join([page(0), page(1), page(2, 10**9), page(3)]))
    assert reasons(read(data)) == ["page", "page", "truncated", "page"]


def test_a_stream_that_fails_inside_a_lie() -> None:
    class Failing(Pipe):
        def read(self, size: int = -1) -> bytes:
            if not (data := super().read(size)):
                raise ConnectionError("reset")
            return data

    data = b"".join(gzip.compress(record) for record in (page(0), page(1, 10**9)))
    items = list(read_archive(Failing(data), name="a", limits=LIMITS))
    assert reasons(items) == ["page", "unreadable"]
