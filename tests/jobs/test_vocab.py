"""The job whole, on the shards of the sample corpus: models, growth, mistakes."""

import json
from pathlib import Path

import pytest

from jobs import vocab

SMALL = ["--vocab-size", "3000", "--num-threads", "2", "--character-coverage", "0.98"]


pytestmark = pytest.mark.usefixtures("without_engine")


def run(root: Path, output: Path, *flags: str) -> int:
    return vocab.main(["--input", str(root / "sample" / "data"), "--output", str(output), *SMALL, *flags])


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name[0] != "_"}


@pytest.mark.parametrize("model", ["bpe", "wordpiece"])
def test_a_model_opens_and_is_measured(corpus_root: Path, tmp_path: Path, model: str) -> None:
    transformers = pytest.importorskip("transformers", reason="no transformers: pip install -e .[train]")
    flags = ["--model", model, "--language-tokens", "eng_Latn", "--sample-characters", "60000"]
    assert run(corpus_root, tmp_path / "one", *flags) == 0
    assert run(corpus_root, tmp_path / "two", *flags) == 0
    assert files(tmp_path / "one") == files(tmp_path / "two")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "one")
    assert len(tokenizer) % 64 == 0 and "<eng_Latn>" in tokenizer.get_vocab()
    report = json.loads((tmp_path / "one" / "report.json").read_text())
    assert report["model"] == model and report["vocab_size"] == len(tokenizer)
    assert report["languages"] and report["sample"]["bytes_read"] >= report["sample"]["bytes"]
    assert all(entry["unk_share"] == 0 for entry in report["languages"].values()) == (model == "bpe")
    ledger = json.loads((tmp_path / "one" / "_ledger.json").read_text())
    assert ledger["rows_in"] == ledger["rows_out"] + ledger["dropped"].get("not_sampled", 0)


def test_a_vocabulary_grows_behind_another(corpus_root: Path, tmp_path: Path) -> None:
    assert run(corpus_root, tmp_path / "base", "--sample-characters", "20000") == 0
    rows = json.loads((tmp_path / "base" / "report.json").read_text())["vocab_size"]
    more = ["--extend", str(tmp_path / "base"), "--vocab-size", str(rows + 128), "--seed", "3"]
    assert run(corpus_root, tmp_path / "more", *more) == 0
    old, new = (
        json.loads((tmp_path / name / "tokenizer.json").read_text())["model"]["vocab"] for name in ("base", "more")
    )
    assert [piece for piece, _ in new[:rows]] == [piece for piece, _ in old] and len(new) == rows + 128


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--extend", "nowhere"], "no such folder; name one that jobs/vocab.py wrote"),
        (["--extend", "."], "holds neither spm.model nor vocab.txt"),
        (["--model", "wordpiece", "--normalization", "nfkc"], "nfkc is of unigram and bpe"),
        (["--vocab-size", "300"], "is too small: special and byte pieces and the characters take"),
        (["--language-tokens", "a b"], "'a b' is no label such as eng_Latn"),
        (["--model", "word"], "vocab.model"),
    ],
)
def test_mistakes_are_one_line(
    corpus_root: Path, tmp_path: Path, flags: list[str], said: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert run(corpus_root, tmp_path / "out", "--sample-characters", "20000", *flags) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line and not (tmp_path / "out").exists()
