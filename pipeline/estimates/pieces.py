"""What of the archives is measured: some of them, or parts of one."""

import os
from collections.abc import Sequence
from typing import BinaryIO

from pipeline.archive import fetch
from pipeline.archive.blocks import Block
from pipeline.archive.framing import read_blocks
from pipeline.archive.manifest import Archive, sample_position
from pipeline.archive.parts import NO_DATA
from pipeline.archive.window import Window

LEAST_BYTES = 32 << 20  # that are measured, where there are so many: less says little
TINY_BYTES = 1 << 20  # of what tells fixed costs
TINY_SHARE = 0.1  # of a piece, at most
PARTS = 4  # of a single archive


def chosen(archives: Sequence[Archive], share: float) -> list[Archive]:
    """The archives in the sample, by their hashes, as `sampled` takes them; the first one where that is none."""
    by_place = sorted(archives, key=lambda archive: (sample_position(archive.file_path), archive.file_path))
    return [one for one in by_place if sample_position(one.file_path) < share] or by_place[:1]


def parts_of(archive: Archive, size: int, number: int, folder: str) -> list[Archive]:
    """The first `size` bytes of the archive, about, as as many archives in `folder`; fewer where its records cannot
    be told apart, as in one gzip member. Raises FetchError, OSError."""
    with fetch.fetch(archive.location) as file:
        whole = os.fstat(file.fileno()).st_size
        size = min(size, whole)
        starts = record_starts(file, [size * part // number for part in range(1, number + 1)])
        ends = [start if start is not None else whole for start in starts]
        name = archive.file_path.rpartition("/")[2]
        made = []
        for part, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
            if end > start:
                path = os.path.join(folder, f"{part}-{name}")
                _copy(file, start, end, path)
                made.append(Archive(f"{part}-{name}", path, end - start))
    return made


def record_starts(file: BinaryIO, targets: Sequence[int]) -> list[int | None]:
    """For each of some offsets, which rise, the first one at or behind it where a record begins; None where none does.

    As the reader finds them, who holds no block meanwhile."""
    file.seek(0)
    found: list[int | None] = []
    for item in read_blocks(Window(file), NO_DATA):
        while isinstance(item, Block) and len(found) < len(targets) and item.offset >= max(1, targets[len(found)]):
            found.append(item.offset)
        if len(found) == len(targets):
            break
    return found + [None] * (len(targets) - len(found))


def _copy(file: BinaryIO, start: int, end: int, path: str) -> None:
    with open(path, "wb") as out:
        at = start
        while at < end:
            at += out.write(os.pread(file.fileno(), min(1 << 20, end - at), at))
