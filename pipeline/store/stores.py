"""Stores that fsspec knows, opened once a process: patient with what passes, and what is the user's to mend said in one
line, in the driver and in tasks alike.

Credentials and endpoints are fsspec's: the environment (AWS_*, GOOGLE_*, AZURE_STORAGE_*, FSSPEC_*), its config files,
and what a machine's role gives.
"""

import asyncio
import functools
import http.client
import io
import itertools
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlparse

import fsspec
from fsspec.core import url_to_fs
from fsspec.exceptions import FSTimeoutError

from pipeline.costs import counters
from pipeline.web import client, public
from pipeline.web.listed import CHAINED
from schemas.errors import UserError
from schemas.redacted import without_secrets

ATTEMPTS = 8
FIRST_WAIT, LONGEST_WAIT = 0.2, 10.0  # seconds; each is twice the one before, but for a part by the process
FIRST_AHEAD, MOST_AHEAD = 1 << 18, 1 << 24  # bytes
WITHOUT_FOLDERS = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "http", "https")
PACKAGES = {
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "az": "adlfs",
    "s3": "s3fs",
    "s3a": "s3fs",
}
PASSES = ("SlowDown", "RequestTimeout", "ServiceUnavailable", "InternalError", "reduce your request rate", "ServerBusy")
EXPIRED = re.compile(r"expired|ExpiredToken|TokenRefreshRequired|invalid_grant", re.I)
NO_BUCKET = re.compile(r"NoSuchBucket|bucket does not exist|ContainerNotFound|container does not exist", re.I)
UNKNOWN_KEY = re.compile(r"InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|AuthenticationFailed", re.I)
NO_KEY = ("NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError", "ProfileNotFound")
NO_TROUBLE = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, UserError)  # answers
UNREACHABLE = ("EndpointConnectionError", "ConnectTimeoutError", "ClientConnectorError", "gaierror")
BROKEN_OFF = (
    *("ClientPayloadError", "ServerDisconnectedError", "ClientOSError", "IncompleteReadError"),
    *("ResponseStreamingError", "ServiceRequestError"),
    *("ConnectionClosedError", "ReadTimeoutError", "HTTPClientError", "ChunkedEncodingError", "ResponseParserError"),
    *("ServiceResponseError", "IncompleteDownloadError", "TransportError"),
)  # fmt: skip

for _client in ("botocore", "aiobotocore"):  # each process would say where it found its credentials
    logging.getLogger(_client).setLevel(logging.WARNING)

_opened: dict[tuple[int, str, str], "PatientStore"] = {}


def opened(path: str) -> tuple["PatientStore", str]:
    """The store of a URL, the same one as before in this process, and the path inside it. UserError names the package
    that is missing."""
    url = urlparse(path)
    key = (os.getpid(), url.scheme, url.netloc)  # a fork has other threads, and needs connections of its own
    if key not in _opened:
        try:
            _opened[key] = PatientStore(connected(path)[0], without_secrets(f"{url.scheme}://{url.netloc}"))
        except ImportError as error:
            package = PACKAGES.get(url.scheme)
            way = f"pip install {package} (the extra wanyu[stores] has it)" if package else f"install it ({error})"
            raise UserError(f"{path}: {url.scheme}:// needs the package {package or 'of its store'}: {way}") from None
        except ValueError as error:
            raise UserError(f"{path}: no store that fsspec knows ({error}): name a path or another URL") from None
        except OSError as error:
            if url.scheme == "hdfs":
                raise UserError(
                    f"{path}: libhdfs cannot be had ({_first_line(error)}): set JAVA_HOME, HADOOP_HOME and CLASSPATH "
                    "(hadoop classpath --glob), or name webhdfs://HOST:9870/..."
                ) from None
            raise
        except Exception as error:
            if line := line_of(error, f"{url.scheme}://{url.netloc}"):
                raise UserError(line) from None
            raise
    store = _opened[key]
    return store, store._strip_protocol(path)


def connected(path: str, **options: Any) -> tuple[fsspec.AbstractFileSystem, str]:
    """fsspec's own filesystem of a URL, with its options (of http(s): those of aiohttp's sessions), and the path inside
    it. UserError for addresses inside addresses (`simplecache::https://`), which lead around what is looked at."""
    if CHAINED.search(path):
        raise UserError(f"{path}: an address inside another one: name the inner one itself")
    if public.is_web(path):
        return client.filesystem(**options), path
    return url_to_fs(path, use_listings_cache=False, **options)


