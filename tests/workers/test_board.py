"""The board of a run, as a process: what tasks count is on it while they go on, over HTTP, in the file and for the
driver's own line; who does not know the key is not heard, and no task waits for it."""

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.costs import counters
from pipeline.observed import counts, events, exposition, logs
from pipeline.workers import telling, watching
from pipeline.workers.processes import process_runner
from pipeline.workers.tasks import Step
from pipeline.workers.telling import Address, Carried
from pipeline.workers.watching import Exposed
from schemas.errors import Drifted, UserError
from schemas.records import Ledger, RunRecord


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Name and label values, in the order of the labels' names -> value."""
    return {
        (one.name, *(value for _, value in sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def scraped(port: int) -> dict[tuple[str, ...], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        return samples(answer.read().decode())


def work(item: tuple[int, str]) -> int:
    """Counts, and waits in the midst of its work until the file is there."""
    documents, gate = item
    counts.count("rows", "kept", documents)
    counters.count_read(1000)
    counters.count_requests("s3://bucket", 2)
    telling.tell({("rows", "dropped"): 1})
    while gate and not Path(gate).exists():
        time.sleep(0.01)
    counts.count("dropped", "short: “ü” \\ \n")
    return documents


@contextmanager
def board(exposed: Exposed) -> Iterator[int]:
    with watching.watched("clean", "s3://user:secret@bucket/root", exposed):
        assert watching._board is not None
        yield watching._board.http or 0


def test_a_running_step_is_seen_from_outside(tmp_path: Path) -> None:
    gate = str(tmp_path / "gate")
    seen: list[dict[tuple[str, ...], float]] = []
    with board(Exposed(port=0)) as port, logs.about("clean"):

        def look() -> None:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                seen.append(scraped(port))
                if seen[-1].get(("wanyu_rows_total", "kept", "clean")) == 30:
                    break
                time.sleep(0.02)
            Path(gate).touch()

        answers: list[list[int]] = []
        looker = threading.Thread(target=lambda: answers.append(run()))

        def run() -> list[int]:
            with logs.about("clean"):
                items = [(10, gate), (20, gate)]
                return process_runner(2)(work, items, Step("clean", [10, 20], "documents"))

        looker.start()
        look()
        looker.join()
        assert answers == [[10, 20]]
        during, after = seen[-1], scraped(port)
    assert during["wanyu_rows_total", "dropped", "clean"] == 2
    assert during["wanyu_step_size", "clean", "clean", "documents"] == 30
    assert during["wanyu_step_done", "clean", "clean", "documents"] == 0
    assert during["wanyu_workers",] == 2
    assert after["wanyu_rows_total", "kept", "clean"] == 30
    assert after["wanyu_dropped_total", "short: “ü” \\ \n", "clean"] == 2
    assert after["wanyu_read_bytes_total", "clean"] == 2000
    assert after["wanyu_store_requests_total", "clean", "s3://bucket"] == 4
    assert ("wanyu_step_size", "clean", "clean", "documents") not in after
    assert [key for key in after if key[0] == "wanyu_info"] == [
        ("wanyu_info", "clean", "s3://bucket/root", next(key[3] for key in after if key[0] == "wanyu_info"))
    ]
    names = {key[0] for key in (*during, *after)}
    assert names <= exposition.metric_names() | {name.replace("_total", "_created") for name in names}


def record(stage: str) -> RunRecord:
    return RunRecord(stage=stage, fingerprint="f", stage_version=1, config={}, inputs={}, versions={}, code_revision="")


@pytest.mark.parametrize(
    ("error", "status"), [(None, 0), (UserError("x"), 2), (Drifted("x"), 3), (KeyboardInterrupt(), 130), (OSError(), 1)]
)
def test_the_file_is_whole_and_says_how_it_ended(tmp_path: Path, error: BaseException | None, status: int) -> None:
    path = tmp_path / "run.prom"
    with pytest.raises(type(error)) if error else logs.about(), board(Exposed(file=str(path))):
        events.began("clean", record("clean"))
        watching.planned_archives(5, 3)
        ledger = Ledger(stage="clean", rows_in=5, rows_out=3, dropped={"short": 2}, by_language={}, tables={})
        events.finished("clean", record("clean"), lambda: ledger)
        events.began("dedup", record("dedup"))
        if error:
            raise error
    said = samples(path.read_text())
    assert said["wanyu_exit_status",] == status
    assert said["wanyu_stage_running", "clean"] == 0 and said["wanyu_stage_running", "dedup"] == 1
    assert said["wanyu_rows_total", "kept", "clean"] == 3 and said["wanyu_dropped_total", "short", "clean"] == 2
    assert said["wanyu_archives_planned",] == 5 and said["wanyu_archives_total", "earlier"] == 3
    assert [one.name for one in tmp_path.iterdir()] == ["run.prom"]


def test_what_the_user_can_mend(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = rf"--metrics-port {port}: nobody can listen at 127.0.0.1:{port} \(Address"
        with pytest.raises(UserError, match=line), board(Exposed(port=port)):
            raise AssertionError
    for file, why in ((str(tmp_path / "x.txt"), "in .prom"), (str(tmp_path / "no" / "x.prom"), "no such folder")):
        with pytest.raises(UserError, match=why), board(Exposed(file=file)):
            raise AssertionError
    assert watching._board is None


def test_a_line_for_the_terminal_is_of_the_same_counts(tmp_path: Path) -> None:
    with board(Exposed(port=0)), watching.step(Step("clean", [10, 20], "documents"), work) as step:
        with telling.task(step.carried, 1):
            counts.count("rows", "kept", 1234)
        deadline = time.monotonic() + 10
        while "1,234 kept" not in (line := step.line()) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert line.startswith("clean: 20/30 documents, ") and line.endswith("; 1,234 kept")


def test_strangers_are_not_heard(tmp_path: Path) -> None:
    with board(Exposed(port=0)) as port:
        assert watching._board is not None
        address = watching._board.workers
        lie = {"worker": "w", "step": 1, "place": 0, "done": True, "counts": [], "spent": [["requests", "x", "y", 1]]}
        for first in (b"nonsense\n", address.key.encode() + b"\n{}\n", address.key.encode() + b"\n[1\n"):
            with socket.create_connection(address[:2]) as stranger:
                stranger.sendall(first + json.dumps(lie).encode() + b"\n")
                stranger.settimeout(10)
                assert stranger.recv(1) == b""  # it hangs up
        assert not any(key[0] == "wanyu_store_requests_total" for key in scraped(port))


def test_a_board_that_is_gone_costs_a_task_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        gone = Address("127.0.0.1", closed.getsockname()[1], "key")
    began = time.monotonic()
    for place in range(1000):
        with telling.task(Carried(gone, 1, "clean", "text"), place):
            counts.count("rows", "kept")
    assert time.monotonic() - began < 2


def test_without_a_board_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "_send", lambda *_: pytest.fail("sent"))
    with watching.step(None, work) as step:
        assert telling.call(work, (3, ""), 0, step.carried).answer == 3
        assert not telling.due()


def test_the_endpoint_is_for_this_machine_alone_unless_told() -> None:
    with board(Exposed(port=0)) as port, pytest.raises((urllib.error.URLError, OSError)):
        urllib.request.urlopen(f"http://127.0.0.2:{port}/metrics", timeout=2)
