"""SIB-200, XNLI, XTREME, PAWS-X and GLUE in exactly their published forms, with the rows that are wrong in them."""

from pathlib import Path

import pytest
from benchmark_files import SENTENCES, SHARED, tsv, write

from schemas.errors import UserError
from train.benchmarks.examples import Origin, SimilarExample, TextExample
from train.benchmarks.read import read_by_language, read_examples

XNLI = (
    "language", "gold_label", "sentence1_binary_parse", "sentence2_binary_parse", "sentence1_parse", "sentence2_parse",
    "sentence1", "sentence2", "promptID", "pairID", "genre", "label1", "label2", "label3", "label4", "label5",
    "sentence1_tokenized", "sentence2_tokenized", "match",
)  # fmt: skip
MNLI = (
    "index", "promptID", "pairID", "genre", "sentence1_binary_parse", "sentence2_binary_parse", "sentence1_parse",
    "sentence2_parse", "sentence1", "sentence2",
)  # fmt: skip
MULTINLI = ("gold_label", *XNLI[2:16])


def pairs(path: Path) -> list[tuple[str, str | None, object]]:
    return [(one.text, one.second, one.label) for one in read_examples(path, "pair") if isinstance(one, TextExample)]


def xnli_row(language: str, label: str, first: str, second: str) -> tuple[str, ...]:
    return (
        language, label, "", "", "", "", first, second, "1", "1", "facetoface", label, label, label, label, label,
        first, second, "True",
    )  # fmt: skip


def test_sib200(tmp_path: Path) -> None:
    for language in ("eng_Latn", "zho_Hans", "amh_Ethi"):
        for split in ("train", "dev", "test"):
            rows = [("index_id", "category", "text"), ("7", "science/technology", f"{language} {split}")]
            tsv(tmp_path / language / f"{split}.tsv", rows)
    found = read_by_language([tmp_path], "sequence", split="dev")
    path = tmp_path / "amh_Ethi" / "dev.tsv"
    assert list(found) == ["amh_Ethi", "eng_Latn", "zho_Hans"]
    assert found["amh_Ethi"] == [TextExample("amh_Ethi dev", None, "science/technology", "amh_Ethi", Origin(path, 2))]
    assert read_examples(path, "sequence") == found["amh_Ethi"]
    assert read_by_language([tmp_path], "sequence", split="validation") == found


@pytest.mark.skipif(not SHARED.exists(), reason="no ../shared/data")
def test_the_whole_of_sib200() -> None:
    for split, count in (("train", 701), ("dev", 99)):
        found = read_by_language([SHARED / "sib200"], "sequence", split=split)
        assert len(found) == 37 and {len(examples) for examples in found.values()} == {count}
        labels = {one.label for examples in found.values() for one in examples if isinstance(one, TextExample)}
        assert len(labels) == 7
    raw = (SHARED / "sib200" / "khm_Khmr" / "dev.tsv").read_bytes().decode().split("\n")[1:-1]
    assert [line.split("\t")[2] for line in raw] == [one.text for one in found["khm_Khmr"] if hasattr(one, "text")]


def test_xnli(tmp_path: Path) -> None:
    rows = [xnli_row(code, "neutral", text, f'"{text}') for code, (text, _) in SENTENCES.items()]
    tsv(tmp_path / "xnli.dev.tsv", [XNLI, *rows, xnli_row("en", "contradiction", "a", "b")])
    tsv(tmp_path / "xnli.test.tsv", [XNLI, xnli_row("sw", "entailment", "c", "d")])
    write(tmp_path / "xnli.dev.jsonl", '{"language": "en"}\n')  # the same again, published beside it
    write(tmp_path / "README.md", "XNLI")
    found = read_by_language([tmp_path], "pair", split="dev")
    assert list(found) == list(SENTENCES) and len(found["en"]) == 2
    text = SENTENCES["km"][0]
    assert found["km"] == [TextExample(text, f'"{text}', "neutral", "km", Origin(tmp_path / "xnli.dev.tsv", 6))]
    assert list(read_by_language([tmp_path], "pair", split="test")) == ["sw"]
    assert read_examples(tmp_path / "xnli.dev.tsv", "pair", language="km") == found["km"]


def test_translated_training_data_of_xnli(tmp_path: Path) -> None:
    rows = [
        ("premise", "hypo", "label"),
        ("你好 。", "再见 。", "contradictory"),
        ("a", "b", "entailment"),
        ("c", "", "neutral"),
    ]
    path = tsv(tmp_path / "multinli.train.zh.tsv", rows)
    said = list[str]()
    found = read_examples(path, "pair", say=said.append)
    assert found == [
        TextExample("你好 。", "再见 。", "contradiction", "zh", Origin(path, 2)),
        TextExample("a", "b", "entailment", "zh", Origin(path, 3)),
    ]
    assert said == [f"{path}: left out 1 row of XNLI's training data: has no text in the column 'hypo'"]


