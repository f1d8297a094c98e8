"""What a dataset card says of where its documents come from: counts that the stages before have written."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow.compute as pc

from pipeline.store import generations, storage
from pipeline.store.parquet_files import batches_of
from schemas.records import LEDGER, STAGES

MOST_LISTED = 30
MOST_REASONS = 3
BATCH_ROWS = 1 << 16


def sources(root: str | None, dumps: Iterable[Mapping[str, int]]) -> dict[str, Any]:
    """`crawls`, and of a corpus (root) also `licences`, `opt_outs`, `funnel` and, where it is, `markdown`. dumps: rows
    by crawl, of shards."""
    crawls: Counter[str] = Counter()
    for of_shard in dumps:
        crawls.update(of_shard)
    known: dict[str, Any] = {"crawls": crawls.most_common(MOST_LISTED)}
    if root is None:
        return known
    finished = {stage: generations.current(storage.join(root, stage)) for stage in STAGES[:3]}
    ledgers = {stage: found.read_json(LEDGER) if found else None for stage, found in finished.items()}
    known["funnel"] = [
        [stage, ledger["rows_in"], ledger["rows_out"], Counter(ledger["dropped"]).most_common(MOST_REASONS)]
        for stage, ledger in ledgers.items()
        if ledger
    ]
    dropped = (ledgers["clean"] or {"dropped": {}})["dropped"]
    known["opt_outs"] = sorted((reason, rows) for reason, rows in dropped.items() if reason.startswith("opt_out:"))
    extracted = finished[STAGES[0]]
    known["licences"] = _licences(extracted.files("documents") if extracted else {}).most_common(MOST_LISTED)
    if extracted and extracted.record().get("config", {}).get("markdown"):
        known["markdown"] = True
    return known


def _licences(files: Mapping[str, str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for path in files.values():
        for batch in batches_of(path, BATCH_ROWS, ["licence"]):
            found = pc.value_counts(batch.column(0)).to_pylist()
            counts.update({entry["values"]: entry["counts"] for entry in found if entry["values"]})
    return counts
