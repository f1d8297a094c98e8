"""A real spark-submit under a task: how it ends, and that nothing of it is left when the task is killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from airflows import look, soon

CASES = Path(__file__).with_name("cases")
ENDS = """
import sys
how = sys.argv[1]
if how == "busy":
    print("error: /r is being written by process 7 of h since noon: wait", file=sys.stderr)
sys.exit({"well": 0, "bug": 1, "mistake": 2, "busy": 2, "drift": 3}[how])
"""
LASTS = """
import os, sys, time
if not os.fork():
    open(sys.argv[1] + ".fork", "w").write(str(os.getpid()))
    time.sleep(600)
open(sys.argv[1] + ".part", "w").write(f"{os.getppid()} {os.getpid()}")
while not os.path.exists(sys.argv[1] + ".fork"):
    time.sleep(0.05)
os.rename(sys.argv[1] + ".part", sys.argv[1])
time.sleep(600)
"""


@pytest.fixture
def project(home: Path) -> dict[str, str]:
    """A folder with jobs of these tests in the place of the repository."""
    (home / "jobs").mkdir()
    (home / "jobs" / "ends.py").write_text(ENDS)
    (home / "jobs" / "lasts.py").write_text(LASTS)
    return {"AIRFLOW_VAR_WANYU_HOME": str(home), "AIRFLOW_VAR_WANYU_TOLD": str(home / "told")}


def test_a_job_that_fails_fails_its_task_and_only_what_may_heal_is_tried_again(
    home: Path, project: dict[str, str]
) -> None:
    ended = look(home, "run", "ends", given={}, dags=CASES, **project)
    assert ended["state"] == "failed"
    assert ended["tasks"] == {
        "well": ["success", 1],
        "bug": ["failed", 2],
        "mistake": ["failed", 1],
        "drift": ["failed", 1],
        "busy": ["failed", 2],
        "skipped": ["skipped", 1],
        "shell_mistake": ["failed", 1],
    }


def test_without_the_connection_no_job_goes_to_yarn(home: Path, project: dict[str, str]) -> None:
    project["AIRFLOW_CONN_WANYU_SPARK"] = ""
    ended = look(home, "run", "lasts", given={}, dags=CASES, **project)
    assert ended["tasks"] == {"lasts": ["failed", 1]}
    assert "no connection wanyu_spark: airflow connections add wanyu_spark" in (home / "look.log").read_text()


def alive(process: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


class Lasting:
    """A task in mid-run: the process of the task, of the JVM, of the driver and of a fork of its."""

    def __init__(self, task: subprocess.Popen[bytes], told: Path) -> None:
        assert soon(told.exists, 60), told.with_name("look.log").read_text()[-3000:]
        self.task = task
        self.jvm, self.driver = map(int, told.read_text().split())
        self.fork = int(Path(f"{told}.fork").read_text())
        assert b"java" in Path(f"/proc/{self.jvm}/cmdline").read_bytes()

    def left(self) -> list[int]:
        return [one for one in (self.jvm, self.driver, self.fork) if alive(one)]


@pytest.fixture
def lasting(home: Path, project: dict[str, str]) -> Iterator[Lasting]:
    task = look(home, "run", "lasts", given={}, wait=False, dags=CASES, **project)
    try:
        running = Lasting(task, home / "told")
        assert len(running.left()) == 3
        yield running
        with suppress(ProcessLookupError):
            os.killpg(running.jvm, signal.SIGKILL)
    finally:
        task.kill()
        task.wait()


def test_a_task_that_is_killed_kills_its_job(lasting: Lasting) -> None:
    lasting.task.send_signal(signal.SIGTERM)  # as Airflow does when a task is stopped, cleared or marked
    assert soon(lambda: not lasting.left(), 5), lasting.left()
    assert lasting.task.wait(60) == 0


def test_a_task_that_dies_without_a_word_takes_its_job_with_it(lasting: Lasting) -> None:
    lasting.task.kill()
    assert soon(lambda: not lasting.left(), 10), lasting.left()


def test_a_driver_does_not_outlive_its_jvm(lasting: Lasting) -> None:
    os.kill(lasting.jvm, signal.SIGKILL)
    assert soon(lambda: not lasting.left(), 10), lasting.left()
    assert lasting.task.wait(60) == 0


def test_the_shell_of_a_trainer_waits_for_it_and_takes_it_along(tmp_path: Path) -> None:
    """What pretrain does, without torch: told to stop, the trainer saves; its parent gone, it is told to stop."""
    guard = CASES.parents[2] / "jobs" / "dags" / "guard.sh"
    (tmp_path / "trainer.py").write_text(
        "import signal, sys, time\n"
        "def save(*_):\n    time.sleep(0.3); open('saved', 'w').write('all'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, save); open('ready', 'w').close(); time.sleep(600)\n"
    )
    for ending in (signal.SIGTERM, signal.SIGKILL):
        for name in ("saved", "ready"):
            (tmp_path / name).unlink(missing_ok=True)
        script = f". {guard}\n{sys.executable} trainer.py\necho on > on"
        task = subprocess.Popen(
            [sys.executable, "-c", "import subprocess, sys; p = subprocess.Popen(['bash', '-c', sys.argv[1]], "
             "start_new_session=True); print(p.pid, flush=True); p.wait()", script],
            cwd=tmp_path, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert task.stdout
        shell = int(task.stdout.readline())
        assert soon((tmp_path / "ready").exists, 20)
        if ending == signal.SIGTERM:
            os.killpg(shell, signal.SIGTERM)  # as BashOperator does
        else:
            task.kill()
        assert soon(lambda shell=shell: not alive(shell), 10)
        assert (tmp_path / "saved").read_text() == "all" and not (tmp_path / "on").exists()
        task.wait()
