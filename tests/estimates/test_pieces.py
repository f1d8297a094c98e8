"""What is measured: archives by their hashes, and parts that have all records once."""

from pathlib import Path

import pytest
from programs import ARCHIVE
from warcs import warc

from pipeline.archive.fetch import open_local
from pipeline.archive.manifest import Archive, manifest, sampled
from pipeline.archive.records import ArchiveLimits, read_archive
from pipeline.estimates.pieces import chosen, parts_of
from pipeline.estimates.sizes import size_of

RECORDS = [
    {"url": f"http://example.org/{n}", "body": f"<p>{n} ไทย 한국어 አማርኛ {'слово ' * 50}</p>".encode()}
    for n in range(40)
]


def items(path: str) -> list[str]:
    with open_local(path) as file:
        return [str(getattr(item, "url", item)) for item in read_archive(file, name="a", limits=ArchiveLimits())]


@pytest.mark.parametrize("compress", [True, False])
def test_parts_have_every_record_once(tmp_path: Path, compress: bool) -> None:
    whole = tmp_path / ("a.warc.gz" if compress else "a.warc")
    whole.write_bytes(warc(RECORDS, compress))
    size = whole.stat().st_size
    (tmp_path / "parts").mkdir()
    parts = parts_of(Archive("a", str(whole), size), size, 4, str(tmp_path / "parts"))
    assert len(parts) == 4 and sum(part.size or 0 for part in parts) == size
    assert [item for part in parts for item in items(part.location)] == items(str(whole))
    assert all(abs((part.size or 0) - size / 4) < size / 10 for part in parts)


def test_a_part_is_as_large_as_is_asked(tmp_path: Path) -> None:
    whole = tmp_path / "a.warc.gz"
    whole.write_bytes(warc(RECORDS))
    (part,) = parts_of(Archive("a", str(whole), None), whole.stat().st_size // 4, 1, str(tmp_path))
    assert len(items(part.location)) == pytest.approx(10, abs=2)


def test_what_cannot_be_cut_stays_one(tmp_path: Path) -> None:
    """One gzip member holds all records."""
    import gzip

    whole = tmp_path / "b.warc.gz"
    whole.write_bytes(gzip.compress(warc(RECORDS, compress=False)))
    (tmp_path / "parts").mkdir()
    (part,) = parts_of(Archive("b", str(whole), None), 10**9, 4, str(tmp_path / "parts"))
    assert part.size == whole.stat().st_size


def test_archives_are_those_that_a_run_of_the_sample_reads() -> None:
    names = [f"crawl/{n:05}.warc.gz" for n in range(300)]
    archives = [Archive(name, name, 1) for name in names]
    assert sorted(one.file_path for one in chosen(archives, 0.1)) == sampled(names, 0.1)
    (first,) = chosen(archives, 1e-9)  # none is: the one that any larger sample has first
    assert first in chosen(archives, 0.02)


def test_sizes_of_all_from_those_of_some(monkeypatch: pytest.MonkeyPatch) -> None:
    """100 of 1,000 archives of a list are as large as the others: only so many are asked for."""
    asked: list[str] = []

    def sizes(paths: list[str]) -> dict[str, int]:
        asked.extend(paths)
        return {path: 900 + 200 * (int(path[-6:]) % 2) for path in paths}

    monkeypatch.setattr("pipeline.store.storage.sizes", sizes)
    archives = [Archive(f"a/{n:06}", f"s3://bucket/a/{n:06}", None) for n in range(1000)]
    found = size_of(archives, {"a/000007", "a/000008"})
    assert len(asked) == 202 and {"a/000007", "a/000008"} <= set(found.known)
    assert found.bytes == pytest.approx(1_000_000, rel=0.02)
    assert 0 < found.deviation < 0.01
    local = size_of(manifest([str(ARCHIVE)]), [])
    assert local.deviation == 0 and local.bytes == sum(local.known.values())