def patient(function: Callable[..., Any], name: str, *args: Any, **kwargs: Any) -> Any:
    """Calls it again after what passes, at most ATTEMPTS times. UserError for what the user can mend, about the store
    `name`; what is not there is not there, and anything else keeps its trace."""
    for attempt in range(ATTEMPTS):
        counters.count_requests(name)
        if attempt:
            counters.count_retries(name)
        try:
            return function(*args, **kwargs)
        except Exception as error:
            if refused := public.of_chain(error):
                raise UserError(f"{name}: {refused}") from None
            passes = _is_throttle(error, name) or (not isinstance(error, NO_TROUBLE) and _passes(error))
            if not passes and isinstance(error, NO_TROUBLE):
                if NO_BUCKET.search(str(error)):
                    raise UserError(f"{name}: there is no such bucket: make it, or name another one") from None
                raise
            if not passes or attempt == ATTEMPTS - 1:
                if line := line_of(error, name):
                    raise UserError(line) from None
                raise
            time.sleep(min(LONGEST_WAIT, FIRST_WAIT * 2**attempt) * (1 + os.getpid() % 16 / 16) / 2)
    raise AssertionError


class PatientFile:
    """A file of a store that is read: a piece whose reading breaks off is asked for again."""

    def __init__(self, file: Any, name: str) -> None:
        self._file, self._name = file, name

    def read(self, *args: Any) -> bytes:
        at = self._file.tell()

        def again(*args: Any) -> bytes:
            if self._file.tell() != at:
                self._file.seek(at)
            return bytes(self._file.read(*args))

        return bytes(patient(again, self._name, *args))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "PatientFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._file)


class StoreFile(io.RawIOBase):
    """An object that is read by ranges: a piece that begins where the last one ended is asked for together with what
    follows, twice as much each time; any other alone, so that a column of a table costs its own bytes."""

    def __init__(self, store: "PatientStore", path: str) -> None:
        self._store, self._path, self._at = store, path, 0
        self._held, self._from, self._ended, self._ahead = b"", 0, 0, 0

    @functools.cached_property
    def size(self) -> int:
        return int(self._store.size(self._path))

    def read(self, size: int | None = -1, /) -> bytes:
        if (size is None or size < 0) and self._at == 0:
            data = bytes(self._store.cat_file(self._path))  # all of one state, should it be written anew meanwhile
        else:
            stop = self.size if size is None or size < 0 else min(self.size, self._at + size)
            data = self._piece(self._at, stop) if stop > self._at else b""
        self._at += len(data)
        return data

    def readinto(self, buffer: Any, /) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _piece(self, start: int, stop: int) -> bytes:
        held = self._held[start - self._from :] if start >= self._from else b""
        if len(held) < stop - start:
            follows = start == self._ended
            self._ahead = min(MOST_AHEAD, max(FIRST_AHEAD, 2 * self._ahead)) if follows else 0
            begin = start + len(held)
            self._held = held + self._store.cat_file(
                self._path, start=begin, end=min(self.size, max(stop, begin + self._ahead))
            )
            self._from = start
            held = self._held
        self._ended = stop
        return held[: stop - start]

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at}.get(whence)
        self._at = offset + (self.size if base is None else base)
        return self._at

    def tell(self) -> int:
        return self._at

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


class PatientStore(fsspec.AbstractFileSystem):
    """A filesystem of fsspec, each of whose requests is `patient`."""

    cachable = False

    def __init__(self, inner: fsspec.AbstractFileSystem, name: str) -> None:
        super().__init__()
        self.inner, self.name, self.protocol = inner, name, inner.protocol

    def _strip_protocol(self, path: str) -> str:
        return str(self.inner._strip_protocol(path))

    def unstrip_protocol(self, name: str) -> str:
        return str(self.inner.unstrip_protocol(name))

    def open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        if mode == "rb" and self._by_ranges:
            return StoreFile(self, path)
        file = patient(self.inner.open, self.name, path, mode, **kwargs)
        return PatientFile(file, self.name) if mode == "rb" else file

    @property
    def _by_ranges(self) -> bool:
        return not self.has_folders and not {*_each(self.protocol)} & {"http", "https"}

    @property
    def has_folders(self) -> bool:
        return not isinstance(self.protocol, str | tuple) or not {*_each(self.protocol)} & {*WITHOUT_FOLDERS}


