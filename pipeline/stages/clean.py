"""clean: annotate every document (repair, language, signals, masks), then decide by expressions over the annotations.

Deciding reads signals only: with other thresholds it runs again on the annotated table, and nothing else does.
"""

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipeline.config import CleanConfig
from pipeline.spark import tables
from pipeline.text.language import Identifier
from pipeline.text.privacy import mask
from pipeline.text.quality import SIGNALS, signals
from pipeline.text.repair import repair
from pipeline.text.rules import RULES
from schemas.clean import IDENTITY

VERSION = 1
REQUIRED = ("id", "text")
ANNOTATED = pa.schema([*IDENTITY, *((name, kind) for name, kind, _ in SIGNALS)])
PASSED_ON = ("id", "text", "url", "date", "dump", "file_path")  # text is replaced


@functools.cache
def _identifier(model: str) -> Identifier:
    """Loaded once a worker."""
    return Identifier(model or None)


def annotate(documents: DataFrame, config: CleanConfig) -> DataFrame:
    """Rows of ANNOTATED, one a document: repaired and masked text, language, signals."""
    model = config.model

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield _annotate(batch, _identifier(model))

    return documents.select(*PASSED_ON).mapInArrow(run, tables.spark_schema(ANNOTATED))


def _annotate(batch: pa.RecordBatch, identifier: Identifier) -> pa.RecordBatch:
    """Signals are those of the text as it is kept: repaired and masked."""
    masked = [mask(repair(text or "")) for text in batch.column("text").to_pylist()]
    texts = [one.text for one in masked]
    found = identifier.identify(texts)
    columns: dict[str, Any] = {name: batch.column(name) for name in PASSED_ON}
    columns["text"] = texts
    for name in ("language", "language_score", "language_script", "top_langs"):
        columns[name] = [getattr(one, name) for one in found]
    columns["n_emails"] = [one.n_emails for one in masked]
    columns["n_ips"] = [one.n_ips for one in masked]
    rows = [signals(text, one.language, one.language_script) for text, one in zip(texts, found, strict=True)]
    for name, _, _ in SIGNALS:
        columns[name] = [row[name] for row in rows]
    arrays = [_as_array(columns[field.name], field.type) for field in ANNOTATED]
    return pa.RecordBatch.from_arrays(arrays, schema=ANNOTATED)


def _as_array(values: Any, kind: pa.DataType) -> pa.Array:
    return values.cast(kind) if isinstance(values, pa.Array) else pa.array(values, kind)


def decide(annotated: DataFrame, config: CleanConfig) -> DataFrame:
    """Adds `drop_reason`: the first rule that fires, in the order of schemas.clean.REASONS, or null."""
    verdict = F.when(F.length("text") == 0, "empty").when(F.col("language") == "und", "language:und")
    if config.languages:
        verdict = verdict.when(~F.col("language").isin(*config.languages), "language:not_selected")
    verdict = verdict.when(F.col("language_score") < threshold("min_language_score", config), "language:score")
    for rule in RULES:
        if rule.family in config.rules:
            signal, limit = F.col(rule.signal), threshold(rule.threshold, config)
            verdict = verdict.when(signal < limit if rule.compare == "<" else signal > limit, rule.reason)
    return annotated.withColumn("drop_reason", verdict.otherwise(F.lit(None).cast("string")))


def threshold(name: str, config: CleanConfig) -> Column:
    """The threshold that holds for a row: of its language and script, else its language, else its script, else all."""
    default = F.lit(float(getattr(config, name)))
    special: Mapping[str, float] = {key: v[name] for key, v in config.by_language.items() if name in v}
    if not special:
        return default
    values = tables.lookup({key: float(value) for key, value in special.items()}, "double")
    label = F.concat_ws("_", "language", "language_script")
    return F.coalesce(values[label], values[F.col("language")], values[F.col("language_script")], default)
