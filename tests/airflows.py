"""Airflow in its own environment (`make airflow`), asked through processes; all else is the project's."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from programs import ARCHIVE, DEMO, QUICK, REPOSITORY, job_environment

AIRFLOW = REPOSITORY / ".airflow-venv" / "bin"
DAGS = REPOSITORY / "jobs" / "dags"
PROPERTIES = f"spark.ui.enabled false\nspark.driver.memory 1g\nspark.driver.extraJavaOptions {QUICK}\n"
LOOK = REPOSITORY / "tests" / "dags" / "look.py"


def settings(home: Path, dags: Path = DAGS) -> dict[str, str]:
    """Of an Airflow with a home of its own, which reaches this project by a connection and Variables."""
    (home / "spark.conf").write_text(PROPERTIES)
    return {
        **job_environment(),
        "PATH": os.pathsep.join([str(AIRFLOW), os.environ["PATH"]]),
        "PYTHONPATH": str(DAGS) if dags != DAGS else "",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW_CONN_WANYU_SPARK": json.dumps({"conn_type": "spark", "host": "local[2]"}),
        "AIRFLOW_VAR_WANYU_HOME": str(REPOSITORY),
        "AIRFLOW_VAR_WANYU_VENV": sys.prefix,
        "AIRFLOW_VAR_WANYU_SPARK_PROPERTIES": str(home / "spark.conf"),
        "WANYU_RETRY_SECONDS": "0",
    }


def look(home: Path, *words: str, given: object, wait: bool = True, dags: Path = DAGS, **more: str) -> Any:
    """Starts look.py, and answers what it says; without `wait` its process."""
    answer = home / "answer.json"
    command = [AIRFLOW / "python", LOOK, answer, *words]
    with open(home / "look.log", "wb") as log:
        process = subprocess.Popen(
            command, cwd=home, env={**settings(home, dags), **more}, stdin=subprocess.PIPE, stdout=log, stderr=log
        )
    assert process.stdin
    process.stdin.write(json.dumps(given).encode())
    process.stdin.close()
    if not wait:
        return process
    assert process.wait(800) == 0, (home / "look.log").read_text()[-4000:]
    return json.loads(answer.read_text())


def asked(root: Path, run: Path | None = None, **others: object) -> dict[str, object]:
    """Parameters of a run over the sample archive; with a folder for it, a few steps of training."""
    train = REPOSITORY / "train" / "configs" / "demo.toml"
    corpus = {
        "crawl": "CC-MAIN-2026-43",
        "root": str(root),
        "input": [str(ARCHIVE)],
        "config": str(DEMO),
        "canary": None,
    }
    return {**corpus, "run": run and str(run), "train": str(train), "steps": 6, **others}


def soon(what: Callable[[], bool], seconds: float = 60) -> bool:
    """Whether it comes true within the time."""
    end = time.monotonic() + seconds
    while not (true := what()) and time.monotonic() < end:
        time.sleep(0.05)
    return true


def process_of(program: str, *words: object) -> int:
    """The first that runs the program with these words in its command line."""
    for entry in sorted(Path("/proc").glob("[0-9]*"), key=lambda one: int(one.name)):
        with suppress(OSError):  # it has ended meanwhile
            command = (entry / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            if program in Path(command[0]).name and all(any(str(word) in part for part in command) for word in words):
                return int(entry.name)
    raise AssertionError(f"no {program} runs {words}")
