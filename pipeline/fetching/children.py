"""Processes of our own modules beside a worker or the driver: started anew and not forked, so that no thread and no
connection of their parent's comes along."""

import ctypes
import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Any

PR_SET_PDEATHSIG = 1


def python_module(name: str, *arguments: str, **options: Any) -> "subprocess.Popen[bytes]":
    """`python -m NAME ARGUMENTS` with this process's environment and search path."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen([sys.executable, "-m", name, *arguments], env=environment, **options)


def end_with(parent: int) -> None:
    """Ends this process when `parent`, which started it, does (Linux). Ctrl-C is the parent's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
