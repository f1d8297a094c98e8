"""All stages in one go, from archives to shards and vocabulary. Run again, it goes on where it was.

spark-submit jobs/corpus.py --input ARCHIVES --root ROOT [--config corpus.toml] [--dedup.ngram-size 5]
spark-submit jobs/corpus.py --input ARCHIVES --root ROOT --canary 0.01 [--compare OTHER_ROOT] [--drift FILE.toml]

--canary first takes this share of the archives, one at least, through all stages in ROOT/_canary. Where too many
archives fail, a stage keeps nothing or, with --compare, a figure has drifted from the other root, it ends there with
exit status 3, and the canary stays to be looked at. Else the canary goes, ROOT/canary.json keeps its counts, and the
rest runs, unless --canary-only. A canary that came back is not sent again with the same archives, config and
thresholds.
"""

import argparse
from collections.abc import Callable, Sequence
from importlib import import_module

from jobs import clean, dedup, extract, sample, vocab
from pipeline.archive.manifest import Archive
from pipeline.config import Config
from pipeline.drift import canary, thresholds
from pipeline.drift.figures import figures
from pipeline.drift.roots import compare_roots
from pipeline.flags import Parser, add_stage_flags, load, parse
from pipeline.observed import logs
from pipeline.report.page import write_report
from pipeline.spark import job
from pipeline.spark.index_query import IndexQuery
from pipeline.spark.session import LazySession
from pipeline.spark.sources import stage_source
from pipeline.spark.stage_cost import measured
from pipeline.store import generations, lease, storage
from schemas.errors import Drifted, UserError
from schemas.records import LEDGER, STAGES

RUNS = {"clean": clean.run, "dedup": dedup.run, "sample": sample.run, "vocab": vocab.run}

ALL_OF_IT = {"validation_share": 0.0, "min_documents": 1}  # of a canary, which may be too small to leave out any

Wanted = list[Archive] | IndexQuery


def run(
    engine: LazySession,
    config: Config,
    wanted: Wanted,
    root: str,
    replace: bool = False,
    keep: int = 0,
    ended: Callable[[str], None] = lambda stage: None,
) -> None:
    """All stages; `ended` is told each that has."""
    with logs.about("extract"), measured("extract", storage.join(root, "extract"), engine):
        extract.run(engine, config.extract, wanted, storage.join(root, "extract"), replace)
    generations.retire(storage.join(root, "extract"), keep)
    ended("extract")
    for stage, of_stage in RUNS.items():
        folder = storage.join(root, stage)
        with logs.about(stage), measured(stage, folder, engine):
            of_stage(engine, config, stage_source(root, stage), folder)
        generations.retire(folder, keep)
        ended(stage)


def send_canary(
    engine: LazySession, config: Config, wanted: Wanted, root: str, share: float, compare: str | None, drift: str
) -> None:
    """Drifted where it does not come back."""
    limits = thresholds.load(drift).widened()
    other = storage.absolute(compare) if compare else None
    against = {stage: record["fingerprint"] for stage, record in figures(other).records.items()} if other else {}
    few: Wanted
    if isinstance(wanted, IndexQuery):
        few = wanted._replace(sample=wanted.sample * share, at_least_one=True)
        inputs: object = [few.fingerprint(), few.where]
    else:
        few = canary.first(wanted, config.extract.sample, share)
        inputs = [[archive.file_path, archive.size] for archive in few]
    versions = {stage: import_module(f"pipeline.stages.{stage}").VERSION for stage in STAGES}
    told = canary.identity(inputs, config.model_dump(mode="json"), versions, [against, repr(limits)])
    if canary.passed(root, told):
        job.say("canary   came back before, for the same archives and config")
        return
    place = storage.join(root, canary.FOLDER)
    with lease.held(place):
        trouble = _trouble(engine, config, few, place)
        found = compare_roots(place, other, limits) if other and not trouble else None
        page = write_report(place, drift=found)
        if trouble:
            raise Drifted(f"canary: {trouble}; it stays in {place} to be looked at, see {page}")
        for line in found.lines() if found else ():
            job.say(f"canary   {line}")
        if found:
            found.require_no_drift(page)
        archives = len(generations.files(storage.join(place, "extract"), "inputs"))
        canary.write_record(root, told, archives, figures(place), found)
        canary.clear(place)
    job.say(f"canary   {archives:,} archives came back; {storage.join(root, canary.RECORD)} has their counts")


def _trouble(engine: LazySession, config: Config, few: Wanted, place: str) -> str:
    """Of a run of the canary, why the rest should not follow; empty where it may."""

    def ended(stage: str) -> None:
        ledger = generations.required(storage.join(place, stage)).read_json(LEDGER)
        if not ledger["rows_out"]:
            raise Drifted(f"{stage} keeps none of {ledger['rows_in']:,} rows")

    held_in = config.sample.model_copy(update=ALL_OF_IT)
    try:
        run(engine, config.model_copy(update={"sample": held_in}), few, place, replace=True, ended=ended)
    except extract.TooManyFailed as error:
        return str(error)
    except Drifted as error:
        return str(error)
    except UserError as error:
        if generations.current(storage.join(place, "sample")) is None:
            raise
        job.say(f"canary   without a vocabulary, for which it may be too small: {error}")
    return ""


def _share(text: str) -> float:
    share = float(text)
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"{text} is no share between 0 and 1")
    return share


def body(argv: Sequence[str] | None) -> None:
    parser = Parser(prog="jobs/corpus.py", allow_abbrev=False)
    job.add_input_flags(parser)
    job.add_common_flags(parser)
    before = parser.add_argument_group("before the rest")
    before.add_argument("--canary", type=_share, metavar="SHARE", help="of the archives, through all stages first")
    before.add_argument("--canary-only", action="store_true", help="end when it has come back")
    before.add_argument("--compare", metavar="OTHER_ROOT", help="hold the canary against this corpus")
    before.add_argument("--drift", metavar="FILE.toml", default="", help="thresholds in the place of the shipped ones")
    add_stage_flags(parser, STAGES)
    args = parse(parser, argv)
    if args.canary is None and (args.canary_only or args.compare or args.drift):
        raise UserError("--canary-only, --compare and --drift are of a canary: give its share, such as --canary 0.01")
    config = load(args.config, job.stage_flags(args))
    wanted = extract.inputs(args, config.extract)
    root = storage.absolute(args.root)
    engine = LazySession("wanyu corpus", args.partitions)
    with job.observed(args, "corpus", root):
        if args.canary is not None:
            send_canary(engine, config, wanted, root, args.canary, args.compare, args.drift)
            if args.canary_only:
                return
        with lease.held(root):
            run(engine, config, wanted, root, args.replace, args.keep)
            job.say(f"report   {write_report(root)}")


def main(argv: Sequence[str] | None = None) -> int:
    return job.run_body(body, argv)


if __name__ == "__main__":
    job.program(main)
