"""What workers tell of their progress: one file each, seldom, and the sum of them."""

import json
from pathlib import Path

import pytest

from pipeline.store import storage
from pipeline.workers import heartbeats
from pipeline.workers.heartbeats import HEARTBEATS, Heartbeat, RunningCounts
from pipeline.workers.processes import process_runner


def test_a_worker_writes_over_its_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "LOCAL_SECONDS", 0)

    def work(name: str) -> None:
        beat = Heartbeat(str(tmp_path))
        for records in (1, 2):
            beat.tell(records=records, failures=0)
        beat.finish(archives=1, records=3)
        beat.tell(records=10)
        beat.finish(archives=1, records=20)

    process_runner(2)(work, ["one"])
    process_runner(2)(work, ["two"])
    files = sorted((tmp_path / HEARTBEATS).iterdir())
    assert [json.loads(file.read_text()) for file in files] == [{"archives": 2, "records": 23}] * 2
    assert RunningCounts(str(tmp_path))() == {"archives": 2 * 2, "records": 2 * 23}


def test_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two minutes of a busy task on a store are four objects written, and the driver looks four times."""
    now, written, listed = 0.0, [], []
    monkeypatch.setattr(heartbeats.time, "monotonic", lambda: now)
    monkeypatch.setattr(storage, "write_json", lambda path, counts: written.append(path))
    monkeypatch.setattr(storage, "listing", lambda folder: listed.append(folder) or {})
    beat, seen = Heartbeat("s3://crawl/extract"), RunningCounts("s3://crawl/extract")
    for now in range(1, 121):
        beat.tell(records=int(now))
        seen()
    assert len(written) == 4 and len(set(written)) == 1
    assert len(listed) == 4


def test_a_lost_one_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "SECONDS", 0)
    Heartbeat("nonsense://x").finish(records=1)