def test_xtreme(tmp_path: Path) -> None:
    """No header; written by a CSV writer, so that quotes are doubled and lines end in CR LF."""
    write(tmp_path / "train-en.tsv", 'He said, """Yes."""\tI agree.\tneutral\r\n"\tIt""s\tentailment\r\n')
    write(tmp_path / "dev-zh.tsv", "今天。\t明天。\tcontradiction\r\n")
    write(tmp_path / "test-th.tsv", "เช้านี้\tแม่น้ำ\r\n")
    write(tmp_path / "dev-ko.tsv", "하나\t둘\t0\r\n")  # PAWS-X
    assert pairs(tmp_path / "train-en.tsv") == [
        ('He said, """Yes."""', "I agree.", "neutral"),
        ('"', 'It""s', "entailment"),
    ]
    found = read_by_language([tmp_path], "pair", split="dev")
    assert {code: [one.label for one in some if isinstance(one, TextExample)] for code, some in found.items()} == {
        "ko": ["0"],
        "zh": ["contradiction"],
    }
    hidden = read_by_language([tmp_path], "pair", split="test", labelled=False)
    assert hidden == {"th": [TextExample("เช้านี้", "แม่น้ำ", None, "th", Origin(tmp_path / "test-th.tsv", 1))]}


def test_quotes_of_xtreme_are_undone(tmp_path: Path) -> None:
    write(tmp_path / "dev-en.tsv", '"He said, ""Yes""."\t"""Quoted"""\tneutral\r\n"plain"\ta""b\tneutral\r\n')
    assert pairs(tmp_path / "dev-en.tsv") == [
        ('He said, "Yes".', '"Quoted"', "neutral"),
        ('"plain"', 'a""b', "neutral"),
    ]


def test_paws_x(tmp_path: Path) -> None:
    header = ("id", "sentence1", "sentence2", "label")
    for code in ("de", "ja"):
        name = "translated_train.tsv"
        tsv(tmp_path / "x-final" / code / name, [header, ("1", "a", "b", "1"), ("2", "c", "d"), ("3", "e", "f", "NS")])
        tsv(tmp_path / "x-final" / code / "dev_2k.tsv", [header, ("1", "g", "h", "0")])
    said = list[str]()
    found = read_by_language([tmp_path / "x-final"], "pair", split="train", say=said.append)
    assert {code: len(some) for code, some in found.items()} == {"de": 1, "ja": 1} and len(said) == 4
    assert list(read_by_language([tmp_path / "x-final"], "pair", split="dev")) == ["de", "ja"]


GLUE = {
    "CoLA": (None, [("gj04", "1", "", '"Go"'), ("gj04", "0", "*", "went they")], ["1", "0"]),
    "SST-2": (("sentence", "label"), [('a " film ', "1"), ("dull", "0")], ["1", "0"]),
    "MRPC": (
        ("Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"),
        [("1", "702876", "702977", 'He said , " No .', '"No" , he said .'), ("0", "1", "2", "a", "b")],
        ["1", "0"],
    ),
    "QQP": (
        ("id", "qid1", "qid2", "question1", "question2", "is_duplicate"),
        [("1", "2", "3", "Why?", 'What "for?', "0"), ("4", "5", "6", "How?", "In what way?", "1")],
        ["0", "1"],
    ),
    "STS-B": (
        ("index", "genre", "filename", "year", "old_index", "source1", "source2", "sentence1", "sentence2", "score"),
        [("0", "main-captions", "MSRvid", "2012test", "0001", "none", "none", "A plane.", "An air plane.", "5.000")],
        [5.0],
    ),
    "MNLI": (
        (*MNLI, "label1", "gold_label"),
        [("0", "31193", "31193n", "government", "", "", "", "", "Two dimensions.", "Product.", "neutral", "neutral")],
        ["neutral"],
    ),
    "QNLI": (("index", "question", "sentence", "label"), [("0", "When?", "In 1806.", "entailment")], ["entailment"]),
    "RTE": (("index", "sentence1", "sentence2", "label"), [("0", "a", "b", "not_entailment")], ["not_entailment"]),
    "WNLI": (("index", "sentence1", "sentence2", "label"), [("0", "a", "b", "1")], ["1"]),
}


@pytest.mark.parametrize("name", GLUE)
def test_glue(tmp_path: Path, name: str) -> None:
    header, rows, expected = GLUE[name]
    train = tsv(tmp_path / name / "train.tsv", [*([header] if header else []), *rows])
    if name == "MRPC":  # what it was made from stands beside it; its header begins with a byte order mark
        train.write_bytes(b"\xef\xbb\xbf" + train.read_bytes())
        tsv(tmp_path / name / "msr_paraphrase_train.txt", [header or (), *rows, *rows])
        tsv(tmp_path / name / "dev_ids.tsv", [("1", "2")])
    task = "sequence" if name in ("CoLA", "SST-2") else "pair"
    (examples,) = read_by_language([tmp_path / name], task, split="train").values()
    assert [one.label for one in examples if isinstance(one, TextExample)] == expected
    texts = {cell.strip() for row in rows for cell in row}
    for one in examples:
        assert isinstance(one, TextExample) and one.text.strip() in texts
        assert one.second in texts if task == "pair" else one.second is None
    assert examples[0].origin == Origin(train, 2 if header else 1)
    if name == "STS-B":
        (similar,) = read_examples(train, "embedding")
        assert isinstance(similar, SimilarExample) and similar.score == 5.0


