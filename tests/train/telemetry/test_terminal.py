"""What stands on the screen, as a terminal would show it."""

import io
import re
from pathlib import Path
from typing import Any

import pytest

from train.telemetry import clock, terminal
from train.telemetry.clock import Clock, Pace, hours
from train.telemetry.journal import Journal
from train.telemetry.metrics_file import read
from train.telemetry.terminal import Terminal


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock, to be set."""
    time = [1_000.0]
    monkeypatch.setattr(clock.time, "monotonic", lambda: time[0])
    return time


@pytest.fixture
def no_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, *rest: Any) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(terminal.importlib, "import_module", refuse)


def rows(written: str) -> list[str]:
    """The lines that are left: a carriage return goes back to the start, and what follows is written over."""
    shown = []
    for row in written.split("\n"):
        kept = ""
        for part in row.split("\r"):
            kept = part + kept[len(part) :]
        shown.append(kept.rstrip())
    return shown


def test_time_left_counts_this_life_s_steps_alone(now: list[float]) -> None:
    pace = Pace(600, 1_000)
    assert pace.left(600) is None
    now[0] += 50  # a validation among them
    assert pace.left(610) == pytest.approx(390 * 5)
    assert hours(390 * 5) == "0:32:30" and hours(3_599.7) == "1:00:00" and hours(400_000) == "111:06:40"


def test_rates_are_of_the_time_since_the_last_line() -> None:
    made = Clock(total=100.0)
    made.add(3.0, 0.5)
    made.add(1.0, 0.3)
    assert made.figures(8_000, flops=2e12, peak=1e12) == {
        "tokens_per_second": 2_000.0, "data_wait": 0.2, "mfu": 0.5, "seconds": 104.0,
    }  # fmt: skip
    made.reset()
    made.add(2.0, 0.0)
    assert made.figures(8_000) == {"tokens_per_second": 4_000.0, "data_wait": 0.0, "seconds": 106.0}


def test_a_line_says_what_is_known(now: list[float]) -> None:
    screen = Terminal(True, 0, 50, io.StringIO())
    now[0] += 10
    whole = screen.line(20, loss=3.14159, tokens_per_second=12_345.6, mfu=0.4123, data_wait=0.003)
    assert whole == "step 20/50  loss 3.1416  12,346 tokens/s  MFU 41.2 %  data wait 0.3 %  0:00:15 left"
    assert screen.line(20, loss=None, mfu=None) == "step 20/50  loss not finite  0:00:15 left"
    assert screen.line(20, loss=float("nan")) == "step 20/50  loss not finite  0:00:15 left"


def test_without_a_terminal_only_lines_that_stay() -> None:
    stream = io.StringIO()
    with Terminal(True, 0, 50, stream) as screen:
        screen.status(1, loss=2.0)
        screen.say("step 10/50")
        assert not screen.due
    assert stream.getvalue() == "step 10/50\n"


def test_the_other_processes_are_silent() -> None:
    stream = Screen()
    with Terminal(False, 0, 50, stream) as screen:
        screen.status(1, loss=2.0)
        screen.say("step 10/50")
    assert stream.getvalue() == ""


def test_a_terminal_without_rich_writes_the_live_line_over(no_rich: None, now: list[float]) -> None:
    stream = Screen()
    with Terminal(True, 0, 50, stream) as screen:
        screen.status(1, loss=2.0, tokens_per_second=1e6)
        screen.status(2, loss=1.0)
        screen.say("saved")
        screen.status(3, loss=0.5)
    screen.say("the end")
    assert rows(stream.getvalue()) == ["saved", "step 3/50  loss 0.5000  0:00:00 left", "the end", ""]


def test_the_live_line_is_drawn_at_most_so_often(no_rich: None, now: list[float]) -> None:
    screen = Terminal(True, 0, 50, Screen())
    assert screen.due
    screen.status(1, loss=2.0)
    assert not screen.due
    now[0] += terminal.SECONDS_BETWEEN
    assert screen.due


def test_rich_keeps_said_lines_above_and_leaves_the_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich", reason="no rich: pip install -e .[train]")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    stream = Screen()
    with pytest.raises(KeyboardInterrupt), Terminal(True, 0, 50, stream) as screen:
        screen.status(1, loss=2.0)
        assert "step 1/50  loss 2.0000" in stream.getvalue()
        assert stream.getvalue().rindex("\x1b[?25h") > stream.getvalue().rindex("\x1b[?25l")
        screen.say("[saved] " + "x" * 200)
        raise KeyboardInterrupt
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())
    assert "[saved] " + "x" * 200 + "\n" in plain
    assert "step" not in stream.getvalue().rpartition("\x1b[2K")[2]  # the live line is wiped


def test_a_journal_writes_to_all_places_and_takes_later_steps_back(tmp_path: Path) -> None:
    line = {"step": 2, "split": "train", "loss": float("inf")}
    with Journal(tmp_path, True, 0, 4) as journal:
        journal.write(line)
        journal.write(line | {"step": 3})
    with Journal(tmp_path, True, 2, 4) as journal:
        journal.write(line | {"step": 4, "loss": 1.0})
    assert [(one["step"], one["loss"]) for one in read(tmp_path / "metrics.jsonl")] == [(2, None), (4, 1.0)]
    assert len(list((tmp_path / "tensorboard").iterdir())) == 2


def test_only_the_first_process_writes(tmp_path: Path) -> None:
    with Journal(tmp_path, False, 0, 4) as journal:
        journal.write({"step": 2, "split": "train"})
    assert list(tmp_path.iterdir()) == []
