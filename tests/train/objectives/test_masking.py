"""Which tokens are hidden, how, and that a sequence's mask is its own."""

import numpy as np
import pytest

from train.corpus.hashing import combine
from train.corpus.vocabulary import Vocabulary, open_vocabulary, word_beginnings
from train.data.batches import Sequences
from train.objectives.masking import NOTHING, MaskLabeller, choose, hide

LENGTHS = np.full(400, 50)


def mask_tokens(
    tokens: np.ndarray, lengths: np.ndarray, keys: np.ndarray, vocabulary: Vocabulary, share: float
) -> tuple[np.ndarray, np.ndarray]:
    chosen = choose(tokens, lengths, keys, vocabulary, share)
    return hide(tokens, lengths, keys, vocabulary, chosen), chosen


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


def test_a_choice_is_that_of_sorting_by_sequence_and_draw(vocabulary: Vocabulary) -> None:
    """Sequences of all lengths, against a plain loop."""
    from train.corpus.hashing import GAMMA, mix64, unit

    draw = np.random.default_rng(1)
    lengths = draw.integers(2, 90, 60)
    tokens = draw.integers(0, 200, lengths.sum())
    keys = combine(9, np.arange(60))
    expected, first = [], 0
    for length, key in zip(lengths.tolist(), keys, strict=True):
        own = tokens[first : first + length]
        free = np.flatnonzero(~vocabulary.special[own])
        count = int(len(free) * 0.3 + unit(mix64(key[None]))[0])
        order = mix64(key + (2 * free + 1).astype(np.uint64) * GAMMA)
        expected += sorted((first + free[np.argsort(order)[:count]]).tolist())
        first += length
    assert choose(tokens, lengths, keys, vocabulary, 0.3).tolist() == expected


@pytest.mark.parametrize(
    ("tokens", "beginnings"),
    [
        (["\u2581the", "re", "\u2581", "河", "水", "ขนม", "ខ្មែរ", "ー", "ა", "<s>"], [1, 0, 1, 1, 1, 1, 1, 1, 0, 0]),
        (["the", "##re", "##s", "河", "##水", "##ម"], [1, 0, 0, 1, 1, 1]),
        (["\u0120the", "re", "\u0120й"], [1, 0, 1]),
        (["a", "b"], [1, 1]),
    ],
)
def test_which_tokens_begin_a_word(tokens: list[str], beginnings: list[int]) -> None:
    found = word_beginnings({token: number for number, token in enumerate(tokens)}, len(tokens))
    assert found.astype(int).tolist() == beginnings


def test_whole_words_are_hidden_or_not(vocabulary: Vocabulary) -> None:
    """Words of one to four tokens: each is chosen whole or not at all, and the share stays about what it was."""
    begins = np.flatnonzero(vocabulary.begins_word & ~vocabulary.special)
    goes_on = np.flatnonzero(~vocabulary.begins_word & ~vocabulary.special)
    draw = np.random.default_rng(3)
    tokens, words = [], []
    for number in range(1500):
        size = int(draw.integers(1, 5))
        tokens += [int(draw.choice(begins)), *draw.choice(goes_on, size - 1).tolist()]
        words += [number] * size
    lengths = np.array([len(tokens) // 30] * 29 + [len(tokens) - 29 * (len(tokens) // 30)])
    keys = combine(4, np.arange(30))
    chosen = np.zeros(len(tokens), bool)
    chosen[choose(np.array(tokens), lengths, keys, vocabulary, 0.3, whole_words=True)] = True
    assert abs(chosen.mean() - 0.3) < 0.02
    ends = set(np.cumsum(lengths).tolist())
    for place in range(1, len(tokens)):
        if words[place] == words[place - 1] and place not in ends:
            assert chosen[place] == chosen[place - 1]


def test_labels_of_one_shape(vocabulary: Vocabulary, tokens: np.ndarray) -> None:
    labeller = MaskLabeller(vocabulary, 3, lambda step: 0.3 if step else 0.1, 0.3)
    sequences = Sequences(tokens, LENGTHS, np.arange(400) % 3, KEYS)
    few, many = labeller(sequences, 0, {}), labeller(sequences, 1, {})
    assert few.units.sum() == len(few.arrays["labels"]) < many.units.sum() == len(many.arrays["labels"])
    padded = [labeller.pad(labels, 20480) for labels in (few, many)]
    assert len({len(labels.arrays["places"]) for labels in padded}) == 1
    for labels, before in zip(padded, (few, many), strict=True):
        count = len(before.arrays["labels"])
        assert labels.arrays["labels"][:count].tolist() == before.arrays["labels"].tolist()
        assert (labels.arrays["labels"][count:] == NOTHING).all() and labels.units is before.units
