"""clean: annotate every document (repair, language, signals, masks) and take a verdict over the annotations.

A verdict reads signals only. With other thresholds it is taken again over the finished table, file by file: each is
copied with a new last column, and no text is read (`pipeline.store.last_column`).
"""

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipeline.config import CleanConfig
from pipeline.kernels.arrow_text import from_strings
from pipeline.language.identifier import Identifier
from pipeline.lists.bad_words import BadWords
from pipeline.lists.contamination import Contamination
from pipeline.lists.url_lists import UrlLists
from pipeline.privacy.masks import Masked, mask
from pipeline.privacy.repair import repair
from pipeline.quality.rules import Decider
from pipeline.quality.signals import SIGNALS, StopWords, signal_columns
from pipeline.spark import tables
from pipeline.store import last_column, storage
from pipeline.store.parquet_files import open_parquet
from pipeline.words.words import words_of
from pipeline.workers.tasks import TaskRunner
from schemas.clean import ANNOTATIONS, VERDICT

VERSION = 3
REQUIRED = ("id", "text")
ANNOTATED = pa.schema([(name, kind) for name, kind, _ in (*ANNOTATIONS, *SIGNALS)])
CLEANED = ANNOTATED.append(pa.field(*VERDICT))
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
        masked = [mask(repair(text or ""), self._mask) for text in _strings(batch.column("text"))]
        texts = from_strings([text.text for text in masked])
        words = words_of(texts)
        named = _identifier(*self._model).identify(texts, words)
        columns: dict[str, Any] = {name: batch.column(name) for name in PASSED_ON}
        columns |= {"text": texts, **named._asdict()}
        columns |= {name: [getattr(text, name) for text in masked] for name in Masked._fields if name != "text"}
        languages, scripts = named.language.to_pylist(), named.language_script.to_pylist()
        columns |= signal_columns(texts, words, languages, scripts, self._stop_words)
        if self._block_lists:
            hits = [(hit or ":").split(":", 1) for hit in self._block_lists.match(batch.column("url"))]
            for kind in ("host", "url"):
                columns[f"blocked_{kind}"] = [name if what == kind else None for what, name in hits]
        if self._contamination:
            columns["contaminated_by"] = self._contamination.flag(words)
        if self._bad_words:
            columns["n_bad_words"] = self._bad_words.count(words, languages)
        arrays = [_as_array(columns.get(field.name), field.type, batch.num_rows) for field in ANNOTATED]
        return pa.RecordBatch.from_arrays(arrays, schema=ANNOTATED)


@functools.cache
def _identifier(model: str, checksum: str | None) -> Identifier:
    """Loaded once a worker."""
    return Identifier(model or None, checksum=checksum)


def _strings(column: pa.Array) -> list[str | None]:
    """A string column as str; what is no UTF-8 in it becomes U+FFFD."""
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        raw = column.cast(pa.large_binary()).to_pylist()
        return [None if cell is None else cell.decode("utf-8", "replace") for cell in raw]


def _as_array(values: Any, kind: pa.DataType, rows: int) -> pa.Array:
    """A column as its table has it; null where nothing was looked for."""
    if values is None:
        return pa.nulls(rows, kind)
    return values.cast(kind) if isinstance(values, pa.Array) else pa.array(values, kind)


def clean(documents: DataFrame, annotate: Annotator, decide: Decider) -> DataFrame:
    """Rows of CLEANED, one a document."""

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            annotated = annotate(batch)
            yield pa.RecordBatch.from_arrays([*annotated.columns, decide(annotated)], schema=CLEANED)

    if "opt_out" not in documents.columns:  # tables that extract has not written
        documents = documents.withColumn("opt_out", F.lit(None).cast("string"))
    return documents.select(*PASSED_ON).mapInArrow(run, tables.spark_schema(CLEANED))


def decide_again(run_tasks: TaskRunner, source: str, target: str, decide: Decider) -> None:
    """Writes the table `source`, rows of CLEANED, to the folder `target` with new verdicts, one task a file."""
    names = [name for name in storage.listing(source) if name.endswith(".parquet")]
    run_tasks(functools.partial(_decide_file, source=source, target=target, decide=decide), names)


def _decide_file(name: str, source: str, target: str, decide: Decider) -> None:
    path = storage.join(source, name)
    with open_parquet(path) as file:
        there = [column for column in decide.columns if column in file.schema_arrow.names]
        groups = (file.read_row_group(place, there) for place in range(file.num_row_groups))
        verdicts = [decide(_batch(group)) for group in groups]
    last_column.replace_last_column(path, storage.join(target, name), VERDICT[0], verdicts)


def _batch(table: pa.Table) -> pa.RecordBatch:
    """A table as one batch."""
    columns = [column.combine_chunks() for column in table.columns]
    return pa.RecordBatch.from_arrays(columns, schema=table.schema)
