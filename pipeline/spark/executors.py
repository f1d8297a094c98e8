"""What a cluster's executors must have: the stores' settings, memory for Python beside the heap, and the driver's own
Python and code. Looked at once, when a session starts."""

import hashlib
import importlib.metadata
import importlib.resources
import logging
import os
import platform
import re
import socket
from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable
from typing import NamedTuple

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from schemas.errors import UserError

log = logging.getLogger(__name__)

MEMORY_A_CORE = 5 << 29  # of Python: a worker with its page process holds up to 545 MiB, and a page may use 1 GiB
LEAST_OVERHEAD = 384 << 20  # Spark's own, for the JVM outside its heap
HEAP = "1g"  # Spark's default

# What fsspec and the stores' clients read.
STORE_SETTINGS = re.compile(
    r"(AWS|GOOGLE|AZURE|FSSPEC|GCSFS|S3FS|BOTO)_\w+|STORAGE_EMULATOR_HOST|CLOUDSDK_\w+|GCE_METADATA_\w+"
    r"|(HTTPS?|NO)_PROXY|(https?|no)_proxy|REQUESTS_CA_BUNDLE|SSL_CERT_(FILE|DIR)|KRB5\w*"
)
OF_THIS_MACHINE = re.compile(r"AWS_(CONTAINER|LAMBDA|EXECUTION)_\w+")
SECRET = (
    r"(?i)secret|passw|token|credential|access[._-]?key|account[._-]?key|api[._-]?key|connection[._-]?string|_proxy"
    r"|executorEnv\.(AWS|GOOGLE|AZURE|FSSPEC)_"
    # of a command's URLs
    r"|(?<!abfs)(?<!abfss)(?<!wasb)(?<!wasbs)://[^/?#\s]*@"
    r"|[?&]([\w%-]*(signature|key|auth)[\w%-]*|sig|sas|jwt|pwd|sign)="
)
ENVIRONMENT = (
    "give them the driver's environment: --archives ENV.tar.gz#environment with "
    "--conf spark.pyspark.python=./environment/bin/python, an image, or the same path on every machine "
    "(docs/operations.md)"
)
OTHER_PYTHON = re.compile(r"Python in worker has different version:? ([^t]+?) than that in driver:? ([\d., ()']+)")
NO_PYTHON = re.compile(r'Cannot run program "([^"]+)"')
NO_PACKAGE = re.compile(r"No module named '?([\w.]+)|Error while finding module specification for '([\w.]+)")
COMPARED = ("pyspark", "pyarrow", "numpy", "numba", "fsspec")
_LOOKED = "wanyu.executors"  # a property of the context that says so

_SEEN = pa.schema(
    [
        ("host", pa.string()),
        ("python", pa.string()),
        ("code", pa.string()),
        ("libraries", pa.string()),
        ("memory", pa.int64()),
    ]
)


class Seen(NamedTuple):
    """libraries: `name version`, joined by commas. memory: bytes that the executor's machine or container has."""

    host: str
    python: str
    code: str
    libraries: str
    memory: int


