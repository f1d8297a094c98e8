"""What this process has asked of stores, read, and written. A fork begins at nothing."""

import os
from collections import Counter
from typing import Any

requests = 0  # to stores, as calls of theirs: a listing is one, whatever its pages
requests_by_store: Counter[str] = Counter()  # by `s3://BUCKET`, `https://HOST`
retries_by_store: Counter[str] = Counter()  # tries that followed one that failed
read = 0  # bytes of tables and archives
written = 0  # bytes of files that appeared whole
exchanged = 0  # of these, of temporary files in the place of a shuffle


def count_requests(store: str, number: int = 1) -> None:
    global requests
    requests += number
    requests_by_store[store] += number


def count_retries(store: str, number: int = 1) -> None:
    retries_by_store[store] += number


def count_read(size: int) -> None:
    global read
    read += size


def count_written(size: int) -> None:
    global written
    written += size


def count_exchanged(size: int) -> None:
    global exchanged
    exchanged += size


class CountedFile:
    """A file that is read, whose bytes are counted."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def read(self, *args: Any) -> bytes:
        data: bytes = self._file.read(*args)
        count_read(len(data))
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _begin() -> None:
    global requests, read, written, exchanged
    requests = read = written = exchanged = 0
    requests_by_store.clear()
    retries_by_store.clear()


os.register_at_fork(after_in_child=_begin)
