import gzip
import os
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
from servers import BODY, Answer, Handler, Server, object_store, web_server

from pipeline.archive.manifest import Archive, FetchError, fetch, lot, manifest
from schemas.errors import UserError


@pytest.fixture
def server() -> Iterator[Server]:
    with web_server() as running:
        yield running


@pytest.fixture
def waits() -> list[float]:
    return []


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


def test_lots_are_what_the_function_says() -> None:
    """Worked out with the xxhash program: XXH3_64 of nothing is 2d06800538d394c2."""
    assert lot("") == (0x2D06800538D394C2 >> 11) / 2**53
    assert 0 <= lot("語/\udcff.warc") < 1


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
    [b"", b"\n \n", b"\xff\xfe\x00", gzip.compress(b"a.warc.gz")[:-4], b"\x1f\x8b\x08\x00" + bytes(6) + b"\xff" * 20],
)
def test_a_broken_list_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "warc.paths.gz").write_bytes(data)
    assert f"--input {tmp_path}/warc.paths.gz" in refused(tmp_path / "warc.paths.gz")


def test_a_local_archive_is_opened_where_it_lies(tmp_path: Path) -> None:
    make(tmp_path, "a.warc.gz")
    for location in (str(tmp_path / "a.warc.gz"), f"file://{tmp_path}/a.warc.gz"):
        with fetch(location) as file:
            assert (file.read(), file.name) == (b"a.warc.gz", str(tmp_path / "a.warc.gz"))
    for missing in (tmp_path / "gone", tmp_path):
        with pytest.raises(FetchError, match="no such file") as caught:
            fetch(str(missing))
        assert caught.value.reason == "missing"


def test_an_archive_is_fetched_with_our_name(server: Server) -> None:
    server.answers = [Answer()]
    with fetch(server.url("a.warc.gz"), user_agent="crawl-reader/1 (me@example.org)") as file:
        assert file.read() == BODY
        assert not os.path.exists(file.name)  # nothing stays behind, however the task ends
    assert server.seen[0]["user-agent"] == "crawl-reader/1 (me@example.org)"
    assert server.seen[0]["accept-encoding"] == "identity"
    assert len(server.seen) == 1


def test_bytes_stay_as_stored(server: Server) -> None:
    """Some servers call a .gz file's own compression a content encoding; offsets count the bytes of the file."""
    stored = gzip.compress(b"one record") + gzip.compress(b"another")
    server.answers = [Answer(body=stored, headers=(("Content-Encoding", "gzip"),))]
    with fetch(server.url("a.warc.gz")) as file:
        assert file.read() == stored


@pytest.mark.parametrize("status", [503, 429, 403])
def test_a_store_that_is_busy_is_asked_again(server: Server, waits: list[float], status: int) -> None:
    server.answers = [Answer(status, b"slow down"), Answer(status, b"slow down"), Answer()]
    with fetch(server.url("a.warc.gz"), sleep=waits.append) as file:
        assert file.read() == BODY
    assert len(server.seen) == 3
    assert 1 <= waits[0] < 2 and waits[1] == 2 * waits[0]


def test_waits_double_up_to_a_minute_and_differ_by_archive(server: Server, waits: list[float]) -> None:
    server.answers = [Answer(503, b"")]
    with pytest.raises(FetchError, match=r"503.*after 9 tries") as caught:
        fetch(server.url("a.warc.gz"), retries=8, sleep=waits.append)
    assert caught.value.reason == "unreadable"
    assert "\n" not in str(caught.value)
    share = waits[0]
    assert waits == [share * step for step in (1, 2, 4, 8, 16, 32, 60, 60)]
    other: list[float] = []
    with pytest.raises(FetchError):
        fetch(server.url("b.warc.gz"), retries=1, sleep=other.append)
    assert other[0] != share


