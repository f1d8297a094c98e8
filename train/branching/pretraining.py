"""train/pretrain.py as a process of its own: what it says passes through and is kept, and it is told to save and end
where this program is."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from schemas.errors import UserError

PROGRAM = Path(__file__).resolve().parents[1] / "pretrain.py"


def pretrain(name: str, settings: Path, log: Path, processes: int) -> None:
    """Until it has ended. KeyboardInterrupt after Ctrl-C or SIGTERM, when it has saved; UserError, one line that names
    the step and its log, where it failed."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command = [sys.executable, *(torchrun if processes > 1 else []), str(PROGRAM), "--config", str(settings)]
    last = ""
    with (
        log.open("a", encoding="utf-8") as kept,
        _interrupted_by_sigterm(),
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace"
        ) as child,
    ):
        try:
            for line in _lines(child):
                last = line.strip() or last
                kept.write(line)
                print(line, end="", flush=True)
            status = child.wait()
        except BaseException:
            _end(child, log)
            raise
    if status:
        raise UserError(f"step {name} ended with status {status} ({last}): its log is {log}; the same command goes on")


def _lines(child: "subprocess.Popen[str]") -> Iterator[str]:
    assert child.stdout is not None
    yield from child.stdout


def _end(child: "subprocess.Popen[str]", log: Path) -> None:
    """Asks it to save and end, waits for that, and asks no longer where this is interrupted again. One that the
    terminal has told already takes a second signal right behind for the same."""
    try:
        child.terminate()
        with log.open("a", encoding="utf-8") as kept:
            for line in _lines(child):
                kept.write(line)
        child.wait()
    except BaseException:
        child.kill()
        raise


@contextlib.contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
