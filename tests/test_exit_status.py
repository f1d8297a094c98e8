import errno
import json
import logging
import signal
from collections.abc import Callable, Sequence

import pytest

from pipeline.exit_status import STOPPED, run_to_exit_status
from schemas.errors import UserError


def raising(error: BaseException) -> Callable[[Sequence[str] | None], None]:
    def body(argv: Sequence[str] | None) -> None:
        raise error

    return body


def test_a_job_that_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[Sequence[str] | None] = []
    assert run_to_exit_status(seen.append, ["--x"]) == 0
    assert seen == [["--x"]]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UserError("clean.min_words = -1:\n  too\tsmall"), "error: clean.min_words = -1: too small\n"),
        (OSError(errno.ENOSPC, "No space left on device", "/data/x"),
         "error: /data/x: No space left on device: free space or choose another --root\n"),
        (PermissionError(errno.EACCES, "Permission denied", "/data/x"),
         "error: /data/x: Permission denied: choose another --root\n"),
        (OSError(errno.EROFS, "Read-only file system"), "error: disk: Read-only file system: choose another --root\n"),
    ],
)  # fmt: skip
def test_what_the_user_can_mend_is_one_line(error: Exception, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_to_exit_status(raising(error), None) == 2
    assert capsys.readouterr().err == line


@pytest.mark.parametrize(
    "error",
    [
        ValueError("zip() argument 2 is shorter than argument 1"),  # Python's and NumPy's own are no user's
        json.JSONDecodeError("no value", "", 0),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"),
        FileNotFoundError(errno.ENOENT, "No such file", "/data/x"),
        KeyError("x"),
        AssertionError("the ledger does not add up"),
    ],
)
def test_a_bug_keeps_its_trace(error: BaseException) -> None:
    with pytest.raises(type(error)):
        run_to_exit_status(raising(error), None)


def test_ctrl_c_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_to_exit_status(raising(KeyboardInterrupt()), None) == 130
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("stopped: ") and said.err.count("\n") == 1


def test_ctrl_c_is_said_before_the_work_comes_down(capfd: pytest.CaptureFixture[str]) -> None:
    """spark-submit's JVM ends of the same signal: what is said after a while is said to nobody."""
    said_before_the_end: list[str] = []

    def body(argv: object) -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            said_before_the_end.append(capfd.readouterr().err)

    before = signal.getsignal(signal.SIGINT)
    assert before is not signal.SIG_IGN and run_to_exit_status(body, None) == 130
    assert said_before_the_end == [STOPPED + "\n"] and capfd.readouterr().err == ""
    assert signal.getsignal(signal.SIGINT) is before
    logging.disable(logging.NOTSET)


def test_what_an_engine_says_of_its_own_failure(capsys: pytest.CaptureFixture[str]) -> None:
    known = {"disk full": "free space"}
    assert run_to_exit_status(raising(RuntimeError("disk full")), None, lambda error: known.get(str(error))) == 2
    assert capsys.readouterr().err == "error: free space\n"
    with pytest.raises(RuntimeError, match="odd"):
        run_to_exit_status(raising(RuntimeError("odd")), None, lambda error: known.get(str(error)))
