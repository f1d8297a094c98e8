"""A function over batches in a process that may die of it: a native loop, a crash or too much memory ends that process,
not the one that talks to the engine.

The process is forked, so it has what its parent has loaded, and lives until it dies; batches go through memory that
both know. The limit of CPU time is a timer of the kernel's, which ends a thread that no handler of Python's can reach.
"""

import ctypes
import gc
import mmap
import os
import pickle
import resource
import signal
import socket
import struct
import tempfile
import traceback
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple, NoReturn

import pyarrow as pa

WALL_FACTOR = 10.0  # wall clock for each CPU second: only for a process that neither works nor answers
MEMORY = 4 << 30  # bytes beyond what the parent has, which is far more than a batch of texts takes
STEP_BYTES = 32
PR_SET_PDEATHSIG = 1
_QUESTION = struct.Struct("<d")  # CPU seconds; the batch lies in the question's file
_ANSWER = struct.Struct("<c")  # B batches or E error, in the answer's file

Function = Callable[[pa.RecordBatch], Iterable[pa.RecordBatch]]

_step: bytearray | mmap.mmap = bytearray(STEP_BYTES)


def enter(step: str) -> None:
    """What is done to the texts from here on, so that a failure has a name."""
    _step[:STEP_BYTES] = step.encode().ljust(STEP_BYTES)


class Trouble(Exception):
    """What the function met. step: the last one entered, "" for none. how: one line. error: what was raised, with the
    trace as a note; None where the process died."""

    def __init__(self, step: str, how: str, error: Exception | None = None) -> None:
        super().__init__(how)
        self.step, self.how, self.error = step, how, error


class _Process(NamedTuple):
    """parent: who may use it, and not a process forked later. given, made: batches to it and from it, files in memory.
    step: the one entered last."""

    parent: int
    number: int
    control: socket.socket
    given: BinaryIO
    made: BinaryIO
    step: mmap.mmap


