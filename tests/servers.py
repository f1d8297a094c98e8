"""Stores of archives in this process: a web server that misbehaves as it is told, and an object store."""

import os
import socket
import struct
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from unittest import mock

import pytest
import s3fs

BODY = bytes(range(256)) * 1000


class Answer(NamedTuple):
    """What the server says: `send` bytes of `body` under a Content-Length of the whole, or of `length`."""

    status: int = 200
    body: bytes = BODY
    send: int = 1 << 30
    headers: tuple[tuple[str, str], ...] = ()
    length: int | str | None = None  # "": none at all
    reset: bool = False
    pause: float = 0  # seconds, before the bytes behind `length`, or before all


class Server(ThreadingHTTPServer):
    """Answers each request with the next of its path's `answers`, the last of them for ever, and remembers it all."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer] = []
        self.by_path: dict[str, list[Answer]] = {}
        self.seen: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.busy = self.most_busy = 0
        self.lock = threading.Lock()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"

    def next_answer(self, path: str) -> Answer:
        answers = self.by_path.get(path, self.answers) or [Answer(404, b"")]
        return answers.pop(0) if len(answers) > 1 else answers[0]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        with server.lock:
            server.seen.append({name.lower(): value for name, value in self.headers.items()})
            server.paths.append(self.path.lstrip("/"))
            answer = server.next_answer(self.path.lstrip("/"))
            server.busy += 1
            server.most_busy = max(server.most_busy, server.busy)
        try:
            with suppress(ConnectionError):  # the other side may leave first
                self._send(answer)
        finally:
            with server.lock:
                server.busy -= 1

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        length = len(answer.body) if answer.length is None else answer.length
        for name, value in (("Content-Length", str(length)), *answer.headers):
            if value:
                self.send_header(name, value)
        self.end_headers()
        sent = answer.body[: answer.send]
        first = answer.length if isinstance(answer.length, int) else 0
        self.wfile.write(sent[:first])
        time.sleep(answer.pause)
        self.wfile.write(sent[first:])
        if answer.reset:  # closed without lingering, which the other side sees as a reset
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def web_server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


class Archives(ThreadingHTTPServer):
    """Files, whole or in ranges, and what was asked of them: (path, first byte, byte behind the last)."""

    def __init__(self, files: Mapping[str, bytes], pause: float = 0) -> None:
        super().__init__(("127.0.0.1", 0), ArchivesHandler)
        self.files, self.pause = files, pause
        self.asked: list[tuple[str, int, int]] = []
        self.refusals: dict[str, list[int]] = {}  # path -> statuses, the first ones of its answers; the last for ever
        self.connections = self.busy = self.most_busy = 0
        self.lock = threading.Lock()

    def url(self, path: str = "") -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"

    def bytes_sent(self) -> int:
        return sum(end - start for _, start, end in self.asked)


class ArchivesHandler(BaseHTTPRequestHandler):
    server: Archives
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_GET(self) -> None:
        server, path = self.server, self.path.lstrip("/")
        with server.lock:
            server.busy += 1
            server.most_busy = max(server.most_busy, server.busy)
        time.sleep(server.pause)
        with server.lock:  # before the answer: who has it may already ask for the next
            server.busy -= 1
        with suppress(ConnectionError):
            self._answer(server.files.get(path), path)

    def _answer(self, body: bytes | None, path: str) -> None:
        statuses = self.server.refusals.get(path, [])
        refusal = statuses.pop(0) if len(statuses) > 1 else statuses[0] if statuses else 0
        if refusal or body is None:
            self._send(refusal or 404, b"")
            return
        start, end, status = 0, len(body), 200
        extra: dict[str, str] = {}
        if asked := self.headers.get("Range"):
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, end, status = int(first), min(int(last) + 1, len(body)), 206
            extra = {"Content-Range": f"bytes {start}-{end - 1}/{len(body)}"}
        if start >= len(body):
            self._send(416, b"")
            return
        with self.server.lock:
            self.server.asked.append((path, start, end))
        self._send(status, body[start:end], extra)

    def _send(self, status: int, body: bytes, extra: Mapping[str, str] = {}) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **extra}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def archive_server(files: Mapping[str, bytes], pause: float = 0) -> Iterator[Archives]:
    with Archives(files, pause) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@contextmanager
def object_store(objects: Mapping[str, bytes]) -> Iterator[str]:
    """An S3 with one bucket, known by the environment as a real one would be; answers its address."""
    boto3 = pytest.importorskip("boto3", reason="no boto3: pip install -e .[dev]")
    moto = pytest.importorskip("moto.server", reason="no moto: pip install -e .[dev]")
    s3fs.S3FileSystem.clear_instance_cache()  # those that know another test's address
    store = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    host, port = store.get_host_and_port()
    known = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    }
    with mock.patch.dict(os.environ, known):
        client = boto3.client("s3")
        client.create_bucket(Bucket="crawl")
        for key, body in objects.items():
            client.put_object(Bucket="crawl", Key=key, Body=body)
        yield "s3://crawl"
    urllib.request.urlopen(f"http://{host}:{port}/moto-api/reset", data=b"")  # what it holds is the whole process's
    store.stop()
