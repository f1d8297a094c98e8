"""Fit the thresholds and stop words of languages from trusted texts, as a TOML file for [clean] thresholds.

spark-submit jobs/fit_thresholds.py --root ROOT --output FILE.toml [--trusted "url like '%wikipedia.org/%'"]
spark-submit jobs/fit_thresholds.py --input TABLE --output FILE.toml [--words-from TABLE] [--min-texts 20]
python jobs/fit_thresholds.py --from-fineweb2 FOLDER --output FILE.toml

A table has the columns id, text, language (ISO 639-3) and language_script (ISO 15924), and may have url (stop words
must come from most sites) and language_score (then min_language_score is fitted). How: pipeline/quality/fitting.py.
"""

import argparse
import logging
from collections.abc import Sequence

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import DataFrame, SparkSession

from pipeline.config import CleanConfig
from pipeline.flags import Parser, parse
from pipeline.quality import fitting, profile_toml, profiles
from pipeline.spark import job
from pipeline.spark.document_frame import columns_for_engine, document_frame
from pipeline.spark.session import session
from pipeline.spark.sources import files_of_table
from pipeline.stages import fit_thresholds
from pipeline.store import generations, run_records, storage
from pipeline.store.document_table import document_table
from schemas.errors import UserError


def fitted(spark: SparkSession, args: argparse.Namespace) -> str:
    """The TOML file's text. UserError names the table, its column or the flag that is wrong."""
    texts = fit_thresholds.sample(_trusted(_read(spark, args), args.trusted), args.most_texts)
    if args.words_from:
        more = _foreign(spark, args.words_from)
        texts = texts.unionByName(fit_thresholds.sample(more, args.most_texts * 10, only_words=True))
    signals, words = fit_thresholds.collected(fit_thresholds.measure(texts))
    limits = fitting.fit(signals, _defaults(), min_texts=args.min_texts, cut=args.cut)
    if not limits and not words:
        raise UserError(f"no language has {args.min_texts} texts; give more of them or a smaller --min-texts")
    count = sum(map(fitting.count, signals.values()))
    sections = profile_toml.merge(limits, {key: {profiles.STOP_WORDS: stop_words} for key, stop_words in words.items()})
    job.say(f"fit      {count:,} texts in {len(signals)} languages and scripts: {len(sections)} sections")
    return profile_toml.to_toml(
        sections,
        [
            *args.about,
            f"Fitted from {count:,} texts in {len(signals)} languages and scripts by jobs/fit_thresholds.py:",
            f"--min-texts {args.min_texts} --most-texts {args.most_texts} --cut {args.cut:g}. "
            "Method: pipeline/quality/fitting.py.",
        ],
    )


def from_fineweb2(place: str, about: Sequence[str]) -> str:
    """FineWeb-2's YAML files as our TOML. UserError names the file that is none."""
    fineweb2 = profiles.load(storage.absolute(place), CleanConfig.threshold_names())
    stop_words = {key: {profiles.STOP_WORDS: words} for key, words in fineweb2.stop_words.items()}
    sections = profile_toml.merge(fineweb2.thresholds, stop_words)
    job.say(f"fit      {len(sections)} sections from {place}")
    return profile_toml.to_toml(
        sections, [*about, "FineWeb-2's own values (github.com/huggingface/fineweb-2, configs)."]
    )


def _read(spark: SparkSession, args: argparse.Namespace) -> DataFrame:
    if args.root:
        folder = storage.join(storage.absolute(args.root), "clean")
        run_records.require(folder, "clean")
        files, verdicts = files_of_table(generations.required(folder), "documents")
        table = document_table(storage.join(folder, "documents"), "id", "text", listed=files, verdicts=verdicts)
        return document_frame(spark, table, columns_for_engine(table))
    return _foreign(spark, args.input)


def _foreign(spark: SparkSession, path: str) -> DataFrame:
    """Any Parquet table. UserError where a column is missing."""
    path = storage.absolute(path)
    if not storage.exists(path):
        raise UserError(f"{path}: no such table")
    table = document_table(path, "id", "text")
    names = table.files.schema.names
    for name in fit_thresholds.REQUIRED:
        if name not in names:
            raise UserError(f"{path} has no column {name!r}; it has {', '.join(names)}")
    return document_frame(spark, table, columns_for_engine(table))


def _trusted(documents: DataFrame, condition: str) -> DataFrame:
    if not condition:
        return documents
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)  # it would print the error a second time
    try:
        return documents.where(condition)
    except (AnalysisException, ParseException) as error:
        first = str(error).strip().splitlines()[0]
        raise UserError(f"--trusted {condition!r} is no condition over the table's columns: {first}") from None


def _defaults() -> dict[str, float]:
    return {name: float(CleanConfig.model_fields[name].default) for name in CleanConfig.threshold_names()}


def _share(text: str) -> float:
    number = float(text)
    if not 0 < number < 0.5:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 0.5")
    return number


def body(argv: Sequence[str] | None) -> None:
    parser = Parser(prog="jobs/fit_thresholds.py", allow_abbrev=False)
    parser.add_argument("--root", help="folder of a corpus: its clean/documents")
    parser.add_argument("--input", help="any Parquet table, instead of --root")
    parser.add_argument("--from-fineweb2", metavar="FOLDER", help="FineWeb-2's YAML files, to be turned into TOML")
    parser.add_argument("--output", required=True, metavar="FILE.toml", help="file to write, replaced as a whole")
    parser.add_argument("--trusted", default="", metavar="SQL", help="condition that good texts meet [all]")
    parser.add_argument("--words-from", metavar="TABLE", help="more texts, such as sentences, for stop words alone")
    parser.add_argument("--min-texts", type=job.positive, default=fitting.MIN_TEXTS, help="of a language [20]")
    parser.add_argument("--most-texts", type=job.positive, default=2000, help="sampled of a language [2000]")
    parser.add_argument("--cut", type=_share, default=fitting.CUT, help="share of good texts a family may drop [0.01]")
    parser.add_argument("--about", action="append", default=[], metavar="LINE", help="what the texts are, as a comment")
    parser.add_argument("--partitions", type=job.positive, help="shuffle partitions; results never depend on it")
    args = parse(parser, argv)
    if sum(map(bool, (args.root, args.input, args.from_fineweb2))) != 1:
        raise UserError("give one of --root ROOT, --input TABLE and --from-fineweb2 FOLDER")
    if not args.output.endswith(".toml"):
        raise UserError(f"--output {args.output}: name a file that ends in .toml")
    if args.from_fineweb2:
        text = from_fineweb2(args.from_fineweb2, args.about)
    else:
        text = fitted(session("wanyu fit_thresholds", args.partitions), args)
    storage.write_bytes(storage.absolute(args.output), text.encode())


def main(argv: Sequence[str] | None = None) -> int:
    return job.run_body(body, argv)


if __name__ == "__main__":
    job.program(main)
