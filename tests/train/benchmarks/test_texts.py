"""Tables of the user's own: every format gives the same examples, columns are found or named."""

import csv
import gzip
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmark_files import SENTENCES, jsonl, tsv, write
from hypothesis import given
from hypothesis import strategies as st

from train.benchmarks.examples import Origin, SimilarExample, TextExample
from train.benchmarks.read import Columns, read_by_language, read_examples

ROWS = [(text, f"{number % 3}", language) for number, (language, (text, _)) in enumerate(SENTENCES.items())]
RECORDS = [{"text": text, "label": label, "language": language} for text, label, language in ROWS]
HEADER = ("text", "label", "language")


def as_csv(path: Path) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *ROWS])
    return path


def as_parquet(path: Path) -> Path:
    pq.write_table(pa.Table.from_pylist(RECORDS), path)
    return path


def as_gzip(path: Path) -> Path:
    content = tsv(path, [HEADER, *ROWS]).read_bytes()
    path.write_bytes(gzip.compress(content))
    return path


@pytest.mark.parametrize(
    ("name", "make", "first"),
    [
        ("a.tsv", lambda path: tsv(path, [HEADER, *ROWS]), 2),
        ("a.txt", lambda path: tsv(path, [HEADER, *ROWS]), 2),
        ("a.tsv.gz", as_gzip, 2),
        ("a.csv", as_csv, 2),
        ("a.jsonl", lambda path: jsonl(path, RECORDS), 1),
        ("a.json", lambda path: jsonl(path, RECORDS), 1),
        ("b.json", lambda path: write(path, json.dumps(RECORDS, indent=1)), 1),
        ("c.json", lambda path: write(path, json.dumps({"version": "1", "data": RECORDS})), 1),
        ("a.parquet", as_parquet, 1),
    ],
)
def test_every_format_gives_the_same_examples(tmp_path: Path, name: str, make, first: int) -> None:
    path = make(tmp_path / name)
    expected = [
        TextExample(text, None, label, language, Origin(path, row))
        for row, (text, label, language) in enumerate(ROWS, first)
    ]
    assert read_examples(path, "sequence") == expected
    by_language = read_by_language([path], "sequence")
    assert list(by_language) == list(SENTENCES) and by_language["th"] == [expected[3]]
    assert read_examples(path, "sequence", language="ka") == [expected[10]]


def test_a_byte_order_mark_and_carriage_returns_are_no_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "\ufefftext\tlabel\r\n今天\tx\r\nदो\ty\r\n\r\n")
    assert [(one.text, one.label, one.origin.row) for one in texts(path)] == [("今天", "x", 2), ("दो", "y", 3)]


def test_only_a_line_feed_ends_a_row(tmp_path: Path) -> None:
    """Others that Python's splitlines takes for one stand inside texts."""
    inside = "a\u2028b\x85c\x0cd\u2029e\x1cf"
    path = tsv(tmp_path / "a.tsv", [("text", "label"), (inside, "1")])
    assert [one.text for one in texts(path)] == [inside]


def test_quotes_in_tsv_are_text_and_in_csv_are_not(tmp_path: Path) -> None:
    path = tsv(tmp_path / "a.tsv", [("text", "label"), ('"one', "a"), ('he said ""two""', "b")])
    assert [one.text for one in texts(path)] == ['"one', 'he said ""two""']
    path = write(tmp_path / "a.csv", 'text,label\n"one, ""two""\nthree",a\nfour,b\n')
    assert [(one.text, one.origin.row) for one in texts(path)] == [('one, "two"\nthree', 2), ("four", 4)]
    path = write(tmp_path / "b.csv", "text;label\nein, zwei;a\n")
    assert [(one.text, one.label) for one in texts(path)] == [("ein, zwei", "a")]


@pytest.mark.parametrize(
    ("names", "columns"),
    [
        (("sentence", "category"), Columns()),
        (("Text", "Label"), Columns()),
        (("premise", "gold_label"), Columns()),
        (("a", "b"), Columns(text="a", label="b")),
        (("content", "b"), Columns(label="b")),
    ],
)
def test_columns_have_usual_names_or_those_given(tmp_path: Path, names, columns: Columns) -> None:
    path = tsv(tmp_path / "a.tsv", [("more", *names), ("0", "今天", "x")])
    assert [(one.text, one.label) for one in read_examples(path, "sequence", columns)] == [("今天", "x")]


@pytest.mark.parametrize(
    ("names", "columns"),
    [
        (("sentence1", "sentence2"), Columns()),
        (("premise", "hypothesis"), Columns()),
        (("question", "sentence"), Columns()),
        (("question1", "question2"), Columns()),
        (("text", "b"), Columns(pair="b")),
        (("a", "b"), Columns(text="a", pair="b")),
        (("question", "sentence"), Columns(text="question")),
    ],
)
def test_pairs_too(tmp_path: Path, names, columns: Columns) -> None:
    path = tsv(tmp_path / "a.tsv", [("label", *names), ("no", "ዛሬ", "ወንዙ")])
    assert read_examples(path, "pair", columns) == [TextExample("ዛሬ", "ወንዙ", "no", "", Origin(path, 2))]


