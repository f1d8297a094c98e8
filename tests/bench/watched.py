"""What a program costs: seconds, memory of all its processes together, and what Spark's event log says. Linux only."""

import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

EVERY = 0.5  # seconds from one look at the memory to the next
EVENT_LOG = {  # settings under which `event_log` can read it
    "spark.eventLog.enabled": "true",
    "spark.eventLog.compress": "false",
    "spark.eventLog.rolling.enabled": "false",
}


class Cost(NamedTuple):
    """`peak` bytes: the most that all processes held at once, shared pages counted once (PSS); `parts`: of that, by
    the programs' names; `largest`: the most of one process; `cpu`: seconds of all that were waited for."""

    seconds: float
    status: int
    peak: int
    parts: dict[str, int]
    largest: int
    cpu: float


def memory(session: int) -> list[tuple[str, int]]:
    """Name and PSS in bytes of each process of a session, which holds those whose parent is gone too."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            name, _, rest = (folder / "stat").read_text().rpartition(")")
            if int(rest.split()[3]) == session:
                lines = (folder / "smaps_rollup").read_text().splitlines()
                pss = next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
                found.append((name.partition("(")[2], pss << 10))
        except OSError:  # it has ended
            continue
    return found


def run(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Cost:
    """Runs a command to its end in a session of its own; what it prints goes to `log`."""
    peak, largest = Counter[str](), 0
    ended = threading.Event()

    def watch() -> None:
        nonlocal peak, largest
        while not ended.wait(EVERY):
            seen = memory(process.pid)
            parts = Counter[str]()
            for name, size in seen:
                parts[name] += size
            peak = max(peak, parts, key=Counter.total)
            largest = max([largest, *(size for _, size in seen)])

    began = time.monotonic()
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=dict(environment), start_new_session=True
        )
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            _, waited, usage = os.wait4(process.pid, 0)
            process.returncode = status = os.waitstatus_to_exitcode(waited)
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            raise
        finally:
            ended.set()
    seconds = time.monotonic() - began
    watcher.join()
    return Cost(seconds, status, peak.total(), dict(peak), largest, usage.ru_utime + usage.ru_stime)


def event_log(folder: Path) -> dict[str, float]:
    """Bytes and seconds over all tasks of the logs in a folder, failed tasks included."""
    found: Counter[str] = Counter(shuffle_bytes=0, spilled_bytes=0, tasks=0, failed_tasks=0)
    for file in folder.iterdir():
        with open(file, encoding="utf-8") as lines:
            for line in lines:
                if not line.startswith('{"Event":"SparkListenerTaskEnd"'):
                    continue
                event = json.loads(line)
                metrics = event.get("Task Metrics") or {}
                found["tasks"] += 1
                found["failed_tasks"] += event["Task End Reason"]["Reason"] != "Success"
                found["shuffle_bytes"] += metrics.get("Shuffle Write Metrics", {}).get("Shuffle Bytes Written", 0)
                found["spilled_bytes"] += metrics.get("Disk Bytes Spilled", 0)
    return dict(found)
