"""A standalone Spark cluster on loopback, as real as one machine has it: a master and workers of one core each, all
processes of their own with folders of their own, which may be killed."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from programs import QUICK, job_environment

START_SECONDS = 60
FLICKERING = {  # copies of slow tasks, executors that come and go
    "spark.speculation": "true",
    "spark.speculation.interval": "100ms",
    "spark.speculation.multiplier": "1.2",
    "spark.speculation.quantile": "0.5",
    "spark.dynamicAllocation.enabled": "true",
    "spark.dynamicAllocation.shuffleTracking.enabled": "true",
    "spark.dynamicAllocation.executorIdleTimeout": "5s",
    "spark.dynamicAllocation.maxExecutors": "2",
}


def processes(session: int) -> list[tuple[int, str]]:
    """Process id and command line of all of a session, which holds those whose parent is gone too."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):  # it has ended meanwhile
            if entry.name.isdigit() and os.getsid(int(entry.name)) == session:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                found.append((int(entry.name), command))
    return sorted(found)


def kill_session(session: int) -> None:
    """All of them at once with no goodbye, as when the machine is lost."""
    for _ in range(3):  # what is born meanwhile
        for process, _ in processes(session):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


class Cluster:
    """`master`: its address for --master. `workers`: those that run."""

    def __init__(self, folder: Path, memory: str) -> None:
        self.folder, self.memory = folder, memory
        self.workers: list[subprocess.Popen[bytes]] = []
        self._running: list[subprocess.Popen[bytes]] = []
        self.master = ""
        self._start("master", "master.Master", "--host", "127.0.0.1", "--port", "0", "--webui-port", "0")
        self.master = self._said("master", r"Starting Spark master at (spark://\S+)")

    def start_worker(self) -> None:
        """Comes back when the master knows it."""
        name = f"worker-{len(self._running)}"
        flags = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0", "--cores", "1", "--memory", self.memory]
        self._start(name, "worker.Worker", *flags, "--work-dir", str(self.folder / name / "work"), self.master)
        self.workers.append(self._running[-1])
        self._said(name, r"(Successfully registered) with master")

    def at_work(self) -> subprocess.Popen[bytes] | None:
        """A worker of which an executor has begun with Python, and so with a task of ours."""
        for worker in self.workers:
            if any("pyspark.daemon" in command for _, command in processes(worker.pid)):
                return worker
        return None

    def lose(self, worker: subprocess.Popen[bytes]) -> None:
        """Kills a worker and all that runs under it, executors and their Python too."""
        kill_session(worker.pid)
        worker.wait()
        self.workers.remove(worker)

    def stop(self) -> None:
        for process in self._running:
            kill_session(process.pid)
            process.wait()

    def _start(self, name: str, program: str, *flags: str) -> None:
        import pyspark

        home = Path(pyspark.__file__).parent
        place = self.folder / name
        (place / "local").mkdir(parents=True)
        environment = job_environment() | {
            "SPARK_HOME": str(home),
            "SPARK_LOCAL_DIRS": str(place / "local"),
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_DAEMON_JAVA_OPTS": QUICK,
            "TMPDIR": str(place / "local"),
        }
        with open(place / "log", "wb") as log:
            command = [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{program}", *flags]
            self._running.append(
                subprocess.Popen(command, cwd=place, env=environment, stdout=log, stderr=log, start_new_session=True)
            )

    def _said(self, name: str, pattern: str) -> str:
        deadline, log = time.monotonic() + START_SECONDS, self.folder / name / "log"
        while not (found := re.search(pattern, log.read_text("utf-8", "replace"))):
            assert time.monotonic() < deadline and self._running[-1].poll() is None, log.read_text()[-2000:]
            time.sleep(0.05)
        return found[1]


@contextmanager
def standalone_cluster(folder: Path, workers: int = 2, memory: str = "2g") -> Iterator[Cluster]:
    cluster = Cluster(folder, memory)
    try:
        for _ in range(workers):
            cluster.start_worker()
        yield cluster
    finally:
        cluster.stop()


if __name__ == "__main__":  # to try something by hand: python tests/standalone.py FOLDER
    with standalone_cluster(Path(sys.argv[1]).resolve()) as by_hand:
        print(by_hand.master, flush=True)
        signal.pause()
