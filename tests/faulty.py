"""Whole runs of jobs/corpus.py to which something happens, chosen by a seed, and the same command again after it.

A fault is what people see on clusters: a process that is killed, a store that fails, a disk that is full, a clock that
goes back, somebody else who writes. Whatever came of the first run, a plain re-run must end well and in the bytes of a
run that nobody disturbed.
"""

import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from counted_store import counted_store
from programs import REPOSITORY, job_environment, submit_command
from standalone import kill_session, processes

from jobs.vocab import OWN
from pipeline.store import generations, storage
from pipeline.store.parquet_files import read_parquet
from schemas.costs import COST
from schemas.distributions import CLUSTERS, DISTRIBUTIONS
from schemas.generations import CURRENT, FILES, FRONT, NAMES
from schemas.records import EXAMPLES, LEDGER, RUN, STAGES

ARCHIVE = REPOSITORY / "tests" / "archive"
FLAGS: list[object] = [
    "--input", ARCHIVE / "sample-truncated.warc.gz", ARCHIVE / "sample.warc.wet.gz", "--presets", "none",
    "--validation-share", "0.6", "--vocab-size", "600",
]  # fmt: skip
EXECUTORS = "local-cluster[2,1,1024]"
WHOLE = {
    OWN,
    COST,  # measured: no two runs have the same
    DISTRIBUTIONS,
    CLUSTERS,
    LEDGER,
    EXAMPLES,
    RUN,
    CURRENT,
    FILES,
    FRONT,
    NAMES,
    "_card.md",
    "_keys",
    "_index.json",
    "_origin.json",
}  # of a finished root
SIZE = re.compile(r"(?<=gz)\.[0-9a-f]{12}(?=\.parquet)")  # in names of extract's files, as `size` in receipts: of the
# archives that a list names a store is not asked for their sizes
JOB_SECONDS = 900.0
LAST = 2.0  # seconds into a stage, at most, when something happens

CLOCK = '''"""A clock that is set while a process runs (put in front by PYTHONPATH)."""
import os, time
_true, _since = time.time, time.monotonic()
_at, _by = map(float, os.environ["WANYU_TEST_CLOCK"].split())
time.time = lambda: _true() + (_by if time.monotonic() - _since > _at else 0.0)
time.time_ns = lambda: int(time.time() * 1e9)
'''


class Trial(NamedTuple):
    """What happened with a seed. `hit`: the fault came while the job ran. `first`, `second`: exit statuses; None where
    it was killed. `fault`: "" or how the result differs."""

    seed: int
    kind: str
    what: str
    hit: bool
    first: int | None
    second: int | None
    fault: str
    seconds: float


class Run:
    """The job as a process group of its own; what it says is in `log`."""

    def __init__(self, root: str, log: Path, *flags: object, master: str = "local[2]",
                 environment: dict[str, str] | None = None) -> None:  # fmt: skip
        self.log = log
        command = submit_command("corpus", *FLAGS, *flags, "--root", root, master=master)
        with open(log, "wb") as said:
            self.process = subprocess.Popen(
                command, cwd="/", env={**job_environment(), **(environment or {})}, stdout=said, stderr=said,
                start_new_session=True,
            )  # fmt: skip

    def running(self) -> bool:
        return self.process.poll() is None

    def end(self) -> int:
        """Its exit status; whatever it left behind is killed."""
        try:
            return self.process.wait(JOB_SECONDS)
        finally:
            self.kill()

    def kill(self) -> None:
        kill_session(self.process.pid)
        self.process.wait()

    def kill_one(self, of: str, rng: random.Random) -> bool:
        """One of its processes whose command line has this; whether there was one."""
        found = [one for one, command in processes(self.process.pid) if of in command]
        if of == WORKER:
            found = _workers(self.process.pid)
        if not found:
            return False
        with suppress(ProcessLookupError):
            os.kill(rng.choice(found), signal.SIGKILL)
        return True

    def begins(self, root: str, stage: str) -> bool:
        """Waits until the stage is being built; False where the job ends before."""
        place = storage.join(root, stage, generations.BUILDING)
        while self.running():
            if storage.exists(place):
                return True
            time.sleep(0.02)
        return False


PAGES, EXECUTOR, WORKER = "pipeline.page.isolation", "CoarseGrainedExecutorBackend", "jobs/corpus.py"


def _workers(session: int) -> list[int]:
    """Forks of the driver, which is the first Python that runs the job."""
    python = [one for one, command in processes(session) if WORKER in command and "java" not in command.split(" ")[0]]
    return sorted(python)[1:]


