"""Python programs in forks of this process, which has loaded torch and the rest already: to each its own process, as by
`python FILE ARGUMENTS`, without the seconds that importing takes."""

import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn


class Fork:
    """A program that runs, in one process or in several that know each other as torchrun's do; where one of these ends
    with another status than 0 the others are ended. Answers as a Popen of text pipes would."""

    def __init__(
        self, file: Path, arguments: Sequence[object], environment: Mapping[str, str] | None = None, processes: int = 1
    ) -> None:
        self.out, self.err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        self.returncode: int | None = None
        settings = [dict(environment or {})]
        if processes > 1:
            world = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
            world |= dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE"), str(processes))
            settings = [settings[0] | world | {"RANK": str(n), "LOCAL_RANK": str(n)} for n in range(processes)]
        sys.stdout.flush()
        sys.stderr.flush()
        self.running: set[int] = set()
        for one in settings:
            child = os.fork()
            if not child:
                self._live(file, arguments, one)
            self.running.add(child)

    def _live(self, file: Path, arguments: Sequence[object], environment: Mapping[str, str]) -> NoReturn:
        status = 1
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            for number, place in enumerate((os.open(os.devnull, os.O_RDONLY), self.out.fileno(), self.err.fileno())):
                os.dup2(place, number)
            sys.stdout, sys.stderr = (os.fdopen(n, "w", encoding="utf-8", buffering=1, closefd=False) for n in (1, 2))
            for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
                os.environ.pop(name, None)
            os.environ |= environment
            sys.argv = [str(file), *map(str, arguments)]
            runpy.run_path(str(file), run_name="__main__")
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def poll(self) -> int | None:
        for child in sorted(self.running):
            found, status = os.waitpid(child, os.WNOHANG)
            if found:
                self.running.discard(child)
                code = os.waitstatus_to_exitcode(status)
                self.returncode = self.returncode or code
                if code:
                    self._signal(signal.SIGTERM)
        return None if self.running else self.returncode

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        for child in self.running:
            os.kill(child, number)

    def communicate(self, timeout: float = 120) -> tuple[str, str]:
        """(stdout, stderr) of all processes."""
        until = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > until:
                self.kill()
                raise subprocess.TimeoutExpired("fork", timeout, *self._said())
            time.sleep(0.01)
        return self._said()

    def _said(self) -> tuple[str, str]:
        found = []
        for file in (self.out, self.err):
            file.seek(0)
            found.append(file.read().decode())
        return found[0], found[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
