"""What a user gets wrong: one line that names the thing and the way out, exit status 2, nothing half-written."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.errors import PythonException

from jobs import clean, corpus, dedup, explain, extract, report, sample, vocab
from pipeline.duplicates import signing
from pipeline.spark.session import LazySession
from pipeline.stages import extract as extract_stage
from pipeline.stages.annotate import Annotator
from pipeline.store import run_records

ARCHIVE = Path(__file__).resolve().parents[1] / "archive" / "sample.warc.wet.gz"


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a job's main, demands status 2 and exactly one line of complaint, and answers that line."""

    def run(main: Callable[[list[str]], int], *argv: object) -> str:
        capfd.readouterr()
        assert main([str(word) for word in argv]) == 2
        lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1
        assert "Traceback" not in lines[0]
        return lines[0]

    return run


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"key": ["a", "b"], "body": ["one", "two"]}), path)
    return path


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--input", "nowhere.warc.gz"], ["nowhere.warc.gz", "no such file"]),
        (["--input", "{empty}"], ["no archive in this folder"]),
        (["--input", "{archive}", "--egnine", "resiliparse"], ["--egnine", "did you mean --engine?"]),
        (["--input", "{archive}", "--engine", "boilerpipe"], ["extract.engine", "trafilatura", "resiliparse"]),
        (["--input", "{archive}", "--clean.languages", "eng,xyz"], ["xyz", "ISO 639-3"]),
        (["--input", "{archive}", "--clean.languages", "zho"], ["zho", "cmn"]),
        (["--input", "{archive}", "--languages", "eng"], ["--extract.languages or --clean.languages"]),
        (
            ["--input", "{archive}", "--min-language-score", "1.5"],
            ["clean.min_language_score", "less than or equal to 1"],
        ),
        (["--input", "{archive}", "--dedup.bands", "13"], ["dedup: bands and rows", "give both"]),
        (["--input", "{archive}", "--temperature", "2"], ["--sample.temperature or --vocab.temperature"]),
        (["--input", "{archive}", "--partitions", "0"], ["--partitions", "1 or more"]),
        (["--input", "{archive}", "--config", "{key}"], ["min_wrods", "did you mean min_words?"]),
        (["--input", "{archive}", "--config", "{section}"], ["[claen]", "did you mean clean?"]),
        (["--input", "{archive}", "--config", "{broken}"], ["not readable as TOML"]),
        (["--input", "{archive}", "--config", "nowhere.toml"], ["nowhere.toml", "no such file"]),
        (["--root", "x"], ["--input"]),
    ],
)
def test_flags_and_config(refused: Callable[..., str], tmp_path: Path, flags: list[str], words: list[str]) -> None:
    files = {"key": "[clean]\nmin_wrods = 3\n", "section": "[claen]\nmin_words = 3\n", "broken": "[clean\n"}
    places = {"archive": str(ARCHIVE), "empty": str(tmp_path / "empty")}
    (tmp_path / "empty").mkdir()
    for name, text in files.items():
        (tmp_path / f"{name}.toml").write_text(text)
        places[name] = str(tmp_path / f"{name}.toml")
    root = tmp_path / "root"
    line = refused(
        corpus.main, *(flag.format(**places) for flag in flags), *([] if "--root" in flags else ["--root", root])
    )
    for word in words:
        assert word in line
    assert not root.exists()


def test_an_archive_that_is_not_one(spark: object, refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "page.warc.gz").write_bytes(b"<html><body>not an archive</body></html>")
    line = refused(extract.main, "--input", tmp_path / "page.warc.gz", "--root", tmp_path / "root")
    assert "page.warc.gz" in line and "not_an_archive" in line
    assert not list((tmp_path / "root").rglob("*.parquet"))


@pytest.mark.parametrize("job", [clean, dedup, sample, vocab])
def test_a_stage_whose_input_is_not_there(refused: Callable[..., str], tmp_path: Path, job: object) -> None:
    line = refused(job.main, "--root", tmp_path / "root")  # type: ignore[attr-defined]
    assert "missing or unfinished" in line and "run jobs/" in line


def test_a_table_with_a_missing_column(spark: object, refused: Callable[..., str], table: Path, tmp_path: Path) -> None:
    line = refused(dedup.main, "--input", table, "--output", tmp_path / "out", "--id-column", "key")
    assert "no column 'text'" in line and "body" in line
    line = refused(
        sample.main, "--input", table, "--output", tmp_path / "out", "--id-column", "kee", "--text-column", "body"
    )
    assert "no column 'kee'" in line
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob("_*"))


