"""What processes take, as they tell it; several costs as one."""

import functools
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.costs import counters, processes, usage
from pipeline.costs.records import together
from pipeline.costs.usage import Usage
from pipeline.store import storage
from pipeline.workers.processes import process_runner
from schemas.costs import Cost

FIRST = Cost(
    stage="extract", began="2026-11-30T01:00:00+00:00", attempts=1, seconds=10.5, cores=2, cpu_seconds=15.25,
    peak_bytes=700, shuffle_bytes=0, bytes_read=1000, bytes_written=0, requests=7,
)  # fmt: skip
SECOND = Cost(
    stage="extract", began="2026-11-30T02:00:00+00:00", attempts=2, seconds=4.0, cores=4, cpu_seconds=8.0,
    peak_bytes=650, shuffle_bytes=30, bytes_read=500, bytes_written=90, requests=3,
)  # fmt: skip


def test_attempts_add_up() -> None:
    assert together([FIRST, SECOND]) == Cost(
        stage="extract", began="2026-11-30T01:00:00+00:00", attempts=3, seconds=14.5, cores=4, cpu_seconds=23.25,
        peak_bytes=700, shuffle_bytes=30, bytes_read=1500, bytes_written=90, requests=10,
    )  # fmt: skip
    assert together([FIRST]) == FIRST


def test_what_one_cannot_say_nobody_can() -> None:
    unknown = together([FIRST, {**SECOND, "cpu_seconds": None, "requests": None}])
    assert (unknown["cpu_seconds"], unknown["requests"], unknown["seconds"]) == (None, None, 14.5)


def test_usages_add_up_but_for_the_largest_process() -> None:
    assert usage.added([Usage(1, 2, 30, 4, 5, 6), Usage(10, 20, 3, 40, 50, 60)]) == Usage(11, 22, 30, 44, 55, 66)
    assert usage.added([]) == Usage()


def _busy(seconds: float, folder: str) -> str:
    until = time.process_time() + seconds
    held = bytearray(96 << 20)
    while time.process_time() < until:
        held[:4096] = b"x" * 4096
    path = storage.join(folder, storage.SCRATCH, f"{seconds}")
    storage.write_bytes(path, b"y" * 1000)
    with storage.read_file(path) as file:
        return str(len(file.read()))


def test_workers_tell_what_they_took(tmp_path: Path) -> None:
    before, exchanged = len(usage.calls), counters.exchanged
    assert process_runner(2)(functools.partial(_busy, folder=str(tmp_path)), [0.2, 0.3]) == ["1000", "1000"]
    (call,) = usage.calls[before:]
    assert (call.name, call.items) == ("_busy", 2)
    assert 0.5 <= call.usage.cpu_seconds < 2 and call.longest <= call.seconds
    assert call.usage.peak_bytes > 96 << 20
    assert (call.usage.read, call.usage.exchanged, call.usage.requests) == (2000, 2000, 0)
    assert counters.exchanged == exchanged  # the driver itself wrote nothing


def test_a_child_that_lives_is_counted_with_its_parent() -> None:
    """Nobody has waited for it, as for the process of pages of a worker that ends."""
    code = "import time\nwhile time.process_time() < 0.4: pass\nprint(flush=True)\nimport sys; sys.stdin.read()"
    before = usage.so_far()
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout and child.stdout.readline()
        assert child.pid in {one.number for one in processes.tree(processes.os.getpid())}
        living = usage.so_far().cpu_seconds - before.cpu_seconds
        child.communicate(b"")
    assert living >= 0.35
    assert usage.so_far().cpu_seconds - before.cpu_seconds >= living - 0.05  # and once only, when it has ended
    assert processes.peak_bytes(child.pid) == 0


def test_what_failed_tells_nothing(tmp_path: Path) -> None:
    before = len(usage.calls)
    with pytest.raises(ZeroDivisionError):
        process_runner(1)((1).__truediv__, [0])
    assert len(usage.calls) == before
