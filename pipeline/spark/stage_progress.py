"""The engine's own tasks as a line for people, and which stages were skewed."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from statistics import median
from typing import Any

from pyspark.sql import SparkSession

from pipeline.workers.progress import Progress, rate_and_time_left

log = logging.getLogger(__name__)
DESCRIPTION = "spark.job.description"
SKEWED = 5  # times the median
SKEWED_BYTES = 64 << 20  # less is soon done however it is dealt


@contextmanager
def described(spark: SparkSession, stage: str) -> Iterator[None]:
    """What the engine does in the block is called so in its UI and history."""
    context = spark.sparkContext
    before = context.getLocalProperty(DESCRIPTION)
    context.setLocalProperty(DESCRIPTION, stage or before)  # type: ignore[arg-type]
    try:
        yield
    finally:
        context.setLocalProperty(DESCRIPTION, before)  # type: ignore[arg-type]  # null takes it away


@contextmanager
def stage_progress(spark: SparkSession, stage: str, shown: Callable[[], str] | None = None) -> Iterator[None]:
    """Tasks done of those that Spark knows of, for stages whose tasks are short, or what is shown; when they end, a
    line in the log for each whose largest task read far more than the median one."""
    began = time.monotonic()
    tracker = spark.sparkContext.statusTracker()
    seen: set[int] = set()

    def line() -> str:
        active = tracker.getActiveStageIds()
        seen.update(active)
        running = [tracker.getStageInfo(number) for number in active]
        done = sum(info.numCompletedTasks for info in running if info)
        failed = sum(info.numFailedTasks for info in running if info)
        total = sum(info.numTasks for info in running if info)
        seconds = time.monotonic() - began
        said = shown() if shown else f"{stage}: {rate_and_time_left(done, total, seconds, 'tasks')}, {seconds:.0f} s"
        return f"{said}, {failed} tasks failed" if failed else said

    try:
        with described(spark, stage), Progress(line):
            yield
    finally:
        for number in sorted(seen):
            with suppress(Exception):  # what the engine remembers of its stages is no part of the work
                if told := skew(bytes_read(spark, number)):
                    log.warning("%s: stage %d of the engine: %s", stage, number, told)


def bytes_read(spark: SparkSession, stage: int) -> list[int]:
    """Of a shuffle, by each finished task of the engine's stage."""
    store: Any = spark.sparkContext._jsc.sc().statusStore()
    attempt = store.lastStageAttempt(stage).attemptId()
    tasks = store.taskList(stage, attempt, 1 << 20)
    read = []
    for place in range(tasks.size()):
        metrics = tasks.apply(place).taskMetrics()
        if metrics.isDefined():
            shuffle = metrics.get().shuffleReadMetrics()
            read.append(int(shuffle.localBytesRead() + shuffle.remoteBytesRead()))
    return read


def skew(sizes: Sequence[int]) -> str | None:
    """What to say of tasks that read so many bytes; None where none is far above the others."""
    if len(sizes) < 3 or max(sizes) < SKEWED_BYTES or max(sizes) <= SKEWED * median(sizes):
        return None
    return (
        f"the largest of {len(sizes):,} tasks read {max(sizes) / 1e6:,.0f} MB, the median {median(sizes) / 1e6:,.1f} MB"
    )
