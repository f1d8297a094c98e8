"""Paragraphs counted by the engine: the same bytes as those of a small table, which other tests hold against sets."""

import functools
import re
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from shared_paragraphs import make, web

from pipeline.repeats import paragraph_counts
from pipeline.repeats.paragraph_counts import OCCURRENCES
from pipeline.spark.tables import spark_schema
from pipeline.stages.repeats import repeated_paragraphs


def test_the_engine_writes_the_same_bytes(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paragraph_counts, "ROWS_A_BUCKET", 40)
    cut = functools.partial(_cut, spark=spark)
    before = make(tmp_path / "before", web(2, 40))
    small = make(tmp_path / "small", web(1), before, min_paragraph_pages=4)
    large = make(tmp_path / "large", web(1), before, files=8, order=1, cut=cut, min_paragraph_pages=4)
    assert large.digests == small.digests and large.documents == small.documents
    assert any(row["cut_paragraphs"] for row in large.documents.values())


def _cut(*given: object, spark: SparkSession) -> object:
    table, config, crawls, paths, run_tasks = given
    return repeated_paragraphs.cut_paragraphs(spark, run_tasks, table, config, crawls, paths)  # type: ignore[arg-type]


def test_tables_of_nothing(spark: SparkSession, tmp_path: Path) -> None:
    cut = functools.partial(_cut, spark=spark)
    rows = [{"id": "1", "url": None, "text": None}]
    made = [make(tmp_path / name, rows, **way) for name, way in {"small": {}, "large": {"cut": cut}}.items()]
    assert made[0].digests == made[1].digests and made[0].documents == made[1].documents


def test_what_is_shuffled_to_count(spark: SparkSession) -> None:
    """The hashes, once."""
    here = spark.createDataFrame([], spark_schema(OCCURRENCES))
    plan = repeated_paragraphs._counts(here)._jdf.queryExecution().executedPlan().toString()  # type: ignore[operator]
    keys = re.findall(r"Exchange hashpartitioning\(([^)]*)\)", re.sub(r"#\d+L?", "", plan))
    assert [key.split(", ")[0] for key in keys] == ["paragraph"]
