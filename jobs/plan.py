"""What a corpus will take, before it is made: a sample of its archives goes through all stages and is measured.

spark-submit jobs/plan.py --input ARCHIVES [--sample 0.001] [--cores 400] [--prices FILE.toml] [--output plan.json]
spark-submit jobs/plan.py --actual ROOT --plan plan.json     estimate beside measured, of a finished root

With the flags and the --config of jobs/corpus.py, of which the plan is. The whole is all of --input, or its first
--limit; the sample is whole archives by a hash of their names, or parts of one where that would be none.
"""

import argparse
import contextlib
import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numba

from jobs import extract
from jobs.corpus import RUNS
from pipeline.archive.fetch import FetchError
from pipeline.archive.manifest import Archive, manifest
from pipeline.config import Config
from pipeline.costs import usage
from pipeline.duplicates.earlier_crawls import earlier_crawls
from pipeline.estimates import actual, counts, pieces
from pipeline.estimates.intervals import Estimates, Whole, estimates
from pipeline.estimates.observed import Engine, Observed, observed, tables_of
from pipeline.estimates.prices import prices
from pipeline.estimates.sizes import Size, size_of
from pipeline.estimates.whole import Machines, Runs, model
from pipeline.estimates.words import comparison_lines, plan_lines, size
from pipeline.flags import Parser, add_stage_flags, load, parse
from pipeline.spark import job
from pipeline.spark.session import LazySession, local_cores
from pipeline.spark.sources import stage_source
from pipeline.spark.stage_cost import engine_use, last_engine_stage, measured
from pipeline.stages.extract import file_name
from pipeline.store import generations, lease, storage
from schemas.costs import COST
from schemas.errors import UserError
from schemas.records import LEDGER, STAGES

SAMPLE = 0.001
Run = dict[str, Observed]  # by stage, as far as the run has come


def plan(args: argparse.Namespace, config: Config) -> None:
    cost = prices(args.prices)
    settings = config.extract
    archives = manifest(args.input, settings.prefix, settings.limit)
    share = SAMPLE if getattr(args, "extract.sample") is None else settings.sample
    taken = pieces.chosen(archives, share)
    whole = size_of(archives, {one.file_path for one in taken})
    engine = LazySession("wanyu plan", args.partitions)
    with _work(args.work) as work, tempfile.TemporaryDirectory(dir=storage.scratch_folder()) as parts:
        sample, tiny = _pieces(taken, whole, share, parts)
        job.say(
            f"plan     {len(archives):,} archives, {size(whole.bytes)}; measured are {len(sample):,}, "
            f"{size(sum(one.size or 0 for one in sample))}"
        )
        runs, root = _measured(engine, config, sample, tiny, whole, work)
        found, machines = _estimated(args, config, runs, sample, whole, root, cost)
    for line in ["", *plan_lines(found, cost, args.cores)]:
        job.say(line)
    if args.output:
        path = storage.absolute(args.output)
        told = {"version": actual.VERSION, "archives": len(archives), "cores": args.cores, "sample": share,
                "measured": [one.file_path for one in sample], "on_cores": machines.here, "prices": cost._asdict(),
                "stages": found}  # fmt: skip
        storage.write_json(path, told)
        job.say(f"{path} has it all: jobs/plan.py --actual ROOT --plan {args.output} compares")


def _pieces(taken: list[Archive], whole: Size, share: float, folder: str) -> tuple[list[Archive], Archive | None]:
    """The sample, and a piece that is tiny: of what is one archive parts, about as large as the share says."""
    sized = [one._replace(size=whole.known[one.file_path]) for one in taken if one.file_path in whole.known]
    try:
        if len(sized) == 1:
            most = max(pieces.LEAST_BYTES, round(share * whole.bytes))
            cut = pieces.parts_of(sized[0], most, pieces.PARTS, folder)
            sized = cut if len(cut) > 1 else sized
        least = min(one.size or 0 for one in sized)
        tiny = pieces.parts_of(sized[0], min(pieces.TINY_BYTES, round(pieces.TINY_SHARE * least)), 1, folder)
    except FetchError as error:
        raise UserError(f"{error}: check --input and --prefix") from None
    found = tiny[0]._replace(file_path=f"tiny-{tiny[0].file_path}") if tiny else None
    return sized, found if found and (found.size or 0) < least / 2 else None


