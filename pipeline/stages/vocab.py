"""vocab: the sentences that the shared vocabulary is learnt from, a temperature-weighted sample in a fixed order."""

from collections.abc import Mapping

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from pipeline.config import VocabConfig
from pipeline.mixture.temperature import epochs
from pipeline.spark.tables import label, lookup, uniform

VERSION = 1
REQUIRED = ("id", "text", "language", "language_script")

# A break after a sentence's end: the marks, closing quotes and brackets, then the break itself. Full-width marks need
# no space, but no digit may follow, for a full-width stop is a decimal point too. Languages without such marks (Thai,
# Lao, Khmer in part) break at lines only.
_BREAK = "|".join(
    (
        r"\n+",
        r"(?<=[.!?\u061F\u06D4\u0964\u0965\u1362\u1367\u2026][\"'\u00BB\u2019\u201D)\]]{0,2})[ \t]+",
        r"(?<=[\u3002\uFF01\uFF1F\uFF0E][\u300D\u300F\u201D\uFF09]{0,2})"
        r"(?![\u3002\uFF01\uFF1F\uFF0E\u300D\u300F\u201D\uFF09]|(?<=\uFF0E)[\uFF10-\uFF19])",
    )
)


def sentences(documents: DataFrame) -> DataFrame:
    """Every sentence of the documents: id, position, text, language, language_script, n_bytes."""
    split = documents.select(
        "id", "language", "language_script", F.posexplode(F.split("text", _BREAK)).alias("position", "sentence")
    )
    text = F.trim("sentence", F.lit(" \t\u00a0\u3000"))
    return split.select(
        "id",
        "position",
        text.alias("text"),
        "language",
        "language_script",
        F.octet_length(text).alias("n_bytes"),
    ).where(F.length("text") > 0)


def sizes(split_texts: DataFrame) -> dict[str, int]:
    """Bytes of sentences by `eng_Latn`."""
    rows = split_texts.groupBy(label(split_texts).alias("label")).agg(F.sum("n_bytes").alias("bytes")).collect()
    return {row["label"]: int(row["bytes"]) for row in rows}


def shares(sizes: Mapping[str, int], config: VocabConfig) -> dict[str, float]:
    """The share of each language's sentences to take, 0 to 1. `sizes`: bytes of sentences by `eng_Latn`."""
    total = min(config.sample_bytes, sum(sizes.values()))
    return epochs(sizes, config.temperature, 1.0, total) if total else {}


def choose(split_texts: DataFrame, taken: Mapping[str, float], config: VocabConfig) -> DataFrame:
    """Adds `drop_reason`: null, or `not_sampled` past the language's share, a threshold on the sentence's hash."""
    if not taken:
        return split_texts.withColumn("drop_reason", F.lit(None).cast("string"))
    share = F.coalesce(lookup(taken, "double")[label(split_texts)], F.lit(0.0))
    past = uniform(config.seed, "sentence", F.col("id"), F.col("position")) >= share
    return split_texts.withColumn("drop_reason", F.when(past, "not_sampled"))


def in_order(chosen: DataFrame, config: VocabConfig) -> DataFrame:
    """The kept sentences in the order of their hash: the order is part of what SentencePiece learns from."""
    order = uniform(config.seed, "order", F.col("id"), F.col("position"))
    kept = chosen.where(F.col("drop_reason").isNull())
    return kept.orderBy(order, "id", "position").select("text", "language", "language_script")


def some_of_each(documents: DataFrame, count: int) -> DataFrame:
    """Columns label and text: at most `count` documents a language, the first by hash of their id."""
    rank = F.row_number().over(Window.partitionBy("label").orderBy(uniform(0, "report", F.col("id")), "id"))
    few = documents.select("id", label(documents).alias("label")).withColumn("rank", rank).where(F.col("rank") <= count)
    texts = documents.select("id", "text").where(F.col("text").isNotNull())
    return texts.join(F.broadcast(few), "id").orderBy("label", "rank").select("label", "text")
