"""What a program tells its user: the class of errors that people can mend, for all programs, on both wings;
and how a program ends that nobody listens to any more."""

import os
import select
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from schemas.redacted import redact_traces, redacted


class UserError(ValueError):
    """Something that the user can mend: a flag, a file, a table, a folder. The message is one line that names the thing
    and the way out; programs print it alone and end with status 2. Everything else that is raised is a bug of ours and
    keeps its trace. Is a ValueError so that pydantic's validators may raise it. No secret of an address is in it.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(redacted(str(message)))


class Drifted(Exception):
    """A corpus is further from the one it is compared with than its thresholds allow. The message has a line for each
    figure; programs print it and end with status 3, so that a scheduler can stop before publishing and tell this from
    a mistake (2) and a bug (1).
    """


def run_program(main: Callable[[], int]) -> NoReturn:
    """Ends with the status that `main` gives or exits with; where the reader of stdout has gone, as in `--help | head`,
    without a word and with the status of a closed pipe, 141."""
    redact_traces()
    try:
        try:
            status: int | str | None = main()
        except SystemExit as end:
            status = end.code
        sys.stdout.flush()
    except BrokenPipeError:
        if not _nobody_reads():
            raise  # another pipe's, as of a worker that is gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left unsaid goes there
        sys.exit(128 + signal.SIGPIPE)
    sys.exit(status)


def _nobody_reads() -> bool:
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)  # POLLERR is told unasked
    return any(event & select.POLLERR for _, event in poll.poll(0))
