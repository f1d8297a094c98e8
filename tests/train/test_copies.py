"""How often documents are shown: by their weight, exact to a document, and never once too often."""

from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from train.data.copies import Supply, offsets

MakeSupply = Callable[..., Supply]


documents = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([0.0, 0.25, 1.0, 1.7, 3.0]), st.integers(0, 90)),
    min_size=1,
    max_size=60,
)


def test_half_an_epoch_is_half_the_documents_and_the_next_half_the_others(make_supply: MakeSupply) -> None:
    supply = make_supply([0] * 501, [1.0] * 501, [10] * 501)
    half, whole = supply.copies(np.array([0.5])), supply.copies(np.array([1.0]))
    assert half.sum() in (250, 251) and set(half.tolist()) == {0, 1}
    assert (whole == 1).all()


@given(documents, st.lists(st.floats(0, 3), min_size=1, max_size=6), st.integers(0, 1 << 40))
def test_a_document_is_shown_its_weight_up_or_down_whatever_the_passes(
    make_supply: MakeSupply, rows: list[tuple[int, float, int]], passes: list[float], seed: int
) -> None:
    supply = make_supply(*map(list, zip(*rows, strict=True)), seed)
    so_far = np.zeros(len(rows), np.int64)
    for epochs in np.cumsum(passes):
        copies = supply.copies(np.full(len(supply.languages), epochs))
        assert (copies >= so_far).all(), "no pass takes back what an earlier one has shown"
        wanted = supply.weight.astype(float) * epochs
        assert (copies >= np.floor(wanted)).all() and (copies <= np.ceil(wanted)).all()
        so_far = copies


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 90)), min_size=1, max_size=80), st.floats(0, 5))
def test_tokens_are_those_planned_within_a_document(
    make_supply: MakeSupply, rows: list[tuple[int, int]], epochs: float
) -> None:
    language, cost = map(list, zip(*rows, strict=True))
    supply = make_supply(language, [1.0] * len(cost), cost)
    shown = supply.shown(np.full(len(supply.languages), epochs))
    largest = [
        max([tokens for of, tokens in rows if of == number], default=0) for number in range(len(supply.languages))
    ]
    assert (np.abs(shown - epochs * supply.sizes()) <= largest).all()


def test_rows_may_stand_in_any_order() -> None:
    draw = np.random.default_rng(2)
    language, weight = draw.integers(0, 3, 400).astype(np.int16), draw.choice([0.5, 1, 2], 400).astype(np.float32)
    cost, ids = draw.integers(0, 99, 400), draw.integers(0, 1 << 60, 400).astype(np.uint64)
    turned = draw.permutation(400)
    expected = offsets(language, weight, cost, ids, 5)[turned]
    assert (offsets(language[turned], weight[turned], cost[turned], ids[turned], 5) == expected).all()
    assert (offsets(language, weight, cost, ids, 6) != offsets(language, weight, cost, ids, 5)).any()


def test_each_weight_gets_its_part(make_supply: MakeSupply) -> None:
    weights = np.tile([0.25, 1.0, 1.7, 3.0], 500)
    supply = make_supply([0] * 2000, weights.tolist(), [20] * 2000)
    copies = supply.copies(np.array([0.6]))
    for weight in (0.25, 1.0, 1.7, 3.0):
        assert abs(copies[weights == weight].sum() - 0.6 * weight * 500) <= 1


def test_weights_that_are_all_different_are_right_on_average(make_supply: MakeSupply) -> None:
    weights = np.linspace(0.01, 2, 4000)
    supply = make_supply([0] * 4000, weights.tolist(), [20] * 4000)
    shown = supply.shown(np.array([0.7]))[0]
    assert abs(shown / (0.7 * supply.sizes()[0]) - 1) < 0.03
    light = supply.copies(np.array([0.7]))[weights < 0.5]
    assert abs(light.sum() / (0.7 * weights[weights < 0.5].sum()) - 1) < 0.15
