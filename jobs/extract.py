"""Read archives and find the main text of every page.

spark-submit jobs/extract.py --input ARCHIVES --root ROOT [--engine ENGINE] [--config corpus.toml]

ARCHIVES: files, folders, a warc.paths[.gz] list (with --prefix), https:// or s3:// addresses; .warc .arc .wet, plain or
compressed. Of many, `--sample 0.01` takes a share by hash, `--limit N` the first N. Archives of earlier runs that are
not asked for stay, unless `--replace` says that they go.

In the place of --input, single records by Common Crawl's columnar index:

spark-submit jobs/extract.py --index INDEX --where "content_languages like 'swa%'" --prefix https://data.commoncrawl.org/
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from pyspark.sql import SparkSession

from pipeline.archive.manifest import Archive, manifest
from pipeline.config import ExtractConfig
from pipeline.fetching.permits import permits
from pipeline.flags import Parser, add_stage_flags, load, parse
from pipeline.keys import stage_keys
from pipeline.observed import logs
from pipeline.spark import job
from pipeline.spark.index_query import PLACES, IndexQuery, asked_archives, index_query
from pipeline.spark.session import LazySession, driver_address
from pipeline.spark.stage_cost import measured
from pipeline.spark.tasks import cheapest_runner
from pipeline.stages import extract, extract_totals
from pipeline.stages.extract_tasks import Part
from pipeline.stages.extract_totals import ArchiveFiles
from pipeline.store import generations, lease, run_records, storage
from pipeline.workers import watching
from pipeline.workers.tasks import TaskRunner
from schemas.errors import UserError
from schemas.records import Ledger, RunRecord

NEUTRAL = {  # change no row of an archive
    "prefix", "sample", "limit", "split_bytes", "max_connections", "range_gap_bytes", "range_bytes", "retries",
    "user_agent", "max_failed_share",
}  # fmt: skip


class TooManyFailed(UserError):
    """More archives than `max_failed_share` gave nothing."""


def run(
    engine: SparkSession | LazySession,
    settings: ExtractConfig,
    wanted: list[Archive] | IndexQuery,
    folder: str,
    replace: bool = False,
) -> RunRecord:
    """With `engine` a session that is to be started when it is needed, processes of this machine do on a local master
    what its tasks would.

    Archives of earlier runs that are not wanted stay and count, but with `replace`.
    """
    began = time.monotonic()
    config = settings.model_dump(mode="json")
    identity = {name: value for name, value in config.items() if name not in NEUTRAL}
    identity |= extract.lists(settings)
    of_index: dict[str, str] = {}
    if isinstance(wanted, IndexQuery):
        identity["where"] = wanted.where
        of_index["index"] = wanted.fingerprint()
        if not replace and (earlier := _answered(folder, identity, of_index)):
            return earlier
        archives = _asked_archives(engine, wanted, folder, _record(identity, [], of_index))
    else:
        archives = wanted
    record = _record(identity, archives, of_index)
    if _up_to_date(record, folder):
        return record
    run_tasks = cheapest_runner(engine)
    base = generations.current(folder)
    finished = extract_totals.in_generation(base) if base else {}
    other = {} if replace else extract_totals.others(run_tasks, finished, archives)
    others = list(other.values())
    if base and not _same_settings(base.record(), record):
        _refuse_other_settings(folder, others)
        base, finished = None, {}
    if others:
        record = _record(identity, [*archives, *others], of_index)
        if _up_to_date(record, folder):
            _say_others(others)
            return record
    with run_records.building(folder, record, resume=True) as building:
        begun = _begun(building)  # by a run that was interrupted
        paths = {archive.file_path for archive in others}
        stay = {} if replace else extract_totals.others(run_tasks, begun, archives)
        stay = {name: archive for name, archive in stay.items() if archive.file_path not in paths}
        others += stay.values()
        _say_others(others)
        record = _record(identity, [*archives, *others], of_index)
        asked = {extract.file_name(archive) for archive in archives}
        kept = _not_refused(run_tasks, {name: finished[name] for name in asked & set(finished)})
        kept |= {name: finished[name] for name in other}
        begun = {name: begun[name] for name in (asked - set(kept)) & set(begun)}
        own = _not_refused(run_tasks, begun)
        for name in set(begun) - set(own):
            storage.remove(begun[name].inputs)  # else its task would find it read
        done = asked & {*kept, *own}
        left = [archive for archive in archives if extract.file_name(archive) not in done]
        if done:
            job.say(f"extract  {len(archives) - len(left):,} of {len(archives):,} archives are done already")
        planned = extract.plan(run_tasks, left, settings)
        watching.planned_archives(len(archives), len(archives) - len(left))
        _read(engine, run_tasks, planned, settings, building)
        written = {extract.file_name(archive) for archive in left} | set(own) | set(stay)
        total = extract_totals.totals(run_tasks, [*kept.values(), *extract_totals.in_place(building, written).values()])
        if total.failed > settings.max_failed_share * total.archives:
            assert total.worst is not None
            if total.failed == total.archives:
                run_records.abandon(folder)
            raise TooManyFailed(
                f"{total.failed} of {total.archives} archives gave nothing, such as {total.worst.file_path} "
                f"({total.worst.status}: {total.worst.detail}): check --input (or --index, and --prefix), "
                "or raise max_failed_share"
            )
        for scratch in (extract.PARTS, PLACES):
            storage.remove(storage.join(building, scratch))
        ledger = Ledger(
            stage="extract",
            rows_in=total.records,
            rows_out=total.rows["documents"],
            dropped=dict(sorted(total.reasons.items())),
            by_language={},
            tables={name: total.rows[name] for name in sorted(extract.TABLES)},
        )
        if total.refused:  # a record of its own, so that the next run tries these again
            record["fingerprint"] = run_records.fingerprint([record["fingerprint"], sorted(total.refused)])
        tables = dict.fromkeys(extract.TABLES, sorted(written))
        gone = dict.fromkeys(extract.TABLES, sorted(set(finished) - set(kept) - written))
        stage_keys.write_keys(run_tasks, building, "extract", tables, record["fingerprint"])
        run_records.publish(folder, record, ledger, extract_totals.examples(total), tables, base, gone)
    job.say_done("extract", total.records, total.documents, began)
    return record


def _read(
    engine: SparkSession | LazySession,
    run_tasks: TaskRunner,
    planned: Sequence[Sequence[Part]],
    settings: ExtractConfig,
    building: str,
) -> None:
    """Reads what is planned."""
    fetched = any(not storage.is_local(part.archive.location) for parts in planned for part in parts)
    bound = permits(settings.max_connections, *driver_address(engine)) if fetched else nullcontext()
    with bound as source:
        extract.extract(run_tasks, planned, settings, building, source)


def _record(identity: dict[str, Any], archives: list[Archive], of_index: dict[str, str]) -> RunRecord:
    listed = sorted(  # a path is there once
        [archive.file_path, archive.size, *([archive.asked.digest] if archive.asked else [])] for archive in archives
    )
    inputs = {"archives": run_records.fingerprint(listed), **of_index}
    return run_records.make_record("extract", extract.VERSION, identity, inputs)


def _up_to_date(record: RunRecord, folder: str) -> bool:
    """Then nothing is left of the question, or of a run that was killed, either."""
    if not job.up_to_date(record, folder):
        return False
    if run_records.unfinished(folder):
        run_records.abandon(folder)
    return True


def _answered(folder: str, identity: dict[str, Any], of_index: dict[str, str]) -> RunRecord | None:
    """The record of a finished run that asked the same of the same index, and was refused nothing."""
    earlier = run_records.finished(folder)
    if earlier is None:
        return None
    inputs = {"archives": earlier["inputs"].get("archives", ""), **of_index}
    same = run_records.make_record("extract", extract.VERSION, identity, inputs)
    return same if job.up_to_date(same, folder) else None


def _asked_archives(
    engine: SparkSession | LazySession, query: IndexQuery, folder: str, record: RunRecord
) -> list[Archive]:
    """The archives of which the index names records, with their places in what is being built."""
    with run_records.building(folder, record, resume=True) as building:
        try:
            archives = asked_archives(engine, query, building)
        except UserError:
            if not storage.listing(storage.join(building, "inputs")):
                run_records.abandon(folder)
            raise
    records, size = (sum(getattr(archive.asked, name) for archive in archives) for name in ("records", "bytes"))
    job.say(f"extract  {records:,} records of {len(archives):,} archives are asked for, {size / 1e6:,.1f} MB")
    return archives


def _same_settings(earlier: RunRecord, record: RunRecord) -> bool:
    return (earlier["config"], earlier["stage_version"]) == (record["config"], record["stage_version"])


def _refuse_other_settings(folder: str, others: list[Archive]) -> None:
    """UserError where archives of earlier runs, read with other settings, would stay beside what is to be read now."""
    if others:
        raise UserError(
            f"{folder} holds {len(others):,} archives that are not asked for, such as {others[0].file_path}, read with "
            "other settings, another --where or by another version: ask for them too, or take them out with --replace"
        )


def _say_others(others: list[Archive]) -> None:
    if others:
        job.say(
            f"extract  {len(others):,} archives of earlier runs are there that are not asked for, such as "
            f"{others[0].file_path}: they stay (--replace takes them out)"
        )


def _not_refused(run_tasks: TaskRunner, archives: Mapping[str, ArchiveFiles]) -> dict[str, ArchiveFiles]:
    """Those that need not be read again."""
    refused = extract_totals.refused(run_tasks, archives.values())
    return {name: files for name, files in archives.items() if name not in refused}


def _begun(building: str) -> dict[str, ArchiveFiles]:
    """Archives that a run which was interrupted has finished."""
    return extract_totals.in_place(building, storage.listing(storage.join(building, "inputs")))


def inputs(args: argparse.Namespace, settings: ExtractConfig) -> list[Archive] | IndexQuery:
    """What `job.add_input_flags` name. UserError where that is nothing, or not there."""
    if args.index and args.input:
        raise UserError("--input and --index: give one of them, archives to read whole or an index of their records")
    if args.index:
        return index_query(args.index, args.where, settings)
    if args.where:
        raise UserError("--where chooses records of an index: name it with --index")
    if not args.input:
        raise UserError("give --input ARCHIVES, or --index INDEX")
    return manifest(args.input, settings.prefix, settings.limit, settings.sample)


def main(argv: list[str] | None = None) -> int:
    def body(argv: Sequence[str] | None) -> None:
        parser = Parser(prog="jobs/extract.py", allow_abbrev=False)
        job.add_input_flags(parser)
        job.add_common_flags(parser)
        add_stage_flags(parser, ["extract"])
        args = parse(parser, argv)
        settings = load(args.config, job.stage_flags(args)).extract
        wanted = inputs(args, settings)
        root = storage.absolute(args.root)
        engine = LazySession("wanyu extract", args.partitions)
        folder = storage.join(root, "extract")
        with job.observed(args, "extract", root), lease.held(root), logs.about("extract"):
            with measured("extract", folder, engine):
                run(engine, settings, wanted, folder, args.replace)
            generations.retire(folder, args.keep)

    return job.run_body(body, argv)


if __name__ == "__main__":
    job.program(main)
