"""What the tasks of extract read: an archive, a part of a large one, or a few archives that are tiny."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.archive.manifest import Archive
from pipeline.archive.parts import part_starts
from pipeline.store import storage
from pipeline.workers.tasks import TaskRunner

MANY = 10_000  # tasks; beyond, archives that are tiny share one
TINY_BYTES = 4 << 20
TASK_BYTES = 64 << 20  # of tiny archives


class Part(NamedTuple):
    """What of an archive begins at byte `start` or behind it and before the record at `end`; `starts` are those of all
    its parts."""

    archive: Archive
    start: int = 0
    end: int | None = None
    starts: tuple[int, ...] = (0,)


def planned_tasks(run_tasks: TaskRunner, archives: Sequence[Archive], split_bytes: int) -> list[list[Part]]:
    """What each task reads, a task an archive, or a part of a local uncompressed one above `split_bytes`; whichever
    worker is free takes the next. What takes longest comes first: archives of unknown size, as path lists have them,
    then the largest."""
    whole = [one for one in archives if one.asked is None and storage.is_local(one.location)]
    large = [one for one in whole if (one.size or 0) > split_bytes]
    part_offsets = run_tasks(functools.partial(_starts, split_bytes=split_bytes), large)
    cuts = dict(zip((archive.file_path for archive in large), part_offsets, strict=True))
    tasks: list[list[Part]] = []
    for archive in sorted(archives, key=lambda one: (one.size is not None, -(one.size or 0))):
        starts = tuple(cuts.get(archive.file_path, [0]))
        tasks += [[Part(archive, start, end, starts)] for start, end in zip(starts, (*starts[1:], None), strict=True)]
    return _tiny_together(tasks) if len(tasks) > MANY else tasks


def _tiny_together(tasks: list[list[Part]]) -> list[list[Part]]:
    found: list[list[Part]] = []
    room = 0
    for task in tasks:
        size = task[0].archive.size
        if size is None or size > TINY_BYTES:
            found.append(task)
        elif size > room:
            found.append(list(task))
            room = TASK_BYTES - size
        else:
            found[-1] += task
            room -= size
    return found


def _starts(archive: Archive, split_bytes: int) -> list[int]:
    """Where the archive's parts begin."""
    try:
        return part_starts(storage.absolute(archive.location), split_bytes)
    except OSError:  # the task that reads the archive tells what is wrong with it
        return [0]
