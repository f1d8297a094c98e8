"""A part of the pages of a root, looked at for how alike those of a host and of an archive are.

Narrow columns of whole files, chosen by the hash of their names, up to 200,000 pages, whatever the corpus' size.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_64_intdigest

from pipeline.drift.correlation import Codes, Correlation, correlation, excesses
from pipeline.drift.figures import Figures, Key
from pipeline.store import generations, storage, verdict_files
from pipeline.store.parquet_files import read_parquet
from pipeline.store.verdict_files import COLUMN as VERDICT
from schemas.records import UNLABELLED

MOST_PAGES = 200_000
MOST_RECEIPTS = 200  # files, one an archive
PLACES = ("language", "language_script", "url", "file_path")
HOST = r"^[^:/]+://(?P<host>[^/?#]*)"
KEPT = "kept"


def correlations(found: Figures) -> dict[Key, Correlation]:
    """By figure, of those that could be looked at."""
    result: dict[Key, Correlation] = {}
    if "extract" in found.records:
        result |= _of_receipts(storage.join(found.root, "extract"))
    if "clean" in found.records:
        result |= _of_clean(storage.join(found.root, "clean"), found)
    if "dedup" in found.records:
        result |= _of_dedup(storage.join(found.root, "dedup"))
    return result


def _of_receipts(folder: str) -> dict[Key, Correlation]:
    """Reasons by archive; a receipt says no host."""
    files = generations.files(folder, "inputs")
    rows = [
        (archive, entry["reason"] or "", entry["count"])
        for archive, path in enumerate(files[name] for name in _in_order(files)[:MOST_RECEIPTS])
        for row in read_parquet(path, ["counts"]).to_pylist()
        for entry in row["counts"] or []
        if entry["reason"] != "type"
    ]
    if not rows:
        return {}
    reasons = sorted({reason for _, reason, _ in rows})
    archive, reason, count = (
        np.array(column, np.int64)
        for column in zip(*((archive, reasons.index(reason), n) for archive, reason, n in rows), strict=True)
    )
    by_archive = excesses(np.zeros_like(archive), archive, reason, count, count)
    result = {Key("failures", "", reasons[code]): correlation(None, one) for (_, code), one in by_archive.items()}
    failed = np.array([name != "" for name in reasons], np.int64)[reason]
    for (_, code), one in excesses(np.zeros_like(archive), archive, failed, count, count).items():
        if code:
            result[Key("failures")] = correlation(None, one)
    return result


def _of_clean(folder: str, found: Figures) -> dict[Key, Correlation]:
    signals = sorted({key.what for key in found.signals})
    pages = _Pages(folder, (*PLACES, *signals, VERDICT))
    if not pages.rows:
        return {}
    reasons, names = _codes(pc.fill_null(pages.table.column(VERDICT), KEPT))
    result: dict[Key, Correlation] = {}
    for group in (pages.everything, pages.labels):
        for (label, code), one in pages.over(group, reasons).items():
            key = Key("kept", label) if names[code] == KEPT else Key("rule", label, names[code])
            result[key] = one
    for (_, code), one in pages.over(pages.everything, pages.labels[0]).items():
        result[Key("language", pages.labels[1][code])] = one
    for signal in signals:
        result |= _of_signal(pages, signal, found)
    return result


def _of_signal(pages: "_Pages", signal: str, found: Figures) -> dict[Key, Correlation]:
    """Over bins as over categories, the mean of their design effects by Rao and Scott's weights 1 - p (1981, JASA
    76:221): what a chi-square of the counts is too large by."""
    edges = sorted({edge for key, one in found.signals.items() if key.what == signal for edge in one["edges"]})
    values = pages.table.column(signal)
    there = pc.is_valid(values).to_numpy()
    numbers = pc.fill_null(pc.cast(values, pa.float64()), 0.0).to_numpy()
    bins = np.clip(np.searchsorted(np.array(edges), numbers, "right") - 1, 0, len(edges) - 2).astype(np.int64)
    result: dict[Key, Correlation] = {}
    for group in (pages.everything, pages.labels):
        over = pages.over(group, bins, there=there)
        sums = np.bincount(group[0][there] * len(edges) + bins[there], minlength=len(group[1]) * len(edges))
        counts = sums.reshape(len(group[1]), len(edges)).astype(float)
        for place, label in enumerate(group[1]):
            total = counts[place].sum()
            parts = [(1 - counts[place][code] / total, one) for (of, code), one in over.items() if of == label]
            if free := sum(weight for weight, _ in parts):
                hosts, archives = (min(one.hosts for _, one in parts), min(one.archives for _, one in parts))
                by_host = sum(weight * one.by_host for weight, one in parts) / free
                by_archive = sum(weight * one.by_archive for weight, one in parts) / free
                result[Key("signal", label, signal)] = Correlation(by_host, hosts, by_archive, archives)
    return result


def _of_dedup(folder: str) -> dict[Key, Correlation]:
    """Of survivors: each stands for the pages of its cluster, of which all but one went."""
    pages = _Pages(folder, (*PLACES, "minhash_cluster_size"))
    if not pages.rows:
        return {}
    size = pc.fill_null(pages.table.column("minhash_cluster_size"), 1).to_numpy().astype(np.int64)
    one = np.zeros(pages.rows, np.int64)
    result: dict[Key, Correlation] = {}
    for group in (pages.everything, pages.labels):
        for (label, _), known in pages.over(group, one, size, size - 1).items():
            result[Key("duplicates", label)] = known
    return result


Group = tuple[Codes, list[str]]


class _Pages:
    """Rows of a stage's documents, with their labels, hosts and archives as numbers."""

    def __init__(self, folder: str, columns: Sequence[str]) -> None:
        now = generations.required(folder)
        files = now.files("documents")
        verdicts = verdict_files.verdicts_of(now, files)
        tables: list[pa.Table] = []
        for name in _in_order(files):
            if sum(table.num_rows for table in tables) >= MOST_PAGES:
                break
            table = read_parquet(files[name], list(columns))
            if VERDICT in columns and name in verdicts:
                judged = pa.chunked_array(verdict_files.read_verdicts(verdicts[name]), pa.string())
                table = table.set_column(table.schema.get_field_index(VERDICT), VERDICT, judged)
            tables.append(table)
        self.rows = sum(table.num_rows for table in tables)
        if not self.rows:
            return
        self.table = pa.concat_tables(tables)
        language, script = (pc.fill_null(self.table.column(name), value) for name, value in UNLABELLED.items())
        self.labels: Group = _codes(pc.binary_join_element_wise(language, script, "_"))
        self.everything: Group = (np.zeros(self.rows, np.int64), [""])
        hosts = pc.struct_field(pc.extract_regex(pc.fill_null(self.table.column("url"), ""), HOST), "host")
        self._hosts, _ = _codes(pc.utf8_lower(pc.fill_null(hosts, "")))
        self._archives, _ = _codes(pc.fill_null(self.table.column("file_path"), ""))

    def over(
        self,
        group: Group,
        categories: Codes,
        weights: Codes | None = None,
        hits: Codes | None = None,
        there: npt.NDArray[np.bool_] | None = None,
    ) -> dict[tuple[str, int], Correlation]:
        """(label, category) -> correlation, of the rows that are `there`."""
        chosen = np.arange(self.rows) if there is None else np.flatnonzero(there)
        if not len(chosen):
            return {}
        codes = group[0][chosen], categories[chosen]
        counts = [None if column is None else column[chosen] for column in (weights, hits)]
        hosts, archives = (excesses(codes[0], by[chosen], codes[1], *counts) for by in (self._hosts, self._archives))
        return {
            (group[1][place], category): correlation(one, archives[place, category])
            for (place, category), one in hosts.items()
        }


def _codes(column: pa.ChunkedArray) -> Group:
    encoded = column.combine_chunks().dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary.to_pylist()


def _in_order(files: Mapping[str, str]) -> list[str]:
    return sorted(files, key=lambda name: (xxh3_64_intdigest(name.encode()), name))
