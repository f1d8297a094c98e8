"""What this process has asked of stores, read, and written between tasks. A fork begins at nothing."""

import os
from typing import Any

requests = 0  # to stores, as calls of theirs: a listing is one, whatever its pages
read = 0  # bytes of tables and archives
exchanged = 0  # bytes of temporary files, in the place of a shuffle


def count_requests(number: int = 1) -> None:
    global requests
    requests += number


def count_read(size: int) -> None:
    global read
    read += size


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
    global requests, read, exchanged
    requests = read = exchanged = 0


os.register_at_fork(after_in_child=_begin)
