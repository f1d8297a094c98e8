"""How the signals of documents lie: kept and dropped ones counted over fixed edges, by language.

Counts add up in any order, so any division of a table into tasks gives the same. Edges hang on the kind of a signal
alone, so that languages, runs and months compare.
"""

import io
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.quality.rules import Fields
from pipeline.quality.signals import SIGNALS
from pipeline.store import storage
from schemas.clean import ANNOTATIONS
from schemas.distributions import LARGEST_LANGUAGES, Distribution, Histogram, Threshold
from schemas.scores import PREFIX

ANSWER_BYTES = 1 << 14  # of counts that a task answers with; more go through a file, for the caller holds all answers
MOST_BYTES = 900_000  # of a file, about
WHOLE = ""  # the language of all documents together


def _edges(*pieces: tuple[float, float, int]) -> tuple[float, ...]:
    """Of pieces from, to, bins, each of bins of one width."""
    inner = [round(a + (b - a) * place / bins, 4) for a, b, bins in pieces for place in range(bins)]
    return (*inner, pieces[-1][1])


# Thresholds of repetition lie below 0.2, others of shares along the middle; at both ends most documents lie.
_SHARES = _edges((0, 0.2, 20), (0.2, 0.9, 14), (0.9, 0.98, 4), (0.98, 1, 2))
_RATIOS = _edges((0, 0.01, 4), (0.01, 0.1, 9), (0.1, 0.5, 8), (0.5, 1, 5), (1, 2, 4), (2, 10, 4))
_LENGTHS = _edges((0, 1, 1), (1, 10, 18), (10, 20, 10), (20, 30, 2))
_SCORES = _edges((0, 1, 40))
_COMPRESSION = _edges((0, 1, 2), (1, 4, 24), (4, 8, 8), (8, 20, 4))
_COUNTS = (0, 1, 2, 3, 4, 5, 7, *(step * 10**n for n in range(5) for step in (10, 15, 20, 30, 50, 70)), 1_000_000)


def edges_of(signal: str, kind: pa.DataType) -> tuple[float, ...]:
    if signal.startswith(PREFIX):
        return _SCORES
    if pa.types.is_integer(kind) or signal == "perplexity":
        return _COUNTS
    if signal.endswith(("_share", "_score")):
        return _SHARES
    return {"mean_word_length": _LENGTHS, "compression_ratio": _COMPRESSION}.get(signal, _RATIOS)


