"""Files and folders that appear whole or not at all, and the digest by which a changed one is told."""

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import xxhash

from schemas.errors import UserError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
DIGEST = "xxh3_128"  # of xxhash: against accidents, not forgers; about three times the speed of SHA-256 on one core


def publish(target: Path, write: Callable[[Path], None]) -> None:
    """Has `write` make and fill a folder beside `target`, syncs it, moves it into place; OSError if the disk fails.

    Whatever `write` raises, nothing is left of the part, and `target` is as it was.
    """
    part = part_of(target)
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        write(part)
        for path in (*part.iterdir(), part):
            sync(path)
        remove(target)
        part.replace(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    sync(target.parent)


def remove(folder: Path) -> None:
    """Takes a folder away at once, by a rename: one that is killed here leaves a part, not half a folder."""
    part = folder.with_name(f".{folder.name}.old.part")
    shutil.rmtree(part, ignore_errors=True)
    if folder.exists():
        folder.replace(part)
        shutil.rmtree(part, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Replaces a file at once: a reader sees the old text or the new."""
    part = part_of(path)
    try:
        part.write_text(text, encoding="utf-8")
        sync(part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync(path.parent)


def check_folder(folder: Path, flag: str = "--output") -> None:
    """UserError where it is a file, or nothing can be written there. It need not be there yet."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{flag} {folder} is a file: name a folder")
    above = next(one for one in folder.absolute().parents if one.exists())
    if not above.is_dir() or not os.access(folder if folder.exists() else above, os.W_OK):
        raise UserError(f"{flag} {folder} cannot be written (in {above}): name another folder")


class WholeFile:
    """A context for a file that is written bit by bit: beside its target until all went well, else taken away.

    UserError where it cannot be made, and where the disk is full.
    """

    def __init__(self, target: Path) -> None:
        self.target, self.part = target, part_of(target)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self.part.touch()
        except OSError as error:
            raise self._cannot(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close(whole=error is None)
            if error is None:
                sync(self.part)
                self.part.replace(self.target)
        except OSError as failed:
            error = error or failed
        finally:
            self.part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in FULL:
            raise self._cannot(error) from None
        if error is not None and kind is None:
            raise error

    def close(self, whole: bool) -> None:
        """Of what writes into `part`. whole: whether all went well so far."""

    def _cannot(self, error: OSError) -> UserError:
        return UserError(f"{self.target} cannot be written ({error.strerror}): name another place, or mend that")


def part_of(path: Path) -> Path:
    """Where a file or a folder is made before it is moved into place."""
    return path.with_name(f".{path.name}.part")


def sync(path: Path) -> None:
    """Makes a file or a folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest(path: Path) -> str:
    """XXH3-128 of a file's bytes, in hex. The GIL is free meanwhile."""
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, xxhash.xxh3_128).hexdigest()
