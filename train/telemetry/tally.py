"""Sums by language and objective, and the figures that they make.

An objective has a name. A step gives float64 [languages, 3] of each, on the device, the SUMS, and int64 [languages, 3]
on the host, the COUNTS. Units are what a loss is taken over: guesses of masked tokens, predicted tokens, pairs.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from train.data.batches import COUNTS
from train.objectives.objective import SUMS


class Processes(Protocol):
    """What is asked of the processes of a run: a device, and `sum`, which adds up a tensor over all of them."""

    @property
    def device(self) -> torch.device: ...

    def sum(self, values: Tensor) -> Tensor: ...


class Tally:
    """SUMS by objective since the last line of the log, COUNTS since the start of the run, over all processes.

    A process adds to its own part; `gather` brings the parts together, in every process. sums: name -> float64
    [languages, 3]. counts: int64 [languages, 3]. sequences: (pairs of texts, sequences with the single texts) since the
    last line of the log, of runs with pairs.
    """

    def __init__(self, languages: Sequence[str], objectives: Sequence[str], processes: Processes) -> None:
        self.languages, self.objectives, self.processes = tuple(languages), tuple(objectives), processes
        self.counts: NDArray[np.int64] = np.zeros((len(languages), len(COUNTS)), np.int64)
        self._own_counts = np.zeros_like(self.counts)
        shape = (len(objectives), len(languages), len(SUMS))
        self._sums: NDArray[np.float64] = np.zeros(shape)
        self._own_sums = torch.zeros(shape, dtype=torch.double, device=processes.device)
        self.sequences = (0, 0)

    @property
    def sums(self) -> dict[str, NDArray[np.float64]]:
        return dict(zip(self.objectives, self._sums, strict=True))

    @property
    def tokens(self) -> int:
        return int(self.counts[:, 0].sum())

    def add(self, sums: Mapping[str, Tensor], counts: NDArray[np.int64]) -> None:
        """What a step of this process gave; an objective that had no part in it may be missing. Waits for no device."""
        for name, values in sums.items():
            self._own_sums[self.objectives.index(name)] += values
        self._own_counts += counts

    def add_sequences(self, pairs: int, sequences: int) -> None:
        """Of a step, in all processes: what they are agreed on already needs no gathering."""
        self.sequences = (self.sequences[0] + pairs, self.sequences[1] + sequences)

    def gather(self) -> None:
        """A collective: all processes call it, at the same step."""
        self._sums += self.processes.sum(self._own_sums).cpu().numpy()
        counts = torch.from_numpy(self._own_counts).to(self.processes.device)
        self.counts += self.processes.sum(counts).cpu().numpy()
        self._own_sums = torch.zeros_like(self._own_sums)
        self._own_counts = np.zeros_like(self._own_counts)

    def reset(self) -> None:
        """After a line of the log: its SUMS are said."""
        self._sums[:] = 0.0
        self.sequences = (0, 0)

    def state(self) -> dict[str, Any]:
        """For a checkpoint, in JSON, by name; `gather` goes before."""
        by_language = {name: dict(zip(self.languages, rows.tolist(), strict=True)) for name, rows in self.sums.items()}
        counts = dict(zip(self.languages, self.counts.tolist(), strict=True))
        return {"sums": by_language, "counts": counts, "sequences": self.sequences}

    def restore(self, state: Mapping[str, Any]) -> None:
        """A language or an objective that the state does not know begins at nothing."""
        nothing = [0] * len(SUMS)
        for at, name in enumerate(self.objectives):
            rows = state["sums"].get(name, {})
            self._sums[at] = [rows.get(language, nothing) for language in self.languages]
        self.counts[:] = [state["counts"].get(language, nothing) for language in self.languages]
        pairs, sequences = state.get("sequences", (0, 0))
        self.sequences = (pairs, sequences)


def scores(sums: NDArray[np.float64]) -> dict[str, Any]:
    """Of [3]: mean loss in nats and share of right guesses, None where there is no finite one, and units."""
    loss, correct, units = sums.tolist()
    means = {"loss": loss / units if units else None, "accuracy": correct / units if units else None}
    return {key: value if value is not None and math.isfinite(value) else None for key, value in means.items()} | {
        "units": int(units)
    }


def describe(
    languages: Sequence[str],
    sums: Mapping[str, NDArray[np.float64]],
    weights: Mapping[str, float] | None = None,
    telling: Collection[str] = (),
) -> dict[str, Any]:
    """`loss`, `accuracy`, `masked` (units) of the first objective, over all languages and in `languages` of each that
    had units. Of several objectives `objectives` too: by name loss, accuracy, units, over all with its weight; of those
    `telling`, whose classes are languages, with `majority`, the share of the largest language in the units.
    """
    first = next(iter(sums))
    result = _first(sums[first].sum(0))
    if len(sums) > 1:
        result["objectives"] = {
            name: scores(rows.sum(0)) | {"weight": (weights or {}).get(name, 1.0)} for name, rows in sums.items()
        }
        for name in telling:
            units = sums[name][:, 2]
            result["objectives"][name]["majority"] = float(units.max() / units.sum()) if units.any() else None
    result["languages"] = by_language = {}
    for at, language in enumerate(languages):
        of_each = {name: scores(rows[at]) for name, rows in sums.items() if rows[at, 2]}
        if of_each:
            by_language[language] = _first(sums[first][at]) if first in of_each else {}
            by_language[language] |= {"objectives": of_each} if len(sums) > 1 else {}
    return result


def _first(sums: NDArray[np.float64]) -> dict[str, Any]:
    figures = scores(sums)
    return {"loss": figures["loss"], "accuracy": figures["accuracy"], "masked": figures["units"]}


def seen(
    languages: Sequence[str],
    counts: NDArray[np.int64],
    epoch_tokens: Sequence[float],
    max_epochs: Sequence[float] | None = None,
) -> dict[str, dict[str, Any]]:
    """What a run has shown of each language since its start: tokens, their share of all, documents, epochs.

    counts: int64 [languages, 3], the COUNTS. epoch_tokens: tokens of one pass over a language. max_epochs: the most
    that the run will show of it.
    """
    total = max(1, int(counts[:, 0].sum()))
    result: dict[str, dict[str, Any]] = {}
    for at, (language, (tokens, _, documents)) in enumerate(zip(languages, counts.tolist(), strict=True)):
        epochs = round(tokens / epoch_tokens[at], 6) if tokens else 0.0
        share = round(tokens / total, 6)
        result[language] = {"tokens": tokens, "share": share, "documents": documents, "epochs": epochs}
        if max_epochs is not None:
            result[language]["max_epochs"] = max_epochs[at]
    return result
