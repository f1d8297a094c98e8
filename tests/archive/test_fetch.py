import gzip
import os
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
from servers import BODY, Answer, Handler, Server, object_store, web_server

from pipeline.archive.fetch import FetchError, fetch
from pipeline.archive.manifest import Archive, manifest
from schemas.errors import UserError


@pytest.fixture
def server() -> Iterator[Server]:
    with web_server() as running:
        yield running


@pytest.fixture
def waits() -> list[float]:
    return []


def test_a_local_archive_is_opened_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "a.warc.gz").write_bytes(b"a.warc.gz")
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

    monkeypatch.setattr("pipeline.archive.fetch.download", busy)
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
    monkeypatch.setattr("pipeline.archive.fetch.READ_SECONDS", 0.2)
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
    with pytest.raises(UserError, match="no such file or folder"):
        manifest([f"{bucket}/gone"])
    with fetch(f"{bucket}/seg/a.warc.gz") as file:
        assert file.read() == BODY
    with pytest.raises(FetchError) as caught:
        fetch(f"{bucket}/gone", retries=1, sleep=waits.append)
    assert caught.value.reason == "missing"
    with pytest.raises(UserError, match=r"s3://no-such-bucket is not there .*check --input"):
        fetch("s3://no-such-bucket/a", retries=1, sleep=waits.append)
    assert waits == []
