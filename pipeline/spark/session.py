"""The Spark session that every job shares. What the user set with --conf or spark-defaults stays as set."""

import os
import sys
from dataclasses import dataclass

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from pipeline.exit_status import answer_ctrl_c
from pipeline.observed import logs
from pipeline.spark import executors
from pipeline.web.public import ALLOWED, is_allowed
from pipeline.workers import watching

DEFAULTS = {
    "spark.sql.execution.arrow.pyspark.validateSchema.enabled": "true",  # a wrong batch is named, not crashed on
    "spark.sql.execution.arrow.maxRecordsPerBatch": "4000",
    "spark.sql.execution.arrow.maxBytesPerBatch": "32m",  # pages are large
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.adaptive.coalescePartitions.enabled": "true",
    "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
    "spark.python.worker.faulthandler.enabled": "true",
    "spark.log.level": "ERROR",
    "spark.redaction.regex": executors.SECRET,  # of event logs and the UI; the command line is there too
}
EVENT_LOG, EVENT_FOLDER = "spark.eventLog.enabled", "spark.eventLog.dir"
PARTITIONS = "spark.sql.shuffle.partitions"
BY_SIZE = "spark.wanyu.partitionsBySize"  # nobody said how many
SHUFFLE_BYTES = 64 << 20  # a partition, of what is shuffled; the engine joins smaller ones
MOST_PARTITIONS = 100_000


_owner = os.getpid()
_held: list[object] = []  # connections to the JVM


def _hold_connections() -> None:
    """Before a fork: the child has none of the other threads, so py4j's connections of theirs would be collected there
    and, as that shuts the socket itself down, end in the parent, too."""
    if SparkContext._gateway is not None:
        _held.extend(SparkContext._gateway._gateway_client.deque)


def _release_connections() -> None:
    if os.getpid() == _owner:  # a child that forks in its turn still holds them
        _held.clear()


os.register_at_fork(before=_hold_connections, after_in_parent=_release_connections)


def session(app_name: str, partitions: int | None = None) -> SparkSession:
    """The running session or a new one; `partitions` sets the shuffle partitions (results never depend on it)."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(app_name)
    given = _given()
    for key, value in DEFAULTS.items():
        if key not in given:
            builder = builder.config(key, value)
    if partitions:
        builder = builder.config(PARTITIONS, str(partitions))
    elif PARTITIONS not in given and _is_local(given):
        builder = builder.config(PARTITIONS, "4")  # 200 tasks cost more than the work on a laptop
    builder = builder.config(BY_SIZE, str(not partitions and PARTITIONS not in given).lower())
    if is_allowed():
        builder = builder.config(f"spark.executorEnv.{ALLOWED}", "1")
    if not _is_local(given):
        if EVENT_FOLDER in given and EVENT_LOG not in given:
            builder = builder.config(EVENT_LOG, "true")
        for key, value in executors.settings(given, os.environ).items():
            builder = builder.config(key, value)
    running = builder.getOrCreate()
    answer_ctrl_c()
    if logs.stage():
        running.sparkContext.setJobDescription(logs.stage())  # what the UI calls all that no step of ours names
    if not _is_local(given):
        watching.reached_at(*driver_address(running))
        executors.check(running)
    return running


def partitions_for(size: int) -> int:
    """Shuffle partitions for so many bytes of input, uncompressed."""
    return max(1, min(MOST_PARTITIONS, -(-size // SHUFFLE_BYTES)))


def size_shuffles(spark: SparkSession, size: int) -> None:
    """Sets the shuffle partitions for an input of so many bytes, uncompressed, unless somebody said how many. Never
    fewer than before: results do not depend on it, and few partitions cost little."""
    if spark.conf.get(BY_SIZE, "false") == "true":
        before = int(spark.conf.get(PARTITIONS) or 0)
        spark.conf.set(PARTITIONS, str(max(before, partitions_for(size))))


@dataclass(frozen=True)
class LazySession:
    """A session that is started when somebody needs it."""

    app_name: str
    partitions: int | None

    def start(self) -> SparkSession:
        return session(self.app_name, self.partitions)

    def local_cores(self) -> int | None:
        """Cores of the local master that the session would have; None on a cluster, or when a session is there or
        its partitions are set, which asks for it."""
        if self.partitions or SparkSession.getActiveSession():
            return None
        return local_cores()


def started(engine: SparkSession | LazySession) -> SparkSession:
    return engine.start() if isinstance(engine, LazySession) else engine


def driver_address(engine: SparkSession | LazySession) -> tuple[str, str]:
    """The name by which workers reach this process's machine, and the address to listen at, "" for the same: the
    engine's own, or the loopback's where workers are processes of the machine."""
    if isinstance(engine, LazySession) and engine.local_cores():
        return "127.0.0.1", ""
    settings = started(engine).conf
    return settings.get("spark.driver.host") or "127.0.0.1", settings.get("spark.driver.bindAddress", "") or ""


def local_cores() -> int | None:
    """Of the master that a session would have, without starting one; None where that is no local one."""
    given = _given() if "PYSPARK_GATEWAY_PORT" in os.environ else {}
    master = given.get("spark.master", "local[*]")
    if not _is_local({"spark.master": master}):
        return None
    number = master.removeprefix("local").strip("[]").split(",")[0]
    return len(os.sched_getaffinity(0)) if number == "*" else int(number or 1)


def _given() -> dict[str, str]:
    """Settings from spark-submit and spark-defaults, which live in the driver's JVM before there is a session. Its
    local folders are this process's and its children's too (`pipeline.store.storage.scratch_folder`)."""
    SparkContext._ensure_initialized()
    given = dict(SparkConf().getAll())
    if folders := given.get("spark.local.dir"):
        os.environ.setdefault("SPARK_LOCAL_DIRS", folders)  # which goes before, as in Spark
    return given


def _is_local(given: dict[str, str]) -> bool:
    master = given.get("spark.master", "local")
    return master == "local" or master.startswith("local[")