def test_a_table_that_is_none(spark: object, refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 this is no Parquet PAR2")
    line = refused(dedup.main, "--input", tmp_path / "broken.parquet", "--output", tmp_path / "out")
    assert "broken.parquet" in line and "Parquet" in line
    assert "nowhere" in refused(dedup.main, "--input", tmp_path / "nowhere", "--output", tmp_path / "out")


def test_an_output_that_is_somebody_elses(refused: Callable[..., str], table: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("precious")
    columns = ["--id-column", "key", "--text-column", "body"]
    line = refused(dedup.main, "--input", table, "--output", tmp_path / "mine", *columns)
    assert "name a new folder" in line and (tmp_path / "mine" / "thesis.tex").exists()


def test_a_language_model_that_is_none(spark: object, refused: Callable[..., str], table: Path, tmp_path: Path) -> None:
    flags = ["--input", table, "--output", tmp_path / "out", "--id-column", "key", "--text-column", "body"]
    (tmp_path / "model.bin").write_bytes(b"no model")
    assert "model.bin" in refused(clean.main, *flags, "--model", tmp_path / "model.bin")
    assert "nowhere.bin" in refused(clean.main, *flags, "--model", tmp_path / "nowhere.bin")


def test_reports_and_explanations_of_nothing(spark: object, refused: Callable[..., str], tmp_path: Path) -> None:
    assert "unfinished" in refused(explain.main, "--root", tmp_path, "--url", "https://example.org/")
    assert str(tmp_path / "nowhere") in refused(report.main, "--root", tmp_path / "nowhere")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True)
    if made.returncode:
        pytest.skip("a disk of 64 KB cannot be mounted here: needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk(spark: object, refused: Callable[..., str], small_disk: Path) -> None:
    line = refused(extract.main, "--input", ARCHIVE.parent / "sample.warc.gz", "--root", small_disk / "root")
    assert "No space left" in line and "--root" in line
    assert run_records.finished(str(small_disk / "root" / "extract")) is None


def test_through_spark_submit(submit: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    answer = submit("corpus", "--input", tmp_path / "nowhere", "--root", tmp_path / "root")
    assert answer.returncode == 2
    said = answer.stdout + answer.stderr  # spark-submit sends what Python says to its own standard output
    assert said.count("error: ") == 1 and "Traceback" not in said
    assert os.listdir(tmp_path) == []


def planted(*_: object, **__: object) -> NoReturn:
    raise ValueError("planted")


@pytest.fixture
def bug(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a job over a table, demands that it fails as a bug does, without a line for the user, and answers what the
    exception says."""
    columns = {"id": ["a", "b"], "text": ["one", "two"], "language": ["eng"] * 2, "language_script": ["Latn"] * 2}
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")

    def run(main: Callable[[list[str]], int], kind: type[Exception] = ValueError, *argv: object) -> str:
        capfd.readouterr()
        flags = argv or ("--input", tmp_path / "rows.parquet", "--output", tmp_path / "out")
        with pytest.raises(kind, match="planted") as raised:
            main([str(word) for word in flags])
        assert "error: " not in capfd.readouterr().err
        assert not (tmp_path / "out").exists()
        return str(raised.value)

    return run


@pytest.mark.parametrize(
    ("job", "function"), [(clean, "pipeline.stages.clean.clean"), (sample, "pipeline.stages.sample.plan_mixture")]
)
def test_a_bug_in_a_stage_is_no_mistake_of_the_user(
    spark: object, bug: Callable[..., str], monkeypatch: pytest.MonkeyPatch, job: ModuleType, function: str
) -> None:
    monkeypatch.setattr(function, planted)
    bug(job.main)


def test_a_bug_in_a_worker_process_is_no_mistake_of_the_user(
    bug: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a worker calls a kernel, and where it reads an archive."""
    monkeypatch.setattr(LazySession, "local_cores", lambda _: 2)  # forked from this process, whatever session there is
    monkeypatch.setattr(signing, "signatures_of", planted)
    bug(dedup.main)
    monkeypatch.setattr(extract_stage, "extract_page", planted)
    bug(extract.main, ValueError, "--input", ARCHIVE, "--root", tmp_path / "root", "--engine", "resiliparse")
    assert run_records.finished(str(tmp_path / "root" / "extract")) is None


def test_a_bug_in_a_task_of_the_engine_is_no_mistake_of_the_user(
    spark: object, bug: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Annotator):  # of no module, so that it goes to the task as it is
        def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
            raise ValueError("planted")

    monkeypatch.setattr(clean, "Annotator", Broken)
    assert "Traceback" in bug(clean.main, PythonException)
