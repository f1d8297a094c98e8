"""What cannot be read is one line that names file, row and way out."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmark_files import jsonl, squad, tsv, write
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UserError
from train.benchmarks.examples import TASKS
from train.benchmarks.read import Columns, read_by_language, read_examples

LONG = "字" * (1 << 20)


def said(path: Path, task, columns: Columns = Columns(), **more) -> str:  # noqa: B008
    with pytest.raises(UserError) as error:
        read_examples(path, task, columns, **more)
    text = str(error.value)
    assert "\n" not in text and len(text) < 600
    return text.replace(f"{path}", path.name)


SEQUENCE = [
    ("", "a.tsv is empty: give a file with a header and rows"),
    ("\n\n", "a.tsv is empty: give a file with a header and rows"),
    ("text\tlabel\n", "a.tsv holds no example: give a file with rows"),
    (
        "text\tlabel\na\tx\nb\n",
        "a.tsv:3 has 1 columns where the header has 2 (the columns 'text', 'label'): mend the row, or take the tabs "
        "out of its texts",
    ),
    ("text\tlabel\na\tx\ty\n", "a.tsv:2 has 3 columns where the header has 2"),
    ("text\tlabel\na\tx\n\nb\ty\n", "a.tsv:3 has 1 columns where the header has 2"),
    ("text\tlabel\na\tx\n \ty\n", "a.tsv:3 has no text in the column 'text': fill it in, or take the row out"),
    ("text\tlabel\n\u3000\ty\n", "a.tsv:2 has no text in the column 'text': fill it in, or take the row out"),
    (
        "text\tlabel\na\tx\nb\t\nc\t \nd\ty\n",
        "a.tsv:3 has no label in the column 'label', and 2 of 4 rows have none: fill them in, take the rows out, or "
        "name another column with --label_column",
    ),
    (
        "text\tkind\na\tx\n",
        "a.tsv has no column for label (as 'label' or 'gold_label' or 'category'), it has the columns 'text', 'kind': "
        "name one with --label_column",
    ),
    (
        "a\tlabel\nb\tx\n",
        "a.tsv has no column for text (as 'text' or 'sentence' or 'content'), it has the columns 'a', ",
    ),
    (
        "sentence1\tsentence2\tlabel\na\tb\tx\n",
        "a.tsv has two texts, 'sentence1' and 'sentence2': take the task pair, or name the one with --text_column",
    ),
    (
        f"text\tlabel\n{LONG}\tx\n",
        "a.tsv:2 has a text of 3,145,728 bytes, more than 1,048,576: cut it into several rows",
    ),
    (
        "text\tscore\na\tfive\n",
        "a.tsv:2 has no number in the column 'score' but 'five': mend it, or name another column",
    ),
    ("text\tscore\na\tnan\n", "a.tsv:2 has no number in the column 'score' but 'nan'"),
    ("text\tscore\na\t1\nb\t\n", "a.tsv:3 has no label in the column 'score', and 1 of 2 rows have none"),
    (
        "en:The\tO\nen:Rhine\tB-LOC\n",
        "a.tsv is of words and tags, a word a line: take the task token, or a table with a",
    ),
]


@pytest.mark.parametrize(("text", "message"), SEQUENCE)
def test_tables_of_texts(tmp_path: Path, text: str, message: str) -> None:
    assert said(write(tmp_path / "a.tsv", text), "sequence").startswith(message)


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    path = tsv(tmp_path / "a.tsv", [("text", "label"), ("a", "x")])
    there = "it has the columns 'text', 'label'"
    for columns, role in (
        (Columns(text="t"), "text"),
        (Columns(label="t"), "label"),
        (Columns(language="t"), "language"),
    ):
        assert said(path, "sequence", columns) == f"a.tsv has no column 't', which --{role}_column names: {there}"
    assert said(path, "pair", Columns(pair="t")) == f"a.tsv has no column 't', which --pair_column names: {there}"
    assert said(path, "pair", Columns(text="text", pair="t")).startswith("a.tsv has no column 't', which --pair_column")
    assert said(path, "pair") == (
        f"a.tsv has no two columns of texts (as 'sentence1' and 'sentence2'), {there}: name them with --text_column "
        "and --pair_column"
    )
    wide = tsv(tmp_path / "b.tsv", [[f"c{n}" for n in range(40)], ["x"] * 40])
    assert said(wide, "sequence").endswith("'c11', and 28 more: name one with --text_column")


def test_bytes_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes("text\tlabel\nå\tx\n".encode("latin-1"))
    assert said(path, "sequence") == "a.tsv:2 is no UTF-8 from byte 0 of the line on: save the file as UTF-8"
    path.write_bytes("text\tlabel\nå\tx\n".encode("utf-16"))
    assert said(path, "sequence").startswith("a.tsv:1 is no UTF-8 from byte 0")
    path = tmp_path / "a.tsv.gz"
    path.write_bytes(gzip.compress(b"text\tlabel\na\tx\n" * 1000)[:-20])
    assert said(path, "sequence").startswith("a.tsv.gz cannot be read (Compressed file ended")
    path = write(tmp_path / "a.parquet", "no")
    assert said(path, "sequence").startswith("a.parquet cannot be read (")
    pq.write_table(pa.Table.from_pylist([], pa.schema([("text", pa.string())])), path)
    assert said(path, "sequence") == "a.parquet is empty: give a table with rows"
    assert said(tmp_path / "gone.tsv", "sequence") == "there is no file gone.tsv: name one that is there"
    assert said(tmp_path, "sequence").endswith("is a folder: name a file in it, as a.parquet, a.tsv, a.tsv.gz")


def test_json_that_is_none(tmp_path: Path) -> None:
    good = '{"text": "a", "label": "x"}\n'
    for text, message in (
        (good + '{"text": "b"\n', "a.jsonl:2 is no JSON (Expecting ',' delimiter): write one object a line"),
        (good + "[1]\n", 'a.jsonl:2 is no object but a list: write one object a line, as {"text": "…"}'),
        (good + '"a"\n', "a.jsonl:2 is no object but a plain value"),
        ("", "a.jsonl is empty: give a file with records"),
        (good + '{"text": "b"}\n', "a.jsonl:2 has no label in the column 'label', and 1 of 2 rows have none"),
        (good + '{"label": "b"}\n', "a.jsonl:2 has no text in the column 'text': fill it in"),
        (good + '{"text": 3, "label": "b"}\n', "a.jsonl:2 has no text in the column 'text' but int: name another with"),
        (good + '{"text": "b", "label": [1]}\n', "a.jsonl:2 has no label in the column 'label' but list: name another"),
        (good + '{"text": "b", "label": 0.5}\n', "a.jsonl has classes and numbers with a point in one column, 'label'"),
        ("[" * 100_000, "a.jsonl:1 is no JSON (nested too deep)"),
    ):
        assert said(write(tmp_path / "a.jsonl", text), "sequence").startswith(message)
    for text, message in (
        ('{"data": 3}', "a.json holds no list of records: write a list of objects, or one object a line"),
        ("[1, 2]", "a.json holds no list of records"),
        ('{\n"a": \n', "a.json:2 is no JSON (Expecting value): write the file again"),
        ("  \n", "a.json is empty: give a file with records"),
        ("[" * 100_000, "a.json is no JSON that can be read (nested too deep)"),
    ):
        assert said(write(tmp_path / "a.json", text), "sequence").startswith(message)


def test_csv_that_is_none(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'text,label\na,x\n"b,y\nc,z\n')
    assert said(path, "sequence") == (
        "a.csv:3 is no CSV (unexpected end of data): close its quotes, and double those inside"
    )
    assert said(write(path, "text,label\na,x\nb\n"), "sequence").startswith(
        "a.csv:3 has 1 columns where the header has 2"
    )


def test_classes_that_are_not_named(tmp_path: Path) -> None:
    info = {"info": {"features": {"label": {"names": ["a", "b"], "_type": "ClassLabel"}}}}
    table = pa.Table.from_pylist([{"text": "a", "label": 1}, {"text": "b", "label": 2}])
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(info)}), tmp_path / "a.parquet")
    assert said(tmp_path / "a.parquet", "sequence") == "a.parquet:2 has the class 2 of 2 that the file names: mend it"


def test_another_layout_than_the_task_needs(tmp_path: Path) -> None:
    asked = squad(tmp_path / "a.json", [("1", "x", "y", [("x", 0)])])
    for task in ("sequence", "pair", "token", "embedding"):
        assert said(asked, task) == (
            "a.json is of SQuAD's layout, questions with answers in a context: take the task span"
        )
    table = tsv(tmp_path / "a.tsv", [("text", "label"), ("a", "x")])
    assert said(table, "span").startswith("a.tsv is a table of plain text, where answers have no place: ")
    assert said(table, "token").startswith("a.tsv has no column for words (as 'tokens' or 'words'), it has the columns")
    for text in ("a b c d\te\t0\n", "今天。\t明天。\tneutral\n"):
        texts = write(tmp_path / "dev-en.tsv", text)
        assert said(texts, "token").startswith("dev-en.tsv has whole texts where words are expected: take the task")
    records = jsonl(tmp_path / "a.jsonl", [{"text": "a", "label": "x"}])
    assert said(records, "span").startswith("a.jsonl has no column for question (as 'question'), it has the columns")
    conll = write(tmp_path / "eng.train", "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\n")
    assert said(conll, "pair").startswith("eng.train is of words and tags, a word a line: take the task token")
    nli = tsv(tmp_path / "multinli.train.de.tsv", [("premise", "hypo", "label"), ("a", "b", "neutral")])
    assert (
        said(nli, "sequence")
        == "multinli.train.de.tsv is of XNLI's training data, which has pairs of texts: take the task pair"
    )
    assert said(nli, "embedding").startswith(
        "multinli.train.de.tsv has classes in 'label', and the task embedding learns"
    )
    cola = tsv(tmp_path / "train.tsv", [("gj04", "1", "", "Go."), ("gj04", "0", "*", "Went.")])
    assert said(cola, "pair") == "train.tsv is of CoLA, which has single texts: take the task sequence"
    with pytest.raises(UserError, match="there is no task 'classify': take sequence, pair, token, span, embedding"):
        read_examples(table, "classify")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.conll is empty: give a file of words and their tags"),
        (
            "EU O\nGerman\n",
            "a.conll:2 has 1 columns where the first line has 2: write a word, a tab and its tag, and a",
        ),
        ("EU\tO\n\tO\n", "a.conll:2 has a tag without a word: write the word before it, or take the line out"),
        ("EU\tO\nGerman\t \n", "a.conll:2 has no tag for 'German': write one behind it (O where there is none)"),
        ("EU\nGerman\n", "a.conll has words and no tags: write a tag behind each word, after a tab"),
        ("en:EU\tO\nen:x\tO\n" * 30 + "German\tO\n", "a.conll:61 has no language before 'German', as WikiANN has"),
        ("x\t_\t_\tX\t_\t_\t_\t_\t_\t_\n" * 2, ""),
        (
            "1\ta\ta\tX\t_\t_\t_\t_\t_\t_\n" * 60 + "x\ta\ta\tX\t_\t_\t_\t_\t_\t_\n",
            "a.conll:61 has the number 'x': number",
        ),
    ],
)
def test_words_and_tags(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "a.conll", text)
    if message:
        assert said(path, "token").startswith(message)
    else:
        assert read_examples(path, "token")
    if text.startswith("EU O"):
        write(path, "EU O\nx O\n")
        assert said(path, "token", Columns(tags="7")).startswith(
            "a.conll has 2 columns without names: give --tags_column"
        )
        assert said(path, "token", Columns(tags="pos")).endswith(
            "the number of the one with tags, from 2 on, and not 'pos'"
        )


def test_tables_of_words(tmp_path: Path) -> None:
    for record, message in (
        ({"tokens": ["a", "b"], "tags": ["O"]}, "a.jsonl:1 has 2 words and 1 tags: give each word one"),
        ({"tokens": ["a", " "], "tags": ["O", "O"]}, "a.jsonl:1 has an empty word in the column 'tokens': write it"),
        ({"tokens": [], "tags": []}, "a.jsonl:1 has an empty word in the column 'tokens'"),
        ({"tokens": ["a"], "tags": [""]}, "a.jsonl:1 has an empty tag: write O where a word has none"),
        ({"tokens": ["a"], "tags": None}, "a.jsonl:1 has 1 words and 0 tags: give each word one"),
        ({"tokens": 3, "tags": ["O"]}, "a.jsonl:1 has no list of words in the column 'tokens' but int: name another"),
        ({"tokens": ["a"]}, "a.jsonl has no column for tags (as 'ner_tags' or 'tags' or 'upos'), it has the columns"),
    ):
        assert said(jsonl(tmp_path / "a.jsonl", [record]), "token").startswith(message)


def test_questions(tmp_path: Path) -> None:
    one = {"id": "q", "question": "?", "context": "x", "answers": {"text": ["x"], "answer_start": [0]}}
    for change, message in (
        ({"question": " "}, "a.jsonl:1 has an empty question or context: write it, or take the question out"),
        ({"context": 3}, "a.jsonl:1: question 'q' has no text as its context but int"),
        ({"answers": None}, "a.jsonl:1 has nothing in the column 'answers': name another with --answers_column"),
        ({"answers": {"text": ["x"]}}, "a.jsonl:1: question 'q' has answers of another form: write"),
        ({"answers": {"text": ["x", "x"], "answer_start": [0]}}, "a.jsonl:1: question 'q' has answers of another form"),
        ({"answers": "x"}, "a.jsonl:1: question 'q' has answers of another form"),
        (
            {"answers": {"text": ["x"], "answer_start": ["0"]}},
            "a.jsonl:1: question 'q' has an answer without its text or",
        ),
        (
            {"answers": {"text": [], "answer_start": []}},
            "a.jsonl has no answer to any question: take a file that is not",
        ),
    ):
        assert said(jsonl(tmp_path / "a.jsonl", [{**one, **change}]), "span").startswith(message)
    assert said(jsonl(tmp_path / "a.jsonl", [one, one]), "span") == (
        "a.jsonl:2: question 'q' has the id of question 1 too: give each its own"
    )
    path = squad(tmp_path / "a.json", [("1", "x", "y", [("x", 0)]), ("2", "x", "y", [])])
    assert said(path, "span") == (
        "a.json:2: question '2' has no answer, and is not said to have none: write one, or is_impossible"
    )
    write(path, '{"data": [{"paragraphs": [{"context": "x", "qas": [{"id": "1"}]}]}]}')
    assert said(path, "span").startswith(
        "a.json:1 is no SQuAD from this question on (KeyError 'question'): each paragraph"
    )


def test_a_language_that_is_not_there(tmp_path: Path) -> None:
    path = tsv(tmp_path / "a.tsv", [("text", "label", "lang"), ("a", "x", "de"), ("b", "x", "th")])
    assert (
        said(path, "sequence", language="deu")
        == "a.tsv has no row of the language 'deu': it has de, th; name one of them"
    )


def test_folders(tmp_path: Path) -> None:
    for split in ("train", "dev"):
        tsv(tmp_path / "both" / f"{split}.tsv", [("text", "label"), ("a", "x")])
    write(tmp_path / "none" / "README.md", "x")
    for folder, split, message in (
        ("both", "test", "both has no split 'test', it has dev, train: name one of these, or one of its files"),
        ("both", "", "both has the splits dev, train: name one of them"),
        ("both", "held_out", "both has no split 'held_out', it has dev, train"),
        ("none", "dev", "none holds no file of a benchmark: name a folder with .csv, .json, .jsonl"),
    ):
        with pytest.raises(UserError) as error:
            read_by_language([tmp_path / folder], "sequence", split=split)
        assert str(error.value).startswith(f"{tmp_path}/{message}")
    with pytest.raises(UserError, match=r"there is no file .*gone: name one that is there"):
        read_by_language([tmp_path / "gone"], "sequence", split="dev")


SEEDS = {
    "a.tsv": "text\tlabel\tlang\n今\tx\ten\nb\ty\tde\n",
    "train-en.tsv": '"a ""b"""\tc\tneutral\r\nd\te\tentailment\r\n',
    "a.csv": 'text,label\n"a, ""b""",x\nc,y\n',
    "a.conll": "-DOCSTART- -X- O\n\nEU NNP B\nx VB O\n",
    "dev": "en:a\tO\nen:b\tB-X\n\nen:c\tO\n",
    "a.jsonl": '{"tokens": ["a"], "tags": ["O"], "text": "a", "label": 1}\n{"text": "b", "label": 0.5}\n',
    "a.json": '{"data": [{"paragraphs": [{"context": "xy", "qas": [{"id": "1", "question": "q", "answers": '
    '[{"text": "y", "answer_start": 1}]}]}]}]}',
}
PIECES = [b"\t", b"\n", b'"', b"null", b"{", b"]", b":", b",", b"\xff", b"\r", b"\x00", b"1e999", b"NaN", b" ", b"3"]


