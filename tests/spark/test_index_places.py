"""An expression of SQL over an index becomes places of records, and no more of the index is read than it needs."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from indexes import INDEX, write_index
from pyspark.sql import SparkSession

from pipeline.archive.asked.index_files import IndexFiles, index_files, location
from pipeline.archive.asked.places import read_places
from pipeline.spark.index_places import write_asked
from schemas.errors import UserError

OLD = pa.schema([field for field in INDEX if field.name != "content_languages"])


def row(number: int, **other: Any) -> dict[str, Any]:
    return {
        "url": f"https://host{number % 3}.example/{number}",
        "url_host_name": f"host{number % 3}.example",
        "fetch_time": 1_700_000_000_000 + number * 86_400_000,
        "fetch_status": 200 if number % 5 else 404,
        "content_mime_detected": "text/html",
        "content_languages": "swa,eng" if number % 4 == 0 else "eng",
        "warc_record_id": bytes(16),
        "warc_filename": f"crawl-data/{number % 7}.warc.gz",
        "warc_record_offset": 1000 * number,
        "warc_record_length": 500 + number,
        **other,
    }


ROWS = [row(number) for number in range(60)]


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """Two crawls; the first has no languages, and of the second the subset of robots.txt is damaged."""
    top = tmp_path / "warc"
    write_index(top / "crawl=CC-MAIN-2018-05" / "subset=warc", ROWS[:20], OLD)
    write_index(top / "crawl=CC-MAIN-2026-30" / "subset=warc", ROWS[20:])
    (top / "crawl=CC-MAIN-2026-30" / "subset=robotstxt").mkdir()
    return top


def found(spark: SparkSession, given: IndexFiles, where: str, tmp_path: Path) -> set[tuple[str, int, int]]:
    asked = write_asked(spark, given, where, str(tmp_path / "places"))
    answer = set()
    for name, one in asked.items():
        places = read_places(one)
        assert one.records == len(places.offsets) and one.bytes == places.lengths.sum()
        assert places.offsets.tolist() == sorted(places.offsets.tolist())
        answer |= {(name, *pair) for pair in zip(*(column.tolist() for column in places), strict=True)}
    return answer


def expected(chosen: list[dict[str, Any]]) -> set[tuple[str, int, int]]:
    return {(one["warc_filename"], one["warc_record_offset"], one["warc_record_length"]) for one in chosen}


@pytest.mark.parametrize(
    ("where", "chosen"),
    [
        ("", ROWS),
        ("content_languages like 'swa%'", [one for one in ROWS[20:] if one["content_languages"] == "swa,eng"]),
        ("CONTENT_LANGUAGES = 'eng' and fetch_status = 200 and url_host_name rlike '^host[01]'",
         [one for one in ROWS[20:] if one["content_languages"] == "eng" and one["fetch_status"] == 200
          and one["url_host_name"] != "host2.example"]),
        ("crawl < 'CC-MAIN-2020' and subset = 'warc'", ROWS[:20]),
        ("fetch_time >= timestamp '2023-12-14 00:00:00'", ROWS[30:]),
        ("length(warc_record_id) = 16 and warc_record_offset between 3000 and 5000", ROWS[3:6]),
    ],
)  # fmt: skip
def test_places_are_those_of_the_rows_that_it_is_true_of(
    spark: SparkSession, index: Path, tmp_path: Path, where: str, chosen: list[dict[str, Any]]
) -> None:
    assert found(spark, index_files(str(index)), where, tmp_path) == expected(chosen)


def test_folders_that_make_it_false_are_not_read(spark: SparkSession, index: Path, tmp_path: Path) -> None:
    names = index_files(str(index)).sizes
    gone = {f"crawl=CC-MAIN-2018-05/subset=warc/part-{number}.parquet": None for number in range(9)}
    given = IndexFiles(str(index), {**names, **gone})  # only one file of each folder is looked into
    where = "(crawl = 'CC-MAIN-2026-30' and content_languages like 'swa%') or (subset = 'x' and fetch_status = 404)"
    chosen = [one for one in ROWS[20:] if one["content_languages"] == "swa,eng"]
    assert found(spark, given, where, tmp_path) == expected(chosen)
    with pytest.raises(UserError, match=r"--where crawl = 'CC-MAIN-2027-01': true of no folder"):
        write_asked(spark, given, "crawl = 'CC-MAIN-2027-01'", str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError):
        write_asked(spark, given, "fetch_status = 200", str(tmp_path / "all"))


def test_what_the_path_of_the_index_says_is_a_column_too(spark: SparkSession, index: Path, tmp_path: Path) -> None:
    where = "crawl like '%2026%' and subset = 'warc' and fetch_status = 404"
    chosen = [one for one in ROWS[20:] if one["fetch_status"] == 404]
    for given in (index / "crawl=CC-MAIN-2026-30", index / "crawl=CC-MAIN-2026-30" / "subset=warc"):
        assert found(spark, index_files(str(given)), where, tmp_path) == expected(chosen)
    file = min(given.iterdir())
    assert found(spark, index_files(str(file)), where, tmp_path) == expected(
        [one for one in ROWS[20::2] if one["fetch_status"] == 404]
    )


def test_columns_that_nobody_names_are_not_read(spark: SparkSession, tmp_path: Path) -> None:
    """Of one that is damaged nobody hears."""
    path = tmp_path / "index.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS, schema=INDEX), path, compression="none", write_page_checksum=True,
                   use_dictionary=False)  # fmt: skip
    data = path.read_bytes()
    at = data.index(b"https://host1.example/1")
    path.write_bytes(data[:at] + b"X" + data[at + 1 :])
    assert len(found(spark, index_files(str(path)), "content_languages = 'eng'", tmp_path)) == 45
    with pytest.raises(Exception, match=r"index\.parquet is not readable as Parquet"):
        write_asked(spark, index_files(str(path)), "url like 'https%'", str(tmp_path / "other"))


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("contnet_languages = 'swa'", "the index has no column contnet_languages; did you mean content_languages?"),
        ("content_languages = = 'swa'", "not an expression of SQL"),
        ("content_languages", "BOOLEAN"),
        ("count(*) > 1", "invalid expressions: count(1)"),
        ("rand() < 0.1", "something else each time"),
        ("fetch_status = 999", "true of no record"),
    ],
)
def test_what_is_no_condition_on_a_row(
    spark: SparkSession, index: Path, tmp_path: Path, where: str, words: str
) -> None:
    with pytest.raises(UserError) as caught:
        write_asked(spark, index_files(str(index)), where, str(tmp_path / "places"))
    assert words.lower() in str(caught.value).lower() and "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"--where {where}: ")


def test_a_table_that_is_no_index(spark: SparkSession, tmp_path: Path) -> None:
    pq.write_table(pa.table({"url": ["a"], "warc_filename": ["b"]}), tmp_path / "t.parquet")
    with pytest.raises(UserError, match=r"has no column 'warc_record_offset': an index has warc_filename, .*has url"):
        write_asked(spark, index_files(str(tmp_path / "t.parquet")), "", str(tmp_path / "places"))
    with pytest.raises(UserError, match=r"--index .*nowhere: no such table"):
        index_files(str(tmp_path / "nowhere"))


def test_a_list_of_the_files_of_an_index(spark: SparkSession, index: Path, tmp_path: Path) -> None:
    lines = [f"warc/{name}" for name in index_files(str(index)).sizes if "2026" in name]
    (tmp_path / "cc-index-table.paths").write_text("\n".join(lines))
    given = index_files(str(tmp_path / "cc-index-table.paths"))
    assert len(lines) == 2
    assert found(spark, given, "crawl like '%2026%'", tmp_path) == expected(ROWS[20:])


def test_where_archives_are() -> None:
    assert location("a/b.warc.gz", "https://data.example") == "https://data.example/a/b.warc.gz"
    assert location("a/b.warc.gz", "s3://bucket/") == "s3://bucket/a/b.warc.gz"
    assert location("a/b.warc.gz", "/data/") == "/data/a/b.warc.gz"
    assert location("https://data.example/b.warc.gz", "/data") == "https://data.example/b.warc.gz"
    with pytest.raises(UserError, match=r"a/b.warc.gz.*--prefix"):
        location("a/b.warc.gz", "")
