"""How every job ends: what the user can mend is one line on standard error and exit status 2, Ctrl-C one and 130.

Anything else is a bug and keeps its stack trace, exit status 1.
"""

import errno
import logging
import sys
from collections.abc import Callable, Sequence

from schemas.errors import UserError

NO_FOLDER = (errno.ENOTDIR, errno.EEXIST, errno.EISDIR)  # a file where a folder should be
INTERRUPTED = 130  # as shells have it: 128 and SIGINT
JobBody = Callable[[Sequence[str] | None], None]


def run_to_exit_status(
    body: JobBody, argv: Sequence[str] | None, line_of: Callable[[Exception], str | None] = lambda _: None
) -> int:
    """Runs the body; answers the exit status. `line_of` finds what the user can mend in an engine's own exception, None
    for a bug."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        body(argv)
    except KeyboardInterrupt:
        print("stopped: what is finished stays, and the same command goes on from there", file=sys.stderr, flush=True)
        return INTERRUPTED
    except UserError as error:
        return _refuse(str(error))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, *NO_FOLDER):
            return _refuse(f"{error.filename or 'disk'}: {error.strerror}: {_way_out(error.errno)}")
        raise
    except Exception as error:
        if line := line_of(error):
            return _refuse(line)
        raise
    return 0


def _refuse(message: str) -> int:
    print("error: " + " ".join(message.split()), file=sys.stderr, flush=True)
    return 2


def _way_out(code: int) -> str:
    return "free space or choose another --root" if code in (errno.ENOSPC, errno.EDQUOT) else "choose another --root"
