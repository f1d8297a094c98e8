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
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO, NamedTuple

import aiohttp
import fsspec
from aiohttp.http import HttpProcessingError
from xxhash import xxh3_64_intdigest

from pipeline.store import storage
from schemas.errors import UserError

# Any name with the mark of an archive in it (sample.warc.txt, x.warc.gz.bad), but not what lies beside archives.
ARCHIVE_NAME = re.compile(
    r"^(?!\.)(?!.*/\.)(?!.*\.(cdxj?|idx|md5|sha\d+|json|html?|log)(\.gz)?$).*\.(warc|arc|wet|wat)\b[^/]*$",
    re.IGNORECASE,
)
LIST_NAME = re.compile(r"\.paths(\.gz)?$", re.IGNORECASE)
RETRY_STATUS = (403, 408, 425, 429, 500, 502, 503, 504)  # Common Crawl throttles with 403
READ_SECONDS = 120  # without a byte
LONGEST_WAIT = 300.0  # seconds that a store may ask for
_FROM_FIRST_BYTE = re.compile(r"bytes 0-(\d+)/(\d+)")


class Archive(NamedTuple):
    file_path: str
    location: str
    size: int | None  # bytes as stored, None when the store was not asked


class FetchError(Exception):
    """An archive that could not be had; `reason` is `missing` or `unreadable`."""

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason


def manifest(inputs: Iterable[str], prefix: str = "", limit: int | None = None, sample: float = 1.0) -> list[Archive]:
    """The archives that the inputs name, by file_path. UserError for what is missing, empty, or named twice.

    sample: the share to take, chosen by `lot`. limit: how many of these to take.
    """
    found: dict[str, Archive] = {}
    for given in inputs:
        for archive in _resolve(given, prefix):
            other = found.setdefault(archive.file_path, archive)
            if other != archive:
                raise UserError(
                    f"{other.location} and {archive.location} would both be called {archive.file_path}: "
                    "give the folder above them instead"
                )
    if not found:
        raise UserError("no archive to read: name a file, a folder, a .paths list or a URL with --input")
    taken = [found[name] for name in sorted(found) if lot(name) < sample]
    if not taken:
        raise UserError(f"--sample {sample:g} takes none of {len(found)} archives: raise it, or use --limit alone")
    return taken[:limit]


def lot(file_path: str) -> float:
    """A number in [0, 1) by the archive's name, the first 53 bits of its XXH3-64 (UTF-8, seed 0): the same on every
    machine and in every list, so that a larger share takes all that a smaller one does.
    """
    return (xxh3_64_intdigest(file_path.encode("utf-8", "surrogatepass")) >> 11) / (1 << 53)


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
        raise UserError(f"--input {given}: {type(error).__name__}: {error}; check address and credentials") from None
    if not there:
        raise UserError(f"--input {given}: no such file or folder")
    name = path.rstrip("/").rsplit("/", 1)[-1]
    if fs.isfile(inside):
        return [Archive(name if storage.is_local(path) else given, path, fs.size(inside))]
    files = {file: size for file, size in storage.listing(path, hidden=True).items() if ARCHIVE_NAME.search(file)}
    if not files:
        raise UserError(f"--input {given}: no archive in this folder (looked for .warc, .arc and .wet names)")
    base = name if storage.is_local(path) else given.rstrip("/")
    return [Archive(f"{base}/{file}", storage.join(path, file), size) for file, size in files.items()]


def _listed(path: str, prefix: str) -> list[Archive]:
    try:
        with fetch(path) as file:
            data = file.read()
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
    except (FetchError, OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UserError(f"--input {path}: not readable as a list of paths: {error}") from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise UserError(f"--input {path}: the list is empty")
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

    A transfer that fails or ends early begins anew, after 1, 2, 4 ... seconds (at most 60) and a share of that time
    set by the location's hash, so that many tasks do not come back at once; not before the store said (Retry-After,
    at most LONGEST_WAIT). Raises FetchError.
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
            garbled = isinstance(error.__cause__, HttpProcessingError)  # aiohttp calls a bad answer status 400
            status = None if garbled else getattr(error, "status", None)
            if attempt == retries or (status is not None and status not in RETRY_STATUS):
                detail = f"{type(error).__name__}: {error}".splitlines()[0][:500]
                raise FetchError("unreadable", f"{location}: {detail} (after {attempt + 1} tries)") from None
            sleep(max(min(60.0, 2.0**attempt) * (1 + stagger), _retry_after(error) + stagger))
    raise AssertionError("unreachable")


def _retry_after(error: Exception) -> float:
    """Seconds that the store asks for, as a number or a date (RFC 9110, 10.2.3); 0 where it says nothing readable."""
    headers = getattr(error, "headers", None) or {}
    if isinstance(answer := getattr(error.__cause__, "response", None), dict):  # botocore's
        headers = {"Retry-After": answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("retry-after", "")}
    said = str(headers.get("Retry-After", "")).strip()
    try:
        seconds = float(said) if said.isdecimal() else parsedate_to_datetime(said).timestamp() - time.time()
    except (ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), LONGEST_WAIT)


def _download(location: str, user_agent: str) -> BinaryIO:
    """One transfer of the whole archive over one connection (ranges do not fare well under load) to a file that
    vanishes when closed.

    The bytes stay as stored, because offsets count them. Time is bounded between two reads, not in all: a large archive
    may take an hour.
    """
    options: dict[str, Any] = {}
    if location.startswith(("http://", "https://")):
        options["client_kwargs"] = {
            "headers": {"User-Agent": user_agent, "Accept-Encoding": "identity"},
            "auto_decompress": False,
            "timeout": aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=READ_SECONDS),
            "raise_for_status": _refuse_pieces,
        }
    elif location.startswith(("s3://", "s3a://")):
        options["max_concurrency"] = 1
    fs, inside = fsspec.url_to_fs(location, use_listings_cache=False, skip_instance_cache=True, **options)
    with tempfile.NamedTemporaryFile(prefix="archive-") as copy:
        fs.get_file(inside, copy.name)
        return open(copy.name, "rb")


async def _refuse_pieces(answer: aiohttp.ClientResponse) -> None:
    """Raises for a success that is not the whole archive: a range that nobody asked for, no content. What is no success
    is fsspec's to tell."""
    span = _FROM_FIRST_BYTE.fullmatch(answer.headers.get("Content-Range", ""))
    whole = answer.status in (200, 203) or (answer.status == 206 and span and int(span[1]) + 1 == int(span[2]))
    if answer.status < 400 and not whole:
        raise aiohttp.ClientPayloadError(f"{answer.status} {answer.headers.get('Content-Range', '')}: not the whole")
