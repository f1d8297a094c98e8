"""Shared by all tests: one Spark session, the sample archive, and jobs run as a user runs them."""

import ast
import functools
import gc
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from programs import ARCHIVE, DEMO, QUICK, REPOSITORY, job_environment, submit_command

# Tests run in as many processes as there are cores: a second thread of matrices or tokens, here or in a child, waits in
# a busy loop for the core that another process has, which costs more than its half of so small a product.
for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

# Servers of tests are on the loopback, which no URL may lead to unless somebody says so (pipeline.store.web).
os.environ["WANYU_ALLOW_PRIVATE_ADDRESSES"] = "1"

# The first call of a kernel compiles it; what must be fast has a test of its own.
hypothesis.settings.register_profile("wanyu", deadline=None)
hypothesis.settings.load_profile("wanyu")

# Under nohup and in a script's background Ctrl-C is ignored, by every process that is started from here too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)


@functools.cache
def arguments(file: str) -> dict[str, list[str]]:
    """Of the functions of a file, named from the repository: what they take."""
    functions = [node for node in ast.parse((REPOSITORY / file).read_bytes()).body if isinstance(node, ast.FunctionDef)]
    return {function.name: [argument.arg for argument in function.args.args] for function in functions}


SESSION = 1  # up to this group of tests one process runs them all


def group(nodeid: str) -> int:
    """0: the test, or a fixture of its file that it takes, takes the corpus. 1: the Spark session. 2: of train. 3."""
    file, _, name = nodeid.partition("::")
    wanted, known = [name.partition("[")[0]], arguments(file)
    for fixture in wanted:
        wanted += [other for other in known.get(fixture, ()) if other not in wanted]
    return 0 if "corpus_root" in wanted else 1 if "spark" in wanted else 2 if file.startswith("tests/train/") else 3


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In a fresh clone the corpus compiles the kernels, once, while the other processes have tests that need none."""
    items.sort(key=lambda item: group(item.nodeid))


def pytest_collection_finish() -> None:
    """What is imported stays: a collection of garbage, here or in a fork, need not walk it."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Of several processes one has corpus and session and begins with them; the rest is dealt out file by file."""
    from xdist.scheduler import LoadScopeScheduling

    class OneSession(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "session" if group(nodeid) <= SESSION else nodeid.partition("::")[0]

    config.option.loadscopereorder = False
    return OneSession(config, log)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A local session; a JVM takes ten seconds to start, so there is one."""
    from pipeline.spark.session import session

    settings = {
        "spark.local.dir": tmp_path_factory.mktemp("spark"),
        "spark.ui.enabled": "false",
        "spark.python.daemon.module": "warm_daemon",
        # Compiling a plan costs more than its few rows; the jobs that tests submit compile theirs.
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(REPOSITORY / "tests"))  # of the JVM: there its workers look for their daemon
        patch.setenv(
            "PYSPARK_SUBMIT_ARGS",
            " ".join(
                [
                    "--master local[2] --driver-memory 1g",
                    *(f"--conf {key}={value}" for key, value in settings.items()),
                    f"--driver-java-options '{QUICK}' pyspark-shell",
                ]
            ),
        )
        running = session("tests", 2)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def corpus_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All stages over the sample archive, once for all tests; nobody writes into it. Made without the engine, in a
    tenth of its time, and by one process at a time, so that no two compile the same kernels."""
    from jobs import corpus
    from pipeline.spark.session import LazySession

    root = tmp_path_factory.mktemp("corpus") / "root"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LazySession, "local_cores", lambda _: 1)
        assert corpus.main(["--input", str(ARCHIVE), "--root", str(root), "--config", str(DEMO)]) == 0
    return root


@pytest.fixture
def without_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs run as on a user's machine, by processes, though a session may run here."""
    from pipeline.spark.session import LazySession

    monkeypatch.setattr(LazySession, "local_cores", lambda _: 2)


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
