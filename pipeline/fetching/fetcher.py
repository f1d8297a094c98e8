"""A worker's archives, fetched by a process of its own while the worker parses what has come so far.

One child a worker, for as long as the worker lives. It holds the permit and the connection to the store, writes to a
file without a name, which is gone with its last reader, and says at the end what became of it. So parsing waits for
bytes only where the network is slower than it, and a worker has no more than one archive on its disk.
"""

import functools
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import traceback
import weakref
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple, Protocol

from pipeline.archive.fetch import FIRST_WAIT, FetchError, download, open_local, store_of, tried
from pipeline.costs import counters
from pipeline.fetching.permits import Permits, permit, stop
from pipeline.store import storage
from pipeline.workers.modules import end_with, python_module
from schemas.errors import UserError
from schemas.redacted import redacted

STARVED_SECONDS = 0.02  # between two looks at a file that has not grown
MESSAGE = 1 << 16  # bytes of a request or an answer
LIVES = 3  # of the child, for one archive
WHOLE, OTHER, DIED, BUG = "whole", "other", "died", "bug"  # what became of an archive, beside
REFUSED, MENDED_BY_USER = "FetchError", "UserError"


class Wanted(NamedTuple):
    """What is to be fetched, and how (see `pipeline.archive.fetch.tried`)."""

    location: str
    retries: int
    user_agent: str
    permits: Permits | None  # None: without a bound
    first_wait: float = FIRST_WAIT


class Copy(Protocol):
    """An archive's bytes, read forward. A context manager."""

    def read(self, size: int = -1, /) -> bytes: ...

    def seek(self, offset: int, /) -> int: ...

    def is_what_was_read(self) -> bool:
        """Waits until all is there; no result counts before. False: bytes that were read were not the archive's, and it
        is to be read again from the first one on. Raises FetchError, UserError."""
        ...

    def close(self) -> None: ...

    def __enter__(self) -> "Copy": ...

    def __exit__(self, *_: object) -> None: ...


def opened(wanted: Wanted) -> Copy:
    """The archive where it lies, or as it comes from its store. Raises FetchError, UserError."""
    if storage.is_local(wanted.location):
        return _Local(open_local(wanted.location))
    return Growing(fetcher(), wanted)


@functools.cache
def fetcher() -> "Fetcher":
    """This worker's."""
    return Fetcher()


class _Local:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.read, self.seek, self.close = counters.CountedFile(file).read, file.seek, file.close

    def is_what_was_read(self) -> bool:
        return True

    def __enter__(self) -> "_Local":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Growing:
    """A file that another process writes. Reads as far as it has come, and then waits."""

    def __init__(self, fetcher: "Fetcher", wanted: Wanted) -> None:
        self._fetcher, self._wanted = fetcher, wanted
        self._lives = LIVES
        self._begin()

    def _begin(self) -> None:
        self._file = self._fetcher.begin(self._wanted)
        self._at = 0
        self._verdict: dict[str, str] | None = None

    def read(self, size: int = -1, /) -> bytes:
        while True:
            ended = self._verdict is not None  # asked first: what is written before it has ended is seen then
            piece = os.pread(self._file.fileno(), size if size >= 0 else 1 << 20, self._at)
            if piece or ended:
                self._at += len(piece)
                counters.count_read(len(piece))
                return piece
            self._listen(STARVED_SECONDS)

    def seek(self, offset: int, /) -> int:
        self._at = offset
        return offset

    def is_what_was_read(self) -> bool:
        while self._verdict is None:
            self._listen(None)
        said, line = self._verdict["said"], self._verdict.get("line", "")
        if said == MENDED_BY_USER:
            raise UserError(line)
        if said == REFUSED:
            raise FetchError(self._verdict["reason"], line)
        if said == OTHER:
            self._verdict, self._at = {"said": WHOLE}, 0
            return False
        if said == DIED and self._lives > 1:
            self._lives -= 1
            self._file.close()
            self._begin()
            return False
        if said in (DIED, BUG):
            raise RuntimeError(line)
        return True

    def _listen(self, seconds: float | None) -> None:
        self._verdict = self._fetcher.answer(seconds)
        said, store = self._verdict or {}, store_of(self._wanted.location)
        counters.count_requests(store, int(said.get("requests", 0)))
        counters.count_retries(store, int(said.get("retries", 0)))

    def close(self) -> None:
        """What has not come by now is not wanted any more."""
        if self._verdict is None:
            self._fetcher.close()
        self._file.close()

    def __enter__(self) -> "Growing":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Fetcher:
    """The parent's end; one archive at a time. The child starts with the first one and is closed when collected."""

    def __init__(self) -> None:
        self._channel: socket.socket | None = None
        self._finalizer: weakref.finalize | None = None

    def begin(self, wanted: Wanted) -> BinaryIO:
        """The file that grows from now on. What became of the one before must be known, or the fetcher be closed."""
        file = tempfile.TemporaryFile(prefix="archive-", dir=storage.scratch_folder(), buffering=0)  # noqa: SIM115
        for _ in range(2):  # the child may have died since the last archive
            with suppress(OSError):
                socket.send_fds(self._running(), [json.dumps(wanted).encode()], [file.fileno()])
                break
            self.close()
        return file

    def answer(self, seconds: float | None) -> dict[str, str] | None:
        """What became of the archive, once it is known; None after `seconds`."""
        if self._channel is None:
            return {"said": DIED, "line": "no process that fetches archives can be had"}
        ready, _, _ = select.select([self._channel], [], [], seconds)
        if not ready:
            return None
        said = b""
        with suppress(OSError):
            said = self._channel.recv(MESSAGE)
        if not said:
            self.close()
            return {"said": DIED, "line": "the process that fetches archives died"}
        return json.loads(said)

    def close(self) -> None:
        """Ends the child, whatever it does."""
        if self._finalizer is not None:
            self._finalizer()
        self._channel, self._finalizer = None, None

    def _running(self) -> socket.socket:
        if self._channel is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                process = python_module(
                    "pipeline.fetching.fetcher", str(theirs.fileno()), str(os.getpid()), pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                )  # fmt: skip
            self._channel = ours
            self._finalizer = weakref.finalize(self, _stop, process, ours, os.getpid())
        return self._channel


