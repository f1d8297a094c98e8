"""An S3 in a process of its own, that counts what it is asked for, fails a share of it and lists late: moto behind a
door. `with counted_store() as store` for tests; `python tests/counted_store.py --port 0` alone.

A request fails by the hash of the seed, of what it asks for and of how often it was asked, so the same share fails
whoever comes first: answered 500 or 503, or cut off, and each of them before anything is done or, as real stores do,
after it. Listings lack what was put into the store less than `late` seconds ago; reads and conditions on what is there
are true at once, as those of real stores that list late.
"""

import argparse
import hashlib
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock
from urllib.parse import parse_qs, quote, unquote_plus, urlencode
from xml.sax.saxutils import escape, unescape

import pytest

Body = Iterable[bytes]
DOOR = "/_door/"  # questions to the door itself
FAILURES = (("500", False), ("503", False), ("reset", False), ("500", True), ("reset", True))  # and whether it is done
CODES = {"500": ("500 Internal Server Error", "InternalError"), "503": ("503 Slow Down", "SlowDown")}
REFUSED = {"ExpiredToken": "400 Bad Request"}


class Behaviour(NamedTuple):
    """failing: the share of requests. late: seconds. refuse: a code of S3, `ExpiredToken` or `AccessDenied`, that all
    requests get after so many (`refuse_after`)."""

    failing: float = 0.0
    seed: int = 0
    late: float = 0.0
    refuse: str = ""
    refuse_after: int = 0


class Request(NamedTuple):
    """`key` with its bucket; bytes of the bodies, headers not counted; `failed`: on purpose."""

    method: str
    key: str
    read: int
    written: int
    failed: bool


class Door:
    """The WSGI application in front of the store's."""

    def __init__(self, store: Callable[..., Body]) -> None:
        self._store = store
        self._lock = threading.Lock()
        self.behaviour = Behaviour()
        self.requests: list[Request] = []
        self._asked: Counter[str] = Counter()
        self._since: dict[str, float] = {}  # key: when it was first there

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Body:
        path, method = environ["PATH_INFO"].encode("latin-1").decode(), environ["REQUEST_METHOD"]  # WSGI's spelling
        if path.startswith(DOOR):
            return self._answer(path.removeprefix(DOOR), environ, start_response)
        query, key = environ.get("QUERY_STRING", ""), path.lstrip("/")
        given = self.behaviour
        with self._lock:
            asked = f"{method} {path}?{query} {environ.get('HTTP_RANGE', '')}"
            self._asked[asked] += 1
            failure = _failure(given, f"{asked} {self._asked[asked]}")
            refused = given.refuse and len(self.requests) >= given.refuse_after
        written = int(environ.get("HTTP_X_AMZ_DECODED_CONTENT_LENGTH") or environ.get("CONTENT_LENGTH") or 0)
        if refused or (failure and not failure[1]):
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            self._note(Request(method, key, 0, 0, True))
            if refused:
                return _error(REFUSED.get(given.refuse, "403 Forbidden"), given.refuse, environ, start_response)
            return _fail(failure[0] if failure else "500", environ, start_response)
        answered: list[Any] = []
        chunks = self._store(environ, lambda status, headers, exc_info=None: answered.extend([status, headers]))
        body = b"".join(chunks)
        status, headers = answered[0], list(answered[1])
        if method in ("PUT", "POST") and status.startswith("200") and query != "delete":
            with self._lock:
                self._since.setdefault(key, time.monotonic())
        if method == "DELETE":
            self._since.pop(key, None)
        if method == "GET" and "list-type=2" in query and given.late:
            body = self._listed(environ, key.rstrip("/"), given.late)
            headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
            headers.append(("Content-Length", str(len(body))))
        self._note(Request(method, key, 0 if method == "HEAD" else len(body), written, bool(failure)))
        if failure:
            return _fail(failure[0], environ, start_response)
        start_response(status, headers)
        return [body]

    def _note(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)

    def _listed(self, environ: dict[str, Any], bucket: str, late: float) -> bytes:
        """A listing without what is too new: asked for without folders, and these made of what is left, since one that
        holds nothing but new objects is not listed either."""
        asked = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
        prefix, delimiter, most = (asked.get(name, "") for name in ("prefix", "delimiter", "max-keys"))
        young = {key for key, since in list(self._since.items()) if time.monotonic() - since < late}
        found: dict[str, str] = {}
        token = asked.get("start-after", "")
        while True:  # everything, page by page; what the client has seen already it skips by its token, a key
            query = {"list-type": "2", "prefix": prefix, "encoding-type": "url", "start-after": token}
            inner = {**environ, "QUERY_STRING": urlencode(query)}
            page = b"".join(self._store(inner, lambda *_: None)).decode()
            for contents in re.findall(r"<Contents>.*?</Contents>", page, re.S):
                token = unquote_plus(unescape(contents.partition("<Key>")[2].partition("</Key>")[0]))
                if f"{bucket}/{token}" not in young:
                    found[token] = contents
            if "<IsTruncated>true" not in page:
                break
        after = asked.get("continuation-token", "")
        entries: dict[str, str] = {}
        for key, contents in sorted(found.items()):
            head, folder, _ = key.removeprefix(prefix).partition(delimiter) if delimiter else (key, "", "")
            name = prefix + head + folder if folder else key
            listed = f"<CommonPrefixes><Prefix>{quote(name)}</Prefix></CommonPrefixes>" if folder else contents
            if name > after:
                entries.setdefault(name, listed)
        kept = list(entries.items())[: int(most or 1000)]
        more = len(kept) < len(entries)
        following = f"<NextContinuationToken>{escape(kept[-1][0])}</NextContinuationToken>" if more else ""
        return (
            f"<?xml version='1.0'?><ListBucketResult><Name>{bucket}</Name><Prefix>{quote(prefix)}</Prefix>"
            f"<EncodingType>url</EncodingType><KeyCount>{len(kept)}</KeyCount>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{following}"
            f"{''.join(listed for _, listed in kept)}</ListBucketResult>"
        ).encode()

    def _answer(self, question: str, environ: dict[str, Any], start_response: Callable[..., Any]) -> Body:
        if question == "behave":
            size = int(environ.get("CONTENT_LENGTH") or 0)
            self.behaviour = Behaviour(**json.loads(environ["wsgi.input"].read(size)))
        with self._lock:
            body = json.dumps(self.requests if question == "requests" else len(self.requests)).encode()
            if question == "behave":
                self.requests.clear()
                self._asked.clear()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]


