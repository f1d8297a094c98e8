"""Ends a run that hangs, and says which process it hangs in.

A thread in each process tells the others through the store of torch.distributed where its process is: no collective,
nothing in the step but two assignments. NCCL alone would say after ten minutes that an all-reduce timed out, in the
processes that wait and not in the one that they wait for.
"""

import faulthandler
import json
import os
import sys
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path

import torch.distributed as dist

STATUS = 3  # of a process that the watchdog ended
WAITING = frozenset({"all-reduce", "barrier", "together"})  # phases in which a process waits for its peers


@dataclass(frozen=True)
class Place:
    """Where a process is. patient: in a phase that may take its time. ended: it left its loop in order."""

    step: int
    phase: str
    patient: bool = False
    ended: bool = False


class Watchdog:
    """Watches this process and its peers between `__enter__` and `__exit__`, from a thread.

    Ends all processes with status 3 and one line on stderr where this one has not moved for `timeout` seconds while
    nobody is patient, or where a peer has given no sign for `silence` seconds (`timeout`, while it is patient). Before
    that each leaves the stacks of its threads in OUTPUT/hang-rankN.txt. A process that was stopped and went on, as by
    a scheduler, is given its time anew. `store` is asked every `every` seconds, over a connection of its own; a run of
    one process needs none. A thread cannot run while native code holds the GIL: then the peers say it.
    """

    def __init__(
        self,
        output: Path,
        timeout: float,
        *,
        rank: int = 0,
        world_size: int = 1,
        store: dist.Store | None = None,
        every: float = 5.0,
        silence: float = 45.0,
    ) -> None:
        if world_size > 1 and store is None:
            store = dist.distributed_c10d._get_default_store()
        self.output, self.timeout, self.every, self.silence = output, timeout, every, silence
        self.rank, self.world_size = rank, world_size
        self._store = None if store is None else dist.PrefixStore("watchdog", store.clone())  # type: ignore[attr-defined]
        if self._store is not None:
            self._store.set_timeout(timedelta(seconds=silence))
        self._place = Place(0, "start")
        self._moved = time.monotonic()
        self._beats = 0
        self._places: dict[int, Place] = {}  # of the peers, as of their last sign
        self._signs: dict[int, tuple[int, float]] = {}  # beats of a peer and when their number last changed
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def at(self, step: int, phase: str) -> None:
        """This process comes to `phase` of `step`; those of WAITING are waits for the others."""
        self._place = Place(step, phase)
        self._moved = time.monotonic()

    @contextmanager
    def patient(self, phase: str) -> Iterator[None]:
        """A phase that may take any time, here and for the peers that wait for it."""
        before = self._place
        self._place = Place(before.step, phase, patient=True)
        try:
            yield
        finally:
            self.at(before.step, before.phase)

    def __enter__(self) -> "Watchdog":
        self._moved = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stopping.set()
        self._thread.join(self.silence)
        if kind is None and self._store is not None:
            self._place = replace(self._place, ended=True)
            with suppress(RuntimeError):  # the first process may be gone already, and the store with it
                self._publish(self._store)

    def _watch(self) -> None:
        before = time.monotonic()
        while not self._stopping.wait(self.every):
            now = time.monotonic()
            if now - before > self.every + self.silence / 2:  # stopped as a whole: nothing is known of the others
                self._moved = now
                self._signs = {rank: (beats, now) for rank, (beats, _) in self._signs.items()}
            before = now
            lost: set[int] = set()
            if self._store is not None:
                try:
                    self._publish(self._store)
                    if self._store.check(["alarm"]):
                        self._end(None)
                    lost = self._listen(self._store)
                except RuntimeError:
                    if self._stopping.wait(self.silence):
                        return
                    where = f"{self._place.phase} of step {self._place.step}"
                    self._end(f"the store of the run is gone, and rank 0 with it; rank {self.rank} is in {where}")
            if self._place.patient or any(place.patient for place in self._places.values()):
                self._moved = max(self._moved, now)
            idle = time.monotonic() - self._moved
            if lost or idle > self.timeout:
                places = {rank: self._places.get(rank) for rank in range(self.world_size)} | {self.rank: self._place}
                self._end(f"no progress for {self.silence if lost else idle:.0f} s: {describe(places, lost)}")

    def _publish(self, store: dist.Store) -> None:
        self._beats += 1
        store.set(str(self.rank), json.dumps([self._beats, asdict(self._place)]))

    def _listen(self, store: dist.Store) -> set[int]:
        """Reads where the peers are; the ranks of those that have given no sign for too long."""
        peers = [rank for rank in range(self.world_size) if rank != self.rank]
        peers = [rank for rank in peers if rank in self._signs or store.check([str(rank)])]
        now = time.monotonic()
        lost = set()
        for rank, text in zip(peers, store.multi_get([str(rank) for rank in peers]) if peers else [], strict=True):
            beats, place = json.loads(text)
            self._places[rank] = Place(**place)
            heard, since = self._signs.get(rank, (None, now))
            if heard != beats:
                self._signs[rank] = (beats, now)
            elif not self._places[rank].ended and now - since > (
                max(self.silence, self.timeout) if self._places[rank].patient else self.silence
            ):
                lost.add(rank)
        return lost

    def _end(self, line: str | None) -> None:
        """Says the line if no other process was first, leaves the stacks, waits for the peers to leave theirs, ends."""
        with suppress(OSError), (self.output / f"hang-rank{self.rank}.txt").open("w", encoding="utf-8") as file:
            faulthandler.dump_traceback(file)
        first = True
        with suppress(RuntimeError):
            if self._store is not None and line is not None:
                first = self._store.add("alarm", 1) == 1
        if line is not None and first:
            stacks = self.output / "hang-rank*.txt"
            print(f"pretrain: {line}; the stacks are in {stacks}", file=sys.stderr, flush=True)
        with suppress(RuntimeError):
            if self._store is not None:
                done = self._store.add("done", 1)
                until = time.monotonic() + 2 * self.every + 1
                while done < self.world_size and time.monotonic() < until:
                    time.sleep(self.every / 10)
                    done = self._store.add("done", 0)
        os._exit(STATUS)


