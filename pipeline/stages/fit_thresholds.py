"""fit_thresholds: stop words and signals of a sample of trusted texts, a row a language and script.

What is done with them is `pipeline.quality.fitting`. A sample is the first texts by hash of all that is read of them,
so that neither order nor partitions matter, even where ids are not unique.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from pipeline.quality.fitting import Key
from pipeline.quality.fitting_limits import SIGNALS_USED
from pipeline.quality.signals import StopWords, signal_columns
from pipeline.quality.stop_words import choose_stop_words, count_windows
from pipeline.spark import tables
from pipeline.words.words import words_of

REQUIRED = ("id", "text", "language", "language_script")
MEASURED = pa.schema(
    [
        ("language", pa.string()),
        ("language_script", pa.string()),
        ("stop_words", pa.list_(pa.string())),
        *((name, pa.list_(pa.float64())) for name in SIGNALS_USED),
    ]
)


def sample(documents: DataFrame, most: int, *, only_words: bool = False) -> DataFrame:
    """Up to `most` texts of each language and script, those with the smallest hash; `und` and texts without a letter
    are left out. `only_words`: they serve for stop words alone."""
    known = documents.where("language <> 'und' and language_script <> 'Zyyy' and text <> ''").select(
        "id",
        "text",
        F.coalesce("url", F.lit("")).alias("url") if "url" in documents.columns else F.lit("").alias("url"),
        "language",
        "language_script",
        (F.col("language_score") if "language_score" in documents.columns else F.lit(None))
        .cast("double")
        .alias("language_score"),
        F.lit(only_words).alias("only_words"),
    )
    # Rows that are equal in all of these are equal in all that is measured.
    told_apart = (F.col(name) for name in ("id", "text", "url", "language_score"))
    known = known.withColumn("place", tables.uniform(0, "fit_thresholds", *told_apart))
    counts = known.groupBy("language", "language_script").agg(F.count("*").alias("texts"))
    # A first cut without a sort: twice what is wanted is as good as sure to hold it.
    few = known.join(F.broadcast(counts), ["language", "language_script"])
    few = few.where(F.col("place") * F.col("texts") < 2 * most + 100).drop("texts")
    by_language = Window.partitionBy("language", "language_script").orderBy("place")
    return few.withColumn("rank", F.row_number().over(by_language)).where(F.col("rank") <= most).drop("rank")


def measure(sampled: DataFrame) -> DataFrame:
    """Rows of MEASURED, one a language and script: its stop words, and each signal of all its texts."""
    groups = sampled.groupBy("language", "language_script")
    return groups.applyInArrow(of_language, tables.spark_schema(MEASURED))


def of_language(texts: pa.Table) -> pa.Table:
    """A row of MEASURED from the sampled texts of one language and script, in whatever order."""
    texts = texts.sort_by([("only_words", "ascending"), ("place", "ascending")])
    language, script = texts.column("language")[0].as_py(), texts.column("language_script")[0].as_py()
    pairs = (
        (_site(url), text) for url, text in zip(*(texts.column(n).to_pylist() for n in ("url", "text")), strict=True)
    )
    stop_words = choose_stop_words(count_windows(pairs), script)
    whole = texts.filter(pc.invert(texts.column("only_words")))
    row: dict[str, object] = {"language": language, "language_script": script, "stop_words": list(stop_words)}
    batch = whole.column("text").combine_chunks()
    batch = batch if isinstance(batch, pa.Array) else pa.concat_arrays(batch.chunks)
    lists = StopWords({f"{language}_{script}": stop_words} if stop_words else {})
    columns = signal_columns(batch, words_of(batch), [language] * len(batch), [script] * len(batch), lists)
    columns["language_score"] = whole.column("language_score").combine_chunks()
    for name in SIGNALS_USED:
        row[name] = columns[name].to_pylist()
    return pa.Table.from_pylist([row], schema=MEASURED)


def _site(url: str) -> str:
    """What a text came from: the host of its address."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def collected(measured: DataFrame) -> tuple[dict[Key, Mapping[str, np.ndarray]], dict[str, tuple[str, ...]]]:
    """Signals by language and script, and stop words by `language_Script`. About 250 bytes a sampled text."""
    signals: dict[Key, Mapping[str, np.ndarray]] = {}
    words: dict[str, tuple[str, ...]] = {}
    for row in measured.toLocalIterator():
        key = row["language"], row["language_script"]
        signals[key] = {name: np.array(row[name], np.float64) for name in SIGNALS_USED}
        if row["stop_words"]:
            words["_".join(key)] = tuple(row["stop_words"])
    return signals, words
