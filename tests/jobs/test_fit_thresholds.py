import tomllib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bench import trusted_texts
from pyspark.sql import SparkSession

from jobs import fit_thresholds
from pipeline.config import CleanConfig
from pipeline.quality import profiles
from pipeline.quality.fitting import tau
from pipeline.stages import fit_thresholds as stage

OFTEN = {
    "eng": "the of and to in is that it for was on as",
    "tur": "ve bir bu için ile daha çok olarak da de gibi kadar",
    "tha": "",
}


def text(language: str, i: int) -> str:
    """300 words or characters: every third a function word, the others this text's own."""
    if language == "tha":
        return "".join(chr(0x0E01 + (i * 7 + n * n) % 40) + (" " if n % 20 == 19 else "") for n in range(300))
    often = OFTEN[language].split()
    rare = (
        f"{'abcdefghij'[n % 10]}{'klmnopqrst'[n // 10 % 10]}v{chr(97 + i % 26)}{chr(97 + i // 26)}" for n in range(300)
    )
    parts = [often[n // 3 % len(often)] if n % 3 == 0 else word for n, word in enumerate(rare)]
    return ".\n".join(" ".join(parts[n : n + 10]) for n in range(0, 300, 10)) + "."


SCRIPT = {"eng": "Latn", "tur": "Latn", "tha": "Thai", "und": "Latn", "zul": "Latn"}


def rows() -> list[dict[str, object]]:
    found = [
        {"id": f"{language}-{i}", "text": text(language, i), "language": language, "language_script": SCRIPT[language],
         "url": f"http://site{i % 3}.example/{i}", "language_score": 0.5 + (i % 10) / 20}
        for language in ("eng", "tur", "tha") for i in range(40)
    ]  # fmt: skip
    odd = ["", "\0\0", "e" + "\u0301" * 10_000, "x" * 200_000, "\u202e word " * 100, "{" * 500]
    found += [
        {"id": f"odd-{i}", "text": odd[i % 6], "language": ("und", "zul")[i // 6], "language_script": "Latn",
         "url": None if i % 2 else "http://[broken", "language_score": None} for i in range(12)
    ]  # fmt: skip
    return found


def write(folder: Path, table: list[dict[str, object]], files: int = 1) -> Path:
    folder.mkdir(parents=True)
    whole = pa.Table.from_pylist(table)
    for i in range(files):
        part = whole.take(pa.array(range(i, whole.num_rows, files)))
        pq.write_table(part, folder / f"part-{i}.parquet")
    return folder


@pytest.fixture(scope="module")
def fitted(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fit")
    table = write(folder / "table", rows())
    output = folder / "out.toml"
    assert fit_thresholds.main(["--input", str(table), "--output", str(output), "--about", "Made for a test."]) == 0
    return output


def test_the_file_is_one_that_clean_reads(fitted: Path) -> None:
    assert fitted.read_text(encoding="utf-8").startswith("# Made for a test.\n# Fitted from 1")
    found = profiles.load(str(fitted), CleanConfig.threshold_names())
    assert set(OFTEN["eng"].split()) <= set(found.stop_words["eng_Latn"])
    assert set(OFTEN["tur"].split()) <= set(found.stop_words["tur_Latn"])
    assert not {"tha_Thai", "und_Latn", "zul_Latn"} & set(found.stop_words)
    assert not {"und_Latn", "zul_Latn"} & set(found.thresholds)  # six texts are too few
    assert found.thresholds["Thai"]["min_words"] == 210
    scores = 0.5 + np.arange(40) % 10 / 20
    assert found.thresholds["Latn"]["min_language_score"] == pytest.approx(tau(scores), abs=0.001)


def test_neither_order_nor_partitions_matter(fitted: Path, tmp_path: Path) -> None:
    table = write(tmp_path / "table", rows()[::-1], files=5)
    output = tmp_path / "again.toml"
    arguments = ["--input", str(table), "--output", str(output), "--about", "Made for a test.", "--partitions", "7"]
    assert fit_thresholds.main(arguments) == 0
    assert output.read_bytes() == fitted.read_bytes()


def test_texts_held_out_are_judged_by_what_the_job_would_fit(spark: SparkSession, tmp_path: Path) -> None:
    """bench.trusted_texts fits without an engine."""
    good = [row | {"language_score": None} for row in rows() if row["language"] in ("eng", "tur", "tha")]
    names = ("id", "url", "language", "language_script", "text")
    held = pa.Table.from_pylist([{name: row[name] for name in names} for row in good])
    found = trusted_texts.fitted(held, held.slice(0, 0), 20)
    output = tmp_path / "out.toml"
    assert fit_thresholds.main(["--input", str(write(tmp_path / "table", good)), "--output", str(output)]) == 0
    job = profiles.load(str(output))
    assert found.thresholds == job.thresholds
    assert {key: set(words) for key, words in found.stop_words.items()} == {
        key: set(words) for key, words in job.stop_words.items()
    }


def test_a_sample_of_rows_with_one_id_is_the_same_in_any_order(spark: SparkSession, tmp_path: Path) -> None:
    same = [row | {"id": "1"} for row in rows() if row["language"] == "tur"]
    found = []
    for name, table in (("first", same), ("second", same[::-1])):
        source = write(tmp_path / name, table, files=3)
        sampled = stage.sample(spark.read.parquet(str(source)), 10)
        found.append(sorted((row["url"], row["text"]) for row in sampled.collect()))
    assert found[0] == found[1] and len(set(found[0])) == 10


def test_trusted_texts_a_sample_of_them_and_more_words(spark: SparkSession, tmp_path: Path) -> None:
    table = write(tmp_path / "table", rows())
    zulu = "ukuthi futhi ukuba kodwa noma lapho khona kakhulu"
    sentences = []
    for i in range(100):
        rare = " ".join(f"i{chr(97 + i % 26)}{end}" for end in "kpqrst")
        sentences.append({"id": str(i), "language": "zul", "language_script": "Latn", "text": f"{zulu} {rare}"})
    more = write(tmp_path / "more", sentences)
    output = tmp_path / "out.toml"
    arguments = [
        "--input",
        str(table),
        "--output",
        str(output),
        "--trusted",
        "language = 'tur'",
        "--words-from",
        str(more),
    ]
    assert fit_thresholds.main([*arguments, "--most-texts", "30"]) == 0
    assert "30 texts in" in output.read_text(encoding="utf-8")
    found = profiles.load(str(output))
    assert set(found.stop_words) == {"tur_Latn", "zul_Latn"}
    assert set(zulu.split()) <= set(found.stop_words["zul_Latn"])
    assert "zul_Latn" not in found.thresholds and "Latn" in found.thresholds


FINEWEB2 = """dup_line_frac: 0.303
dup_n_grams:
- - 5
  - 0.168
language_score: 0.875
line_punct_thr: -1
max_avg_word_length: 21
max_non_alpha_words_ratio: 0.773
min_avg_word_length: 3
new_line_ratio: 0.273
stopwords:
- ve
- bir
- no
- "i\\xE7in"
top_n_grams:
- - 2
  - 0.094
"""


def test_fineweb_2_s_own_files(tmp_path: Path) -> None:
    folder = tmp_path / "configs"
    folder.mkdir()
    for name in ("tur_Latn.yml", "azj_Latn.yaml"):
        (folder / name).write_text(FINEWEB2, encoding="utf-8")
    output = tmp_path / "out.toml"
    assert fit_thresholds.main(["--from-fineweb2", str(folder), "--output", str(output)]) == 0
    ours, theirs = profiles.load(str(output)), profiles.load(str(folder))
    assert (ours.thresholds, ours.stop_words) == (theirs.thresholds, theirs.stop_words)
    section = tomllib.loads(output.read_text(encoding="utf-8"))["by_language"]["azj_Latn"]
    assert section["stop_words"] == ["ve", "bir", "no", "için"]
    assert section["min_line_punct_share"] == 0 and section["max_dup_5gram_char_share"] == 0.168


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give one of --root ROOT, --input TABLE and --from-fineweb2 FOLDER"),
        (["--root", "x", "--input", "y"], "give one of"),
        (["--input", "{tmp}/none"], "no such table"),
        (["--input", "{tmp}/bare"], "has no column 'language'"),
        (["--input", "{tmp}/table", "--trusted", "n_wrds > 3"], "--trusted 'n_wrds > 3' is no condition"),
        (["--input", "{tmp}/table", "--trusted", "language ="], "is no condition"),
        (["--input", "{tmp}/table", "--trusted", "language = 'xxx'"], "no language has 20 texts"),
        (["--input", "{tmp}/table", "--words-from", "{tmp}/bare"], "has no column 'language'"),
        (["--input", "{tmp}/table", "--cut", "2"], "--cut"),
        (["--input", "{tmp}/table", "--min-text", "2"], "did you mean --min-texts?"),
        (["--root", "{tmp}/table"], "clean"),
        (["--from-fineweb2", "{tmp}/none"], "no such file"),
        (["--from-fineweb2", "{tmp}/table"], "neither a .toml file nor .yml files"),
    ],
)
def test_a_user_s_error_is_one_line(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    write(tmp_path / "table", rows()[:2])
    write(tmp_path / "bare", [{"id": "1", "text": "x"}])
    given = [argument.format(tmp=tmp_path) for argument in arguments]
    assert fit_thresholds.main([*given, "--output", str(tmp_path / "out.toml")]) == 2
    said = capsys.readouterr().err.strip()
    assert message in said and len(said.splitlines()) == 1
    assert not (tmp_path / "out.toml").exists()


def test_the_output_is_toml(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit_thresholds.main(["--from-fineweb2", str(tmp_path), "--output", str(tmp_path / "x.yml")]) == 2
    assert "name a file that ends in .toml" in capsys.readouterr().err
