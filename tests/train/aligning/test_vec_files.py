"""Files of word vectors: what fastText writes is read, what is broken is left out and said, or one line."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from schemas.errors import UserError
from train.aligning.vec_files import read_vec, write_vec

WORDS = [
    "the",
    "河",
    "ที่",
    "ភាសា",
    "يوم",
    "בית",
    "दिन",
    "நாள்",
    "ቤት",
    "დღე",
    "дом",
    "ırmak",
    "川",
    "강",
    "New York",
    "3.5",
]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(len(WORDS), 5)).astype(np.float32)
    write_vec(tmp_path / "a.vec", WORDS, vectors)
    with gzip.open(tmp_path / "a.vec.gz", "wb") as file:
        file.write((tmp_path / "a.vec").read_bytes())
    for name in ("a.vec", "a.vec.gz"):
        said = list[str]()
        found = read_vec(tmp_path / name, say=said.append)
        assert found.words == WORDS and not said
        np.testing.assert_allclose(found.vectors, vectors, rtol=1e-4)
    assert read_vec(tmp_path / "a.vec", most=3).words == WORDS[:3]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.vec", "a.vec.gz"]


def test_rows_that_are_no_words_are_left_out_and_said(tmp_path: Path) -> None:
    rows = [f"word{number} {number} 1 2 " for number in range(300)]  # with the space that fastText ends rows with
    rows[3:3] = ["</s> 1 1 1", "word1 9 9 9", "nothing 0 0 0", "short 1 2"]
    (tmp_path / "a.vec").write_bytes("\r\n".join(["400 3", *rows]).encode() + b"\n\xff\xfe 1 2 3\n")
    said = list[str]()
    found = read_vec(tmp_path / "a.vec", say=said.append)
    assert found.words == [f"word{number}" for number in range(300)] and found.vectors[1].tolist() == [1, 1, 2]
    left_out, short = said
    assert left_out.endswith("left out 1 rows (no word), 1 rows (a word again), 1 rows (zeros alone), 2 rows (broken)")
    assert short.endswith("has 305 rows, and its first line says 400: it may have been cut off")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "does not begin with a line of two numbers"),
        ("the 0.1 0.2\nof 1 2\n", "does not begin with a line of two numbers"),
        ("0 3\n", "does not begin with a line of two numbers"),
        ("2 2\nthe 1 2\nof 1 nan\n", ":3 has numbers that are not finite"),
        ("2 2\nthe 1 inf\nof 1 2\n", ":2 has numbers that are not finite"),
        ("2 2\nthe 1 2 3\nof 1 2 3\n", "2 of 2 rows are no word with 2 numbers"),
        ("2 3\nthe 1 2\nof 1 2\n", "2 of 2 rows are no word with 3 numbers"),
        ("2 3\n", "0 of 0 rows"),
    ],
)
def test_what_holds_no_vectors_is_one_line(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "a.vec"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError) as error:
        read_vec(path)
    assert said in str(error.value) and str(path) in str(error.value)


def test_damaged_and_missing_files_are_one_line(tmp_path: Path) -> None:
    write_vec(tmp_path / "a.vec", ["a", "b"], np.ones((2, 900), np.float32) / 3)
    with gzip.open(tmp_path / "a.vec.gz", "wb") as file:
        file.write((tmp_path / "a.vec").read_bytes())
    whole = (tmp_path / "a.vec.gz").read_bytes()
    (tmp_path / "a.vec.gz").write_bytes(whole[: len(whole) // 2])
    for name, said in (("a.vec.gz", "cannot be read"), ("gone.vec", "there is no file"), (".", "is a folder")):
        with pytest.raises(UserError, match=said):
            read_vec(tmp_path / name)
