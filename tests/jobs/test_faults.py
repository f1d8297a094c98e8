"""kill -9 during each stage, then the same command again: the same bytes as a run that nobody disturbed."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from programs import job_environment, submit_command

from pipeline.store.generations import BUILDING
from pipeline.store.run_records import finished
from schemas.costs import COST
from schemas.records import STAGES

REPOSITORY = Path(__file__).resolve().parents[2]
FLAGS = ["--input", REPOSITORY / "tests" / "archive", "--config", REPOSITORY / "jobs" / "demo.toml"]

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1500)]


def result(root: Path) -> dict[str, bytes]:
    files = [*(root / "sample").rglob("*"), root / "vocab" / "spm.model", root / "vocab" / "tokenizer.json"]
    return {str(file.relative_to(root)): file.read_bytes() for file in files if file.is_file() and file.name != COST}


def kill_during(stage: str, root: Path, deadline: float = 240) -> None:
    """Starts the job and kills its whole process group as soon as the stage has begun to build."""
    process = subprocess.Popen(
        submit_command("corpus", *FLAGS, "--root", root), cwd="/", env=job_environment(), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    began = time.monotonic()
    building = root / stage
    while not ((building / BUILDING).exists() and any(building.rglob("*.parquet*"))) and process.poll() is None:
        assert time.monotonic() - began < deadline, f"{stage} did not begin"
        time.sleep(0.02)
    assert process.poll() is None, f"the job ended before {stage} could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert finished(str(root / stage)) is None


@pytest.fixture(scope="module")
def calm(submit: Callable[..., subprocess.CompletedProcess[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("calm") / "root"
    answer = submit("corpus", *FLAGS, "--root", root)
    assert answer.returncode == 0, answer.stderr[-3000:]
    assert "Traceback" not in answer.stdout + answer.stderr
    return root


@pytest.mark.parametrize("stage", ["extract", "clean"])
def test_ctrl_c_is_one_line(stage: str, tmp_path: Path) -> None:
    """While processes of this machine work, and while the engine does. What is finished stays."""
    root, said = tmp_path / "root", tmp_path / "said"
    with open(said, "w") as output:
        process = subprocess.Popen(
            submit_command("corpus", *FLAGS, "--root", root), cwd="/", env=job_environment(), start_new_session=True,
            stdout=output, stderr=output,
        )  # fmt: skip
    deadline = time.monotonic() + 240
    while not (root / stage / BUILDING).exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) == 130
    while session_has_python(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    lines = said.read_text()
    assert lines.count("stopped: what is finished stays") == 1 and "Traceback" not in lines and "Error" not in lines
    assert finished(str(root / stage)) is None and bool(finished(str(root / "extract"))) == (stage == "clean")


def session_has_python(session: int) -> bool:
    """Whether a process of the session still runs Python."""
    for entry in Path("/proc").iterdir():
        try:
            mine = entry.name.isdigit() and os.getsid(int(entry.name)) == session
            if mine and b"python" in (entry / "cmdline").read_bytes():
                return True
        except OSError:
            continue  # it has ended meanwhile
    return False


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
