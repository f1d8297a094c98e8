"""What clean says of documents, a batch at a time: repair, masks, language, signals, hits of lists."""

import functools
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from pipeline.config import CleanConfig
from pipeline.kernels.arrow_text import from_strings
from pipeline.language.identifier import Identifier
from pipeline.lists.bad_words import BadWords
from pipeline.lists.contamination import Contamination
from pipeline.lists.url_lists import UrlLists
from pipeline.privacy.masks import Masked, mask
from pipeline.privacy.repair import repair_column
from pipeline.quality.rules import Fields
from pipeline.quality.signals import SIGNALS, StopWords, signal_columns
from pipeline.scores import classifiers, perplexity
from pipeline.scores.classifiers import Classifiers
from pipeline.scores.perplexity import BUCKETS, Perplexity
from pipeline.words.words import words_of
from pipeline.workers.expendable import enter
from schemas.clean import ANNOTATIONS
from schemas.scores import PREFIX

ANNOTATED = pa.schema([(name, kind) for name, kind, _ in (*ANNOTATIONS, *SIGNALS)])
PASSED_ON = ("id", "text", "url", "date", "dump", "file_path", "opt_out")  # text is replaced


class Annotator:
    """Makes annotated columns. Built where the job starts, so that lists are read once and from there; pickles to
    arrays. The language model is loaded by each worker, once."""

    def __init__(
        self,
        config: CleanConfig,
        stop_words: Mapping[str, Sequence[str]],
        model_checksum: str | None = None,
        learnt_checksums: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """UserError where a file of the config's is not what it should be. stop_words: by key of a profile.

        model_checksum, learnt_checksums: SHA-256 that the models of every worker must have; of the learnt ones by
        `learnt_inputs`'s names.
        """
        self.learnt = config.score_fields()
        self.schema = annotated(self.learnt)
        self._classifiers = tuple(sorted(config.classifiers.items())), tuple(sorted(learnt_checksums.items()))
        self._perplexity = config.perplexity, self._classifiers[1]
        self._model, self._mask = (config.model, model_checksum), config.mask
        self._stop_words = StopWords(stop_words)
        sources, size = config.decontaminate.sources, config.decontaminate.ngram_size
        self._contamination = Contamination.load(sources, size, config.mask) if sources else None
        self._bad_words = BadWords(config.bad_words) if config.bad_words else None
        self._block_lists = UrlLists(config.block_lists) if config.block_lists else None

    def summary(self) -> list[str]:
        """Lines for the log: what the lists hold."""
        lists = (self._block_lists, self._bad_words, self._contamination)
        return [line for a_list in lists if a_list for line in a_list.summary()]

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Rows of `schema`. All but the text's own repair is said of the text as it is kept: repaired and masked."""
        enter("repair")
        repaired = repair_column(batch.column("text"))
        enter("masks")
        masked = [mask(text, self._mask) for text in repaired]
        texts = from_strings([text.text for text in masked])
        enter("words")
        words = words_of(texts)
        enter("language")
        named = _identifier(*self._model).identify(texts, words)
        columns: dict[str, Any] = {name: batch.column(name) for name in PASSED_ON}
        columns |= {"text": texts, **named._asdict()}
        columns |= {name: [getattr(text, name) for text in masked] for name in Masked._fields if name != "text"}
        languages, scripts = named.language.to_pylist(), named.language_script.to_pylist()
        enter("signals")
        columns |= signal_columns(texts, words, languages, scripts, self._stop_words)
        enter("scores")
        if self._classifiers[0]:
            scores = _classifiers(*self._classifiers).score(texts, words, languages, scripts)
            columns |= {f"{PREFIX}{name}": pa.array(found, from_pandas=True) for name, found in scores.items()}
        if self._perplexity[0]:
            values, buckets = _perplexity(*self._perplexity).measure(texts, languages)
            columns["perplexity"] = pa.array(values, from_pandas=True)
            columns["perplexity_bucket"] = pa.array(BUCKETS, pa.string()).take(pa.array(buckets, mask=buckets < 0))
        enter("lists")
        if self._block_lists:
            hits = [(hit or ":").split(":", 1) for hit in self._block_lists.match(batch.column("url"))]
            for kind in ("host", "url"):
                columns[f"blocked_{kind}"] = [name if what == kind else None for what, name in hits]
        if self._bad_words:
            columns["n_bad_words"] = self._bad_words.count(words, languages)
        enter("contamination")
        if self._contamination:
            columns["contaminated_by"] = self._contamination.flag(words)
        arrays = [as_array(columns.get(field.name), field.type, batch.num_rows) for field in self.schema]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def annotated(learnt: Fields) -> pa.Schema:
    """ANNOTATED with what learnt models give behind it."""
    return pa.schema([*ANNOTATED, *(pa.field(name, kind) for name, kind, _ in learnt)])


def learnt_inputs(config: CleanConfig) -> dict[str, str]:
    """SHA-256 of each file of the learnt models. UserError for one that is not what it should be."""
    found = {f"classifier {name}": digest for name, digest in classifiers.checksums(config.classifiers).items()}
    if config.perplexity:
        found |= {f"perplexity {name}": digest for name, digest in perplexity.checksums(config.perplexity).items()}
    return found


@functools.cache
def _classifiers(specs: tuple[tuple[str, str], ...], digests: tuple[tuple[str, str], ...]) -> Classifiers:
    """Loaded once a worker."""
    return Classifiers(dict(specs), _of("classifier ", digests))


@functools.cache
def _perplexity(folder: str, digests: tuple[tuple[str, str], ...]) -> Perplexity:
    return Perplexity(folder, _of("perplexity ", digests))


def _of(kind: str, digests: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return {name.removeprefix(kind): digest for name, digest in digests if name.startswith(kind)}


@functools.cache
def _identifier(model: str, checksum: str | None) -> Identifier:
    """Loaded once a worker."""
    return Identifier(model or None, checksum=checksum)


def as_array(values: Any, kind: pa.DataType, rows: int) -> pa.Array:
    """A column as its table has it; null where nothing was looked for."""
    if values is None:
        return pa.nulls(rows, kind)
    return values.cast(kind) if isinstance(values, pa.Array) else pa.array(values, kind)
