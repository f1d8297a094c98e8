"""A job as an operator sees it: its metrics, its logs as JSON, its lineage, the engine's own history."""

import functools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from programs import ARCHIVE, DEMO, QUICK, REPOSITORY, job_environment
from prometheus_client.parser import text_string_to_metric_families

from schemas.records import STAGES


def samples(text: str) -> dict[tuple[str, ...], float]:
    return {
        (one.name, *(value for _, value in sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


@contextmanager
def lineage_server(status: int = 200) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Its address, and the events that it got."""
    events: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            events.append(json.loads(body))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", events
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def corpus(root: Path, *flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """jobs/corpus.py by plain Python, on the sample archive."""
    command = [sys.executable, str(REPOSITORY / "jobs" / "corpus.py"), "--input", str(ARCHIVE), "--root", str(root)]
    return subprocess.run(
        [*command, "--config", str(DEMO), *flags], env=job_environment() | environment, cwd=root.parent,
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip


def test_a_run_is_seen_as_its_ledgers_have_it(tmp_path: Path) -> None:
    """Metrics file, JSON logs and lineage of one run; then the same command finds it all done."""
    root, file = tmp_path / "root", tmp_path / "corpus.prom"
    with lineage_server() as (url, events):
        parent = "airflow/corpus.extract/01941f29-7c00-7087-8940-40e512c257bd"
        done = corpus(root, "--metrics-file", str(file), "--log-format", "json",
                      OPENLINEAGE_URL=url, OPENLINEAGE_PARENT_ID=parent, OPENLINEAGE_NAMESPACE="crawls")  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    ledgers = {stage: json.loads((root / stage / "_ledger.json").read_text()) for stage in STAGES}
    records = {stage: json.loads((root / stage / "_run.json").read_text()) for stage in STAGES}

    said = samples(file.read_text())
    for stage, ledger in ledgers.items():
        assert said["wanyu_rows_total", "kept", stage] == ledger["rows_out"]
        dropped = {key[1]: value for key, value in said.items() if key[0] == "wanyu_dropped_total" and key[2] == stage}
        assert dropped == ledger["dropped"]
    pages = {key[1]: value for key, value in said.items() if key[0] == "wanyu_pages_total"}
    assert pages["document"] == ledgers["extract"]["rows_out"] and sum(pages.values()) == ledgers["extract"]["rows_in"]
    assert (said["wanyu_archives_total", "ok"], said["wanyu_archives_total", "truncated"]) == (2, 1)
    archives = sum(path.stat().st_size for path in ARCHIVE.glob("*.gz"))
    assert archives <= said["wanyu_read_bytes_total", "extract"] < 2 * archives + 1_000_000
    assert said["wanyu_exit_status",] == 0

    assert done.stdout == ""
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert {line.get("stage") for line in lines} >= {*STAGES}
    broken = [line for line in lines if line.get("reason") == "truncated"]
    assert [line["level"] for line in broken] == ["WARNING"] and broken[0]["stage"] == "extract"
    assert broken[0]["archive"] == "archive/sample-truncated.warc.gz"

    told = [(event["eventType"], event["job"]["name"]) for event in events]
    assert told == [(state, stage) for stage in STAGES for state in ("START", "COMPLETE")]
    assert {event["job"]["namespace"] for event in events} == {"crawls"}
    assert {event["run"]["facets"]["parent"]["run"]["runId"] for event in events} == {parent.rpartition("/")[2]}
    by_stage = {event["job"]["name"]: event for event in events if event["eventType"] == "COMPLETE"}
    clean = by_stage["clean"]
    [read], [wrote] = clean["inputs"], clean["outputs"]
    assert (read["namespace"], read["name"]) == ("file", str(root / "extract" / "documents"))
    assert read["facets"]["version"]["datasetVersion"] == records["extract"]["fingerprint"]
    assert (wrote["namespace"], wrote["name"]) == ("file", str(root / "clean" / "documents"))
    assert wrote["facets"]["version"]["datasetVersion"] == records["clean"]["fingerprint"]
    assert wrote["outputFacets"]["outputStatistics"]["rowCount"] == ledgers["clean"]["tables"]["documents"]
    fields = {field["name"]: field["type"] for field in wrote["facets"]["schema"]["fields"]}
    assert fields["language"] == "string" and fields["n_words"].startswith("int") and "drop_reason" in fields
    assert [one["name"] for one in by_stage["extract"]["inputs"]] == [str(ARCHIVE)]
    assert {one["name"].rpartition("/")[2] for one in by_stage["dedup"]["outputs"]} == {
        "documents", "clusters", "signatures",
    }  # fmt: skip
    runs = {event["job"]["name"]: event["run"]["runId"] for event in events}
    assert len(set(runs.values())) == len(STAGES)

    again = corpus(root, "--metrics-file", str(file))
    assert again.returncode == 0 and again.stdout.count("up to date") == len(STAGES)
    after = samples(file.read_text())
    assert all(after["wanyu_rows_total", "kept", stage] == ledgers[stage]["rows_out"] for stage in STAGES)
    assert not any(key[0] == "wanyu_pages_total" for key in after)  # nothing was read


def test_a_lineage_server_that_is_down_stops_nothing_and_is_told_of_once(tmp_path: Path) -> None:
    given = tmp_path / "given.jsonl"
    config = tmp_path / "openlineage.yml"  # in the working folder
    config.write_text("transport: {type: http, url: 'http://127.0.0.1:9', timeout: 1, retry: {total: 0}}\n")
    done = corpus(tmp_path / "root", "--min-words", "100000")
    assert done.returncode == 2 and not given.exists()  # sample finds nothing to mix
    assert done.stderr.count("OpenLineage: not told") == 1
    assert done.stderr.splitlines()[-1].startswith("error: ") and "Traceback" not in done.stderr
    config.write_text(f"transport: {{type: file, log_file_path: '{given}', append: true}}\n")
    done = corpus(tmp_path / "root", "--min-words", "100000")
    events = [json.loads(line) for line in given.read_text().splitlines()]
    assert [event["eventType"] for event in events][-2:] == ["START", "FAIL"]
    assert "error: " + events[-1]["run"]["facets"]["errorMessage"]["message"] == done.stderr.splitlines()[-1]


def test_lineage_without_its_client_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    from pipeline.lineage import emitting

    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    said: list[str] = []
    monkeypatch.setattr(emitting.log, "warning", lambda line, *args: said.append(line % args))
    with emitting.lineage("clean", []):
        pass
    assert said == ["OpenLineage is configured, but its client is missing: pip install 'wanyu[lineage]'"]
    monkeypatch.setenv("OPENLINEAGE_DISABLED", "true")
    with emitting.lineage("clean", []):
        pass
    assert len(said) == 1


def asked(url: str, seconds: float = 90) -> Any:
    """JSON of a server that is still starting."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                found = json.loads(answer.read())
                if found:
                    return found
        except OSError:
            pass
        assert time.monotonic() < deadline, url
        time.sleep(0.5)


@pytest.mark.faults
def test_the_history_server_shows_the_stages_by_our_words(
    submit: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """Event logs of a cluster run with `spark.eventLog.dir` and nothing else, read by Spark's own history server; the
    metrics that executors on the cluster have told."""
    import pyspark
    from standalone import standalone_cluster

    logs, root, file = tmp_path / "events", tmp_path / "root", tmp_path / "run.prom"
    logs.mkdir()
    flags = ["--root", root, "--config", DEMO, "--metrics-file", file, "--log-format", "json"]
    with standalone_cluster(tmp_path / "cluster") as cluster:
        run = functools.partial(
            submit, conf={"spark.eventLog.dir": logs.as_uri(), "spark.executor.memory": "512m"}, master=cluster.master
        )
        for job, more in (("extract", ["--input", ARCHIVE]), ("clean", []), ("dedup", ["--one-task-documents", 0])):
            done = run(job, *flags, *more)
            assert done.returncode == 0, done.stderr[-3000:]
            said = samples(file.read_text())
            ledger = json.loads((root / job / "_ledger.json").read_text())
            assert said["wanyu_rows_total", "kept", job] == ledger["rows_out"]
            assert said["wanyu_read_bytes_total", job] > 100_000  # by executors
    executors = "".join(path.read_text() for path in (tmp_path / "cluster").rglob("stderr"))
    [broken] = [json.loads(line) for line in executors.splitlines() if '"reason": "truncated"' in line]
    assert broken["stage"] == "extract" and broken["archive"] == "archive/sample-truncated.warc.gz"
    environment = job_environment() | {
        "SPARK_HOME": str(Path(pyspark.__file__).parent),
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_HISTORY_OPTS": f"-Dspark.history.fs.logDirectory={logs.as_uri()} -Dspark.history.ui.port=0 {QUICK}",
    }
    command = [str(REPOSITORY / "docker" / "entrypoint.sh"), "history", logs.as_uri()]
    log = tmp_path / "history.log"
    with log.open("wb") as written:
        history = subprocess.Popen(command, env=environment, stdout=written, stderr=written, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not (port := re.search(r"started at http://[^:]+:(\d+)", log.read_text())):
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        api = f"http://127.0.0.1:{port[1]}/api/v1/applications"
        applications = {one["name"]: one["id"] for one in asked(api)}
        assert set(applications) == {"wanyu extract", "wanyu clean", "wanyu dedup"}
        words = {}
        for name, number in applications.items():
            stages = asked(f"{api}/{number}/stages")
            words[name] = {stage.get("description", "") for stage in stages if stage["status"] == "COMPLETE"}
        assert words["wanyu extract"] >= {"extract"} and words["wanyu clean"] >= {"clean"}
        assert "dedup" in words["wanyu dedup"] and all(word.startswith("dedup") for word in words["wanyu dedup"]), words
    finally:
        os.killpg(history.pid, signal.SIGKILL)
        history.wait()


@pytest.mark.faults
def test_spark_s_own_metrics_at_the_running_ui() -> None:
    program = """
import urllib.request
from pipeline.spark.session import session
spark = session("wanyu watched")
spark.range(1000).selectExpr("sum(id)").collect()
url = spark.sparkContext.uiWebUrl + "/metrics/executors/prometheus"
print(urllib.request.urlopen(url, timeout=20).read().decode())
spark.stop()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120,
        env=job_environment() | {"PYSPARK_SUBMIT_ARGS": "--master local[1] --conf spark.ui.port=0 pyspark-shell"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    dashboard = (REPOSITORY / "docs" / "grafana.json").read_text()
    for name in set(re.findall(r"metrics_executor_\w+", dashboard)):
        assert re.search(rf"^{name}{{", done.stdout, re.M), name
    assert 'application_name="wanyu watched"' in done.stdout
