"""How many different texts a whole has: values by hand, and worlds whose truth is known."""

import random

import pytest

from pipeline.estimates.richness import alone, lower_bound, richness


def test_the_lower_bound_by_hand() -> None:
    # 2 of 10 archives: w = 2, r = 0.2/0.8 = 1/4; 30 + 20^2 / (2 * 2 * 10 + 20/4) = 30 + 400/45
    assert lower_bound(20, 10, 30, 2, 10) == pytest.approx(30 + 400 / 45)
    assert lower_bound(7, 0, 7, 4, 4) == 7  # all archives: what was seen
    assert lower_bound(0, 5, 5, 2, 10) == 5  # nothing was seen once: there is no more


def world(archives: int, taken: int, texts: int, copies: int, seed: int) -> tuple[list[set[int]], int]:
    """Texts of the sample by archive, and the sample's documents, where each text has so many copies by chance."""
    rng = random.Random(seed)
    having: dict[int, set[int]] = {}
    for text in range(texts):
        for archive in rng.sample(range(archives), copies):
            if archive < taken:
                having.setdefault(text, set()).add(archive)
    return list(having.values()), sum(map(len, having.values()))


@pytest.mark.parametrize("copies", [1, 3, 8])
def test_a_tenth_tells_how_many_texts_there_are(copies: int) -> None:
    """Where all texts have as many copies, however many that are."""
    found, drawn = world(40, 4, 3000, copies, seed=copies)
    told = richness(found, 4, 40, 3000.0 * copies, drawn)
    assert told.texts == pytest.approx(3000, rel=0.12)
    assert told.low <= told.texts <= told.high
    assert 0 <= told.deviation < 0.15


def test_all_archives_tell_it_exactly() -> None:
    found, drawn = world(5, 5, 200, 2, seed=1)
    told = richness(found, 5, 5, 400.0, drawn)
    assert (told.texts, told.deviation) == (200, 0.0)


def test_a_small_sample_says_how_little_it_knows() -> None:
    """Of a thousandth, the truth may lie anywhere between what copies and what their share say."""
    found = [{0}] * 980 + [{0, 1}] * 10
    told = richness(found, 2, 2000, 1_000_000.0, 1000)
    assert told.low < told.texts < told.high
    assert told.high == pytest.approx(990 * 1000)


def test_texts_of_which_there_is_one_copy() -> None:
    assert alone(100, 100) == 100
    assert alone(100, 300) == pytest.approx(100 * 0.1353, rel=1e-3)  # e^-2
    assert alone(0, 0) == 0
