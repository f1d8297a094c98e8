"""Shared by all tests: one Spark session, the sample archive, and jobs run as a user runs them."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
ARCHIVE = REPOSITORY / "tests" / "archive"
QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # small corpora: compiling costs more than running


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A local session; a JVM takes ten seconds to start, so there is one."""
    from pipeline.spark.session import session

    os.environ["PYSPARK_SUBMIT_ARGS"] = (
        f"--master local[2] --driver-memory 1g --conf spark.local.dir={tmp_path_factory.mktemp('spark')} "
        f"--conf spark.ui.enabled=false --driver-java-options '{QUICK}' pyspark-shell"
    )
    running = session("tests", 2)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def submit() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a job through spark-submit in a process of its own, from a foreign folder."""

    def run(job: str, *args: object, conf: dict[str, str] | None = None, master: str = "local[2]", cwd: str = "/",
            timeout: float = 280) -> subprocess.CompletedProcess[str]:  # fmt: skip
        return subprocess.run(
            submit_command(job, *args, conf=conf, master=master),
            cwd=cwd, env=job_environment(), capture_output=True, text=True, timeout=timeout,
        )  # fmt: skip

    return run


def submit_command(job: str, *args: object, conf: dict[str, str] | None = None, master: str = "local[2]") -> list[str]:
    settings = {"spark.ui.enabled": "false", "spark.executor.extraJavaOptions": QUICK, **(conf or {})}
    flags = [part for key, value in settings.items() for part in ("--conf", f"{key}={value}")]
    submit = Path(sys.executable).with_name("spark-submit")
    return [str(submit), "--master", master, "--driver-memory", "1g", "--driver-java-options", QUICK, *flags,
            str(REPOSITORY / "jobs" / f"{job}.py"), *map(str, args)]  # fmt: skip


def job_environment() -> dict[str, str]:
    """The tests' own, with this Python for Spark and an honest module path."""
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYSPARK_SUBMIT_ARGS")}
    return {**kept, "PYTHONSAFEPATH": "1", "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
