"""Programs whose reader goes away, as in `--help | head`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("program", ["pretrain", "predict", "bench"])
def test_help_to_nobody_ends_without_a_word(program: str) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    command = [sys.executable, str(REPOSITORY / "train" / f"{program}.py"), "--help"]
    # Without a buffer argparse passes over the closed pipe by itself, and ends with 0.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    environment["PYTHONPATH"] = str(REPOSITORY)
    ended = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    os.close(theirs)
    assert (ended.returncode, ended.stderr) == (141, "")
    heard = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert heard.returncode == 0 and "usage:" in heard.stdout and heard.stderr == ""


def test_the_broken_pipe_of_another_is_not_silenced() -> None:
    code = (
        "from schemas.errors import run_program\ndef main():\n    raise BrokenPipeError('a worker')\nrun_program(main)"
    )
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert ended.returncode == 1 and "BrokenPipeError: a worker" in ended.stderr
