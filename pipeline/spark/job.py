"""What all Spark jobs share: flags, what they say, and how errors end."""

import argparse
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NoReturn

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from pipeline.exit_status import INTERRUPTED, JobBody, run_to_exit_status
from pipeline.flags import Parser, add_stage_flags, load, parse
from pipeline.lineage.emitting import lineage
from pipeline.observed import events, logs
from pipeline.spark import executors
from pipeline.spark.session import LazySession
from pipeline.spark.sources import foreign_source, stage_source
from pipeline.spark.stage_cost import measured
from pipeline.store import generations, lease, run_records, storage
from pipeline.workers import watching
from pipeline.workers.guard import FEW
from schemas.errors import UserError
from schemas.records import FAILED, LEDGER, Account, RunRecord
from schemas.redacted import redact_traces

MOST_REASONS = 3  # that a stage names when it is done
Run = Callable[..., RunRecord]  # of a session (or LazySession), a Config, a Source and the folder to write


def stage_job(
    stage: str,
    run: Run,
    argv: Sequence[str] | None,
    lazy: bool = False,
    instead: Mapping[str, tuple[str, Callable[..., object]]] | None = None,
) -> int:
    """The whole of `jobs/<stage>.py` for a stage that reads a table; `lazy`: it starts its session itself.

    instead: flags that do something else than run, with the same arguments: name -> (help, what).
    """

    def body(argv: Sequence[str] | None) -> None:
        parser = Parser(prog=f"jobs/{stage}.py", allow_abbrev=False)
        where = parser.add_argument_group("where")
        where.add_argument("--root", help=f"folder of a corpus: reads the stage before, writes ROOT/{stage}")
        where.add_argument("--input", help="any Parquet table, instead of --root")
        where.add_argument("--output", help="new folder for the answer, with --input")
        where.add_argument("--text-column", default="text", help="of --input [text]")
        where.add_argument("--id-column", default="id", help="of --input [id]")
        for name, (help_text, _) in (instead or {}).items():
            where.add_argument(f"--{name}", action="store_true", help=help_text)
        add_common_flags(parser)
        add_stage_flags(parser, [stage])
        args = parse(parser, argv)
        config = load(args.config, stage_flags(args))
        if args.root and not (args.input or args.output):
            root = storage.absolute(args.root)
            source, folder = stage_source(root, stage), storage.join(root, stage)
        elif args.input and args.output and not args.root:
            source = foreign_source(args.input, args.text_column, args.id_column)
            folder = storage.absolute(args.output)
        else:
            raise UserError("give --root ROOT, or --input TABLE with --output FOLDER")
        engine = LazySession(f"wanyu {stage}", args.partitions)
        chosen = next((do for name, (_, do) in (instead or {}).items() if getattr(args, name)), run)
        held = storage.absolute(args.root) if args.root else folder
        with observed(args, stage, held), lease.held(held), logs.about(stage):
            with measured(stage, folder, engine):
                chosen(engine if lazy else engine.start(), config, source, folder)
            generations.retire(folder, args.keep)

    return run_body(body, argv)


def add_common_flags(parser: argparse.ArgumentParser) -> None:
    common = parser.add_argument_group("common")
    common.add_argument("--config", metavar="FILE.toml", help="sections [extract] [clean] [dedup] [sample] [vocab]")
    common.add_argument("--partitions", type=positive, help="shuffle partitions; results never depend on it")
    common.add_argument("--keep", type=not_negative, default=0, metavar="N", help="former runs of a stage to keep [0]")
    add_metrics_flags(parser)


def add_metrics_flags(parser: argparse.ArgumentParser) -> None:
    shown = parser.add_argument_group("metrics, for Prometheus (docs/operations.md)")
    shown.add_argument("--metrics-port", type=port, metavar="N", help="serve them at this port while the job runs")
    shown.add_argument("--metrics-address", default="127.0.0.1", metavar="HOST", help="where to listen [127.0.0.1]")
    shown.add_argument("--metrics-file", metavar="FILE.prom", help="write them there, for node_exporter's textfiles")


@contextmanager
def observed(args: argparse.Namespace, name: str, root: str) -> Iterator[None]:
    """The run is shown while the block lasts, as `add_metrics_flags` and the environment of OpenLineage ask for it."""
    exposed = watching.Exposed(args.metrics_port, args.metrics_address, args.metrics_file)
    given = [getattr(args, flag, None) or [] for flag in ("input", "index")]
    read = [one for listed in given for one in ([listed] if isinstance(listed, str) else listed)]
    with watching.watched(name, root, exposed), lineage(name, read):
        yield


