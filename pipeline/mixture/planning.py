"""From narrow rows of documents to the plan of a mixture: what is held out, how often each language is seen, which
documents are left out, and where the shards are cut."""

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from pipeline.config import PhaseConfig, SampleConfig
from pipeline.mixture import sweeps, upsampling
from pipeline.mixture.phases import epochs_of, left_out
from pipeline.mixture.sums import BINS, Sums, bin_of, edge, merged
from pipeline.mixture.sweeps import GROUPS, ORDER_BINS, STEPS, Decisions
from pipeline.store.table_splits import Split, part_file
from pipeline.workers.tasks import TaskRunner
from schemas.errors import UserError

R = TypeVar("R")

MOST_SWEEPERS = 64  # tasks of a sweep, whose answers the driver adds up
FILES_A_SWEEPER = 32


class Size(NamedTuple):
    documents: int
    bytes: int


class LanguagePlan(NamedTuple):
    """What the plan says of a language. there: in the corpus. held_out, train: as they will be written.

    units: of train documents before any is left out, and weighted: under caps of hosts and lists, which is what
    `epochs` count. shares, epochs: by phase. capped_by: `max_epochs`, `max_host_share`, `max_genre_share`, several, or
    nothing. written: weighted units that will be in the shards.
    """

    label: str
    there: Size
    held_out: Size
    train: Size
    units: int
    weighted: float
    shares: list[float]
    epochs: list[float]
    capped_by: str
    largest_host: str
    largest_host_share: float
    written: float


class Plan(NamedTuple):
    """decisions: what becomes of each document. scales, floors: of each language: a document's weight is the larger of
    its raw weight times scale, and floor. cuts: by stratum (language's number, 1: held out): where shards end,
    uint64 of places in 32 bits. left_out: by label and reason: documents."""

    languages: list[LanguagePlan]
    decisions: Decisions
    scales: np.ndarray
    floors: np.ndarray
    cuts: dict[tuple[int, int], np.ndarray]
    left_out: dict[str, dict[str, int]]
    phases: list[PhaseConfig]
    budget: float

    def weights(self, found: sweeps.Documents) -> np.ndarray:
        """float32 by document: how much more often it is seen than its language's epochs say."""
        weighted = found.raw_weight * self.scales[found.label]
        return np.maximum(weighted, self.floors[found.label]).astype(np.float32)


REASONS = {
    sweeps.TOO_FEW: "few_documents",
    sweeps.UNNAMED: "no_share",
    sweeps.NEAR_HELD_OUT: "near_validation",
    sweeps.NOT_SAMPLED: "not_sampled",
}


def plan_mixture(
    rows: Sequence[str], sizes: Mapping[str, tuple[int, int, int]], config: SampleConfig, run_tasks: TaskRunner
) -> Plan:
    """rows: files of document_rows.ROWS. sizes: documents, bytes and units by label, of all of them.

    Raises UserError for what the corpus cannot give, with the figure that would work.
    """
    if not any(n_bytes for _, n_bytes, _ in sizes.values()):
        raise UserError("no document is left to sample from: see clean/_ledger.json for why, and loosen thresholds")
    labels = sorted(sizes)
    steps = upsampling.steps_of(config.upsampling)
    nothing = Decisions(
        labels,
        left_out(labels, sizes, config),
        np.zeros(len(labels), np.int64),
        [{} for _ in labels],
        np.ones(len(labels)),
        np.full(len(labels), BINS, np.int64),
        steps,
        upsampling.score_weights(config),
    )
    if len(nothing.step_weights()) > STEPS:
        raise UserError(f"upsampling and score_weights have more than {STEPS} steps together: give fewer")

    def sweep(function: "functools.partial[R]") -> list[R]:
        groups = max(1, min(MOST_SWEEPERS, math.ceil(len(rows) / FILES_A_SWEEPER)))
        return run_tasks(function, [rows[number::groups] for number in range(groups)])

    chances = sweep(functools.partial(sweeps.sweep_chances, decisions=nothing))
    held_sums = merged(part.sums for part in chances)
    held = nothing._replace(held_below=_held_below(held_sums, nothing, config))
    asked: dict[int, set[str]] = {}
    for part in chances:
        for number, names in part.hosts.items():
            asked.setdefault(number, set()).update(names)
    hosted = sweep(functools.partial(sweeps.sweep_hosts, decisions=held, asked=asked))
    totals, host_units = merged(part.totals for part in hosted), _added([part.hosts for part in hosted])
    capped = _with_caps(held, totals, host_units, config)
    weighed = sweep(functools.partial(sweeps.sweep_weights, decisions=capped))
    groups, keep = merged(part.groups for part in weighed), merged(part.keep for part in weighed)
    means, weighted = _weighted(groups, capped)
    units = {number: int(total) for number, (total, _) in zip(*totals, strict=True)}
    phases, budget, epochs = epochs_of(labels, weighted, config)
    seen = {number: sum(by_phase) for number, (_, by_phase) in epochs.items()}
    settled, scales, floors = _subsets(capped, keep, means, seen)
    placed = sweep(functools.partial(sweeps.sweep_places, decisions=settled))
    fates, order = merged(part.fates for part in placed), merged(part.order for part in placed)
    written = _written(merged(part.groups for part in placed), settled, scales, floors)
    languages = [
        _language(number, settled, sizes[label], fates, units, weighted, epochs, host_units, written, config)
        for number, label in enumerate(labels)
    ]
    cuts = {
        (number, split): _cuts(
            order.of((number * 2 + split) * ORDER_BINS, (number * 2 + split + 1) * ORDER_BINS), config
        )
        for number, language in enumerate(languages)
        for split, size in enumerate((language.train, language.held_out))
        if size.documents
    }
    _check_validation(languages, config)
    return Plan(languages, settled, scales, floors, cuts, _reasons(fates, labels), phases, budget)