def _failure(given: Behaviour, asked: str) -> tuple[str, bool] | None:
    if not given.failing:
        return None
    digest = hashlib.blake2b(f"{given.seed} {asked}".encode(), digest_size=8).digest()
    fate = int.from_bytes(digest[:4]) / (1 << 32)
    return FAILURES[digest[4] % len(FAILURES)] if fate < given.failing else None


def _error(status: str, code: str, environ: dict[str, Any], start_response: Callable[..., Any]) -> Body:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
    start_response(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def _fail(kind: str, environ: dict[str, Any], start_response: Callable[..., Any]) -> Body:
    if kind in CODES:
        return _error(*CODES[kind], environ, start_response)
    connection = environ["werkzeug.socket"]  # closed without lingering, which the other side sees as a reset
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.shutdown(socket.SHUT_RDWR)
    start_response("500 Cut Off", [])
    return []


def serve(port: int) -> None:
    """Until it is killed; prints its port."""
    import logging

    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Handler(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"  # a connection for many requests

    logging.getLogger("werkzeug").disabled = True
    door = Door(DomainDispatcherApplication(create_backend_app))
    running = make_server("127.0.0.1", port, door, threaded=True, request_handler=Handler)
    print(running.server_port, flush=True)
    running.serve_forever()


class Counts(NamedTuple):
    """Bytes `read` from the store and `written` to it, and requests by method."""

    requests: Counter[str]
    read: int
    written: int
    failed: int


class CountedStore:
    """The server as its tests see it: `address` of the endpoint, `environment` by which fsspec and boto3 know it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.environment = {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        }

    def behave(self, **behaviour: float | str) -> None:
        """As `Behaviour` says from now on; counts begin anew."""
        self._ask("behave", json.dumps(behaviour).encode())

    def requests(self) -> list[Request]:
        return [Request(*one) for one in json.loads(self._ask("requests"))]

    def counts(self) -> Counts:
        seen = self.requests()
        return Counts(
            Counter(one.method for one in seen),
            sum(one.read for one in seen),
            sum(one.written for one in seen),
            sum(one.failed for one in seen),
        )

    def _ask(self, question: str, data: bytes | None = None) -> bytes:
        with urllib.request.urlopen(f"{self.address}{DOOR}{question}", data) as answer:
            body: bytes = answer.read()
            return body


@contextmanager
def counted_store(objects: Mapping[str, bytes] | None = None, bucket: str = "corpus") -> Iterator[CountedStore]:
    """A store with one bucket, known by this process's environment, and so by its children's, while the block runs."""
    boto3 = pytest.importorskip("boto3", reason="no boto3: pip install -e .[dev]")
    command = [sys.executable, str(Path(__file__).resolve()), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        store = CountedStore(f"http://127.0.0.1:{int(process.stdout.readline())}")
        with mock.patch.dict(os.environ, store.environment):
            client = boto3.client("s3")
            client.create_bucket(Bucket=bucket)
            for key, body in (objects or {}).items():
                client.put_object(Bucket=bucket, Key=key, Body=body)
            store.behave()
            _forget()
            yield store
    finally:
        _forget()
        process.kill()
        process.wait()


def _forget() -> None:
    """Connections are kept by what they were asked for, which does not name the endpoint."""
    import s3fs

    from pipeline.store import stores

    stores._opened.clear()
    s3fs.S3FileSystem.clear_instance_cache()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=9000)
    serve(parser.parse_args().port)


if __name__ == "__main__":
    main()
