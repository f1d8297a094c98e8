"""Small files and folders on any store that fsspec knows: JSON whole or not at all, moves, listings, sizes."""

import errno
import gzip
import hashlib
import io
import json
import os
import re
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import IO, Any
from urllib.parse import urlparse

import fsspec

from pipeline.costs import counters
from pipeline.store import stores
from schemas.errors import UserError

SCRATCH = "_scratch"  # folder of what a stage's tasks write for each other
MOST_UNPACKED = 2 << 30  # bytes of a list
AT_ONCE = 32  # requests to a store
_BEGUN = re.compile(r"\..+\.[0-9a-f]{32}")  # a file of this disk that is being written


def join(root: str, *parts: str) -> str:
    return "/".join([root.rstrip("/"), *parts])


def is_local(path: str) -> bool:
    return "://" not in path or urlparse(path).scheme == "file"


def absolute(path: str) -> str:
    """Local paths made absolute, so that executors and other working folders mean the same; URLs as they are."""
    return os.path.abspath(path.removeprefix("file://")) if is_local(path) else path


def filesystem(path: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The store and the path inside it. Of a local path every letter is part of a name."""
    if is_local(path):
        return fsspec.filesystem("file"), absolute(path)
    return stores.opened(path)


def exists(path: str) -> bool:
    fs, inside = filesystem(path)
    return bool(fs.exists(inside))


def read_json(path: str) -> Any:
    """The parsed file, or None where there is none."""
    fs, inside = filesystem(path)
    try:
        with fs.open(inside, "rb") as file:
            return json.load(file)
    except (FileNotFoundError, NotADirectoryError):  # `path` may lie "in" a file of a user
        return None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise UserError(f"{path} is damaged: remove its folder and run that stage again") from None


def read_bytes(path: str) -> bytes | None:
    """The whole file, or None where there is none."""
    fs, inside = filesystem(path)
    try:
        return bytes(fs.cat_file(inside))
    except FileNotFoundError:
        return None


def write_bytes(path: str, data: bytes) -> None:
    """Whole or not at all."""
    with whole_file(path) as file:
        file.write(data)


def create(path: str, data: bytes) -> bool:
    """Writes a small file where none is, in one step; False where there is one."""
    fs, inside = filesystem(path)
    try:
        if is_local(path):
            os.makedirs(inside.rpartition("/")[0], exist_ok=True)
            with open(inside, "xb") as file:
                file.write(data)
        else:
            fs.pipe_file(inside, data, mode="create")
    except FileExistsError:
        return False
    return True


def write_json(path: str, value: Any) -> None:
    write_bytes(path, (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode())


def remove(path: str) -> None:
    fs, inside = filesystem(path)
    if fs.exists(inside):
        fs.rm(inside, recursive=True)


def copy(source: str, target: str) -> None:
    """A second name for a file that is never changed: a hard link on a local disk, elsewhere a copy that the store
    makes."""
    fs, inside = filesystem(source)
    _, to = filesystem(target)
    if is_local(source):
        os.makedirs(to.rpartition("/")[0], exist_ok=True)
        with suppress(FileExistsError):
            os.link(inside, to)
    else:
        fs.cp_file(inside, to)


def folders(path: str) -> list[str]:
    """Names of the folders in a folder, in order."""
    fs, inside = filesystem(path)
    try:
        found = fs.ls(inside, detail=True)
    except FileNotFoundError:
        return []
    return sorted(entry["name"].rstrip("/").rpartition("/")[2] for entry in found if entry["type"] == "directory")


def remove_begun(folder: str) -> None:
    """Files below a local folder that a writer was killed over (`whole_file`); stores have none."""
    if is_local(folder):
        for name in listing(folder, hidden=True):
            if _BEGUN.fullmatch(name.rpartition("/")[2]):
                remove(join(folder, name))


def remove_empty(folder: str) -> None:
    """A local folder in which nothing is but folders of nothing; stores know no folders."""
    if is_local(folder) and not any(files for _, _, files in os.walk(absolute(folder))):
        for place, _, _ in os.walk(absolute(folder), topdown=False):
            with suppress(OSError):
                os.rmdir(place)


def listing(folder: str, hidden: bool = False) -> dict[str, int]:
    """Files under a folder, recursively: path relative to it -> bytes; names that start with . or _ if `hidden`.

    A file's own path gives its name; a path that is not there gives nothing.
    """
    fs, inside = filesystem(folder)
    try:
        files = fs.find(inside, detail=True)
    except FileNotFoundError:
        return {}
    prefix = (inside.rpartition("/")[0] if inside in files else inside).rstrip("/") + "/"
    sizes = {name.removeprefix(prefix): int(info["size"]) for name, info in files.items()}
    return {name: size for name, size in sorted(sizes.items()) if hidden or not _hidden(name)}


def sizes(paths: Sequence[str]) -> dict[str, int]:
    """Bytes of files, in their order. UserError for one that is not there."""
    if not paths:
        return {}
    fs, _ = filesystem(paths[0])

    def size(path: str) -> int:
        try:
            return int(fs.size(filesystem(path)[1]))
        except FileNotFoundError:
            raise UserError(f"{path}: no such file") from None

    if is_local(paths[0]):
        return {path: size(path) for path in paths}
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return dict(zip(paths, threads.map(size, paths), strict=True))


def digest(path: str) -> str:
    """SHA-256 of a file's bytes, as sha256sum prints it; of a folder, of its files' names and digests."""
    fs, inside = filesystem(path)
    if fs.isdir(inside):
        lines = (f"{name} {digest(join(path, name))}\n" for name in listing(path))
        return hashlib.sha256("".join(lines).encode("utf-8", "surrogatepass")).hexdigest()
    sha256 = hashlib.sha256()
    with fs.open(inside, "rb") as file:
        while piece := file.read(1 << 20):
            sha256.update(piece)
    return sha256.hexdigest()


def _hidden(name: str) -> bool:
    """As Spark has it: a folder `_year=2024` is a value of a column, not hidden."""
    return any(part.startswith(".") or (part.startswith("_") and "=" not in part) for part in name.split("/"))


def unpacked(data: bytes, name: str) -> bytes:
    """A whole file's bytes, inflated where they begin as gzip does. UserError where they swell beyond MOST_UNPACKED;
    raises what gzip raises of damaged ones."""
    if data[:2] != b"\x1f\x8b":
        return data
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        inflated = file.read(MOST_UNPACKED + 1)
    if len(inflated) > MOST_UNPACKED:
        raise UserError(
            f"{name}: unpacked it has more than {MOST_UNPACKED:,} bytes, so it is no list; give it in parts"
        )
    return inflated


def scratch_folder() -> str:
    """Where this machine's large temporary files go: one of the engine's local folders, by the process's number, so
    that workers share out the disks."""
    folders = _scratch_folders()
    folder = folders[os.getpid() % len(folders)]
    os.makedirs(folder, exist_ok=True)
    return folder


def scratch_full(error: OSError) -> UserError:
    """What to say of a temporary file that found no room."""
    return UserError(
        f"{error.strerror} in {', '.join(_scratch_folders())}, where temporary files go: free space there, or name a "
        "larger disk by spark.local.dir or SPARK_LOCAL_DIRS"
    )


def _scratch_folders() -> list[str]:
    """Those that Spark gives its Python workers or a user sets, those of a YARN container, or Python's own."""
    named = os.environ.get("SPARK_LOCAL_DIRS") or os.environ.get("LOCAL_DIRS") or ""
    return [folder.strip() for folder in named.split(",") if folder.strip()] or [tempfile.gettempdir()]


@contextmanager
def read_file(path: str) -> Iterator[Any]:
    """A file to be read, whose bytes are counted."""
    fs, inside = filesystem(path)
    with fs.open(inside, "rb") as file:
        yield counters.CountedFile(file)


@contextmanager
def whole_file(path: str) -> Iterator[IO[bytes]]:
    """A file to write that appears at `path` when the block ends well, and not at all when it fails.

    A local one is written beside its place and renamed; any other is written to a temporary file and put in the store
    at once, because not every store forgets what an interrupted writer began.
    """
    fs, inside = filesystem(path)
    folder, _, name = inside.rpartition("/")
    if is_local(path) or fs.has_folders:
        fs.makedirs(folder, exist_ok=True)
    if not is_local(path):
        with tempfile.NamedTemporaryFile(prefix="wanyu-", dir=scratch_folder()) as file:
            try:
                yield file
                file.flush()
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise scratch_full(error) from None
                raise
            _count_written(path, file.name)
            fs.put_file(file.name, inside)
        return
    temporary = f"{folder}/.{name}.{uuid.uuid4().hex}"
    try:
        with open(temporary, "wb") as file:
            yield file
        _count_written(path, temporary)
        os.replace(temporary, inside)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)


def _count_written(path: str, written: str) -> None:
    size = os.path.getsize(written)
    counters.count_written(size)
    if f"/{SCRATCH}/" in path:
        counters.count_exchanged(size)
