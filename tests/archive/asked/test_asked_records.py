"""Records read from ranges are those of whole reading, and what is not there is told, record by record."""

import gzip
from collections.abc import Iterator
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from servers import Answer, Archives, archive_server, object_store, web_server
from warcs import HTML, LIMITS, http, plain_record, warc, zstd

from pipeline.archive.asked.places import PLACES, Places, read_places, write_places
from pipeline.archive.asked.ranges import range_reader
from pipeline.archive.asked.reading import read_asked, read_record
from pipeline.archive.asked.requests import requests_of
from pipeline.archive.limits import ArchiveLimits
from pipeline.archive.records import Broken, Page, Skipped, read_archive
from schemas.errors import UserError

MANY = {"gap_bytes": 1 << 20, "most_bytes": 16 << 20}


def records() -> list[bytes]:
    """Gzip members, a record each, of all kinds."""
    specs: list[dict[str, Any]] = [
        {"type": "metadata", "http": None, "body": b"x"},
        {"url": "http://example.org/1", "body": HTML * 40},
        {"url": "http://example.org/gone", "status": "404 Not Found"},
        {"url": "http://example.org/2", "body": HTML + bytes(range(256)) * 99},
        {"url": "http://example.org/text", "type": "conversion", "http": None, "content_type": "text/plain"},
        {"url": "http://example.org/image", "http": [("Content-Type", "image/png")], "body": b"\x89PNG\r\n\x1a\n"},
        {"url": "http://example.org/3", "body": HTML * 3},
    ]
    return [warc([spec]) for spec in specs]


def places(pieces: list[bytes], wanted: list[int] | None = None) -> Places:
    lengths = np.array([len(piece) for piece in pieces])
    offsets = np.cumsum(lengths) - lengths
    chosen = np.array(range(len(pieces)) if wanted is None else wanted)
    return Places(offsets[chosen], lengths[chosen])


def whole(data: bytes, limits: ArchiveLimits = LIMITS) -> list[Any]:
    return list(read_archive(BytesIO(data), name="a.warc.gz", limits=limits))


def asked(location: str, wanted: Places, limits: ArchiveLimits = LIMITS, **how: int) -> list[Any]:
    reader = range_reader(location, retries=2, sleep=lambda _: None)
    return list(read_asked(reader, wanted, name="a.warc.gz", limits=limits, **{**MANY, **how}))


@pytest.fixture
def server() -> Iterator[Archives]:
    with archive_server({}) as running:
        yield running


@pytest.mark.parametrize("how", [{}, {"gap_bytes": 0}, {"gap_bytes": 0, "most_bytes": 700}])
@pytest.mark.parametrize("wanted", [None, [1], [1, 3, 6], [0, 2, 5], [6]])
def test_asked_records_are_those_of_whole_reading(
    wanted: list[int] | None, how: dict[str, int], tmp_path: Path, server: Archives
) -> None:
    pieces = records()
    data = b"".join(pieces)
    (tmp_path / "a.warc.gz").write_bytes(data)
    server.files = {"a.warc.gz": data}
    chosen = places(pieces, wanted)
    expected = [item for item in whole(data) if item.offset in chosen.offsets]
    assert len(expected) == len(chosen.offsets) and all(isinstance(item, Page | Skipped) for item in expected)
    for location in (str(tmp_path / "a.warc.gz"), f"file://{tmp_path}/a.warc.gz", server.url("a.warc.gz")):
        assert asked(location, chosen, **how) == expected


@pytest.mark.parametrize("pack", [lambda data: data, zstd])
def test_other_packings(pack: Any, tmp_path: Path) -> None:
    pieces = [pack(plain_record(http(HTML * n), url=f"http://example.org/{n}")) for n in range(1, 6)]
    (tmp_path / "a.warc").write_bytes(b"".join(pieces))
    chosen = places(pieces, [1, 2, 4])
    expected = [item for item in whole(b"".join(pieces)) if item.offset in chosen.offsets]
    assert len(expected) == 3
    assert asked(str(tmp_path / "a.warc"), chosen) == expected


def test_a_record_longer_than_a_request_is_read_in_pieces(server: Archives) -> None:
    """And not held: it is larger than a page may be."""
    noise = np.random.default_rng(0).bytes(400_000)
    pieces = [warc([{"url": f"http://example.org/{n}", "body": HTML + noise * n}]) for n in range(3)]
    server.files = {"a.warc.gz": b"".join(pieces)}
    limits = ArchiveLimits(max_page_bytes=500_000)
    items = asked(server.url("a.warc.gz"), places(pieces), limits, most_bytes=100_000)
    assert items == whole(b"".join(pieces), limits)
    assert [getattr(item, "reason", "page") for item in items] == ["page", "page", "too_large"]
    assert max(end - start for _, start, end in server.asked) == 100_000