class Place(NamedTuple):
    """folder: of this trial's logs and, unless a fault needs another place, its root."""

    folder: Path
    rng: random.Random

    @property
    def root(self) -> str:
        return str(self.folder / "root")

    def run(self, name: str, *flags: object, root: str | None = None, master: str = "local[2]",
            environment: dict[str, str] | None = None) -> Run:  # fmt: skip
        return Run(root or self.root, self.folder / f"{name}.log", *flags, master=master, environment=environment)

    def later(self, most: float = LAST) -> float:
        return self.rng.uniform(0, most)


Outcome = tuple[str, bool, int | None, int | None, str]  # what, hit, first, second, how the result differs
Fault = Callable[[Place, dict[str, bytes]], Outcome]


def _again(place: Place, calm: dict[str, bytes], root: str, **settings: object) -> tuple[int, str]:
    """The plain re-run: its status, and how the result differs."""
    run = place.run("second", root=root, **settings)  # type: ignore[arg-type]
    status = run.end()
    return status, difference(root, calm) if status == 0 else run.log.read_text()[-600:]


def driver(place: Place, calm: dict[str, bytes]) -> Outcome:
    """All of the job's processes at once, in any stage, with the engine or without."""
    stage, engine = place.rng.choice(STAGES), place.rng.random() < 0.3
    flags = ["--partitions", "2"] if engine else []
    run = place.run("first", *flags)
    hit = run.begins(place.root, stage)
    time.sleep(place.later())
    hit = hit and run.running()
    run.kill()
    second, fault = _again(place, calm, place.root)
    return f"in {stage}{', engine' if engine else ''}", hit, None, second, fault


def executor(place: Place, calm: dict[str, bytes]) -> Outcome:
    """An executor of two."""
    stage = place.rng.choice(STAGES)
    run = place.run("first", "--partitions", "2", "--one-task-documents", "0", master=EXECUTORS)
    hit = run.begins(place.root, stage)
    time.sleep(place.later())
    hit = hit and run.kill_one(EXECUTOR, place.rng)
    first = run.end()
    second, fault = _again(place, calm, place.root)
    return f"in {stage}", hit, first, second, fault


def worker(place: Place, calm: dict[str, bytes]) -> Outcome:
    """A Python process that works for the driver."""
    stage = place.rng.choice(STAGES[:4])
    run = place.run("first")
    hit, began = run.begins(place.root, stage), time.monotonic()
    time.sleep(place.later(0.5))
    while hit and not run.kill_one(WORKER, place.rng):
        hit = run.running() and time.monotonic() - began < 60
    first = run.end()
    second, fault = _again(place, calm, place.root)
    return f"in {stage}", hit, first, second, fault


def page(place: Place, calm: dict[str, bytes]) -> Outcome:
    """A process that reads pages, as when the machine is short of memory."""
    run = place.run("first")
    hit = False
    while not hit and run.running():
        hit = run.kill_one(PAGES, place.rng)
        time.sleep(0.01)
    if hit:
        time.sleep(place.later(1))
        run.kill_one(PAGES, place.rng)
    first = run.end()
    second, fault = _again(place, calm, place.root)
    return "in extract", hit, first, second, fault


def store(place: Place, calm: dict[str, bytes]) -> Outcome:
    """A store that fails far more often than stores do, and lists late, throughout; it is well when asked again."""
    failing, late = place.rng.uniform(0.05, 0.3), place.rng.uniform(0, 4)
    root = "s3://corpus/root"
    with counted_store() as asked:
        asked.behave(failing=failing, late=late, seed=place.rng.randrange(1 << 30))
        first = place.run("first", root=root).end()
        hit = asked.counts().failed > 0
        asked.behave(late=late)
        second, fault = _again(place, calm, root)
    return f"{failing:.0%} of requests, {late:.1f} s late", hit, first, second, fault


