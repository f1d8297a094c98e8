"""Logs as JSON: a line an event, of a stage and an archive, without secrets; text as it was."""

import json
import subprocess
import sys

import pytest

from pipeline.observed import logs
from schemas.errors import UserError

PROGRAM = """
import logging, sys, warnings
from pipeline.exit_status import run_to_exit_status
from pipeline.observed import logs
from pipeline.workers.processes import process_runner
from schemas.errors import Drifted, UserError

def work(item):
    with logs.about(archive=f"https://u:secret@h/{item}.warc?sig=hidden"):
        logging.getLogger("pipeline.x").warning("truncated: ថយ %d", item, extra={"reason": "truncated"})

def body(argv):
    logs.say("said to people")
    with logs.about("extract"):
        process_runner(2)(work, [1])
    warnings.warn("a library's")
    how = sys.argv[1]
    if how == "mistake": raise UserError("https://u:secret@h/x: name\\n another")
    if how == "drift": raise Drifted("eng_Latn: kept 0.2, before 0.6")
    if how == "bug": raise KeyError("lost")
    if how == "stop": raise KeyboardInterrupt

sys.exit(run_to_exit_status(body, sys.argv[2:]))
"""


def run(how: str, *flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, how, *flags],
        capture_output=True,
        text=True,
        env={"PATH": "/bin", **environment},
    )


@pytest.mark.parametrize(
    ("how", "status", "level", "message"),
    [
        ("well", 0, None, ""),
        ("mistake", 2, "ERROR", "https://h/x: name another"),
        ("drift", 3, "ERROR", "eng_Latn: kept 0.2, before 0.6"),
        ("bug", 1, "CRITICAL", "KeyError: 'lost'"),
        ("stop", 130, "ERROR", "stopped: what is finished stays, and the same command goes on from there"),
    ],
)
def test_every_line_is_an_object(how: str, status: int, level: str | None, message: str) -> None:
    done = run(how, "--log-format=json") if how != "bug" else run(how, WANYU_LOG_FORMAT="json")
    assert (done.returncode, done.stdout) == (status, "")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    assert all(line["time"].endswith("+00:00") for line in lines)
    said, page, warned, *last = lines
    assert said["message"] == "said to people" and said["level"] == "INFO" and "stage" not in said
    assert page["stage"] == "extract" and page["reason"] == "truncated" and page["message"] == "truncated: ថយ 1"
    assert page["archive"] == "https://h/1.warc"  # from a process of the pool
    assert "a library's" in warned["message"]
    assert [(line["level"], line["message"]) for line in last] == ([(level, message)] if level else [])
    assert "secret" not in done.stderr and "hidden" not in done.stderr
    assert ("trace" in last[0] and "in body" in last[0]["trace"]) if how == "bug" else True


def test_text_is_as_it_was() -> None:
    done = run("mistake")
    assert done.stdout == "said to people\n" and done.returncode == 2
    lines = done.stderr.splitlines()
    assert lines[0] == "truncated: ថយ 1" and lines[-1] == "error: https://h/x: name another"
    assert "Traceback (most recent call last)" in run("bug").stderr and run("bug").returncode == 1


def test_which_format(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANYU_LOG_FORMAT", "json")
    assert logs.asked_for([]) == "json"
    assert logs.asked_for(["--log-format", "text"]) == "text"  # the flag goes before
    assert logs.asked_for(["--root", "x", "--log-format=json"]) == "json"
    monkeypatch.setenv("WANYU_LOG_FORMAT", "yaml")
    with pytest.raises(UserError, match="WANYU_LOG_FORMAT=yaml: say text or json"):
        logs.asked_for([])