TESTS = {
    "CoLA": (("index", "sentence"), ("0", "Bill came.")),
    "SST-2": (("index", "sentence"), ("0", "Bill came.")),
    "MRPC": (("index", "#1 ID", "#2 ID", "#1 String", "#2 String"), ("0", "1", "2", "a", "b")),
    "QQP": (("id", "question1", "question2"), ("0", "a", "b")),
    "STS-B": (GLUE["STS-B"][0][:-1] if GLUE["STS-B"][0] else (), ("0", "g", "f", "y", "o", "s", "s", "a", "b")),
    "MNLI": (MNLI, ("0", "1", "2", "travel", "", "", "", "", "a", "b")),
    "QNLI": (("index", "question", "sentence"), ("0", "a", "b")),
    "RTE": (("index", "sentence1", "sentence2"), ("0", "a", "b")),
}


@pytest.mark.parametrize("name", TESTS)
def test_test_files_of_glue_have_no_labels(tmp_path: Path, name: str) -> None:
    path = tsv(tmp_path / name / "test.tsv", TESTS[name])
    task = "sequence" if name in ("CoLA", "SST-2") else "pair"
    (one,) = read_examples(path, task, labelled=False)
    assert isinstance(one, TextExample) and one.label is None
    assert (one.text, one.second) == (("Bill came.", None) if task == "sequence" else ("a", "b"))
    with pytest.raises(UserError, match=r"test\.tsv has no column for labels, it has .*: take the train or dev file"):
        read_examples(path, task)


def test_rows_of_qqp_that_are_short_are_left_out_and_told(tmp_path: Path) -> None:
    header, rows, _ = GLUE["QQP"]
    path = tsv(tmp_path / "QQP" / "train.tsv", [header or (), rows[0], ("8", "9", "10", "How many"), rows[1], ("11",)])
    said = list[str]()
    assert [one.origin.row for one in read_examples(path, "pair", say=said.append)] == [2, 4]
    assert said == [f"{path}: left out 2 rows of QQP: has too few columns"]


def test_a_published_file_with_many_wrong_rows_is_another_file(tmp_path: Path) -> None:
    header, rows, _ = GLUE["QQP"]
    path = tsv(tmp_path / "train.tsv", [header or (), rows[0], *[("8", "9")] * 11])
    with pytest.raises(
        UserError, match=r"train\.tsv:3 has too few columns: .*; 11 of 12 rows are wrong, more than QQP"
    ):
        read_examples(path, "pair")


def test_both_development_sets_of_mnli(tmp_path: Path) -> None:
    header = (*MNLI, "label1", "label2", "label3", "label4", "label5", "gold_label")
    for name, label in (("matched", "neutral"), ("mismatched", "entailment")):
        row = ("0", "1", "1n", "slate", "", "", "", "", "a", "b", *["neutral"] * 5, label)
        tsv(tmp_path / f"dev_{name}.tsv", [header, row])
    tsv(tmp_path / "train.tsv", [header, row])
    said = list[str]()
    for split, label in (("dev", "neutral"), ("dev_matched", "neutral"), ("dev_mismatched", "entailment")):
        (examples,) = read_by_language([tmp_path], "pair", split=split, say=said.append).values()
        assert [one.label for one in examples if isinstance(one, TextExample)] == [label]
    assert said == [f"{tmp_path}: left out dev_mismatched.tsv, read by naming the file"]


@pytest.mark.parametrize("name", ["multinli_1.0_dev_matched.txt", "snli_1.0_dev.txt"])
def test_pairs_on_which_annotators_did_not_agree_are_left_out(tmp_path: Path, name: str) -> None:
    """In the files of MultiNLI and SNLI; their rows end where the labels of annotators do."""
    start = ("", "", "", "", "a", "b", "1", "1n", "fiction")
    rows = [("neutral", *start, "neutral"), ("-", *start, "neutral"), ("entailment", *start, *["entailment"] * 5)]
    path = tsv(tmp_path / name, [MULTINLI, *rows])
    said = list[str]()
    found = read_examples(path, "pair", say=said.append)
    assert [one.label for one in found if isinstance(one, TextExample)] == ["neutral", "entailment"]
    assert said == [f"{path}: left out 1 row of MultiNLI: annotators did not agree on a label"]
