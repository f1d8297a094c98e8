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


@contextmanager
def object_store(objects: Mapping[str, bytes]) -> Iterator[str]:
    """An S3 with one bucket, known by the environment as a real one would be; answers its address."""
    boto3 = pytest.importorskip("boto3", reason="no boto3: pip install -e .[dev]")
    moto = pytest.importorskip("moto.server", reason="no moto: pip install -e .[dev]")
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
