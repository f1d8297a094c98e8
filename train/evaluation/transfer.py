"""Zero-shot transfer: classes learnt from texts of one language, asked of texts of all.

Beside a model stand the largest class of its training texts, n-grams of characters, and the model with random weights.
"""

import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path

import numpy as np

from schemas.errors import UserError
from schemas.evaluation import Rows, Table
from train.benchmarks.examples import TextExample
from train.encoders.opened import OpenedModel
from train.encoders.vectors import Vectors
from train.evaluation.linear import NgramClasses, VectorClasses, check_library
from train.evaluation.measures import LEFT_OUT, MEASURE, SEEN, Measure, table
from train.evaluation.sentences import Embedding
from train.evaluation.settings import Settings
from train.evaluation.transfer_data import HELD_OUT, Data, read
from train.finetuning.recipe import recipe_for
from train.finetuning.run import FinetuneSettings, finetune
from train.metrics.figures import measured, share
from train.metrics.intervals import Interval

TITLES = {"probe": "a probe on frozen vectors", "finetune": "the whole model fine-tuned"}
NOT_TUNED = "an ensemble or has a map, and is not fine-tuned"


def transfer(settings: Settings) -> Measure | None:
    if settings.transfer is None:
        return None
    check_library()
    data, languages = read(settings.transfer, settings)
    return Measure("transfer", partial(_run, data), languages, partial(_baselines, data), untrained=True)


def _run(data: Data, model: OpenedModel, settings: Settings) -> list[Table]:
    methods: dict[str, Callable[[Data, OpenedModel, Settings], Table]] = {"probe": _probe, "finetune": _finetune}
    asked = [method for method in settings.transfer_by if method != "finetune" or model.one_module]
    if not asked:
        raise UserError(f"{model.name} is {NOT_TUNED}: ask it by a probe")
    tables = [methods[method](data, model, settings) for method in asked]
    if len(asked) < len(settings.transfer_by):
        told = tables[0]["settings"].setdefault(LEFT_OUT, {model.name: []})
        assert isinstance(told, dict)
        told[model.name].append(f"fine-tuning: it is {NOT_TUNED}")
    return tables


def _probe(data: Data, model: OpenedModel, settings: Settings) -> Table:
    """By logistic regression on vectors as they are, so that nothing hangs on chance; bounds are over test texts."""
    pair = data.train[0].second is not None
    total = (len(data.train) + sum(map(len, data.test.values()))) * (1 + pair)
    with Embedding(model, settings, "transfer", total) as embedding:
        known = embedding.known(data.test, [data.source])
        classes = VectorClasses(_features(data.train, data.source, embedding), _labels(data.train))
        rows: Rows = {}
        for language in known:
            examples = data.test[language]
            found = classes.labels(_features(examples, language, embedding))
            rows[language] = share(found == np.asarray(_labels(examples)))
    return _table("probe", data, {model.name: rows}, {}, embedding.told())


def _finetune(data: Data, model: OpenedModel, settings: Settings) -> Table:
    """Once a seed; bounds are Student's over seeds, no further than a share goes."""
    asked = recipe(model, len(data.train), settings)
    train = [one for place, one in enumerate(data.train) if place % HELD_OUT] if _is_part(data) else data.train
    with (
        tempfile.TemporaryDirectory(prefix="wanyu-transfer-") as folder,
        redirect_stdout(sys.stderr),  # where its steps are told: stdout is for figures
    ):
        validation = {data.source: data.validation}
        result = finetune(asked, model, train, validation, Path(folder) / "run", print, data.test)
    rows: Rows = {
        language: measured(_within(interval), len(data.test[language]))
        for language, interval in result.by_language("test").items()
        if language in data.test
    }
    return _table(
        "finetune", data, {model.name: rows}, {}, {"seeds": settings.seeds, "recipe": {model.name: told(asked)}}
    )


def recipe(model: OpenedModel, texts: int, settings: Settings) -> FinetuneSettings:
    """How a model is fine-tuned, and its untrained twin alike: as the flags say, else as `recipe_for` has it. Classes
    are told by the mean of all tokens where the model can be told so."""
    suited = recipe_for(model.parameters, texts)
    return FinetuneSettings(
        task=settings.transfer_task,
        metric="accuracy",
        epochs=settings.transfer_epochs or suited.epochs,
        learning_rate=settings.transfer_learning_rate or suited.learning_rate,
        layer_decay=settings.transfer_layer_decay or suited.layer_decay,
        patience=0,  # the best in validation are kept anyway
        seeds=tuple(range(settings.seeds)),
        from_scratch=model.at_random,
        pooling="mean" if hasattr(model.config, "classifier_pooling") else "",
    )


def told(asked: FinetuneSettings) -> dict[str, object]:
    """For the settings of a table."""
    return {name: getattr(asked, name) for name in ("epochs", "learning_rate", "layer_decay", "batch_size", "pooling")}


def _within(interval: Interval) -> Interval:
    low, high = interval.low, interval.high
    return interval._replace(low=None if low is None else max(0.0, low), high=None if high is None else min(1.0, high))


def _is_part(data: Data) -> bool:
    return data.validation[0] is data.train[0]


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
    return [_table(method, data, {}, rows, {}) for method in settings.transfer_by]


def _table(
    method: str, data: Data, figures: Mapping[str, Rows], baselines: Mapping[str, Rows], told: Mapping[str, object]
) -> Table:
    """Each method is a measure of its own to those who show tables."""
    settings = {MEASURE: f"transfer by {method}", SEEN: [data.source], "split": data.split, **told}
    return table(
        f"transfer_{method}",
        f"zero-shot from {data.source}: {TITLES[method]}",
        "share right",
        figures=figures,
        baselines=baselines,
        settings={**settings, "training_texts": len(data.train)},
    )


def _features(examples: Sequence[TextExample], language: str, embedding: Embedding) -> Vectors:
    """[texts, width]; of pairs [texts, 4 width], as InferSent has it (Conneau et al. 2017, arXiv 1705.02364)."""
    first = embedding.one([one.text for one in examples], language)
    if examples[0].second is None:
        return first
    second = embedding.one([one.second or "" for one in examples], language)
    return np.concatenate([first, second, np.abs(first - second), first * second], 1)


def _labels(examples: Sequence[TextExample]) -> list[str]:
    return [str(one.label) for one in examples]
