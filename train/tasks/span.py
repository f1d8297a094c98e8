"""Answers that stand in a text: where they begin and end.

Long contexts are read in windows that overlap. Where a model learnt of questions without an answer, the first token's
scores stand for none (Devlin et al. 2019, arXiv 1810.04805, 4.3), those of the window that believes least in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.errors import UserError
from train.benchmarks.examples import SpanAnswer, SpanExample
from train.encoders.batches import Encoded
from train.encoders.opened import OpenedModel
from train.encoders.place import BATCH_TOKENS
from train.tasks.running import Progress, in_parts, limit, outputs
from train.tasks.windows import Windows, windows

KIND, NEEDS = "AutoModelForQuestionAnswering", "answers in a text"
ANSWER_TOKENS, STRIDE = 30, 128  # as in the scripts of transformers
LINEAGE = "no_answer"  # in a lineage's `finetuned`


@dataclass(frozen=True)
class Features:
    """A row a window. begins, ends: its tokens that the answer begins and ends with; 0 and 0 where it holds none."""

    encoded: Encoded
    begins: list[int]
    ends: list[int]


def features(tokenizer: Any, examples: Sequence[SpanExample], max_tokens: int, doc_stride: int = STRIDE) -> Features:
    """By the first answer of each. UserError for one that does not stand where its example says."""
    cut = _windows(tokenizer, examples, max_tokens, doc_stride)
    answers = [_characters(example) for example in examples]
    # The tokens of each answer, by number among all of the context: a window has both or none.
    pieces: list[list[int]] = [[] for _ in examples]
    for number, (first, behind, before), offsets in zip(cut.examples, cut.places, cut.offsets, strict=True):
        begin, end = answers[number]
        held = (place for place in range(first, behind) if offsets[place][1] > begin and offsets[place][0] < end)
        pieces[number] += [before + place - first for place in held]
    begins, ends = [], []
    for number, (first, behind, before) in zip(cut.examples, cut.places, strict=True):
        low, high = min(pieces[number], default=-1), max(pieces[number], default=-1)
        whole = before <= low and high < before + behind - first
        begins.append(first + low - before if whole else 0)
        ends.append(first + high - before if whole else 0)
    return Features(cut.encoded, begins, ends)


def predict(
    model: OpenedModel,
    examples: Sequence[SpanExample],
    *,
    max_answer_tokens: int = ANSWER_TOKENS,
    doc_stride: int = STRIDE,
    no_answer: bool | None = None,
    max_tokens: int = 0,
    batch_tokens: int = BATCH_TOKENS,
    progress: Progress | None = None,
) -> list[SpanAnswer]:
    """The span whose scores for beginning and end add up to most, over all windows, in the order of the examples; its
    probability is the softmax over all spans of all windows, and no answer where that is weighed.

    doc_stride: tokens that two windows share. no_answer: whether none is weighed; None: where the model's lineage says
    that it learnt it. UserError where the model has no head for answers.
    """
    longest = limit(model, max_tokens)
    if no_answer is None:
        no_answer = bool(model.lineage.get("finetuned", {}).get(LINEAGE))
    answers: list[SpanAnswer] = []
    for part in in_parts(examples, progress):
        cut = _windows(model.tokenizer, part, longest, doc_stride)
        scores: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = [(_NONE, _NONE)] * len(cut.examples)
        for rows, output in outputs(model, KIND, NEEDS, cut.encoded, batch_tokens):
            begins, ends = output.start_logits.float().cpu().numpy(), output.end_logits.float().cpu().numpy()
            for place, row in enumerate(rows.tolist()):
                length = len(cut.offsets[row])
                scores[row] = begins[place, :length], ends[place, :length]
        rows_of: list[list[int]] = [[] for _ in part]
        for row, number in enumerate(cut.examples):
            rows_of[number].append(row)
        for example, own in zip(part, rows_of, strict=True):
            answers.append(_best(example, cut, own, scores, max_answer_tokens, no_answer))
    return answers


_NONE = np.empty(0, np.float32)


def _best(
    example: SpanExample,
    cut: Windows,
    rows: Sequence[int],
    scores: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]],
    most: int,
    no_answer: bool,
) -> SpanAnswer:
    spans, parts = [], []
    for row in rows:
        begin, end, _ = cut.places[row]
        begins, ends = (values[begin:end].astype(np.float64) for values in scores[row])
        band = _sums(begins, ends, most)
        parts.append(band[np.isfinite(band)])
        if band.size:
            first, length = np.unravel_index(int(band.argmax()), band.shape)
            spans.append((float(band[first, length]), row, begin + int(first), begin + int(first + length)))
    best = max(spans, key=lambda one: one[0], default=None)
    if no_answer or best is None:
        nothing = min(float(scores[row][0][0]) + float(scores[row][1][0]) for row in rows)
        parts.append(np.array([nothing]))
        if best is None or nothing > best[0]:
            return SpanAnswer("", 0, 0, _share(nothing, parts))
    score, row, first_token, last_token = best
    begin, end = cut.offsets[row][first_token][0], cut.offsets[row][last_token][1]
    while begin < end and example.context[begin].isspace():
        begin += 1
    return SpanAnswer(example.context[begin:end], begin, end, _share(score, parts))


def _sums(begins: NDArray[np.float64], ends: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """[tokens, most]: the score of the span that begins at a token and has one token, two, …; -inf beyond the text."""
    tokens = len(begins)
    filled = np.concatenate([ends, np.full(most - 1, -np.inf)])
    return begins[:, None] + np.lib.stride_tricks.sliding_window_view(filled, most)[:tokens] if tokens else filled[:0]


def _share(score: float, parts: Sequence[NDArray[np.float64]]) -> float:
    values = np.concatenate(parts)
    top = values.max()
    return float(np.exp(score - top) / np.exp(values - top).sum())


def _windows(tokenizer: Any, examples: Sequence[SpanExample], longest: int, overlap: int) -> Windows:
    contexts, questions = [one.context for one in examples], [one.question for one in examples]
    return windows(tokenizer, contexts, longest, overlap, questions)


def _characters(example: SpanExample) -> tuple[int, int]:
    """Of the first answer, white space around it left out; 0 and 0 without one."""
    if example.impossible:
        return 0, 0
    if not example.answers:
        raise UserError(f"{example.origin}: question {example.id} has no answer: give one, or mark it as impossible")
    text, begin = example.answers[0]
    if not text.strip():
        raise UserError(f"{example.origin}: question {example.id}: its answer is white space alone: mend it")
    if example.context[begin : begin + len(text)] != text:
        raise UserError(
            f"{example.origin}: question {example.id}: its answer {text[:40]!r} does not stand at character {begin} of "
            "its context: mend the answer's start"
        )
    begin += len(text) - len(text.lstrip())
    return begin, begin + len(text.strip())
