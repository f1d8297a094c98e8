"""Parts of an archive, read one by one, give what the whole gives: the same items, in the same order."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from warcs import CASES, HTML, LIMITS, http, plain_record, warc

from pipeline.archive.parts import part_starts
from pipeline.archive.records import read_archive
from pipeline.archive.window import KEEP

TEXTS = ["中文", "日本語", "한국어", "ไทย", "ខ្មែរ", "العربية", "עברית", "हिन्दी", "தமிழ்",
         "አማርኛ", "ქართული", "Русский", "Türkçe", "English"]  # fmt: skip
LOOKALIKE = plain_record(http(b"<p>a record inside a page</p>"), url="http://example.org/inside")
ARC_LOOKALIKE = b"http://example.org/inside 10.0.0.1 20080430204826 text/html 60\n" + http(b"<p>inside</p>") + b"\n"
ARC_HEAD = (
    b"filedesc://test.arc 0.0.0.0 20080430204825 text/plain 77\n1 0 InternetArchive\n"
    b"URL IP-address Archive-date Content-type Archive-length\n\n"
)


def whole(path: Path) -> list:
    with path.open("rb") as file:
        return list(read_archive(file, name=path.name, limits=LIMITS))


def in_parts(path: Path, starts: list[int]) -> list:
    items = []
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        with path.open("rb") as file:
            file.seek(start)
            items += read_archive(file, name=path.name, limits=LIMITS, start=start, end=end)
    return items


def check(path: Path, part_bytes: int) -> int:
    starts = part_starts(str(path), part_bytes)
    assert starts[0] == 0 and starts == sorted(set(starts))
    assert in_parts(path, starts) == whole(path), (path, part_bytes, starts)
    return len(starts)


def page(n: int, body: bytes) -> bytes:
    text = f"<p>{TEXTS[n % len(TEXTS)]} {n}</p>".encode()
    return plain_record(http(text + body), url=f"http://example.org/{n}")


def arc_page(n: int, body: bytes) -> bytes:
    block = http(f"<p>{TEXTS[n % len(TEXTS)]}</p>".encode() + body, "Content-Type: text/html")
    return b"http://example.org/%d 10.0.0.1 20080430204826 text/html %d\n" % (n, len(block)) + block + b"\n"


def test_a_part_a_record(tmp_path: Path) -> None:
    path = tmp_path / "a.warc"
    records = [page(n, b"x" * 500) for n in range(14)]
    path.write_bytes(b"".join(records))
    offsets = [sum(map(len, records[:n])) for n in range(14)]
    assert part_starts(str(path), 1) == offsets
    assert part_starts(str(path), len(b"".join(records))) == [0]
    half = -(-len(b"".join(records)) // 2)
    assert part_starts(str(path), half) == [0, min(offset for offset in offsets if offset >= half)]
    assert in_parts(path, offsets) == whole(path)
    assert len(whole(path)) == 14


def test_parts_are_about_as_large_as_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.warc"
    path.write_bytes(warc([{"url": f"http://example.org/{n}", "body": HTML * (n % 7)} for n in range(900)], False))
    starts = part_starts(str(path), 20_000)
    sizes = [end - start for start, end in zip(starts, [*starts[1:], path.stat().st_size], strict=True)]
    assert len(sizes) == -(-path.stat().st_size // 20_000)
    assert max(sizes) < 23_000 and min(sizes) > 17_000
    assert in_parts(path, starts) == whole(path)


@pytest.mark.parametrize("kind", ["warc", "arc"])
def test_a_head_inside_a_payload_is_no_record(tmp_path: Path, kind: str) -> None:
    """Copies of a record in the payload of every second one, just where a cut by size would look for a head."""
    path = tmp_path / f"a.{kind}"
    make, inner = (page, LOOKALIKE) if kind == "warc" else (arc_page, ARC_LOOKALIKE)
    head = b"" if kind == "warc" else ARC_HEAD
    path.write_bytes(head + b"".join(make(n, b"\n" + inner * (50 * (n % 2))) for n in range(20)))
    items = whole(path)
    assert len(items) == 20 + (kind == "arc")
    for part_bytes in (1, 100, 1000, 5000, 30_000):
        assert check(path, part_bytes) > 1
    assert part_starts(str(path), 1) == [item.offset for item in items]


def test_a_lookalike_of_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "a.warc"
    path.write_bytes(page(0, b"") + page(1, b"\n" + LOOKALIKE * (3 * KEEP // len(LOOKALIKE))) + page(2, b""))
    for part_bytes in (1000, KEEP):  # nearly all cuts by size lie inside the second record
        assert part_starts(str(path), part_bytes) == [0, whole(path)[2].offset]
        check(path, part_bytes)


@pytest.mark.parametrize("kind", ["warc", "arc"])
@settings(max_examples=150)
@given(data=st.data())
def test_damage_anywhere(tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject) -> None:
    make, inner, head = (page, LOOKALIKE, b"") if kind == "warc" else (arc_page, ARC_LOOKALIKE, ARC_HEAD)
    sizes = data.draw(st.lists(st.integers(0, 5), min_size=1, max_size=25))
    whole_file = bytearray(head + b"".join(make(n, b"\n" + inner * size) for n, size in enumerate(sizes)))
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(whole_file) - 1))
        size = data.draw(st.sampled_from([1, 2, 20, 300, 3000]))
        match data.draw(st.sampled_from(["change", "lose", "gain", "length", "bare"])):
            case "change":
                whole_file[at : at + size] = random.Random(at).randbytes(size)
            case "lose" if len(whole_file) > at + size:
                del whole_file[at : at + size]
            case "gain":
                whole_file[at:at] = random.Random(at).randbytes(size) + b"\n" + inner
            case "length":
                whole_file = whole_file.replace(b"Content-Length: ", b"Content-Longth: ", 1)
            case "bare" if kind == "warc":
                whole_file[at:at] = inner.replace(b"\r\n", b"\n")
    path = tmp_path_factory.getbasetemp() / f"damaged.{kind}"
    path.write_bytes(whole_file)
    for part_bytes in (1, data.draw(st.integers(100, 8000))):
        check(path, part_bytes)


def test_a_head_without_an_end(tmp_path: Path) -> None:
    endless = b"WARC/1.0\r\nWARC-Type: response\r\n" + LOOKALIKE.replace(b"\r\n\r\n", b"\r\n") * 20_000
    path = tmp_path / "a.warc"
    path.write_bytes(page(0, b"") + page(1, b"") + endless + page(2, b"") + page(3, b""))
    assert check(path, 100) == 3


def test_bare_line_feeds_and_packed_archives_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.warc"
    records = b"".join(page(n, b"") for n in range(9))
    for data in (warc([{}] * 9), records.replace(b"\r\n", b"\n"), b"", b"<html>no archive</html>" * 99):
        path.write_bytes(data)
        assert part_starts(str(path), 1) == [0]
    path.write_bytes(records)
    assert len(part_starts(str(path), 1)) == 9


@pytest.mark.skipif(not CASES.exists(), reason="no ../shared/data/warc-cases")
def test_archives_of_other_projects() -> None:
    cut = 0
    for path in sorted(path for path in CASES.rglob("*") if path.is_file() and not path.name.endswith((".gz", ".zst"))):
        for part_bytes in (1, 700, 10_000):
            cut += check(path, part_bytes) > 1
    assert cut > 40
