"""What a model answers becomes figures, with 95 % intervals over the examples, in each benchmark's own metrics."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from schemas.errors import UserError
from schemas.evaluation import Figure
from train.benchmarks.examples import SpanExample, TextExample, TokenExample
from train.encoders.opened import OpenedModel
from train.metrics import classification, correlation
from train.metrics.entities import entity_counts, entity_scores, spans_of
from train.metrics.figures import measured, number, share
from train.metrics.intervals import Interval, Statistic, bootstrap, mean
from train.metrics.spans import Rules, score_each
from train.tasks import sequence, span, token
from train.tasks.labels import listed

Metric = Literal["accuracy", "f1", "macro_f1", "matthews", "pearson", "spearman", "exact_match"]
UNITS: dict[Metric, str] = {
    "accuracy": "share right", "f1": "share, F1", "macro_f1": "share, mean F1 of classes",
    "exact_match": "share exact", "matthews": "Matthews", "pearson": "Pearson", "spearman": "Spearman",
}  # fmt: skip
Figures = dict[Metric, Figure]
Progress = Callable[[int], None]


@dataclass(frozen=True)
class How:
    """max_tokens: as the tasks have it. positive: names of the class that F1 is of. rules: of answers in a text, see
    `train.metrics.spans`; None: SQuAD's. no_answer: whether a question may have none; None: where one has none, and
    where the model's lineage says so. intervals: whether figures have them, which a training that asks each epoch needs
    not."""

    max_tokens: int = 0
    batch_tokens: int = 0
    positive: tuple[str, ...] = ()
    rules: Rules | None = None
    no_answer: bool | None = None
    doc_stride: int = span.STRIDE
    intervals: bool = True

    def figure(self, values: NDArray[Any], statistic: Statistic, count: int | None = None) -> Figure:
        """values: [n] or [n, ...], of examples. count: None for n."""
        found = bootstrap(values, statistic) if self.intervals else Interval(statistic(values), None, None)
        return measured(found, len(values) if count is None else count)

    def share(self, hits: NDArray[np.bool_]) -> Figure:
        return share(hits) if self.intervals else number(float(hits.mean()), len(hits))


def of_texts(
    model: OpenedModel,
    examples: Sequence[TextExample],
    metrics: Sequence[Metric],
    how: How,
    progress: Progress | None = None,
) -> Figures:
    """Of single texts and pairs. Labels are matched by their names, whatever their case, and never by their numbers,
    which differ from model to model. UserError where the model's names are others."""
    model.model(sequence.KIND, sequence.NEEDS)  # without a head it is not its labels that are wrong
    numbers = metrics[0] in ("pearson", "spearman")
    names = {} if numbers else matched(model, examples)
    if numbers:
        _check_numbers(model, examples)
    answers = sequence.predict(
        model, examples, max_tokens=how.max_tokens, batch_tokens=how.batch_tokens, progress=progress
    )
    if numbers:
        pairs = np.array([
            (_number(example), one.probabilities[sequence.SCORE])
            for example, one in zip(examples, answers, strict=True)
        ])  # fmt: skip
        of = {"pearson": correlation.pearson, "spearman": correlation.spearman}
        return {name: how.figure(pairs, partial(_of_columns, of[name])) for name in metrics}
    right = [str(example.label) for example in examples]
    return of_classes(right, [names.get(one.label, one.label) for one in answers], metrics, how)