def _measured(
    engine: LazySession, config: Config, sample: list[Archive], tiny: Archive | None, whole: Size, work: str
) -> tuple[dict[str, Run], str]:
    """Runs by name, and the root that has the whole sample in it."""
    half = sample[: len(sample) // 2]
    asked = [(name, [tiny], name) for name in ("cold", "tiny") if tiny]
    asked += [("half", half, "sample")] if half else []
    asked += [("sample", sample, "sample")]
    runs: dict[str, Run] = {}
    compiled = _compiled()
    for number, (name, archives, root) in enumerate(asked, 1):
        told = f"plan     run {number} of {len(asked)}, {size(sum(one.size or 0 for one in archives))}"
        runs[name], refused = _run(engine, config, archives, storage.join(work, root), whole, tiny in archives)
        seconds = ", ".join(f"{stage} {run.cost['seconds']:.1f} s" for stage, run in runs[name].items())
        job.say(f"{told}: {seconds}" + (f"; then: {refused}" if refused and tiny not in archives else ""))
        if name == "cold" and _compiled() > compiled:
            job.say("plan     kernels were compiled: once a machine, and not counted")
            del runs[name]
        if refused and name == "sample":
            raise UserError(f"the sample does not come through all stages ({refused}): take a larger --sample")
    return runs, storage.join(work, "sample")


def _compiled() -> int:
    """Kernels in this machine's cache."""
    folder = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    return sum(1 for _ in Path(folder).rglob("*.nbc")) if folder else 0


def _run(
    engine: LazySession, config: Config, archives: list[Archive], root: str, whole: Size, tiny: bool
) -> tuple[Run, UserError | None]:
    """All stages, with what they say to themselves; how far they came where the archives are too few for one."""
    run: Run = {}
    read = sum(one.size or 0 for one in archives) - _read_before(root, archives)
    few = {"budget": None, "min_documents": 1} | ({"validation_share": 0.0} if tiny else {})
    settings = config.model_copy(update={"sample": config.sample.model_copy(update=few)})
    try:
        for stage in STAGES:
            folder, calls, seen = storage.join(root, stage), len(usage.calls), last_engine_stage()
            if stage == "dedup" and _beyond_one_task(config, root, archives, whole):
                dedup = settings.dedup.model_copy(update={"one_task_documents": 0})
                settings = settings.model_copy(update={"dedup": dedup})
            with contextlib.redirect_stdout(io.StringIO()), lease.held(root), measured(stage, folder, engine):
                if stage == STAGES[0]:
                    extract.run(engine, settings.extract, archives, folder)
                else:
                    RUNS[stage](engine, settings, stage_source(root, stage), folder)
            generations.retire(folder)
            used, now = engine_use(seen), generations.required(folder)
            x = float(read) if stage == STAGES[0] else _work_of(stage, root, config)
            told = Engine(used.busy_seconds, used.shuffled)
            texts = float(_ledger(root, stage)["rows_out"]) if stage == "dedup" else 0.0
            run[stage] = observed(x, texts, now.read_json(COST), usage.calls[calls:], told, tables_of(folder))
    except UserError as error:
        return run, error
    return run, None


def _read_before(root: str, archives: Sequence[Archive]) -> int:
    """Bytes of those that are in the root already."""
    now = generations.current(storage.join(root, "extract"))
    there = now.files("inputs") if now else {}
    return sum(one.size or 0 for one in archives if file_name(one) in there)


def _ledger(root: str, stage: str) -> Mapping[str, Any]:
    told: Mapping[str, Any] = generations.required(storage.join(root, stage)).read_json(LEDGER)
    return told


def _work_of(stage: str, root: str, config: Config) -> float:
    if stage != "vocab":
        return float(_ledger(root, stage)["rows_in"])
    return counts.drawn_bytes(counts.languages_of(root), 1.0, config)


def _beyond_one_task(config: Config, root: str, archives: Sequence[Archive], whole: Size) -> bool:
    """Whether the whole will be shuffled, so that the sample has to be, too."""
    earlier = [crawl.n_signatures for crawl in earlier_crawls(tuple(map(storage.absolute, config.dedup.against)))]
    share = sum(one.size or 0 for one in archives) / whole.bytes
    rows = _ledger(root, "clean")["rows_out"] / share + sum(rows or 0 for rows in earlier)
    return None in earlier or rows > config.dedup.one_task_documents


def _estimated(
    args: argparse.Namespace, config: Config, runs: Mapping[str, Run], sample: Sequence[Archive], whole: Size,
    root: str, cost: Any,
) -> tuple[Estimates, Machines]:  # fmt: skip
    found = counts.sample_of(root, {one.file_path: one.size or 0 for one in sample})
    larger = [runs[name] for name in ("half", "sample") if name in runs]
    small = [runs.get(name, {}) for name in ("cold", "tiny")]
    models = {
        stage: model(
            stage,
            Runs(small[0].get(stage), small[1].get(stage), [run[stage] for run in larger if stage in run]),
        )
        for stage in STAGES
    }
    machines = Machines(args.cores, runs["sample"]["extract"].cost["cores"])
    archives = whole.bytes / (sum(one.size or 0 for one in sample) / len(sample))
    return estimates(models, found, Whole(archives, whole.bytes, whole.deviation), machines, cost, config), machines


@contextlib.contextmanager
def _work(given: str | None) -> Iterator[str]:
    """A folder that is gone afterwards. UserError where the engine's machines would not see it."""
    if given is None:
        if local_cores() is None:
            raise UserError("--work FOLDER: name one that all machines of the cluster reach, for the sample's corpus")
        with tempfile.TemporaryDirectory(prefix="plan-", dir=storage.scratch_folder()) as folder:
            yield folder
        return
    folder = storage.absolute(given)
    if storage.listing(folder, hidden=True):
        raise UserError(f"--work {given}: there are files in it: name a new folder")
    try:
        yield folder
    finally:
        storage.remove(folder)


def compare(args: argparse.Namespace) -> None:
    if not (args.actual and args.plan):
        raise UserError("give --actual ROOT and --plan FILE.json together, or --input ARCHIVES for a new plan")
    told, root = actual.read_plan(storage.absolute(args.plan)), storage.absolute(args.actual)
    costs = actual.costs_of(root)
    for line in comparison_lines(actual.compared(told, costs, not storage.is_local(root))):
        job.say(line)
    if (ran := max(one["cores"] for one in costs.values())) != told["cores"]:
        job.say(f"planned for {told['cores']:,} cores, run on {ran:,}: compare CPU, not time")


def body(argv: Sequence[str] | None) -> None:
    parser = Parser(prog="jobs/plan.py", allow_abbrev=False)
    where = parser.add_argument_group("where")
    where.add_argument("--input", nargs="+", help="archives, as jobs/corpus.py takes them")
    where.add_argument("--output", metavar="FILE.json", help="where the plan is written, for --actual")
    where.add_argument("--work", metavar="FOLDER", help="new, for the sample's corpus [a temporary one]")
    where.add_argument("--actual", metavar="ROOT", help="a finished corpus, to be compared with --plan")
    where.add_argument("--plan", metavar="FILE.json", help="of --output")
    whole = parser.add_argument_group("the whole")
    whole.add_argument("--cores", type=job.positive, default=400, help="that it will run on [400]")
    whole.add_argument("--prices", metavar="FILE.toml", help="[pipeline/estimates/prices.toml]")
    job.add_common_flags(parser)
    add_stage_flags(parser, STAGES)
    args = parse(parser, argv)
    if args.actual or args.plan:
        compare(args)
    elif args.input:
        plan(args, load(args.config, job.stage_flags(args)))
    else:
        raise UserError("give --input ARCHIVES, or --actual ROOT with --plan FILE.json")


def main(argv: Sequence[str] | None = None) -> int:
    return job.run_body(body, argv)


if __name__ == "__main__":
    job.program(main)
