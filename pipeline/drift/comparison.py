"""Two roots become a list of changes, the largest first, and a verdict on each.

A figure has drifted where it differs by more than its threshold and by more than chance, at a level that all figures
share (Bonferroni): that anything at all is called drifted between two samples of one web has the chance `chance`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.drift import intervals
from pipeline.drift.correlation import UNKNOWN, Correlation, effective, together
from pipeline.drift.figures import Figures, Key, Share
from pipeline.drift.intervals import Interval
from pipeline.drift.thresholds import Thresholds
from schemas.distributions import Histogram
from schemas.errors import Drifted

LIKE_SIZES = 1.5  # copies are the more the more pages there are, so their shares compare between corpora of like sizes
DRIFTED, WITHIN, CHANCE, FEW = "drifted", "within its threshold", "may be chance", "too few pages or hosts"
MOST_SETTINGS = 6
NEUTRAL = ("for_all_languages",)
COMPARED = ("extract", "clean", "dedup")
LEAST_HITS = 10  # of both together, below which a reason is not asked for


class Change(NamedTuple):
    """now, before: shares, or medians of a signal. of: pages on each side. interval: of now - before; None of a signal.
    size: in thresholds, 1 is at it. stability: of a signal, its population stability index."""

    key: Key
    now: float | None
    before: float | None
    of: tuple[int, int]
    interval: Interval | None
    threshold: float
    size: float
    stability: float | None
    state: str

    @property
    def drifted(self) -> bool:
        return self.state == DRIFTED


class LanguageRow(NamedTuple):
    """(now, before) each; None where not known. bytes, words: medians of a kept page, or means, as `Comparison.middle`
    says."""

    label: str
    pages: tuple[int, int]
    share: tuple[float | None, float | None]
    kept: tuple[float | None, float | None]
    duplicates: tuple[float | None, float | None]
    bytes: tuple[float | None, float | None]
    words: tuple[float | None, float | None]
    drifted: list[str]


@dataclass(frozen=True)
class Comparison:
    """changes: the largest first, those that have drifted before all others. middle: `median` or `mean`, of bytes."""

    root: str
    other: str
    changes: list[Change]
    languages: list[LanguageRow]
    middle: str
    notes: list[str]

    @property
    def drifted(self) -> list[Change]:
        return [change for change in self.changes if change.drifted]

    @property
    def judged(self) -> int:
        return sum(change.state != FEW for change in self.changes)

    def lines(self, most: int = 10) -> list[str]:
        """For a terminal: the notes, what has drifted, else the largest changes."""
        shown = self.drifted or [change for change in self.changes if change.state != FEW and change.size][:3]
        verdict = f"{len(self.drifted):,} of {self.judged:,} figures have drifted from {self.other}"
        more = [f"and {len(shown) - most:,} more, on the page"] if len(shown) > most else []
        return [verdict, *self.notes, *map(line, shown[:most]), *more]

    def require_no_drift(self, page: str) -> None:
        """Drifted, with a line a figure, where there is one."""
        if self.drifted:
            head = f"drift: {len(self.drifted):,} figures are beyond their thresholds, see {page}"
            raise Drifted("\n".join([head, *(f"drift: {line(change)}" for change in self.drifted)]))


def compare(
    now: Figures, before: Figures, known: Sequence[Mapping[Key, Correlation]], thresholds: Thresholds
) -> Comparison:
    """known: of each root what `pipeline.drift.looked_at.correlations` found."""
    keys = sorted({*now.shares} | {*before.shares})
    notes = [*now.notes, *before.notes, *_other_settings(now, before)]
    kinds = [{key.kind for key in found.shares} for found in (now, before)]
    keys = [key for key in keys if key.kind in kinds[0] & kinds[1]]
    sizes = [found.shares.get(Key("duplicates"), Share(0, 0)).of for found in (now, before)]
    if all(sizes) and max(sizes) > LIKE_SIZES * min(sizes):
        notes.append(
            f"duplicates are not compared: there are the more the more pages there are, and dedup had {sizes[0]:,} and "
            f"{sizes[1]:,}"
        )
        keys = [key for key in keys if key.kind != "duplicates"]
    signals = [key for key in sorted({*now.signals} & {*before.signals}) if _counts(key, now, before)]
    if not signals:
        notes.append("how signals lie is not compared: clean of both roots must have counted that over the same bins")
    work = [(key, together(*(one.get(key, UNKNOWN) for one in known))) for key in [*keys, *signals]]
    enough = [alike != UNKNOWN and _enough(key, now, before, thresholds.min_pages) for key, alike in work]
    chance = thresholds.chance / max(1, sum(enough))
    changes = [
        (_signal if key.kind == "signal" else _share)(key, now, before, alike, thresholds, chance if judged else None)
        for (key, alike), judged in zip(work, enough, strict=True)
    ]
    changes.sort(key=lambda change: (not change.drifted, change.state == FEW, -change.size, change.key))
    middle = "median" if any(key.what == "n_bytes" for key in signals) else "mean"
    return Comparison(now.root, before.root, changes, _languages(now, before, changes, middle), middle, notes)


def line(change: Change) -> str:
    """One change in words."""
    name = " ".join(part for part in change.key if part)
    if change.stability is not None:
        return (
            f"{name}: stability index {change.stability:.2f} (threshold {change.threshold:g}), median "
            f"{_number(change.now)}, before {_number(change.before)}, of {change.of[0]:,} and {change.of[1]:,} pages"
        )
    assert change.now is not None and change.before is not None and change.interval is not None
    low, high = (f"{100 * value:+.1f}" for value in change.interval)
    by = f"a factor of {change.threshold:g}" if change.key.kind == "language" else f"{100 * change.threshold:g}"
    return (
        f"{name}: {100 * change.now:.1f} % of {change.of[0]:,}, before {100 * change.before:.1f} % of {change.of[1]:,} "
        f"({low} to {high} points; threshold {by})"
    )


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


def _pages(key: Key, found: Figures) -> int:
    """What the figure is a share of."""
    if key.kind == "signal":
        histogram = found.signals[key]
        return sum(histogram["kept"]) + sum(histogram["dropped"])
    return _share_of(key, found).of


def _enough(key: Key, now: Figures, before: Figures, min_pages: int) -> bool:
    if min(_pages(key, now), _pages(key, before)) < min_pages:
        return False
    hits = [_share_of(key, found).hits for found in (now, before)]
    if key.kind == "language":
        return max(hits) >= min_pages
    return key.kind not in ("rule", "failures") or sum(hits) >= LEAST_HITS


def _share_of(key: Key, found: Figures) -> Share:
    """0 of as many as others of its kind where it does not occur."""
    group = {"rule": Key("kept", key.language), "language": Key("kept"), "failures": Key("failures")}.get(key.kind, key)
    return found.shares.get(key) or Share(0, found.shares.get(group, Share(0, 0)).of)


def _share(
    key: Key, now: Figures, before: Figures, alike: Correlation, thresholds: Thresholds, chance: float | None
) -> Change:
    new, old = _share_of(key, now), _share_of(key, before)
    threshold = thresholds.of(key.kind, key.language)
    if key.kind == "language":
        ratio = ((new.hits + 0.5) / (new.of + 1)) / ((old.hits + 0.5) / (old.of + 1))
        size = abs(math.log(ratio)) / math.log(threshold)
    else:
        size = abs(new.value - old.value) / threshold
    z = intervals.two_sided(thresholds.chance if chance is None else chance)
    worth = [effective(one.of, alike, z) for one in (new, old)]
    interval = intervals.newcombe(new.value, worth[0], old.value, worth[1], z) if all(worth) else Interval(-1.0, 1.0)
    if chance is None:
        state = DRIFTED if _all_gone(key, new, old, thresholds.min_pages) else FEW
    else:
        state = _state(size, interval.low > 0 or interval.high < 0)
    return Change(key, new.value, old.value, (new.of, old.of), interval, threshold, size, None, state)


def _all_gone(key: Key, new: Share, old: Share, min_pages: int) -> bool:
    """A corpus without a page beside one with enough needs no test."""
    return key == Key("kept") and not new.of and old.of >= min_pages


def _signal(
    key: Key, now: Figures, before: Figures, alike: Correlation, thresholds: Thresholds, chance: float | None
) -> Change:
    counts = _counts(key, now, before)
    assert counts is not None
    new, old = intervals.joined(*counts)
    index = intervals.stability(new, old)
    threshold = thresholds.of("signal", key.language)
    of = (_pages(key, now), _pages(key, before))
    if chance is None:
        state = FEW
    else:
        worth = [effective(pages, alike, intervals.two_sided(chance)) for pages in of]
        state = _state(index / threshold, index > intervals.stability_by_chance(len(new), worth[0], worth[1], chance))
    middles = [intervals.median(*_found(one.signals[key])) for one in (now, before)]
    return Change(key, middles[0], middles[1], of, None, threshold, index / threshold, index, state)


def _state(size: float, beyond_chance: bool) -> str:
    if size <= 1:
        return WITHIN
    return DRIFTED if beyond_chance else CHANCE


def _found(histogram: Histogram) -> tuple[list[float], list[int]]:
    """Edges and counts of all documents, whether clean kept them or not."""
    return histogram["edges"], [a + b for a, b in zip(histogram["kept"], histogram["dropped"], strict=True)]


def _counts(key: Key, now: Figures, before: Figures) -> tuple[list[float], list[float]] | None:
    return intervals.aligned(_found(now.signals[key]), _found(before.signals[key]))


def _languages(now: Figures, before: Figures, changes: Sequence[Change], middle: str) -> list[LanguageRow]:
    """The largest first."""
    both = (now, before)
    labels = {key.language for found in both for key in found.shares if key.kind == "language"}
    rows = []
    for label in labels:
        values: dict[str, Any] = {
            kind: tuple(share.value if (share := found.shares.get(Key(kind, label))) else None for found in both)
            for kind in ("kept", "duplicates", "language")
        }
        sizes = [_middle(found, label, "n_bytes") if middle == "median" else found.means.get(label) for found in both]
        words = [_middle(found, label, "n_words") for found in both]
        pages = tuple(_share_of(Key("language", label), found).hits for found in both)
        drifted = [change.key.kind for change in changes if change.drifted and change.key.language == label]
        rows.append(
            LanguageRow(
                label, (pages[0], pages[1]), values["language"], values["kept"], values["duplicates"],
                (sizes[0], sizes[1]), (words[0], words[1]), sorted(set(drifted)),
            )
        )  # fmt: skip
    return sorted(rows, key=lambda row: (-max(row.pages), row.label))


def _middle(found: Figures, label: str, signal: str) -> float | None:
    histogram = found.signals.get(Key("signal", label, signal))
    return intervals.median(histogram["edges"], histogram["kept"]) if histogram else None


def _other_settings(now: Figures, before: Figures) -> list[str]:
    """Lines about stages that were not told the same: then a difference may be of our own making."""
    notes = []
    for stage in (stage for stage in COMPARED if stage in now.records and stage in before.records):
        new, old = now.records[stage], before.records[stage]
        names = sorted({*new["config"]} | {*old["config"]})
        others = [name for name in names if new["config"].get(name) != old["config"].get(name) and name not in NEUTRAL]
        said = [f"{name} = {new['config'].get(name)}, before {old['config'].get(name)}" for name in others]
        more = f" and {len(said) - MOST_SETTINGS} more" if len(said) > MOST_SETTINGS else ""
        if new["stage_version"] != old["stage_version"]:
            said.insert(0, f"version {new['stage_version']}, before {old['stage_version']}")
        if said:
            notes.append(f"{stage} was run with other settings: {'; '.join(said[:MOST_SETTINGS])}{more}"[:400])
    return notes
