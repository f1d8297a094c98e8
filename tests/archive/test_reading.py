import contextlib
import gzip
import io
import random
import time
from collections import Counter
from pathlib import Path

import pytest
import warcio.archiveiterator
from fastwarc.stream_io import Lz4Writer
from fastwarc.warc import ArchiveIterator
from warcs import CASES, HTML, LIMITS, URL, Pipe, http, plain_record, read, reasons, warc, zstd

from pipeline.archive.records import Broken, Page, read_archive
from schemas.extract import ARCHIVE_REASONS, RECORD_REASONS

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
        (gzip.compress(b"words", mtime=0), "not_an_archive"),
        (b"\0" * 300_000, "not_an_archive"),
        (warc(PAGES[:1])[:9], "truncated"),
        (warc(PAGES[:1])[:40] + b"\0" * 5000, "corrupt"),
    ],
)
def test_no_archive_at_all(data, reason):
    assert reasons(read(data)) == [reason]


@pytest.mark.parametrize("kind", ["plain", "members", "one member", "arc", "arc members", "arc in one member"])
@pytest.mark.parametrize("size", [1, 3, 511, 10_240, 3 << 20])
def test_zeros_behind_the_last_record_are_padding(kind, size):
    """As tapes and block devices leave them."""
    arc = [ARC, *(arc_record(n) for n in range(3))]
    packed = {"arc": b"".join(arc), "arc members": b"".join(map(gzip.compress, arc)),
              "arc in one member": gzip.compress(b"".join(arc))}  # fmt: skip
    data = packed.get(kind) or containers()[kind]
    assert read(data + bytes(size)) == read(data)


@pytest.mark.parametrize("kind", ["plain", "members", "one member"])
@pytest.mark.parametrize("rubbish", [b"\0" * 600 + b"x", b"rubbish" * 90, b"\x1f\x8b\x08 no gzip"])
def test_rubbish_behind_the_last_record_costs_no_page(kind, rubbish):
    data = containers()[kind]
    items = read(data + rubbish)
    assert reasons(items) == ["page"] * 20 + ["corrupt"]
    assert items[-1].offset == len(data)


@pytest.mark.parametrize("where", ["before", "behind", "between"])
@pytest.mark.parametrize("kind", ["members", "arc"])
def test_empty_members_cost_time_in_proportion(where, kind):
    records = [ARC, *map(arc_record, range(3))] if kind == "arc" else [plain_record(http(HTML)) for _ in range(4)]
    empty, members = gzip.compress(b"") * 25_000, list(map(gzip.compress, records))
    data = {"before": [empty, *members], "behind": [*members, empty], "between": [*members[:2], empty, *members[2:]]}
    began = time.process_time()
    items = read(b"".join(data[where]))
    found = ["type" if kind == "arc" else "page", "page", "page", "page"]
    assert reasons(items) == ["corrupt"] * (where == "before") + found  # what begins with nothing is looked into
    assert time.process_time() - began < 3.0


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
