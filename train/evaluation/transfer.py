"""Zero-shot transfer: classes learnt from texts of one language, asked of texts of all.

Beside a model: the largest class of its training texts, n-grams of characters, and the model with random weights.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from schemas.errors import UserError
from schemas.evaluation import Rows, Table
from train.benchmarks.examples import Example, TextExample
from train.benchmarks.files import nothing
from train.benchmarks.folders import files_of
from train.benchmarks.read import read_by_language
from train.encoders.opened import OpenedModel
from train.encoders.vectors import Vectors
from train.evaluation.linear import NgramClasses, VectorClasses, check_library
from train.evaluation.measures import SEEN, Measure, table
from train.evaluation.sentences import Embedding
from train.evaluation.settings import Settings, same
from train.metrics.figures import share

TRAINING_TEXTS = 10_000  # at most, the first: a probe gains little from more


class Data(NamedTuple):
    """source: the language of `train`. test: by language."""

    source: str
    split: str
    train: list[TextExample]
    test: dict[str, list[TextExample]]


def transfer(settings: Settings) -> Measure | None:
    """UserError where the folder has no training texts of the language, or labels that are not in them."""
    if settings.transfer is None:
        return None
    check_library()
    data, languages = read(settings.transfer, settings)
    return Measure("transfer", partial(_probe, data), languages, partial(_baselines, data), untrained=True)


def read(root: Path, settings: Settings) -> tuple[Data, frozenset[str]]:
    """(texts of the languages asked for, languages that there are)."""
    training = read_by_language([root], settings.transfer_task, split="train")
    source = next((one for one in sorted(training) if same(one, settings.transfer_from)), None)
    if source is None:
        raise UserError(
            f"--transfer-from {settings.transfer_from}: {root} has no training texts of it; there are "
            f"{', '.join(sorted(training))}"
        )
    train = _texts(training[source])[:TRAINING_TEXTS]
    split = "test" if _has(root, "test") else "dev"
    test = {one: _texts(rows) for one, rows in read_by_language([root], settings.transfer_task, split=split).items()}
    known = {one.label for one in train}
    for rows in test.values():
        for one in rows:
            if one.label not in known:
                raise UserError(
                    f"{one.origin}: label {one.label!r} is none of the training labels in {source} "
                    f"({', '.join(sorted(map(str, known)))}): take another --transfer-from, or mend the file"
                )
    if len(known) < 2:
        raise UserError(f"{train[0].origin.file}: all its texts have one label: training needs two")
    kept = {language: test[language][: settings.sentences] for language in settings.wanted(test)}
    return Data(source, split, train, kept), frozenset(test)


def _has(root: Path, split: str) -> bool:
    try:
        return bool(files_of(root, split, nothing))
    except UserError:
        return False


def _texts(examples: Sequence[Example]) -> list[TextExample]:
    return [one for one in examples if isinstance(one, TextExample)]


def _probe(data: Data, model: OpenedModel, settings: Settings) -> list[Table]:
    """By logistic regression on vectors as they are, so that nothing hangs on chance; bounds are over test texts."""
    pair = data.train[0].second is not None
    total = (len(data.train) + sum(map(len, data.test.values()))) * (1 + pair)
    with Embedding(model, settings, "transfer", total) as embedding:
        classes = VectorClasses(_features(data.train, embedding), _labels(data.train))
        rows: Rows = {}
        for language, examples in data.test.items():
            found = classes.labels(_features(examples, embedding))
            rows[language] = share(found == np.asarray(_labels(examples)))
    return [_table(data, {model.name: rows}, {}, embedding.told())]


def _table(data: Data, figures: Mapping[str, Rows], baselines: Mapping[str, Rows], told: Mapping[str, object]) -> Table:
    return table(
        "transfer_probe",
        f"zero-shot from {data.source}: a probe on frozen vectors",
        "share right",
        figures=figures,
        baselines=baselines,
        settings={SEEN: [data.source], "training_texts": len(data.train), "split": data.split, **told},
    )


def _features(examples: Sequence[TextExample], embedding: Embedding) -> Vectors:
    """[texts, width]; of pairs [texts, 4 width], as InferSent has it (Conneau et al. 2017)."""
    first = embedding.one([one.text for one in examples])
    if examples[0].second is None:
        return first
    second = embedding.one([one.second or "" for one in examples])
    return np.concatenate([first, second, np.abs(first - second), first * second], 1)


def _baselines(data: Data, settings: Settings) -> list[Table]:
    labels = _labels(data.train)
    largest = Counter(labels).most_common(1)[0][0]
    ngrams = NgramClasses([(one.text, one.second) for one in data.train], labels)
    rows: dict[str, Rows] = {"majority class": {}, "character n-grams": {}}
    for language, examples in data.test.items():
        right = np.asarray(_labels(examples))
        rows["majority class"][language] = share(right == largest)
        found = ngrams.labels([(one.text, one.second) for one in examples])
        rows["character n-grams"][language] = share(found == right)
    return [_table(data, {}, rows, {})]


def _labels(examples: Sequence[TextExample]) -> list[str]:
    return [str(one.label) for one in examples]
