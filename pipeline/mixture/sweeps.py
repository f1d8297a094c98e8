"""Sums over the documents' narrow rows, of which the plan is made. Each sweep is a task a group of files; its answer is
small, and the sums of all groups are the same for any grouping.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.mixture.document_rows import read_rows
from pipeline.mixture.sums import BINS, Sums, bin_of, summed, unit
from pipeline.mixture.upsampling import Steps, step_of

ORDER_BINS = 4096
SHOWN_HOST_SHARE = 1000  # a host with a thousandth of its language is found

TRAIN, HELD_OUT, TOO_FEW, UNNAMED, NEAR_HELD_OUT, NOT_SAMPLED = range(6)
"""What becomes of a document."""


class Decisions(NamedTuple):
    """What the plan has settled, by number of the language; a sweep uses what is there.

    labels: ascending. left_out: uint8, 0 or TOO_FEW or UNNAMED, of whole languages. held_below: bin of the clusters'
    chance below which a document is held out. host_caps: of each language, factors of hosts; list_caps: factors of
    documents on a genre list. keep_below: bin of chance over weight, BINS: all. steps: of upsampling. score_weights:
    of the steps of document_rows.Measure.scores, the first of texts below all of them or without a number.
    """

    labels: Sequence[str]
    left_out: np.ndarray
    held_below: np.ndarray
    host_caps: Sequence[Mapping[str, float]]
    list_caps: np.ndarray
    keep_below: np.ndarray
    steps: Steps
    score_weights: Sequence[float] = (1.0,)

    def step_weights(self) -> np.ndarray:
        """By step of Documents: of scores times upsampling's."""
        return np.outer(self.score_weights, [weight for _, weight in self.steps]).ravel()


class Documents(NamedTuple):
    """Narrow rows as arrays. label: number of the language. group: 0, 1 for listed ones, 2 and up for capped hosts in
    the order of their names. step: of scores and upsampling. raw_weight: cap times the step's weight."""

    table: pa.Table
    label: np.ndarray
    group: np.ndarray
    step: np.ndarray
    raw_weight: np.ndarray

    def column(self, name: str) -> np.ndarray:
        values: np.ndarray = self.table[name].combine_chunks().to_numpy(zero_copy_only=False)
        return values


def documents(table: pa.Table, decisions: Decisions) -> Documents:
    index = {label: number for number, label in enumerate(decisions.labels)}
    label = _numbers(table["label"], [index])
    by_step = decisions.step_weights()
    step = step_of(table["cluster_size"].to_numpy(), decisions.steps)
    step = step + table["score_step"].to_numpy().astype(np.int64) * len(decisions.steps)
    group, cap = np.zeros(len(table), np.int64), np.ones(len(table))
    listed = table["listed"].to_numpy(zero_copy_only=False)
    group[listed] = 1
    cap[listed] = decisions.list_caps[label[listed]]
    hosts = table["host"].combine_chunks() if isinstance(table["host"], pa.ChunkedArray) else table["host"]
    for number, caps in enumerate(decisions.host_caps):
        for place, (host, factor) in enumerate(sorted(caps.items())):
            found = hosts.dictionary.index(host).as_py()
            if found < 0:
                continue
            is_its = pc.fill_null(pc.equal(hosts.indices, found), False).to_numpy(zero_copy_only=False)
            is_its &= (label == number) & ~listed
            group[is_its], cap[is_its] = place + 2, factor
    return Documents(table, label, group, step, cap * by_step[step])


def _numbers(column: pa.ChunkedArray, index: Sequence[Mapping[str, int]]) -> np.ndarray:
    cells = column.combine_chunks()
    known = np.array([index[0][name] for name in cells.dictionary.to_pylist()], np.int64)
    return known[cells.indices.to_numpy()] if len(known) else np.empty(0, np.int64)


def fate(found: Documents, decisions: Decisions) -> np.ndarray:
    """uint8 of TRAIN ... by document.

    A cluster is held out whole: of documents that are copies of another one, those between the lowest and the highest
    of the languages' thresholds are left out, since the other may be in another language and on the other side.
    """
    hold = bin_of(unit(found.column("hold")))
    out = decisions.left_out[found.label].copy()
    mine = decisions.held_below[found.label]
    there = decisions.held_below[decisions.left_out == 0]
    lowest, highest = (int(there.min()), int(there.max())) if len(there) else (0, 0)
    alone = found.column("alone")
    is_held = np.where(alone, hold < mine, hold < lowest)
    between = ~alone & (hold >= lowest) & (hold < highest)
    out[(out == 0) & is_held] = HELD_OUT
    out[(out == 0) & between] = NEAR_HELD_OUT
    past = bin_of(unit(found.column("keep")) / found.raw_weight) >= decisions.keep_below[found.label]
    out[(out == 0) & past & (decisions.keep_below[found.label] < BINS)] = NOT_SAMPLED
    return out


