"""Extraction in a process of its own, because pages from the web loop, swell and crash native parsers.

One child a worker, fed over pipes, replaced when a page kills it and, because libraries leak, after some pages. No
thread in the parent.
"""

import fcntl
import json
import os
import resource
import select
import signal
import struct
import subprocess
import sys
import weakref
from contextlib import suppress
from time import monotonic
from typing import NamedTuple

from pipeline.archive.limits import ArchiveLimits
from pipeline.page.engines import ENGINES, RECURSIVE, Engine, extract_text, forget, html_depth
from pipeline.page.metadata import Metadata, read_metadata
from pipeline.workers.modules import python_module

RECYCLE_PAGES = 2000  # a start costs half a second, so a quarter of a millisecond a page
RECYCLE_PAGES_BLOCKS = 50_000  # two seconds, and no library that leaks
FORGET_PAGES = 250
PIPE_BYTES = 1 << 20  # a page goes through at once, not in turns of 64 KiB
MAX_ANSWER = 64 << 20  # bytes
START_SECONDS = 600.0  # wall clock for a child to start: the first on a machine compiles its kernels
WALL_FACTOR = 10.0  # wall clock for each CPU second: only for children that neither work nor answer
KILLED_AGAIN = 2  # times that a process that was killed from outside is started once more, with its page or before it
_DOUBTED = frozenset({"timeout", "memory"})  # what earlier pages may have brought about: a heap, caches that grow
# What the child may know of the parent's environment: where programs and caches are, how text is spelt, how many
# threads; no key, token or address that a page might make a parser give away.
_PASSED = frozenset(
    {"PATH", "HOME", "TMPDIR", "TZ", "LANG", "LANGUAGE", "XDG_CACHE_HOME", "LD_LIBRARY_PATH", "LD_PRELOAD",
     "PYTHONHOME", "PYTHONSAFEPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "VIRTUAL_ENV"}
)  # fmt: skip
_PASSED_PREFIXES = ("LC_", "NUMBA_", "OMP_", "OPENBLAS_", "MKL_", "MALLOC_")
# A page that calls every kernel that Python calls for a page: compiled under a page's clock, they would be a timeout.
WARM = """<html><head><title>春
秋</title></head><body><article><p>up</p></article><footer><p>Text under <a rel=license
href="https://creativecommons.org/licenses/by/4.0/">CC BY</a></p></footer></body></html>"""
_QUESTION = struct.Struct("<I")  # bytes
_ANSWER = struct.Struct("<cI")  # E extracted, or F failure; bytes of JSON


class Failure(NamedTuple):
    """reason: timeout, memory, parser_crash, no_main_text or too_deep."""

    reason: str
    detail: str = ""


_KILLED = Failure("memory", "killed")  # not by us: the kernel ends whoever takes too much, or whoever is at hand


class Extracted(NamedTuple):
    """What HTML gives: its main text, and what it says of itself."""

    text: str
    metadata: Metadata = Metadata()


class PageWorker:
    """`extract_text` and `read_metadata` behind guards. A context manager; closed when collected and at exit, too."""

    def __init__(self, engine: Engine, limits: ArchiveLimits, markdown: bool = False):
        if engine not in ENGINES:
            raise ValueError(f"unknown engine {engine!r}: choose one of {', '.join(ENGINES)}")
        self._engine = engine
        self._markdown = markdown
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._finalizer: weakref.finalize | None = None
        self._pages = 0
        self._was_fresh = True

    def extract(self, html: bytes) -> Extracted | Failure:
        """Main text and metadata of a page in UTF-8, or why there is no text. Never raises for what a page contains.

        That a page takes too long or too much is believed of a process that has seen no other page; that it had its
        process killed, of the third one.
        """
        found = self._ask(html)
        if isinstance(found, Failure) and found.reason in _DOUBTED and not self._was_fresh:
            found = self._ask(html)  # the process that failed is gone
        for _ in range(KILLED_AGAIN):
            if found != _KILLED:
                break
            found = self._ask(html)
        return found

    def _ask(self, html: bytes) -> Extracted | Failure:
        if self._pages >= (RECYCLE_PAGES_BLOCKS if self._engine == "blocks" else RECYCLE_PAGES):
            self.close()
        process = self._running()
        self._was_fresh = self._pages == 0
        self._pages += 1
        deadline = monotonic() + self._limits.page_seconds * WALL_FACTOR
        try:
            _send(process, _QUESTION.pack(len(html)) + html, deadline)
            kind, size = _ANSWER.unpack(_receive(process, _ANSWER.size, deadline))
            if size > MAX_ANSWER:
                self.close()
                return Failure("parser_crash", f"an answer of {size} bytes")
            answer = _receive(process, size, deadline)
        except TimeoutError:
            self.close()
            return Failure("timeout", f"no answer after {self._limits.page_seconds * WALL_FACTOR:g} s")
        except (OSError, EOFError, ValueError) as error:
            return self._post_mortem(process, error)
        fields = json.loads(answer)
        if kind == b"E":
            text, *said = fields
            return Extracted(text, Metadata.from_json(said)) if text else Failure("no_main_text")
        failure = Failure(*fields)
        if failure.reason == "memory":  # what is left of a process that ran out of memory is not to be trusted
            self.close()
        return failure

    def close(self) -> None:
        """End the child. The next page starts another."""
        if self._finalizer is not None:
            self._finalizer()
        self._process, self._finalizer, self._pages = None, None, 0

    def __enter__(self) -> "PageWorker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self.close()
        for left in reversed(range(KILLED_AGAIN + 1)):
            if self._process is not None:
                break
            process = self._process = _start(self._engine, self._limits, self._markdown)
            self._finalizer = weakref.finalize(self, _stop, process)
            try:
                _receive(process, 1, monotonic() + START_SECONDS)
            except (EOFError, TimeoutError) as error:
                killed = isinstance(error, EOFError) and process.wait(START_SECONDS) == -signal.SIGKILL
                self.close()
                if not (killed and left):
                    raise RuntimeError(f"the extraction process did not start: {error}") from error
        assert self._process is not None
        return self._process

    def _post_mortem(self, process: subprocess.Popen[bytes], error: Exception) -> Failure:
        try:
            status = process.wait(5)
        except subprocess.TimeoutExpired:
            status = 0
        self.close()
        if status == -signal.SIGPROF:
            return Failure("timeout", f"more than {self._limits.page_seconds:g} CPU seconds")
        if status == -signal.SIGKILL:
            return _KILLED
        return Failure("parser_crash", f"signal {-status}" if status < 0 else f"exit {status}: {error}"[:200])


def _start(engine: Engine, limits: ArchiveLimits, markdown: bool) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if _is_passed(name)} | {"PYTHONHASHSEED": "0"}
    settings = json.dumps([engine, markdown, limits.max_tree_depth, limits.page_seconds, limits.page_memory_bytes])
    process = python_module(
        "pipeline.page.isolation", settings, environment=environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    for pipe in (process.stdin, process.stdout):
        os.set_blocking(pipe.fileno(), False)
        with suppress(OSError, AttributeError):  # beyond what a user may have, or not Linux
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return process


def _is_passed(name: str) -> bool:
    return name in _PASSED or name.startswith(_PASSED_PREFIXES)


def _stop(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    process.kill()
    process.wait()


def _send(process: subprocess.Popen[bytes], data: bytes, deadline: float) -> None:
    assert process.stdin is not None
    descriptor, view = process.stdin.fileno(), memoryview(data)
    while view:
        _, ready, _ = select.select([], [descriptor], [], max(deadline - monotonic(), 0))
        if not ready:
            raise TimeoutError
        view = view[os.write(descriptor, view[: 1 << 20]) :]


def _receive(process: subprocess.Popen[bytes], size: int, deadline: float) -> bytes:
    assert process.stdout is not None
    descriptor, data = process.stdout.fileno(), bytearray()
    while len(data) < size:
        ready, _, _ = select.select([descriptor], [], [], max(deadline - monotonic(), 0))
        if not ready:
            raise TimeoutError
        piece = os.read(descriptor, min(size - len(data), 1 << 20))
        if not piece:
            raise EOFError("the process went away")
        data += piece
    return bytes(data)


def serve(engine: Engine, markdown: bool, max_tree_depth: int, page_seconds: float, page_memory_bytes: int) -> None:
    """The child: answer questions until the pipe closes."""
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)  # a library that prints must not speak to the parent
    os.dup2(null, 2)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # ends the process even inside native code
    _answer(WARM.encode(), engine, markdown, 500)
    _limit_memory(page_memory_bytes)
    answers.write(b"R")
    answers.flush()
    pages = 0
    while len(head := questions.read(_QUESTION.size)) == _QUESTION.size:
        data = questions.read(_QUESTION.unpack(head)[0])
        signal.setitimer(signal.ITIMER_PROF, page_seconds)
        kind, answer = _answer(data, engine, markdown, max_tree_depth)
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(_ANSWER.pack(kind, len(answer)) + answer)
        answers.flush()
        pages += 1
        if engine == "trafilatura" and pages % FORGET_PAGES == 0:
            forget()


def _answer(data: bytes, engine: Engine, markdown: bool, max_tree_depth: int) -> tuple[bytes, bytes]:
    try:
        if engine in RECURSIVE and (depth := html_depth(data.decode("utf-8", "replace"))) > max_tree_depth:
            return b"F", json.dumps(["too_deep", f"{depth} levels"]).encode()
        text = extract_text(data, engine=engine, markdown=markdown)
        said = read_metadata(data).to_json() if text else Metadata().to_json()
        return b"E", json.dumps([text, *said], ensure_ascii=False).encode()
    except MemoryError:
        return b"F", b'["memory", ""]'
    except Exception as error:  # an engine's own bug is the page's failure
        return b"F", json.dumps(["parser_crash", f"{type(error).__name__}: {error}"[:200]]).encode()


def _limit_memory(page_memory_bytes: int) -> None:
    """Cap the address space at what the process has now and `page_memory_bytes`; let the kernel kill it first."""
    try:
        with open("/proc/self/statm") as file:
            in_use = int(file.read().split()[0]) * resource.getpagesize()
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (in_use + page_memory_bytes, resource.RLIM_INFINITY))


if __name__ == "__main__":
    serve(*json.loads(sys.argv[1]))
