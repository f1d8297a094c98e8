"""The driver's end of the board (`pipeline.workers.board`): which run it is of, its steps and stages, and what it tells
for the line on a terminal. Without a board, as where nobody looks, all of this does nothing.
"""

import json
import os
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from pipeline.costs import usage
from pipeline.observed import counts, events, logs
from pipeline.workers.modules import python_module
from pipeline.workers.progress import rate_and_time_left, terminal
from pipeline.workers.tasks import Step
from pipeline.workers.telling import Address, Carried, Told
from schemas.errors import Drifted, UserError
from schemas.records import Ledger, RunRecord
from schemas.redacted import redacted

END_SECONDS = 10.0  # for the board to write its file
KEY_BYTES = 16


class Exposed(NamedTuple):
    """Where metrics are shown. port: of an HTTP endpoint; 0: any that is free. file: of node_exporter's, NAME.prom."""

    port: int | None = None
    address: str = "127.0.0.1"
    file: str | None = None

    def __bool__(self) -> bool:
        return self.port is not None or self.file is not None


class _Board:
    """The process. One thing is said to it at a time, by whichever thread."""

    def __init__(self, exposed: Exposed, info: dict[str, str]) -> None:
        key = os.urandom(KEY_BYTES).hex()
        settings = {"info": info, **exposed._asdict()}
        self._lock = threading.Lock()
        self._process = python_module(
            "pipeline.workers.board", json.dumps(settings), environment={**os.environ, "WANYU_BOARD_KEY": key},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        said = self._answer()
        if error := said.get("error", "" if said else "it ended"):
            self.close()
            raise UserError(
                f"--metrics-port {exposed.port}: nobody can listen at {exposed.address}:{exposed.port} ({error}): "
                "name another port, or 0 for any"
            )
        self.http: int | None = said.get("http")
        self.workers = Address("127.0.0.1", said["port"], key)

    def say(self, said: str, **message: Any) -> None:
        with self._lock:
            self._write({"say": said, **message})

    def ask(self, said: str, **message: Any) -> dict[str, Any]:
        """{} where it does not answer any more."""
        with self._lock:
            self._write({"say": said, **message})
            return self._answer()

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        with suppress(OSError, ValueError):
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = {}
        with suppress(ValueError):
            answer = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


_board: _Board | None = None
_steps = 0


@contextmanager
def watched(job: str, root: str, exposed: Exposed) -> Iterator[None]:
    """Shows the run while the block lasts: its metrics where they are asked for, and on a terminal. UserError for a
    port that is taken and a file that cannot be written."""
    global _board
    if exposed.file is not None:
        _check_file(exposed.file)
    if _board is not None or not (exposed or terminal() is not None):
        yield
        return
    file = os.path.abspath(exposed.file) if exposed.file is not None else None
    counts.begin_run()
    _board = _Board(exposed._replace(file=file), {"job": job, "root": redacted(root)})
    status = 1
    try:
        if _board.http is not None:
            host = f"[{exposed.address}]" if ":" in exposed.address else exposed.address
            logs.say(f"{job:8} metrics at http://{host}:{_board.http}/metrics")
        with events.listening(_Stages()):
            yield
        status = 0
    except BaseException as error:
        status = _status_of(error)
        raise
    finally:
        _board.say("end", status=status)
        _board.close()
        _board = None


def _status_of(error: BaseException) -> int:
    """As `pipeline.exit_status` has it, but for what only it can tell."""
    if isinstance(error, KeyboardInterrupt):
        return 130
    return 3 if isinstance(error, Drifted) else 2 if isinstance(error, UserError) else 1


def _check_file(path: str) -> None:
    if not path.endswith(".prom"):
        raise UserError(f"--metrics-file {path}: node_exporter reads files whose names end in .prom: name it so")
    if not Path(path).absolute().parent.is_dir():
        raise UserError(f"--metrics-file {path}: no such folder")


def reached_at(host: str, bind: str) -> None:
    """On a cluster: the name by which its workers reach this machine, and the address to listen at, "" for the same."""
    if _board is not None and host != _board.workers.host:
        said = _board.ask("listen", host=bind or host)
        if "port" in said:
            _board.workers = Address(host, said["port"], _board.workers.key)
        else:
            logs.say(f"metrics  workers cannot be heard at {bind or host} ({said.get('error', 'no answer')})")


def planned_archives(planned: int, earlier: int) -> None:
    """earlier: of them, those that were done before this run."""
    if _board is not None:
        _board.say("archives", planned=planned, earlier=earlier)


class RunningStep(NamedTuple):
    """carried: for its tasks. settle: is told the answers that were taken, and gives what they hold. line: of how much
    is done, None: as the board knows it."""

    carried: Carried
    settle: Callable[[Sequence[Told[Any]]], list[Any]]
    line: Callable[..., str]


@contextmanager
def step(told: Step | None, function: Callable[..., Any]) -> Iterator[RunningStep]:
    """A call of a `TaskRunner` with a function; its workers may be forked before `line` is first asked for."""
    global _steps
    _steps += 1
    number, board, stage, began = _steps, _board, logs.stage(), monotonic()
    name, unit, sizes = (told.name, told.unit, list(told.sizes)) if told else ("", "", [])
    counted: counts.Counts = Counter()

    def settle(answers: Sequence[Told[Any]]) -> list[Any]:
        usage.note(function, began, [one.taken for one in answers])
        for one in answers:
            counted.update(one.counts)
        return [one.answer for one in answers]

    def line(done: float | None = None) -> str:
        said = board.ask("progress", step=number) if board else {}
        counts_of = ", ".join(f"{n:,} {label}" for label, n in said.get("counts", {}).items())
        done = said.get("done", 0) if done is None else done
        told_rate = rate_and_time_left(done, sum(sizes), monotonic() - began, unit)
        return f"{name}: {told_rate}" + (f"; {counts_of}" if counts_of else "")

    if board:
        board.say("step", step=number, stage=stage, name=name, unit=unit, sizes=sizes)
    yield RunningStep(Carried(board.workers if board else None, number, stage, logs.format_now()), settle, line)
    if board:
        board.say("settle", step=number, counts=counts.as_rows(counted), spent=counts.as_rows(counts.spent()))


class _Stages:
    """Tells the board what becomes of stages."""

    def began(self, folder: str, record: RunRecord) -> None:
        self._say(record, "running")

    def finished(self, folder: str, record: RunRecord, ledger: Callable[[], Ledger | None]) -> None:
        self._ledger(folder, ledger())
        self._say(record, "finished")

    def found(self, folder: str, record: RunRecord, ledger: Callable[[], Ledger | None]) -> None:
        self._ledger(folder, ledger())
        self._say(record, "found")

    def failed(self, folder: str, record: RunRecord, error: BaseException) -> None:
        self._say(record, "failed")

    @staticmethod
    def _say(record: RunRecord, state: str) -> None:
        if _board is not None:
            _board.say("stage", stage=record["stage"], state=state, spent=counts.as_rows(counts.spent()))

    @staticmethod
    def _ledger(folder: str, ledger: Ledger | None) -> None:
        if _board is not None and ledger is not None:
            said = {"stage": ledger["stage"], "kept": ledger["rows_out"], "dropped": ledger["dropped"]}
            _board.say("ledger", folder=folder, **said)
