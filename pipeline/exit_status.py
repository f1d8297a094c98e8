"""How every job ends: what the user can mend is one line on standard error and exit status 2, a corpus that has drifted
a line a figure and 3, Ctrl-C one line and 130.

Anything else is a bug and keeps its stack trace, exit status 1.
"""

import errno
import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, partial
from typing import NoReturn

from pipeline.observed import logs
from schemas.errors import Drifted, UserError

NO_FOLDER = (errno.ENOTDIR, errno.EEXIST, errno.EISDIR)  # a file where a folder should be
DRIFTED = 3
INTERRUPTED = 130  # as shells have it: 128 and SIGINT
STOPPED = "stopped: what is finished stays, and the same command goes on from there"
JobBody = Callable[[Sequence[str] | None], None]


def run_to_exit_status(
    body: JobBody, argv: Sequence[str] | None, line_of: Callable[[Exception], str | None] = lambda _: None
) -> int:
    """Runs the body; answers the exit status. `line_of` finds what the user can mend in an engine's own exception, None
    for a bug."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        answer_ctrl_c()
    try:
        logs.begin(logs.asked_for(argv))
        body(argv)
    except KeyboardInterrupt as stop:
        if stop.args != (STOPPED,):
            logs.refuse(STOPPED, prefix="")
        return INTERRUPTED
    except SystemError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):  # a kernel's way to pass it on
            return INTERRUPTED
        raise
    except UserError as error:
        return _refuse(str(error))
    except Drifted as drift:
        logs.refuse(str(drift), prefix="")
        return DRIFTED
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, *NO_FOLDER):
            return _refuse(f"{error.filename or 'disk'}: {error.strerror}: {_way_out(error.errno)}")
        return _raise(error)
    except Exception as error:
        if line := line_of(error):
            return _refuse(line)
        return _raise(error)
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)
    return 0


def answer_ctrl_c() -> None:
    """Ctrl-C says its line at once, and raises behind it: spark-submit's JVM, through which the line goes, gets the
    same signal and does not wait until the work has come down. In place of Spark's handler too, which asks the JVM,
    while an answer of it is read, to cancel its jobs, which it does by itself, and py4j writes traces of both.

    A forked child that gets the signal before it has a handler of its own leaves it to this process.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, partial(_stop, os.getpid(), _screen()))


@cache
def _screen() -> int:
    """Where a line is seen: standard error, under spark-submit that of the JVM itself, which may be gone by then."""
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        with suppress(OSError):
            return os.open(f"/proc/{os.getppid()}/fd/2", os.O_WRONLY | os.O_APPEND)
    return 2


def _stop(owner: int, screen: int, number: int, frame: object) -> None:
    if os.getpid() != owner:
        return
    signal.signal(signal.SIGINT, _stop_again)
    logging.disable()
    with suppress(OSError):
        os.write(screen, logs.as_bytes(STOPPED))  # sys.stderr may be in the middle of a line of its own
    raise KeyboardInterrupt(STOPPED)


def _stop_again(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt(STOPPED)


def _refuse(message: str) -> int:
    logs.refuse(" ".join(message.split()))
    return 2


def _raise(error: Exception) -> int:
    """A bug: its trace, by Python, or as a record where all that is said is to be one."""
    if not logs.is_json():
        raise error
    logs.bug(error)
    return 1


def _way_out(code: int) -> str:
    return "free space or choose another --root" if code in (errno.ENOSPC, errno.EDQUOT) else "choose another --root"
