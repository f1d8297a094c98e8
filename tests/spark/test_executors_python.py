"""Executors whose Python is not the driver's: one line that says what to do."""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from programs import ARCHIVE, job_environment, submit_command
from pyspark.errors import PythonException

from pipeline.spark.job import run_body

MISMATCH = (
    "pyspark.errors.exceptions.base.PySparkRuntimeError: [PYTHON_VERSION_MISMATCH] Python in worker has different "
    "version: 3.12 than that in driver: 3.11, PySpark cannot run with different minor versions."
)


@pytest.mark.parametrize(
    ("met", "said"),
    [
        (MISMATCH, "the executors' Python is 3.12, the driver's 3.11"),
        ("ModuleNotFoundError: No module named 'pipeline.spark'", "the executors' Python has no module pipeline:"),
        ('java.io.IOException: Cannot run program "/x/python": error=2', "the executors have no /x/python"),
    ],
)
def test_another_python_is_one_line(met: str, said: str, capfd: pytest.CaptureFixture[str]) -> None:
    def body(argv: object) -> None:
        raise PythonException(met)

    assert run_body(body, None) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"error: {said}") and "PYSPARK_PYTHON" in line


def test_a_module_that_the_driver_lacks_too_is_a_bug() -> None:
    def body(argv: object) -> None:
        raise PythonException("ModuleNotFoundError: No module named 'nobody_has_this'")

    with pytest.raises(PythonException):
        run_body(body, None)


@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.parametrize("python", ["bare", "nowhere"])
def test_executors_without_the_environment(tmp_path: Path, python: str) -> None:
    if python == "bare":
        venv.create(tmp_path / "bare", with_pip=False)
    command = submit_command(
        "extract", "--input", ARCHIVE / "sample-truncated.warc.gz", "--root", tmp_path / "root",
        master="local-cluster[1,1,1024]",
    )  # fmt: skip
    pythons = {"PYSPARK_DRIVER_PYTHON": sys.executable, "PYSPARK_PYTHON": str(tmp_path / python / "bin" / "python")}
    answer = subprocess.run(
        command, env={**job_environment(), **pythons}, cwd="/", capture_output=True, text=True, timeout=800
    )
    assert answer.returncode == 2, answer.stderr[-3000:]
    assert "error: the executors" in answer.stderr and "docs/operations.md" in answer.stderr
    shutil.rmtree(tmp_path)
