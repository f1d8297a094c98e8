"""The engine's own tasks as a line for people."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession

from pipeline.workers.progress import Progress, rate_and_time_left


@contextmanager
def stage_progress(spark: SparkSession, stage: str) -> Iterator[None]:
    """Tasks done of those that Spark knows of, for stages whose tasks are short."""
    began = time.monotonic()
    tracker = spark.sparkContext.statusTracker()

    def line() -> str:
        running = [tracker.getStageInfo(number) for number in tracker.getActiveStageIds()]
        done = sum(info.numCompletedTasks for info in running if info)
        failed = sum(info.numFailedTasks for info in running if info)
        total = sum(info.numTasks for info in running if info)
        seconds = time.monotonic() - began
        return f"{stage}: {rate_and_time_left(done, total, seconds, 'tasks')}, {failed} failed, {seconds:.0f} s"

    with Progress(line):
        yield
