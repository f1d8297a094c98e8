"""The rows that the report shows of each reason, chosen without an engine as `pipeline.spark.tables.examples` does."""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
from xxhash import xxh64_intdigest

from pipeline.store.document_table import column_or
from schemas.records import EXAMPLE_CHARACTERS, EXAMPLES_A_REASON, UNLABELLED, Example

_SEED = xxh64_intdigest(b"examples", xxh64_intdigest(bytes(4), 42))  # as Spark chains its hashes

Shown = dict[str, str]  # the keys of schemas.records.Example but for the reason


def example_order(name: str) -> tuple[int, str]:
    """Of a document's id: the examples that are shown of each reason are those with the smallest. The first is the
    order of `pipeline.spark.tables.examples`, 53 bits."""
    return xxh64_intdigest(name.encode("utf-8", "surrogatepass"), _SEED) >> 11, name


def first_examples(names: Iterable[str]) -> list[str]:
    """Of ids, those that may be shown."""
    return heapq.nsmallest(EXAMPLES_A_REASON, names, key=example_order)


def first_by_language(pages: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Of ids and labels those that may be shown, of as many languages as there are: the first of each, then the second
    of each, and so on. What is first of the first of parts is first of the whole."""
    by_label: dict[str, list[str]] = defaultdict(list)
    for name, label in pages:
        by_label[label].append(name)
    ranked = [
        (rank, example_order(name), label)
        for label, names in by_label.items()
        for rank, name in enumerate(first_examples(names))
    ]
    return [(name, label) for _, (_, name), label in heapq.nsmallest(EXAMPLES_A_REASON, ranked)]


def example_rows(batch: pa.RecordBatch, id_column: str, text_column: str) -> list[Shown]:
    """What is shown of documents."""
    names = (id_column, "url", *UNLABELLED, text_column)
    missing = (None, "", *UNLABELLED.values(), "")
    columns = [column_or(batch, name, value).to_pylist() for name, value in zip(names, missing, strict=True)]
    return [
        {
            "id": id_,
            "url": url or "",
            "language": "_".join(part for part in label if part is not None),
            "text": (text or "")[:EXAMPLE_CHARACTERS],
        }
        for id_, url, *label, text in zip(*columns, strict=True)
    ]


def chosen_examples(
    candidates: Mapping[str | None, Sequence[str]], seen: Iterable[Shown], rows: Mapping[str | None, int] | None = None
) -> list[Example]:
    """candidates: by reason, None for kept ones, the first ids; seen: these rows; rows: by reason, how many there
    are, where the engine would look at as many only as its hashes let through."""
    shown = {row["id"]: row for row in seen}
    examples = []
    for reason in sorted(candidates, key=lambda reason: (reason is not None, reason or "")):
        share = 1.0 if rows is None else min(1.0, 20 * EXAMPLES_A_REASON / max(1, rows.get(reason, 0)))
        for name in candidates[reason]:
            if example_order(name)[0] / (1 << 53) < share:
                examples.append(Example(**shown[name], reason=reason))  # type: ignore[typeddict-item]
    return examples
