"""What workers and the driver of a run tell, added up so that no document counts twice and no number falls.

A step is one call of a `TaskRunner`. Its tasks tell what they have counted so far; of several attempts of a task the
first that is done counts, until then the one that came furthest. When the step has ended, the answers that were taken
say what it counted, and nothing else does.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.observed.counts import Counts, Key, of_rows

ROWS, DROPPED = "rows", "dropped"
KEPT = "kept"


class Step:
    """sizes: of its tasks, in `unit`; without sizes nobody can say how far it is."""

    def __init__(self, stage: str, name: str, unit: str, sizes: Sequence[int]) -> None:
        self.stage, self.name, self.unit, self.sizes = stage, name, unit, sizes
        self.done_size = 0
        self._done: set[int] = set()
        self._counted: Counts = Counter()  # by tasks that are done
        self._running: dict[int, dict[str, Counts]] = {}  # by attempts of the others: place -> worker -> counts

    def told(self, place: int, worker: str, done: bool, counts: Counts) -> None:
        if place in self._done:
            return
        if done:
            self._done.add(place)
            self._counted += counts
            self._running.pop(place, None)
            self.done_size += self.sizes[place] if self.sizes else 0
        else:
            self._running.setdefault(place, {})[worker] = counts

    def counts(self) -> Counts:
        total: Counts = Counter(self._counted)
        for attempts in self._running.values():
            total += _largest(attempts.values())
        return total


class Stage:
    """state: running, finished, found or failed."""

    def __init__(self, state: str, began: float) -> None:
        self.state, self.began, self.seconds = state, began, 0.0


class Sums:
    """clock: seconds since 1970, UTC."""

    def __init__(self, clock: Any = time.time) -> None:
        self._clock = clock
        self.began: float = clock()
        self.status: int | None = None
        self.archives: int | None = None  # that were asked for
        self.stages: dict[str, Stage] = {}
        self.steps: dict[int, Step] = {}
        self._settled: Counts = Counter()
        self._ledgers: dict[str, Counts] = {}  # by the stage's folder: a canary has its own
        self._spent: dict[str, Counts] = {}
        self._shown: Counts = Counter()

    def told(self, message: Mapping[str, Any]) -> None:
        """By a worker."""
        worker = message["worker"]
        self._spent[worker] = of_rows(message["spent"])
        step = self.steps.get(message["step"])
        if step is not None:  # else it has ended: a late attempt
            step.told(message["place"], worker, message["done"], of_rows(message["counts"]))

    def spent_by(self, worker: str, rows: Iterable[tuple[str, str, str, int]]) -> None:
        self._spent[worker] = of_rows(rows)

    def step_began(self, number: int, stage: str, name: str, unit: str, sizes: Sequence[int]) -> None:
        self.steps[number] = Step(stage, name, unit, sizes)

    def step_ended(self, number: int, rows: Iterable[tuple[str, str, str, int]]) -> None:
        """rows: what the answers that were taken have counted."""
        if self.steps.pop(number, None) is not None:
            self._settled += of_rows(rows)
            if not self.steps:
                self._shown = self._computed()  # the truth, should an attempt have said too much

    def planned(self, archives: int, earlier: int) -> None:
        """earlier: read before this run."""
        self.archives = archives
        self._settled[Key("archives", "extract", "earlier")] = earlier

    def stage(self, name: str, state: str) -> None:
        now = self._clock()
        before = self.stages.get(name)
        began = before.began if before and state != "running" else now
        self.stages[name] = Stage(state, began)
        self.stages[name].seconds = now - began

    def ledger(self, folder: str, stage: str, kept: int, dropped: Mapping[str, int]) -> None:
        """Of a finished stage: what its tables have, those of earlier runs too."""
        found: Counts = Counter({Key(DROPPED, stage, reason): n for reason, n in dropped.items()})
        found[Key(ROWS, stage, KEPT)] = kept
        found[Key(ROWS, stage, DROPPED)] = sum(dropped.values())
        self._ledgers[folder] = found

    def seconds(self) -> float:
        return float(self._clock() - self.began)

    def stage_seconds(self, stage: Stage) -> float:
        return float(self._clock() - stage.began) if stage.state == "running" else stage.seconds

    def of_step(self, number: int) -> dict[str, Any]:
        """For the line that people see: how much is done, and what its tasks have counted by label."""
        step = self.steps.get(number)
        if step is None:
            return {"done": 0, "counts": {}}
        labels: Counter[str] = Counter()
        for key, n in step.counts().items():
            if key.name in ("pages", ROWS):
                labels[key.label] += n
        return {"done": step.done_size, "counts": dict(sorted(labels.items()))}

    def totals(self) -> Counts:
        """Of all counters; none is ever smaller than it was, but for one that an attempt had overstated."""
        self._shown = _largest([self._shown, self._computed()])
        return self._shown

    def _computed(self) -> Counts:
        total: Counts = Counter(self._settled)
        for step in self.steps.values():
            total += step.counts()
        total = _largest([total, sum(self._ledgers.values(), Counter())])
        for spent in self._spent.values():
            total += spent
        return total


def _largest(counts: Iterable[Counts]) -> Counts:
    """Of each key the largest."""
    found: Counts = Counter()
    for one in counts:
        found |= one
    return found