@pytest.mark.parametrize("status", [403, 429, 503])
def test_a_store_says_when_to_come_back(server: Server, waits: list[float], status: int) -> None:
    date = formatdate(time.time() + 40, usegmt=True)
    said = ["7", date, "999999", "9" * 400, "0", formatdate(0, usegmt=True), "soon", "-3", "Mon, 99 Foo 0000 x"]
    busy = [Answer(status, b"", headers=(("Retry-After", one),)) for one in said]
    server.answers = [*busy, Answer()]
    with fetch(server.url("a.warc.gz"), retries=9, sleep=waits.append) as file:
        assert file.read() == BODY
    unsaid: list[float] = []
    server.answers = [Answer(status, b"")]
    with pytest.raises(FetchError):
        fetch(server.url("a.warc.gz"), retries=9, sleep=unsaid.append)
    assert 7 <= waits[0] < 8
    assert 37 < waits[1] <= 41  # dates are whole seconds
    assert 300 <= waits[2] == waits[3] < 301
    assert waits[4:] == unsaid[4:]


def test_an_s3_store_says_when_to_come_back(monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> None:
    """As botocore and s3fs tell it: in the answer of an error that is the cause of another."""
    from botocore.exceptions import ClientError
    from s3fs.errors import translate_boto_error

    said = {"Error": {"Code": "SlowDown", "Message": "Please reduce your request rate."},
            "ResponseMetadata": {"HTTPStatusCode": 503, "HTTPHeaders": {"retry-after": "70"}}}  # fmt: skip

    def busy(*_: object) -> None:
        raise translate_boto_error(ClientError(said, "GetObject"))

    monkeypatch.setattr("pipeline.archive.manifest._download", busy)
    with pytest.raises(FetchError, match="reduce your request rate"):
        fetch("s3://crawl/a.warc.gz", retries=2, sleep=waits.append)
    assert all(70 <= wait < 71 for wait in waits) and len(waits) == 2


def test_a_transfer_that_ends_early_begins_anew(server: Server, waits: list[float]) -> None:
    server.answers = [Answer(send=1000), Answer(send=len(BODY) - 1), Answer()]
    with fetch(server.url("a.warc.gz"), sleep=waits.append) as file:
        assert file.read() == BODY
    assert len(waits) == 2


def test_a_transfer_that_always_ends_early_fails(server: Server, waits: list[float]) -> None:
    server.answers = [Answer(send=1000)]
    with pytest.raises(FetchError, match="after 3 tries") as caught:
        fetch(server.url("a.warc.gz"), retries=2, sleep=waits.append)
    assert caught.value.reason == "unreadable"
    assert len(server.seen) == 3


BROKEN_OFF = [
    Answer(length=len(BODY) + 1000),
    Answer(send=70_000, reset=True),
    Answer(length="many"),
    Answer(body=b"5\r\nhello\r\n", length="", headers=(("Transfer-Encoding", "chunked"),)),
    Answer(status=206, body=BODY[:1000], headers=(("Content-Range", f"bytes 0-999/{len(BODY)}"),)),
    Answer(status=206, body=BODY[1000:], headers=(("Content-Range", f"bytes 1000-{len(BODY) - 1}/{len(BODY)}"),)),
    Answer(status=206, body=BODY),
    Answer(status=204, body=b""),
    Answer(status=304, body=b""),
]


@pytest.mark.parametrize("bad", BROKEN_OFF)
def test_what_is_not_the_whole_is_fetched_again(server: Server, waits: list[float], bad: Answer) -> None:
    server.answers = [bad, Answer()]
    with fetch(server.url("a.warc.gz"), sleep=waits.append) as file:
        assert file.read() == BODY
    assert len(waits) == 1
    server.answers = [bad]
    with pytest.raises(FetchError, match="after 2 tries") as caught:
        fetch(server.url("a.warc.gz"), retries=1, sleep=waits.append)
    assert caught.value.reason == "unreadable" and "\n" not in str(caught.value)


def test_answers_that_are_whole(server: Server) -> None:
    span = f"bytes 0-{len(BODY) - 1}/{len(BODY)}"
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (BODY[:999], BODY[999:], b""))
    for answer in (
        Answer(status=206, headers=(("Content-Range", span),)),
        Answer(length=""),
        Answer(body=chunks, length="", headers=(("Transfer-Encoding", "chunked"),)),
        Answer(status=203),
    ):
        server.answers = [answer]
        with fetch(server.url("a.warc.gz"), retries=0) as file:
            assert file.read() == BODY


