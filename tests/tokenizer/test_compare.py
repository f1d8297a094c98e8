"""The comparison as a user runs it, and what it says to bad input."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tokenizer import compare
from tokenizer.compare import as_markdown, as_picture, main, read_parallel, read_texts, tables
from tokenizer.loading import load

SCRIPT = Path(compare.__file__)
WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "the",
    "river",
    "old",
    "bridge",
    "b",
    "##r",
    "das",
    "##ei",
    "##n",
]


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pieces")
    (folder / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    return folder


@pytest.fixture
def parallel(tmp_path: Path, texts: dict[str, str]) -> Path:
    folder = tmp_path / "parallel"
    folder.mkdir()
    (folder / "eng.txt.gz").write_bytes(gzip.compress(texts["eng_Latn"].encode() + b"\n"))
    for language in ("rus_Cyrl", "tha_Thai", "tur_Latn"):
        (folder / f"{language}.txt").write_text(texts[language], encoding="utf-8")
    (folder / "README.md").write_text("not a language", encoding="utf-8")
    return folder


@pytest.fixture
def labelled(tmp_path: Path, texts: dict[str, str]) -> Path:
    rows = [{"lang": n[:3], "script": n[4:], "text": line} for n, text in texts.items() for line in text.split("\n")]
    file = tmp_path / "labelled.jsonl.gz"
    file.write_bytes(gzip.compress("\n".join(json.dumps(row) for row in rows).encode()))
    return file


def program(*args: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """By its path from another folder, as a user without PYTHONSAFEPATH runs it."""
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    command = [sys.executable, str(SCRIPT), *map(str, args)]
    return subprocess.run(command, cwd=cwd, env=kept, capture_output=True, text=True, timeout=60)


def test_a_comparison_as_a_user_runs_it(
    folder: Path, listed: Path, parallel: Path, labelled: Path, tmp_path: Path
) -> None:
    ended = program(
        folder, listed, "--parallel", parallel, "--texts", labelled, "--most", 2, "--output", "out/deep", cwd=tmp_path
    )
    assert ended.returncode == 0, ended.stderr
    assert "Parallel texts: 4 languages, 12 texts" in ended.stdout
    assert "Labelled texts: 14 languages, 28 texts" in ended.stdout
    assert f"{listed.name} knows so few" in ended.stderr
    written = {file.name: file.read_text(encoding="utf-8") for file in (tmp_path / "out" / "deep").iterdir()}
    assert set(written) == {"comparison.json", "comparison.md", "comparison.svg"}
    told = json.loads(written["comparison.json"])
    assert set(told["tokenizers"]) == {folder.name, listed.name}
    fairness = told["parallel"][folder.name]["fairness"]
    assert fairness["parity_worst"] >= fairness["parity_mean"] > 0
    assert fairness["parity_worst_language"] in ("rus_Cyrl", "tha_Thai", "tur_Latn")
    assert "| tur_Latn | " in written["comparison.md"]
    ET.fromstring(written["comparison.svg"])


def test_golden_table(listed: Path, folder: Path) -> None:
    """The old bridge | br|ei|n das: one word of three tokens among five words."""
    given = {"eng": ["The old bridge"], "deu": ["brein das"]}
    told = compare.compare({"list": load(listed)}, given, None)
    ((_, head, rows),) = tables(told)
    # Tokens: the old bridge = 3; b ##r ##ei ##n das = 5. Costs 3 and 5: (5 - 3) / (2 * 8).
    assert dict(zip(head, rows[0], strict=True)) == {
        "tokenizer": "list",
        "pieces": "14",
        "tokens a word": "1.60",
        "bytes a token": "2.88",
        "continued words": "20.00%",
        "unknown": "0.00%",
        "byte pieces": "0.00%",
        "mean parity": "1.67",
        "worst parity": "1.67 deu",
        "Gini": "0.125",
    }
    two = compare.compare({"list": load(listed), "ours|x": load(folder)}, given, None)
    (_, (_, head, differing)) = tables(two)
    assert head == ["language", "list", "ours|x", "most to fewest"]
    assert float(differing[0][-1]) >= float(differing[1][-1]) >= 1
    assert "ours\\|x" in as_markdown(two)
    assert "<title>deu, list: 1.67</title>" in as_picture(two)


def test_texts_of_any_form_are_the_same(labelled: Path, tmp_path: Path) -> None:
    texts = read_texts(labelled, 2)
    assert set(map(len, texts.values())) == {2}
    assert texts["eng_Latn"][0].startswith("The river")
    rows = [json.loads(line) for line in gzip.decompress(labelled.read_bytes()).splitlines()]
    plain, table = tmp_path / "plain.jsonl", tmp_path / "table.parquet"
    renamed = [{"language": r["lang"], "language_script": r["script"], "text": r["text"], "n": 1} for r in rows]
    plain.write_text("\n".join(json.dumps(row) for row in renamed) + "\n\n", encoding="utf-8")
    pq.write_table(pa.Table.from_pylist(renamed), table, row_group_size=5)
    assert read_texts(plain, 2) == read_texts(table, 2) == texts
    pq.write_table(pa.table({"text": ["a", None, " "], "lang": ["deu", "deu", None]}), table)
    assert read_texts(table, 9) == {"deu": ["a"]}


def test_half_a_surrogate_pair_is_a_replacement_character(tmp_path: Path, listed: Path) -> None:
    file = tmp_path / "texts"
    file.write_text(r'{"text": "a\ud800b \ud83e\udd8a", "lang": "eng"}', encoding="utf-8")
    assert read_texts(file, 1) == {"eng": ["a\ufffd\ufffd\ufffdb \U0001f98a"]}
    assert main([str(listed), "--texts", str(file)]) == 0


def test_lines_blank_in_a_language_are_left_out_of_all(parallel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (parallel / "tha_Thai.txt").read_text(encoding="utf-8").split("\n")
    (parallel / "tha_Thai.txt").write_text("\r\n".join([lines[0], " ", lines[2]]), encoding="utf-8", newline="")
    read = read_parallel(parallel)
    assert set(map(len, read.values())) == {2}
    assert read["tha_Thai"] == [lines[0], lines[2]]
    assert "1 lines are blank" in capsys.readouterr().err


def test_tokenizers_of_one_name_are_told_apart(
    listed: Path, parallel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = [tmp_path / run / "vocab" for run in "ab"]
    for one in both:
        one.mkdir(parents=True)
        (one / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    assert main([*map(str, both), "--parallel", str(parallel)]) == 0
    assert all(str(one) in capsys.readouterr().out for one in both[:1])
    assert main([str(listed), str(listed), "--parallel", str(parallel)]) == 2
    assert "named twice" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda d: (d / "eng.txt.gz").unlink(), "no English among 3 files"),
        (lambda d: (d / "rus_Cyrl.txt").write_text("одна\n"), "1 lines, eng.txt.gz has 3"),
        (lambda d: (d / "rus_Cyrl.txt").write_text("\n \n"), "empty"),
        (lambda d: (d / "rus_Cyrl.txt").write_bytes(b""), "empty"),
        (lambda d: (d / "rus_Cyrl.txt").write_bytes(b"\xff\xfe"), "unreadable"),
        (lambda d: (d / "rus_Cyrl.txt").write_bytes(b"\x1f\x8b\x08damaged"), "unreadable"),
        (lambda d: (d / "eng.txt").write_text("x"), "are one language"),
        (lambda d: [file.unlink() for file in d.iterdir()], "no English among 0 files"),
    ],
)
def test_bad_parallel_texts(
    damage, says: str, listed: Path, parallel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(parallel)
    assert main([str(listed), "--parallel", str(parallel)]) == 2
    one_line(capsys.readouterr().err, says)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no text in it"),
        (b"nothing", "line 1: not JSON"),
        (b'{"text": "a", "lang": "deu"}\n[]', "line 2: not an object"),
        (b'{"text": "a"}', "line 1: no column language"),
        (b'{"lang": "deu"}', "line 1: no column text"),
        (b'{"text": 7, "lang": "deu"}', "must be strings"),
        (b"\xff", "line 1: not JSON"),
        (b"\x1f\x8b\x08damaged", "gzip"),
        (b"PAR1 damaged", "unreadable Parquet"),
    ],
)
def test_bad_texts(content: bytes, says: str, listed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "texts"
    file.write_bytes(content)
    assert main([str(listed), "--texts", str(file)]) == 2
    line = capsys.readouterr().err
    one_line(line, says)
    assert str(file) in line


def test_bad_flags(listed: Path, parallel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for arguments, says in [
        ([listed], "give --parallel DIR"),
        ([], "required: TOKENIZER"),
        ([listed, "--parallel", parallel, "--most", "x"], "--most"),
        ([listed, "--parallel", parallel, "--most", 0], "at least 1"),
        ([tmp_path / "none", "--parallel", parallel], "no such tokenizer"),
        ([parallel, "--parallel", parallel], "no tokenizer in this folder"),
        ([listed, "--parallel", tmp_path / "none"], "no such folder"),
        ([listed, "--texts", tmp_path / "none"], "no such file"),
        ([listed, "--parallel", parallel, "--output", tmp_path / "file"], "choose another"),
    ]:
        assert main([str(argument) for argument in arguments]) == 2, says
        one_line(capsys.readouterr().err.replace(f"compare  {listed.name}", "\n").split("\n")[-2] + "\n", says)


def one_line(printed: str, says: str) -> None:
    assert printed.startswith("error: ") and printed.count("\n") == 1
    assert says in printed and "Traceback" not in printed


def test_a_bug_keeps_its_trace(listed: Path, parallel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "measure_loaded", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main([str(listed), "--parallel", str(parallel)])


def test_ctrl_c_is_one_line(listed: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "texts"
    os.mkfifo(pipe)  # reading it waits, so the signal finds the program at work
    folder = tmp_path / "parallel"
    folder.mkdir()
    (folder / "eng.txt").symlink_to(pipe)
    command = [sys.executable, str(SCRIPT), str(listed), "--parallel", str(folder)]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with pipe.open("wb"):  # opens once the program reads
        time.sleep(0.2)
        running.send_signal(signal.SIGINT)
        out, told = running.communicate(timeout=30)
    assert (running.returncode, out, told) == (130, "", "stopped: nothing is written\n")
