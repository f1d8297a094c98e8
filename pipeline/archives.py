"""Where the archives are: files, folders, path lists and URLs resolved to a manifest; archives fetched with retries.

`file_path` names an archive in the data and depends on no machine: the path below the given folder (its name included),
the line of a path list, the URL. `location` is where this run opens it.
"""

import errno
import gzip
import hashlib
import os
import re
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO, NamedTuple

import aiohttp
import fsspec

from pipeline import storage

# Any name with the mark of an archive in it (sample.warc.txt, x.warc.gz.bad), but not what lies beside archives.
ARCHIVE_NAME = re.compile(
    r"^(?!\.)(?!.*/\.)(?!.*\.(cdxj?|idx|md5|sha\d+|json|html?|log)(\.gz)?$).*\.(warc|arc|wet|wat)\b[^/]*$",
    re.IGNORECASE,
)
LIST_NAME = re.compile(r"\.paths(\.gz)?$", re.IGNORECASE)
RETRY_STATUS = (403, 408, 425, 429, 500, 502, 503, 504)  # Common Crawl throttles with 403
READ_SECONDS = 120  # without a byte


class Archive(NamedTuple):
    file_path: str
    location: str
    size: int | None  # bytes as stored, None when the store was not asked


class FetchError(Exception):
    """An archive that could not be had; `reason` is `missing` or `unreadable`."""

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason


def manifest(inputs: Iterable[str], prefix: str = "", limit: int | None = None) -> list[Archive]:
    """All archives that the inputs name, by file_path. ValueError for what is missing, empty, or named twice."""
    found: dict[str, Archive] = {}
    for given in inputs:
        for archive in _resolve(given, prefix):
            other = found.setdefault(archive.file_path, archive)
            if other != archive:
                raise ValueError(
                    f"{other.location} and {archive.location} would both be called {archive.file_path}: "
                    "give the folder above them instead"
                )
    if not found:
        raise ValueError("no archive to read: name a file, a folder, a .paths list or a URL with --input")
    return [found[name] for name in sorted(found)][:limit]


def _resolve(given: str, prefix: str) -> list[Archive]:
    path = storage.absolute(given)
    if LIST_NAME.search(path):
        return _listed(path, prefix)
    if path.startswith(("http://", "https://")):
        return [Archive(given, path, None)]
    try:
        fs, inside = storage.filesystem(path)
        there = fs.exists(inside)
    except Exception as error:  # stores raise anything: no credentials, no such host, no permission
        raise ValueError(f"--input {given}: {type(error).__name__}: {error}; check address and credentials") from None
    if not there:
        raise ValueError(f"--input {given}: no such file or folder")
    name = path.rstrip("/").rsplit("/", 1)[-1]
    if fs.isfile(inside):
        return [Archive(name if storage.is_local(path) else given, path, fs.size(inside))]
    files = {file: size for file, size in storage.listing(path, hidden=True).items() if ARCHIVE_NAME.search(file)}
    if not files:
        raise ValueError(f"--input {given}: no archive in this folder (looked for .warc, .arc and .wet names)")
    base = name if storage.is_local(path) else given.rstrip("/")
    return [Archive(f"{base}/{file}", storage.join(path, file), size) for file, size in files.items()]


def _listed(path: str, prefix: str) -> list[Archive]:
    try:
        with fetch(path) as file:
            data = file.read()
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
    except (FetchError, OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"--input {path}: not readable as a list of paths: {error}") from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"--input {path}: the list is empty")
    base = prefix or ("" if "://" in lines[0] else path.rsplit("/", 1)[0] + "/")
    archives = []
    for line in lines:
        location = line if "://" in line else base + line
        size = None
        if storage.is_local(location):
            location = storage.absolute(location)
            size = os.path.getsize(location) if os.path.exists(location) else None
        archives.append(Archive(line, location, size))
    return archives


def fetch(
    location: str, retries: int = 5, user_agent: str = "wanyu/0.1", sleep: Callable[[float], None] = time.sleep
) -> BinaryIO:
    """The archive as a local file, open for reading: the file itself, or a temporary copy of what a store holds.

    A transfer that fails or ends early begins anew, after 1, 2, 4 ... seconds (at most 60) and a share of that second
    set by the location's hash, so that many tasks do not come back at once. Raises FetchError.
    """
    if storage.is_local(location):
        try:
            return open(location.removeprefix("file://"), "rb")
        except (FileNotFoundError, IsADirectoryError):
            raise FetchError("missing", f"{location}: no such file") from None
        except OSError as error:
            raise FetchError("unreadable", f"{location}: {error.strerror}") from None
    stagger = int(hashlib.sha256(location.encode()).hexdigest()[:8], 16) / (1 << 32)
    for attempt in range(retries + 1):
        try:
            return _download(location, user_agent)
        except FileNotFoundError:
            raise FetchError("missing", f"{location}: no such object") from None
        except Exception as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise  # this machine's disk, not the store
            status = getattr(error, "status", None)
            if attempt == retries or (status is not None and status not in RETRY_STATUS):
                detail = f"{type(error).__name__}: {error}".splitlines()[0]
                raise FetchError("unreadable", f"{location}: {detail} (after {attempt + 1} tries)") from None
            sleep(min(60.0, 2.0**attempt) * (1 + stagger))
    raise AssertionError("unreachable")


def _download(location: str, user_agent: str) -> BinaryIO:
    """One transfer of the whole archive (ranges do not fare well under load) to a file that vanishes when closed.

    The bytes stay as stored, because offsets count them. Time is bounded between two reads, not in all: a large archive
    may take an hour.
    """
    options: dict[str, Any] = {}
    if location.startswith(("http://", "https://")):
        options["client_kwargs"] = {
            "headers": {"User-Agent": user_agent, "Accept-Encoding": "identity"},
            "auto_decompress": False,
            "timeout": aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=READ_SECONDS),
        }
    fs, inside = fsspec.url_to_fs(location, use_listings_cache=False, skip_instance_cache=True, **options)
    with tempfile.NamedTemporaryFile(prefix="archive-") as copy:
        fs.get_file(inside, copy.name)
        return open(copy.name, "rb")
