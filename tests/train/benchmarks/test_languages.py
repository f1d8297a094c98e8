"""What names of files and folders say of language and split, and what they do not."""

from pathlib import Path

import pytest

from train.benchmarks.languages import language_of_file, language_of_folder, same_language, split_of


@pytest.mark.parametrize(
    ("name", "language", "split"),
    [
        ("sib200/zho_Hant/dev.tsv", "zho_Hant", "dev"),
        ("XNLI-1.0/xnli.test.tsv", "", "test"),
        ("multinli/multinli.train.sw.tsv", "sw", "train"),
        ("xtreme/dev-zh.tsv", "zh", "dev"),
        ("xtreme/dev-zh.tsv.gz", "zh", "dev"),
        ("x/xquad.el.json", "el", ""),
        ("MLQA_V1/test/test-context-vi-question-hi.json", "vi", "test"),
        ("wikiann-zh-min-nan/train", "zh-min-nan", "train"),
        ("panx/ka-test", "ka", "test"),
        ("ud/ta_ttb-ud-train.conllu", "ta", "train"),
        ("conll/ned.testb", "ned", "test"),
        ("files/kat_Geor.jsonl", "kat_Geor", ""),
        ("hub/xquad.de/validation-00000-of-00001.parquet", "de", "dev"),
        ("squad/train-v1.1.json", "", "train"),
        ("x-final/en/dev_2k.tsv", "", "dev"),  # a folder of two letters is a language only inside a benchmark's
        ("tmp/train.tsv", "", "train"),
        ("MRPC/train_dev.tsv", "", ""),  # both, so neither
        ("all/latest.tsv", "", ""),
    ],
)
def test_names(name: str, language: str, split: str) -> None:
    path = Path("/any") / name
    assert (language_of_file(path), split_of(path)) == (language, split)


def test_folders_inside_a_benchmark() -> None:
    names = ["de", "eng_Latn", "be-x-old", "wikiann-am", "xquad.ar", "dev", "data", "CoLA", "original", "x-final"]
    found = [language_of_folder(name) for name in names]
    assert found == ["de", "eng_Latn", "be-x-old", "am", "ar", "", "", "", "", ""]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("fra", "fr", True), ("fra_Latn", "fr", True), ("zho-CN", "cmn", True), ("zho-CN", "zh", True),
        ("zho-CN", "zho-TW", False), ("srp_Cyrl", "srp_Latn", False), ("srp", "sr_Latn", True), ("ell", "eng", False),
        ("sw", "swa", True), ("swh_Latn", "swa", True), ("he", "iw", True),
        ("amh", "am", True), ("kat_Geor", "ka", True), ("khm", "km", True), ("tam", "ta_Taml", True),
    ],
)  # fmt: skip
def test_codes_of_one_language(one: str, other: str, same: bool) -> None:
    assert same_language(one, other) is same is same_language(other, one)