class Expendable:
    """The function, called in the process. A context manager; closed when collected, too."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._process: _Process | None = None
        self._finalizer: weakref.finalize | None = None

    def __call__(self, batch: pa.RecordBatch, cpu_seconds: float) -> list[pa.RecordBatch]:
        """What the function makes of the batch, one batch at least. Raises Trouble."""
        process = self._running()
        process.step[:STEP_BYTES] = bytes(STEP_BYTES)
        _write(process.given, [batch])
        try:
            process.control.settimeout(cpu_seconds * WALL_FACTOR)
            process.control.sendall(_QUESTION.pack(cpu_seconds))
            answer = process.control.recv(_ANSWER.size)
        except TimeoutError:
            self.close()
            raise Trouble(_entered(process), f"no answer after {cpu_seconds * WALL_FACTOR:g} s") from None
        except OSError:
            answer = b""
        if not answer:
            raise Trouble(_entered(process), self._post_mortem(process, cpu_seconds))
        if answer == b"B":
            with pa.OSFile(_path(process.made)) as file, pa.ipc.open_stream(file) as stream:
                return list(stream)
        process.made.seek(0)
        error, how = pickle.loads(process.made.read())
        if isinstance(error, MemoryError):  # what is left of a process that ran out of memory is not to be trusted
            self.close()
        raise Trouble(_entered(process), how, error)

    def close(self) -> None:
        """End the process. The next batch starts another."""
        if self._finalizer is not None:
            self._finalizer()
        self._process, self._finalizer = None, None

    def __enter__(self) -> "Expendable":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _running(self) -> _Process:
        if self._process is None or self._process.parent != os.getpid():
            if self._finalizer is not None:
                self._finalizer.detach()
            ours, theirs = socket.socketpair()
            parent, files = os.getpid(), (_shared_file(), _shared_file(), mmap.mmap(-1, STEP_BYTES))
            number = os.fork()
            if not number:
                self._serve(_Process(parent, 0, theirs, *files))
            theirs.close()
            self._process = _Process(parent, number, ours, *files)
            self._finalizer = weakref.finalize(self, _stop, self._process)
        return self._process

    def _post_mortem(self, process: _Process, cpu_seconds: float) -> str:
        """Why the process, which does not speak any more, has ended."""
        status = os.waitstatus_to_exitcode(os.waitpid(process.number, 0)[1])
        assert self._finalizer is not None
        self._finalizer.detach()
        self._process, self._finalizer = None, None
        process.control.close()
        if status == -signal.SIGPROF:
            return f"more than {cpu_seconds:.3g} CPU seconds"
        if status == -signal.SIGKILL:  # not by us: the kernel ends whoever takes too much
            return "out of memory: killed"
        return f"died of signal {-status}" if status < 0 else f"exit status {status}"

    def _serve(self, own: _Process) -> NoReturn:
        """The forked process: answers until its parent goes away."""
        global _step
        status = 1
        try:
            _step = own.step
            _become_expendable(own.parent, {file.fileno() for file in (own.control, own.given, own.made)})
            while question := own.control.recv(_QUESTION.size):
                signal.setitimer(signal.ITIMER_PROF, *_QUESTION.unpack(question))
                answer = self._answer(own)
                signal.setitimer(signal.ITIMER_PROF, 0)
                own.control.sendall(answer)
            status = 0
        finally:
            os._exit(status)

    def _answer(self, own: _Process) -> bytes:
        try:
            with pa.memory_map(_path(own.given)) as file, pa.ipc.open_stream(file) as stream:
                (batch,) = stream
            _write(own.made, list(self._function(batch)))
            return b"B"
        except Exception as error:
            own.made.seek(0)
            own.made.truncate()
            own.made.write(_pickled(error))
            return b"E"


def _entered(process: _Process) -> str:
    return process.step[:STEP_BYTES].rstrip(b"\0 ").decode()


def _shared_file() -> Any:
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("batch"), "r+b", buffering=0)
    return tempfile.TemporaryFile(buffering=0)


def _path(file: Any) -> str:
    return f"/dev/fd/{file.fileno()}"


def _write(file: Any, batches: list[pa.RecordBatch]) -> None:
    """Over what the file holds: memory that is there already costs a seventh of new one."""
    file.seek(0)
    with pa.ipc.new_stream(pa.PythonFile(file, "w"), batches[0].schema) as stream:
        for batch in batches:
            stream.write_batch(batch)


def _stop(process: _Process) -> None:
    process.control.close()
    if process.parent == os.getpid():
        with suppress(OSError):
            os.kill(process.number, signal.SIGKILL)
            os.waitpid(process.number, 0)


def _become_expendable(parent: int, kept: set[int]) -> None:
    with suppress(OSError, AttributeError):  # not Linux
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # ends the process even inside native code
    # What the parent has is never collected here: an object of its that closed its file would close one of ours, which
    # has the number by then.
    gc.freeze()
    for descriptor in map(int, os.listdir("/dev/fd")):  # else the engine's connection would outlive its worker
        if descriptor > 2 and descriptor not in kept:
            with suppress(OSError):
                os.close(descriptor)
    with suppress(OSError, ValueError):
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
        with open("/proc/self/statm") as file:
            in_use = int(file.read().split()[0]) * resource.getpagesize()
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = in_use + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most if soft == resource.RLIM_INFINITY else min(soft, most), hard))


def _pickled(error: Exception) -> bytes:
    """The error, its trace as a note, and a line that says what and where."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.sep.join(where.filename.split(os.sep)[-3:])}:{where.lineno}, {where.name}"
    how = f"{type(error).__name__}: {' '.join(str(error).split())[:200]} ({place})"
    trace = "".join(traceback.format_exception(error))
    for one in (error, RuntimeError(how)):  # some errors cannot be pickled, and some not be read again
        with suppress(Exception):
            one.add_note("in the process of the texts:\n" + trace)
            pickle.loads(data := pickle.dumps((one, how)))
            return data
    return pickle.dumps((RuntimeError("an error that cannot be told"), "an error that cannot be told"))