def test_requests_are_shared_by_what_lies_close_together(server: Archives) -> None:
    pieces = [warc([{"url": f"http://example.org/{n}", "body": HTML * (1 + n % 3)}]) for n in range(60)]
    data = b"".join(pieces)
    server.files = {"a.warc.gz": data}
    every = places(pieces, list(range(0, 60, 3)))
    gap = max(map(len, pieces)) * 2
    assert len(asked(server.url("a.warc.gz"), every, gap_bytes=gap)) == 20
    assert len(server.asked) == 1 and server.bytes_sent() < len(data)
    assert server.connections == 1
    server.asked.clear()
    assert len(asked(server.url("a.warc.gz"), every, gap_bytes=0)) == 20
    assert len(server.asked) == 20 and server.bytes_sent() == every.lengths.sum()
    assert server.connections <= 2  # kept between requests, and perhaps between archives


def test_requests_hold_what_was_asked_and_no_more_than_they_may() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        count = int(rng.integers(1, 40))
        lengths = rng.integers(1, 90, count)
        offsets = np.cumsum(rng.integers(1, 200, count)) - 1
        wanted, gap, most = Places(offsets, lengths), int(rng.integers(0, 150)), int(rng.integers(50, 400))
        found = requests_of(wanted, gap, most)
        assert [request.first for request in found] == [0, *(request.last for request in found[:-1])]
        assert found[-1].last == count
        ends = offsets + lengths
        for request in found:
            mine = slice(request.first, request.last)
            assert (request.start, request.end) == (offsets[mine][0], ends[mine].max())
            assert request.end - request.start <= most or request.last - request.first == 1
        for one, other in pairwise(found):
            apart = offsets[other.first] - ends[one.last - 1] > gap
            full = ends[one.first : other.first + 1].max() - one.start > most
            assert apart or full  # else they would be one


def told(items: list[Any]) -> list[tuple[str, int]]:
    return [(getattr(item, "reason", "page"), item.offset) for item in items]


def test_records_that_are_not_at_their_place(tmp_path: Path) -> None:
    pieces = records()
    data = b"".join(pieces)
    (tmp_path / "a.warc.gz").write_bytes(data[:-30])
    good = places(pieces)
    at = good.offsets.tolist()
    wrong = Places(
        np.array([at[1], at[1] + 7, at[3], at[5] - 3, at[6], len(data) + 5]),
        np.array([len(pieces[1]) + 99, 300, 200, 500, len(pieces[6]), 10]),
    )
    assert told(asked(str(tmp_path / "a.warc.gz"), wrong)) == [
        ("page", at[1]),  # its length reaches into the next one
        ("not_there", at[1] + 7),
        ("truncated", at[3]),
        ("not_there", at[5] - 3),
        ("truncated", at[6]),
        ("not_there", len(data) + 5),
    ]


def test_damage_inside_a_record_is_that_of_whole_reading(tmp_path: Path) -> None:
    pieces = records()
    pieces[3] = pieces[3][:400] + bytes(60) + pieces[3][460:]
    data = b"".join(pieces)
    (tmp_path / "a.warc.gz").write_bytes(data)
    items, expected = asked(str(tmp_path / "a.warc.gz"), places(pieces)), whole(data)
    assert [item for item in items if not isinstance(item, Broken)] == [
        item for item in expected if not isinstance(item, Broken)
    ]
    (broken,) = (item for item in items if isinstance(item, Broken))
    assert (broken.reason, broken.offset) == ("corrupt", places(pieces).offsets[3])


def test_a_store_that_fails_gives_a_reason_for_each_record_that_is_left(server: Archives, tmp_path: Path) -> None:
    pieces = records()
    server.files = {"a.warc.gz": b"".join(pieces)}
    chosen = places(pieces, [1, 3, 6])
    expected = told(asked(server.url("a.warc.gz"), chosen, gap_bytes=0))
    server.refusals = {"a.warc.gz": [503, 429, 0, 403, 0, 0]}
    assert told(asked(server.url("a.warc.gz"), chosen, gap_bytes=0)) == expected
    server.refusals = {"a.warc.gz": [0, 503]}
    offsets = chosen.offsets.tolist()
    assert told(asked(server.url("a.warc.gz"), chosen, gap_bytes=0)) == [
        expected[0], *(("unreadable", offset) for offset in offsets[1:])
    ]  # fmt: skip
    for gone in (server.url("b.warc.gz"), str(tmp_path / "b.warc.gz")):
        assert told(asked(gone, chosen)) == [("missing", offset) for offset in offsets]


NOT_THE_RANGE = [
    Answer(body=bytes(1000)),  # knows no ranges
    Answer(206, bytes(100)),
    Answer(206, bytes(100), headers=(("Content-Range", "bytes 0-99/1000"),)),
    Answer(206, bytes(50), headers=(("Content-Range", "bytes 100-149/1000"),)),
    Answer(206, bytes(200), headers=(("Content-Range", "bytes 100-299/1000"),)),
    Answer(206, bytes(100), send=60, headers=(("Content-Range", "bytes 100-199/1000"),)),
    Answer(206, bytes(60), headers=(("Content-Range", "bytes 100-199/1000"),)),
    Answer(204, b""),
]


