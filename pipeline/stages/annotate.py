"""What clean says of documents, a batch at a time: repair, masks, language, signals, hits of lists."""

import functools
from collections.abc import Mapping, Sequence
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
from pipeline.quality.signals import SIGNALS, StopWords, signal_columns
from pipeline.words.words import words_of
from pipeline.workers.expendable import enter
from schemas.clean import ANNOTATIONS

ANNOTATED = pa.schema([(name, kind) for name, kind, _ in (*ANNOTATIONS, *SIGNALS)])
PASSED_ON = ("id", "text", "url", "date", "dump", "file_path", "opt_out")  # text is replaced


class Annotator:
    """Makes annotated columns. Built where the job starts, so that lists are read once and from there; pickles to
    arrays. The language model is loaded by each worker, once."""

    def __init__(
        self, config: CleanConfig, stop_words: Mapping[str, Sequence[str]], model_checksum: str | None = None
    ) -> None:
        """UserError where a file of the config's is not what it should be. stop_words: by key of a profile.

        model_checksum: SHA-256 that the model of every worker must have.
        """
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
        """Rows of ANNOTATED. All but the text's own repair is said of the text as it is kept: repaired and masked."""
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
        arrays = [as_array(columns.get(field.name), field.type, batch.num_rows) for field in ANNOTATED]
        return pa.RecordBatch.from_arrays(arrays, schema=ANNOTATED)


@functools.cache
def _identifier(model: str, checksum: str | None) -> Identifier:
    """Loaded once a worker."""
    return Identifier(model or None, checksum=checksum)


def as_array(values: Any, kind: pa.DataType, rows: int) -> pa.Array:
    """A column as its table has it; null where nothing was looked for."""
    if values is None:
        return pa.nulls(rows, kind)
    return values.cast(kind) if isinstance(values, pa.Array) else pa.array(values, kind)
