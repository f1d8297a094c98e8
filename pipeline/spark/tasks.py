"""`pipeline.workers.tasks.Each` by the tasks of the engine."""

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipeline.workers.tasks import Each

T = TypeVar("T")
R = TypeVar("R")

_ANSWERS = pa.schema([("id", pa.int64()), ("answer", pa.binary())])


def each(spark: SparkSession) -> Each:
    """What the tasks answer comes to the driver, so it must be small."""

    def run(function: Callable[[T], R], items: Sequence[T], /) -> list[R]:
        def task(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                for row in batch.to_pylist():
                    answer = function(pickle.loads(row["item"]))
                    yield pa.RecordBatch.from_pylist([{**row, "answer": pickle.dumps(answer)}], schema=_ANSWERS)

        if not items:
            return []
        rows = list(enumerate(pickle.dumps(item) for item in items))
        # A join with a broadcast table leaves the range's partitions as they are: exactly one row a task.
        places = spark.range(0, len(rows), 1, len(rows))
        given = places.join(F.broadcast(spark.createDataFrame(rows, "id long, item binary")), "id")
        found = given.mapInArrow(task, "id long, answer binary").collect()
        return [pickle.loads(row["answer"]) for row in sorted(found, key=lambda row: row["id"])]

    return run
