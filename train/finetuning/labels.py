"""What a training's examples say that a model has to know: labels, whether numbers or classes, what may have none."""

from collections import Counter
from collections.abc import Mapping, Sequence

from schemas.errors import UserError
from train.benchmarks.examples import Example, SpanExample, TextExample, TokenExample
from train.finetuning.settings import FinetuneSettings
from train.tasks.labels import listed, unknown
from train.tasks.sequence import SCORE

KINDS = {"sequence": TextExample, "pair": TextExample, "token": TokenExample, "span": SpanExample}


def labels_of(settings: FinetuneSettings, training: Sequence[Example]) -> tuple[str, ...]:
    """Classes or tags, sorted; (SCORE,) where all labels are numbers; none of spans and vectors.

    UserError where there is nothing to learn: no examples, one class alone, no label.
    """
    if not training:
        raise UserError("--train has no example: give files with some, in the languages that are asked for")
    if settings.task in ("sequence", "pair"):
        return _classes([one for one in training if isinstance(one, TextExample)])
    if settings.task == "token":
        tags = {tag for one in training if isinstance(one, TokenExample) for tag in one.tags}
        if len(tags) < 2:
            raise UserError(f"{training[0].origin.file}: all words have one tag, {listed(tags)}: give others too")
        return tuple(sorted(tags))
    if settings.task == "embedding" and (len(training) < 2 or settings.batch_size < 2):
        raise UserError("--task embedding tells a pair from the others of its batch: give two or more, in batches of 2")
    return ()


def check_known(
    settings: FinetuneSettings, labels: Sequence[str], examples: Mapping[str, Sequence[Example]], flag: str
) -> None:
    """UserError where there are no examples, or one has a label that training has not."""
    if not any(examples.values()):
        raise UserError(f"{flag} has no example: give files with some, in the languages that are asked for")
    known = set(labels)
    for language, own in examples.items():
        if not own:
            raise UserError(f"{flag} has no example of {language or 'any language'}: leave it out, or give some")
        for one in own:
            if isinstance(one, TextExample):
                wrong = _wrong(one, known)
                if wrong:
                    raise UserError(f"{one.origin}: {wrong}: mend it, take the row out, or train on that too")
            if isinstance(one, TokenExample):
                if len(one.tags) != len(one.words):
                    raise UserError(f"{one.origin} has {len(one.words)} words and {len(one.tags)} tags")
                for tag in one.tags:
                    if tag not in known:
                        what = unknown(f"tag {tag!r}", sorted(known))
                        raise UserError(f"{one.origin}: {what}: mend it, take the sentence out, or train on that too")


def _wrong(example: TextExample, known: set[str]) -> str:
    """What is wrong with its label; "" where nothing is."""
    if example.label is None:
        return "it has no label"
    if known == {SCORE}:
        return "" if not isinstance(example.label, str) else f"label {example.label!r} is no number"
    if str(example.label) not in known:
        return unknown(f"label {example.label!r}", sorted(known))
    return ""


def _classes(examples: Sequence[TextExample]) -> tuple[str, ...]:
    for one in examples:
        if one.label is None:
            raise UserError(f"{one.origin} has no label: fill it in, or take the row out")
    if all(not isinstance(one.label, str) for one in examples):
        if len({one.label for one in examples}) < 2:
            raise UserError(f"{examples[0].origin.file}: all scores are {examples[0].label}: one teaches nothing")
        return (SCORE,)
    counts = Counter(str(one.label) for one in examples)
    if len(counts) < 2:
        raise UserError(
            f"{examples[0].origin.file}: all {len(examples):,} examples are of one class, {listed(counts)}: give "
            "others too"
        )
    return tuple(sorted(counts))
