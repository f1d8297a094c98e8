from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.errors import PythonException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.spark import tables
from pipeline.spark.table_tasks import Part, dealt, reader
from pipeline.store.ledger import ledger as ledger_of
from pipeline.store.ledger import totals
from schemas.errors import UserError
from schemas.records import unbalanced

COLUMNS = "id string, url string, language string, language_script string, text string, drop_reason string"


def rows(spark: SparkSession, *given: tuple[Any, ...]) -> DataFrame:
    return spark.createDataFrame(list(given), COLUMNS)


@pytest.fixture(scope="module")
def corpus(spark: SparkSession) -> Iterator[DataFrame]:
    """300 kept, 200 empty and 3 too short."""
    kinds = [None] * 300 + ["empty"] * 200 + ["short"] * 3
    made = rows(
        spark, *((f"id-{i}", f"u{i}", "eng", "Latn", f"text {i} " + "x" * 900, kind) for i, kind in enumerate(kinds))
    )
    yield made.cache()
    made.unpersist()


def test_read_names_what_is_missing(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="gone: no such table"):
        tables.read(spark, str(tmp_path / "gone"), [])
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "a.csv").write_text("a")
    (tmp_path / "none" / "_b.parquet").write_text("a")
    with pytest.raises(UserError, match="no Parquet file in it"):
        tables.read(spark, str(tmp_path / "none"), [])
    tables.write(spark.range(3), str(tmp_path / "numbers"))
    with pytest.raises(UserError, match="has no column 'text'; it has id"):
        tables.read(spark, str(tmp_path / "numbers"), ["id", "text"])


def test_read_takes_a_file_and_a_deep_folder(spark: SparkSession, tmp_path: Path) -> None:
    deep = tmp_path / "data" / "language=eng"
    deep.mkdir(parents=True)
    pq.write_table(pa.table({"id": ["a", "b"]}), deep / "x.parquet")
    pq.write_table(pa.table({"id": ["c"]}), tmp_path / "data" / "y.parquet")
    assert tables.read(spark, str(deep / "x.parquet"), ["id"]).count() == 2
    whole = tables.read(spark, str(tmp_path / "data"), ["id"])
    assert whole.columns == ["id"]  # a folder's name is no column
    assert sorted(row["id"] for row in whole.collect()) == ["a", "b", "c"]


def test_written_row_groups_are_small(spark: SparkSession, tmp_path: Path) -> None:
    tables.write(spark.range(5000).coalesce(1), str(tmp_path / "t"))
    (file,) = (tmp_path / "t").glob("*.parquet")
    metadata = pq.ParquetFile(file).metadata
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    assert max(group.num_rows for group in groups) <= tables.ROW_GROUP_ROWS
    assert sum(group.num_rows for group in groups) == 5000
    assert groups[0].column(0).compression == "ZSTD"
    tables.write(spark.range(1), str(tmp_path / "t"))
    assert tables.written(spark, str(tmp_path / "t")).count() == 1  # the whole folder is new


def test_an_empty_table_keeps_its_columns(spark: SparkSession, tmp_path: Path) -> None:
    tables.write(rows(spark).distinct(), str(tmp_path / "t"))
    back = tables.written(spark, str(tmp_path / "t"))
    assert (back.count(), back.columns) == (0, rows(spark).columns)


def test_counts_and_ledger(spark: SparkSession) -> None:
    table = rows(
        spark,
        ("a", "", "eng", "Latn", "", None),
        ("b", "", "eng", "Latn", "", "empty"),
        ("c", "", "eng", "Latn", "", "empty"),
        ("d", "", "srp", "Cyrl", "", None),
        ("e", "", "srp", "Latn", "", "short"),
        ("f", "", None, None, "", None),
    )
    counts = tables.count_reasons(table)
    assert counts == {
        "eng_Latn": {None: 1, "empty": 2},
        "srp_Cyrl": {None: 1},
        "srp_Latn": {"short": 1},
        "und_Zyyy": {None: 1},
    }
    assert totals(counts) == {None: 3, "empty": 2, "short": 1}
    ledger = ledger_of("clean", 6, counts, {"documents": 6})
    assert (ledger["rows_in"], ledger["rows_out"], ledger["dropped"]) == (6, 3, {"empty": 2, "short": 1})
    assert ledger["by_language"]["eng_Latn"] == {"rows_in": 3, "rows_out": 1, "dropped": {"empty": 2}}
    assert unbalanced(ledger) == 0
    assert unbalanced(ledger_of("clean", 7, counts, {})) == 1  # what went in is counted apart
    assert tables.count_reasons(table.select("id")) == {"und_Zyyy": {None: 6}}


def test_lookup(spark: SparkSession) -> None:
    keys = spark.createDataFrame([("a",), ("b",), (None,)], "key string")
    values = tables.lookup({"b": 2, "a": 0.5}, "double")
    assert [row[0] for row in keys.select(values[F.col("key")]).collect()] == [0.5, 2.0, None]
    nothing = tables.lookup({}, "double")
    assert [row[0] for row in keys.select(nothing[F.col("key")]).collect()] == [None] * 3


def test_uniform_is_uniform_and_depends_on_seed_and_salt(spark: SparkSession) -> None:
    ids = spark.range(20000).select(F.concat(F.lit("id-"), "id").alias("id"))
    draws = ids.select(
        *(tables.uniform(seed, salt, F.col("id")) for seed, salt in ((0, "a"), (1, "a"), (0, "b"), (1 << 62, "a")))
    )
    columns = list(zip(*draws.collect(), strict=True))
    for column in columns:
        assert min(column) >= 0 and max(column) < 1
        tenths = Counter(int(value * 10) for value in column)
        assert all(abs(tenths[i] - 2000) < 5 * (20000 * 0.1 * 0.9) ** 0.5 for i in range(10))
    for i, first in enumerate(columns):
        for second in columns[i + 1 :]:
            both = sum(a < 0.5 and b < 0.5 for a, b in zip(first, second, strict=True))
            assert abs(both - 5000) < 5 * (20000 * 0.25 * 0.75) ** 0.5  # independent


