"""jobs/fit_language.py on the project's own articles, in fourteen languages."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import fit_language
from pipeline.kernels.arrow_text import from_strings
from pipeline.language import evidence
from pipeline.language.evidence import Evidence
from pipeline.language.fitting import sampling, whole
from pipeline.language.identifier import Identifier

fasttext = pytest.importorskip("fasttext", reason="no fasttext-community: pip install -e .[fit]")
pytest.importorskip("pycountry", reason="no pycountry: pip install -e .[fit]")
if not hasattr(fasttext, "train_supervised"):
    pytest.skip(
        "no fasttext-community, but fasttext-predict in its place: pip install -e .[fit]", allow_module_level=True
    )

ARTICLES = Path(__file__).resolve().parents[1] / "archive" / "articles"
FOURTEEN = {
    "zho": ("cmn", "Hans"), "jpn": ("jpn", "Jpan"), "kor": ("kor", "Kore"), "tha": ("tha", "Thai"),
    "khm": ("khm", "Khmr"), "ara": ("arb", "Arab"), "heb": ("heb", "Hebr"), "hin": ("hin", "Deva"),
    "tam": ("tam", "Taml"), "amh": ("amh", "Ethi"), "kat": ("kat", "Geor"), "rus": ("rus", "Cyrl"),
    "tur": ("tur", "Latn"), "eng": ("eng", "Latn"),
}  # fmt: skip
Row = dict[str, str]


def lines_of(name: str) -> list[str]:
    return [line for line in (ARTICLES / f"{name}.txt").read_text(encoding="utf-8").splitlines() if line.strip()]


def row(text: str, language: str, script: str, source: str = "own/a", licence: str = "CC0") -> Row:
    return {"text": text, "language": language, "script": script, "source": source, "licence": licence}


def write(folder: Path, given: list[Row]) -> str:
    pq.write_table(pa.Table.from_pylist(given), folder / "texts.parquet")
    return str(folder / "texts.parquet")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts of a few thousand bytes make a model in a second."""
    monkeypatch.setattr(sampling, "MOST_BYTES", 8_000)
    monkeypatch.setattr(whole, "RUBBISH_EACH", 15)
    monkeypatch.setattr(whole, "MIN_BYTES", 500)
    monkeypatch.setattr("pipeline.language.fitting.judging.ENOUGH", 200)


@pytest.mark.usefixtures("small")
def test_a_model_of_fourteen_languages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given, held = [], []
    for name, (language, script) in FOURTEEN.items():
        lines = lines_of(name)
        held.append((lines[-1], language))
        given += [row(line, language, script, f"own/{'ab'[i % 2]}") for i, line in enumerate(lines[:-1])]
    given += [row("Une phrase de trop.", "fra", "Latn"), row("A line under no licence", "eng", "Latn", licence="")]
    output = tmp_path / "fitted"
    flags = ["--input", write(tmp_path, given), "--output", str(output), "--epochs", "12", "--rows", "20000"]
    assert fit_language.main([*flags, "--judge", "documents", "rubbish"]) == 0
    said = capsys.readouterr().out
    assert "left out 1 of fra_Latn: 1 texts of 19 bytes are too few" in said
    assert "left out 1 of eng_Latn: its licence is missing" in said

    lists = Evidence(evidence.load(output / "calibration.json"))
    found = Identifier(output / "languages.ftz", lists).identify(from_strings(text for text, _ in held))
    assert sum(a == b for a, (_, b) in zip(found.language.to_pylist(), held, strict=True)) >= 13
    table = json.loads((output / "languages.json").read_text(encoding="utf-8"))
    assert list(table) == sorted(table) and len(table) == 14 and "cmn_Hani" in table and "kor_Hang" in table
    assert table["tur_Latn"]["name"] == "Turkish" and table["tur_Latn"]["licences"] == {"own": ["CC0"]}
    assert table["kat_Geor"]["f1"] > 0.5
    report = json.loads((output / "report.json").read_text(encoding="utf-8"))
    assert report["labels"] == 14 and 0 <= report["rubbish_named"] <= 1
    few = "1 texts of 19 bytes are too few: give 500 bytes or more"
    assert {"label": "fra_Latn", "reason": few, "texts": 1} in report["refused"]
    assert "| kat_Geor | Georgian | Kartvelian |" in (output / "report.md").read_text(encoding="utf-8")


def fails(flags: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert fit_language.main(flags) == 2
    return capsys.readouterr().err


@pytest.mark.usefixtures("small")
def test_one_label_is_no_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = write(tmp_path, [row(line, "eng", "Latn") for line in lines_of("eng")])
    said = fails(["--input", table, "--output", str(tmp_path / "x")], capsys)
    assert said.strip().endswith("only eng_Latn has enough text; a model needs two labels or more")
    assert not (tmp_path / "x").exists()


def test_what_is_wrong_with_a_table_or_a_flag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "a", "language": "eng", "script": "Latn", "source": "s"}))
    there = str(tmp_path / "a.jsonl")
    assert "no column licence" in fails(["--input", there, "--output", str(tmp_path / "x")], capsys)
    assert "no such table" in fails(["--input", f"{there}.gz", "--output", str(tmp_path / "x")], capsys)
    assert "name a new folder" in fails(["--input", there, "--output", str(tmp_path)], capsys)
    wrong = ["--input", there, "--output", str(tmp_path / "x"), "--leave-out", "nso_Latn"]
    assert "write LABEL/SOURCE" in fails(wrong, capsys)
    assert "invalid choice" in fails([*wrong[:4], "--judge", "everything"], capsys)
