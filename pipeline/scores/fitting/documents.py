"""Documents of any tables, so many a language, chosen by what they say: the same for any order and any files.

A document's host is its column `host`, else that of its `url`, else the document itself. A language that the table does
not give is found by our model. Of equal texts one is taken.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from xxhash import xxh3_64_intdigest

from pipeline.kernels.arrow_text import from_strings
from pipeline.language.identifier import UNKNOWN, Identifier
from pipeline.store.document_table import as_strings, column_or
from pipeline.store.table_splits import split_batches, split_table
from pipeline.web import addresses
from pipeline.words.scripts import scripts_of
from pipeline.words.words import words_of
from schemas.errors import UserError

MOST_ROWS = 200_000  # of all tables of a kind that are looked at, by hash
MOST_OF_A_LANGUAGE = 4_000  # that are fitted on and judged, of each kind
MOST_CHARACTERS = 60_000  # of a text; a classifier looks at its first 10,000 words
_IDENTIFIED_AT_ONCE = 512


class Place(NamedTuple):
    """A table: its folder or file, the files where they are known, verdicts beside them, and whether rows with a
    drop_reason are left out."""

    path: str
    files: Mapping[str, str] | None = None
    verdicts: Mapping[str, str] | None = None
    kept_only: bool = False


class Columns(NamedTuple):
    """Names of columns; "" for what tables have under the usual names or not at all."""

    text: str = "text"
    language: str = ""
    host: str = ""


class Documents(NamedTuple):
    """Parallel columns, by rising `keys`. keys: uint64, hash of the text. languages: ISO 639-3. scripts: ISO 15924."""

    keys: np.ndarray
    texts: list[str]
    hosts: list[str]
    languages: list[str]
    scripts: list[str]

    def take(self, rows: Sequence[int]) -> "Documents":
        lists = ([column[row] for row in rows] for column in self[1:])
        return Documents(self.keys[np.asarray(rows, np.int64)], *lists)

    def labels(self) -> np.ndarray:
        """language_Script of each, object."""
        pairs = zip(self.languages, self.scripts, strict=True)
        return np.array([f"{language}_{script}" for language, script in pairs], object)


class _Row(NamedTuple):
    text: str
    host: str
    language: str
    script: str


def read(places: Sequence[Place], columns: Columns, what: str) -> Documents:
    """UserError where a column is missing or no text has a word; what: a flag, for such errors."""
    held: dict[int, _Row] = {}
    most = 1 << 64
    for key, row in chain.from_iterable(_rows(place, columns, what) for place in places):
        if key < most and key not in held:
            held[key] = row
            if len(held) > 2 * MOST_ROWS:
                most = sorted(held)[MOST_ROWS]
                held = {key: row for key, row in held.items() if key < most}
    chosen = sorted(held)[:MOST_ROWS]
    if not chosen:
        raise UserError(f"{what} {', '.join(place.path for place in places)}: no text with a word in it")
    rows = [held[key] for key in chosen]
    keys = np.array(chosen, np.uint64)
    languages, scripts = [row.language for row in rows], [row.script for row in rows]
    texts = [row.text for row in rows]
    _identify(texts, languages, scripts)
    whole = Documents(keys, texts, [row.host for row in rows], languages, scripts)
    labels, counts = whole.labels(), dict[str, int]()
    kept = []
    for place, label in enumerate(labels.tolist()):
        counts[label] = counts.get(label, 0) + 1
        if counts[label] <= MOST_OF_A_LANGUAGE:
            kept.append(place)
    return whole.take(kept)


def without(documents: Documents, others: Documents) -> Documents:
    """Those whose texts are not among the others."""
    return documents.take(np.flatnonzero(~np.isin(documents.keys, others.keys)).tolist())


def _rows(place: Place, columns: Columns, what: str) -> Iterator[tuple[int, _Row]]:
    table = split_table(place.path, place.files, place.verdicts)
    names = table.schema.names
    for name in (columns.text, *filter(None, (columns.language, columns.host))):
        if name not in names:
            raise UserError(f"{what} {place.path} has no column {name!r}; it has {', '.join(names)}")
    drop = ["drop_reason"] if place.kept_only and "drop_reason" in names else []
    language = columns.language or ("language" if "language" in names else "")
    script = "language_script" if "language_script" in names else ""
    host = columns.host or ("host" if "host" in names else "")
    wanted = [columns.text, language, script, host, "url", *drop]
    read = list(dict.fromkeys(name for name in wanted if name in names))
    for split in table.splits:
        for batch in split_batches(table, split, read):
            if drop:
                batch = batch.filter(pa.compute.is_null(batch.column("drop_reason")))
            texts = as_strings(batch.column(columns.text)).to_pylist()
            hosts = column_or(batch, host, None).to_pylist()
            urls = column_or(batch, "url", None).to_pylist()
            languages = column_or(batch, language, None).to_pylist()
            scripts = column_or(batch, script, None).to_pylist()
            for text, own, url, said, written in zip(texts, hosts, urls, languages, scripts, strict=True):
                if text:
                    text = text[:MOST_CHARACTERS]
                    key = xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"))
                    source = own or (addresses.split(url)[0].decode("utf-8", "replace") if url else "") or f"{key:016x}"
                    code, _, behind = (said or "").partition("_")
                    yield key, _Row(text, source, code, written or behind)


def _identify(texts: list[str], languages: list[str], scripts: list[str]) -> None:
    """In place, where there is none. Scripts are read off the text where a language is given without."""
    identifier: Identifier | None = None
    unnamed = [row for row, language in enumerate(languages) if not language]
    for at in range(0, len(unnamed), _IDENTIFIED_AT_ONCE):
        identifier = identifier or Identifier()
        rows = unnamed[at : at + _IDENTIFIED_AT_ONCE]
        found = identifier.identify(from_strings(texts[row] for row in rows))
        pairs = zip(rows, found.language.to_pylist(), found.language_script.to_pylist(), strict=True)
        for row, languages[row], scripts[row] in pairs:  # noqa: B007
            pass
    unwritten = [row for row, script in enumerate(scripts) if not script]
    if unwritten:
        read = scripts_of(from_strings(texts[row] for row in unwritten)).labels().to_pylist()
        for row, script in zip(unwritten, read, strict=True):
            scripts[row] = script
            languages[row] = languages[row] or UNKNOWN


def word_counts(texts: Sequence[str]) -> np.ndarray:
    """int64 (n_texts,)."""
    counts = [np.diff(words_of(from_strings(texts[at : at + 1000])).offsets) for at in range(0, len(texts), 1000)]
    return np.concatenate(counts) if counts else np.zeros(0, np.int64)
