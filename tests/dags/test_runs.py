"""The DAG on the sample archive, whole: dag.test() on a database of its own, with spark-submit, torchrun and all."""

import json
import os
import shutil
import signal
import subprocess
from functools import partial
from pathlib import Path

import faulty
import pytest
from airflows import asked, look, process_of, soon
from programs import ARCHIVE, DEMO, job_environment, submit_command

from pipeline.store import generations, storage
from pipeline.store.parquet_files import read_parquet

pytestmark = pytest.mark.timeout(900)  # in a fresh clone the first corpus compiles the kernels


LONG = 140  # words: clean then drops half of what it keeps else


def test_the_dag_leaves_the_bytes_of_corpus(
    home: Path, calm: dict[str, bytes], calm_root: Path, tmp_path: Path
) -> None:
    """All of its tasks. The archive has too few pages for a judgement, so the gate is open."""
    root, run, drift = tmp_path / "a root", tmp_path / "run", tmp_path / "drift.toml"
    drift.write_text("min_pages = 1_000_000\n")
    more = {"canary": 0.5, "compare": str(calm_root), "drift": str(drift)}
    ended = look(home, "run", "corpus", given=asked(root, run, **more))
    assert ended["state"] == "success"
    assert set(map(tuple, ended["tasks"].values())) == {("success", 1)}, ended
    assert faulty.difference(str(root), calm) == ""
    assert (run / "export" / "model.safetensors").is_file() and (run / "evaluation" / "evaluation.json").is_file()
    assert run.name in (root / "report.html").read_text()


def test_a_drift_ends_the_run_before_anything_is_trained_or_published(
    home: Path, calm_root: Path, tmp_path: Path
) -> None:
    root, drift = tmp_path / "root", tmp_path / "drift.toml"
    shutil.copytree(calm_root, root)
    command = submit_command(
        "corpus", "--input", ARCHIVE, "--root", tmp_path / "other", "--config", DEMO, "--min-words", LONG
    )
    subprocess.run(command, cwd="/", env=job_environment(), check=True, capture_output=True)
    drift.write_text("min_pages = 2\n")
    ended = look(home, "run", "corpus", given=asked(root, compare=str(tmp_path / "other"), drift=str(drift)))
    tasks = ended["tasks"]
    assert ended["state"] == "failed" and tasks["drift"] == ["failed", 1]
    assert {name: tasks[name][0] for name in ("sample.submit", "vocab", "pretrain", "report", "publish")} == {
        "sample.submit": "success",
        **dict.fromkeys(("vocab", "pretrain", "report", "publish"), "upstream_failed"),
    }
    assert "status 3: the corpus has drifted" in (home / "look.log").read_text()


def test_a_task_whose_job_is_killed_in_mid_run_is_tried_again_and_leaves_the_same_bytes(
    home: Path, calm: dict[str, bytes], tmp_path: Path
) -> None:
    root = tmp_path / "root"
    running = look(home, "run", "corpus", given=asked(root), wait=False)
    try:
        for stage, of in (("extract", "java"), ("dedup", "python")):
            begun = storage.join(str(root), stage, generations.BUILDING)
            assert soon(partial(storage.exists, begun)), (home / "look.log").read_text()[-3000:]
            os.kill(process_of(of, f"jobs/{stage}.py", root), signal.SIGKILL)
        assert running.wait(200) == 0
    finally:
        running.kill()
        running.wait()
    tasks = json.loads((home / "answer.json").read_text())["tasks"]
    assert {name: tries for name, (_, tries) in tasks.items() if tries > 1} == {
        "extract.submit": 2, "dedup.submit": 2,
    }  # fmt: skip
    assert tasks["publish"][0] == "success"
    assert faulty.difference(str(root), calm) == ""


def urls(root: Path) -> list[str]:
    files = generations.required(f"{root}/extract").files("documents").values()
    return [url for path in files for url in read_parquet(path)["url"].to_pylist()]


def test_takedown_takes_a_page_out_of_every_root(home: Path, calm_root: Path, tmp_path: Path) -> None:
    roots, lists = [tmp_path / "one", tmp_path / "two"], tmp_path / "urls.txt"
    for root in roots:
        shutil.copytree(calm_root, root)
    url = read_parquet(next(iter(generations.required(f"{roots[0]}/extract").files("documents").values())))["url"][
        0
    ].as_py()
    lists.write_text(f"{url}\n")
    told = {"roots": [str(root) for root in roots], "urls": [str(lists)], "hosts": []}
    ended = look(home, "run", "takedown", given={}, AIRFLOW_VAR_WANYU_TAKEDOWN=json.dumps(told))
    assert ended["state"] == "success"
    for root in roots:
        (record,) = (root / "removed").glob("*.json")
        assert json.loads(record.read_text())["runs"][0]["documents"] == 1
        assert url not in urls(root)


def test_takedown_without_its_variable_says_so(home: Path) -> None:
    ended = look(home, "run", "takedown", given={})
    assert ended["tasks"]["roots"] == ["failed", 1]
    told = "no Variable wanyu_takedown as it has to be: airflow variables set wanyu_takedown"
    assert told in (home / "look.log").read_text()
