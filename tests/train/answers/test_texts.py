"""Texts come in their order with their places, and the first bad one is named in one line."""

import gzip
import io
import json
import sys
import time
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from answering import SENTENCES
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UserError
from train.answers.texts import STANDARD_INPUT, Text, Texts, batches

ALL = list(SENTENCES.values())


def write(path: Path, texts: list[str]) -> str:
    """By the name's ending; a JSON line also holds what nobody asks for."""
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        pq.write_table(pa.table({"other": range(len(texts)), "text": texts}), path, row_group_size=5)
        return str(path)
    lines = texts if name.endswith(".txt") else [json.dumps({"id": 1, "text": text}) for text in texts]
    content = "".join(line + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(content) if path.name.endswith(".gz") else content)
    return str(path)


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.jsonl", "a.jsonl.gz", "a.parquet"])
def test_every_kind_of_file(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / name, ALL)
    texts = Texts([("given",)], [file, file])
    expected = [Text((text,), file, row) for row, text in enumerate(ALL, 1)]
    assert texts.count() == 1 + 2 * len(ALL)
    assert list(texts) == [Text(("given",), "", 1), *expected, *expected] and list(texts) == list(texts)
    assert expected[2].place == f"{file}:3" and Text(("x",), "", 2).place == "text 2"


def test_lines_end_as_they_may(tmp_path: Path) -> None:
    """A mark at the beginning, ends of DOS, none at the end; other separators of Unicode end no line."""
    (tmp_path / "a.txt").write_bytes("\ufeffeins\r\nzwei\u2028halb\ndrei\tvier".encode())
    assert [one.parts[0] for one in Texts([], [str(tmp_path / "a.txt")])] == ["eins", "zwei\u2028halb", "drei\tvier"]


def test_standard_input_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("水\nماء\n".encode())))
    texts = Texts([], [STANDARD_INPUT])
    assert texts.count() is None
    assert [(one.parts[0], one.place) for one in texts] == [("水", "standard input:1"), ("ماء", "standard input:2")]


