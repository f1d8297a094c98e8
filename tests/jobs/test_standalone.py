"""Every job on a standalone cluster from a foreign folder, with copies of slow tasks, executors that come and go, and a
worker that is lost while it works: the bytes of a local run."""

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import faulty
import pytest
from programs import REPOSITORY, job_environment, submit_command
from standalone import FLICKERING, Cluster, standalone_cluster

from jobs import corpus, explain, fit_thresholds, remove, report
from schemas.records import STAGES

ARCHIVE = REPOSITORY / "tests" / "archive"
SMALL = [ARCHIVE / "sample-truncated.warc.gz", ARCHIVE / "sample.warc.wet.gz"]
FLAGS: dict[str, list[object]] = {
    "extract": ["--input", *SMALL],
    "clean": ["--presets", "none"],
    "dedup": ["--one-task-documents", "0"],
    "sample": ["--validation-share", "0.6"],
    "vocab": ["--vocab-size", "600"],
}
ALL_FLAGS = ["--partitions", "2", *(flag for flags in FLAGS.values() for flag in flags)]
URL = "https://vie-news.example.com/2"

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with standalone_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="module")
def near(spark: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The local run."""
    root = tmp_path_factory.mktemp("near") / "root"
    assert corpus.main(["--root", str(root), *map(str, ALL_FLAGS)]) == 0
    return root


Submit = Callable[..., str]


@pytest.fixture(scope="module")
def submitted(cluster: Cluster) -> Submit:
    """Runs a job on the cluster, and answers what it printed."""

    def run(job: str, *args: object) -> str:
        command = submit_command(job, *args, conf=FLICKERING, master=cluster.master)
        answer = subprocess.run(command, cwd="/", env=job_environment(), capture_output=True, text=True, timeout=900)
        assert answer.returncode == 0, f"{job}: {answer.stdout[-1000:]}{answer.stderr[-3000:]}"
        return answer.stdout

    return run


class Loss(threading.Thread):
    """Waits for a worker that works, loses it, and starts another."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(daemon=True)
        self._cluster = cluster
        self._stopped = threading.Event()
        self.lost = 0

    def run(self) -> None:
        while not self._stopped.wait(0.1):
            if worker := self._cluster.at_work():
                time.sleep(0.3)
                self._cluster.lose(worker)
                self.lost += 1
                self._cluster.start_worker()
                return

    def end(self) -> None:
        self._stopped.set()
        self.join(60)


@pytest.fixture(scope="module")
def far(cluster: Cluster, submitted: Submit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job a stage, two of them with a worker that is lost."""
    root = tmp_path_factory.mktemp("far") / "root"
    for stage in STAGES:
        loss = Loss(cluster) if stage in ("clean", "dedup") else None
        if loss:
            loss.start()
        submitted(stage, "--root", root, "--partitions", 2, *FLAGS[stage])
        if loss:
            loss.end()
            assert loss.lost == 1, stage
    return root


def test_a_job_a_stage_gives_the_bytes_of_a_local_run(far: Path, near: Path) -> None:
    calm = faulty.result(str(near))
    assert any("validation-" in name for name in calm)
    assert faulty.difference(str(far), calm) == ""
    for stage in STAGES:
        told = [json.loads((root / stage / "_run.json").read_text())["fingerprint"] for root in (far, near)]
        assert told[0] == told[1], stage


def test_corpus_finds_all_of_it_done(far: Path, submitted: Submit) -> None:
    assert submitted("corpus", "--root", far, *ALL_FLAGS).count("up to date") == len(STAGES)


def test_what_only_reads(far: Path, near: Path, submitted: Submit, capsys: pytest.CaptureFixture[str]) -> None:
    told = submitted("explain", "--root", far, "--url", URL)
    assert explain.main(["--root", str(near), "--url", URL]) == 0
    assert told.splitlines() == capsys.readouterr().out.splitlines()
    submitted("report", "--root", far)
    assert report.main(["--root", str(near)]) == 0
    pages = [(root / "report.html").read_text(encoding="utf-8") for root in (far, near)]
    sizes = {len(re.sub(r'<h2 id="cost">.*?(?=<h2 )', "", page, flags=re.S)) for page in pages}  # no two costs are one
    assert len(sizes) == 1
    submitted("fit_thresholds", "--root", far, "--min-texts", 1, "--output", far / "thresholds.toml")
    flags = ["--root", str(near), "--min-texts", "1", "--output", str(near / "thresholds.toml")]
    assert fit_thresholds.main(flags) == 0
    assert (far / "thresholds.toml").read_bytes() == (near / "thresholds.toml").read_bytes()


def test_removing_comes_last(far: Path, near: Path, submitted: Submit, tmp_path: Path) -> None:
    (tmp_path / "urls.txt").write_text(f"{URL}\n")
    submitted("remove", "--root", far, "--urls", tmp_path / "urls.txt")
    assert remove.main(["--root", str(near), "--urls", str(tmp_path / "urls.txt")]) == 0
    assert faulty.difference(str(far), faulty.result(str(near))) == ""
