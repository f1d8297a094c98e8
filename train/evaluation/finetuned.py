"""Fine-tuned models on the benchmarks that they were tuned for, in the benchmarks' own layouts, splits and metrics."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from schemas.errors import UserError
from schemas.evaluation import ALL, Rows, Table
from train.benchmarks.examples import Example, Task
from train.benchmarks.files import nothing
from train.benchmarks.folders import files_of
from train.benchmarks.read import read_by_language
from train.encoders.opened import OpenedModel
from train.evaluation.measures import Maker, Measure, table
from train.evaluation.settings import Settings
from train.metrics.spans import Rules
from train.tasks import scored
from train.tasks.scored import UNITS, Figures, How, Metric
from train.telemetry.progress import Progress

TEST = ("test", "dev")
DEV = ("dev",)  # GLUE keeps the labels of its tests to itself


@dataclass(frozen=True)
class Benchmark:
    """name: of tables. splits: the first that is there is read. metrics: the first is the one that tells. positive: the
    class that F1 is of, under its published names. rules: see `train.metrics.spans`."""

    name: str
    title: str
    task: Task
    metrics: tuple[Metric, ...]
    splits: tuple[str, ...] = TEST
    positive: tuple[str, ...] = ()
    rules: Rules | None = None


ANSWERS: tuple[Metric, ...] = ("f1", "exact_match")
XNLI = Benchmark("xnli", "XNLI", "pair", ("accuracy",))
XQUAD = Benchmark("xquad", "XQuAD and SQuAD", "span", ANSWERS)
MLQA = Benchmark("mlqa", "MLQA", "span", ANSWERS, rules="mlqa")
WIKIANN = Benchmark("wikiann", "WikiANN and CoNLL", "token", ("f1",))
SIB200 = Benchmark("sib200", "SIB-200", "sequence", ("accuracy", "macro_f1"))
_GLUE: tuple[tuple[str, Task, tuple[Metric, ...], tuple[str, ...]], ...] = (
    ("CoLA", "sequence", ("matthews",), ()),
    ("SST-2", "sequence", ("accuracy",), ()),
    ("MRPC", "pair", ("f1", "accuracy"), ("1", "equivalent")),
    ("QQP", "pair", ("f1", "accuracy"), ("1", "duplicate")),
    ("STS-B", "pair", ("pearson", "spearman"), ()),
    ("MNLI", "pair", ("accuracy",), ()),
    ("QNLI", "pair", ("accuracy",), ()),
    ("RTE", "pair", ("accuracy",), ()),
    ("WNLI", "pair", ("accuracy",), ()),
)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


GLUE = {
    _plain(name): Benchmark(_plain(name), f"GLUE {name}", task, metrics, DEV, positive)
    for name, task, metrics, positive in _GLUE
}


def of_benchmark(flag: str, benchmark: Benchmark) -> Maker:
    """The measure of the files that a setting names."""

    def make(settings: Settings) -> Measure | None:
        path = getattr(settings, flag)
        return None if path is None else _measure(path, benchmark, settings)

    return make


def glue(settings: Settings) -> Measure | None:
    """The task is told by the name of its folder, as they are published. UserError where it is none of GLUE's."""
    if settings.glue is None:
        return None
    folder = settings.glue if settings.glue.is_dir() else settings.glue.absolute().parent
    benchmark = GLUE.get(_plain(folder.absolute().name))
    if benchmark is None:
        inside = [one.name for one in sorted(folder.iterdir()) if _plain(one.name) in GLUE] if folder.is_dir() else []
        way = (
            f"name one of {', '.join(inside)} in it, since a model is fine-tuned for one"
            if inside
            else f"name the folder of a task, called {', '.join(name for name, *_ in _GLUE)}, or a file in it"
        )
        raise UserError(f"--glue {settings.glue} is not the folder of a task: {way}")
    return _measure(settings.glue, benchmark, settings)


MAKERS: tuple[Maker, ...] = (
    of_benchmark("xnli", XNLI),
    of_benchmark("xquad", XQUAD),
    of_benchmark("mlqa", MLQA),
    glue,
    of_benchmark("wikiann", WIKIANN),
    of_benchmark("sib200", SIB200),
)


def _measure(path: Path, benchmark: Benchmark, settings: Settings) -> Measure:
    everything, split = read_split(path, benchmark)
    # Where no language is told, as in GLUE, the examples are asked whatever languages are.
    wanted = {*settings.wanted(everything), ""}
    most = settings.examples or None
    examples = {language: of[:most] for language, of in sorted(everything.items()) if language in wanted}
    how = How(settings.max_tokens, settings.batch_tokens, benchmark.positive, benchmark.rules)

    def run(model: OpenedModel, _: Settings) -> list[Table]:
        rows: dict[Metric, Rows] = {metric: {} for metric in benchmark.metrics}
        with Progress(benchmark.title, "examples", sum(map(len, examples.values()))) as progress:
            for language, of in examples.items():
                found = _scores(benchmark, model, of, how, progress.add)
                for metric in benchmark.metrics:
                    rows[metric][language or ALL] = found[metric]
        told = {"split": split, "file": str(path)} | ({"examples": settings.examples} if most else {})
        return [
            table(
                f"{benchmark.name}_{metric}",
                f"{benchmark.title}, fine-tuned",
                UNITS[metric],
                figures={model.name: rows[metric]},
                settings=dict(told),
            )
            for metric in benchmark.metrics
        ]

    return Measure(benchmark.title, run, frozenset(everything) - {""} or frozenset(settings.languages or [ALL]))


def read_split(path: Path, benchmark: Benchmark) -> tuple[dict[str, list[Example]], str]:
    """(language -> examples, the split that they are of, "" of a file)."""
    if not path.is_dir():
        return read_by_language([path], benchmark.task), ""
    failed: UserError | None = None
    for split in benchmark.splits:
        try:
            files_of(path, split, nothing)
        except UserError as error:
            failed = failed or error
            continue
        return read_by_language([path], benchmark.task, split=split), split
    assert failed is not None
    raise failed


def _scores(
    benchmark: Benchmark, model: OpenedModel, examples: Sequence[Any], how: How, progress: Callable[[int], None]
) -> Figures:
    of: dict[str, Callable[..., Figures]] = {"token": scored.of_words, "span": scored.of_questions}
    score = of.get(benchmark.task) or partial(scored.of_texts, metrics=benchmark.metrics)
    return score(model, examples, how=how, progress=progress)
