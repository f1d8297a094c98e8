import gzip
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers import Answer, Server, web_server

from pipeline.archive.manifest import Archive, manifest, sample_position
from schemas.errors import UserError


@pytest.fixture
def server() -> Iterator[Server]:
    with web_server() as running:
        yield running


def make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def refused(*inputs: object) -> str:
    with pytest.raises(UserError) as caught:
        manifest([str(one) for one in inputs])
    assert type(caught.value) is UserError and "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_is_called_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "deep/some.name")  # whatever it is called: it was asked for
    expected = [Archive("some.name", str(tmp_path / "deep/some.name"), len("deep/some.name"))]
    assert manifest([str(tmp_path / "deep/some.name")]) == expected
    monkeypatch.chdir(tmp_path)
    assert manifest(["deep/some.name"]) == expected
    assert manifest([f"file://{tmp_path}/deep/some.name"]) == expected


def test_a_folder_holds_archives_at_any_depth(tmp_path: Path) -> None:
    archives = [
        "a.warc.gz", "b.ARC.gz", "deep/er/c.warc.wet.gz", "d.warc", "e.warc.zst", "_under/_f.warc.lz4", "g.arc",
        "h.warc.txt", "i.warc.gz.bad", "j.warc.gz.open",
    ]  # fmt: skip
    others = [
        "a.warc.os.cdx.gz", "a.cdxj", "a.warc.gz.md5", "a.warc.gz.sha256", "warc.paths.gz", "README.md", "warc",
        "x.search", "x.arcade", ".hidden.warc.gz", "deep/._a.warc.gz", ".cache/a.warc.gz", "k.warc/notes.txt",
    ]  # fmt: skip
    make(tmp_path / "crawl", *archives, *others)
    found = manifest([str(tmp_path / "crawl")])
    assert [one.file_path for one in found] == sorted(f"crawl/{name}" for name in archives)
    assert all(Path(one.location).read_bytes().decode() == one.file_path.removeprefix("crawl/") for one in found)
    assert all(one.size == os.path.getsize(one.location) for one in found)
    assert manifest([f"{tmp_path}/crawl/"]) == found
    assert manifest([str(tmp_path / "crawl")], limit=2) == found[:2]


