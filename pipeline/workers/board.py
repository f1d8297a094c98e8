"""The board of a run: a process beside the driver that hears what workers and driver tell, adds it up, and shows it: to
Prometheus over HTTP, in a file for node_exporter, and to the driver for the line on its terminal.

It is a process, because the driver forks its workers and must have no thread. It ends with the driver.
"""

import hmac
import json
import os
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from pipeline.observed.exposition import Collector
from pipeline.observed.sums import Sums

FILE_SECONDS = 15.0  # between two writings of the file
LINE_BYTES = 16 << 20  # of a line that is waited for; a longer one is nobody's of ours


class Lines:
    """Bytes as they come, as lines."""

    def __init__(self) -> None:
        self._rest = b""

    def take(self, data: bytes) -> Iterator[bytes]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        yield from lines

    @property
    def too_long(self) -> bool:
        return len(self._rest) > LINE_BYTES


class Board:
    """settings: `key` of the workers, `info`, `port` and `address` of the HTTP endpoint or None, `file` or None."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings, self.sums, self.lock = settings, Sums(), threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._heard: dict[socket.socket, Lines] = {}
        self._known: set[socket.socket] = set()
        self._driver = Lines()
        self._registry: Any = None
        self.ended = False

    def open(self) -> dict[str, Any]:
        """What is said to the driver: the port for workers of this machine, and that of the endpoint; or `error`."""
        said: dict[str, Any] = {}
        if self.settings["port"] is not None or self.settings["file"] is not None:
            from prometheus_client import CollectorRegistry, start_http_server

            self._registry = CollectorRegistry(auto_describe=False)
            self._registry.register(_Locked(self.lock, Collector(self.sums, self.settings["info"], self._workers)))
            if self.settings["port"] is not None:
                try:
                    server, _ = start_http_server(self.settings["port"], self.settings["address"], self._registry)
                except (OSError, OverflowError) as error:
                    return {"error": getattr(error, "strerror", None) or str(error)}
                said["http"] = server.server_port
        self._selector.register(0, selectors.EVENT_READ)
        return said | self._listen("127.0.0.1")

    def _workers(self) -> int:
        return len(self._known)

    def _listen(self, host: str) -> dict[str, Any]:
        try:
            family, *_, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
            listener = socket.create_server(address[:2], family=family, backlog=4096)
        except OSError as error:
            return {"error": str(error)}
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, "listener")
        return {"port": listener.getsockname()[1]}

    def serve(self) -> None:
        due = time.monotonic()
        while not self.ended:
            wait = max(0.0, due - time.monotonic()) if self.settings["file"] is not None else None
            for ready, _ in self._selector.select(wait):
                if ready.fileobj == 0:
                    self._hear_driver()
                elif ready.data == "listener":
                    self._come(ready.fileobj)
                else:
                    self._hear(ready.fileobj)
            if self.settings["file"] is not None and (time.monotonic() >= due or self.ended):
                self._write()
                due = time.monotonic() + FILE_SECONDS

    def _come(self, listener: Any) -> None:
        with suppress(OSError):  # gone already, or too many
            connection, _ = listener.accept()
            connection.setblocking(False)
            self._heard[connection] = Lines()
            self._selector.register(connection, selectors.EVENT_READ)

    def _hear(self, connection: Any) -> None:
        try:
            data = connection.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        lines = self._heard[connection]
        try:
            if not data:
                raise ValueError
            for line in lines.take(data):
                if connection in self._known:
                    message = json.loads(line)
                    with self.lock:
                        self.sums.told(message)
                elif hmac.compare_digest(line, self.settings["key"].encode()):
                    self._known.add(connection)
                else:
                    raise ValueError
            if lines.too_long:
                raise ValueError
        except (ValueError, KeyError, TypeError, IndexError):  # it has ended, or is none of ours
            self._selector.unregister(connection)
            self._known.discard(connection)
            del self._heard[connection]
            connection.close()

    def _hear_driver(self) -> None:
        data = os.read(0, 1 << 20)
        if not data:
            self.ended = True
        for line in self._driver.take(data):
            answer = self._obey(json.loads(line))
            if answer is not None:
                _say(answer)

    def _obey(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """What the driver says; an answer to what it asks."""
        match message["say"]:
            case "progress":
                return self.sums.of_step(message["step"])
            case "listen":
                return self._listen(message["host"])
            case "end":
                with self.lock:
                    self.sums.status = message["status"]
                self.ended = True
                return None
        with self.lock:
            if "spent" in message:
                self.sums.spent_by("driver", message["spent"])
            match message["say"]:
                case "step":
                    self.sums.step_began(*(message[name] for name in ("step", "stage", "name", "unit", "sizes")))
                case "settle":
                    self.sums.step_ended(message["step"], message["counts"])
                case "stage":
                    self.sums.stage(message["stage"], message["state"])
                case "ledger":
                    self.sums.ledger(*(message[name] for name in ("folder", "stage", "kept", "dropped")))
                case "archives":
                    self.sums.planned(message["planned"], message["earlier"])
        return None

    def _write(self) -> None:
        from prometheus_client import write_to_textfile

        with suppress(OSError):  # a full disk must not end the run; the next one may be whole
            write_to_textfile(self.settings["file"], self._registry)


class _Locked:
    """A collector that is asked by a thread of the endpoint's, while no message is being added."""

    def __init__(self, lock: threading.Lock, collector: Collector) -> None:
        self._lock, self._collector = lock, collector

    def collect(self) -> list[Any]:
        with self._lock:
            return list(self._collector.collect())


def _say(answer: dict[str, Any]) -> None:
    with suppress(BrokenPipeError):
        os.write(1, json.dumps(answer).encode() + b"\n")


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to answer
    board = Board(json.loads(sys.argv[1]) | {"key": os.environ.pop("WANYU_BOARD_KEY")})
    said = board.open()
    _say(said)
    if "error" not in said:
        board.serve()


if __name__ == "__main__":
    main()
