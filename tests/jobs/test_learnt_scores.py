"""A classifier from its fit to thresholds: jobs/fit_classifier.py, then clean, dedup and the report as users do."""

import json
import shutil
from pathlib import Path
from typing import Any

import learnt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import transformers
from answering import save
from stage_tables import small

from jobs import clean, dedup, fit_classifier, report
from pipeline.explaining.verdict import judged_of, rules_of
from pipeline.scores.classifiers import Classifiers
from pipeline.words.words import words_of

pytestmark = pytest.mark.usefixtures("without_engine")


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With tables good.parquet and bad.parquet, and the model edu.ftz."""
    folder = tmp_path_factory.mktemp("fitted")
    good, bad = learnt.write(folder)
    argv = ["--positives", good, "--negatives", bad, "--output", str(folder / "edu.bin"), "--min-count", "1"]
    assert fit_classifier.main([*argv, "--min-texts", "10", "--epochs", "5"]) == 0
    return folder


@pytest.fixture(scope="module")
def root(fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus whose clean has scored both tables and dropped by the score."""
    folder = tmp_path_factory.mktemp("scored") / "root"
    assert run_clean(fitted, folder, '{"edu": 0.5}') == 0
    return folder


def run_clean(fitted: Path, root: Path, thresholds: str, *more: str) -> int:
    (root.parent / "in").mkdir(exist_ok=True)
    for name in ("good", "bad"):
        (root.parent / "in" / f"{name}.parquet").write_bytes((fitted / f"{name}.parquet").read_bytes())
    argv = ["--input", str(root.parent / "in"), "--output", str(root / "clean"), "--presets", "none"]
    argv += ["--min-language-share", "0", "--min-language-score", "0"]
    argv += ["--classifiers", json.dumps({"edu": str(fitted / "edu.bin")}), "--score-thresholds", thresholds]
    return clean.main([*argv, *more])


def rows(root: Path) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in pq.read_table(root / "clean/documents").to_pylist()}


def test_scores_are_a_column_and_drop_below_the_threshold(fitted: Path, root: Path) -> None:
    found = rows(root)
    assert len(found) == 700
    for row in found.values():
        assert 0 <= row["score_edu"] <= 1
        assert row["drop_reason"] == ("score:edu" if row["score_edu"] < 0.5 else None)
    good = [row["score_edu"] for name, row in found.items() if name.startswith("good")]
    bad = [row["score_edu"] for name, row in found.items() if name.startswith("bad")]
    assert sum(good) / len(good) > 0.65 > 0.35 > sum(bad) / len(bad)
    (file, *_) = (root / "clean/documents").iterdir()
    names = list(pq.read_schema(file).names)
    assert names[-1] == "drop_reason" and "score_edu" in names
    (rule,) = small(root, "clean/_scores.json")
    dropped = sum(row["drop_reason"] is not None for row in found.values())
    assert (rule["rule"], rule["before"], rule["after"]) == ("score:edu", 700, 700 - dropped)
    languages = {one["value"]: one for one in rule["shares"] if one["kind"] == "language"}
    assert languages["deu_Latn"]["before"] == sum(row["language"] == "deu" for row in found.values())
    assert len(rule["examples"]) == 8 and all(one["text"] and one["threshold"] == 0.5 for one in rule["examples"])
    scores = sorted(abs(row["score_edu"] - 0.5) for row in found.values() if row["score_edu"] < 0.5)
    below = [abs(one["score"] - 0.5) for one in rule["examples"] if one["reason"]]
    assert below == pytest.approx(scores[:4], abs=1e-5)
    lie = {one["signal"]: one for one in small(root, "clean/_distributions.json") if not one["language"]}
    assert sum(lie["score_edu"]["histogram"]["kept"]) == 700 - dropped
    assert lie["score_edu"]["thresholds"] == [{"rule": "score:edu", "operator": "<", "value": 0.5}]


