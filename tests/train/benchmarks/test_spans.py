"""Questions and answers: SQuAD, XQuAD and MLQA as published, and the flat records of `datasets`."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmark_files import SENTENCES, jsonl, squad, write

from schemas.errors import UserError
from train.benchmarks.examples import Origin, SpanExample
from train.benchmarks.read import Columns, read_by_language, read_examples


def spans(path: Path) -> list[SpanExample]:
    return [one for one in read_examples(path, "span") if isinstance(one, SpanExample)]


def test_xquad(tmp_path: Path) -> None:
    for code, (context, words) in SENTENCES.items():
        answer = words.split(" ")[1]
        squad(tmp_path / f"xquad.{code}.json", [("id0", context, f"{code}?", [(answer, context.index(answer))])])
    found = read_by_language([tmp_path], "span", split="test")
    assert set(found) == set(SENTENCES)
    context, words = SENTENCES["km"]
    answer = words.split(" ")[1]
    origin = Origin(tmp_path / "xquad.km.json", 1)
    expected = SpanExample("id0", "km?", context, ((answer, context.index(answer)),), False, "km", origin)
    assert found["km"] == [expected] == spans(tmp_path / "xquad.km.json")
    assert read_by_language([tmp_path], "span") == read_by_language([tmp_path], "span", split="validation") == found
    with pytest.raises(UserError, match="has no split 'train', it names none: name one of its files"):
        read_by_language([tmp_path], "span", split="train")


def test_squad(tmp_path: Path) -> None:
    asked = [
        ("5733", "  Up the river. ", "Where? ", [("Up", 2), ("the river", 5), ("Up", 2)]),
        ("5734", "x", "y", [("x", 0)]),
    ]
    train = squad(tmp_path / "train-v1.1.json", asked)
    squad(tmp_path / "dev-v1.1.json", asked[1:])
    origin = Origin(train, 1)
    first = SpanExample(
        "5733", "Where? ", "  Up the river. ", (("Up", 2), ("the river", 5), ("Up", 2)), False, "", origin
    )
    assert spans(train)[0] == first and spans(train)[1].origin.row == 2
    assert len(read_by_language([tmp_path], "span", split="dev")[""]) == 1


def test_questions_without_an_answer(tmp_path: Path) -> None:
    plausible = [{"text": "x", "answer_start": 0}]
    path = squad(tmp_path / "a.json", [("1", "x", "y", [])], is_impossible=True, plausible_answers=plausible)
    more = squad(tmp_path / "b.json", [("2", "x", "y", [("x", 0)])], is_impossible=False)
    content = json.loads(path.read_bytes())
    content["data"] += json.loads(more.read_bytes())["data"]
    write(path, json.dumps(content))
    assert [(one.answers, one.impossible) for one in spans(path)] == [((), True), ((("x", 0),), False)]


def test_mlqa(tmp_path: Path) -> None:
    for split in ("dev", "test"):
        for context in ("de", "zh"):
            for question in ("de", "zh"):
                asked = [(f"{context}{question}", f"{split} {context}", "?", [(context, len(split) + 1)])]
                squad(tmp_path / split / f"{split}-context-{context}-question-{question}.json", asked)
    found = read_by_language([tmp_path], "span", split="test")
    ids = {code: [one.id for one in some if isinstance(one, SpanExample)] for code, some in found.items()}
    assert ids == {"de": ["dede"], "zh": ["zhzh"]}
    assert read_by_language([tmp_path / "test"], "span", split="test") == found
    (crossed,) = spans(tmp_path / "dev" / "dev-context-zh-question-de.json")
    assert crossed.language == "zh"


def test_flat_records(tmp_path: Path) -> None:
    records = [
        {
            "id": "a",
            "title": "t",
            "context": "河水很高",
            "question": "?",
            "answers": {"text": ["很高"], "answer_start": [2]},
        },
        {"id": "b", "title": "t", "context": "河水很高", "question": "!", "answers": {"text": [], "answer_start": []}},
    ]
    jsonl(tmp_path / "a.jsonl", records)
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.parquet"):
        first, second = spans(tmp_path / name)
        assert first == SpanExample("a", "?", "河水很高", (("很高", 2),), False, "", Origin(tmp_path / name, 1))
        assert second.impossible and not second.answers and second.context is first.context
    listed = [{**records[0], "answers": [{"text": "河", "answer_start": 0}], "lang": "zh"}]
    (one,) = spans(jsonl(tmp_path / "b.jsonl", listed))
    assert (one.answers, one.language) == ((("河", 0),), "zh")
    named = [{"q": "?", "c": "xy", "a": {"text": ["y"], "answer_start": [1]}}]
    columns = Columns(question="q", context="c", answers="a")
    (other,) = read_examples(jsonl(tmp_path / "c.jsonl", named), "span", columns)
    assert isinstance(other, SpanExample) and other.id == "1" and other.answers == (("y", 1),)


def test_questions_alone(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", [{"question": "?", "context": "x"}])
    (one,) = read_examples(path, "span", labelled=False)
    assert isinstance(one, SpanExample) and not one.answers and not one.impossible
    path = squad(tmp_path / "b.json", [("1", "x", "y", [])])
    (one,) = read_examples(path, "span", labelled=False)
    assert isinstance(one, SpanExample) and not one.answers and not one.impossible


@pytest.mark.parametrize(
    ("context", "answer", "begin", "way_out"),
    [
        ("The river is high", "river", 3, "it is at 4, write that"),
        ("𝐀 river", "river", 3, "it is at 2, write that"),  # counted in UTF-16
        ("aaa", "aa", 2, "it is there 2 times, first at 0; write which one is meant"),
        ("The river", "brook", 4, "it is nowhere in it; mend the text of the answer, or take the question out"),
        ("The river", "river", -5, "it is at 4, write that"),
    ],
)
def test_an_answer_that_is_not_there(tmp_path: Path, context: str, answer: str, begin: int, way_out: str) -> None:
    path = squad(tmp_path / "a.json", [("q0", "x", "y", [("x", 0)]), ("q1", context, "?", [(answer, begin)])])
    with pytest.raises(UserError) as error:
        read_examples(path, "span")
    expected = f"{path}:2: question 'q1': its answer '{answer}' is not at character {begin} of its context: {way_out}"
    assert str(error.value) == expected
