"""A new last column without reading the others: files of two writers, read back by two readers."""

import random
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from pipeline.store import last_column, storage
from pipeline.store.last_column import replace_last_column, row_group_sizes
from pipeline.store.thrift import decode, encode

NAME = "drop_reason"


def table(rows: int, seed: int = 0) -> pa.Table:
    draw = random.Random(seed)
    words = ["wort", "слово", "字", "คำ", "كلمة", "שלום", "शब्द", "சொல்", "ቃል", "სიტყვა"]
    return pa.table(
        {
            "id": [f"id-{i:05}" for i in range(rows)],
            "text": [" ".join(draw.choices(words, k=draw.randrange(40))) for _ in range(rows)],
            "n_words": pa.array([draw.randrange(99) if draw.random() < 0.9 else None for _ in range(rows)], pa.int32()),
            "share": pa.array([draw.random() for _ in range(rows)], pa.float64()),
            NAME: pa.array([draw.choice([None, "empty", "c4:x"]) for _ in range(rows)], pa.string()),
        }
    )


def verdicts(sizes: list[int], kinds: list[str | None], seed: int = 1) -> list[pa.Array]:
    draw = random.Random(seed)
    return [pa.array([draw.choice(kinds) for _ in range(size)], pa.string()) for size in sizes]


def flat(values: list[pa.Array]) -> list[Any]:
    return [value for array in values for value in array.to_pylist()]


def footer(path: Path) -> bytes:
    data = path.read_bytes()
    return data[-8 - int.from_bytes(data[-8:-4], "little") : -8]


