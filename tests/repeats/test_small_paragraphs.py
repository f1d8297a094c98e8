"""Paragraphs counted over tables: against plain sets of Python's, in any number of pieces, and over several crawls."""

from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shared_paragraphs import SHARED, Row, make, own, web

from pipeline.repeats import paragraph_counts
from pipeline.repeats.paragraph_counts import OCCURRENCES, bucket_of, counted, listed, stored_counts
from pipeline.store.row_groups import RowGroupWriter
from pipeline.words.words import words
from schemas.repeats import MOST_HASHES, PARAGRAPH_COUNTS, PARAGRAPHS


class Known(NamedTuple):
    pages: int
    hosts: int
    cut: int
    kept: int


def truth(rows: list[Row]) -> dict[tuple[str, ...], Known]:
    """Of each text of SHARED, by its words. Copies and fetches are named by the page that they are of."""
    shared = {tuple(words(text)) for text in SHARED.values()}
    pages: dict[Any, set[str]] = defaultdict(set)
    hosts: dict[Any, set[str]] = defaultdict(set)
    cut, kept = defaultdict[Any, int](int), defaultdict[Any, set[str]](set)
    for row in rows:
        lines = {tuple(words(line)) for line in (row["text"] or "").split("\n")}
        page = (row["url"] or row["id"]).removesuffix("?copy").removesuffix("-fetch")
        for line in lines & shared:
            pages[line].add(page)
            hosts[line].add(page.split("/")[2] if row["url"] else page)
            if lines <= shared:
                kept[line].add(row["id"])
            else:
                cut[line] += 1
    return {line: Known(len(pages[line]), len(hosts[line]), cut[line], len(kept[line])) for line in pages}


def test_counts_are_those_of_sets(tmp_path: Path) -> None:
    rows = web()
    made = make(tmp_path / "a", rows, min_paragraph_pages=20, min_paragraph_hosts=3)
    known_of = {line: known for line, known in truth(rows).items() if known.pages > 1}
    examples = made.tables["paragraph_examples"]
    by_words = {tuple(words(row["text"])): row["paragraph"] for row in examples}
    rows_of = {row["paragraph"]: row for row in made.tables["paragraphs"]}
    assert by_words.keys() == known_of.keys() and len(rows_of) == len(known_of) == 12
    for line, known in known_of.items():
        row = rows_of[by_words[line]]
        assert (row["pages"], row["hosts"]) == (known.pages, known.hosts)
        assert row["is_cut"] == (row["pages"] >= 20 and row["hosts"] >= 3)
        if row["is_cut"]:
            assert (row["cut_documents"], row["kept_documents"]) == (known.cut, known.kept)
        else:
            assert (row["cut_documents"], row["kept_documents"]) == (0, known.cut + known.kept)
        own_rows = [one for one in examples if one["paragraph"] == row["paragraph"]]
        assert len({one["url"] or one["id"] for one in own_rows}) == len(own_rows) == min(5, known.pages)
        for one in own_rows:
            (page,) = [page for page in rows if page["id"] == one["id"]]
            assert one["text"] in page["text"] and one["url"] == (page["url"] or "")
    assert {row["is_cut"] for row in rows_of.values()} == {True, False}


def test_what_is_listed_goes_and_nothing_else(tmp_path: Path) -> None:
    rows = web(3)
    made = make(tmp_path / "a", rows, min_paragraph_pages=2, min_paragraph_hosts=2)
    listed_words = {tuple(words(row["text"])) for row in made.tables["paragraph_examples"]}
    assert {row["id"] for row in rows} == made.documents.keys()
    n_cut = 0
    for row in rows:
        after = made.documents[row["id"]]
        before = [line for line in (row["text"] or "").replace("\r", "").split("\n") if line.strip()]
        stays = [line for line in before if tuple(words(line)) not in listed_words] or before
        assert [line for line in (after["text"] or "").replace("\r", "").split("\n") if line.strip()] == stays
        assert after["cut_paragraphs"] == len(before) - len(stays)
        assert (after["text"] is None) == (row["text"] is None) and bool(after["text"]) == bool(row["text"])
        n_cut += after["cut_paragraphs"]
    assert n_cut == sum(row["cut_documents"] for row in made.tables["paragraphs"]) > 300


