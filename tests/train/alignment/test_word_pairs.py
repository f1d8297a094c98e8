"""Words become numbers, whatever their script."""

import pytest

from train.alignment.word_pairs import identical_strings, known_pairs

# Chinese, Japanese, Korean, Thai, Khmer, Arabic, Hebrew, Hindi, Tamil, Amharic, Georgian, Russian, Turkish, English
WORDS = ["河", "川", "강", "แม่น้ำ", "ទន្លេ", "نهر", "נהר", "नदी", "ஆறு", "ወንዝ", "მდინარე", "река", "ırmak", "river"]


def test_words_written_the_same_are_pairs_whatever_their_script() -> None:
    other = ["2026", *reversed(WORDS), "Wikipedia"]
    found = identical_strings(["Wikipedia", *WORDS, "one", "2026"], other)
    expected = [(0, 15), *((1 + number, 14 - number) for number in range(14)), (16, 0)]
    assert found.tolist() == [list(one) for one in expected]


def test_case_and_form_make_other_strings() -> None:
    # Turkish has another capital of i; Cyrillic has letters that look Latin.
    assert identical_strings(["Paris", "paris", "İzmir", "о"], ["o", "izmir", "paris", "İzmir"]).tolist() == [
        [1, 2],
        [2, 3],
    ]


def test_a_word_that_is_listed_twice_is_its_first() -> None:
    assert identical_strings(["a", "b", "a"], ["c", "a", "a"]).tolist() == [[0, 1]]


def test_a_dictionary_s_known_words_are_pairs() -> None:
    first, second = ["the", "river", "Rhine", "rhine"], ["река", "Рейн", "рейн", "эта"]
    dictionary = [
        ("river", {"река", "поток"}),
        ("River", {"река"}),  # known in lower case, and the same pair again
        ("Rhine", {"Рейн"}),  # as it is written, where that is known
        ("RHINE", {"РЕЙН"}),
        ("sea", {"море", "эта"}),
    ]
    found = known_pairs(dictionary, first, second)
    assert found.pairs.tolist() == [[1, 0], [2, 1], [3, 2]]
    assert found.unknown == 3


def test_each_script_is_looked_up() -> None:
    found = known_pairs([(word, {"river"}) for word in WORDS], WORDS, ["water", "river"])
    assert found.pairs.tolist() == [[number, 1] for number in range(14)] and found.unknown == 0


def test_nothing_in_common() -> None:
    with pytest.raises(ValueError, match="no word is written the same on both sides"):
        identical_strings(["河", "水"], ["river", "water"])
    with pytest.raises(ValueError, match="none of 2 pairs of the dictionary has two known words"):
        known_pairs([("sea", {"mer"}), ("eau", {"water"})], ["river", "water"], ["rivière", "eau"])
    with pytest.raises(ValueError, match="none of 0 pairs"):
        known_pairs([], ["river"], ["rivière"])