def test_uniform_is_the_same_everywhere(spark: SparkSession) -> None:
    """The values are part of every shard's bytes: XXH64 of Spark, for ever."""
    ids = spark.createDataFrame([("doc-1",), ("doc-2",)], "id string")
    drawn = {
        row["id"]: row["u"] for row in ids.select("id", tables.uniform(0, "order", F.col("id")).alias("u")).collect()
    }
    assert drawn == {"doc-1": 0.0420532352452182, "doc-2": 0.7817717294445717}


def test_examples(corpus: DataFrame) -> None:
    counts = {None: 300, "empty": 200, "short": 3}
    found = tables.examples(corpus, counts, corpus)
    assert Counter(one["reason"] for one in found) == {None: 6, "empty": 6, "short": 3}
    assert [one["reason"] for one in found] == [None] * 6 + ["empty"] * 6 + ["short"] * 3
    assert all(len(one["text"]) == tables.EXAMPLE_CHARACTERS and one["language"] == "eng_Latn" for one in found)
    assert all(one["url"] == one["id"].replace("id-", "u") for one in found)
    assert {one["id"] for one in found[-3:]} == {"id-500", "id-501", "id-502"}
    assert tables.examples(corpus.repartition(5), counts, corpus.repartition(3, "id")) == found
    assert tables.examples(corpus, counts) == found  # its own texts


def test_examples_of_nothing_and_of_nulls(spark: SparkSession) -> None:
    assert tables.examples(rows(spark), {}) == []
    (one,) = tables.examples(rows(spark, ("a", None, "eng", "Latn", None, "empty")), {"empty": 1})
    assert one == {"id": "a", "url": "", "language": "eng_Latn", "reason": "empty", "text": ""}


def test_files_are_named_by_answers(spark: SparkSession, tmp_path: Path) -> None:
    """Partitions without rows have no file; rows whose order is chance are under a name of the attempt's own."""
    shuffled = spark.range(1000).repartition(8, F.col("id") % 2)
    by_chance = tables.stored(shuffled, str(tmp_path / "chance"))
    assert by_chance.names == sorted(path.name for path in (tmp_path / "chance").iterdir())
    assert 1 <= len(by_chance.names) <= 2 and by_chance.rows == 1000
    assert by_chance.bytes == sum(path.stat().st_size for path in (tmp_path / "chance").iterdir())
    read = [tables.stored(shuffled.sortWithinPartitions(F.rand()), str(tmp_path / name), ["id"]) for name in "ab"]
    assert all(name.count("-") == 1 for name in read[0].names)
    assert read[0].names == read[1].names
    for name in read[0].names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_rows_come_back_as_they_were(spark: SparkSession, tmp_path: Path) -> None:
    nested = "part struct<a: int, b: array<string>>, m map<string,double>"
    kinds = f"id long, bands array<long>, raw binary, at timestamp, {nested}"
    at = datetime(2026, 1, 2, 3, 4, 5, 678901)
    given = [(i, [i, None], b"\x00\xff", at, (i, ["x", None]), {"k": i / 2}) for i in range(50)]
    given += [(None, None, None, None, None, None)]
    table = spark.createDataFrame(given, kinds)
    back = tables.settled(table, str(tmp_path / "t"))
    assert back.schema == tables.nullable(table.schema)
    by_id = lambda frame: sorted(map(repr, frame.collect()))  # noqa: E731
    assert by_id(back) == by_id(table)
    stored = tables.opened(spark, str(tmp_path / "t"))
    assert stored.frame("raw", "id").columns == ["raw", "id"]


def test_a_large_file_is_read_by_several_tasks_each_row_once(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "t.parquet")
    pq.write_table(pa.table({"id": range(100_000)}), path, row_group_size=777)
    for of in (1, 3, 40, 1000):
        tasks = [[Part(path, number, of)] for number in range(of)]
        rows = [reader(tasks, pa.schema([("id", pa.int64())]))(iter([pa.record_batch({"n": [n]})])) for n in range(of)]
        ids = [one for batches in rows for batch in batches for one in batch.column(0).to_pylist()]
        assert ids == list(range(100_000))


def test_files_are_dealt_by_bytes() -> None:
    mib = 1 << 20
    tasks = dealt([("a", 10 * mib), ("b", 300 * mib), ("c", 1), ("d", 1)], 4)
    parts = [part for task in tasks for part in task]
    assert [part.path for part in parts] == ["a", *["b"] * 9, "c", "d"]
    assert [part.number for part in parts if part.path == "b"] == list(range(9))
    assert len(tasks) in range(10, 13)
    assert len(dealt([(str(n), 100) for n in range(1000)], 2)) == 1  # tiny ones together
    assert dealt([], 2) == []


def test_a_damaged_file_is_named(spark: SparkSession, tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": range(1000)}), tmp_path / "a.parquet")
    table = tables.opened(spark, [str(tmp_path / "a.parquet")])
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(PythonException, match=r"UserError: .*a\.parquet is not readable as Parquet"):
        table.frame().collect()


def test_a_type_the_engine_cannot_have_is_named(spark: SparkSession, tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": pa.array([1], pa.uint64())}), tmp_path / "a.parquet")
    with pytest.raises(UserError, match=r"a\.parquet: Spark cannot have column 'id' of type uint64"):
        tables.read(spark, str(tmp_path / "a.parquet"), [])
