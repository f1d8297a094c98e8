"""How large the whole is: sizes that are known, and of a store's archives some that are asked for."""

import statistics
from collections.abc import Collection, Sequence
from typing import NamedTuple

from pipeline.archive.manifest import Archive, sample_position
from pipeline.store import storage

ASKED = 200  # archives of a store, at most, beside those of the sample


class Size(NamedTuple):
    """bytes of all; deviation: standard, over itself, of what was taken for those that nobody asked for. known: bytes
    by file_path."""

    bytes: float
    deviation: float
    known: dict[str, int]


def size_of(archives: Sequence[Archive], sample: Collection[str]) -> Size:
    """A request an archive for those of the sample, by file_path, and some others by their hash; the rest are as large
    as these are on the average. UserError for one that is not there."""
    known = {one.file_path: one.size for one in archives if one.size is not None}
    unknown = [one for one in archives if one.size is None]
    unknown.sort(key=lambda one: (one.file_path not in sample, sample_position(one.file_path)))
    asked = unknown[: ASKED + sum(one.file_path in sample for one in unknown)]
    by_store: dict[str, list[Archive]] = {}
    for archive in asked:
        by_store.setdefault("/".join(archive.location.split("/")[:3]), []).append(archive)
    found: dict[str, int] = {}
    for ours in by_store.values():
        sizes = storage.sizes([one.location for one in ours])
        found |= {one.file_path: sizes[one.location] for one in ours}
    left = len(unknown) - len(found)
    mean = statistics.fmean(found.values()) if found else 0.0
    apart = statistics.stdev(found.values()) if len(found) > 1 else 0.0
    total = sum(known.values()) + sum(found.values()) + mean * left
    deviation = apart / len(found) ** 0.5 * left / total if left and found and total else 0.0
    return Size(total, deviation, {**known, **found})
