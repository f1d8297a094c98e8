"""Which tokens are hidden, how, and that a sequence's mask is its own."""

import numpy as np
import pytest

from train.data.hashing import combine
from train.data.masking import mask_tokens
from train.data.vocabulary import Vocabulary, open_vocabulary

LENGTHS = np.full(400, 50)


@pytest.fixture(scope="module")
def vocabulary(corpus) -> Vocabulary:
    return open_vocabulary(corpus.tokenizer)


@pytest.fixture(scope="module")
def tokens(vocabulary: Vocabulary) -> np.ndarray:
    """400 sequences of 50 tokens, each with its frame and a few unknown tokens in the middle."""
    draw = np.random.default_rng(5).choice(vocabulary.ordinary, (400, 50))
    draw[:, 0], draw[:, -1] = vocabulary.special_ids["bos"], vocabulary.special_ids["eos"]
    draw[:, 20:23] = 1  # <unk>
    return draw.reshape(-1).astype(np.int64)


KEYS = combine(3, np.arange(400))


def test_special_tokens_are_never_chosen(vocabulary: Vocabulary, tokens: np.ndarray) -> None:
    for probability in (0.3, 0.99):
        _, chosen = mask_tokens(tokens, LENGTHS, KEYS, vocabulary, probability)
        assert not vocabulary.special[tokens[chosen]].any()


def test_only_chosen_tokens_change_and_ids_stay_in_the_vocabulary(vocabulary: Vocabulary, tokens: np.ndarray) -> None:
    hidden, chosen = mask_tokens(tokens, LENGTHS, KEYS, vocabulary, 0.3)
    changed = np.flatnonzero(hidden != tokens)
    assert np.isin(changed, chosen).all()
    new = hidden[changed]
    assert (np.isin(new, vocabulary.ordinary) | (new == vocabulary.special_ids["mask"])).all()
    assert (np.diff(chosen) > 0).all()


def test_each_sequence_has_its_share(vocabulary: Vocabulary, tokens: np.ndarray) -> None:
    """45 tokens of text each: 13.5 guesses, so 13 in half of the sequences and 14 in the others."""
    _, chosen = mask_tokens(tokens, LENGTHS, KEYS, vocabulary, 0.3)
    counts = np.bincount(chosen // 50, minlength=400)
    assert set(counts.tolist()) == {13, 14}
    assert 160 < (counts == 13).sum() < 240


def test_every_place_is_as_likely(vocabulary: Vocabulary, tokens: np.ndarray) -> None:
    keys = combine(3, np.arange(400), 1)
    counts = np.zeros(50)
    for salt in range(10):
        _, chosen = mask_tokens(tokens, LENGTHS, combine(keys, salt), vocabulary, 0.3)
        counts += np.bincount(chosen % 50, minlength=50)
    free = np.delete(np.arange(50), [0, 20, 21, 22, 49])
    assert counts.sum() == counts[free].sum()
    assert np.abs(counts[free] / 4000 - 0.3).max() < 0.04  # 5.5 standard deviations


def test_80_10_10_and_even_replacement(vocabulary: Vocabulary, tokens: np.ndarray) -> None:
    hidden, chosen = mask_tokens(tokens, LENGTHS, KEYS, vocabulary, 0.9)
    total = len(chosen)
    masked = hidden[chosen] == vocabulary.special_ids["mask"]
    same = hidden[chosen] == tokens[chosen]
    other = ~masked & ~same
    assert abs(masked.mean() - 0.8) < 0.015 and abs(same.mean() - 0.1) < 0.015 and abs(other.mean() - 0.1) < 0.015
    drawn = np.searchsorted(vocabulary.ordinary, hidden[chosen][other])
    halves = np.bincount(drawn * 4 // len(vocabulary.ordinary), minlength=4) / len(drawn)
    assert total > 15_000 and np.abs(halves - 0.25).max() < 0.05


def test_a_mask_does_not_depend_on_company(vocabulary: Vocabulary, tokens: np.ndarray) -> None:
    hidden, chosen = mask_tokens(tokens, LENGTHS, KEYS, vocabulary, 0.3)
    for number in (0, 17, 399):
        part = slice(number * 50, number * 50 + 50)
        alone, places = mask_tokens(tokens[part], LENGTHS[:1], KEYS[number : number + 1], vocabulary, 0.3)
        assert alone.tolist() == hidden[part].tolist()
        assert (places + number * 50).tolist() == chosen[(chosen >= part.start) & (chosen < part.stop)].tolist()


def test_mean_share_is_exact_for_short_sequences(vocabulary: Vocabulary) -> None:
    """One token of text a sequence: it is guessed in 30 % of them, not in none."""
    text = int(vocabulary.ordinary[0])
    frame = [vocabulary.special_ids["bos"], text, vocabulary.special_ids["eos"]]
    tokens = np.array(frame * 5000)
    _, chosen = mask_tokens(tokens, np.full(5000, 3), combine(3, np.arange(5000)), vocabulary, 0.3)
    assert abs(len(chosen) / 5000 - 0.3) < 0.03
    assert (chosen % 3 == 1).all()


def test_nothing_at_all(vocabulary: Vocabulary) -> None:
    nothing = np.empty(0, np.int64)
    hidden, chosen = mask_tokens(nothing, nothing, nothing.astype(np.uint64), vocabulary, 0.3)
    assert len(hidden) == len(chosen) == 0
