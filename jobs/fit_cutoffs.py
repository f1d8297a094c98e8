"""Fit where head ends and tail begins in each language: cc_net's table of cutoffs, from a corpus's perplexities.

spark-submit jobs/fit_cutoffs.py --root ROOT --perplexity FOLDER [--where "drop_reason is null"] [--min-texts 1000]
spark-submit jobs/fit_cutoffs.py --input TABLE --perplexity FOLDER

ROOT is a corpus that was cleaned with `--perplexity FOLDER`, a TABLE any Parquet with the columns language (ISO 639-3)
and perplexity. FOLDER/cutoff.csv gets a row a percentile, 0 to 100, and a column a language, named as its model is; the
next run of clean with that folder puts documents into head, middle and tail by it.
"""

import argparse
import logging
from collections.abc import Sequence

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.flags import Parser, parse
from pipeline.scores import perplexity
from pipeline.spark import job
from pipeline.spark.document_frame import columns_for_engine, document_frame
from pipeline.spark.session import session
from pipeline.spark.sources import files_of_table
from pipeline.store import generations, run_records, storage
from pipeline.store.document_table import document_table
from schemas.errors import UserError

MIN_TEXTS = 1000  # below, a percentile moves by more than 3 from one sample to another (binomial, 95 %, at 30)
REQUIRED = ("language", "perplexity")


def cutoffs(documents: DataFrame, min_texts: int) -> dict[str, list[float]]:
    """Percentiles 0 to 100 of the perplexity by language, of those with so many texts, in the order of their names."""
    known = documents.select("language", F.col("perplexity").cast("double").alias("perplexity"))
    known = known.where(F.col("perplexity").isNotNull() & ~F.isnan("perplexity"))
    shares = F.array(*(F.lit(percentile / 100) for percentile in range(101)))
    rows = (
        known.groupBy("language")
        .agg(F.count("*").alias("n"), F.percentile("perplexity", shares).alias("found"))
        .where(F.col("n") >= min_texts)
        .orderBy("language")
        .collect()
    )
    return {row["language"]: list(row["found"]) for row in rows}


def _documents(spark: SparkSession, args: argparse.Namespace) -> DataFrame:
    """UserError names the table or column that is missing."""
    if args.root:
        folder = storage.join(storage.absolute(args.root), "clean")
        run_records.require(folder, "clean")
        files, verdicts = files_of_table(generations.required(folder), "documents")
        path = storage.join(folder, "documents")
        table = document_table(path, "id", "text", listed=files, verdicts=verdicts)
    else:
        path = storage.absolute(args.input)
        if not storage.exists(path):
            raise UserError(f"{path}: no such table")
        table = document_table(path, "id", "text")
    names = table.files.schema.names
    for name in REQUIRED:
        if name not in names:
            raise UserError(f"{path} has no column {name!r}; clean it with --perplexity {args.perplexity}")
    return document_frame(spark, table, columns_for_engine(table))


def _where(documents: DataFrame, condition: str) -> DataFrame:
    if not condition:
        return documents
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)  # it would print the error a second time
    try:
        return documents.where(condition)
    except (AnalysisException, ParseException) as error:
        first = str(error).strip().splitlines()[0]
        raise UserError(f"--where {condition!r} is no condition over the table's columns: {first}") from None


def body(argv: Sequence[str] | None) -> None:
    parser = Parser(prog="jobs/fit_cutoffs.py", allow_abbrev=False)
    parser.add_argument("--root", help="folder of a corpus: its clean/documents")
    parser.add_argument("--input", help="any Parquet table, instead of --root")
    parser.add_argument("--perplexity", required=True, metavar="FOLDER", help="language models; gets cutoff.csv")
    parser.add_argument("--where", default="", metavar="SQL", help="condition on the documents that count [all]")
    parser.add_argument("--min-texts", type=job.positive, default=MIN_TEXTS, help=f"of a language [{MIN_TEXTS}]")
    parser.add_argument("--partitions", type=job.positive, help="shuffle partitions; results never depend on it")
    args = parse(parser, argv)
    if bool(args.root) == bool(args.input):
        raise UserError("give one of --root ROOT and --input TABLE")
    stems = perplexity.stems(args.perplexity)
    documents = _where(_documents(session("wanyu fit_cutoffs", args.partitions), args), args.where)
    found = {name: values for name, values in cutoffs(documents, args.min_texts).items() if name in stems}
    if not found:
        raise UserError(f"no language has {args.min_texts} perplexities; give more texts or a smaller --min-texts")
    path = storage.join(storage.absolute(args.perplexity), perplexity.CUTOFFS)
    storage.write_bytes(path, perplexity.to_csv({stems[name]: values for name, values in found.items()}).encode())
    job.say(f"fit      {len(found)} languages: {path}")


def main(argv: Sequence[str] | None = None) -> int:
    return job.run_body(body, argv)


if __name__ == "__main__":
    job.program(main)
