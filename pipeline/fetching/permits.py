"""So many connections to stores at a time, over all machines: a process beside the driver hands out permits.

A permit is a connection to that process, kept open while bytes are fetched. Whoever is lost, a process, an executor or
a machine, loses its connections, which frees its permits; there is no lease to renew and no clock. It is a process,
because the driver forks its workers and must have no thread. First come, first served.
"""

import hmac
import os
import resource
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from pipeline.workers.modules import python_module
from schemas.errors import UserError

ASK, STOP, GRANTED, STOPPED = b"?", b"!", b"+", b"-"
LINE_BYTES = 4000
KEY_BYTES = 32  # hexadecimal; whoever does not say it gets nothing
CONNECT_SECONDS = 30
CONNECT_TRIES = 5
# A machine that vanished without a word is asked after a minute, and given up after half a minute more.
KEEP_ALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))


class Permits(NamedTuple):
    """Where permits are to be had."""

    host: str
    port: int
    key: str


@contextmanager
def permits(most: int, host: str = "127.0.0.1", bind: str = "") -> Iterator[Permits]:
    """`most` permits, for as long as the block lasts.

    host: the name by which workers reach this machine.  bind: the address to listen at, where it is another. UserError
    where nobody can listen there.
    """
    key = os.urandom(KEY_BYTES // 2).hex()
    process = python_module(
        "pipeline.fetching.permits", bind or host, str(most), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(key.encode())
        process.stdin.flush()
        said = process.stdout.readline().decode().strip()
        if not said.isdecimal():
            raise UserError(f"no port at {bind or host} for the workers to ask for connections: {said or 'it ended'}")
        yield Permits(host, int(said), key)
    finally:
        process.stdin.close()  # which ends it
        process.stdout.close()
        process.wait()


@contextmanager
def permit(source: Permits | None) -> Iterator[None]:
    """Waits for a permit, however long, and holds it while the block lasts. None: there is no bound. UserError where
    the driver does not answer or is gone."""
    if source is None:
        yield
        return
    with _connected(source) as connection:
        try:
            connection.sendall(ASK + source.key.encode())
            answer = connection.recv(1)
            line = _all_of(connection) if answer == STOPPED else b""
        except OSError:
            answer, line = b"", b""
        if answer != GRANTED:
            gone = f"{source.host}:{source.port}, where the driver gives permits to fetch archives, is gone"
            raise UserError(line.decode(errors="replace") or f"{gone}: run the job again, it goes on where it was")
        yield


def stop(source: Permits | None, line: str) -> None:
    """Whoever asks from now on, or waits, gets a UserError of this line."""
    if source is None:
        return
    with suppress(OSError, UserError), _connected(source) as connection:
        connection.sendall(STOP + source.key.encode() + line.encode(errors="replace")[:LINE_BYTES])
        connection.shutdown(socket.SHUT_WR)
        _all_of(connection)  # it is heard


def _all_of(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(LINE_BYTES), b""))


def _connected(source: Permits) -> socket.socket:
    for attempt in range(CONNECT_TRIES):
        try:
            connection = socket.create_connection((source.host, source.port), CONNECT_SECONDS)
        except OSError as error:
            if attempt == CONNECT_TRIES - 1 or isinstance(error, ConnectionRefusedError):
                raise UserError(
                    f"{source.host}:{source.port}, where the driver gives permits to fetch archives, does not answer "
                    f"({error}): see that workers reach spark.driver.host; if the job is gone, run it again"
                ) from None
            time.sleep(2.0**attempt)
            continue
        connection.settimeout(None)  # a wait for a permit is no fault
        _keep_alive(connection)
        return connection
    raise AssertionError("unreachable")


def _keep_alive(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEP_ALIVE:
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class _Desk:
    """Who waits and who holds, in the order of their coming."""

    def __init__(self, most: int, key: bytes) -> None:
        self._free, self._key = most, key
        self._line: bytes | None = None  # why nobody gets any more
        self._said: dict[socket.socket, bytes] = {}  # not yet all that they have to say
        self._waiting: dict[socket.socket, None] = {}
        self._holding: set[socket.socket] = set()

    def come(self, connection: socket.socket) -> None:
        self._said[connection] = b""

    def hear(self, connection: socket.socket) -> bool:
        """Whether it stays."""
        try:
            said = connection.recv(LINE_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            said = b""
        if not said or not self._taken(connection, said):
            self._leave(connection)
            return False
        return True

    def grant(self) -> None:
        while self._waiting and (self._free or self._line is not None):
            connection = next(iter(self._waiting))
            del self._waiting[connection]
            with suppress(OSError):  # gone: heard of in its turn
                if self._line is not None:
                    connection.sendall(STOPPED + self._line)
                    connection.shutdown(socket.SHUT_WR)
                    continue
                self._holding.add(connection)
                self._free -= 1
                connection.sendall(GRANTED)

    def _taken(self, connection: socket.socket, said: bytes) -> bool:
        """Whether what it says may be, or become, what one says who has the key."""
        if connection not in self._said:
            return True
        said = self._said[connection] = self._said[connection] + said
        if len(said) <= KEY_BYTES:
            return True
        known = hmac.compare_digest(said[1 : KEY_BYTES + 1], self._key)
        if known and said[:1] == ASK:
            del self._said[connection]
            self._waiting[connection] = None
        return known and len(said) <= 2 * LINE_BYTES

    def _leave(self, connection: socket.socket) -> None:
        said = self._said.pop(connection, b"")
        if said[:1] == STOP and hmac.compare_digest(said[1 : KEY_BYTES + 1], self._key):
            self._line = self._line or said[KEY_BYTES + 1 :]
        self._waiting.pop(connection, None)
        self._free += connection in self._holding
        self._holding.discard(connection)


def serve(bind: str, most: int) -> None:
    """The process: until its standard input, which the job and its forked workers hold, is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the job decides
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # a connection a worker that fetches or waits
    desk = _Desk(most, sys.stdin.buffer.read(KEY_BYTES))
    try:
        family, _, _, _, address = socket.getaddrinfo(bind, 0, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=4096)
    except OSError as error:
        print(error, flush=True)
        return
    print(listener.getsockname()[1], flush=True)
    listener.setblocking(False)
    with listener, selectors.DefaultSelector() as selector:
        selector.register(sys.stdin.buffer, selectors.EVENT_READ)
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for ready, _ in selector.select():
                if ready.fileobj is sys.stdin.buffer:
                    return
                if ready.fileobj is listener:
                    with suppress(OSError):  # gone already, or too many
                        connection, _ = listener.accept()
                        connection.setblocking(False)
                        _keep_alive(connection)
                        desk.come(connection)
                        selector.register(connection, selectors.EVENT_READ)
                    continue
                assert isinstance(ready.fileobj, socket.socket)
                if not desk.hear(ready.fileobj):
                    selector.unregister(ready.fileobj)
                    ready.fileobj.close()
            desk.grant()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
