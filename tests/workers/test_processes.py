"""Processes of this machine that work for a job."""

import os
import signal

import pytest

from pipeline.workers.processes import process_runner
from schemas.errors import UserError


def test_answers_come_in_the_order_of_the_items() -> None:
    assert process_runner(2)(str, [3, 1, 2]) == ["3", "1", "2"]


def test_a_process_that_is_killed_is_told_in_a_line() -> None:
    def one_is_killed(item: int) -> int:
        if item == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    with pytest.raises(UserError, match=r"was killed, .*: run the same command again"):
        process_runner(2)(one_is_killed, [0, 1, 2])
