"""Answers in a text: those of brute force over the logits of transformers' own model."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_encoders import KINDS, LONGEST, SENTENCES, save_encoder

from schemas.errors import UserError
from train.benchmarks.examples import Origin, SpanExample
from train.encoders.opened import OpenedModel, open_model
from train.tasks.span import KIND, features, predict
from train.tasks.windows import windows

LONG = " ".join(SENTENCES.values())


@pytest.fixture(scope="module")
def answering(tmp_path_factory: pytest.TempPathFactory):
    made: dict[str, OpenedModel] = {}

    def answering(kind: str) -> OpenedModel:
        if kind not in made:
            made[kind] = open_model(save_encoder(kind, tmp_path_factory.mktemp(kind), head=KIND), device="cpu")
        return made[kind]

    return answering


def example(question: str, context: str, answer: str | None = None, begin: int | None = None, impossible=False):
    answers = () if answer is None else ((answer, context.index(answer) if begin is None else begin),)
    return SpanExample("q1", question, context, answers, impossible, "", Origin(Path("a.json"), 3))


def brute_force(model: OpenedModel, question: str, context: str, most: int, no_answer: bool):
    """(text, begin, end, probability) over every pair of tokens of a context that fits."""
    encoded = model.tokenizer(question, context, return_offsets_mapping=True, return_tensors="pt")
    offsets, of_text = encoded.pop("offset_mapping")[0].tolist(), encoded.sequence_ids(0)
    with torch.no_grad():
        found = model.model(KIND)(**encoded)
    begins, ends = found.start_logits[0].tolist(), found.end_logits[0].tolist()
    spans = {
        (offsets[a][0], offsets[b][1], a, b): begins[a] + ends[b]
        for a in range(len(begins))
        for b in range(a, min(a + most, len(ends)))
        if of_text[a] == of_text[b] == 1
    }
    if no_answer:
        spans[0, 0, 0, 0] = begins[0] + ends[0]
    begin, end, *_ = best = max(spans, key=spans.__getitem__)
    begin += len(context[begin:end]) - len(context[begin:end].lstrip())
    total = sum(np.exp(score) for score in spans.values())
    return context[begin:end], begin, end, pytest.approx(np.exp(spans[best]) / total, rel=1e-4)


@pytest.mark.parametrize("no_answer", [False, True])
@pytest.mark.parametrize("most", [1, 3, 30])
@pytest.mark.parametrize("kind", KINDS)
def test_the_best_span_of_a_short_context(answering, kind: str, most: int, no_answer: bool) -> None:
    model = answering(kind)
    examples = [example("Who", text[:20]) for text in SENTENCES.values()]
    found = predict(model, examples, max_answer_tokens=most, no_answer=no_answer, batch_tokens=100)
    for one, answer in zip(examples, found, strict=True):
        expected = brute_force(model, one.question, one.context, most, no_answer)
        assert (answer.text, answer.begin, answer.end, answer.probability) == expected
    assert len({answer.text for answer in found}) > 5 or no_answer


@pytest.mark.parametrize("no_answer", [False, True])
def test_a_long_context_is_read_in_windows(answering, no_answer: bool) -> None:
    model = answering("bert")
    found = predict(model, [example("Who is it", LONG)], doc_stride=10, max_answer_tokens=5, no_answer=no_answer)[0]
    encoded = model.tokenizer(
        ["Who is it"], [LONG], truncation="only_second", max_length=LONGEST, stride=10, padding=True,
        return_overflowing_tokens=True, return_offsets_mapping=True, return_tensors="pt",
    )  # fmt: skip
    encoded.pop("overflow_to_sample_mapping")
    offsets = encoded.pop("offset_mapping").tolist()
    with torch.no_grad():
        logits = model.model(KIND)(**encoded)
    scores, nothing = {}, []
    for window, spans in enumerate(offsets):
        inside = [i for i, number in enumerate(encoded.sequence_ids(window)) if number == 1]
        begins, ends = logits.start_logits[window].tolist(), logits.end_logits[window].tolist()
        nothing.append(begins[0] + ends[0])
        for a in inside:
            for b in inside:
                if a <= b < a + 5:
                    scores[window, spans[a][0], spans[b][1]] = begins[a] + ends[b]
    assert len(offsets) > 3
    if no_answer:
        scores[-1, 0, 0] = min(nothing)
    best = max(scores, key=scores.__getitem__)
    assert (found.begin, found.end) == best[1:] and found.text == LONG[best[1] : best[2]]
    total = sum(np.exp(score - scores[best]) for score in scores.values())
    assert found.probability == pytest.approx(1 / total, rel=1e-4)


def test_a_model_that_learnt_no_answer_says_so_itself(answering, tmp_path: Path) -> None:
    model = open_model(save_encoder("bert", tmp_path, head=KIND), device="cpu")
    examples = [example("Who", text[:20]) for text in SENTENCES.values()]
    (tmp_path / "lineage.json").write_text('{"finetuned": {"no_answer": true}}', encoding="utf-8")
    assert predict(model, examples) == predict(model, examples, no_answer=True)


def test_a_context_of_nothing_and_a_question_without_end(answering) -> None:
    model = answering("xlm-roberta")
    nothing, long = predict(model, [example("Who", ""), example("Who is " * 200, LONG)])
    assert (nothing.text, nothing.begin, nothing.end, nothing.probability) == ("", 0, 0, 1.0)
    assert long.text == LONG[long.begin : long.end] != ""
    for longest in range(8, 12):  # the question gives way to a token of the text
        cut = windows(model.tokenizer, [LONG], longest, 2, ["Who is " * 200])
        assert {len(ids) for ids in cut.encoded["input_ids"][:-1]} == {longest}
        assert all(begin < end for begin, end, _ in cut.places)


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_of_an_answer_give_it_back(answering, kind: str) -> None:
    tokenizer = answering(kind).tokenizer
    for text in SENTENCES.values():
        for answer in {text, *text.split()}:
            made = features(tokenizer, [example("Who", text, answer)], 1024)
            (begin,), (end,) = made.begins, made.ends
            offsets = tokenizer("Who", text, return_offsets_mapping=True)["offset_mapping"]
            assert 0 < begin <= end
            assert text[offsets[begin][0] : offsets[end][1]].strip().startswith(answer.strip()[0])
            assert answer in text[offsets[begin][0] : offsets[end][1]]


def test_only_windows_that_hold_an_answer_have_it(answering) -> None:
    tokenizer = answering("bert").tokenizer
    made = features(tokenizer, [example("Who", LONG, "Москве")], 32, 8)
    held = [row for row, begin in enumerate(made.begins) if begin]
    ids = tokenizer("Москве", add_special_tokens=False)["input_ids"]
    assert 1 <= len(held) < len(made.begins)
    for row, found in enumerate(made.encoded["input_ids"]):
        begin, end = made.begins[row], made.ends[row]
        assert (found[begin : end + 1] == ids) == (row in held)
        assert any(found[i : i + len(ids)] == ids for i in range(32)) == (row in held)
    none = features(tokenizer, [example("Who", LONG, impossible=True)], 32, 8)
    assert set(none.begins) == set(none.ends) == {0}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (example("Who", "Anna", "Anna", 1), "a.json:3: question q1: its answer 'Anna' does not stand at character 1"),
        (example("Who", "Anna"), "a.json:3: question q1 has no answer"),
        (example("Who", "Anna b", " ", 4), "a.json:3: question q1: its answer is white space alone"),
    ],
)
def test_answers_that_are_wrong_are_one_line(answering, wrong: SpanExample, told: str) -> None:
    with pytest.raises(UserError, match=told):
        features(answering("bert").tokenizer, [wrong], 32)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("overlap", [0, 5, 500])
def test_windows_hold_the_text_whole_and_overlap(answering, kind: str, overlap: int) -> None:
    tokenizer = answering(kind).tokenizer
    cut = windows(tokenizer, [LONG, "", "Anna"], 24, overlap, ["Who", "Who", "Who"])
    whole = tokenizer("Who", LONG, return_offsets_mapping=True)
    inside = [i for i, number in enumerate(whole.sequence_ids(0)) if number == 1]
    around = len(whole["input_ids"]) - len(inside)
    shared = min(overlap, (24 - around) // 2)
    for row, (begin, end, first) in enumerate(cut.places):
        ids = cut.encoded["input_ids"][row]
        assert len(ids) <= 24 and len(ids) == len(cut.encoded["attention_mask"][row]) == end - begin + around
        if cut.examples[row] == 0:
            tokens = [whole["input_ids"][inside[0] + first + i] for i in range(end - begin)]
            assert ids[begin:end] == tokens
            if row:
                assert first == cut.places[row - 1][2] + 24 - around - shared
    assert cut.examples[-2:] == [1, 2] and cut.places[-2][0] == cut.places[-2][1]
    assert cut.encoded["input_ids"][-2] == tokenizer(["Who"], [""])["input_ids"][0]
    last = next(row for row in range(len(cut.examples)) if cut.examples[row + 1])
    assert cut.places[last][2] + cut.places[last][1] - cut.places[last][0] == len(inside)