def _numeric(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


EDGES: Mapping[str, np.ndarray] = {
    name: np.array(edges_of(name, kind), np.float64) for name, kind, _ in (*ANNOTATIONS, *SIGNALS) if _numeric(kind)
}
_SPARSE = pa.schema(
    [("label", pa.dictionary(pa.int32(), pa.string())), ("slot", pa.uint16()), ("documents", pa.int64())]
)


class Tally:
    """Counts by label, `eng_Latn`, and of WHOLE. learnt: fields that models have added to the table, the same for all
    tallies that are added up."""

    def __init__(self, learnt: Fields = ()) -> None:
        self.edges = {**EDGES, **{name: np.array(edges_of(name, kind)) for name, kind, _ in learnt if _numeric(kind)}}
        # A language's counts are one array: of each signal, of each bin, how many are kept and how many dropped.
        widths = [2 * (len(edges) - 1) for edges in self.edges.values()]
        self._starts = dict(zip(self.edges, accumulate(widths, initial=0), strict=False))
        self._width = sum(widths)
        self._counts: dict[str, Any] = {}  # arrays

    def add(self, rows: pa.RecordBatch, labels: Sequence[str], verdicts: pa.Array) -> None:
        """rows: with columns of `edges`; what they lack, or is null, is not counted. verdicts: null for kept."""
        encoded = pa.array(labels, pa.string()).dictionary_encode()
        first = encoded.indices.to_numpy().astype(np.int64) * self._width + pc.is_valid(verdicts).to_numpy(False)
        slots = [np.empty(0, np.int64)]
        for name, edges in self.edges.items():
            if name in rows.schema.names:
                values = rows.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False)
                place = first + (self._starts[name] + 2 * np.searchsorted(edges[1:-1], values, side="right"))
                slots.append(place[~np.isnan(values)])
        counted = np.bincount(np.concatenate(slots), minlength=len(encoded.dictionary) * self._width)
        counted = counted.reshape(-1, self._width)
        for label, counts in zip([*encoded.dictionary.to_pylist(), WHOLE], [*counted, counted.sum(0)], strict=True):
            self._counts[label] = self._counts.get(label, 0) + counts

    def answer(self, path: str) -> bytes | str:
        """What a task may answer with, whatever the number of languages: the counts, or `path`, a file of them."""
        names = sorted(self._counts)
        every = np.array([self._counts[name] for name in names]).reshape(-1, self._width)
        codes, slots = np.nonzero(every)
        cells = [
            pa.DictionaryArray.from_arrays(codes.astype(np.int32), pa.array(names, pa.string())),
            pa.array(slots.astype(np.uint16)),
            pa.array(every[codes, slots].astype(np.int64)),
        ]
        written = io.BytesIO()
        with pa.ipc.new_stream(written, _SPARSE, options=pa.ipc.IpcWriteOptions(compression="zstd")) as out:
            out.write(pa.RecordBatch.from_arrays(cells, schema=_SPARSE))
        if len(written.getvalue()) <= ANSWER_BYTES:
            return written.getvalue()
        storage.write_bytes(path, written.getvalue())
        return path

    def take(self, answer: bytes | str, labels: Collection[str]) -> None:
        """Adds what `answer` gave of these labels."""
        data = storage.read_bytes(answer) if isinstance(answer, str) else answer
        with pa.ipc.open_stream(data) as rows:
            cells = rows.read_all().combine_chunks()
        codes, slots, documents = (cells[name].combine_chunks() for name in _SPARSE.names)
        names = codes.dictionary.to_pylist()
        ends = np.searchsorted(codes.indices.to_numpy(), np.arange(len(names) + 1))
        for place, name in enumerate(names):
            if name in labels:
                here = slice(ends[place], ends[place + 1])
                counts = self._counts.setdefault(name, np.zeros(self._width, np.int64))
                counts[slots.to_numpy()[here]] += documents.to_numpy()[here]

    def histogram(self, label: str, signal: str) -> Histogram | None:
        """Without the empty bins at both ends; None where no document has the signal."""
        if label not in self._counts:
            return None
        start, edges = self._starts[signal], self.edges[signal]
        kept, dropped = self._counts[label][start : start + 2 * len(edges) - 2].reshape(-1, 2).T
        (some,) = np.nonzero(kept + dropped)
        if not len(some):
            return None
        first, last = int(some[0]), int(some[-1]) + 1
        return Histogram(
            edges=[int(edge) if edge == int(edge) else float(edge) for edge in edges[first : last + 1]],
            kept=kept[first:last].tolist(),
            dropped=dropped[first:last].tolist(),
        )


def largest(documents: Mapping[str, int]) -> list[str]:
    """documents: by label. The languages that have distributions of their own, the largest first."""
    return sorted(documents, key=lambda label: (-documents[label], label))[:LARGEST_LANGUAGES]


def distributions(
    tally: Tally, documents: Mapping[str, int], bounds: Callable[[str], Mapping[str, list[Threshold]]]
) -> list[Distribution]:
    """Of all documents, then of the largest languages. Beyond MOST_BYTES signals are left out that no rule asks for,
    those of smaller languages first.

    documents: by label, of the table. bounds: of a label, the thresholds by signal; on all documents lie those that
    are the same in each language that there is, those without a name left out.
    """
    chosen = largest(documents)
    by_label = {label: bounds(label) for label in documents}
    asked = set[str]().union(*by_label.values())
    named = [by_label[label] for label in documents if not label.startswith("und_")] or list(by_label.values())
    everywhere = {
        signal: [bound for bound in found if all(bound in other.get(signal, []) for other in named[1:])]
        for signal, found in (named[0] if named else {}).items()
    }
    places = [(label, signal) for label in (WHOLE, *chosen) for signal in tally.edges]
    found, size = dict[tuple[str, str], Distribution](), 0
    for label, signal in sorted(places, key=lambda place: (place[0] != WHOLE, place[1] not in asked)):
        histogram = tally.histogram(label, signal)
        if histogram and size < MOST_BYTES:
            thresholds = by_label.get(label, everywhere).get(signal, [])
            one = Distribution(signal=signal, language=label, histogram=histogram, thresholds=thresholds)
            found[label, signal] = one
            size += len(_line(one))
    return [found[place] for place in places if place in found]


def as_json(found: Iterable[Distribution]) -> bytes:
    """A line each: without the indentation of other small files, which would make it five times as large."""
    return ("[\n" + ",\n".join(map(_line, found)) + "\n]\n").encode()


def _line(one: Distribution) -> str:
    return json.dumps(one, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