def describe(places: Mapping[int, Place | None], lost: Collection[int] = ()) -> str:
    """Which rank hangs in what, and what the others do; `places` by rank, None for one that never gave a sign.

    The ranks that hang are those that are lost; else those that do not wait for others; else those behind.
    """
    step = min(place.step for place in places.values() if place is not None)
    hanging = (
        sorted({*lost, *(rank for rank, place in places.items() if place is None)})
        or [rank for rank, place in places.items() if place is not None and place.phase not in WAITING]
        or [rank for rank, place in places.items() if place is not None and place.step == step]
    )
    groups: dict[tuple[str, str], list[int]] = {}
    for rank in (*hanging, *(rank for rank in sorted(places) if rank not in hanging)):
        place = places[rank]
        if place is None:
            key = "gives no sign", "give no sign"
        else:
            where = f"{place.phase} of step {place.step}"
            if rank in lost:
                key = f"gives no sign since {where}", f"give no sign since {where}"
            elif place.ended:
                key = f"has ended after step {place.step}", f"have ended after step {place.step}"
            elif place.phase in WAITING:
                key = f"waits in {where}", f"wait in {where}"
            else:
                key = f"is in {where}", f"are in {where}"
        groups.setdefault(key, []).append(rank)
    said = []
    for number, ((one, many), ranks) in enumerate(groups.items(), 1):
        if len(ranks) == 1:
            said.append(f"rank {ranks[0]} {one}")
        elif len(ranks) == len(places):
            said.append(f"all ranks {many}")
        elif number == len(groups):
            said.append(f"the others {many}")
        else:
            said.append(f"ranks {', '.join(map(str, ranks))} {many}")
    return ", ".join(said)
