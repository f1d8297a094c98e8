"""Jobs as processes of their own, run as a user runs them."""

import os
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
ARCHIVE = REPOSITORY / "tests" / "archive"
DEMO = REPOSITORY / "jobs" / "demo.toml"
QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # small corpora: compiling costs more than running


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
