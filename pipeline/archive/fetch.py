"""Archives as local files: opened where they lie, or fetched with retries."""

import errno
import hashlib
import re
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO, TypeVar

import aiohttp
from aiohttp.http import HttpProcessingError

from pipeline.costs import counters
from pipeline.store import storage, stores
from pipeline.web import public
from schemas.errors import UserError
from schemas.redacted import redacted

R = TypeVar("R")

RETRY_STATUS = (403, 408, 425, 429, 500, 502, 503, 504)  # Common Crawl throttles with 403
READ_SECONDS = 120  # without a byte
LONGEST_WAIT = 300.0  # seconds that a store may ask for
FIRST_WAIT = 1.0  # seconds, doubled with each try
NO_BUCKET = ("NoSuchBucket", "InvalidBucketName")
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired")
NO_CREDENTIALS = (  # by name, since no store's library need be there: botocore's, Google's, Azure's
    "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError",
    "SSOTokenLoadError", "UnauthorizedSSOTokenError", "ProfileNotFound", "DefaultCredentialsError", "RefreshError",
    "ClientAuthenticationError",
)  # fmt: skip
_FROM_FIRST_BYTE = re.compile(r"bytes 0-(\d+)/(\d+)")


class FetchError(Exception):
    """An archive that could not be had; `reason` is `missing` or `unreadable`. No secret of an address is in it."""

    def __init__(self, reason: str, detail: str):
        super().__init__(redacted(detail))
        self.reason = reason


def fetch(
    location: str, retries: int = 5, user_agent: str = "wanyu/0.1", sleep: Callable[[float], None] = time.sleep
) -> BinaryIO:
    """The archive as a local file, open for reading: the file itself, or a temporary copy of what a store holds.

    Raises as `tried` does.
    """
    if storage.is_local(location):
        return open_local(location)

    def to_file() -> BinaryIO:
        with tempfile.NamedTemporaryFile(prefix="archive-", dir=storage.scratch_folder()) as copy:
            download(location, user_agent, copy.name)
            return open(copy.name, "rb")

    return tried(to_file, location, retries, sleep=sleep)


def open_local(location: str) -> BinaryIO:
    """Raises FetchError."""
    try:
        return open(location.removeprefix("file://"), "rb")
    except (FileNotFoundError, IsADirectoryError):
        raise FetchError("missing", f"{location}: no such file") from None
    except OSError as error:
        raise FetchError("unreadable", f"{location}: {error.strerror}") from None


def tried(
    transfer: Callable[[], R],
    location: str,
    retries: int,
    *,
    permit: Callable[[], AbstractContextManager[Any]] = nullcontext,
    first_wait: float = FIRST_WAIT,
    sleep: Callable[[float], None] = time.sleep,
) -> R:
    """What `transfer` gives, begun anew when it fails or ends early, after `first_wait` seconds and twice, four times
    ... as many (at most 60) and a share of that time set by the location's hash, so that many tasks do not come back
    at once; not before the store said (Retry-After, at most LONGEST_WAIT).

    permit: held during each try, and not between them. Raises FetchError for what is wrong with one archive, and
    UserError for what is wrong with all: credentials, permission, no such bucket, a full disk.
    """
    stagger = int(hashlib.sha256(location.encode()).hexdigest()[:8], 16) / (1 << 32)
    for attempt in range(retries + 1):
        try:
            with permit():
                if attempt:
                    counters.count_retries(store_of(location))
                return transfer()
        except UserError:
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise storage.scratch_full(error) from None  # this machine's disk, not the store
            if line := _refusal(error, location):
                raise UserError(line) from None
            if isinstance(error, FileNotFoundError):
                raise FetchError("missing", f"{location}: no such object") from None
            if refused := public.of_chain(error):  # no waiting mends it
                raise FetchError("unreadable", f"{location}: {refused}") from None
            garbled = isinstance(error.__cause__, HttpProcessingError)  # aiohttp calls a bad answer status 400
            status = None if garbled else getattr(error, "status", None)
            if attempt == retries or (status is not None and status not in RETRY_STATUS):
                detail = f"{type(error).__name__}: {error}".splitlines()[0][:500]
                raise FetchError("unreadable", f"{location}: {detail} (after {attempt + 1} tries)") from None
            wait = min(60.0, first_wait * 2.0**attempt)
            asked = _retry_after(error)
            sleep(max(wait * (1 + stagger), asked and asked + stagger))
    raise AssertionError("unreachable")


def store_of(location: str) -> str:
    """`s3://BUCKET`, `https://HOST`."""
    return redacted("/".join(location.split("/")[:3]))


def _refusal(error: Exception, location: str) -> str | None:
    """One line where the store refuses us and not this archive. https:// knows no credentials of ours, and Common Crawl
    throttles there with 403."""
    if public.is_web(location):
        return None
    store = "/".join(location.split("/")[:3])
    said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    code = _store_code(error)
    again = "and run it again: it goes on where it was"
    if code in NO_BUCKET or (isinstance(error, FileNotFoundError) and "bucket does not exist" in str(error)):
        return f"{store} is not there ({location}): check --input and --prefix, and the endpoint"
    if code in EXPIRED:
        return f"{store}: the credentials have expired ({said}): renew them, {again}"
    if type(error).__name__ in NO_CREDENTIALS:
        return f"{store}: no credentials that work ({said}): give them as the store's own tools take them, {again}"
    if isinstance(error, PermissionError) or getattr(error, "status", None) in (401, 403):
        return (
            f"{location}: the store refuses us ({said}): see that the credentials are right and may read there, or "
            f"take this archive out of --input, {again}"
        )
    return None


def _store_code(error: Exception) -> str:
    """What S3 calls it (botocore's answer lies below s3fs's error); "" elsewhere."""
    answer = getattr(error, "response", None) or getattr(error.__cause__, "response", None)
    return str(answer.get("Error", {}).get("Code", "")) if isinstance(answer, dict) else ""


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


def download(location: str, user_agent: str, path: str) -> None:
    """One transfer of the whole archive over one connection (ranges do not fare well under load) to the file `path`,
    which grows meanwhile.

    The bytes stay as stored, because offsets count them. Time is bounded between two reads, not in all: a large archive
    may take an hour.
    """
    options: dict[str, Any] = {"skip_instance_cache": True}
    if public.is_web(location):
        options = {**client_settings(user_agent), "raise_for_status": _refuse_pieces}
    elif location.startswith(("s3://", "s3a://")):
        options["max_concurrency"] = 1
    fs, inside = stores.connected(location, **options)
    fs.get_file(inside, path)


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
