"""Archives as local files: opened where they lie, or fetched with retries."""

import errno
import hashlib
import re
import tempfile
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO, TypeVar

import aiohttp
import fsspec
from aiohttp.http import HttpProcessingError

from pipeline.store import storage

RETRY_STATUS = (403, 408, 425, 429, 500, 502, 503, 504)  # Common Crawl throttles with 403
READ_SECONDS = 120  # without a byte
LONGEST_WAIT = 300.0  # seconds that a store may ask for
T = TypeVar("T")

_FROM_FIRST_BYTE = re.compile(r"bytes 0-(\d+)/(\d+)")


class FetchError(Exception):
    """An archive that could not be had; `reason` is `missing` or `unreadable`."""

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason


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
    return tried(lambda: _download(location, user_agent), location, retries, sleep)


def tried(once: Callable[[], T], location: str, retries: int, sleep: Callable[[float], None]) -> T:
    """What `once` gives of a store, tried again as `fetch` says. Raises FetchError."""
    stagger = int(hashlib.sha256(location.encode()).hexdigest()[:8], 16) / (1 << 32)
    for attempt in range(retries + 1):
        try:
            return once()
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
        options["client_kwargs"] = {**client_settings(user_agent), "raise_for_status": _refuse_pieces}
    elif location.startswith(("s3://", "s3a://")):
        options["max_concurrency"] = 1
    fs, inside = fsspec.url_to_fs(location, use_listings_cache=False, skip_instance_cache=True, **options)
    with tempfile.NamedTemporaryFile(prefix="archive-") as copy:
        fs.get_file(inside, copy.name)
        return open(copy.name, "rb")


def client_settings(user_agent: str) -> dict[str, Any]:
    """Of aiohttp's sessions, for bytes as they are stored."""
    return {
        "headers": {"User-Agent": user_agent, "Accept-Encoding": "identity"},
        "auto_decompress": False,
        "timeout": aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=READ_SECONDS),
    }


async def _refuse_pieces(answer: aiohttp.ClientResponse) -> None:
    """Raises for a success that is not the whole archive: a range that nobody asked for, no content. What is no success
    is fsspec's to tell."""
    span = _FROM_FIRST_BYTE.fullmatch(answer.headers.get("Content-Range", ""))
    whole = answer.status in (200, 203) or (answer.status == 206 and span and int(span[1]) + 1 == int(span[2]))
    if answer.status < 400 and not whole:
        raise aiohttp.ClientPayloadError(f"{answer.status} {answer.headers.get('Content-Range', '')}: not the whole")
