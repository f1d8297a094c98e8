"""dedup with scope paragraph: which paragraphs of a page repeat elsewhere, how often and where, and whether they were
cut. What was cut is no more in dedup's documents: the text that clean kept is asked once more."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.explaining.corpus import Corpus
from pipeline.explaining.story import Elsewhere, RepeatedParagraph, RepeatedParagraphs
from pipeline.kernels.arrow_text import from_strings
from pipeline.kernels.hash_table import hash_table
from pipeline.repeats import paragraphs
from pipeline.store.parquet_files import open_parquet
from schemas.repeats import EXAMPLE_CHARACTERS

PAGES = ("id", "url")


def repeated_of(corpus: Corpus, texts: Mapping[str, str]) -> dict[str, RepeatedParagraphs]:
    """By id, of pages that clean kept. texts: by id, as clean has them. None where dedup looked for no paragraphs."""
    now = corpus.stages["dedup"]
    config: Mapping[str, Any] = now.record()["config"] if now else {}
    if now is None or config.get("scope") != "paragraph" or not texts:
        return {}
    batch = from_strings(texts.values())
    found = paragraphs.paragraphs_of(batch, int(config["min_paragraph_letters"]))
    keys = np.unique(found.keys)
    listed = _rows(list(now.files("paragraphs").values()), keys)
    examples = _rows(list(now.files("paragraph_examples").values()), keys)
    is_cut = np.array([row["is_cut"] for row in listed], np.bool_)
    table = hash_table(np.array([row["paragraph"] for row in listed], np.int64).view(np.uint64), np.arange(len(listed)))
    parted = paragraphs.part(found, table, is_cut)
    some = np.flatnonzero([place >= 0 and bool(is_cut[place]) for place in parted.places])
    written = paragraphs.written(batch, found, some)
    shown = pc.utf8_slice_codeunits(written, 0, EXAMPLE_CHARACTERS).to_pylist()
    told: dict[str, RepeatedParagraphs] = {}
    for number, name in enumerate(texts):
        first, last = found.lines.offsets[number : number + 2]
        own = np.flatnonzero(paragraphs.owners(found, some) == number)
        lines = np.zeros(len(found.letters), np.bool_)
        rows, seen = [], set[int]()
        # A block before its lines, which are no others.
        for at in sorted(own.tolist(), key=lambda at: (found.firsts[some[at]], -found.lasts[some[at]])):
            span = slice(found.firsts[some[at]], found.lasts[some[at]])
            place = int(parted.places[some[at]])
            if not lines[span].all() and place not in seen:
                rows.append(_told(listed[place], shown[at], examples, name))
                seen.add(place)
            lines[span] = True
        share = found.letters[lines].sum() / max(1, found.letters[first:last].sum())
        told[name] = RepeatedParagraphs(bool(parted.n_cut[number]), float(share), tuple(rows))
    return told


def _told(row: dict[str, Any], text: str, examples: Sequence[dict[str, Any]], own: str) -> RepeatedParagraph:
    pages = tuple(
        Elsewhere(one["id"], one["url"] or "")
        for one in examples
        if one["paragraph"] == row["paragraph"] and one["id"] != own
    )
    numbers = ("pages", "hosts", "occurrences", "cut_documents", "kept_documents")
    return RepeatedParagraph(text, **{name: row[name] for name in numbers}, elsewhere=pages)


def _rows(paths: Sequence[str], keys: np.ndarray) -> list[dict[str, Any]]:
    """Rows with one of the keys, ascending, of a table in their order; of its files, only row groups that may have
    some."""
    rows: list[dict[str, Any]] = []
    for path in sorted(paths):
        with open_parquet(path) as file:
            for number in range(file.num_row_groups):
                said = file.metadata.row_group(number).column(0).statistics
                if said and said.has_min_max and not ((keys >= said.min) & (keys <= said.max)).any():
                    continue
                group = file.read_row_group(number, use_threads=False)
                rows += group.filter(pc.is_in(group["paragraph"], value_set=pa.array(keys))).to_pylist()
    return rows