def add_input_flags(parser: argparse.ArgumentParser) -> None:
    """For the jobs that read archives."""
    where = parser.add_argument_group("where")
    where.add_argument("--input", nargs="+", help="archives: files, folders, .paths lists, URLs")
    where.add_argument("--index", help="instead: Common Crawl's columnar index: Parquet, or a .paths list of it")
    where.add_argument("--where", default="", metavar="SQL", help="which rows of --index, as Spark's SQL says it [all]")
    where.add_argument("--root", required=True, help="folder of the corpus, made if it is not there")
    where.add_argument("--replace", action="store_true", help="take out earlier archives that are not asked for")


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not 1 or more")
    return number


def port(text: str) -> int:
    number = int(text)
    if not 0 <= number < 1 << 16:
        raise argparse.ArgumentTypeError(f"{number} is no port: 0 to 65535, 0 for any that is free")
    return number


def not_negative(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is below 0")
    return number


def stage_flags(args: argparse.Namespace) -> dict[str, str | None]:
    return {name: value for name, value in vars(args).items() if "." in name}


def up_to_date(record: RunRecord, folder: str) -> bool:
    """Whether the folder already holds exactly this work. For its writer, who first ends what one before left."""
    generations.settle(folder)
    before = run_records.finished(folder)
    if before and before["fingerprint"] == record["fingerprint"]:
        events.found(folder, record, lambda: generations.required(folder).read_json(LEDGER))
        say(f"{record['stage']:8} up to date")
        return True
    return False


def say_done(stage: str, rows_in: int, rows_out: int, began: float, unit: str = "documents") -> None:
    seconds = time.monotonic() - began
    rate = rows_in / seconds if seconds else 0
    say(f"{stage:8} {rows_in:,} in, {rows_out:,} {unit} out ({seconds:.1f} s, {rate:,.0f}/s)")


def say_dropped(stage: str, account: Account) -> None:
    """Tells of the commonest reasons, where any document was dropped."""
    dropped = sorted(account["dropped"].items(), key=lambda entry: (-entry[1], entry[0]))
    if dropped:
        told = [f"{reason} {rows:,}" for reason, rows in dropped[:MOST_REASONS]]
        more = [f"and {len(dropped) - MOST_REASONS} more reasons"] if len(dropped) > MOST_REASONS else []
        say(f"{stage:8} dropped: {', '.join([*told, *more])}")


def say_failed(stage: str, account: Account, max_failed_text_share: float) -> None:
    """Tells of texts that the stage's code failed on, by step. Raises, as a bug does, when they are all texts or more
    than a few and that share: then it is no text's fault."""
    failed = {step: rows for reason, rows in account["dropped"].items() if (step := _failed_step(reason))}
    rows, rows_in = sum(failed.values()), account["rows_in"]
    if not rows:
        return
    by_step = ", ".join(f"{step} {count:,}" for step, count in failed.items())
    told = f"{rows:,} of {rows_in:,} texts failed ({by_step})"
    if rows == rows_in or rows > max(FEW, max_failed_text_share * rows_in):
        raise RuntimeError(
            f"{stage}: {told}: see the log for the first; max_failed_text_share = {max_failed_text_share:g}"
        )
    say(f"{stage:8} {told}: dropped as {FAILED}:STEP, the log has the first")


def _failed_step(reason: str) -> str:
    rule, _, step = reason.partition(":")
    return step if rule == FAILED else ""


def say(line: str) -> None:
    logs.say(line)


def run_body(body: JobBody, argv: Sequence[str] | None) -> int:
    """`pipeline.exit_status.run_to_exit_status`, which also knows what a task of the engine met."""
    logging.getLogger("py4j").setLevel(logging.ERROR)
    return run_to_exit_status(body, argv, _line_of_engine_failure)


def program(main: Callable[[], int]) -> NoReturn:
    """A job as a process of its own: runs it, ends its session in good order, exits with its status."""
    redact_traces()
    status = main()
    running = SparkSession.getActiveSession()
    if running and status != INTERRUPTED:  # Ctrl-C is for the JVM as well
        running.stop()
    sys.exit(status)


def _line_of_engine_failure(error: Exception) -> str | None:
    """What a task met and the user can mend, found in the engine's own long message."""
    if type(error).__module__.startswith(("botocore", "aiobotocore")):
        return f"{type(error).__name__}: {error}: check address and credentials"
    if not (isinstance(error, PySparkException) or type(error).__module__.startswith("py4j")):
        return None
    text = str(error)
    if match := re.search(r"^schemas\.errors\.UserError: (.+)$", text, re.M):  # raised in a task
        return match.group(1)
    if "No space left on device" in text or "Disk quota exceeded" in text:
        return "No space left on device: free space or choose another --root (and spark.local.dir)"
    if "Permission denied" in text:
        return "Permission denied: choose another --root that the executors may write to"
    running = SparkSession.getActiveSession()
    if running and not (running.sparkContext.master or "").startswith("local["):
        return executors.line_of(text)  # of one that came later, as with dynamic allocation
    return None