def test_pairs_are_columns_or_have_a_tab_between_them(tmp_path: Path) -> None:
    pairs = [("水", "ماء"), ("a b", "c")]
    (tmp_path / "a.txt").write_text("".join(f"{one}\t{two}\n" for one, two in pairs), encoding="utf-8")
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"q": q, "c": c}) + "\n" for q, c in pairs))
    files = [str(tmp_path / "a.txt"), str(tmp_path / "a.jsonl")]
    assert [one.parts for one in Texts([], files, ("q", "c"))] == pairs * 2
    (tmp_path / "a.txt").write_text("one\n")
    with pytest.raises(UserError, match=r"a\.txt:1 has 0 tabs: write q and c with one tab between them"):
        list(Texts([], files, ("q", "c")))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"a\n \t\nb\n", r"a\.txt:2 is empty: fill it, or leave such rows out by --skip-empty"),
        ("a.jsonl", b'{"text": "a"}\n\n', r"a\.jsonl:2 is empty: fill it"),
        ("a.jsonl", b'{"text": null}\n', r"a\.jsonl:1 is empty: fill it"),
        ("a.txt", b"a\nb\xff\n", r"a\.txt:2 is not UTF-8 \(byte 2\): convert it, or take the row out"),
        ("a.jsonl", b'{"text": "\\ud800"}\n', r"a\.jsonl:1 is not UTF-8: convert it"),
        ("a.jsonl", b'{"text": "a"}\n[1]\n', r"a\.jsonl:2 is no JSON object: write \{\"text\": \"...\"\}, one a line"),
        ("a.jsonl", b'{"text": "a"\n', r"a\.jsonl:1 is no JSON object"),
        ("a.jsonl", b"[" * 5_000 + b"\n", r"a\.jsonl:1 is no JSON object"),
        ("a.jsonl", b'{"txt": "a", "id": 1}\n', r"a\.jsonl:1 has no text, but txt, id: name another by --columns"),
        ("a.jsonl", b'{"text": 7}\n', r"a\.jsonl:1: text is no text, but 7: write it between quotes"),
        ("a.txt", b"", r"a\.txt is empty: there is nothing to ask"),
        ("a.txt.gz", gzip.compress(b"a\n" * 10_000, mtime=0)[:40], r"a\.txt\.gz cannot be read \(.*\): is it whole\?"),
        ("a.txt.gz", b"no gzip", r"a\.txt\.gz cannot be read \(.*\): is it whole\?"),
        ("a.parquet", b"PAR1", r"a\.parquet cannot be read \(.*\): is it a whole Parquet file\?"),
        ("a.csv", b"a\n", r"a\.csv is none of \.txt, .*: give it on standard input, a text a line, < .*a\.csv"),
        ("a.txt", b"a\n" + b"b" * 101 + b"\n", r"a\.txt:2 has more than 100 bytes: cut it, or raise --max-bytes"),
        ("a.txt", "水".encode() * 34, r"a\.txt:1 has more than 100 bytes"),
        ("a.jsonl", b'{"text": "' + b"b" * 101 + b'"}\n', r"a\.jsonl:1 has more than 100 bytes"),
    ],
)  # fmt: skip
def test_what_is_bad_is_named_with_its_row(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=said) as error:
        Texts([], [str(tmp_path / name)], max_bytes=100).count()
    assert "\n" not in str(error.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    for file, said in ((tmp_path, "is a folder: name the files in it"), (tmp_path / "no.txt", "no.txt is not there")):
        with pytest.raises(UserError, match=said):
            Texts([], [str(file)]).count()
    with pytest.raises(UserError, match=r"text 2 is not UTF-8: convert it"):  # as Python reads such an argument
        Texts([("a",), ("a\udcff",)], []).count()


def test_bad_columns_of_parquet(tmp_path: Path) -> None:
    file = str(tmp_path / "a.parquet")
    torn = pa.array([b"a", b"b\xff"], pa.binary()).view(pa.string())
    coded = pa.array(["a", None]).dictionary_encode()
    pq.write_table(pa.table({"torn": torn, "number": [1, 2], "coded": coded, "long": ["a", "b" * 101]}), file)
    for column, said in (
        ("text", r"a\.parquet has no column text, but torn, number, coded, long: name one by --columns"),
        ("number", r"a\.parquet: column number is int64, no text: name another by --columns"),
        ("torn", r"a\.parquet:2 is not UTF-8 \(byte 2\)"),
        ("coded", r"a\.parquet:2 is empty: fill it"),
        ("long", r"a\.parquet:2 has more than 100 bytes"),
    ):
        with pytest.raises(UserError, match=said):
            Texts([], [file], (column,), max_bytes=100).count()
    assert [one.parts for one in Texts([], [file], ("coded",), skip_empty=True)] == [("a",)]


def test_empty_rows_are_left_out_where_that_is_asked(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a\n\n \nb\n")
    (tmp_path / "b.jsonl").write_text('\n{"text": ""}\n{"text": "c"}\n')
    files = [str(tmp_path / "a.txt"), str(tmp_path / "b.jsonl")]
    found = [(one.parts[0], one.row) for one in Texts([], files, skip_empty=True)]
    assert found == [("a", 1), ("b", 4), ("c", 3)]
    (tmp_path / "a.txt").write_text("\n\n")
    with pytest.raises(UserError, match="no text is left without the empty ones: there is nothing to ask"):
        Texts([], files[:1], skip_empty=True).count()


@pytest.mark.parametrize("name", ["big.txt", "big.txt.gz", "big.jsonl"])
def test_ten_megabytes_of_text_are_refused_at_once(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / name, ["a" * 10_000_000])
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(UserError, match=r":1 has more than 1,000,000 bytes"):
        Texts([], [file]).count()
    taken, (_, most) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 0.5 and most < 32_000_000


@given(st.lists(st.integers(0, 60), max_size=40), st.integers(1, 7), st.integers(1, 100))
def test_parts_have_no_more_than_they_may(sizes: list[int], most: int, most_bytes: int) -> None:
    texts = [Text(("a" * size,), "", row) for row, size in enumerate(sizes)]
    parts = list(batches(texts, most, most_bytes))
    assert [text for part in parts for text in part] == texts
    for part in parts:
        assert 1 <= len(part) <= most and (len(part) == 1 or sum(len(one.parts[0]) for one in part) <= most_bytes)
