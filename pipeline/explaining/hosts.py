"""All pages of a host: how many each stage let pass or dropped and why, and the fate of each, by columns alone."""

from collections import Counter
from collections.abc import Mapping
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.explaining.copies import GONE
from pipeline.explaining.corpus import Corpus
from pipeline.explaining.story import HostPage, HostTold
from pipeline.keys.column_rows import columns_where
from pipeline.keys.page_rows import FILE
from pipeline.lists.host_rows import host_of, of_host

KEPT = "kept"
FEW = 10_000  # pages
STRING = pa.string()
CLEANED = {"id": STRING, "drop_reason": STRING, "language": STRING, "language_script": STRING}


def pages_of(corpus: Corpus, table: str, host: bytes, columns: Mapping[str, pa.DataType]) -> pa.Table:
    """The columns of extract's pages of the host, of all of its addresses; nothing where it has not finished."""
    now = corpus.stages["extract"]
    if now is None:
        return _nothing(columns)
    return columns_where(corpus.run_tasks, now, "extract", table, "url", partial(of_host, host=host), columns)


def _later(
    corpus: Corpus, stage: str, table: str, ids: pa.Array, host: bytes, columns: Mapping[str, pa.DataType]
) -> pa.Table:
    """The columns of a later table's rows with these ids, which are those of the host's pages. A few are found by the
    index of ids; of many hardly a file has none, and addresses are told faster than ids, where the table has them."""
    now = corpus.stages[stage]
    if now is None or not len(ids):
        return _nothing(columns)
    if len(ids) <= FEW:
        return columns_where(
            corpus.run_tasks, now, stage, table, "id", partial(_among, ids=ids), columns, ids.to_pylist()
        )
    name, hits = ("id", partial(_among, ids=ids)) if table == "clusters" else ("url", partial(of_host, host=host))
    return columns_where(corpus.run_tasks, now, stage, table, name, hits, columns)


def _nothing(columns: Mapping[str, pa.DataType]) -> pa.Table:
    return pa.schema([*columns.items(), (FILE, STRING)]).empty_table()


def host_told(corpus: Corpus, asked: str, most: int) -> HostTold | None:
    """None where there is no page. most: pages that are listed, by address."""
    host = host_of(asked)
    documents = pages_of(corpus, "documents", host, {"id": STRING, "url": STRING})
    skipped = pages_of(corpus, "skipped", host, {"id": STRING, "url": STRING, "reason": STRING})
    n_pages = len(documents) + len(skipped)
    if not n_pages:
        return None
    cleaned = _later(corpus, "clean", "documents", documents["id"].combine_chunks(), host, CLEANED)
    passed = cleaned.filter(pc.is_null(cleaned["drop_reason"]))
    ids = passed["id"].combine_chunks()
    copies = _later(corpus, "dedup", "clusters", ids, host, {"id": STRING, "drop_reason": STRING, "crawl": STRING})
    copies = copies.filter(pc.is_null(copies["crawl"]))
    survivors = _later(corpus, "dedup", "documents", ids, host, {"id": STRING})
    shards = _later(corpus, "sample", "data", ids, host, {"id": STRING})
    fates: dict[str, dict[str, int]] = {
        "extract": _counted({KEPT: len(documents)}, skipped["reason"]),
    }
    if corpus.stages["clean"]:
        fates["clean"] = _counted({KEPT: len(passed)}, cleaned["drop_reason"])
    if corpus.stages["dedup"]:
        fates["dedup"] = _counted({KEPT: len(survivors)}, copies["drop_reason"])
        left = len(passed) - sum(fates["dedup"].values())
        fates["dedup"] |= {GONE: left} if left > 0 else {}
    if corpus.stages["sample"]:
        fates["sample"] = _counted({KEPT: len(shards)}, pa.chunked_array([[]], STRING))
        left = len(survivors) - len(shards)
        fates["sample"] |= {"in no shard": left} if left > 0 else {}
    languages = Counter(_labels(passed))
    files = Counter(shards[FILE].to_pylist())
    every = pa.concat_tables([_with_reason(documents), skipped.select(["id", "url", "reason"])])
    listed = every.sort_by([("url", "ascending"), ("id", "ascending")]).slice(0, most)
    pages = _pages(corpus, listed, cleaned, copies, survivors, shards)
    return HostTold(
        corpus.root, asked, n_pages, fates, dict(languages.most_common()), dict(files.most_common(most)), pages,
        corpus.silent(),
    )  # fmt: skip


def _among(keys: pa.Array, ids: pa.Array) -> np.ndarray:
    hits: np.ndarray = pc.is_in(keys, value_set=ids).to_numpy(zero_copy_only=False)
    return hits


def _counted(first: dict[str, int], reasons: pa.ChunkedArray) -> dict[str, int]:
    dropped = Counter(reason for reason in reasons.to_pylist() if reason is not None)
    return first | dict(sorted(dropped.items(), key=lambda one: (-one[1], one[0])))


def _labels(rows: pa.Table) -> list[str]:
    pairs = zip(rows["language"].to_pylist(), rows["language_script"].to_pylist(), strict=True)
    return [f"{language or 'und'}_{script or 'Zyyy'}" for language, script in pairs]


def _with_reason(documents: pa.Table) -> pa.Table:
    nothing = pa.nulls(len(documents), STRING)
    return pa.table([documents["id"], documents["url"], nothing], names=["id", "url", "reason"])


def _pages(
    corpus: Corpus, listed: pa.Table, cleaned: pa.Table, copies: pa.Table, survivors: pa.Table, shards: pa.Table
) -> tuple[HostPage, ...]:
    ids = listed["id"].combine_chunks()
    cleaned, copies, survivors, shards = (
        rows.filter(pc.is_in(rows["id"], value_set=ids)) for rows in (cleaned, copies, survivors, shards)
    )
    labels = dict(zip(cleaned["id"].to_pylist(), _labels(cleaned), strict=True))
    verdict = dict(zip(cleaned["id"].to_pylist(), cleaned["drop_reason"].to_pylist(), strict=True))
    copied = dict(zip(copies["id"].to_pylist(), copies["drop_reason"].to_pylist(), strict=True))
    stayed, sampled = set(survivors["id"].to_pylist()), set(shards["id"].to_pylist())

    def fate(name: str, reason: str | None) -> str:
        if reason:
            return f"extract: {reason}"
        if name not in verdict:
            return "extract: document"
        if verdict[name]:
            return f"clean: {verdict[name]}"
        if corpus.stages["dedup"] is None:
            return "clean: kept"
        if copied.get(name) or name not in stayed:
            return f"dedup: {copied.get(name) or GONE}"
        if corpus.stages["sample"] is None:
            return "dedup: kept"
        return "sample: in a shard" if name in sampled else "sample: in no shard"

    rows = zip(*(listed[name].to_pylist() for name in ("id", "url", "reason")), strict=True)
    return tuple(HostPage(url, name, labels.get(name, ""), fate(name, reason)) for name, url, reason in rows)
