"""dedup on executors of their own, in any number of partitions, with executors killed in every phase: the same rows."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from copies import Row, mixed_table
from programs import job_environment, submit_command

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

CLUSTER = "local-cluster[2,1,2048]"
MANY_TASKS = ["--max-bucket", "8", "--one-task-documents", "0"]
SETTLED = ("folded", "pairs", "edges", "components", "chosen", "rows")
PHASES = ("signatures", *(f"_scratch/clusters/{name}" for name in SETTLED), "clusters", "documents")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "table.parquet"
    pq.write_table(pa.Table.from_pylist(mixed_table()), path, row_group_size=60)
    return path


def rows_of(folder: Path, name: str) -> list[Row]:
    return sorted(pq.read_table(folder / name).to_pylist(), key=lambda row: row["id"])


@pytest.fixture(scope="module")
def calm(submit: Callable[..., subprocess.CompletedProcess[str]], table: Path) -> Path:
    """The answer of one process group without an engine."""
    output = table.parent / "calm"
    answer = submit("dedup", "--input", table, "--output", output, "--max-bucket", "8")
    assert answer.returncode == 0, answer.stderr[-3000:]
    return output


def same(one: Path, other: Path) -> None:
    for name in ("documents", "clusters", "signatures"):
        assert rows_of(one, name) == rows_of(other, name)


@pytest.mark.parametrize("partitions", [1, 2, 64])
def test_any_number_of_partitions(
    submit: Callable[..., subprocess.CompletedProcess[str]], table: Path, calm: Path, tmp_path: Path, partitions: int
) -> None:
    flags = ["--input", table, "--output", tmp_path / "out", *MANY_TASKS, "--partitions", partitions]
    answer = submit("dedup", *flags, conf={"spark.sql.adaptive.enabled": "false"})
    assert answer.returncode == 0, answer.stderr[-3000:]
    same(tmp_path / "out", calm)


@pytest.mark.parametrize("flags", [["--max-bucket", "8"], MANY_TASKS], ids=["one task", "many"])
def test_two_executors(
    submit: Callable[..., subprocess.CompletedProcess[str]], table: Path, calm: Path, tmp_path: Path, flags: list[str]
) -> None:
    answer = submit("dedup", "--input", table, "--output", tmp_path / "out", *flags, master=CLUSTER)
    assert answer.returncode == 0, answer.stderr[-3000:]
    same(tmp_path / "out", calm)


def executors(session: int) -> list[int]:
    """Processes of executors among those of the session."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            mine = entry.name.isdigit() and os.getsid(int(entry.name)) == session
            if mine and b"CoarseGrainedExecutorBackend" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except (OSError, ValueError):
            continue  # it has ended meanwhile
    return sorted(found)


def test_an_executor_is_killed_in_every_phase(table: Path, calm: Path, tmp_path: Path) -> None:
    building, log = tmp_path / "out", tmp_path / "log"
    command = submit_command("dedup", "--input", table, "--output", tmp_path / "out", *MANY_TASKS, "--partitions", "4",
                             master=CLUSTER)  # fmt: skip
    with open(log, "w") as output:
        process = subprocess.Popen(
            command, cwd="/", env=job_environment(), stdout=output, stderr=output, start_new_session=True
        )
    killed = []
    try:
        for phase in PHASES:
            while not (building / phase).exists() and process.poll() is None:
                time.sleep(0.005)
            running = executors(process.pid)
            if running and process.poll() is None:
                os.kill(running[len(killed) % len(running)], signal.SIGKILL)
                killed.append(phase)
        assert process.wait(600) == 0, log.read_text()[-3000:]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert len(killed) >= len(PHASES) - 1, killed
    same(tmp_path / "out", calm)
