"""Ranges of an archive's bytes, from where it lies: a local file, a web server, any store."""

import os
import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import aiohttp
from fsspec.asyn import sync

from pipeline.archive import fetch
from pipeline.archive.fetch import client_settings, open_local, store_of, tried
from pipeline.costs import counters
from pipeline.store import storage, stores
from pipeline.web import public

BEHIND_THE_END = 416  # Range Not Satisfiable
_SPAN = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")

ReadRange = Callable[[int, int], bytes]


def range_reader(
    location: str,
    retries: int = 5,
    user_agent: str = "wanyu/0.1",
    *,
    permit: Callable[[], AbstractContextManager[Any]] = nullcontext,
    first_wait: float = fetch.FIRST_WAIT,
    sleep: Callable[[float], None] = time.sleep,
) -> ReadRange:
    """A function of first byte and the one behind the last, that answers these bytes, fewer where the archive ends.

    It may be called from any thread, keeps connections between requests, and raises as `fetch.tried` does, which has
    the other arguments.
    """
    if storage.is_local(location):
        return lambda start, end: _of_file(location, start, end)
    of_server = public.is_web(location)
    fs, inside = stores.connected(location, **(client_settings(user_agent) if of_server else {}))

    def read(start: int, end: int) -> bytes:
        def once() -> bytes:
            counters.count_requests(store_of(location))
            if of_server:
                return bytes(sync(fs.loop, _of_server, fs, inside, start, end))
            return _of_store(fs, inside, start, end)

        data: bytes = tried(once, location, retries, permit=permit, first_wait=first_wait, sleep=sleep)
        counters.count_read(len(data))
        return data

    return read


def _of_file(location: str, start: int, end: int) -> bytes:
    with open_local(location) as file:
        return os.pread(file.fileno(), end - start, start)


async def _of_server(fs: Any, url: str, start: int, end: int) -> bytes:
    """Only what says that it is the range counts: a server that knows no ranges would send the whole archive."""
    session = await fs.set_session()
    async with session.get(fs.encode_url(url), headers={"Range": f"bytes={start}-{end - 1}"}) as answer:
        if answer.status == BEHIND_THE_END:
            return b""
        if answer.status == 404:
            raise FileNotFoundError(url)
        answer.raise_for_status()
        said = answer.headers.get("Content-Range", "")
        span = _SPAN.fullmatch(said)
        last = int(span[2]) if span else 0
        ends_there = span is not None and (last == end - 1 or span[3] == str(last + 1))
        if answer.status != 206 or span is None or int(span[1]) != start or last >= end or not ends_there:
            raise aiohttp.ClientPayloadError(f"{answer.status} {said}: not the bytes {start}-{end - 1}")
        data: bytes = await answer.read()
    if len(data) != last + 1 - start:
        raise aiohttp.ClientPayloadError(f"{len(data)} bytes under {said}")
    return data


def _of_store(fs: Any, inside: str, start: int, end: int) -> bytes:
    try:
        data: bytes = fs.cat_file(inside, start=start, end=end)
    except OSError as error:
        code = getattr(error.__cause__, "response", {}).get("Error", {}).get("Code")
        if code in ("InvalidRange", str(BEHIND_THE_END)):
            return b""
        raise
    return data
