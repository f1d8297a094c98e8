"""A language's documents in order: complete, no more often than allowed, and resumable from any place."""

import math
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from train.corpus.hashing import GAMMA, combine, hash_id, mix64, unit
from train.corpus.token_cache import TokenBlock
from train.data.language_stream import LanguageStream, Place
from train.data.pieces import SPECIALS, bounds, copies, cut

MAX = 32
Corpus = list[tuple[list[int], list[int], list[float]]]


def corpus_of(sizes: list[int], weight: float = 1.0) -> Corpus:
    """Blocks of so many documents of 0 to 92 tokens."""
    blocks, first = [], 0
    for size in sizes:
        ids = list(range(first, first + size))
        blocks.append((ids, [number * 7 % 93 for number in ids], [weight] * size))
        first += size
    return blocks


def stream(there, seed: int = 3, max_epochs: float = math.inf) -> LanguageStream:
    return LanguageStream(there.blocks, there, seed, MAX, 0, max_epochs)


def walk(source: LanguageStream, place: Place, amounts: list[float]) -> tuple[list[tuple[int, ...]], list[Place]]:
    """(epoch, id, copy, piece, start, stop) of each piece in order, and the places behind each amount."""
    seen, places = [], []
    for amount in amounts:
        for part in source.take(place, amount):
            pieces = part.pieces
            rows = (pieces.epoch, pieces.id_hash, pieces.copy, pieces.piece, pieces.start, pieces.stop)
            seen += [tuple(int(value) for value in row) for row in zip(*rows, strict=True)]
            place = part.following
        places.append(place)
    return seen, places


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


@given(st.integers(0, 5000), st.integers(8, 600))
def test_pieces_cover_a_document(tokens: int, max_seq_len: int) -> None:
    pieces = cut(np.array([tokens]), max_seq_len)
    number = np.arange(pieces[0])
    start, stop = bounds(np.full(len(number), tokens), np.repeat(pieces, pieces[0]), number)
    parts = [np.arange(a, b) for a, b in zip(start, stop, strict=True)]
    assert np.concatenate(parts or [np.empty(0)]).tolist() == list(range(tokens))
    if tokens:
        lengths = stop - start + SPECIALS
        assert lengths.max() <= max_seq_len
        assert lengths.max() - lengths.min() <= 1


def test_three_epochs_show_every_token_three_times(made_up: Callable) -> None:
    there = made_up(*corpus_of([40, 1, 0, 25]))
    seen, places = walk(stream(there, max_epochs=3), Place(), [1e9])
    shown = Counter((row[1], token) for row in seen for token in range(row[4], row[5]))
    documents = [(hash_id(str(number)), number * 7 % 93) for number in range(66)]
    assert shown == {(document, token): 3 for document, tokens in documents for token in range(tokens)}
    assert places == [Place(3, 0, 0)]
    assert len(set(seen)) == len(seen)


def test_no_amount_is_exceeded_and_none_is_wasted(made_up: Callable) -> None:
    source = stream(made_up(*corpus_of([40, 25])))
    place = Place()
    for amount in (5, 100, 31, 777, 32):
        parts = list(source.take(place, amount))
        taken = sum(int(part.pieces.length.sum()) for part in parts)
        assert amount - MAX < taken <= amount
        place = parts[-1].following if parts else place


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 300), min_size=1, max_size=12), st.integers(0, 1 << 40))
def test_any_steps_are_the_same_stream(made_up: Callable, amounts: list[int], seed: int) -> None:
    source = stream(made_up(*corpus_of([12, 5, 9])), seed)
    seen, places = walk(source, Place(), [float(amount) for amount in amounts])
    whole, _ = walk(source, Place(), [1e5])
    assert seen == whole[: len(seen)]
    # From a place on, by another reader; and from one place to another.
    again, _ = walk(stream(made_up(*corpus_of([12, 5, 9])), seed), places[len(places) // 2], [2000.0])
    first = len(walk(source, Place(), [float(amount) for amount in amounts[: len(places) // 2 + 1]])[0])
    assert again == whole[first : first + len(again)]
    between = [
        part.pieces.id_hash.tolist()
        for start, stop in pairwise([Place(), *places])
        for part in source.between(start, stop)
    ]
    assert [one for part in between for one in part] == [row[1] for row in seen]


def test_epochs_and_seeds_have_orders_of_their_own(made_up: Callable) -> None:
    there = made_up(*corpus_of([30, 30]))
    seen, _ = walk(stream(there, max_epochs=2), Place(), [1e9])
    first, second = ([row[1:] for row in seen if row[0] == epoch] for epoch in (0, 1))
    other, _ = walk(stream(there, seed=4, max_epochs=1), Place(), [1e9])
    assert sorted(first) == sorted(second) == sorted(row[1:] for row in other)
    assert first != second and first != [row[1:] for row in other]


def test_a_start_reads_one_block(made_up: Callable) -> None:
    there = made_up(*corpus_of([10] * 200))
    source = stream(there)
    list(source.take(Place(7, 123, 5), 40.0))
    assert len(set(there.reads)) == 1


def test_pages_that_are_taken_down_move_nothing_else(made_up: Callable) -> None:
    before, after = made_up(*corpus_of([30, 30])), made_up(*corpus_of([30, 30]))
    for ids, lengths, weights in after.content:
        for at in (17, 3):
            del ids[at], lengths[at], weights[at]
    _, places = walk(stream(before), Place(), [700.0])
    kept = {hash_id(str(number)) for ids, _, _ in after.content for number in ids}
    expected = [row for row in walk(stream(before, max_epochs=2), places[0], [1e9])[0] if row[1] in kept]
    assert walk(stream(after, max_epochs=2), places[0], [1e9])[0] == expected


def block(weights: list[float]) -> TokenBlock:
    count = len(weights)
    hashes = combine(1, np.arange(count))
    tokens = np.full(count, 5)
    return TokenBlock(hashes, tokens, np.array(weights), np.cumsum(tokens) - tokens, np.zeros(5 * count, np.uint16), 9)


@given(
    st.lists(st.sampled_from([0.0, 0.25, 1.0, 1.7, 3.0]), min_size=1, max_size=60),
    st.lists(st.floats(0, 3), min_size=1, max_size=6),
    st.integers(0, 1 << 40),
)
def test_a_document_is_shown_its_weight_up_or_down(weights: list[float], epochs: list[float], seed: int) -> None:
    total, so_far = np.zeros(len(weights), np.int64), 0.0
    for stop in np.cumsum(epochs).tolist():
        total += copies(block(weights), seed, so_far, stop)
        so_far = stop
        wanted = np.array(weights) * stop
        assert (total >= np.floor(wanted)).all() and (total <= np.ceil(wanted)).all()


def test_a_fraction_of_an_epoch_is_that_part_of_the_documents() -> None:
    weights = np.tile([0.5, 1.0, 2.0], 1500).tolist()
    half = copies(block(weights), 1, 0.0, 0.5)
    for weight in (0.5, 1.0, 2.0):
        assert half[np.array(weights) == weight].mean() == pytest.approx(weight / 2, abs=0.04)
    whole = half + copies(block(weights), 1, 0.5, 1.0)
    assert (whole[1::3] == 1).all() and (whole[2::3] == 2).all()


def test_a_language_without_text_ends(made_up: Callable) -> None:
    for sizes in ([], [0, 0], [1]):  # document 0 has no tokens
        assert list(stream(made_up(*corpus_of(sizes))).take(Place(), 1e9)) == []
