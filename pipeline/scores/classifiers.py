"""Classifiers of texts by quality, as many as a job names, in one pass over the texts.

A classifier is a fastText model. One of ours (jobs/fit_classifier.py) has a trailer (`pipeline.scores.trailer`): it is
asked about the tokens that it was fitted on, and its answer is the quantile within the text's language; so is that of
a head over vectors of an encoder (`pipeline.scores.embedding`), a file of that job's too. Any other model is
asked about the text's words as white space parts them, a line feed as a space; its answer is the probability of the
label that is named behind its place, as `model.bin#__label__hq` or `model.bin#hq`.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.kernels.arrow_text import to_strings, utf8
from pipeline.language import fasttext_model
from pipeline.language.fasttext_model import FastText
from pipeline.language.fasttext_sums import LABEL_PREFIX
from pipeline.language.model_files import checksum, local_model, verify
from pipeline.scores import calibration, shapes, trailer
from pipeline.scores.calibration import Quantiles
from pipeline.scores.embedding import head as heads
from pipeline.scores.embedding.encoder import Encoder, Reading
from pipeline.scores.embedding.head import Head
from pipeline.scores.row_sums import Vocabularies
from pipeline.scores.trailer import Trailer
from pipeline.words.words import Words
from pipeline.workers.guard import warming_up
from schemas.errors import UserError

BYTES_AT_ONCE = 1 << 20  # of text: their tokens fit a processor's cache
_NAMED = 8  # labels that an error lists


class Classifiers:
    """`names`: in the order of `specs`, name -> place of the model, `#LABEL` behind it. `trailers`: of those that have
    one. UserError for a place without a model, a label that it has not, or a file that is not the driver's."""

    def __init__(self, specs: Mapping[str, str], checksums: Mapping[str, str] | None = None) -> None:
        self.names = tuple(specs)
        opened = {name: _opened(name, spec, (checksums or {}).get(name)) for name, spec in specs.items()}
        self.trailers: dict[str, Trailer] = {
            name: one.trailer for name, one in opened.items() if one.trailer is not None
        }
        self._plain = {name: one for name, one in opened.items() if one.trailer is None and one.head is None}
        self._calibrated = {name: one for name, one in opened.items() if one.quantiles is not None}
        self._ours = {name: one for name, one in self._calibrated.items() if one.head is None}
        self._heads = {name: one for name, one in opened.items() if one.head is not None}
        self._encoders: dict[Reading, Encoder] = {}  # started with the first texts
        self._vocabularies = Vocabularies([one.model for one in self._ours.values() if one.model is not None])

    def score(
        self, texts: pa.Array, words: Words, languages: Sequence[str], scripts: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """By name float64 (n_texts,), 0 to 1, NaN for a text without a word. words: `words_of(texts)`; a language is
        an ISO 639-3 code, a script one of ISO 15924."""
        scores = self.raw(texts, words)
        for name, one in self._calibrated.items():
            assert one.quantiles is not None
            scores[name] = one.quantiles.of(scores[name], languages, scripts)
        return scores

    def raw(self, texts: pa.Array, words: Words) -> dict[str, np.ndarray]:
        """As `score`, but the probabilities that the models give."""
        scores = {name: np.full(len(texts), np.nan) for name in self.names}
        for part, batch, batch_words in _batches(texts, words):
            for name, one in self._plain.items():
                data, places = utf8(batch)
                assert one.model is not None
                scores[name][part] = _probability(one, *one.model.sums(data, places[:-1], places[1:]))
            if self._ours:
                summed = self._vocabularies.sums(batch, batch_words)
                for (name, one), sums in zip(self._ours.items(), summed, strict=True):
                    scores[name][part] = _probability(one, *sums)
        readings = {one.head.reading: None for one in self._heads.values() if one.head is not None}
        for reading in readings if not warming_up() else ():
            vectors = self._vectors(reading, to_strings(texts))
            for name, one in self._heads.items():
                if one.head is not None and one.head.reading == reading:
                    self._encoders[reading].check(one.head.probe, f"classifier {name}")
                    scores[name] = one.head.raw(vectors)
        wordless = np.diff(words.offsets) == 0
        for values in scores.values():
            values[wordless] = np.nan
        return scores

    def _vectors(self, reading: Reading, texts: Sequence[str | None]) -> np.ndarray:
        if reading not in self._encoders:
            self._encoders[reading] = Encoder(reading)
        return self._encoders[reading].vectors([text or "" for text in texts])


def checksums(specs: Mapping[str, str]) -> dict[str, str]:
    """SHA-256 of each model's file, in hex. UserError where there is none, or its label is not there."""
    Classifiers(specs)
    return {name: checksum(_place(spec)[0]) for name, spec in specs.items()}


class _Opened(NamedTuple):
    """head: in place of a model."""

    model: FastText | None
    label: int
    trailer: Trailer | None
    quantiles: Quantiles | None
    head: Head | None = None


def _place(spec: str) -> tuple[Path, str]:
    """The file, and the label behind `#`, "" without one. A file whose own name has a `#` is one, too."""
    if "#" in spec and not Path(spec.removeprefix("file://")).is_file():
        place, _, label = spec.rpartition("#")
        return local_model(place, "classifier"), label.removeprefix(LABEL_PREFIX.decode())
    return local_model(spec, "classifier"), ""


def _opened(name: str, spec: str, expected: str | None) -> _Opened:
    if not spec.partition("#")[0]:
        raise UserError(f"classifier {name}: name the place of a fastText model: a file, URL or hf://OWNER/REPO/FILE")
    path, label = _place(spec)
    if expected is not None:
        verify(path, expected)
    if heads.is_head(path):
        return _head(name, path, label)
    model = fasttext_model.load(path)
    about = trailer.read(path)
    if about is None:
        return _Opened(model, _label(name, spec, model, label), None, None)
    if about.preparation != shapes.VERSION:
        raise UserError(
            f"classifier {name}: {path} was fitted by another release (texts prepared as {about.preparation}, here "
            f"{shapes.VERSION}): fit it again with jobs/fit_classifier.py"
        )
    if label not in ("", about.label):
        raise UserError(f"classifier {name}: {path} scores {about.label}, not {label}: leave out #{label}")
    try:
        quantiles = calibration.of_json(about.quantiles)
        place = model.labels.index(about.label)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"classifier {name}: {path}: what it says of itself is damaged; copy the model again") from None
    if model.max_n > 0:
        raise UserError(f"classifier {name}: {path} is made of parts of words: fit it with jobs/fit_classifier.py")
    return _Opened(model, place, about, quantiles)


