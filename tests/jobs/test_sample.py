"""The job whole: the plan says what the run then does, by processes and by the engine; mistakes are one line."""

import json
from pathlib import Path

import pytest

from jobs import sample

MISTAKES = [
    (
        ["--method", "weights", "--weights", '{"xho": 1}'],
        "weights names 'xho', which the corpus lacks; it has amh_Ethi",
    ),
    (["--method", "weights", "--weights", '{"eng": 0}'], "weights sum to nothing"),
    (["--weights", '{"eng": 1}'], "method = weights and weights go together"),
    (["--method", "weights", "--weights", '{"eng": -1}'], "weights must be 0 or more"),
    (["--budget", "1000000000"], "is more than max_epochs = 4 allows: at most"),
    (["--unit", "tokens"], "unit = tokens and a tokenizer go together"),
    (["--unit", "tokens", "--tokenizer", "nowhere"], "nowhere: no such file or folder"),
    (["--genre-lists", "nowhere.txt"], "nowhere.txt: no such file or folder"),
    (["--upsampling", "twice"], "no such file or folder"),
    (["--schedule", '{"fraction": 0.5}'], "the fractions of the schedule sum to 0.5, not to 1"),
    (["--schedule", '{"fraction": 1, "heat": 2}'], "schedule"),
    (["--schedule", '{"fraction": 1'], "--schedule: not JSON"),
    (["--min-documents", "5000"], "no language has min_documents = 5,000: the largest has"),
]


def run(root: Path, output: Path, *flags: str) -> int:
    return sample.main(["--input", str(root / "dedup" / "documents"), "--output", str(output), *flags])


def test_the_plan_is_what_the_run_does(
    corpus_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    flags = ["--method", "unimax", "--budget", "90000", "--validation-share", "0.1"]
    assert run(corpus_root, tmp_path / "sample", *flags, "--plan") == 0
    printed = capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["sample_plan.json"]
    plan = json.loads((tmp_path / "sample_plan.json").read_text())
    assert plan["budget"] == 90_000 and "largest host" in printed
    assert run(corpus_root, tmp_path / "sample", *flags) == 0
    mixed = json.loads((tmp_path / "sample" / "mixture.json").read_text())["languages"]
    for label, entry in plan["languages"].items():
        assert (entry["written_documents"], entry["written_bytes"]) == (
            mixed[label]["documents"],
            mixed[label]["bytes"],
        )
        assert entry["validation_documents"] == mixed[label]["validation_documents"]
        assert entry["share"] == pytest.approx(mixed[label]["weight"], abs=1e-6)
        assert f"{label} " in printed
    assert sum(entry["share"] for entry in plan["languages"].values()) == pytest.approx(1)


@pytest.mark.parametrize(("flags", "said"), MISTAKES)
def test_mistakes_are_one_line(
    corpus_root: Path, tmp_path: Path, flags: list[str], said: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert run(corpus_root, tmp_path / "out", *flags) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line and not (tmp_path / "out").exists()
