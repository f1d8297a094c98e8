"""Archives are read while a process of their own fetches them; what was read counts when all is there."""

import os
import signal
import threading
from collections.abc import Iterator
from functools import partial

import pytest
from servers import BODY, Answer, Handler, Server, object_store, web_server

from pipeline.archive.fetch import FetchError
from pipeline.fetching.fetcher import Copy, Wanted, fetcher, opened
from pipeline.fetching.permits import permits
from schemas.errors import UserError

want = partial(Wanted, retries=2, user_agent="me/1", permits=None, first_wait=0.01)


@pytest.fixture
def server() -> Iterator[Server]:
    with web_server() as running:
        yield running


@pytest.fixture(autouse=True, scope="module")
def one_child() -> Iterator[None]:
    yield
    fetcher().close()


def rest(copy: Copy) -> bytes:
    pieces = iter(partial(copy.read, 70_001), b"")
    return b"".join(pieces)


def test_an_archive_is_read_while_it_comes(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    send = Handler._send

    def slowly(handler: Handler, answer: Answer) -> None:
        send(handler, answer._replace(send=100_000, length=None))
        handler.wfile.flush()
        go_on.wait(20)
        handler.wfile.write(answer.body[100_000:])

    monkeypatch.setattr(Handler, "_send", slowly)
    server.answers = [Answer()]
    with opened(want(server.url("a.warc.gz"))) as copy:
        first = copy.read(50_000)
        assert first and not go_on.is_set()
        go_on.set()
        assert first + rest(copy) == BODY
        assert copy.is_what_was_read()
    assert server.seen[0]["user-agent"] == "me/1"


def test_a_transfer_that_breaks_off_goes_on_where_it_was(server: Server) -> None:
    server.answers = [Answer(send=99_999, reset=True), Answer(send=5), Answer()]
    with opened(want(server.url("a.warc.gz"))) as copy:
        assert rest(copy) == BODY
        assert copy.is_what_was_read()
    assert len(server.seen) == 3


@pytest.mark.parametrize("body", [BODY[::-1], BODY[:1000], b"x" + BODY])
def test_a_store_that_begins_with_other_bytes_is_read_again(server: Server, body: bytes) -> None:
    server.answers = [Answer(send=99_999, reset=True), Answer(body=body)]
    with opened(want(server.url("a.warc.gz"))) as copy:
        rest(copy)
        assert not copy.is_what_was_read()
        assert rest(copy) == body
        assert copy.is_what_was_read()


def test_what_cannot_be_had_is_told_whatever_was_read(server: Server) -> None:
    server.answers = [Answer(send=99_999, reset=True)]
    with opened(want(server.url("a.warc.gz"))) as copy:
        assert BODY.startswith(rest(copy))
        with pytest.raises(FetchError, match="after 3 tries") as caught:
            copy.is_what_was_read()
    assert caught.value.reason == "unreadable"
    server.answers = [Answer(404, b"")]
    with opened(want(server.url("b.warc.gz"))) as copy, pytest.raises(FetchError) as caught:
        copy.is_what_was_read()
    assert caught.value.reason == "missing"


def test_a_fetching_process_that_is_killed_is_replaced(server: Server) -> None:
    server.answers = [Answer(send=100_000, pause=30, length=len(BODY)), Answer()]
    with opened(want(server.url("a.warc.gz"))) as copy:
        assert copy.read(10)
        process = fetcher()._finalizer.peek()[2][0]  # type: ignore[union-attr, index]
        os.kill(process.pid, signal.SIGKILL)
        rest(copy)
        assert not copy.is_what_was_read()
        assert rest(copy) == BODY
        assert copy.is_what_was_read()


def test_nobody_waits_for_what_is_not_wanted_any_more(server: Server) -> None:
    """A reader that fails leaves; the next archive is not held up, and the permit is free."""
    server.by_path = {"a": [Answer(pause=30, length=1000)], "b": [Answer()]}
    with permits(1) as source:
        with pytest.raises(ValueError), opened(want(server.url("a"), permits=source)) as copy:
            assert copy.read(10) == BODY[:10]
            raise ValueError
        with opened(want(server.url("b"), permits=source)) as copy:
            assert rest(copy) == BODY and copy.is_what_was_read()


def test_a_permit_is_held_while_bytes_come_and_not_between_tries(server: Server) -> None:
    server.answers = [Answer(503, b""), Answer()]
    with permits(1) as source:
        for _ in range(2):
            with opened(want(server.url("a"), permits=source)) as copy:
                assert copy.is_what_was_read()  # else the second would wait for ever
                assert rest(copy) == BODY


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("AccessDenied", "the store refuses us .*take this archive out"),
        ("ExpiredToken", "the credentials have expired .*renew them"),
        ("NoSuchBucket", "s3://crawl is not there"),
    ],
)
def test_what_is_wrong_with_all_archives_is_the_users_to_mend(
    monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    from botocore.exceptions import ClientError
    from s3fs.errors import translate_boto_error

    from pipeline.archive import fetch

    def refused(*_: object) -> None:
        raise translate_boto_error(ClientError({"Error": {"Code": code, "Message": "no"}}, "GetObject"))

    monkeypatch.setattr(fetch, "download", refused)
    with pytest.raises(UserError, match=said) as caught:
        fetch.fetch("s3://crawl/a.warc.gz", sleep=lambda seconds: pytest.fail("asked again"))
    assert "\n" not in str(caught.value)


def test_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    with object_store({}) as bucket, monkeypatch.context() as patch:
        fetcher().close()  # its child knows another environment
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.delenv(name)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        with opened(want(f"{bucket}/a.warc.gz")) as copy, pytest.raises(UserError, match=r"s3://crawl: no credentials"):
            copy.is_what_was_read()
        fetcher().close()


def test_temporary_archives_lie_in_the_engines_folders(
    server: Server, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_LOCAL_DIRS", f"{tmp_path}/one")
    server.answers = [Answer()]
    with opened(want(server.url("a.warc.gz"))) as copy:
        place = os.readlink(f"/proc/self/fd/{copy._file.fileno()}")  # type: ignore[attr-defined]
        assert place.startswith(f"{tmp_path}/one/") and place.endswith("(deleted)")  # gone with its last reader
        assert copy.is_what_was_read()
    assert os.listdir(f"{tmp_path}/one") == []
