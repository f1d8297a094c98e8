"""All stages in one go, from archives to shards and vocabulary. Run again, it goes on where it was.

spark-submit jobs/corpus.py --input ARCHIVES --root ROOT [--config corpus.toml] [--dedup.ngram-size 5]
"""

from collections.abc import Sequence

from jobs import clean, dedup, extract, sample, vocab
from pipeline import storage
from pipeline.archives import manifest
from pipeline.flags import Parser, add_stage_flags, load, parse
from pipeline.report.page import write_report
from pipeline.spark import command
from schemas.records import STAGES

RUNS = {"clean": clean.run, "dedup": dedup.run, "sample": sample.run, "vocab": vocab.run}


def body(argv: Sequence[str] | None) -> None:
    parser = Parser(prog="jobs/corpus.py", allow_abbrev=False)
    command.add_input_flags(parser)
    command.add_common_flags(parser)
    add_stage_flags(parser, STAGES)
    args = parse(parser, argv)
    config = load(args.config, command.stage_flags(args))
    archives = manifest(args.input, config.extract.prefix, config.extract.limit, config.extract.sample)
    root = storage.absolute(args.root)
    engine = command.Later("wanyu corpus", args.partitions)
    extract.run(engine, config.extract, archives, storage.join(root, "extract"))
    spark = engine.session()
    for stage, run in RUNS.items():
        run(spark, config, command.stage_source(root, stage), storage.join(root, stage))
    command.say(f"report   {write_report(root)}")


def main(argv: Sequence[str] | None = None) -> int:
    return command.run_body(body, argv)


if __name__ == "__main__":
    command.program(main)
