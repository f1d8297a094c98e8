"""The next is read while one works on the last: a disk and a processor that do not wait for each other."""

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(names: Iterable[str], read: Callable[[str], T]) -> Generator[tuple[str, T], None, None]:
    """(name, read(name)) of each name, in order, read by one thread that is one name ahead. What `read` raises is
    raised at its name. In memory are the one that is worked on, the next, and what `read` is making. Closed
    early, it waits for the read that is on its way."""
    coming: tuple[str, Future[T]] | None = None
    with ThreadPoolExecutor(1) as thread:
        for name in names:
            following = name, thread.submit(read, name)
            if coming is not None:
                yield coming[0], coming[1].result()
            coming = following
        if coming is not None:
            yield coming[0], coming[1].result()
