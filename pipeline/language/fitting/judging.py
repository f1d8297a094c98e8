"""How good a fit is on texts that it has not seen: by documents, by collection, in languages left out, on rubbish.

A judge fits as the whole does, on a part of the rows, and asks `pipeline.language.identifier` about the rest: words,
votes and `und` are judged with the model. By documents: each row by the fold that has not seen it. By collection: each
collection's rows by a fit without it, of labels that another collection has. Left out: languages that no fit has seen
must come out as `und`, or as a relative (`pipeline.language.kinship`).
"""

import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.kernels.arrow_text import from_strings
from pipeline.language.fitting import cleaning, rubbish
from pipeline.language.fitting.labelled_rows import Rows
from pipeline.language.identifier import UNKNOWN, Identifier
from pipeline.language.kinship import related

Fit = Callable[[Rows], Identifier]
ENOUGH = 20_000  # bytes that a label needs elsewhere to be judged by collection
MOST_TEXTS = 300  # of a label and source that are judged
SENTENCE = 300  # characters: a shorter text without a line end is one
CONFUSED = 0.05  # share of a label's texts that another gets: then it is told
LEFT_OUT_BYTES = 50_000  # that a label has to be one of those left out


class Answers(NamedTuple):
    """Of judged texts: the label they have, the one they got (`und` where none), their source, whether a sentence."""

    gold: list[str]
    said: list[str]
    sources: list[str]
    sentences: list[bool]

    def where(self, wanted: Callable[[int], bool]) -> "Answers":
        places = [place for place in range(len(self.gold)) if wanted(place)]
        return Answers(
            [self.gold[place] for place in places],
            [self.said[place] for place in places],
            [self.sources[place] for place in places],
            [self.sentences[place] for place in places],
        )


def ask(identifier: Identifier, texts: Sequence[str]) -> list[str]:
    """`language_Script` of each text, `und` where it is none."""
    found = identifier.identify(from_strings(texts))
    pairs = zip(found.language.to_pylist(), found.language_script.to_pylist(), strict=True)
    return [code if code == UNKNOWN else f"{code}_{script}" for code, script in pairs]


def by_documents(rows: Rows, fit: Fit, folds: int = 2) -> Answers:
    """Every row judged by a fit on the other folds; a fold is by hash of the text."""
    fold = np.array([zlib.crc32(text.encode("utf-8", "ignore")) % folds for text in rows.texts])
    return _joined(
        _answers(fit(rows.take(np.flatnonzero(fold != one).tolist())), rows.take(np.flatnonzero(fold == one).tolist()))
        for one in range(folds)
    )


def by_collection(rows: Rows, fit: Fit, collections: Sequence[Sequence[str]]) -> Answers:
    """Rows of each group of sources judged by a fit without them, of labels that have ENOUGH elsewhere."""

    def judged() -> Iterator[Answers]:
        for held in collections:
            inside = [collection(source) in held for source in rows.sources]
            rest = rows.take([place for place, one in enumerate(inside) if not one])
            known = {label for label, size in cleaning.sizes(rest).items() if size >= ENOUGH}
            mine = [place for place, one in enumerate(inside) if one and rows.labels[place] in known]
            if mine:
                yield _answers(fit(rest), rows.take(mine))

    return _joined(judged())


def left_out(rows: Rows, fit: Fit, count: int) -> Answers:
    """Rows in `count` languages, chosen by hash, judged by a fit without them."""
    large = {label for label, size in cleaning.sizes(rows).items() if size >= LEFT_OUT_BYTES}
    chosen = set(sorted(large, key=lambda label: zlib.crc32(label.encode()))[:count])
    codes = {label.partition("_")[0] for label in chosen}
    seen = [place for place, label in enumerate(rows.labels) if label.partition("_")[0] not in codes]
    mine = [place for place, label in enumerate(rows.labels) if label in chosen]
    return _answers(fit(rows.take(seen)), rows.take(mine))


def rubbish_named(identifier: Identifier, each: int, seed: int = 1) -> dict[str, float]:
    """The share of made-up rubbish of each kind that got a language; not the pieces that fits are given (seed 0)."""
    made = rubbish.pieces(each, seed)
    said = ask(identifier, [text for _, text in made])
    named = Counter(kind for (kind, _), one in zip(made, said, strict=True) if one != UNKNOWN)
    return {kind: named[kind] / each for kind in rubbish.KINDS}


def collection(source: str) -> str:
    """What a source is a part of: `sib200` of `sib200/train`."""
    return source.partition("/")[0]


def f1(answers: Answers) -> dict[str, float]:
    """By label that a text has."""
    right, gold, said = Counter[str](), Counter(answers.gold), Counter(answers.said)
    right.update(one for one, other in zip(answers.gold, answers.said, strict=True) if one == other)
    return {label: 2 * right[label] / (gold[label] + said[label]) for label in gold}


def macro(answers: Answers, labels: set[str] | None = None) -> float:
    """The mean F1 of labels (none: of all that texts have), 0 where there are none."""
    found = [value for label, value in f1(answers).items() if labels is None or label in labels]
    return float(np.mean(found)) if found else 0.0


def confusions(answers: Answers) -> dict[str, dict[str, float]]:
    """By label: what share of its texts got which other label, of CONFUSED and more, the largest first."""
    totals = Counter(answers.gold)
    pairs: dict[str, Counter[str]] = defaultdict(Counter)
    for gold, said in zip(answers.gold, answers.said, strict=True):
        if gold != said:
            pairs[gold][said] += 1
    return {
        gold: {said: n / totals[gold] for said, n in others.most_common(4) if n >= CONFUSED * totals[gold]}
        for gold, others in pairs.items()
    }


def undetermined_or_related(answers: Answers) -> tuple[float, float]:
    """The share of texts that got `und`, and that got a relative of their label."""
    und = np.mean([said == UNKNOWN for said in answers.said])
    kin = [
        said != UNKNOWN and related(gold.partition("_")[0], said.partition("_")[0])
        for gold, said in zip(answers.gold, answers.said, strict=True)
    ]
    return float(und), float(np.mean(kin))


def _answers(identifier: Identifier, rows: Rows) -> Answers:
    by_key: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place in sorted(
        range(len(rows.texts)), key=lambda place: zlib.crc32(rows.texts[place].encode("utf-8", "ignore"))
    ):
        if len(mine := by_key[rows.labels[place], rows.sources[place]]) < MOST_TEXTS:
            mine.append(place)
    rows = rows.take(sorted(place for places in by_key.values() for place in places))
    sentences = [len(text) < SENTENCE and "\n" not in text for text in rows.texts]
    return Answers(rows.labels, ask(identifier, rows.texts), rows.sources, sentences)


def _joined(parts: Iterator[Answers]) -> Answers:
    whole = Answers([], [], [], [])
    for part in parts:
        whole.gold.extend(part.gold)
        whole.said.extend(part.said)
        whole.sources.extend(part.sources)
        whole.sentences.extend(part.sentences)
    return whole
