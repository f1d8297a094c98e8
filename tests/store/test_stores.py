"""An object store that misbehaves: requests that fail and pass, and errors that are the user's to mend."""

import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from servers import Answer, object_store, web_server

from pipeline.store import storage, stores
from pipeline.store.parquet_files import read_parquet
from pipeline.store.row_groups import RowGroupWriter
from schemas.errors import UserError

ERROR = "<?xml version='1.0'?><Error><Code>{}</Code><Message>{}</Message></Error>"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No waits; and each test has a store of its own."""
    import s3fs

    monkeypatch.setattr(stores, "FIRST_WAIT", 0.001)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # ours alone
    stores._opened.clear()
    s3fs.S3FileSystem.clear_instance_cache()
    yield
    stores._opened.clear()
    s3fs.S3FileSystem.clear_instance_cache()


@contextmanager
def in_front_of(store: str, refuse: Callable[[str, str], tuple[int, str] | None]) -> Iterator[str]:
    """A server that answers requests (method, path) itself with (status, code) or passes them on."""
    import http.client
    from urllib.parse import urlparse

    behind = urlparse(store).netloc

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if refused := refuse(self.command, self.path):
                status, code = refused
                data = ERROR.format(code, f"{code}, it says").encode()
                self.send_response(status)
                self.send_header("Content-Length", "0" if self.command == "HEAD" else str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)
                return
            inner = http.client.HTTPConnection(behind)
            inner.request(self.command, self.path, body, dict(self.headers))
            response = inner.getresponse()
            data = response.read()
            self.send_response(response.status)
            for name, value in response.getheaders():
                if name.lower() not in ("transfer-encoding", "connection", "server", "date", "content-length"):
                    self.send_header(name, value)
            self.send_header("Content-Length", response.getheader("Content-Length") or str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = answer

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@contextmanager
def store(refuse: Callable[[str, str], tuple[int, str] | None]) -> Iterator[str]:
    with object_store({}) as root, in_front_of(os.environ["AWS_ENDPOINT_URL"], refuse) as endpoint:
        os.environ["AWS_ENDPOINT_URL"] = endpoint  # object_store puts back what was there
        yield root


def test_a_third_of_the_requests_failing_fails_nothing() -> None:
    drawn, failed = random.Random(5), []

    def refuse(method: str, path: str) -> tuple[int, str] | None:
        if drawn.random() < 0.3:
            failed.append((method, path))
            return drawn.choice([(500, "InternalError"), (503, "SlowDown"), (503, "ServiceUnavailable")])
        return None

    given = pa.table({"a": pa.array(range(30_000)), "b": [f"text {i}" for i in range(30_000)]})
    with store(refuse) as root:
        for number in range(4):
            path = f"{root}/table/part-{number}.parquet"
            with RowGroupWriter(path, given.schema) as out:
                out.write(given)
            assert read_parquet(path).equals(given)
            storage.write_json(f"{root}/{number}.json", {"n": number})
        assert [storage.read_json(f"{root}/{number}.json") for number in range(5)] == [{"n": n} for n in range(4)] + [
            None
        ]
        assert list(storage.listing(f"{root}/table")) == [f"part-{n}.parquet" for n in range(4)]
        storage.remove(f"{root}/table")
        assert not storage.exists(f"{root}/table")
    assert len(failed) > 5
    assert {method for method, _ in failed} >= {"GET", "PUT"}


@pytest.mark.parametrize(
    ("answer", "written", "looked_at"),
    [
        ((403, "AccessDenied"), *["s3://crawl: access denied .*right to list, read and write"] * 2),
        ((400, "ExpiredToken"), "s3://crawl: the credentials have expired: renew them", "the credentials have expired"),
        ((403, "InvalidAccessKeyId"), "s3://crawl: the store does not accept these credentials", "access denied"),
        ((503, "SlowDown"), *["s3://crawl: the store fails again and again .*same command again"] * 2),
    ],
)
def test_what_a_store_refuses_is_one_line(
    answer: tuple[int, str], written: str, looked_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer to HEAD has no body that would say why."""
    import s3fs

    monkeypatch.setattr(stores, "ATTEMPTS", 2)
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    with store(lambda method, path: answer) as root:
        with pytest.raises(UserError, match=written):
            storage.write_json(f"{root}/a.json", 1)
        with pytest.raises(UserError, match=looked_at) as caught:
            storage.read_bytes(f"{root}/a.json")
        assert "\n" not in str(caught.value)


def test_credentials_that_expire_while_a_file_is_read_are_told(tmp_path: Path) -> None:
    expired: list[bool] = []
    given = pa.table({"a": pa.array(range(1_000_000))})
    pq.write_table(given, tmp_path / "t.parquet", use_dictionary=False, compression="none", row_group_size=1 << 17)
    with store(lambda method, path: (400, "ExpiredToken") if expired else None) as root:
        storage.write_bytes(f"{root}/t.parquet", (tmp_path / "t.parquet").read_bytes())
        fs, inside = storage.filesystem(f"{root}/t.parquet")
        with fs.open(inside, "rb", block_size=1 << 16) as opened, pq.ParquetFile(opened) as file:
            file.read_row_group(0)
            expired.append(True)
            with pytest.raises(UserError, match="credentials have expired"):
                file.read_row_group(5)


def test_a_bucket_that_is_not_there_is_named_and_not_made() -> None:
    with object_store({}):
        with pytest.raises(UserError, match="s3://elsewhere: there is no such bucket"):
            storage.write_json("s3://elsewhere/a.json", 1)
        assert not storage.exists("s3://elsewhere")
        assert storage.read_json("s3://crawl/absent.json") is None


def test_a_store_that_cannot_be_reached_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(stores, "ATTEMPTS", 2)
    with pytest.raises(UserError, match="s3://crawl: the store cannot be reached"):
        storage.write_json("s3://crawl/a.json", 1)


def test_a_package_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ImportError("Please install gcsfs to access Google Storage")

    monkeypatch.setattr(stores, "url_to_fs", missing)
    with pytest.raises(UserError, match=r"gs://b/a: gs:// needs the package gcsfs: pip install .*wanyu\[stores\]"):
        storage.exists("gs://b/a")
    monkeypatch.undo()
    with pytest.raises(UserError, match="nostore://b/a: no store that fsspec knows"):
        storage.exists("nostore://b/a")


def test_one_store_a_process_whatever_the_thread() -> None:
    with object_store({}) as root:
        first, inside = storage.filesystem(f"{root}/a")
        assert inside == "crawl/a"
        found: list[object] = []
        threads = [
            threading.Thread(target=lambda: found.append(storage.filesystem(f"{root}/b/c")[0])) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(one is first for one in found) and len(found) == 4


def test_over_https_a_refusal_is_a_throttle() -> None:
    """As Common Crawl says it; of a store with credentials it is one."""
    with web_server() as server:
        server.answers = [Answer(403, b""), Answer(403, b""), Answer(body=b'{"a": 1}')]
        assert storage.read_json(server.url("index.json")) == {"a": 1}