def _stop(process: "subprocess.Popen[bytes]", channel: socket.socket, parent: int) -> None:
    channel.close()
    if os.getpid() == parent:
        process.kill()
        process.wait()


def serve(channel: socket.socket) -> None:
    """The child: an archive after the other, until its parent goes away."""
    while True:
        request, descriptors, _, _ = socket.recv_fds(channel, MESSAGE, 1)
        if not request:
            return
        location, retries, user_agent, source, first_wait = json.loads(request)
        wanted = Wanted(location, retries, user_agent, source and Permits(*source), first_wait)
        with os.fdopen(descriptors[0], "r+b", buffering=0) as file:
            answer = _fetched(wanted, file)
        channel.sendall(json.dumps(answer).encode())


def _fetched(wanted: Wanted, file: BinaryIO) -> dict[str, str]:
    first, tries = True, 0
    a_transfer = 1 if wanted.location.startswith(("http://", "https://")) else 2  # stores are asked for the size first

    def transfer() -> str:
        nonlocal first, tries
        tries += 1
        if first:
            first = False
            download(wanted.location, wanted.user_agent, _path(file))
            return WHOLE
        with tempfile.TemporaryFile(prefix="archive-", dir=storage.scratch_folder()) as again:
            download(wanted.location, wanted.user_agent, _path(again))
            return _go_on(file, again)

    def asked() -> dict[str, str]:
        return {"requests": str(tries * a_transfer), "retries": str(max(0, tries - 1))}

    held = functools.partial(permit, wanted.permits)
    try:
        said = tried(transfer, wanted.location, wanted.retries, permit=held, first_wait=wanted.first_wait)
    except FetchError as error:
        return {"said": REFUSED, "reason": error.reason, "line": str(error), **asked()}
    except UserError as error:
        stop(wanted.permits, str(error))
        return {"said": MENDED_BY_USER, "line": str(error)}
    except Exception:
        return {"said": BUG, "line": redacted(f"{wanted.location}:\n{traceback.format_exc()[-8000:]}")}
    return {"said": said, **asked()}


def _path(file: Any) -> str:
    return f"/dev/fd/{file.fileno()}"


def _go_on(file: Any, again: Any) -> str:
    """Makes `file`, of which an early part may have been read, what `again` holds: OTHER where that part was not it."""
    there, size = os.fstat(file.fileno()).st_size, os.fstat(again.fileno()).st_size
    at, same = 0, size >= there
    while same and at < there:
        piece = os.pread(file.fileno(), 1 << 20, at)
        same = piece == os.pread(again.fileno(), len(piece), at)
        at += len(piece)
    if not same:
        os.ftruncate(file.fileno(), 0)
        at = 0
    while piece := os.pread(again.fileno(), 1 << 20, at):
        at += os.pwrite(file.fileno(), piece, at)
    return WHOLE if same else OTHER


if __name__ == "__main__":
    end_with(int(sys.argv[2]))
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        serve(channel)
