"""What executors are given and asked, and what is said where they cannot do the work."""

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from programs import REPOSITORY, job_environment, submit_command

from pipeline.spark import executors
from pipeline.spark.executors import MEMORY_A_CORE, Seen
from pipeline.spark.session import partitions_for
from pipeline.spark.stage_progress import skew
from schemas.errors import UserError

ENVIRONMENT = {
    **{"AWS_ACCESS_KEY_ID": "id", "AWS_ENDPOINT_URL": "http://store", "AWS_LAMBDA_RUNTIME_API": "here"},
    **{"FSSPEC_S3_SECRET": "s", "GOOGLE_CLOUD_PROJECT": "p", "AZURE_STORAGE_CONNECTION_STRING": "c"},
    **{"HTTPS_PROXY": "x", "HOME": "/root", "PATH": "/bin"},
}


def test_stores_settings_reach_executors_and_nothing_else_does() -> None:
    made = executors.settings({"spark.executorEnv.AWS_ENDPOINT_URL": "http://inside"}, ENVIRONMENT)
    sent = {name.removeprefix("spark.executorEnv.") for name in made if name.startswith("spark.executorEnv.")}
    proper = {"AWS_ACCESS_KEY_ID", "FSSPEC_S3_SECRET", "GOOGLE_CLOUD_PROJECT", "AZURE_STORAGE_CONNECTION_STRING"}
    assert sent == proper | {"HTTPS_PROXY"}


def test_python_s_memory_is_asked_for_by_the_core() -> None:
    made = executors.settings({"spark.executor.cores": "4"}, {})
    assert executors.bytes_of(made["spark.executor.memoryOverhead"]) >= 4 * MEMORY_A_CORE
    for said in ("memoryOverhead", "memoryOverheadFactor", "pyspark.memory"):
        made = executors.settings({"spark.executor.cores": "4", f"spark.executor.{said}": "1"}, {})
        assert "spark.executor.memoryOverhead" not in made
    assert "spark.executor.memoryOverhead" not in executors.settings({}, {})  # nobody knows how many cores


@pytest.mark.parametrize(
    ("text", "bytes_"), [("4g", 4 << 30), ("512M", 512 << 20), ("1kb", 1024), ("7", 7), ("2 GiB", 2 << 30)]
)
def test_amounts_of_memory(text: str, bytes_: int) -> None:
    assert executors.bytes_of(text) == bytes_
    assert executors.bytes_of("7", "m") == 7 << 20
    with pytest.raises(UserError, match="not an amount of memory"):
        executors.bytes_of("much")


DRIVER = Seen("driver", "3.11", "0.1.0 (aaaaaaaa)", "pyarrow 26.0.1", 1 << 35)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"python": "3.10"}, "w1 runs Python 3.10, the driver 3.11: give them the driver's environment"),
        ({"code": "0.1.0 (bbbbbbbb)"}, r"w1 has wanyu 0.1.0 \(bbbbbbbb\), the driver 0.1.0 \(aaaaaaaa\)"),
    ],
)
def test_an_executor_with_another_python_or_other_code_is_refused(other: dict[str, str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        executors.compare(DRIVER, {DRIVER._replace(host="w0"), DRIVER._replace(host="w1", **other)})


def test_other_libraries_are_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        executors.compare(DRIVER, {DRIVER._replace(host="w1", libraries="pyarrow 20.0.0")})
    assert caplog.messages == ["w1 has pyarrow 20.0.0, the driver pyarrow 26.0.1: results may differ"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "[PYTHON_VERSION_MISMATCH] Python in worker has different version: 3.10 than that in driver: 3.11, "
            "PySpark cannot run with different minor versions.",
            "executors run Python 3.10, the driver 3.11: ",
        ),
        (
            'java.io.IOException: Cannot run program "/opt/env/bin/python": error=2',
            "executors have no /opt/env/bin/python: ",
        ),
        ("ModuleNotFoundError: No module named 'pyarrow'\n", "executors lack the package pyarrow: "),
        ("ModuleNotFoundError: No module named 'pipeline.spark'\n", "executors lack wanyu's own code: "),
        (
            "python3: Error while finding module specification for 'pyspark.daemon'",
            "executors lack the package pyspark: ",
        ),
    ],
)
def test_what_keeps_python_from_starting_is_one_line(text: str, says: str) -> None:
    line = executors.line_of("Job aborted due to stage failure: Task 0 in stage 0.0 failed\n" + text)
    assert line and line.startswith(says) and "--archives" in line
    assert executors.line_of("java.lang.NullPointerException") is None


def test_partitions_follow_from_bytes() -> None:
    assert [partitions_for(size) for size in (0, 1, 64 << 20, (64 << 20) + 1, 1 << 40)] == [1, 1, 1, 2, 16384]
    assert partitions_for(1 << 60) == 100_000


def test_skew_is_told_where_it_costs() -> None:
    assert skew([10 << 20] * 9 + [100 << 20]) == "the largest of 10 tasks read 105 MB, the median 10.5 MB"
    assert skew([10 << 20] * 9 + [40 << 20]) is None
    assert skew([1 << 10] * 9 + [1 << 20]) is None  # soon done
    assert skew([1 << 30]) is None


SCRIPT = """
import os, sys
from pipeline.spark.job import run_body, program
from pipeline.spark.session import session

def body(argv):
    spark = session("probe")
    def look(batches):
        import pyarrow as pa
        for batch in batches:
            yield pa.RecordBatch.from_pydict({"said": [os.environ.get("AWS_SECRET_ACCESS_KEY")]})
    print("said", spark.range(0, 1, 1, 1).mapInArrow(look, "said string").collect()[0]["said"])

program(lambda: run_body(body, []))
"""


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The script on a cluster of one worker, whose executors have no environment but what they are given."""
    (tmp_path / "probe.py").write_text(SCRIPT)

    def submitted(**conf: str) -> subprocess.CompletedProcess[str]:
        command = submit_command("probe", conf=conf, master="local-cluster[1,1,1024]")
        command[-1] = str(tmp_path / "probe.py")
        environment = job_environment() | {"PYTHONPATH": str(REPOSITORY), "PYTHONSAFEPATH": ""}
        environment["AWS_SECRET_ACCESS_KEY"] = "very-secret"
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)

    return submitted


@pytest.mark.faults
def test_a_store_s_secret_reaches_executors_and_no_log(
    run: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "events").mkdir()
    answer = run(**{"spark.eventLog.enabled": "true", "spark.eventLog.dir": f"file://{tmp_path}/events",
                    "spark.eventLog.compress": "false"})  # fmt: skip
    assert "said very-secret" in answer.stdout, answer.stderr
    assert "very-secret" not in answer.stderr
    logs = [path.read_text() for path in (tmp_path / "events").rglob("*") if path.is_file()]
    assert any("spark.executorEnv.AWS_SECRET_ACCESS_KEY" in log for log in logs)
    assert not any("very-secret" in log for log in logs)


@pytest.mark.faults
def test_executors_without_the_environment_are_one_line(
    run: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')  # no package is installed there
    bare.chmod(0o755)
    for python, says in (
        (str(bare), "error: executors lack the package "),
        ("/none/python", "error: executors have no /none/"),
    ):
        answer = run(**{"spark.pyspark.python": python, "spark.pyspark.driver.python": sys.executable})
        assert answer.returncode == 2, answer.stderr
        told = answer.stdout + answer.stderr  # the driver's own reach one or the other
        assert says in told and "--archives" in told, told
        assert "Traceback" not in told
