"""Texts for zero-shot transfer: one language to learn classes in, all to be asked in."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from schemas.errors import UserError
from train.benchmarks.examples import Example, TextExample
from train.benchmarks.files import nothing
from train.benchmarks.folders import files_of
from train.benchmarks.languages import same_language
from train.benchmarks.read import read_by_language
from train.evaluation.settings import Settings

TRAINING_TEXTS = 10_000  # at most, the first: a probe gains little from more
HELD_OUT = 10  # every so many texts of training validate, where validation has no file of its own


class Data(NamedTuple):
    """source: the language of `train` and `validation`. test: by language; split: of which split it is."""

    source: str
    split: str
    train: list[TextExample]
    validation: list[TextExample]
    test: dict[str, list[TextExample]]


def read(root: Path, settings: Settings) -> tuple[Data, frozenset[str]]:
    """(texts of the languages asked for, languages that there are). The test split is dev where a benchmark has no
    other; then part of the training texts validates.

    UserError where there are no training texts of the language, and where its labels are one alone, or not those that
    are asked for.
    """
    by_language = read_by_language([root], settings.transfer_task, split="train")
    source = next((one for one in sorted(by_language) if same_language(one, settings.transfer_from)), None)
    if source is None:
        raise UserError(
            f"--transfer-from {settings.transfer_from}: {root} has no training texts of it; there are "
            f"{', '.join(sorted(by_language))}"
        )
    train = _texts(by_language[source])[:TRAINING_TEXTS]
    if len({one.label for one in train}) < 2:
        raise UserError(f"{train[0].origin.file}: all its texts have one label: training needs two")
    split = "test" if _has(root, "test") else "dev"
    test = {one: _texts(rows) for one, rows in read_by_language([root], settings.transfer_task, split=split).items()}
    validation: list[TextExample] = []
    if split == "test" and _has(root, "dev"):
        validation = _texts(read_by_language([root], settings.transfer_task, split="dev").get(source, []))
    known = {one.label for one in train}
    for rows in (*test.values(), validation):
        _check(rows, known, source)
    if not validation:
        validation = train[::HELD_OUT]
    kept = {language: test[language][: settings.sentences] for language in settings.wanted(test)}
    return Data(source, split, train, validation, kept), frozenset(test)


def _has(root: Path, split: str) -> bool:
    try:
        return bool(files_of(root, split, nothing))
    except UserError:
        return False


def _texts(examples: Sequence[Example]) -> list[TextExample]:
    return [one for one in examples if isinstance(one, TextExample)]


def _check(rows: Sequence[TextExample], known: set[str | float | None], source: str) -> None:
    for one in rows:
        if one.label not in known:
            raise UserError(
                f"{one.origin}: label {one.label!r} is none of the training labels in {source} "
                f"({', '.join(sorted(map(str, known)))}): take another --transfer-from, or mend the file"
            )