def test_another_threshold_reads_no_text_and_names_what_is_left_little_of(
    fitted: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {path: path.read_bytes() for path in (root / "clean/documents").iterdir()}
    own = tmp_path / "root"
    assert run_clean(fitted, own, '{"edu": 0.5}') == 0
    capsys.readouterr()
    there = {path.name: path.stat().st_mtime_ns for path in (own / "clean/documents").iterdir()}
    by_language = json.dumps({"rus": {"min_score_edu": 0.99}})
    assert run_clean(fitted, own, '{"edu": 0.3}', "--by-language", by_language, "--warn-kept-share", "0.2") == 0
    said = capsys.readouterr().out
    assert {path.name: path.stat().st_mtime_ns for path in (own / "clean/documents").iterdir()} == there
    assert sorted(map(bytes, files.values())) == sorted(
        path.read_bytes() for path in (own / "clean/documents").iterdir()
    )
    (rule,) = small(own, "clean/_scores.json")
    left = {one["value"]: (one["before"], one["after"]) for one in rule["shares"] if one["kind"] == "language"}
    assert left["rus_Cyrl"][1] < 0.2 * left["rus_Cyrl"][0] and left["eng_Latn"][1] > 0.4 * left["eng_Latn"][0]
    before, after = left["rus_Cyrl"]
    assert f"score:edu leaves less than 20% of rus_Cyrl ({after:,} of {before:,})" in said
    assert f"score:edu leaves {rule['after']:,} of {rule['before']:,} documents" in said


def test_the_report_shows_whom_it_falls_on(root: Path) -> None:
    assert report.main(["--root", str(root)]) == 0
    page = (root / "report.html").read_text(encoding="utf-8")
    assert '<h2 id="learnt">Learnt scores</h2>' in page and '<a href="#learnt">' in page
    assert "Kinds of sites, by their addresses" in page and "At the threshold" in page
    assert "score_edu" in page and "min_score_edu = 0.5" in page


def test_dedup_keeps_the_copy_with_the_better_score(root: Path) -> None:
    assert dedup.main(["--root", str(root), "--quality-column", "score_edu"]) == 0
    assert small(root, "dedup/_ledger.json")["rows_in"] == small(root, "clean/_ledger.json")["rows_out"]


def test_a_column_of_the_name_is_there_already(
    fitted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = pq.read_table(fitted / "good.parquet")
    pq.write_table(source.append_column("score_edu", source["id"]), tmp_path / "in.parquet")
    argv = ["--input", str(tmp_path / "in.parquet"), "--output", str(tmp_path / "out")]
    assert clean.main([*argv, "--classifiers", json.dumps({"edu": str(fitted / "edu.bin")})]) == 2
    said = capsys.readouterr().err.strip()
    assert "the table has a column score_edu already: call the classifier edu otherwise" in said and "\n" not in said


def test_a_head_over_vectors_of_an_encoder(fitted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Fitted on labels in two languages and used in all."""
    encoder = save(transformers.BertForPreTraining, tmp_path / "encoder")
    few = {name: tmp_path / f"{name}.parquet" for name in ("good", "bad")}
    for name, path in few.items():
        rows = pq.read_table(fitted / f"{name}.parquet")
        pq.write_table(rows.filter(pc.is_in(rows["language"], pa.array(["eng", "deu"]))), path)
    argv = ["--positives", str(few["good"]), "--negatives", str(few["bad"]), "--embeddings", str(encoder)]
    assert fit_classifier.main([*argv, "--output", str(tmp_path / "edu.ftz")]) == 2
    assert "it ends in .head with --embeddings, and only then" in capsys.readouterr().err
    argv += ["--output", str(tmp_path / "edu.head"), "--max-tokens", "16", "--min-texts", "10"]
    assert fit_classifier.main(argv) == 0
    model = Classifiers({"edu": str(tmp_path / "edu.head")})
    (tmp_path / "in").mkdir()
    pq.write_table(pq.read_table(fitted / "good.parquet").slice(270, 20), tmp_path / "in/some.parquet")
    given = ["--input", str(tmp_path / "in"), "--output", str(tmp_path / "clean"), "--presets", "none"]
    assert clean.main([*given, "--classifiers", json.dumps({"edu": str(tmp_path / "edu.head")})]) == 0
    found = pq.read_table(tmp_path / "clean/documents")
    texts = found["text"].combine_chunks()
    languages = [found[name].to_pylist() for name in ("language", "language_script")]
    asked = model.score(texts, words_of(texts), *languages)["edu"]
    assert found["score_edu"].to_pylist() == pytest.approx(asked.tolist(), abs=1e-3) and set(languages[0]) - {"eng"}
    capsys.readouterr()
    shutil.rmtree(encoder)
    assert clean.main([*given[:3], str(tmp_path / "again"), "--classifiers", given_as(tmp_path / "edu.head")]) == 2
    assert str(encoder) in capsys.readouterr().err


def given_as(path: Path) -> str:
    return json.dumps({"edu": str(path)})


def test_explain_names_the_score_and_its_threshold(root: Path) -> None:
    rules = rules_of(small(root, "clean/_run.json"))
    assert rules.notes == ()
    dropped = next(row for row in rows(root).values() if row["drop_reason"])
    told = judged_of(dropped, rules, with_votes=False)
    (rule,) = (one for one in told.rules if one.reason == "score:edu")
    assert rule.fired and rule.signals == {"score_edu": dropped["score_edu"]}
    assert [(limit.name, limit.value, limit.source) for limit in rule.limits] == [("min_score_edu", 0.5, "config")]
    assert told.notes == () and told.reason == "score:edu"
