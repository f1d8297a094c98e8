"""The engine's connections and what forks beside them."""

import select
import socket
import time

import pytest
from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from pipeline.spark.tasks import engine_runner
from pipeline.store import storage
from pipeline.workers.processes import process_runner


def open_connections() -> list[socket.socket]:
    return [one.socket for one in SparkContext._gateway._gateway_client.deque]  # type: ignore[union-attr]


def is_open(connection: socket.socket) -> bool:
    """Neither end has shut it down."""
    readable, _, _ = select.select([connection], [], [], 0)
    return not readable


def test_workers_leave_the_connections_of_their_parent_open(
    spark: SparkSession, caplog: pytest.LogCaptureFixture
) -> None:
    """py4j has one for each thread, such as that which tells the JVM of objects that are collected. A worker has none
    of these threads."""
    dict(SparkConf().getAll())  # made in the JVM, and collected
    deadline = time.monotonic() + 20
    while len(open_connections()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    before = [one for one in open_connections() if is_open(one)]  # those of threads that have ended are shut already
    assert before
    assert process_runner(2)(len, ["one", "three"]) == [3, 5]
    # And workers of workers, as expendable processes are.
    assert process_runner(1)(lambda item: process_runner(1)(len, [item]), ["one"]) == [[3]]
    assert [is_open(connection) for connection in before] == [True] * len(before)
    dict(SparkConf().getAll())
    assert spark.range(3).count() == 3
    assert [record.getMessage() for record in caplog.records] == []


def test_tasks_put_temporary_files_into_the_engines_folders(spark: SparkSession) -> None:
    """A task of the engine, and a process beside it."""
    folder = spark.conf.get("spark.local.dir")
    for run_tasks in (engine_runner(spark), process_runner(1)):
        (found,) = run_tasks(lambda _: storage.scratch_folder(), [0])
        assert folder and found.startswith(folder)
