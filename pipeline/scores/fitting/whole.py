"""From good and bad documents to a classifier with its trailer, and to what it is worth on hosts it has not seen."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from xxhash import xxh3_64_intdigest

from pipeline.kernels.arrow_text import from_strings
from pipeline.language import fasttext_model
from pipeline.language.fitting import training
from pipeline.scores import calibration, shapes, trailer
from pipeline.scores.classifiers import Classifiers
from pipeline.scores.embedding.encoder import Reading
from pipeline.scores.fitting import balancing, heads, judging
from pipeline.scores.fitting.balancing import Pairs
from pipeline.scores.fitting.documents import Documents
from pipeline.scores.fitting.judging import Judgement
from pipeline.scores.tokens import lines_of
from pipeline.scores.trailer import Trailer
from pipeline.words.words import words_of
from schemas.errors import UserError

HELD = 5  # a host in so many is judged by, not fitted on
LEAST_PAIRS = 100  # to fit on, of all languages together
AT_ONCE = 1000  # texts
ALL = "all"


class Settings(NamedTuple):
    """Of a fit. rows: words that a quantised model keeps, 0 for a dense one. buckets: of n-grams of words, where
    word_ngrams is 2 or more. least_count: texts' tokens that come less often are left out.
    reading: of an encoder, for a head over its vectors in place of a model of words."""

    label: str = "good"
    other: str = "bad"
    kept_share: float = 0.3
    least_kept_share: float = 0.15
    dim: int = 8
    epochs: int = 10
    rate: float = 0.5
    buckets: int = 1 << 18
    word_ngrams: int = 1
    rows: int = 40_000
    least_count: int = 5
    least_texts: int = calibration.LEAST_TEXTS
    seed: int = 0
    reading: Reading | None = None


class Split(NamedTuple):
    """Documents to fit on and to judge by. held_out: language_Script of those that no fit sees."""

    good: Documents
    bad: Documents
    judged_good: Documents
    judged_bad: Documents
    held_out: frozenset[str]


class Fit(NamedTuple):
    """quantiles: that scores go by. judged: by language_Script and ALL, in pairs of one length. calibrated_on: how many
    texts of each language_Script."""

    about: Trailer
    judged: dict[str, Judgement]
    calibrated_on: dict[str, int]


def split(good: Documents, bad: Documents, held_out: Sequence[str], seed: int) -> Split:
    """By host: one in HELD is judged by. held_out: languages, with script or without. UserError for one without."""
    labels = {*good.labels(), *bad.labels()}
    left = frozenset(label for label in labels for one in held_out if one in (label, label.partition("_")[0]))
    for one in held_out:
        if not any(one in (label, label.partition("_")[0]) for label in left):
            raise UserError(f"--hold-out-languages {one}: no text is in it; there are {', '.join(sorted(labels)[:12])}")

    def parted(documents: Documents) -> tuple[Documents, Documents]:
        judge = [
            label in left or xxh3_64_intdigest(f"{seed} {host}".encode("utf-8", "surrogatepass")) % HELD == 0
            for label, host in zip(documents.labels().tolist(), documents.hosts, strict=True)
        ]
        judge_rows = np.array(judge, bool)
        return documents.take(np.flatnonzero(~judge_rows).tolist()), documents.take(np.flatnonzero(judge_rows).tolist())

    (fit_good, judged_good), (fit_bad, judged_bad) = parted(good), parted(bad)
    return Split(fit_good, fit_bad, judged_good, judged_bad, left)


def fit(parts: Split, corpus: Documents | None, settings: Settings, output: Path, say: Callable[[str], None]) -> Fit:
    """Writes the model with its trailer. corpus: to calibrate on; None: the judged. UserError with too few texts."""
    paired = balancing.pairs(parts.good, parts.bad, settings.seed)
    if len(paired.words) < LEAST_PAIRS:
        raise UserError(
            f"{len(paired.words)} pairs of a good and a bad text in one language are too few to fit on: "
            f"give {LEAST_PAIRS} or more, of hosts enough"
        )
    say(f"fit on {2 * len(paired.words):,} texts in {len({*parts.good.labels()[paired.good]})} languages")
    if settings.reading is None:
        say(_fit_words(parts, paired, settings, output))
    else:
        width = heads.fit(settings.reading, parts.good, parts.bad, paired, output)
        say(f"a head over vectors of {width:,} numbers of {settings.reading.folder}")
    unscaled = calibration.Quantiles({calibration.ALL: np.linspace(0, 1, calibration.STEPS + 1).tolist()}, {"all": 0})
    plain = Trailer(shapes.VERSION, settings.label, unscaled.as_json(), 0, 0, {}, {})
    size = output.stat().st_size
    trailer.append(output, plain)
    raw = RawScores(output)
    on = corpus or _joined(parts.judged_good, parts.judged_bad)
    quantiles = calibration.fitted(raw(on.texts), on.languages, on.scripts, settings.least_texts)
    judgements = judge(raw, parts.judged_good, parts.judged_bad, settings)
    about = plain._replace(
        quantiles=quantiles.as_json(),
        kept_share=settings.kept_share,
        least_kept_share=settings.least_kept_share,
        figures={name: one._asdict() for name, one in judgements.items()},
        made_from={
            "settings": {**settings._asdict(), "reading": settings.reading and settings.reading._asdict()},
            "fitted_on": _counts(parts.good, parts.bad),
            "held_out": sorted(parts.held_out),
        },
    )
    with open(output, "r+b") as file:
        file.truncate(size)
    trailer.append(output, about)
    labels, counts = np.unique(on.labels().astype(str), return_counts=True)
    return Fit(about, judgements, dict(zip(labels.tolist(), counts.tolist(), strict=True)))


def _fit_words(parts: Split, paired: Pairs, settings: Settings, output: Path) -> str:
    """Writes a fastText model; what is said of it."""
    lines = _lines(parts.good, parts.bad, paired, settings)
    training.fit(
        lines,
        training.Settings(
            dim=settings.dim, min_n=0, max_n=0, buckets=settings.buckets if settings.word_ngrams > 1 else 0,
            epochs=settings.epochs, rate=settings.rate, min_count=settings.least_count, rows=settings.rows,
            word_ngrams=settings.word_ngrams,
        ),
        output,
        settings.seed,
    )  # fmt: skip
    model = fasttext_model.load(output)
    return f"a model of {len(model.vocabulary[1]) - 1:,} words, {output.stat().st_size:,} bytes"


class RawScores:
    """What a model with a trailer gives, before quantiles, of any texts; float64."""

    def __init__(self, path: str | Path) -> None:
        self._models = Classifiers({"it": str(path)})

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        parts = [np.zeros(0)]
        for at in range(0, len(texts), AT_ONCE):
            batch = from_strings(texts[at : at + AT_ONCE])
            parts.append(self._models.raw(batch, words_of(batch))["it"])
        return np.concatenate(parts)


def judge(raw: RawScores, good: Documents, bad: Documents, settings: Settings) -> dict[str, Judgement]:
    """By language_Script of either class, and ALL, in which scores are ranks within the language. In pairs of one
    length, as the fit is."""
    paired = balancing.pairs(good, bad, settings.seed + 1, most_times=1)
    both = ((good, paired.good), (bad, paired.bad))
    scores = np.concatenate([raw(balancing.cut(documents, rows, paired.words)) for documents, rows in both])
    labels = np.concatenate([documents.labels()[rows] for documents, rows in both])
    hosts = np.concatenate([np.array(documents.hosts, object)[rows] for documents, rows in both])
    is_good = np.arange(len(scores)) < len(paired.good)
    found, ranks = {}, np.zeros(len(scores))
    for label in sorted({*good.labels(), *bad.labels()}):
        mine = labels == label
        found[label] = judging.judged(scores[mine], is_good[mine], hosts[mine], settings.kept_share)
        ranks[mine] = judging.ranks(scores[mine])
    found[ALL] = judging.judged(ranks, is_good, hosts, settings.kept_share)
    return found


def _lines(good: Documents, bad: Documents, paired: Pairs, settings: Settings) -> list[tuple[str, str]]:
    lines = []
    for label, documents, rows in ((settings.label, good, paired.good), (settings.other, bad, paired.bad)):
        for at in range(0, len(rows), AT_ONCE):
            texts = from_strings(balancing.cut(documents, rows[at : at + AT_ONCE], paired.words[at : at + AT_ONCE]))
            lines += [(label, line.decode("utf-8", "replace")) for line in lines_of(texts, words_of(texts))]
    return lines


def _joined(first: Documents, second: Documents) -> Documents:
    columns = (a + b for a, b in zip(first[1:], second[1:], strict=True))
    return Documents(np.concatenate([first.keys, second.keys]), *columns)


def _counts(good: Documents, bad: Documents) -> dict[str, list[int]]:
    """Good and bad texts by language_Script."""
    labels = [documents.labels() for documents in (good, bad)]
    return {name: [int((own == name).sum()) for own in labels] for name in sorted({*labels[0], *labels[1]})}