@given(
    st.sampled_from(sorted(SEEDS)),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 8), st.sampled_from(PIECES)), min_size=1, max_size=4),
    st.sampled_from(TASKS),
    st.booleans(),
)
def test_damage_is_an_example_or_one_line(tmp_path_factory, name: str, cuts, task, labelled: bool) -> None:
    """Never a trace."""
    content = bytearray(SEEDS[name].encode())
    for at, length, piece in cuts:
        begin = at % (len(content) + 1)
        content[begin : begin + length] = piece
    path = tmp_path_factory.mktemp("damaged") / name
    path.write_bytes(content)
    try:
        assert read_examples(path, task, labelled=labelled)
    except UserError as error:
        assert str(path) in str(error) and "\n" not in str(error)


@pytest.mark.parametrize(
    ("task", "record"),
    [
        ("sequence", {"text": "a\ud800", "label": "x"}),
        ("sequence", {"text": "a", "label": "x\ud800"}),
        ("pair", {"sentence1": "a", "sentence2": "b\ude00", "label": "x"}),
        ("token", {"tokens": ["a", "\ud83d"], "tags": ["O", "O"]}),
        ("span", {"question": "a\ud800", "context": "b", "answers": {"text": ["b"], "answer_start": [0]}}),
    ],
)
def test_half_of_a_surrogate_pair_is_one_line(tmp_path: Path, task, record) -> None:
    """JSON has them, and no tokenizer takes them."""
    (tmp_path / "a.jsonl").write_text(json.dumps(record) + "\n", encoding="ascii")
    assert said(tmp_path / "a.jsonl", task).startswith("a.jsonl:1 has half a surrogate pair at character ")
