"""Which rows a step has: each once an epoch, of like lengths, the same whenever it is asked."""

from hypothesis import given
from hypothesis import strategies as st

from train.finetuning.order import Order, step_seed


@given(st.lists(st.integers(1, 50), min_size=1, max_size=300), st.integers(1, 40), st.integers(0, 3))
def test_each_row_once_an_epoch_in_even_batches(lengths: list[int], size: int, seed: int) -> None:
    order = Order(lengths, size, seed)
    for epoch in range(2):
        steps = range(epoch * order.batches_an_epoch, (epoch + 1) * order.batches_an_epoch)
        batches = [order.rows(step) for step in steps]
        assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
        sizes = {len(batch) for batch in batches}
        assert max(sizes) <= size and max(sizes) - min(sizes) <= 1


def test_steps_in_any_order_are_the_same_and_epochs_and_seeds_differ() -> None:
    lengths = list(range(100))
    there = [Order(lengths, 8, 0).rows(step) for step in range(26)]
    order = Order(lengths, 8, 0)
    assert [order.rows(step) for step in reversed(range(26))] == there[::-1]
    assert there[:13] != there[13:] and there != [Order(lengths, 8, 1).rows(step) for step in range(26)]


def test_batches_are_of_like_lengths() -> None:
    order = Order([number % 60 + 1 for number in range(1000)], 10, 0)
    spread = [max(rows) - min(rows) for rows in ([number % 60 for number in order.rows(step)] for step in range(100))]
    assert sum(spread) / len(spread) < 3


def test_chance_of_a_step() -> None:
    seeds = [step_seed(seed, step) for seed in range(3) for step in range(100)]
    assert len(set(seeds)) == 300 and seeds == [step_seed(seed, step) for seed in range(3) for step in range(100)]
    assert all(0 <= seed < 2**63 for seed in seeds)
