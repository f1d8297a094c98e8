"""How kernels are compiled: by numba, once a machine, into a cache that every later process reads.

The cache lies beside the sources, else under the user's home, else in a private folder under the temporary directory;
where none can be written, each process compiles. numba itself takes a kernel for unchanged while its own file is,
though kernels call those of other files and take constants from them: so the cache's folder is named by a digest of
all files that have kernels and of what those import.
"""

import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

HERE = Path(__file__).parent
PACKAGE = HERE.parent  # all rooms that may have kernels


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


def kernel(function: F) -> F:
    """Compiled at its first call, without the interpreter's lock."""
    compiled: F = numba.njit(cache=_FOLDER is not None, nogil=True)(function)  # type: ignore[assignment]
    return compiled


def inlined(function: F) -> F:
    """As `kernel`, and made a part of the kernels that call it: for a piece of an inner loop that has a name."""
    compiled: F = numba.njit(cache=_FOLDER is not None, nogil=True, forceinline=True)(function)  # type: ignore[assignment]
    return compiled


def borrowing(function: F) -> F:
    """As `inlined`, for a piece that takes arrays and makes none: it counts no references to them, which in a loop over
    a page's tags costs more than the piece does. numba refuses one that makes an array."""
    uncounted: dict[str, Any] = {"_nrt": False}
    compiled: F = numba.njit(cache=_FOLDER is not None, nogil=True, forceinline=True, **uncounted)(function)
    return compiled


def uncounted(function: F) -> F:
    """As `borrowing`, but called and not inlined: for what is done seldom."""
    without: dict[str, Any] = {"_nrt": False}
    compiled: F = numba.njit(cache=_FOLDER is not None, nogil=True, **without)(function)
    return compiled


@kernel
def whole(value: Any) -> int:
    """A number as int64: in a kernel, uint64 and int64 together would be float64."""
    return np.int64(value)  # type: ignore[return-value]
