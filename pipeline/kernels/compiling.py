"""How kernels are compiled: by numba, once a machine, into a cache that every later process reads.

The cache lies beside the sources, else under the user's home, else in a private folder under the temporary directory;
where none can be written, each process compiles. numba itself takes a kernel for unchanged while its own file is,
though kernels call those of other files and take constants from them: so the cache's folder is named by a digest of
all files that have kernels and of what those import. Of processes that want a kernel at once one compiles it, and the
others wait for the cache to have it.
"""

import fcntl
import hashlib
import os
import re
import stat
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from numba.core.caching import FunctionCache
from numba.core.event import Listener, register

F = TypeVar("F", bound=Callable[..., Any])

HERE = Path(__file__).parent
PACKAGE = HERE.parent  # all rooms that may have kernels
PATIENCE = 120.0  # seconds: no kernel takes half of that, with all that it calls


def digest(package: Path) -> str:
    """16 hex digits of what the package's modules say that have kernels, in whatever folder below it, and those of the
    package that they import, by `from PACKAGE.room import ...`."""
    modules = {
        ".".join([package.name, *file.relative_to(package).with_suffix("").parts]): file.read_bytes()
        for file in package.rglob("*.py")
    }
    imports = re.compile(rf"^(?:from|import) +({re.escape(package.name)}[\w.]*)(?: +import +(\([^)]*\)|.*))?", re.M)
    wanted = [name for name, content in modules.items() if any(mark in content for mark in (b"@kernel", b"@uncounted"))]
    reached: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in modules and name not in reached:
            reached.add(name)
            for module, members in imports.findall(modules[name].decode()):
                wanted += [module, *(f"{module}.{member}" for member in re.findall(r"\w+", members))]
    state = hashlib.sha256()
    for name in sorted(reached):
        state.update(f"{name} {len(modules[name])}\n".encode() + modules[name])
    return state.hexdigest()[:16]


def cache_folder(places: Iterable[Path], name: str) -> Path | None:
    """A folder of that name in the first place where one can be made that nobody else may write to; None in none."""
    for place in places:
        folder = place / f"wanyu-kernels-{os.getuid()}" / name
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            parent = folder.parent.lstat()
        except OSError:
            continue
        # Compiled code is executed: a folder that others may write to is not ours to trust.
        private = stat.S_ISDIR(parent.st_mode) and parent.st_uid == os.getuid() and not parent.st_mode & 0o022
        if private and os.access(folder, os.W_OK):
            return folder
    return None


def _places() -> Iterable[Path]:
    if given := os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(given)
    yield HERE / "__pycache__"
    yield Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    yield Path(tempfile.gettempdir())


_FOLDER = cache_folder(_places(), digest(PACKAGE)) if HERE.is_dir() else None  # not a directory: inside an archive
if _FOLDER:
    numba.config.CACHE_DIR = str(_FOLDER)  # type: ignore[attr-defined]


class Turn(Listener):
    """Of the processes with one cache one compiles: from the first kernel that it finds missing until the cache has it
    and all that it calls. Whoever ends gives up its turn, and nobody waits for one beyond `PATIENCE`. numba's own lock
    sees to it that no two threads of a process are here at once."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._held: int | None = None
        self._depth = 0  # of kernels that are being compiled for one another

    def take(self) -> bool:
        """Whether it had to be waited for: then the cache may have what was missing."""
        if self._held is not None or self._depth:
            return False
        end, waited = time.monotonic() + PATIENCE, False
        with suppress(OSError):  # a disk without locks: each process compiles
            self._held = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            while not _locked(self._held) and time.monotonic() < end:
                waited = True
                time.sleep(0.05)
        return waited

    def give(self) -> None:
        if self._held is not None and not self._depth:
            os.close(self._held)
            self._held = None

    def on_start(self, event: Any) -> None:
        self._depth += 1

    def on_end(self, event: Any) -> None:
        self._depth -= 1


def _locked(file: int) -> bool:
    """Whether this process has a lock on the file now: a lock that a fork does not share."""
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


_TURN = Turn(_FOLDER / "turn") if _FOLDER else None
if _TURN:
    register("numba:compile", _TURN)


class _Cache(FunctionCache):
    """numba's, asked once more by a process that had to wait for its turn."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        found = super().load_overload(sig, target_context)
        if found is None and _TURN and _TURN.take():
            found = super().load_overload(sig, target_context)
            if found is not None:
                _TURN.give()
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        super().save_overload(sig, data)
        if _TURN:
            _TURN.give()


def _compiled(function: F, **options: Any) -> F:
    compiled: Any = numba.njit(nogil=True, **options)(function)
    if _TURN:
        compiled._cache = _Cache(function)  # as `cache=True` does, with numba's own
    answer: F = compiled
    return answer


def kernel(function: F) -> F:
    """Compiled at its first call, without the interpreter's lock."""
    return _compiled(function)


def inlined(function: F) -> F:
    """As `kernel`, and made a part of the kernels that call it: for a piece of an inner loop that has a name."""
    return _compiled(function, forceinline=True)


def borrowing(function: F) -> F:
    """As `inlined`, for a piece that takes arrays and makes none: it counts no references to them, which in a loop over
    a page's tags costs more than the piece does. numba refuses one that makes an array."""
    return _compiled(function, forceinline=True, _nrt=False)


def uncounted(function: F) -> F:
    """As `borrowing`, but called and not inlined: for what is done seldom."""
    return _compiled(function, _nrt=False)


@kernel
def whole(value: Any) -> int:
    """A number as int64: in a kernel, uint64 and int64 together would be float64.

    Of a constant, too: a kernel is compiled anew for each that it is given."""
    return np.int64(value)  # type: ignore[return-value]
