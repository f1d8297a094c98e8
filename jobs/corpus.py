"""All stages in one go, from archives to shards and vocabulary. Run again, it goes on where it was.

spark-submit jobs/corpus.py --input ARCHIVES --root ROOT [--config corpus.toml] [--dedup.ngram-size 5]
"""

from collections.abc import Sequence

from jobs import clean, dedup, extract, sample, vocab
from pipeline.flags import Parser, add_stage_flags, load, parse
from pipeline.observed import logs
from pipeline.report.page import write_report
from pipeline.spark import job
from pipeline.spark.session import LazySession
from pipeline.spark.sources import stage_source
from pipeline.spark.stage_cost import measured
from pipeline.store import generations, lease, storage
from schemas.records import STAGES

RUNS = {"clean": clean.run, "dedup": dedup.run, "sample": sample.run, "vocab": vocab.run}


def body(argv: Sequence[str] | None) -> None:
    parser = Parser(prog="jobs/corpus.py", allow_abbrev=False)
    job.add_input_flags(parser)
    job.add_common_flags(parser)
    add_stage_flags(parser, STAGES)
    args = parse(parser, argv)
    config = load(args.config, job.stage_flags(args))
    wanted = extract.inputs(args, config.extract)
    root = storage.absolute(args.root)
    engine = LazySession("wanyu corpus", args.partitions)
    with job.observed(args, "corpus", root), lease.held(root):
        with logs.about("extract"), measured("extract", storage.join(root, "extract"), engine):
            extract.run(engine, config.extract, wanted, storage.join(root, "extract"), args.replace)
        generations.retire(storage.join(root, "extract"), args.keep)
        for stage, run in RUNS.items():
            folder = storage.join(root, stage)
            with logs.about(stage), measured(stage, folder, engine):
                run(engine, config, stage_source(root, stage), folder)
            generations.retire(folder, args.keep)
        job.say(f"report   {write_report(root)}")


def main(argv: Sequence[str] | None = None) -> int:
    return job.run_body(body, argv)


if __name__ == "__main__":
    job.program(main)