@pytest.mark.parametrize(("files", "rows_a_bucket"), [(1, 1 << 16), (3, 1 << 16), (8, 1 << 16), (3, 40), (8, 40)])
def test_pieces_and_order_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: int, rows_a_bucket: int
) -> None:
    monkeypatch.setattr(paragraph_counts, "ROWS_A_BUCKET", rows_a_bucket)
    one = make(tmp_path / "one", web(1), min_paragraph_pages=3)
    other = make(tmp_path / "other", web(1), files=files, order=files, min_paragraph_pages=3)
    assert other.digests == one.digests and other.documents == one.documents
    assert len(one.files["paragraphs"]) == (1 if rows_a_bucket > 40 else 1 + len(web(1)) // 40)
    keys = [row["paragraph"] for row in one.tables["paragraphs"]]
    assert keys == sorted(set(keys)) and len(keys) > 5


def test_earlier_crawls_count(tmp_path: Path) -> None:
    """A text on two pages of a crawl and on nine of those before it is cut at ten, each page counted once."""
    text = SHARED["khm"]

    def crawl(first: int, last: int, age: int) -> list[Row]:
        return [{"id": f"{age}-{n}", "url": f"http://h{n}.example/", "text": "\n".join([*own(n + 100 * age), text])}
                for n in range(first, last)]  # fmt: skip

    one = make(tmp_path / "one", crawl(0, 5, 0))
    two = make(tmp_path / "two", crawl(3, 9, 1), one)
    assert [row["pages"] for row in two.tables["paragraphs"]] == [9]
    three = make(tmp_path / "three", crawl(8, 10, 2), one, two)
    (row,) = three.tables["paragraphs"]
    assert (row["pages"], row["hosts"], row["occurrences"], row["is_cut"]) == (10, 10, 13, True)
    assert {row["cut_paragraphs"] for row in three.documents.values()} == {1}
    alone = make(tmp_path / "alone", crawl(8, 10, 2))
    assert alone.tables["paragraphs"][0]["pages"] == 2 and not alone.tables["paragraphs"][0]["is_cut"]
    assert alone.tables["paragraph_counts"] == three.tables["paragraph_counts"]  # a crawl's own
    again = make(tmp_path / "again", crawl(0, 5, 3), one)  # all fetched once more
    assert again.tables["paragraphs"][0]["pages"] == 5


def test_without_addresses_each_document_is_a_host(tmp_path: Path) -> None:
    rows = [{"id": str(n), "text": "\n".join([*own(n), SHARED["kor"]])} for n in range(4)]
    (row,) = make(tmp_path / "a", rows, min_paragraph_pages=4, min_paragraph_hosts=4).tables["paragraphs"]
    assert (row["pages"], row["hosts"], row["cut_documents"]) == (4, 4, 4)


def counts(rng: np.random.Generator, n: int, pages: int) -> tuple[pa.Table, dict[int, tuple[set[int], set[int]]]]:
    """Rows of PARAGRAPH_COUNTS of random pages, none of them a copy, and the truth."""
    rows, known = [], defaultdict[int, tuple[set[int], set[int]]](lambda: (set(), set()))
    for paragraph, page in {(int(rng.integers(n)), int(rng.integers(pages))) for _ in range(12 * pages)}:
        rows.append((paragraph, page, page, page % 97, 1))
        known[paragraph][0].add(page)
        known[paragraph][1].add(page % 97)
    columns = [pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), OCCURRENCES, strict=True)]
    return counted(pa.table(columns, schema=OCCURRENCES)), known


@pytest.mark.parametrize("pages", [30, 400])
def test_crawls_together_are_counted_exactly_up_to_a_bound(pages: int) -> None:
    rng = np.random.default_rng(pages)
    parts = [counts(rng, 8, pages) for _ in range(3)]
    (own_counts, own_known), *others = parts
    found = listed(own_counts, [rows for rows, _ in others], paragraph_counts.Limits(20, 20)).to_pylist()
    assert {row["paragraph"] for row in found} == own_known.keys()
    for row in found:
        for place, name in enumerate(("pages", "hosts")):
            union = set[int]().union(*(known[row["paragraph"]][place] for _, known in parts))
            most = max(len(known[row["paragraph"]][place]) for _, known in parts)
            exact = len(union) < MOST_HASHES
            assert row[name] == (len(union) if exact else max(MOST_HASHES, most))
        assert row["examples"] == sorted(own_known[row["paragraph"]][0])[:5]


def test_a_bucket_of_an_earlier_crawl_is_read_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    keys = np.unique(rng.integers(-(1 << 63), 1 << 63, 500))
    columns = [keys, *np.ones((3, len(keys)), np.int64), [[1]] * len(keys), [[2]] * len(keys)]
    table = pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, PARAGRAPH_COUNTS, strict=True)],
        schema=PARAGRAPH_COUNTS,
    )
    with RowGroupWriter(str(tmp_path / "a.parquet"), PARAGRAPH_COUNTS, 50) as out:
        out.write(table)
    buckets = bucket_of(keys, 7)
    assert (np.diff(buckets) >= 0).all() and set(buckets.tolist()) == set(range(7))
    for bucket in range(7):
        found = stored_counts([str(tmp_path / "a.parquet")], bucket, 7)
        assert found["paragraph"].to_pylist() == keys[buckets == bucket].tolist()


def test_tables_of_nothing(tmp_path: Path) -> None:
    made = make(tmp_path / "a", [{"id": "1", "url": None, "text": None}])
    assert made.documents == {"1": {"id": "1", "url": None, "text": None, "cut_paragraphs": 0}}
    assert pq.read_schema(tmp_path / "a/paragraphs/part-00000.parquet").names == PARAGRAPHS.names
