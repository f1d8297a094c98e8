"""Sentences in several languages, line by line."""

import gzip
import subprocess
import sys
from pathlib import Path

import pytest
from benchmark_files import SENTENCES, SHARED, write

from schemas.errors import UserError
from train.benchmarks.aligned import read_aligned, read_tatoeba


def test_tatoeba(tmp_path: Path) -> None:
    english = SENTENCES["en"][0]
    for code, (text, _) in SENTENCES.items():
        if code != "en":
            write(tmp_path / f"tatoeba.{code}-eng.{code}", f"\ufeff{text} \r\n{code}\u2028\u00a0.\r\n")
            write(tmp_path / f"tatoeba.{code}-eng.eng", f"{english}\n{code}")
    write(tmp_path / "README.md", "pairs")
    found = read_tatoeba(tmp_path)
    assert list(found) == sorted(set(SENTENCES) - {"en"})
    assert found["th"] == ([SENTENCES["th"][0], "th\u2028\u00a0."], [english, "th"])


@pytest.mark.skipif(not SHARED.exists(), reason="no ../shared/data")
def test_the_whole_of_tatoeba_and_of_the_aligned_news() -> None:
    found = read_tatoeba(SHARED / "tatoeba")
    assert len(found) == 54 and all(len(one) == len(english) for one, english in found.values())
    raw = (SHARED / "tatoeba" / "tatoeba.ara-eng.ara").read_text(encoding="utf-8").split("\n")[:-1]
    assert found["ara"][0] == [line.strip() for line in raw]
    news = read_aligned(SHARED / "parallel")
    assert len(news) == 18 and {len(lines) for lines in news.values()} == {1997}


def test_a_file_a_language(tmp_path: Path) -> None:
    write(tmp_path / "zho-CN.txt", "一\n二\n")
    (tmp_path / "deu_Latn.txt.gz").write_bytes(gzip.compress(b"eins\nzwei\n"))
    write(tmp_path / "notes.md", "x")
    assert read_aligned(tmp_path) == {"deu_Latn": ["eins", "zwei"], "zho-CN": ["一", "二"]}


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    write(tmp_path / "one" / "tatoeba.deu-eng.deu", "a\n")
    write(tmp_path / "two" / "tatoeba.deu-eng.deu", "a\nb\n")
    write(tmp_path / "two" / "tatoeba.deu-eng.eng", "a\n")
    write(tmp_path / "gap" / "tatoeba.deu-eng.deu", "a\n\u3000\nb\n")
    write(tmp_path / "gap" / "tatoeba.deu-eng.eng", "a\nb\nc\n")
    write(tmp_path / "none" / "a.md", "a")
    for folder, said in (
        ("none", r"none has none of Tatoeba's files: name a folder with tatoeba\.deu-eng\.deu"),
        ("gone", r"there is no folder .*gone: name one with tatoeba\.deu-eng\.deu"),
        ("one", r"tatoeba\.deu-eng\.deu has no file tatoeba\.deu-eng\.eng beside it: put it there"),
        ("two", r"deu-eng\.deu has 2 lines and .*deu-eng\.eng has 1: line by line they must say the same"),
        ("gap", r"tatoeba\.deu-eng\.deu:2 is an empty line: fill it in"),
    ):
        with pytest.raises(UserError, match=said):
            read_tatoeba(tmp_path / folder)
    write(tmp_path / "alone" / "deu.txt", "a\n")
    write(tmp_path / "longer" / "deu.txt", "a\n")
    write(tmp_path / "longer" / "eng.txt", "a\nb\n")
    write(tmp_path / "twice" / "deu.txt", "a\n")
    write(tmp_path / "twice" / "deu.txt.gz", "a\n")
    write(tmp_path / "torn" / "deu.txt.gz", "a\n")
    write(tmp_path / "torn" / "eng.txt", "a\n")
    for folder, said in (
        ("none", r"none has files <language>\.txt or <language>\.txt\.gz of none: give two or more"),
        ("alone", r"alone has files .* of deu alone: give two or more"),
        ("longer", r"deu\.txt has 1 lines and .*eng\.txt has 2: line by line"),
        ("twice", r"deu\.txt and .*deu\.txt\.gz are both of deu: take one of them out"),
        ("torn", r"deu\.txt\.gz cannot be read \(.*\): write it again"),
    ):
        with pytest.raises(UserError, match=said):
            read_aligned(tmp_path / folder)


def test_nothing_heavy_is_loaded() -> None:
    rooms = "train.benchmarks.read, train.benchmarks.aligned, train.benchmarks.dictionaries"
    program = f"import {rooms}, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "transformers", "sklearn", "pandas", "pydantic", "pyspark"} & set(loaded)