class Held(NamedTuple):
    """sums: by label * BINS + bin of the clusters' chance: documents that are no copies, bytes of all. hosts: by label,
    those with a thousandth of a group's units."""

    sums: Sums
    hosts: dict[int, set[str]]


def sweep_chances(paths: Sequence[str], decisions: Decisions) -> Held:
    found = documents(read_rows(paths), decisions)
    hold = bin_of(unit(found.column("hold")))
    sums = summed(found.label * BINS + hold, found.column("alone"), found.column("bytes"))
    hosts: dict[int, set[str]] = {}
    units = host_units(found)
    totals = {
        int(label): int(total) for label, (total,) in zip(*summed(found.label, found.column("units")), strict=True)
    }
    for (label, host), amount in units.items():
        if amount * SHOWN_HOST_SHARE >= totals[label]:
            hosts.setdefault(label, set()).add(host)
    return Held(sums, hosts)


def host_units(found: Documents, which: np.ndarray | None = None) -> dict[tuple[int, str], int]:
    """Units by language and host."""
    hosts = found.table["host"].combine_chunks()
    codes = pc.fill_null(hosts.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    taken = codes >= 0 if which is None else (codes >= 0) & which
    n = max(1, len(hosts.dictionary))
    sums = summed(found.label[taken] * n + codes[taken], found.column("units")[taken])
    names = hosts.dictionary.to_pylist()
    return {
        (int(key // n), names[key % n]): int(amount)
        for key, (amount,) in zip(sums.keys.tolist(), sums.values.tolist(), strict=True)
    }


class Hosted(NamedTuple):
    """totals: by label: units that may be trained on, and those of listed documents among them. hosts: units of the
    asked hosts' other documents, by label and host."""

    totals: Sums
    hosts: dict[tuple[int, str], int]


def sweep_hosts(paths: Sequence[str], decisions: Decisions, asked: Mapping[int, set[str]]) -> Hosted:
    found = documents(read_rows(paths), decisions)
    train = fate(found, decisions) == TRAIN
    units, listed = found.column("units"), found.column("listed")
    totals = summed(found.label[train], units[train], np.where(listed, units, 0)[train])
    by_host = host_units(found, train & ~listed)
    return Hosted(totals, {key: amount for key, amount in by_host.items() if key[1] in asked.get(key[0], ())})


GROUPS, STEPS = 1 << 12, 1 << 8


def group_key(label: np.ndarray | int, group: np.ndarray | int, step: np.ndarray | int) -> np.ndarray | int:
    return (label * GROUPS + group) * STEPS + step


class Weighed(NamedTuple):
    """groups: by group_key: documents, bytes, units that may be trained on. keep: by label * BINS + bin of chance over
    raw weight: units."""

    groups: Sums
    keep: Sums


def sweep_weights(paths: Sequence[str], decisions: Decisions) -> Weighed:
    found = documents(read_rows(paths), decisions)
    train = fate(found, decisions) == TRAIN
    label, units = found.label[train], found.column("units")[train]
    key = group_key(label, found.group[train], found.step[train])
    bins = bin_of(unit(found.column("keep")[train]) / found.raw_weight[train])
    groups = summed(np.asarray(key), np.ones(len(label), np.int64), found.column("bytes")[train], units)
    return Weighed(groups, summed(label * BINS + bins, units))


class Placed(NamedTuple):
    """fates: by label * 8 + fate: documents, bytes. groups: by group_key, of what is written to train: documents,
    bytes, units. order: by (label * 2 + held out) * ORDER_BINS + bin of the place: bytes of what is written."""

    fates: Sums
    groups: Sums
    order: Sums


def sweep_places(paths: Sequence[str], decisions: Decisions) -> Placed:
    found = documents(read_rows(paths), decisions)
    fates = fate(found, decisions)
    n_bytes, units, ones = found.column("bytes"), found.column("units"), np.ones(len(fates), np.int64)
    train, written = fates == TRAIN, fates <= HELD_OUT
    key = np.asarray(group_key(found.label, found.group, found.step))
    place = found.column("order").astype(np.int64) >> 20
    stratum = (found.label * 2 + fates)[written]
    return Placed(
        summed(found.label * 8 + fates, ones, n_bytes),
        summed(key[train], ones[train], n_bytes[train], units[train]),
        summed(stratum * ORDER_BINS + place[written], n_bytes[written]),
    )