def _held_below(sums: Sums, decisions: Decisions, config: SampleConfig) -> np.ndarray:
    """By language, the bin below which clusters are held out: `validation_share` of them, but at least
    `min_validation_documents` (of a fifth of the documents at most), and at most `max_validation_bytes`."""
    below = np.zeros(len(decisions.labels), np.int64)
    if config.validation_share <= 0:
        return below
    nominal = int(bin_of(np.array([config.validation_share]))[0])
    for number in range(len(below)):
        if decisions.left_out[number]:
            continue
        here = sums.of(number * BINS, (number + 1) * BINS)
        if not len(here.keys):
            continue  # copies alone
        documents, n_bytes = np.cumsum(here.values, axis=0).T
        floor = min(config.min_validation_documents, int(documents[-1]) // 5)
        wanted = nominal
        if floor:
            wanted = max(wanted, int(here.keys[np.searchsorted(documents, floor)]) + 1)
        fitting = int(np.searchsorted(n_bytes, config.max_validation_bytes, side="right"))
        most = int(here.keys[fitting]) if fitting < len(here.keys) else BINS
        below[number] = min(wanted, most)
    return below


def _with_caps(
    decisions: Decisions, totals: Sums, host_units: Mapping[tuple[int, str], int], config: SampleConfig
) -> Decisions:
    """A host, and all documents on genre lists together, count as at most their share of a language."""
    list_caps = decisions.list_caps.copy()
    host_caps: list[dict[str, float]] = [{} for _ in decisions.labels]
    total = {int(number): int(units) for number, (units, _) in zip(*totals, strict=True)}
    for number, (units, on_list) in zip(*totals, strict=True):
        if on_list > config.max_genre_share * units:
            list_caps[number] = config.max_genre_share * units / on_list
    for (number, host), units in host_units.items():
        if units > config.max_host_share * total[number]:
            host_caps[number][host] = config.max_host_share * total[number] / units
    return decisions._replace(host_caps=host_caps, list_caps=list_caps)


def _cap(decisions: Decisions, number: int, group: int) -> float:
    if group == 0:
        return 1.0
    if group == 1:
        return float(decisions.list_caps[number])
    return sorted(decisions.host_caps[number].items())[group - 2][1]


def _by_group(groups: Sums, decisions: Decisions) -> Iterator[tuple[int, float, float, int]]:
    """(language, cap, weight of the step, units), always in one order, so that sums of numbers with a fraction are the
    same."""
    weights = decisions.step_weights()
    for key, values in zip(groups.keys.tolist(), groups.values.tolist(), strict=True):
        number, group, step = key // (GROUPS * STEPS), key // STEPS % GROUPS, key % STEPS
        yield number, _cap(decisions, number, group), float(weights[step]), values[2]


def _weighted(groups: Sums, decisions: Decisions) -> tuple[np.ndarray, dict[int, float]]:
    """The mean weight by copies, and the units under caps, of each language."""
    capped, copied = np.zeros(len(decisions.labels)), np.zeros(len(decisions.labels))
    for number, cap, weight, units in _by_group(groups, decisions):
        capped[number] += cap * units
        copied[number] += cap * weight * units
    means = np.where(capped > 0, copied / np.where(capped > 0, capped, 1), 1.0)
    return means, {number: float(size) for number, size in enumerate(capped) if size > 0}


def _subsets(
    decisions: Decisions, keep: Sums, means: np.ndarray, epochs: Mapping[int, float]
) -> tuple[Decisions, np.ndarray, np.ndarray]:
    """Thresholds of the languages that are seen less than once; scales and floors of their documents' weights."""
    keep_below = decisions.keep_below.copy()
    scales, floors = 1 / means, np.zeros(len(means))
    for number, seen in epochs.items():
        if seen > 1 - 1e-9:
            continue
        here = keep.of(number * BINS, (number + 1) * BINS)
        so_far = np.cumsum(here.values[:, 0])
        place = int(np.searchsorted(so_far, seen * so_far[-1]))
        place = min(place, len(so_far) - 1)
        before = int(so_far[place - 1]) if place else 0
        # The nearer end of the bin, but something is kept.
        with_it = place == 0 or so_far[place] - seen * so_far[-1] <= seen * so_far[-1] - before
        keep_below[number] = here.keys[place] + 1 if with_it else here.keys[place]
        scales[number], floors[number] = edge(int(keep_below[number])), 1.0
    return decisions._replace(keep_below=keep_below), scales, floors


def _written(groups: Sums, decisions: Decisions, scales: np.ndarray, floors: np.ndarray) -> np.ndarray:
    """Weighted units in the shards, by language."""
    written = np.zeros(len(decisions.labels))
    for number, cap, weight, units in _by_group(groups, decisions):
        written[number] += float(np.float32(max(cap * weight * scales[number], floors[number]))) * units
    return written


def _language(
    number: int,
    decisions: Decisions,
    there: tuple[int, int, int],
    fates: Sums,
    units: Mapping[int, int],
    weighted: Mapping[int, float],
    epochs: Mapping[int, tuple[list[float], list[float]]],
    host_units: Mapping[tuple[int, str], int],
    written: np.ndarray,
    config: SampleConfig,
) -> LanguagePlan:
    found = fates.of(number * 8, number * 8 + 8)
    by_fate = {int(key): Size(*map(int, values)) for key, values in zip(*found, strict=True)}
    wanted, seen = epochs.get(number, ([], []))
    hosts = {host: amount for (of, host), amount in host_units.items() if of == number}
    largest = max(hosts, key=lambda host: (hosts[host], host), default="")
    total = units.get(number, 0)
    reasons = [
        ("max_epochs", bool(seen) and sum(seen) >= config.max_epochs * (1 - 1e-9)),
        ("max_host_share", bool(decisions.host_caps[number])),
        ("max_genre_share", decisions.list_caps[number] < 1),
    ]
    return LanguagePlan(
        decisions.labels[number],
        Size(*there[:2]),
        by_fate.get(sweeps.HELD_OUT, Size(0, 0)),
        by_fate.get(sweeps.TRAIN, Size(0, 0)),
        total,
        weighted.get(number, 0.0),
        wanted,
        seen,
        ", ".join(name for name, is_so in reasons if is_so),
        largest,
        hosts[largest] / total if largest and total else 0.0,
        float(written[number]),
    )


def _cuts(order: Sums, config: SampleConfig) -> np.ndarray:
    """Ends of shards of nearly equal bytes, as places in 32 bits; the last is past all."""
    bins, n_bytes = order.keys, order.values[:, 0]
    total = int(n_bytes.sum())
    count = max(1, math.ceil(total / config.shard_bytes))
    so_far = np.concatenate([[0], np.cumsum(n_bytes)])
    edges = np.concatenate([bins, [ORDER_BINS]]).astype(np.float64) * (2**32 // ORDER_BINS)
    inner = np.interp(total * np.arange(1, count) / count, so_far, edges) if count > 1 else np.empty(0)
    return np.concatenate([inner, [2**32]]).astype(np.uint64)


def _check_validation(languages: Sequence[LanguagePlan], config: SampleConfig) -> None:
    if config.validation_share <= 0 or any(language.held_out.documents for language in languages):
        return
    most = max(language.there.documents for language in languages)
    raise UserError(
        f"no text for validation: the largest language has {most:,} documents, of which a fifth may be held out, in at "
        f"most max_validation_bytes = {config.max_validation_bytes:,}; give 5 documents, or "
        "--validation-share 0; why others were dropped: python jobs/report.py --root ROOT"
    )


def _reasons(fates: Sums, labels: Sequence[str]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for key, (documents, _) in zip(fates.keys.tolist(), fates.values.tolist(), strict=True):
        if reason := REASONS.get(key % 8):
            counts.setdefault(labels[key // 8], {})[reason] = documents
    return counts


def _added(parts: Sequence[Mapping[tuple[int, str], int]]) -> dict[tuple[int, str], int]:
    total: dict[tuple[int, str], int] = {}
    for part in parts:
        for key, amount in part.items():
            total[key] = total.get(key, 0) + amount
    return total


def row_files(folder: str, splits: Sequence[Split]) -> list[str]:
    """Files of the splits' narrow rows, in their order."""
    return [part_file(folder, split) for split in splits]
