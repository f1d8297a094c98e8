"""What workers tell, added up: no document twice, no number that falls, the ledger in the end."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.observed.counts import Key, as_rows
from pipeline.observed.sums import Sums

DOCUMENTS = Key("pages", "extract", "document")
ROWS = Key("rows", "clean", "kept")


def told(worker: str, place: int, documents: int, done: bool = False, read: int = 0, step: int = 1) -> dict[str, Any]:
    counts, spent = Counter({DOCUMENTS: documents}), Counter({Key("read_bytes", "extract", ""): read})
    return {
        "worker": worker, "step": step, "place": place, "done": done,
        "counts": as_rows(counts), "spent": as_rows(spent),
    }  # fmt: skip


def begun(*sizes: int) -> Sums:
    sums = Sums(clock=lambda: 0.0)
    sums.step_began(1, "extract", "extract", "archives", sizes)
    return sums


def test_a_task_done_twice_counts_once_and_costs_twice() -> None:
    sums = begun(1, 2)
    sums.told(told("a", 0, 40, read=100))
    sums.told(told("b", 0, 30, read=90))  # a copy of a slow task
    assert sums.totals()[DOCUMENTS] == 40
    sums.told(told("b", 0, 50, done=True, read=150))
    sums.told(told("a", 0, 50, done=True, read=160))
    sums.told(told("a", 1, 5, read=170))
    assert sums.totals()[DOCUMENTS] == 55
    assert sums.totals()[Key("read_bytes", "extract", "")] == 320
    assert sums.of_step(1) == {"done": 1, "counts": {"document": 55}}


def test_a_worker_that_died_is_not_counted_beside_its_successor() -> None:
    sums = begun(1)
    sums.told(told("dead", 0, 900))
    sums.told(told("next", 0, 10))
    assert sums.totals()[DOCUMENTS] == 900  # it does not fall
    sums.told(told("next", 0, 1000, done=True))
    sums.step_ended(1, as_rows(Counter({DOCUMENTS: 1000})))
    sums.told(told("late", 0, 1000, done=True))
    assert sums.totals()[DOCUMENTS] == 1000


def test_the_answers_that_were_taken_are_the_truth() -> None:
    """Also where no worker could be heard, and where one has said too much."""
    sums = begun(1)
    sums.step_ended(1, as_rows(Counter({DOCUMENTS: 7})))
    assert sums.totals()[DOCUMENTS] == 7
    sums.step_began(2, "extract", "extract", "archives", [1])
    sums.told(told("a", 0, 99, step=2))
    assert sums.totals()[DOCUMENTS] == 106
    sums.step_ended(2, as_rows(Counter({DOCUMENTS: 1})))
    assert sums.totals()[DOCUMENTS] == 8


def test_in_the_end_rows_are_the_ledger_s() -> None:
    sums = begun()
    sums.step_ended(1, as_rows(Counter({ROWS: 10})))
    sums.ledger("root/clean", "clean", 9, {})
    sums.ledger("root/clean", "clean", 12, {"short": 3, "language": 4})
    totals = sums.totals()
    assert totals[ROWS] == 12 and totals[Key("rows", "clean", "dropped")] == 7
    assert totals[Key("dropped", "clean", "short")] == 3
    sums.ledger("root/_canary/clean", "clean", 1, {"short": 1})
    assert sums.totals()[ROWS] == 13 and sums.totals()[Key("dropped", "clean", "short")] == 4


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.integers(0, 20), st.booleans()), max_size=60))
def test_no_number_falls_while_a_step_goes_on(messages: list[tuple[str, int, int, bool]]) -> None:
    sums, before = begun(1, 1, 1, 1), 0
    for worker, place, documents, done in messages:
        sums.told(told(worker, place, documents, done))
        now = sums.totals()[DOCUMENTS]
        assert now >= before
        before = now