def _head(name: str, path: Path, folder: str) -> _Opened:
    """folder: of the encoder, where it is another on this machine; named behind `#`."""
    about, head = trailer.read(path), heads.load(path, folder)
    if about is None:
        raise UserError(f"classifier {name}: {path} has no quantiles: copy it again, or fit it again")
    return _Opened(None, 0, about, calibration.of_json(about.quantiles), head)


def _label(name: str, spec: str, model: FastText, label: str) -> int:
    """The place of the wanted label."""
    if len(model.labels) < 2:
        raise UserError(f"classifier {name}: {spec} has one label, {model.labels[0]}: a classifier needs two or more")
    if label in model.labels:
        return model.labels.index(label)
    listed = ", ".join(sorted(model.labels)[:_NAMED])
    more = f" and {len(model.labels) - _NAMED:,} more" if len(model.labels) > _NAMED else ""
    said = f"no label {label}" if label else "no label named"
    place = spec.rpartition("#")[0] if label else spec
    raise UserError(f"classifier {name}: {said}; {place} has {listed}{more}: write {place}#LABEL")


def _probability(one: _Opened, sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    assert one.model is not None
    scores: np.ndarray = one.model.scores(sums, counts)[:, one.label].astype(np.float64)
    return scores


def _batches(texts: pa.Array, words: Words) -> Iterator[tuple[slice, pa.Array, Words]]:
    """Runs of texts of BYTES_AT_ONCE or a text, with their words."""
    _, places = utf8(texts)
    first = 0
    while first < len(texts):
        last = max(first + 1, int(np.searchsorted(places, places[first] + BYTES_AT_ONCE, "right")) - 1)
        part = slice(first, last)
        batch = texts.slice(first, last - first)
        yield part, batch, words._replace(offsets=words.offsets[first : last + 1], folded=words.folded[part])
        first = last