def test_names_do_not_depend_on_the_machine(tmp_path: Path) -> None:
    for place in ("here", "there"):
        make(tmp_path / place / "crawl", "a.warc.gz", "b.warc.gz")
    here, there = (manifest([str(tmp_path / place / "crawl")]) for place in ("here", "there"))
    assert [one.file_path for one in here] == [one.file_path for one in there] == ["crawl/a.warc.gz", "crawl/b.warc.gz"]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_list_of_paths(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    make(tmp_path, "seg 1/a.warc.gz")
    name = "warc.paths.gz" if pack is gzip.compress else "warc.paths"
    (tmp_path / name).write_bytes(pack(b"seg 1/a.warc.gz\r\n\nseg 1/gone.warc.gz\n"))
    listed = str(tmp_path / name)
    assert manifest([listed]) == [
        Archive("seg 1/a.warc.gz", str(tmp_path / "seg 1/a.warc.gz"), len("seg 1/a.warc.gz")),
        Archive("seg 1/gone.warc.gz", str(tmp_path / "seg 1/gone.warc.gz"), None),  # a row of its own later on
    ]
    remote = manifest([listed], prefix="s3://commoncrawl/")
    assert remote[0] == Archive("seg 1/a.warc.gz", "s3://commoncrawl/seg 1/a.warc.gz", None)
    assert [one.location for one in manifest([listed], prefix="https://data.commoncrawl.org/", limit=1)] == [
        "https://data.commoncrawl.org/seg 1/a.warc.gz"
    ]


def test_a_list_of_addresses_needs_no_prefix(tmp_path: Path) -> None:
    (tmp_path / "some.paths").write_text("s3://bucket/b.warc.gz\nhttps://host/a.warc.gz\n")
    assert manifest([str(tmp_path / "some.paths")]) == [
        Archive("https://host/a.warc.gz", "https://host/a.warc.gz", None),
        Archive("s3://bucket/b.warc.gz", "s3://bucket/b.warc.gz", None),
    ]


def test_a_list_behind_an_address(server: Server) -> None:
    server.answers = [Answer(body=gzip.compress(b"crawl-data/a.warc.gz\n"), headers=(("Content-Type", "x/gzip"),))]
    (found,) = manifest([server.url("CC-MAIN-2026-43/warc.paths.gz")], prefix="s3://commoncrawl/")
    assert found == Archive("crawl-data/a.warc.gz", "s3://commoncrawl/crawl-data/a.warc.gz", None)
    (beside,) = manifest([server.url("CC-MAIN-2026-43/warc.paths.gz")])
    assert beside.location == server.url("CC-MAIN-2026-43/crawl-data/a.warc.gz")


def test_an_address_is_its_own_name_and_is_not_asked_for(server: Server) -> None:
    assert manifest([server.url("a.warc.gz?x=1")]) == [
        Archive(server.url("a.warc.gz?x=1"), server.url("a.warc.gz?x=1"), None)
    ]
    assert server.seen == []


def test_inputs_together(tmp_path: Path) -> None:
    make(tmp_path, "one/b.warc.gz", "two/a.warc.gz")
    found = manifest([str(tmp_path / "two"), str(tmp_path / "one/b.warc.gz"), str(tmp_path / "two")])
    assert [one.file_path for one in found] == ["b.warc.gz", "two/a.warc.gz"]  # by name, and once


def test_a_sample_by_hash(tmp_path: Path) -> None:
    names = [f"CC-MAIN/{n:05}.warc.gz" for n in range(1000)]
    (tmp_path / "warc.paths").write_text("\n".join(names))
    listed = [str(tmp_path / "warc.paths")]

    def taken(share: float, limit: int | None = None) -> list[str]:
        return [one.file_path for one in manifest(listed, "s3://c/", limit, share)]

    assert taken(1.0) == names
    shares = [taken(share) for share in (0.01, 0.1, 0.5, 0.9)]
    for share, fewer, more in zip((0.01, 0.1, 0.5), shares, shares[1:], strict=False):
        assert set(fewer) < set(more)
        assert abs(len(fewer) - 1000 * share) < 4 * (1000 * share) ** 0.5
    assert taken(0.1, 5) == shares[1][:5]
    (tmp_path / "warc.paths").write_text("\n".join(reversed(names[300:])))
    assert taken(0.1) == [name for name in shares[1] if name >= names[300]]  # whatever else the list has
    with pytest.raises(UserError, match=r"--sample 1e-06 takes none of 700 archives") as caught:
        taken(1e-6)
    assert "\n" not in str(caught.value)


def test_positions_are_what_the_function_says() -> None:
    """Worked out with the xxhash program: XXH3_64 of nothing is 2d06800538d394c2."""
    assert sample_position("") == (0x2D06800538D394C2 >> 11) / 2**53
    assert 0 <= sample_position("語/\udcff.warc") < 1


def test_what_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "one/crawl/a.warc.gz", "two/crawl/a.warc.gz", "none/notes.txt")
    message = refused(tmp_path / "one/crawl", tmp_path / "two/crawl")
    assert "would both be called crawl/a.warc.gz" in message and "folder above" in message
    assert str(tmp_path / "one/crawl/a.warc.gz") in message and str(tmp_path / "two/crawl/a.warc.gz") in message
    assert "no archive in this folder" in refused(tmp_path / "none")
    assert f"--input {tmp_path}/gone: no such file or folder" in refused(tmp_path / "gone")
    assert "gone.paths" in refused(tmp_path / "gone.paths")
    assert "name a file, a folder, a .paths list or a URL" in refused()
    assert "nonsense://x" in refused("nonsense://x")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n \n",
        b"\xff\xfe\x00",
        gzip.compress(b"a.warc.gz", mtime=0)[:-4],
        b"\x1f\x8b\x08\x00" + bytes(6) + b"\xff" * 20,
    ],
)
def test_a_broken_list_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "warc.paths.gz").write_bytes(data)
    assert f"--input {tmp_path}/warc.paths.gz" in refused(tmp_path / "warc.paths.gz")
