"""jobs/fit_classifier.py on the project's own articles, against menus and shuffled words, in many languages."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import fit_classifier
from pipeline.kernels.arrow_text import from_strings
from pipeline.scores.classifiers import Classifiers, checksums
from pipeline.words.words import is_spaced, words_of

fasttext = pytest.importorskip("fasttext", reason="no fasttext-community: pip install -e .[fit]")
if not hasattr(fasttext, "train_supervised"):
    pytest.skip(
        "no fasttext-community, but fasttext-predict in its place: pip install -e .[fit]", allow_module_level=True
    )

ARTICLES = Path(__file__).resolve().parents[1] / "archive" / "articles"
LANGUAGES = {
    "zho": "cmn_Hani", "jpn": "jpn_Jpan", "kor": "kor_Hang", "tha": "tha_Thai", "khm": "khm_Khmr", "ara": "arb_Arab",
    "heb": "heb_Hebr", "hin": "hin_Deva", "tam": "tam_Taml", "amh": "amh_Ethi", "kat": "kat_Geor", "rus": "rus_Cyrl",
    "tur": "tur_Latn", "eng": "eng_Latn", "deu": "deu_Latn", "fra": "fra_Latn", "ukr": "ukr_Cyrl", "spa": "spa_Latn",
}  # fmt: skip
HELD_OUT = ["rus", "kat_Geor", "hin", "jpn"]
EACH = 40
Row = dict[str, str]


def rows(seed: int) -> tuple[list[Row], list[Row]]:
    """Good and bad texts: lines of an article in their order; its words in short lines, in any order."""
    good, bad = [], []
    for number, (name, label) in enumerate(LANGUAGES.items()):
        rng = np.random.default_rng((seed, number))
        lines = [line for line in (ARTICLES / f"{name}.txt").read_text(encoding="utf-8").splitlines() if line.strip()]
        gap = " " if is_spaced(label.partition("_")[2]) else ""
        words = " ".join(lines).split() if gap else list("".join(lines))
        for i in range(EACH):
            at, many = int(rng.integers(len(lines))), int(rng.integers(3, 9))
            common = {"host": f"h{i % 20}.example", "language": label}
            good.append({"text": "\n".join((lines + lines)[at : at + many]), **common})
            some = [words[j] for j in rng.integers(len(words), size=120 if gap else 300)]
            size = 3 if gap else 7
            bad.append({"text": "\n".join(gap.join(some[j : j + size]) for j in range(0, len(some), size)), **common})
    return good, bad


def write(path: Path, given: list[Row]) -> str:
    pq.write_table(pa.Table.from_pylist(given), path)
    return str(path)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("tables")
    good, bad = rows(1)
    place = [write(folder / "good.parquet", good)]
    for part in range(2):
        write(folder / f"bad-{part}.parquet", bad[part::2])
    return ["--positives", *place, "--negatives", str(folder / "bad-*.parquet")]


def test_a_classifier_of_languages_that_it_has_not_seen(
    tables: list[str], corpus_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [*tables, "--hold-out-languages", *HELD_OUT, "--min-texts", "20", "--epochs", "5"]
    model = tmp_path / "new" / "model.ftz"
    assert fit_classifier.main([*flags, "--output", str(model)]) == 0
    said = capsys.readouterr()
    figures = json.loads(Path(f"{model}.json").read_text())
    assert figures["held_out"] == ["hin_Deva", "jpn_Jpan", "kat_Geor", "rus_Cyrl"]
    for label in figures["held_out"]:
        one = figures["languages"][label]
        assert one["good"] == one["bad"] and one["good"] >= 20 and one["auc"] > 0.95, (label, one)
        assert one["auc_interval"][0] <= one["auc"] <= one["auc_interval"][1]
        assert f"{label}*" in said.out + said.err
        assert label not in figures["made_from"]["fitted_on"]
    assert figures["languages"]["all"]["precision"] > 0.9
    assert "not judged" in said.out + said.err  # with a fifth of 20 hosts, fitted languages have some 8 texts of each

    scorer = Classifiers({"mine": str(model)}, checksums({"mine": str(model)}))
    good, bad = rows(2)
    shares = []
    for label in LANGUAGES.values():
        mine = [row["text"] for row in good + bad if row["language"] == label]
        texts, pair = from_strings(mine), label.split("_")
        scores = scorer.score(texts, words_of(texts), [pair[0]] * len(mine), [pair[1]] * len(mine))["mine"]
        apart = 0.3 if label in figures["held_out"] else 0.0  # others have no quantiles of their own here
        assert scores[:EACH].mean() > scores[EACH:].mean() + apart, label
        if label in figures["held_out"]:
            shares.append((scores >= 0.7).mean())
    assert np.allclose(shares, 0.3, atol=0.12), shares

    assert fit_classifier.main([*flags, "--output", str(tmp_path / "again.ftz")]) == 0
    assert (tmp_path / "again.ftz").read_bytes() == model.read_bytes()
    capsys.readouterr()

    dense = tmp_path / "dense.bin"
    more = ["--word-ngrams", "2", "--buckets", "2000", "--label", "hq", "--corpus", str(corpus_root)]
    assert fit_classifier.main([*flags, "--output", str(dense), "--min-texts", "5", *more]) == 0
    assert Classifiers({"d": f"{dense}#hq"}).trailers["d"].label == "hq"
    assert sum(json.loads(Path(f"{dense}.json").read_text())["calibrated_on"].values()) < 200  # the corpus alone


def test_bad_input_is_one_line(
    tables: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    good = tables[1]
    few = write(tmp_path / "few.parquet", rows(1)[1][:10])
    there = tmp_path / "there.ftz"
    there.write_bytes(b"")
    new = ["--output", str(tmp_path / "m.ftz")]
    for flags, expected in (
        (["--positives", good, *new], "--negatives"),
        (["--positives", good, "--negatives", str(tmp_path / "no*.parquet"), *new], "no such table"),
        ([*tables, "--output", str(there)], "is there already"),
        ([*tables, "--output", str(tmp_path / "m.pt")], "ends in .ftz"),
        ([*tables, *new, "--kept-share", "1.5"], "not between 0 and 1"),
        ([*tables, *new, "--label", "a b"], "is no label"),
        ([*tables, *new, "--label", "bad"], "the other label has the same name"),
        ([*tables, *new, "--text-column", "body"], "has no column 'body'"),
        ([*tables, *new, "--hold-out-languages", "lao"], "no text is in it"),
        (["--positives", good, "--negatives", good, *new], "all of them are among --positives"),
        (["--positives", good, "--negatives", few, *new], "too few to fit on"),
        ([*tables, *new, "--corpus", few], "10 texts to calibrate on are too few"),
    ):
        assert fit_classifier.main(flags) == 2, flags
        said = capsys.readouterr().err.strip().splitlines()
        assert expected in said[-1], said
        assert not (tmp_path / "m.ftz").exists() and not list(tmp_path.glob("_fit*"))
    monkeypatch.setattr("pipeline.language.fitting.training.import_module", lambda name: object())
    assert fit_classifier.main([*tables, *new]) == 2
    assert "pip install 'wanyu[fit]'" in capsys.readouterr().err