def settings(given: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """For the session on a cluster, of what the user has not set: stores' settings for executors, never shown in the
    UI or an event log, and room for Python. given: the engine's settings."""
    made = {
        f"spark.executorEnv.{name}": value
        for name, value in environment.items()
        if STORE_SETTINGS.fullmatch(name) and not OF_THIS_MACHINE.fullmatch(name)
    }
    overhead = {"spark.executor.memoryOverhead", "spark.executor.memoryOverheadFactor", "spark.executor.pyspark.memory"}
    if not overhead & {*given} and "spark.executor.cores" in given:
        room = int(given["spark.executor.cores"]) * MEMORY_A_CORE + LEAST_OVERHEAD
        made["spark.executor.memoryOverhead"] = f"{room >> 20}m"
    return {name: value for name, value in made.items() if name not in given}


def check(spark: SparkSession) -> None:
    """One tiny job, once a session. UserError where an executor cannot run what the driver runs, with what to do."""
    context = spark.sparkContext
    if context.getLocalProperty(_LOOKED):
        return
    context.setLocalProperty(_LOOKED, "true")
    try:
        tasks = max(1, context.defaultParallelism)
        rows = spark.range(0, tasks, 1, tasks).mapInArrow(_look, "host string, python string, code string, "
                                                          "libraries string, memory long").collect()  # fmt: skip
    except PySparkException as error:
        if line := line_of(str(error)):
            raise UserError(line) from None
        raise
    except Exception as error:
        if type(error).__module__.startswith("py4j") and (line := line_of(str(error))):
            raise UserError(line) from None
        raise
    seen = {Seen(**row.asDict()) for row in rows}
    compare(here(), seen)
    _check_memory(spark, seen)


def line_of(text: str) -> str | None:
    """What keeps Python from starting on an executor, found in the engine's long message."""
    if match := OTHER_PYTHON.search(text):
        worker, driver = (".".join(re.findall(r"\d+", part)) for part in match.groups())
        return f"executors run Python {worker}, the driver {driver}: {ENVIRONMENT}"
    if match := NO_PYTHON.search(text):
        return f"executors have no {match.group(1)}: {ENVIRONMENT}"
    if match := NO_PACKAGE.search(text):
        name = (match.group(1) or match.group(2)).partition(".")[0]
        what = "wanyu's own code" if name in ("pipeline", "schemas", "tokenizer") else f"the package {name}"
        return f"executors lack {what}: {ENVIRONMENT}"
    return None


def compare(driver: Seen, seen: set[Seen]) -> None:
    """UserError for another Python or other code of ours on an executor; other libraries are told."""
    for one in sorted(seen):
        if one.python != driver.python:
            raise UserError(f"{one.host} runs Python {one.python}, the driver {driver.python}: {ENVIRONMENT}")
        if one.code != driver.code:
            raise UserError(f"{one.host} has wanyu {one.code}, the driver {driver.code}: {ENVIRONMENT}")
        if one.libraries != driver.libraries:
            log.warning("%s has %s, the driver %s: results may differ", one.host, one.libraries, driver.libraries)


def here() -> Seen:
    """Of this process."""
    python = ".".join(platform.python_version_tuple()[:2])
    libraries = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in COMPARED)
    return Seen(socket.gethostname(), python, code_version(), libraries, memory_limit())


def code_version() -> str:
    """`0.1.0 (1a2b3c4d)`: the version, and a digest of all code that tasks run, wherever it was installed from."""
    digest = hashlib.sha256()
    for package in ("pipeline", "schemas"):
        for name, data in sorted(_sources(importlib.resources.files(package), package)):
            digest.update(f"{name} {len(data)}\n".encode() + data)
    try:
        version = importlib.metadata.version("wanyu")
    except importlib.metadata.PackageNotFoundError:
        version = "of no version"
    return f"{version} ({digest.hexdigest()[:8]})"


def _sources(folder: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.name.endswith(".py"):
            yield f"{name}/{entry.name}", entry.read_bytes()
        elif entry.is_dir() and entry.name != "__pycache__":
            yield from _sources(entry, f"{name}/{entry.name}")


def memory_limit() -> int:
    """Bytes that this container, else this machine, has."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(path) as file:
                said = file.read().strip()
        except OSError:
            continue
        if said.isdecimal():
            found = min(found, int(said))
    return found


def _look(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for _ in batches:
        yield pa.RecordBatch.from_pylist([here()._asdict()], schema=_SEEN)


def _check_memory(spark: SparkSession, seen: set[Seen]) -> None:
    conf = spark.sparkContext.getConf()
    executors = max(1, spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size() - 1)
    cores = int(conf.get("spark.executor.cores") or max(1, spark.sparkContext.defaultParallelism // executors))
    needed = bytes_of(conf.get("spark.executor.memory") or HEAP) + cores * MEMORY_A_CORE
    least = min(one.memory for one in seen)
    if least < needed:
        log.warning(
            "an executor of %d cores needs %.1f GB with %s of heap, its machine has %.1f: give it fewer cores "
            "(spark.executor.cores) or a smaller spark.executor.memory",
            *(cores, needed / 1e9, conf.get("spark.executor.memory") or HEAP, least / 1e9),
        )


def room_in_a_task(spark: SparkSession) -> int | None:
    """Bytes that one task may hold in Python when it runs alone on an executor; None where nothing bounds it."""
    conf = spark.sparkContext.getConf()
    master = conf.get("spark.master") or ""
    if not master.startswith(("yarn", "k8s")):
        return None
    heap = bytes_of(conf.get("spark.executor.memory") or HEAP)
    said = conf.get("spark.executor.memoryOverhead")
    factor = float(conf.get("spark.executor.memoryOverheadFactor") or 0.1)
    return bytes_of(said, "m") if said else max(LEAST_OVERHEAD, int(heap * factor))


def bytes_of(text: str, unit: str = "b") -> int:
    """`4g`, `512m`, as the engine has them; a number alone is in `unit`."""
    match = re.fullmatch(r"(\d+)\s*([kmgtp]?)i?b?", text.strip().lower())
    if not match:
        raise UserError(f"{text}: not an amount of memory; say 4g or 512m")
    return int(match.group(1)) << (10 * " kmgtp".index(match.group(2) or (unit if unit != "b" else " ")))