def test_more_bytes_than_announced(server: Server) -> None:
    """Seen where they come with the rest; else the archive ends too early, which its reader tells."""
    server.answers = [Answer(length=1000)]
    try:
        with fetch(server.url("a.warc.gz"), retries=1, sleep=lambda seconds: None) as file:
            assert file.read() == BODY[:1000]
    except FetchError as error:
        assert error.reason == "unreadable" and len(str(error)) < 700


def test_redirects_are_followed_and_end(server: Server, waits: list[float]) -> None:
    moved = [Answer(status, b"moved", headers=(("Location", "/elsewhere"),)) for status in (301, 302, 307, 308)]
    server.answers = [*moved, Answer()]
    with fetch(server.url("a.warc.gz"), retries=0, user_agent="me/1") as file:
        assert file.read() == BODY
    assert {one["user-agent"] for one in server.seen} == {"me/1"} and len(server.seen) == 5
    server.answers = [moved[1]]
    with pytest.raises(FetchError, match="after 1 tries"):
        fetch(server.url("a.warc.gz"), retries=3, sleep=waits.append)
    assert waits == []


@pytest.mark.parametrize(("status", "reason"), [(404, "missing"), (401, "unreadable"), (410, "unreadable")])
def test_what_waiting_does_not_mend_is_not_asked_again(server: Server, status: int, reason: str) -> None:
    server.answers = [Answer(status, b"no")]
    with pytest.raises(FetchError, match=server.url("a.warc.gz")) as caught:
        fetch(server.url("a.warc.gz"), sleep=lambda seconds: pytest.fail("asked again"))
    assert caught.value.reason == reason
    assert len(server.seen) == 1


def test_nobody_answers(waits: list[float]) -> None:
    with Server() as closed:
        url = closed.url("a.warc.gz")
    with pytest.raises(FetchError, match="after 2 tries") as caught:
        fetch(url, retries=1, sleep=waits.append)
    assert caught.value.reason == "unreadable"


def test_a_silent_server_is_left(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """No limit on a whole transfer, which may take an hour; one on the time without a byte."""
    monkeypatch.setattr("pipeline.archive.manifest.READ_SECONDS", 0.2)
    hold = threading.Event()
    monkeypatch.setattr(Handler, "do_GET", lambda self: hold.wait(10))
    began = time.monotonic()
    try:
        with pytest.raises(FetchError, match="after 1 tries") as caught:
            fetch(server.url("a.warc.gz"), retries=0)
    finally:
        hold.set()
    assert caught.value.reason == "unreadable"
    assert time.monotonic() - began < 5  # not when the server gave up


@pytest.fixture
def bucket() -> Iterator[str]:
    with object_store({"seg/a.warc.gz": BODY, "seg/notes.txt": b"x", "warc.paths": b"seg/a.warc.gz\n"}) as address:
        yield address


def test_an_object_store(bucket: str, waits: list[float]) -> None:
    expected = [Archive("s3://crawl/seg/a.warc.gz", "s3://crawl/seg/a.warc.gz", len(BODY))]
    assert manifest([f"{bucket}/seg"]) == expected
    assert manifest([f"{bucket}/seg/a.warc.gz"]) == expected
    assert manifest([f"{bucket}/warc.paths"]) == [Archive("seg/a.warc.gz", "s3://crawl/seg/a.warc.gz", None)]
    assert "no such file or folder" in refused(f"{bucket}/gone")
    with fetch(f"{bucket}/seg/a.warc.gz") as file:
        assert file.read() == BODY
    for location in (f"{bucket}/gone", "s3://no-such-bucket/a"):
        with pytest.raises(FetchError) as caught:
            fetch(location, retries=1, sleep=waits.append)
        assert caught.value.reason == "missing"
    assert waits == []
