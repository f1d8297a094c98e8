"""What a stage's run takes, measured around it and written beside what it published: `schemas.costs`."""

import logging
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pyspark.sql import SparkSession

from pipeline.costs import counters, processes, usage
from pipeline.costs.records import together
from pipeline.spark.session import LazySession
from pipeline.store import generations, storage
from pipeline.store.generations import BUILDING, Generation
from schemas.costs import COST, Cost

log = logging.getLogger(__name__)
LISTENED_MS = 5_000  # at most, until the engine has heard of its last tasks


@contextmanager
def measured(stage: str, folder: str, engine: SparkSession | LazySession) -> Iterator[None]:
    """Around the run that builds a generation of `folder`: where it has made one, its cost lies beside it; where it has
    failed and left something to go on from, there, and the run that goes on adds it to its own.

    What cannot be measured stops no run.
    """
    meter, before = _Meter(stage, engine), generations.current(folder)
    try:
        yield
    except BaseException:
        with suppress(Exception):
            made = generations.following(folder)
            if storage.exists(storage.join(made.place, BUILDING)):
                _write(made, meter.read(0))
        raise
    now = generations.current(folder)
    if now is not None and now != before:
        try:
            _write(now, meter.read(_new_bytes(now)))
        except Exception as error:
            log.warning("%s: what it took is not recorded: %s", stage, error)


def _write(made: Generation, cost: Cost) -> None:
    earlier: Cost | None = made.read_json(COST)
    storage.write_json(storage.join(made.place, COST), cost if earlier is None else together([earlier, cost]))


def _new_bytes(made: Generation) -> int:
    """Of the files that lie in the generation's own place."""
    others = () if made.number > 1 else tuple(f"{name}/" for name in storage.folders(made.folder) if _is_later(name))
    sizes = storage.listing(made.place, hidden=True)
    return sum(size for name, size in sizes.items() if name != COST and not name.startswith(others or "\0"))


def _is_later(name: str) -> bool:
    return name[:1] == "g" and name[1:].isdecimal()


class EngineUse(NamedTuple):
    """Of the engine's own stages: of their tasks on all machines. busy_seconds: of the cores that they held. shuffled:
    bytes written for exchanges, by the job's description, "" for none."""

    cpu_seconds: float
    busy_seconds: float
    shuffled: Mapping[str, int]

    @property
    def shuffle_bytes(self) -> int:
        return sum(self.shuffled.values())


class _Meter:
    """From here on until it is read."""

    def __init__(self, stage: str, engine: SparkSession | LazySession) -> None:
        self._stage, self._engine = stage, engine
        self._began, self._clock = datetime.now(UTC), time.monotonic()
        processes.forget_peak()
        self._seen = last_engine_stage()
        self._calls = len(usage.calls)
        self._requests, self._read, self._exchanged = counters.requests, counters.read, counters.exchanged
        self._cpu, self._own = _tree_seconds(), processes.own_seconds()

    def read(self, bytes_written: int) -> Cost:
        told = usage.added(call.usage for call in usage.calls[self._calls :])
        spark = SparkSession.getActiveSession()
        used = engine_use(self._seen)
        cpu = _tree_seconds() - self._cpu
        if spark is not None and not _is_local(spark):
            cpu += told.cpu_seconds + used.cpu_seconds
        else:  # what ended without being waited for is only told of
            cpu += max(0.0, told.cpu_seconds - (processes.own_seconds() - self._own)) if spark is None else 0.0
        peaks = [processes.peak_bytes(one.number) for one in processes.tree(_root())]
        return Cost(
            stage=self._stage,
            began=self._began.isoformat(timespec="seconds"),
            attempts=1,
            seconds=round(time.monotonic() - self._clock, 3),
            cores=_cores(self._engine),
            cpu_seconds=round(cpu, 3),
            peak_bytes=max([told.peak_bytes, *peaks]) or None,
            shuffle_bytes=used.shuffle_bytes + told.exchanged + counters.exchanged - self._exchanged,
            bytes_read=told.read + counters.read - self._read,
            bytes_written=bytes_written,
            requests=told.requests + counters.requests - self._requests,
        )


def _root() -> int:
    """The process all others of a local run lie below: the JVM of spark-submit, which has started this one, or this."""
    return os.getppid() if "PYSPARK_GATEWAY_PORT" in os.environ else os.getpid()


def _tree_seconds() -> float:
    return sum(one.cpu_seconds for one in processes.tree(_root())) or processes.own_seconds()


def _is_local(spark: SparkSession) -> bool:
    master = spark.sparkContext.master or ""
    return master == "local" or master.startswith("local[")


def _cores(engine: SparkSession | LazySession) -> int:
    spark = SparkSession.getActiveSession()
    if spark is not None:
        return int(spark.sparkContext.defaultParallelism)
    own = engine.local_cores() if isinstance(engine, LazySession) else None
    return own or os.cpu_count() or 1


def last_engine_stage() -> int:
    """The highest number of a stage of the engine so far; -1 before the first."""
    return max((int(one.stageId()) for one in _stages()), default=-1)


def engine_use(since: int) -> EngineUse:
    """Of the engine's stages after the one of that number, all attempts, as far as its status store remembers them."""
    cpu = busy = 0.0
    shuffled: Counter[str] = Counter()
    for one in _stages():
        if int(one.stageId()) > since:
            cpu += int(one.executorCpuTime()) / 1e9
            busy += int(one.executorRunTime()) / 1e3
            told = one.description()
            shuffled[str(told.get()) if told.isDefined() else ""] += int(one.shuffleWriteBytes())
    return EngineUse(cpu, busy, shuffled)


def _stages() -> Iterator[Any]:
    with suppress(Exception):  # a lost engine
        spark = SparkSession.getActiveSession()
        if spark is None:
            return
        context: Any = spark.sparkContext
        inner, gateway = context._jsc.sc(), context._gateway
        inner.listenerBus().waitUntilEmpty(LISTENED_MS)
        none = gateway.jvm.java.util.ArrayList()
        quantiles = gateway.new_array(gateway.jvm.double, 0)
        listed = inner.statusStore().stageList(none, False, False, quantiles, none)
        yield from (listed.apply(place) for place in range(listed.size()))