def of_classes(right: Sequence[str], given: Sequence[str], metrics: Sequence[Metric], how: How) -> Figures:
    """The first of how.positive that is among the labels is what F1 is of."""
    labels = sorted({*right, *given})
    places = {label: place for place, label in enumerate(labels)}
    count = len(labels)
    cells = np.array([places[one] * count + places[other] for one, other in zip(right, given, strict=True)])
    place = next((places[name] for name in how.positive if name in places), None)

    def table(drawn: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.bincount(drawn, minlength=count * count).reshape(count, count)

    def f1(drawn: NDArray[np.int64]) -> float:
        return 0.0 if place is None else float(np.nan_to_num(classification.f1_by_class(table(drawn))[place]))

    of: dict[str, Callable[[NDArray[np.int64]], float]] = {
        "f1": f1,
        "macro_f1": lambda drawn: classification.macro_f1(table(drawn)),
        "matthews": lambda drawn: classification.matthews(table(drawn)),
    }
    hits = np.array(right) == np.array(given)
    return {name: how.share(hits) if name == "accuracy" else how.figure(cells, of[name]) for name in metrics}


def of_words(
    model: OpenedModel,
    examples: Sequence[TokenExample],
    how: How,
    progress: Progress | None = None,
    metrics: Sequence[Metric] = ("f1",),
) -> Figures:
    """F1 of entities, as conlleval has it; accuracy of all tags. UserError where the model does not know a kind of the
    file."""
    model.model(token.KIND, token.NEEDS)
    kinds = {kind for example in examples for kind, _, _ in spans_of(example.tags)}
    named = _paired({kind for name in token.labels_of(model) for kind, _, _ in spans_of([name])}, kinds)
    if named is None:
        raise _other_labels(model, token.labels_of(model), examples[0].origin.file, sorted(kinds))
    answers = token.predict_tags(
        model, examples, max_tokens=how.max_tokens, batch_tokens=how.batch_tokens, progress=progress
    )
    told = [tuple(_renamed(tag, named) for tag in tags) for tags in answers]
    right = [example.tags for example in examples]
    figures: Figures = {}
    if "f1" in metrics:
        figures["f1"] = how.figure(entity_counts(right, told), lambda drawn: entity_scores(drawn).f1)
    if "accuracy" in metrics:
        hits = [sum(tag == other for tag, other in zip(*tags, strict=True)) for tags in zip(right, told, strict=True)]
        pairs = np.array([hits, [len(tags) for tags in right]], np.float64).T
        figures["accuracy"] = how.figure(pairs, lambda drawn: float(np.divide(*drawn.sum(0))))
    return figures


def of_questions(
    model: OpenedModel, examples: Sequence[SpanExample], how: How, progress: Progress | None = None
) -> Figures:
    """Exact match and F1."""
    numbered = [replace(example, id=str(number)) for number, example in enumerate(examples)]
    without = True if any(example.impossible for example in examples) else None
    answers = span.predict(
        model, numbered, no_answer=without if how.no_answer is None else how.no_answer, doc_stride=how.doc_stride,
        max_tokens=how.max_tokens, batch_tokens=how.batch_tokens, progress=progress,
    )  # fmt: skip
    texts = {example.id: one.text for example, one in zip(numbered, answers, strict=True)}
    scores = score_each(texts, numbered, how.rules)
    exact, f1 = (how.figure(scores[:, column], mean) for column in range(2))
    return {"exact_match": exact, "f1": f1}


def matched(model: OpenedModel, examples: Sequence[TextExample]) -> dict[str, str]:
    """The model's name of each label -> the file's. UserError where the file has one that the model does not know."""
    for example in examples:
        if not isinstance(example.label, str):
            raise UserError(f"{example.origin}: its label is no class but {example.label}: name a file of classes")
    theirs = sorted({str(example.label) for example in examples})
    names = sequence.labels_of(model)
    found = _paired(names, theirs)
    if found is None:
        raise _other_labels(model, names, examples[0].origin.file, theirs)
    return found


def _paired(ours: Collection[str], theirs: Collection[str]) -> dict[str, str] | None:
    """The model's name -> the file's: the same name, else but for case. None where one of the file's has none."""
    if set(theirs) <= set(ours):
        return {name: name for name in theirs}
    folded = {name.strip().casefold(): name for name in ours}
    if not {name.casefold() for name in theirs} <= set(folded):
        return None
    return {folded[name.casefold()]: name for name in theirs}


def _other_labels(model: OpenedModel, ours: Sequence[str], file: object, theirs: Sequence[str]) -> UserError:
    return UserError(
        f"--model {model.given} answers with the labels {listed(ours)}, and {file} has {listed(theirs)}: if they "
        "mean the same, write the file's names into id2label and label2id of the model's config.json, in the order "
        "that the model learnt them in; else take a model fine-tuned for this"
    )


def _check_numbers(model: OpenedModel, examples: Sequence[TextExample]) -> None:
    if not sequence.is_regression(model.config):
        how = "with one label that is not told to be a number" if model.config.num_labels == 1 else "with classes"
        raise UserError(
            f"--model {model.given} answers {how}, and {examples[0].origin.file} has numbers: take one of a regression "
            '("problem_type": "regression" and one label in its config.json)'
        )
    check_enough(examples)


def check_enough(examples: Sequence[Any]) -> None:
    """UserError where there are too few for a correlation."""
    if len(examples) < 2:
        raise UserError(f"{examples[0].origin}: a correlation of one example says nothing: give more of that language")


def _of_columns(figure: Callable[..., float], drawn: NDArray[np.float64]) -> float:
    return figure(drawn[:, 0], drawn[:, 1])


def _number(example: TextExample) -> float:
    if isinstance(example.label, float | int):
        return float(example.label)
    raise UserError(f"{example.origin}: its label {example.label!r} is no number: mend it, or take the row out")


def _renamed(tag: str, names: dict[str, str]) -> str:
    mark, dash, kind = tag.partition("-")
    return f"{mark}-{names.get(kind, kind)}" if dash else names.get(tag, tag)
