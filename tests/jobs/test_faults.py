"""kill -9 during each stage, then the same command again: the same bytes as a run that nobody disturbed."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from programs import job_environment, submit_command

from schemas.records import STAGES

REPOSITORY = Path(__file__).resolve().parents[2]
FLAGS = ["--input", REPOSITORY / "tests" / "archive", "--config", REPOSITORY / "jobs" / "demo.toml"]

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1500)]


def result(root: Path) -> dict[str, bytes]:
    files = [*(root / "sample").rglob("*"), root / "vocab" / "spm.model", root / "vocab" / "tokenizer.json"]
    return {str(file.relative_to(root)): file.read_bytes() for file in files if file.is_file()}


def kill_during(stage: str, root: Path, deadline: float = 240) -> None:
    """Starts the job and kills its whole process group as soon as the stage has begun to build."""
    process = subprocess.Popen(
        submit_command("corpus", *FLAGS, "--root", root), cwd="/", env=job_environment(), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    began = time.monotonic()
    building = root / f"_{stage}.building"
    while not any(building.rglob("*.parquet*")) and process.poll() is None:
        assert time.monotonic() - began < deadline, f"{stage} did not begin"
        time.sleep(0.02)
    assert process.poll() is None, f"the job ended before {stage} could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (root / stage).exists()


@pytest.fixture(scope="module")
def calm(submit: Callable[..., subprocess.CompletedProcess[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("calm") / "root"
    answer = submit("corpus", *FLAGS, "--root", root)
    assert answer.returncode == 0, answer.stderr[-3000:]
    return root


def test_killed_in_every_stage(
    submit: Callable[..., subprocess.CompletedProcess[str]], calm: Path, tmp_path: Path
) -> None:
    troubled = tmp_path / "troubled"
    for stage in STAGES:
        kill_during(stage, troubled)
    answer = submit("corpus", *FLAGS, "--root", troubled, timeout=600)
    assert answer.returncode == 0, answer.stderr[-3000:]
    assert answer.stdout.count("up to date") == len(STAGES) - 1
    assert result(troubled) == result(calm)
    assert not list(troubled.glob("_*"))


@pytest.mark.parametrize("partitions", [1, 2, 7])
def test_any_number_of_partitions_from_archives_on(
    submit: Callable[..., subprocess.CompletedProcess[str]], calm: Path, tmp_path: Path, partitions: int
) -> None:
    root = tmp_path / "root"
    answer = submit("corpus", *FLAGS, "--root", root, "--partitions", partitions, master=f"local[{min(partitions, 4)}]")
    assert answer.returncode == 0, answer.stderr[-3000:]
    assert result(root) == result(calm)