def test_labels_are_strings_and_scores_numbers(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", [{"text": "a", "label": 0}, {"text": "b", "label": 2}])
    assert labels(path) == ["0", "2"]
    path = jsonl(tmp_path / "b.jsonl", [{"text": "a", "label": True}, {"text": "b", "label": False}])
    assert labels(path) == ["true", "false"]
    path = jsonl(tmp_path / "c.jsonl", [{"text": "a", "label": 0.5}, {"text": "b", "label": 2.0}])
    assert labels(path) == [0.5, 2.0]
    path = tsv(tmp_path / "d.tsv", [("text", "score"), ("a", "3.25"), ("b", "4")])
    assert labels(path) == [3.25, 4.0]
    path = tsv(tmp_path / "e.tsv", [("text", "label"), ("a", "3.25"), ("b", " 4 ")])
    assert labels(path) == ["3.25", "4"]
    assert [one.label for one in read_examples(path, "sequence", Columns(score="label"))] == [3.25, 4.0]


def test_names_of_classes_stand_beside_parquet(tmp_path: Path) -> None:
    """As `datasets` itself writes them."""
    datasets = pytest.importorskip("datasets", reason="no datasets: pip install -e .[dev]")
    features = datasets.Features(
        {
            "premise": datasets.Value("string"),
            "hypothesis": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["entailment", "neutral", "contradiction"]),
        }
    )
    rows = {"premise": ["a", "b", "c"], "hypothesis": ["d", "e", "f"], "label": [2, 0, 1]}
    path = tmp_path / "validation-00000-of-00001.parquet"
    datasets.Dataset.from_dict(rows, features).to_parquet(path)
    assert [one.label for one in read_examples(path, "pair")] == ["contradiction", "entailment", "neutral"]
    hidden = tmp_path / "hidden.parquet"
    datasets.Dataset.from_dict({**rows, "label": [-1, -1, -1]}, features).to_parquet(hidden)
    assert [one.label for one in read_examples(hidden, "pair", labelled=False)] == [None] * 3


def test_without_labels_where_none_are_asked_for(tmp_path: Path) -> None:
    path = tsv(tmp_path / "a.tsv", [("text",), ("a",), ("b",)])
    assert [one.label for one in read_examples(path, "sequence", labelled=False)] == [None, None]
    path = tsv(tmp_path / "b.tsv", [("text", "label"), ("a", "x"), ("b", "")])
    assert [one.label for one in read_examples(path, "sequence", labelled=False)] == ["x", None]


def test_pairs_that_mean_the_same(tmp_path: Path) -> None:
    path = tsv(tmp_path / "a.tsv", [("anchor", "positive"), ("река", "ırmak")])
    assert read_examples(path, "embedding") == [SimilarExample("река", "ırmak", None, "", Origin(path, 2))]
    path = tsv(tmp_path / "b.tsv", [("sentence1", "sentence2", "score"), ("a", "b", "2.5")])
    assert [one.score for one in read_examples(path, "embedding") if isinstance(one, SimilarExample)] == [2.5]
    path = tsv(tmp_path / "c.tsv", [("sentence1", "sentence2", "label"), ("a", "b", "1")])
    assert read_examples(path, "embedding", Columns(score="label")) == [
        SimilarExample("a", "b", 1.0, "", Origin(path, 2))
    ]


def test_keys_that_come_later_are_columns_too(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", [{"text": "a"}, {"label": "x", "text": "b"}])
    assert [one.label for one in read_examples(path, "sequence", labelled=False)] == [None, "x"]


def test_a_name_of_xtreme_s_does_not_take_the_header_away(tmp_path: Path) -> None:
    path = tsv(tmp_path / "train-en.tsv", [("review", "stars", "more"), ("good", "5", "1")])
    (one,) = read_examples(path, "sequence", Columns(text="review", label="stars"))
    assert one == TextExample("good", None, "5", "en", Origin(path, 2))
    path = tsv(tmp_path / "test-en.tsv", [("one", "two"), ("a", "b")])
    (pair,) = read_examples(path, "pair", Columns(text="one", pair="two"), labelled=False)
    assert pair == TextExample("a", "b", None, "en", Origin(path, 2))
    path = tsv(tmp_path / "dev-en.tsv", [("a", "b", "neutral")])
    (named,) = read_examples(path, "pair", Columns(label="label"))
    assert named == TextExample("a", "b", "neutral", "en", Origin(path, 1))


def test_a_table_is_read_without_a_second_copy(tmp_path: Path) -> None:
    rows = [(f"{number:04} " + "word " * 1000, f"{number % 3}") for number in range(400)]
    path = tsv(tmp_path / "a.tsv", [("text", "label"), *rows])
    del rows
    tracemalloc.start()
    try:
        found = read_examples(path, "sequence")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found) == 400 and peak < 1.3 * path.stat().st_size


cell = st.text(st.characters(exclude_characters="\t\n\r", exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: bool(text.strip()) and not text.startswith("\ufeff")
)


@given(st.lists(st.tuples(cell, cell), min_size=1, max_size=5))
def test_whatever_the_text_it_comes_back(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    folder = tmp_path_factory.mktemp("any")
    records = [{"text": text, "label": label} for text, label in rows]
    pq.write_table(pa.Table.from_pylist(records), folder / "a.parquet")
    for path in (
        tsv(folder / "a.tsv", [("text", "label"), *rows]),
        jsonl(folder / "a.jsonl", records),
        folder / "a.parquet",
    ):
        found = texts(path)
        assert [one.text for one in found] == [text for text, _ in rows]
        assert [one.label for one in found] == [label.strip() for _, label in rows]


def texts(path: Path) -> list[TextExample]:
    return [one for one in read_examples(path, "sequence") if isinstance(one, TextExample)]


def labels(path: Path) -> list[Any]:
    return [one.label for one in texts(path)]
