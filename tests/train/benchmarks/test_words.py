"""Words and their tags: WikiANN, CoNLL, two columns, CoNLL-U, and tables with lists in their cells."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmark_files import SENTENCES, jsonl, tsv, write

from schemas.errors import UserError
from train.benchmarks.examples import Origin, TokenExample
from train.benchmarks.read import Columns, read_by_language, read_examples


def tokens(path: Path, columns: Columns = Columns()) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:  # noqa: B008
    return [(one.words, one.tags) for one in read_examples(path, "token", columns) if isinstance(one, TokenExample)]


def wikiann(path: Path, code: str, sentences: list[str]) -> Path:
    blocks = [
        "".join(f"{code}:{word}\t{'B-LOC' if not at else 'O'}\n" for at, word in enumerate(one.split(" ")))
        for one in sentences
    ]
    return write(path, "\n".join(blocks) + "\n")


@pytest.mark.parametrize(
    "place", ["{code}/{split}", "wikiann-{code}/{split}", "{code}-{split}", "{split}/wikiann-{code}"]
)
def test_wikiann_as_it_is_published(tmp_path: Path, place: str) -> None:
    for code, (_, words) in SENTENCES.items():
        for split in ("train", "dev", "test"):
            wikiann(tmp_path / place.format(code=code, split=split), code, [words, f"{split} :"])
    found = read_by_language([tmp_path], "token", split="dev")
    assert set(found) == set(SENTENCES)
    for code, (_, words) in SENTENCES.items():
        expected = tuple(words.split(" "))
        first, second = found[code]
        path = tmp_path / place.format(code=code, split="dev")
        tags = ("B-LOC", *["O"] * (len(expected) - 1))
        assert first == TokenExample(expected, tags, code, Origin(path, 1))
        assert second == TokenExample(("dev", ":"), ("B-LOC", "O"), code, Origin(path, len(expected) + 2))


def test_languages_of_wikiann_with_longer_codes(tmp_path: Path) -> None:
    for code in ("zh-min-nan", "be-x-old", "simple", "ace"):
        path = wikiann(tmp_path / code / "dev", code, ["a b"])
        assert [one.language for one in read_examples(path, "token") if isinstance(one, TokenExample)] == [code]
    assert list(read_by_language([tmp_path], "token", split="dev")) == ["ace", "be-x-old", "simple", "zh-min-nan"]


def test_words_of_wikiann_that_are_not_there_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "dev", "ja:東京\tB-LOC\nja:\u3000\tO\nja:都\tI-LOC\n\n")
    said = list[str]()
    (one,) = read_examples(path, "token", say=said.append)
    assert isinstance(one, TokenExample) and one.words == ("東京", "都") and one.tags == ("B-LOC", "I-LOC")
    assert said == [f"{path}: left out 1 row of WikiANN: has a tag without a word"]


def test_conll_2003(tmp_path: Path) -> None:
    document = "-DOCSTART- -X- -X- O\n\n"
    text = f"{document}EU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\n{document}Peter NNP B-NP B-PER\n"
    path = write(tmp_path / "eng.testa", text)
    assert read_examples(path, "token") == [
        TokenExample(("EU", "rejects"), ("B-ORG", "O"), "eng", Origin(path, 3)),
        TokenExample(("Peter",), ("B-PER",), "eng", Origin(path, 8)),
    ]
    assert tokens(path, Columns(tags="2"))[0][1] == ("NNP", "VBZ")
    write(tmp_path / "eng.train", text * 2)
    assert len(read_by_language([tmp_path], "token", split="dev")["eng"]) == 2
    assert len(read_by_language([tmp_path], "token", split="train")["eng"]) == 4


def test_conll_2002(tmp_path: Path) -> None:
    path = write(
        tmp_path / "ned.train", "-DOCSTART- -DOCSTART- O\nDe Art O\ntekst N O\nvan Prep O\n\nBrussel N B-LOC\n\n"
    )
    assert tokens(path) == [(("De", "tekst", "van"), ("O", "O", "O")), (("Brussel",), ("B-LOC",))]
    path = write(tmp_path / "esp.testb", "Melbourne B-LOC\n( O\nAustralia B-LOC\n\n")
    assert tokens(path) == [(("Melbourne", "(", "Australia"), ("B-LOC", "O", "B-LOC"))]


@pytest.mark.parametrize("code", SENTENCES)
def test_two_columns(tmp_path: Path, code: str) -> None:
    words = SENTENCES[code][1].split(" ")
    path = write(tmp_path / "a.tsv", "".join(f"{word}\tX{at}\r\n" for at, word in enumerate(words)))
    assert tokens(path) == [(tuple(words), tuple(f"X{at}" for at in range(len(words))))]
    path = write(tmp_path / "a.txt", "".join(f"{word} O\n" for word in words))
    assert tokens(path) == [(tuple(words), ("O",) * len(words))]


def test_other_spaces_stand_inside_words(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "10\u00a0000 B-NUM\nдом\u2009a O\n")
    assert tokens(path)[0][0] == ("10\u00a0000", "дом\u2009a")
    path = write(tmp_path / "a.tsv", "New York\tB-LOC\n")
    assert tokens(path)[0][0] == ("New York",)


def test_words_alone_where_no_tags_are_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "test-th.tsv", "แม่น้ำ\nสูง\n\nน้ำ\n")
    assert read_examples(path, "token", labelled=False) == [
        TokenExample(("แม่น้ำ", "สูง"), (), "th", Origin(path, 1)),
        TokenExample(("น้ำ",), (), "th", Origin(path, 4)),
    ]


def test_conllu(tmp_path: Path) -> None:
    rows = [
        "# sent_id = 1", "# text = Vámonos al mar",
        "1-2\tVámonos\t_\t_\t_\t_\t_\t_\t_\t_",
        "1\tVamos\tir\tVERB\tV\t_\t0\troot\t_\t_",
        "2\tnos\tnosotros\tPRON\tP\t_\t1\tobj\t_\t_",
        "2.1\tellos\tél\tPRON\tP\t_\t_\t_\t1:nsubj\t_",
        "3-4\tal\t_\t_\t_\t_\t_\t_\t_\t_",
        "3\ta\ta\tADP\tS\t_\t5\tcase\t_\t_",
        "4\tel\tel\tDET\tD\t_\t5\tdet\t_\t_",
        "5\tmar\tmar\tNOUN\tN\t_\t1\tobl\t_\tSpaceAfter=No", "",
        "# text = #", "1\t#\t#\tSYM\t#\t_\t0\troot\t_\t_", "",
    ]  # fmt: skip
    path = write(tmp_path / "es_ancora-ud-dev.conllu", "\n".join(rows) + "\n")
    assert read_examples(path, "token") == [
        TokenExample(("Vamos", "nos", "a", "el", "mar"), ("VERB", "PRON", "ADP", "DET", "NOUN"), "es", Origin(path, 4)),
        TokenExample(("#",), ("SYM",), "es", Origin(path, 13)),
    ]
    assert tokens(path, Columns(tags="deprel"))[1][1] == ("root",)
    assert list(read_by_language([tmp_path], "token", split="dev")) == ["es"]
    with pytest.raises(UserError, match="is CoNLL-U, which has no column 'ner': name one of lemma, upos"):
        read_examples(path, "token", Columns(tags="ner"))


def test_tables_with_lists(tmp_path: Path) -> None:
    records = [{"tokens": ["川", "の", "水"], "ner_tags": ["B-LOC", "O", "O"], "langs": ["ja"] * 3}]
    path = jsonl(tmp_path / "a.jsonl", records)
    assert read_examples(path, "token") == [
        TokenExample(("川", "の", "水"), ("B-LOC", "O", "O"), "ja", Origin(path, 1))
    ]
    path = tsv(tmp_path / "a.tsv", [("words", "tags"), ("Река высокая", "NOUN ADJ")])
    assert tokens(path) == [(("Река", "высокая"), ("NOUN", "ADJ"))]
    path = tsv(tmp_path / "b.tsv", [("s", "p"), ("Река высокая", "NOUN ADJ")])
    assert tokens(path, Columns(words="s", tags="p")) == [(("Река", "высокая"), ("NOUN", "ADJ"))]
    path = jsonl(tmp_path / "b.jsonl", [{"tokens": ["a"]}])
    assert read_examples(path, "token", labelled=False) == [TokenExample(("a",), (), "", Origin(path, 1))]


def test_names_of_tags_stand_beside_parquet(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="no datasets: pip install -e .[dev]")
    names = ["O", "B-PER", "I-PER"]
    features = datasets.Features(
        {
            "tokens": datasets.Sequence(datasets.Value("string")),
            "ner_tags": datasets.Sequence(datasets.ClassLabel(names=names)),
            "langs": datasets.Sequence(datasets.Value("string")),
        }
    )
    for code in ("am", "zh-classical"):
        path = tmp_path / code / "test-00000-of-00001.parquet"
        path.parent.mkdir()
        rows = {"tokens": [["ዛሬ", "ጠዋት"]], "ner_tags": [[1, 2]], "langs": [[code, code]]}
        datasets.Dataset.from_dict(rows, features).to_parquet(path)
    found = read_by_language([tmp_path], "token", split="test")
    expected = tmp_path / "am" / "test-00000-of-00001.parquet"
    assert found["am"] == [TokenExample(("ዛሬ", "ጠዋት"), ("B-PER", "I-PER"), "am", Origin(expected, 1))]
    assert list(found) == ["am", "zh-classical"]


def test_names_of_tags_in_the_form_of_older_files(tmp_path: Path) -> None:
    for form in (
        [{"names": ["O", "B-X"], "_type": "ClassLabel"}],
        {"feature": {"names": ["O", "B-X"], "_type": "ClassLabel"}, "_type": "List"},
    ):
        table = pa.Table.from_pylist([{"tokens": ["a", "b"], "ner_tags": [1, 0]}])
        info = {"info": {"features": {"ner_tags": form}}}
        import json

        pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(info)}), tmp_path / "a.parquet")
        assert tokens(tmp_path / "a.parquet") == [(("a", "b"), ("B-X", "O"))]
