"""Processes of our own modules beside a worker or the driver: started anew and not forked, so that no thread and no
connection of their parent's comes along."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

PR_SET_PDEATHSIG = 1


def python_module(
    name: str, *arguments: str, environment: Mapping[str, str] = os.environ, **options: Any
) -> "subprocess.Popen[bytes]":
    """`python -m NAME ARGUMENTS` with this process's search path. options: of subprocess.Popen."""
    found = {**environment, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen([sys.executable, "-m", name, *arguments], env=found, **options)


def end_with(parent: int) -> None:
    """Ends this process when `parent`, which started it, does (Linux). Ctrl-C is the parent's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
