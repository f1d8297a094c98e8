"""A fine-tuning from examples to a folder and its scores: what the program does, and what others call."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from schemas.errors import UserError
from train.benchmarks.examples import Example
from train.encoders.opened import OpenedModel, open_model
from train.finetuning.labels import check_known, labels_of
from train.finetuning.lessons import Lesson, lesson_of
from train.finetuning.model_folder import copy_model, write_model
from train.finetuning.outputs import Result, SeedResult, begin, check_output, identity, read_seed, write_result
from train.finetuning.scoring import check_metric, metric_for, score
from train.finetuning.seed_run import SeedRun, forget, mean_of
from train.finetuning.settings import MAX_TOKENS, FinetuneSettings
from train.tasks.running import limit
from train.tasks.sequence import SCORE
from train.tasks.span import LINEAGE

__all__ = ["FinetuneSettings", "Result", "finetune", "score"]

Examples = Mapping[str, Sequence[Example]]
MODEL = "model"


def finetune(
    settings: FinetuneSettings,
    model: OpenedModel | Path,
    training: Sequence[Example],
    validation: Examples,
    output: Path,
    say: Callable[[str], None],
    test: Examples | None = None,
    live: bool = False,
) -> Result:
    """Trains once for each seed, and keeps of each the weights that were best in validation, the mean over languages.

    Writes OUTPUT/model, OUTPUT/result.json, OUTPUT/metrics.jsonl and, until the end, OUTPUT/checkpoints; of several
    seeds each has these in OUTPUT/seed-N, and OUTPUT/model is that of the best. Called again with the same it goes on
    from its last checkpoint, and what is finished stays. live: say prints on stdout, where a terminal is to have a live
    line too. UserError, before any training, for settings and examples that
    cannot be, and for an output that was begun with others.
    """
    settings.check()
    opened = open_model(model) if isinstance(model, Path) else model
    max_tokens = limit(opened, settings.max_tokens) if settings.max_tokens else min(MAX_TOKENS, opened.longest)
    labels = labels_of(settings, training)
    test = test or {}
    check_known(settings, labels, validation, "--validation")
    if test:
        check_known(settings, labels, test, "--test")
    first = next(examples[0] for examples in validation.values())
    metric = metric_for(settings.task, [first], settings.metric)
    for examples in (validation, test):
        check_metric(settings.task, metric, labels, examples)
    lesson = lesson_of(settings, opened, training, labels, max_tokens)
    told = identity(settings, opened, training, validation, test)
    check_output(output, told)
    if len(training) < settings.batch_size:
        say(f"{len(training):,} examples are fewer than --batch-size {settings.batch_size}: a batch is all of them")
    results = []
    for seed in settings.seeds:
        folder = output if len(settings.seeds) == 1 else output / f"seed-{seed}"
        found = read_seed(folder)
        if found is not None:
            value = f"{metric} {mean_of(found.validation):.4f} in validation"
            say(f"{folder} is finished already: {value}; it stays as it is")
            forget(folder)  # where the one before was killed at its very end
        else:
            if len(settings.seeds) > 1:
                say(f"seed {seed}")
            work = _Work(settings, opened, training, labels, lesson, max_tokens, metric)
            run = work.prepared(seed, folder, validation, say, live)
            begin(output, told)  # from here on the settings are known to be ones that can be
            found = work.do(run, test)
        results.append(found)
    best = max(results, key=lambda one: mean_of(one.validation))
    result = Result(output / MODEL, metric, tuple(results))
    if len(settings.seeds) > 1 and read_seed(output) is None:
        copy_model(output / f"seed-{best.seed}" / MODEL, output / MODEL)
        write_result(output, result)
    return result


class _Work:
    """What all seeds share."""

    def __init__(
        self,
        settings: FinetuneSettings,
        model: OpenedModel,
        training: Sequence[Example],
        labels: Sequence[str],
        lesson: Lesson,
        max_tokens: int,
        metric: str,
    ) -> None:
        self.settings, self.model, self.training, self.labels = settings, model, training, labels
        self.lesson, self.max_tokens, self.metric = lesson, max_tokens, metric

    def prepared(
        self, seed: int, folder: Path, validation: Examples, say: Callable[[str], None], live: bool
    ) -> SeedRun:
        return SeedRun(
            self.settings,
            seed,
            self.model,
            model_settings(self.settings, self.labels, self.model.config),
            self.lesson,
            validation,
            self.max_tokens,
            self.metric,
            folder,
            say,
            live,
        )

    def do(self, run: SeedRun, test: Examples) -> SeedResult:
        run.resume()
        run.run()
        standing, seed, folder = run.standing, run.seed, run.folder
        found = SeedResult(seed, standing.best_step, standing.by_language, run.score(test) if test else {})
        pooling = self.settings.vector_pooling if self.settings.task == "embedding" else ""
        lineage = {"finetuned": self._lineage(seed, found)}
        write_model(run.module, self.model, folder / MODEL, lineage, pooling, self.max_tokens)
        write_result(folder, Result(folder / MODEL, self.metric, (found,)))
        forget(folder)
        return found

    def _lineage(self, seed: int, found: SeedResult) -> dict[str, Any]:
        languages: dict[str, int] = {}
        for one in self.training:
            languages[one.language] = languages.get(one.language, 0) + 1
        return {
            "task": self.settings.task,
            "from": str(self.model.given),
            "from_scratch": self.settings.from_scratch,
            "trained": self.settings.trained,
            "files": sorted({str(one.origin.file) for one in self.training}),
            "languages": languages,
            "max_tokens": self.max_tokens,
            "seed": seed,
            "step": found.step,
            "metric": self.metric,
            "validation": found.validation,
            LINEAGE: self.lesson.no_answer,
        }


def model_settings(settings: FinetuneSettings, labels: Sequence[str], config: Any) -> dict[str, Any]:
    """What the config of the model to be says beside what the encoder's does."""
    found: dict[str, Any] = {}
    if labels:
        found["id2label"] = dict(enumerate(labels))
        found["label2id"] = {label: number for number, label in enumerate(labels)}
    if settings.task in ("sequence", "pair"):
        number = tuple(labels) == (SCORE,)
        found["problem_type"] = "regression" if number else "single_label_classification"
        if settings.pooling:
            if not hasattr(config, "classifier_pooling"):
                raise UserError(
                    f"--pooling {settings.pooling}: classes of a model of the kind {config.model_type} have a way of "
                    "their own: leave it out"
                )
            found["classifier_pooling"] = settings.pooling
    if settings.dropout is not None:
        names = [name for name in config.to_dict() if "dropout" in name]
        if not names:
            raise UserError(f"--dropout: a model of the kind {config.model_type} has none: leave it out")
        found |= dict.fromkeys(names, settings.dropout)
    return found