def _each(protocol: str | tuple[str, ...]) -> tuple[str, ...]:
    return (protocol,) if isinstance(protocol, str) else protocol


def _asked(name: str) -> Callable[..., Any]:
    @functools.wraps(getattr(fsspec.AbstractFileSystem, name))
    def ask(self: PatientStore, *args: Any, **kwargs: Any) -> Any:
        return patient(getattr(self.inner, name), self.name, *args, **kwargs)

    return ask


for _name in (
    *("exists", "isdir", "isfile", "info", "size", "find", "ls", "glob", "du", "cat_file", "cat_ranges", "cat", "head"),
    *("pipe_file", "put_file", "get_file", "rm_file", "rm", "cp_file", "copy", "mv", "makedirs", "mkdir", "modified"),
    *("created", "checksum", "ukey", "expand_path", "put", "get", "invalidate_cache"),
):
    setattr(PatientStore, _name, _asked(_name))


def line_of(error: BaseException, name: str) -> str | None:
    """What a store's error is for people; None for what may be a bug. `name`: the store's."""
    chain = list(_chain(error))
    kinds = {kind.__name__ for one in chain for kind in type(one).__mro__}
    said, status, what = " ".join(map(str, chain)), _status(error), _first_line(error)
    refused = isinstance(error, PermissionError) or status in (401, 403)
    line = None
    if NO_BUCKET.search(said):
        line = "there is no such bucket: make it, or name another one"
    elif EXPIRED.search(said) and (refused or status == 400):
        line = "the credentials have expired: renew them; the same command goes on from there"
    elif kinds & {*NO_KEY}:
        line = f"no credentials ({what}): set those of the store, as AWS_ACCESS_KEY_ID, or name a profile"
    elif UNKNOWN_KEY.search(said):
        line = "the store does not accept these credentials: check key, secret and endpoint"
    elif refused:
        line = f"access denied ({what}): give these credentials the right to list, read and write it, or renew them"
    elif status == 400:  # all that a store says of an expired token where the answer has no body
        line = f"refused ({what}): the credentials have expired, or are of another region or store"
    elif kinds & {*UNREACHABLE} or isinstance(error, ConnectionRefusedError):
        line = f"the store cannot be reached ({what}): check its endpoint and the network"
    elif _passes(error):
        line = f"the store fails again and again ({what}): run the same command again, it goes on"
    elif any(type(one).__module__.startswith(("botocore", "aiobotocore")) for one in chain):
        line = f"{type(error).__name__}: {what}: check address and credentials"
    return f"{name}: {line}" if line else None


def _is_throttle(error: BaseException, name: str) -> bool:
    """Over https, where no credentials of ours go, Common Crawl says 403 for it; of any status fsspec says that there
    is no such file."""
    return name.startswith(("http://", "https://")) and _status(error) in (403, 429, 500, 502, 503, 504)


def _passes(error: BaseException) -> bool:
    status = _status(error)
    if status is not None:
        return status in (408, 425, 429, 500, 502, 503, 504) or _said_to_pass(error)
    if isinstance(
        error, ConnectionError | TimeoutError | asyncio.TimeoutError | FSTimeoutError | http.client.HTTPException
    ):
        return True
    kinds = {kind.__name__ for one in _chain(error) for kind in type(one).__mro__}
    return bool(kinds & {*UNREACHABLE, *BROKEN_OFF}) or _said_to_pass(error)


def _said_to_pass(error: BaseException) -> bool:
    said = " ".join(map(str, _chain(error)))
    return any(word in said for word in PASSES)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen = 0
    while error is not None and seen < 10:
        yield error
        error, seen = error.__cause__, seen + 1


def _status(error: BaseException) -> int | None:
    """Of HTTP, where any of the clients' errors has it."""
    for one in _chain(error):
        response = getattr(one, "response", None)
        found = response.get("ResponseMetadata", {}).get("HTTPStatusCode") if isinstance(response, dict) else None
        named = ((at, name) for at in (one, response) for name in ("status_code", "status", "code"))
        for value in itertools.chain([found], (getattr(at, name, None) for at, name in named)):
            if isinstance(value, int | str) and str(value).isdecimal() and 100 <= int(value) < 600:
                return int(value)
    return None


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return (text.splitlines()[0] if text else type(error).__name__)[:200]
