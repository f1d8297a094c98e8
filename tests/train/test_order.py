"""The order of the data hangs on seed, pass and id alone, shows what it should, and loses nothing."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from train.data.hashing import GAMMA, combine, hash_id, mix64, unit
from train.data.order import SPECIALS, bounds, cut, order_pass

IDS = np.array([hash_id(f"<urn:uuid:{number}>") for number in range(500)], np.uint64)
TOKENS = np.arange(500, dtype=np.int64) * 7 % 93


def places(id_hash: np.ndarray, tokens: np.ndarray, copies: np.ndarray, seed: int, pass_index: int) -> list[tuple]:
    order = order_pass(id_hash, tokens, copies, seed, pass_index, 32)
    rows = zip(id_hash[order.row], order.copy, order.piece, order.lengths, strict=True)
    return [tuple(int(value) for value in row) for row in rows]


def test_mix64_is_splitmix64() -> None:
    """The first outputs of SplitMix64 from seed 0, as its authors' C program gives them."""
    counter = np.arange(1, 3, dtype=np.uint64) * GAMMA
    assert [hex(int(value)) for value in mix64(counter)] == ["0xe220a8397b1dcdaf", "0x6e789e6aa1b965f4"]


def test_keys_of_a_hash_have_an_order() -> None:
    assert combine(1, 2)[0] != combine(2, 1)[0]
    assert len(np.unique(combine(1, np.arange(10_000)))) == 10_000


def test_unit_is_even() -> None:
    values = unit(combine(1, np.arange(100_000)))
    assert values.min() >= 0 and values.max() < 1
    counts = np.bincount((values * 20).astype(int), minlength=20)
    assert ((counts - 5000) ** 2 / 5000).sum() < 43.8  # chi-square of 19 degrees at p = 0.001


def test_order_does_not_depend_on_rows() -> None:
    copies = np.where(np.arange(500) % 3, 1, 2)
    shuffle = np.random.default_rng(1).permutation(500)
    expected = places(IDS, TOKENS, copies, 7, 0)
    assert places(IDS[shuffle], TOKENS[shuffle], copies[shuffle], 7, 0) == expected
    assert len(set(expected)) == len(expected)


def test_a_document_keeps_its_place_when_others_leave() -> None:
    copies = np.ones(500, np.int64)
    kept = np.arange(500) % 4 != 0
    everything = places(IDS, TOKENS, copies, 7, 0)
    left = set(IDS[kept].tolist())
    assert places(IDS[kept], TOKENS[kept], copies[kept], 7, 0) == [p for p in everything if p[0] in left]


def test_seed_and_pass_change_the_order_not_the_content() -> None:
    copies = np.ones(500, np.int64)
    first = places(IDS, TOKENS, copies, 7, 0)
    for other in (places(IDS, TOKENS, copies, 8, 0), places(IDS, TOKENS, copies, 7, 1)):
        assert other != first
        assert sorted(other) == sorted(first)


def test_order_is_not_by_language_or_length() -> None:
    order = order_pass(IDS, TOKENS, np.ones(500, np.int64), 3, 0, 1000)
    ranks = np.corrcoef(np.arange(len(order)), order.row)[0, 1]
    assert abs(ranks) < 0.15


@given(st.integers(0, 5000), st.integers(8, 600))
def test_pieces_cover_a_document(tokens: int, max_seq_len: int) -> None:
    pieces = cut(np.array([tokens]), max_seq_len)
    number = np.arange(pieces[0])
    start, stop = bounds(np.full(len(number), tokens), np.repeat(pieces, pieces[0]), number)
    assert np.concatenate([np.arange(a, b) for a, b in zip(start, stop, strict=True)] or [[]]).tolist() == list(
        range(tokens)
    )
    if tokens:
        lengths = stop - start + SPECIALS
        assert lengths.max() <= max_seq_len
        assert lengths.max() - lengths.min() <= 1