def disk(place: Place, calm: dict[str, bytes]) -> Outcome:
    """A disk that is full after a share of the result; then there is room."""
    room = int(place.rng.uniform(0.02, 0.9) * sum(-(-len(data) // 4096) * 4096 for data in calm.values()))
    with small_disk(place.folder / "disk", room) as grow:
        root = str(place.folder / "disk" / "root")
        first = place.run("first", root=root).end()
        grow()
        second, fault = _again(place, calm, root)
    return f"{room >> 10} KiB", first != 0, first, second, fault


def clock(place: Place, calm: dict[str, bytes]) -> Outcome:
    """A run whose clock jumps, killed or not; the next run's clock is right, which may be hours before."""
    by = place.rng.choice([-1, 1]) * place.rng.uniform(60, 30 * 86_400)
    (place.folder / "sitecustomize.py").write_text(CLOCK)
    environment = {"PYTHONPATH": str(place.folder), "WANYU_TEST_CLOCK": f"{place.later(8)} {by}"}
    run, first = place.run("first", environment=environment), None
    stage, killed = place.rng.choice(STAGES), place.rng.random() < 0.7
    hit = run.begins(place.root, stage)
    if killed:
        time.sleep(place.later())
        run.kill()
    else:
        first = run.end()
    second, fault = _again(place, calm, place.root)
    return f"{by / 3600:+.1f} h{f', killed in {stage}' if killed else ''}", hit, first, second, fault


def writers(place: Place, calm: dict[str, bytes]) -> Outcome:
    """Two runs of one root at once, on a disk or on a store: the second is told so or finds all done."""
    on_store = place.rng.random() < 0.5
    with counted_store() if on_store else _nothing():
        root = "s3://corpus/root" if on_store else place.root
        one = place.run("first", root=root)
        one.begins(root, place.rng.choice(STAGES[:3]))
        other = place.run("other", root=root)
        statuses, said = sorted([one.end(), other.end()]), one.log.read_text() + other.log.read_text()
        second, fault = _again(place, calm, root)
    refused = "is being written by" in said
    if not (statuses == [0, 0] or (statuses == [0, 2] and refused)):
        fault = fault or f"statuses {statuses}: {said[-600:]}"
    return f"{'store' if on_store else 'disk'}", refused, statuses[1], second, fault


KINDS: tuple[Fault, ...] = (driver, executor, worker, page, store, disk, clock, writers)


def trial(seed: int, folder: Path, calm: dict[str, bytes]) -> Trial:
    """The kinds in turn, so that eight seeds in a row have all of them."""
    kind, began = KINDS[seed % len(KINDS)], time.monotonic()
    folder.mkdir(parents=True)
    outcome = kind(Place(folder, random.Random(seed)), calm)
    return Trial(seed, kind.__name__, *outcome, seconds=time.monotonic() - began)


def undisturbed(folder: Path) -> dict[str, bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(str(folder / "root"), folder / "log")
    assert run.end() == 0, run.log.read_text()[-3000:]
    return result(str(folder / "root"))


def result(root: str) -> dict[str, bytes]:
    """Ledgers, examples, what training reads and every table's files, as the current generations have them: name ->
    bytes. Of dedup's tables, which the engine and processes divide into files in ways of their own, the rows; of
    receipts too, but for what is not asked of a store."""
    paths: dict[str, str] = {}
    rows: dict[str, bytes] = {}
    for stage in STAGES:
        folder = storage.join(root, stage)
        now = generations.required(folder)
        for table in now.tables():
            files = now.files(table)
            if stage == "dedup":
                rows[f"{stage}/{table}"] = _rows(files.values())
            elif table == "inputs":
                rows[f"{stage}/{table}"] = _rows(files.values(), without="size")
            else:
                paths |= {f"{stage}/{table}/{SIZE.sub('', name)}": path for name, path in files.items()}
        paths |= {f"{stage}/{name}": storage.join(now.place, name) for name in (LEDGER, EXAMPLES)}
    for name in ("sample/mixture.json", "sample/README.md", "vocab/tokenizer.json", "vocab/spm.model"):
        paths[name] = storage.join(root, name)
    return {**rows, **{name: storage.read_bytes(path) or b"" for name, path in paths.items()}}


def _rows(paths: Iterable[str], without: str = "") -> bytes:
    """A table's rows in order, as text, but for a column."""
    rows = [{**row, without: None} for path in paths for row in read_parquet(path).to_pylist()]
    return "\n".join(sorted(repr(sorted(row.items())) for row in rows)).encode()


def difference(root: str, calm: dict[str, bytes]) -> str:
    """ "" where the root has the same bytes and nothing of a run that ended badly."""
    found = result(root)
    if missing := calm.keys() ^ found.keys():
        return f"files of one only: {sorted(missing)[:5]}"
    if others := [name for name, data in calm.items() if found[name] != data]:
        return f"other bytes: {others[:5]}"
    known = WHOLE if storage.is_local(root) else {*WHOLE, "_scratch"}  # what no listing shows yet, nobody tidies up
    left = [
        name for name in storage.listing(root, hidden=True) if any(_is_litter(part, known) for part in name.split("/"))
    ]
    return f"left behind: {left[:5]}" if left else ""


def _is_litter(part: str, known: set[str]) -> bool:
    """Whether a name is of a run that goes on: all that begin so, but those that a finished root has."""
    return part.startswith((".", "_")) and part not in known


@contextmanager
def _nothing() -> Iterator[None]:
    yield


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Callable[[], None]]:
    """A disk of so many bytes, and what gives it room. It takes the right to mount one (`can_mount`)."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={max(size, 4096)}", "tmpfs", str(folder)], check=True)
    try:
        yield lambda: _remount(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _remount(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=256m", str(folder)], check=True)


def can_mount(folder: Path) -> bool:
    with suppress(subprocess.CalledProcessError, OSError), small_disk(folder / "mount", 4096):
        return True
    return False
