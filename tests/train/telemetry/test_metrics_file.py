"""metrics.jsonl after crashes, and with figures that JSON cannot hold."""

import json
from pathlib import Path

import numpy as np
import pytest

from train.telemetry.metrics_file import MetricsFile, plain, read


def refuse(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def steps(path: Path) -> list[int]:
    return [line["step"] for line in read(path)]


def written(path: Path, numbers: list[int]) -> Path:
    file = MetricsFile(path, 0)
    for number in numbers:
        file.write({"step": number, "split": "train", "loss": number / 3})
    return path


def test_lines_of_steps_to_come_are_taken_out(tmp_path: Path) -> None:
    path = written(tmp_path / "run" / "metrics.jsonl", [2, 4, 4, 6, 8])
    before = path.read_bytes().splitlines(keepends=True)
    MetricsFile(path, 4)
    assert path.read_bytes().splitlines(keepends=True) == before[:3]
    MetricsFile(path, 4).write({"step": 6})
    assert steps(path) == [2, 4, 4, 6]


def test_a_run_that_begins_again_keeps_nothing_not_even_step_0(tmp_path: Path) -> None:
    path = written(tmp_path / "metrics.jsonl", [0, 2])
    MetricsFile(path, 1)
    assert steps(path) == [0]
    MetricsFile(path, 0)
    assert path.read_bytes() == b""


@pytest.mark.parametrize(
    "debris", [b'{"step": 3, "lo', b"\0\0\0\0\n", b'{"lo{"step": 3}\n', b"\xff\xfe\n", b"[3]\n", b"{}\n"]
)
def test_what_a_crash_left_is_no_line_and_no_trace(tmp_path: Path, debris: bytes) -> None:
    path = written(tmp_path / "metrics.jsonl", [1, 2])
    whole = path.read_bytes()
    path.write_bytes(whole + debris)
    assert steps(path) == [1, 2]
    MetricsFile(path, 9).write({"step": 3})
    assert path.read_bytes() == whole + b'{"step": 3}\n'


def test_each_line_is_there_when_it_is_written(tmp_path: Path) -> None:
    file = MetricsFile(tmp_path / "metrics.jsonl", 0)
    file.write({"step": 1})
    assert steps(file.path) == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_numbers_that_are_not_finite_are_null_at_every_depth(tmp_path: Path) -> None:
    figures = {"loss": float("nan"), "lr": np.float32("inf"), "languages": {"eng_Latn": {"loss": [-np.inf, 1.5]}}}
    MetricsFile(tmp_path / "metrics.jsonl", 0).write({"step": np.int64(3), "split": "validation", **figures})
    line = json.loads((tmp_path / "metrics.jsonl").read_text(), parse_constant=refuse)
    languages = {"eng_Latn": {"loss": [None, 1.5]}}
    assert line == {"step": 3, "split": "validation", "loss": None, "lr": None, "languages": languages}


def test_numbers_come_back_as_they_were() -> None:
    values = {
        "a": 0.1 + 0.2,
        "b": np.float64(1e-310),
        "c": np.int64(2**62),
        "d": True,
        "e": None,
        "f": "x",
        "g": (1, 2),
    }
    assert json.loads(json.dumps(plain(values))) == {**values, "g": [1, 2]}


def test_a_file_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert list(read(tmp_path / "none")) == []
