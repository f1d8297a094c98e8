"""CPU time and memory of processes, as Linux tells them in /proc. Elsewhere there is nothing to tell."""

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

TICK = os.sysconf("SC_CLK_TCK")
RUSAGE_KIB = 1 << 10  # Linux gives ru_maxrss in KiB


class Process(NamedTuple):
    """cpu_seconds: its own and that of its children that it has waited for."""

    number: int
    parent: int
    cpu_seconds: float


def own_seconds() -> float:
    """CPU of this process and of its children that it has waited for."""
    parts = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(part.ru_utime + part.ru_stime for part in parts)


def own_peak() -> int:
    """Bytes, of the largest of them, in all their lives."""
    parts = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return max(part.ru_maxrss for part in parts) * RUSAGE_KIB


def tree(root: int) -> list[Process]:
    """The process and all below it that live."""
    below: dict[int, list[Process]] = {}
    found: list[Process] = []
    for name in _listed("/proc"):
        if name.isdigit() and (one := _process(int(name))):
            below.setdefault(one.parent, []).append(one)
            if one.number == root:
                found.append(one)
    for one in found:  # grows
        found += below.get(one.number, [])
    return found


def children(parent: int) -> Iterator[Process]:
    """Those that live, with theirs. Needs no look at all processes of the machine."""
    for thread in _listed(f"/proc/{parent}/task"):
        with suppress(OSError):
            for number in map(int, Path(f"/proc/{parent}/task/{thread}/children").read_text().split()):
                if one := _process(number):
                    yield one
                    yield from children(number)


def peak_bytes(number: int) -> int:
    """The most memory that a living process has had resident; 0 where that cannot be read."""
    with suppress(OSError):
        for line in Path(f"/proc/{number}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return 0


def forget_peak() -> None:
    """This process's peak counts from here on."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def began(number: int) -> float | None:
    """Seconds since the machine's start at which a process began, on the clock of CLOCK_BOOTTIME."""
    with suppress(OSError):
        return int(_stat(number)[19]) / TICK
    return None


def _process(number: int) -> Process | None:
    try:
        fields = _stat(number)
    except OSError:  # it has ended
        return None
    return Process(number, int(fields[1]), sum(map(int, fields[11:15])) / TICK)


def _stat(number: int) -> list[str]:
    """From its state on: the name before it may hold anything."""
    return Path(f"/proc/{number}/stat").read_text(errors="replace").rpartition(")")[2].split()


def _listed(folder: str) -> list[str]:
    with suppress(OSError):
        return os.listdir(folder)
    return []
