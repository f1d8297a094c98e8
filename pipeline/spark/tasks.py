"""Items for the engine's tasks: a row a task, and `TaskRunner` by them."""

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.spark.executors import room_in_a_task
from pipeline.spark.session import LazySession, started
from pipeline.spark.stage_progress import described, stage_progress
from pipeline.workers import watching
from pipeline.workers.processes import process_runner
from pipeline.workers.tasks import Step, TaskRunner
from pipeline.workers.telling import call
from schemas.errors import UserError

T = TypeVar("T")
R = TypeVar("R")

_ANSWERS = pa.schema([("place", pa.int64()), ("answer", pa.binary())])


def one_row_a_task(spark: SparkSession, values: Sequence[Any], kind: str) -> DataFrame:
    """Columns `place`, 0 to the number of values, and `value`, of the SQL type `kind`: each row in a partition of its
    own."""
    # A join with a broadcast table leaves the range's partitions as they are.
    places = spark.range(0, len(values), 1, max(1, len(values))).withColumnRenamed("id", "place")
    listed = spark.createDataFrame(list(enumerate(values)), f"place long, value {kind}")
    return places.join(F.broadcast(listed), "place")


def engine_runner(spark: SparkSession) -> TaskRunner:
    """By the engine's tasks. Answers come to the driver."""

    def run_tasks(function: Callable[[T], R], items: Sequence[T], /, step: Step | None = None) -> list[R]:
        if not items:
            return []
        with watching.step(step, function) as running:
            carried = running.carried

            def task(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
                for batch in batches:
                    for place, item in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                        told = call(partial(_answer, function), pickle.loads(item), place, carried)
                        columns = {"place": [place], "answer": [pickle.dumps(told)]}
                        yield pa.RecordBatch.from_pydict(columns, schema=_ANSWERS)

            line = running.line if carried.board else None
            with stage_progress(spark, step.name, line) if step else described(spark, carried.stage):
                given = one_row_a_task(spark, [pickle.dumps(item) for item in items], "binary")
                rows = given.mapInArrow(task, "place long, answer binary").collect()
            answers = running.settle(
                [pickle.loads(row["answer"]) for row in sorted(rows, key=lambda row: row["place"])]
            )
            for answer in answers:
                if isinstance(answer, UserError):
                    raise answer
            return answers

    return run_tasks


def _answer(function: Callable[[T], R], item: T) -> R | UserError:
    """What the user can mend is an answer: the engine would try it again, and tell of it in a hundred lines."""
    try:
        return function(item)
    except UserError as error:
        return error


def has_room(engine: SparkSession | LazySession, size: int) -> bool:
    """Whether one task may hold so many bytes."""
    if isinstance(engine, LazySession) and engine.local_cores():
        return True
    room = room_in_a_task(started(engine))
    return room is None or size <= room


def cheapest_runner(engine: SparkSession | LazySession) -> TaskRunner:
    """By processes on a local master, whose engine need not start; else by the engine's tasks."""
    cores = engine.local_cores() if isinstance(engine, LazySession) else None
    return process_runner(cores) if cores else engine_runner(started(engine))
