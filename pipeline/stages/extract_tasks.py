"""What the tasks of extract read: an archive, a part of a large one, or archives of a store one after the other."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.archive.manifest import Archive
from pipeline.archive.parts import part_starts
from pipeline.store import storage
from pipeline.workers.tasks import TaskRunner


class Part(NamedTuple):
    """What of an archive begins at byte `start` or behind it and before the record at `end`; one of `parts` parts."""

    archive: Archive
    start: int = 0
    end: int | None = None
    parts: int = 1


def deal_parts(
    run_tasks: TaskRunner, archives: Sequence[Archive], split_bytes: int, max_connections: int
) -> list[list[Part]]:
    """What each task reads, in order; the tasks that take longest first.

    Archives of stores are dealt out to at most `max_connections` tasks, so that no more are fetched at the same time,
    whatever the cluster does. A local archive is a task; one above `split_bytes` is several if it is uncompressed.
    """
    remote = [archive for archive in archives if not storage.is_local(archive.location)]
    local = sorted(
        (archive for archive in archives if storage.is_local(archive.location)),
        key=lambda archive: -(archive.size or 0),
    )
    dealt = [
        [Part(archive) for archive in remote[n::max_connections]] for n in range(min(len(remote), max_connections))
    ]
    large = [archive for archive in local if (archive.size or 0) > split_bytes]
    part_offsets = run_tasks(functools.partial(_starts, split_bytes=split_bytes), large)
    cuts = dict(zip((archive.file_path for archive in large), part_offsets, strict=True))
    for archive in local:
        starts = cuts.get(archive.file_path, [0])
        ends = [*starts[1:], None]
        dealt += [[Part(archive, *span, len(starts))] for span in zip(starts, ends, strict=True)]
    return dealt


def _starts(archive: Archive, split_bytes: int) -> list[int]:
    """Where the archive's parts begin."""
    try:
        return part_starts(storage.absolute(archive.location), split_bytes)
    except OSError:  # the task that reads the archive tells what is wrong with it
        return [0]
