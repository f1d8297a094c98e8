"""Bilingual dictionaries: MUSE and GATITOS."""

from pathlib import Path

import pytest
from benchmark_files import SHARED, write

from schemas.errors import UserError
from train.benchmarks.dictionaries import read_dictionary


def test_muse(tmp_path: Path) -> None:
    """Some of its lines have a tab, most a space."""
    path = write(tmp_path / "en-ru.0-5000.txt", "the это\nthe\tто\nAnd и\ncat  кошка \nthe это\n")
    assert read_dictionary(path) == [("the", {"это", "то"}), ("And", {"и"}), ("cat", {"кошка"})]


def test_gatitos(tmp_path: Path) -> None:
    path = write(tmp_path / "en_yue.tsv", "\ufeffa lot\t好多\r\na lot\t大把\r\nin front of\t喺……前面\r\n")
    assert read_dictionary(path) == [("a lot", {"好多", "大把"}), ("in front of", {"喺……前面"})]


@pytest.mark.skipif(not SHARED.exists(), reason="no ../shared/data")
def test_the_whole_of_gatitos() -> None:
    for path in sorted((SHARED / "gatitos").glob("*.tsv")):
        found = read_dictionary(path)
        lines = path.read_bytes().decode().strip("\n").split("\n")
        assert len(found) > 3900
        assert sum(len(targets) for _, targets in found) == len({tuple(line.split("\t")) for line in lines})


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    for text, said in (
        ("", r"a\.txt is empty: give a dictionary with a pair of words a line"),
        ("a b\n\nc d\n", r"a\.txt:2 is an empty line: take it out"),
        ("a b\nc\n", r"a\.txt:2 has 1 words or sides, not 2: write source, a tab and target"),
        ("a b c\n", r"a\.txt:1 has 3 words or sides, not 2: write source, a tab and target"),
        ("a\t\n", r"a\.txt:1 has 1 words or sides, not 2"),
        ("a\tb\tc\n", r"a\.txt:1 has 3 words or sides, not 2"),
    ):
        with pytest.raises(UserError, match=said):
            read_dictionary(write(tmp_path / "a.txt", text))
    (tmp_path / "b.txt").write_bytes("a b\nä ö\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"b\.txt:2 is no UTF-8 from byte 0 of the line on: save the file as UTF-8"):
        read_dictionary(tmp_path / "b.txt")
    with pytest.raises(UserError, match=r"is a folder: name a dictionary in it"):
        read_dictionary(tmp_path)