@pytest.mark.parametrize("bad", NOT_THE_RANGE)
def test_what_is_not_the_range_is_asked_again(bad: Answer) -> None:
    good = Answer(206, bytes(range(100)), headers=(("Content-Range", "bytes 100-199/1000"),))
    waits: list[float] = []
    with web_server() as server:
        server.answers = [bad, good]
        assert range_reader(server.url("a"), sleep=waits.append)(100, 200) == bytes(range(100))
        assert len(waits) == 1 and server.seen[0]["range"] == "bytes=100-199"
        assert server.seen[0]["accept-encoding"] == "identity"


def test_an_object_store() -> None:
    pieces = records()
    data = b"".join(pieces)
    with object_store({"seg/a.warc.gz": data}) as bucket:
        chosen = places(pieces, [1, 3, 6])
        assert asked(f"{bucket}/seg/a.warc.gz", chosen) == [
            item for item in whole(data) if item.offset in chosen.offsets
        ]
        beyond = Places(np.array([len(data) + 9]), np.array([7]))
        assert told(asked(f"{bucket}/seg/a.warc.gz", beyond)) == [("not_there", len(data) + 9)]
        assert told(asked(f"{bucket}/seg/b.warc.gz", beyond)) == [("missing", len(data) + 9)]


def rows(*given: tuple[str | None, int | None, int | None]) -> Iterator[pa.RecordBatch]:
    """In batches of two."""
    for at in range(0, len(given), 2):
        columns = zip(*given[at : at + 2], strict=True)
        yield pa.RecordBatch.from_arrays(
            [pa.array(c, f.type) for c, f in zip(columns, PLACES, strict=True)], schema=PLACES
        )


def test_places_are_written_by_archive(tmp_path: Path) -> None:
    path = str(tmp_path / "p.parquet")
    given = [("a", 0, 5), ("a", 9, 4), ("a", 9, 7), ("b", 3, 1), ("c", 1, 1), ("c", 2, 1), ("c", 2, 1), ("c", 5, 2)]
    found = dict(write_places(rows(*given), path))
    assert {name: (one.records, one.bytes) for name, one in found.items()} == {"a": (2, 12), "b": (1, 1), "c": (3, 4)}
    assert [column.tolist() for column in read_places(found["a"])] == [[0, 9], [5, 7]]
    assert [column.tolist() for column in read_places(found["c"])] == [[1, 2, 5], [1, 1, 2]]
    again = dict(write_places(rows(*given[2:]), str(tmp_path / "q.parquet")))
    assert again["c"].digest == found["c"].digest and again["a"].digest != found["a"].digest


@pytest.mark.parametrize("bad", [(None, 1, 1), ("a", None, 1), ("a", 1, None), ("a", -1, 5), ("a", 1, 0)])
def test_rows_that_are_no_places(bad: tuple[Any, Any, Any], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--index: .*"):
        list(write_places(rows(bad), str(tmp_path / "p.parquet")))
    assert not list(tmp_path.iterdir())


def test_a_member_of_several_records_gives_them_all(tmp_path: Path) -> None:
    """They share one place."""
    two = plain_record(http(HTML), url="http://example.org/1") + plain_record(http(HTML), url="http://example.org/2")
    pieces = [records()[1], gzip.compress(two), records()[6]]
    (tmp_path / "a.warc.gz").write_bytes(b"".join(pieces))
    assert asked(str(tmp_path / "a.warc.gz"), places(pieces)) == whole(b"".join(pieces))


@pytest.mark.parametrize("form", ["members", "plain", "one member", "zstd"])
def test_a_record_of_unknown_length_is_read_from_its_place(form: str, server: Archives) -> None:
    """Each record of the archive, by its offset alone, however small the pieces in which it comes."""
    pieces = records()
    data = {
        "members": b"".join(pieces),
        "plain": b"".join(gzip.decompress(piece) for piece in pieces),
        "one member": gzip.compress(b"".join(gzip.decompress(piece) for piece in pieces)),
        "zstd": b"".join(zstd(gzip.decompress(piece)) for piece in pieces),
    }[form]
    server.files = {"a.warc": data}
    reader = range_reader(server.url("a.warc"), retries=0)
    expected, piece_bytes = whole(data), 1 << 17 if form == "zstd" else 700  # zstd is told by a whole block
    assert len(expected) == len(pieces)
    for item in expected:
        found = list(read_record(reader, item.offset, name="a.warc.gz", limits=LIMITS, piece_bytes=piece_bytes))
        assert item in found and all(other.offset == item.offset for other in found)
    (nothing,) = read_record(reader, len(data), name="a.warc.gz", limits=LIMITS)
    assert isinstance(nothing, Broken) and nothing.reason == "not_there"