@pytest.fixture(scope="module")
def from_spark(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as the engine writes it: Zstandard, page indexes, a Bloom filter of the id, 3 row groups."""
    folder = tmp_path_factory.mktemp("written")
    pq.write_table(table(2500), folder / "given.parquet")
    given = spark.read.parquet(str(folder / "given.parquet")).coalesce(1)
    options = {"parquet.block.row.count.limit": 1024, "parquet.bloom.filter.enabled#id": "true"}
    given.write.options(**options).parquet(str(folder / "table"))
    (file,) = (folder / "table").glob("*.parquet")
    assert row_group_sizes(str(file)) == [1024, 1024, 452]
    return file


def from_arrow(tmp_path: Path, rows: int = 2500, **options: Any) -> Path:
    path = tmp_path / "arrow.parquet"
    pq.write_table(table(rows), path, **({"row_group_size": 1000} | options))
    return path


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"write_page_index": True},
        {"compression": "snappy", "data_page_version": "2.0"},
        {"use_dictionary": False, "compression": "none"},
        {"store_decimal_as_integer": True, "data_page_size": 500},
        {"sorting_columns": [pq.SortingColumn(0)]},
    ],
)
def test_only_the_last_column_changes(tmp_path: Path, options: dict[str, Any]) -> None:
    path = from_arrow(tmp_path, **options)
    new = verdicts(row_group_sizes(str(path)), [None, "empty", "rule:mine", "x" * 300])
    replace_last_column(str(path), str(tmp_path / "new.parquet"), NAME, new)
    back = pq.read_table(tmp_path / "new.parquet")
    assert back[NAME].to_pylist() == flat(new)
    assert back.drop_columns([NAME]).equals(table(2500).drop_columns([NAME]))
    assert back.schema.equals(pq.read_schema(path), check_metadata=True)
    old, now = pq.ParquetFile(path).metadata, pq.ParquetFile(tmp_path / "new.parquet").metadata
    assert (now.created_by, now.num_rows, now.num_row_groups) == (old.created_by, 2500, 3)
    for group in range(3):
        a, b = old.row_group(group), now.row_group(group)
        assert [a.column(i).to_dict() for i in range(4)] == [b.column(i).to_dict() for i in range(4)]
        last = b.column(4)
        assert last.path_in_schema == NAME and last.statistics.null_count == new[group].null_count
        total = sum(b.column(i).total_uncompressed_size for i in range(5))
        assert b.total_byte_size - a.total_byte_size == total - sum(
            a.column(i).total_uncompressed_size for i in range(5)
        )


def test_statistics_of_the_new_column_let_readers_skip(tmp_path: Path) -> None:
    path = from_arrow(tmp_path)
    sizes = row_group_sizes(str(path))
    new = [pa.array([kind] * size, pa.string()) for kind, size in zip(["aa", None, "cc"], sizes, strict=True)]
    replace_last_column(str(path), str(tmp_path / "new.parquet"), NAME, new)
    for wanted, expected in (("aa", 1000), ("bb", 0), ("cc", 500)):
        assert pq.read_table(tmp_path / "new.parquet", filters=[(NAME, "==", wanted)]).num_rows == expected
    assert pq.read_table(tmp_path / "new.parquet", filters=[("id", "==", "id-02345")])[NAME].to_pylist() == ["cc"]


@pytest.mark.parametrize("vectorised", ["true", "false"])
def test_the_engine_reads_it_back(spark: SparkSession, from_spark: Path, tmp_path: Path, vectorised: str) -> None:
    new = verdicts([1024, 1024, 452], [None, "empty", "language:und"])
    replace_last_column(str(from_spark), str(tmp_path / "new.parquet"), NAME, new)
    spark.conf.set("spark.sql.parquet.enableVectorizedReader", vectorised)
    spark.conf.set("spark.sql.files.maxPartitionBytes", "20000")  # splits inside the file
    try:
        read = spark.read.parquet(str(tmp_path / "new.parquet"))
        assert read.rdd.getNumPartitions() > 2
        rows = sorted(read.collect(), key=lambda row: row["id"])
        assert [row[NAME] for row in rows] == flat(new)
        assert [row["text"] for row in rows] == table(2500)["text"].to_pylist()
        assert read.schema == spark.read.parquet(str(from_spark)).schema
        for kind in ("empty", "language:und", "none"):  # pushed down to statistics, pages and dictionaries
            found = read.where(read[NAME] == kind)
            assert sorted(row["id"] for row in found.collect()) == [r["id"] for r in rows if r[NAME] == kind]
        assert read.where(read[NAME].isNull()).count() == flat(new).count(None)
        assert [row[NAME] for row in read.where("id = 'id-02047'").collect()] == [flat(new)[2047]]
    finally:
        spark.conf.unset("spark.sql.parquet.enableVectorizedReader")
        spark.conf.unset("spark.sql.files.maxPartitionBytes")


def test_many_times_is_as_once(from_spark: Path, tmp_path: Path) -> None:
    """What the last splice wrote is left behind: the file does not grow, and the last verdict holds."""
    sizes = [1024, 1024, 452]
    current, lengths = from_spark, []
    for turn in range(5):
        new = verdicts(sizes, [None, "empty", "bad_words"], seed=turn)
        after = tmp_path / f"{turn}.parquet"
        replace_last_column(str(current), str(after), NAME, new)
        assert pq.read_table(after)[NAME].to_pylist() == flat(new)
        assert pq.read_table(after, columns=["id", "text"]).equals(table(2500).select(["id", "text"]))
        lengths.append(after.stat().st_size)
        current = after
    assert max(lengths[1:]) - min(lengths[1:]) < 1000
    replace_last_column(str(from_spark), str(tmp_path / "direct.parquet"), NAME, new)
    assert (tmp_path / "direct.parquet").read_bytes() == current.read_bytes()


def test_bytes_of_other_columns_are_never_looked_at(from_spark: Path, tmp_path: Path) -> None:
    data, file = bytearray(from_spark.read_bytes()), pq.ParquetFile(from_spark)
    for group in range(3):
        for column in range(4):
            chunk = file.metadata.row_group(group).column(column)
            start = chunk.dictionary_page_offset or chunk.data_page_offset
            data[start : start + chunk.total_compressed_size] = b"\xee" * chunk.total_compressed_size
    (tmp_path / "garbage.parquet").write_bytes(data)
    new = verdicts([1024, 1024, 452], [None, "empty"])
    replace_last_column(str(tmp_path / "garbage.parquet"), str(tmp_path / "new.parquet"), NAME, new)
    assert pq.read_table(tmp_path / "new.parquet", columns=[NAME])[NAME].to_pylist() == flat(new)
    with pytest.raises(OSError):
        pq.read_table(tmp_path / "new.parquet", columns=["text"])


@pytest.mark.parametrize("kinds", [[None], ["same"], ["", None], ["é中\U0001f600", "a"]])
@pytest.mark.parametrize("rows", [0, 1, 2500])
def test_columns_of_one_kind_and_files_of_few_rows(tmp_path: Path, rows: int, kinds: list[str | None]) -> None:
    path = from_arrow(tmp_path, rows)
    new = verdicts(row_group_sizes(str(path)), kinds)
    replace_last_column(str(path), str(tmp_path / "new.parquet"), NAME, new)
    assert pq.read_table(tmp_path / "new.parquet")[NAME].to_pylist() == flat(new)


def test_any_store(tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    path = from_arrow(tmp_path)
    memory.pipe_file("/splice/old.parquet", path.read_bytes())
    new = verdicts(row_group_sizes("memory://splice/old.parquet"), [None, "empty"])
    replace_last_column("memory://splice/old.parquet", "memory://splice/new.parquet", NAME, new)
    replace_last_column(str(path), str(tmp_path / "new.parquet"), NAME, new)
    assert memory.cat_file("/splice/new.parquet") == (tmp_path / "new.parquet").read_bytes()
    memory.rm("/splice", recursive=True)


def test_where_the_kernel_does_not_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = from_arrow(tmp_path)
    new = verdicts(row_group_sizes(str(path)), [None, "empty"])
    replace_last_column(str(path), str(tmp_path / "kernel.parquet"), NAME, new)

    def refuses(*_: object) -> int:
        raise OSError("Invalid cross-device link")

    for number, copier in enumerate((refuses, lambda *_: 0)):
        monkeypatch.setattr(last_column.os, "copy_file_range", copier)
        replace_last_column(str(path), str(tmp_path / f"{number}.parquet"), NAME, new)
        assert (tmp_path / f"{number}.parquet").read_bytes() == (tmp_path / "kernel.parquet").read_bytes()


def test_beside_lists_and_structs(tmp_path: Path) -> None:
    deep = {"tags": [["a", "b"], [], None], "who": [{"name": "x", "at": [{"n": 1}]}, None, {"name": "y", "at": []}]}
    given = pa.table({**deep, NAME: pa.array(["old"] * 3)})
    pq.write_table(given, tmp_path / "given.parquet")
    new = pa.array(["new", None, "new"])
    replace_last_column(str(tmp_path / "given.parquet"), str(tmp_path / "new.parquet"), NAME, [new])
    assert pq.read_table(tmp_path / "new.parquet").equals(given.set_column(2, NAME, new))


def test_what_is_refused(tmp_path: Path) -> None:
    path, target = from_arrow(tmp_path), str(tmp_path / "new.parquet")
    right = verdicts([1000, 1000, 500], [None])
    cases: list[tuple[pa.Table, str]] = [
        (table(5).select([NAME, "id"]), "its last column is 'id'"),
        (table(5).select([NAME]), "beside others"),
        (pa.table({"id": ["a"], NAME: [1]}), "optional string"),
        (pa.table({"id": ["a"], NAME: [["x"]]}), "beside others"),
        (pa.table({"id": ["a"], "deep": [{NAME: "x"}]}), "beside others"),
    ]
    for one, words in cases:
        pq.write_table(one, tmp_path / "other.parquet")
        sizes = row_group_sizes(str(tmp_path / "other.parquet"))
        with pytest.raises(ValueError, match=words):
            replace_last_column(str(tmp_path / "other.parquet"), target, NAME, verdicts(sizes, [None]))
    for wrong in (right[:2], [*right, right[0]], verdicts([1000, 500, 1000], [None])):
        with pytest.raises(ValueError, match="got values for other ones"):
            replace_last_column(str(path), target, NAME, wrong)
    whole = path.read_bytes()
    for data in (b"", b"PAR1", b"PAR1PAR1", whole[:-1], whole[:-4] + b"PARE", b"PAR1" + b"\xff" * 400 + whole[-8:]):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"arrow\.parquet|Thrift"):
            replace_last_column(str(path), target, NAME, right)
    assert not Path(target).exists() and not list(tmp_path.glob(".*"))


def test_footers_are_written_as_they_were_read(from_spark: Path, tmp_path: Path) -> None:
    for path in (from_spark, from_arrow(tmp_path), from_arrow(tmp_path, write_page_index=True)):
        assert encode(decode(footer(path))) == footer(path)


def test_digest(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert storage.digest(str(tmp_path / "a")) == known
    both = storage.digest(str(tmp_path))
    (tmp_path / "b").write_bytes(b"")
    assert storage.digest(str(tmp_path)) != both
