"""The finished stages of a root, and rows of their tables."""

import os
from collections.abc import Collection, Sequence
from typing import NamedTuple

from pipeline.keys.page_rows import Row, rows_with
from pipeline.store import generations, storage
from pipeline.store.generations import Generation
from pipeline.workers.processes import process_runner
from pipeline.workers.tasks import TaskRunner
from schemas.records import STAGES

REMOVED = "removed"  # folder of a root's takedowns


class Corpus(NamedTuple):
    """stages: None where it has not finished. run_tasks: what reads files."""

    root: str
    stages: dict[str, Generation | None]
    run_tasks: TaskRunner

    def rows(
        self, stage: str, table: str, name: str, values: Collection[str], most: int,
        columns: Sequence[str] | None = None,
    ) -> list[Row]:  # fmt: skip
        """As `page_rows.rows_with`; none where the stage has not finished."""
        now = self.stages[stage]
        if now is None:
            return []
        return rows_with(self.run_tasks, now, stage, table, name, values, most, columns)

    def engine(self) -> str:
        """That found the main text."""
        now = self.stages["extract"]
        return str(now.record()["config"].get("engine", "")) if now else ""

    def silent(self) -> dict[str, str]:
        """Of the stages of documents that say nothing, or nothing sure, why."""
        found: dict[str, str] = {}
        before: Generation | None = None
        for stage in STAGES[:-1]:
            now = self.stages[stage]
            if now is None:
                found[stage] = "has not run on this root, or not to its end"
            elif before is not None:
                above = before.record()
                if now.record()["inputs"].get(above["stage"]) not in (None, above["fingerprint"]):
                    found[stage] = f"was made from an earlier {above['stage']}: run it again"
            before = now
        return found

    def taken_down(self) -> bool:
        """Whether pages have been removed from it."""
        return bool(storage.listing(storage.join(self.root, REMOVED)))


def opened(root: str) -> Corpus:
    root = storage.absolute(root)
    stages = {stage: generations.current(storage.join(root, stage)) for stage in STAGES}
    return Corpus(root, stages, process_runner(len(os.sched_getaffinity(0))))
