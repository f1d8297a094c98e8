"""Words by the characters of a text, in all kinds of scripts, for any cutting into tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.likelihood.word_pieces import word_ends, word_numbers

# Tokens, and the words that they are pieces of by hand, each word's tokens in brackets.
CASES = {
    "English": (["The", " ri", "ver", ",", " is", " high", "."], [1, 3, 1, 2]),
    "blanks go with the word behind them": (["a", " ", " ", "b", "\n", "\n", "c"], [1, 3, 3]),
    "blanks at the end are a word": (["a", "b", " ", "\n"], [2, 2]),
    "Russian": (["Она", " чита", "ет", " кни", "гу"], [1, 2, 2]),
    "Turkish": (["İstan", "bul", "’da", " ev", "ler"], [3, 2]),
    "Arabic": (["ال", "كتاب", " ال", "جديد"], [2, 2]),
    "Hebrew": (["ש", "לום", " עולם"], [2, 1]),
    "Hindi": (["न", "म", "स्ते", " दु", "निया", "।"], [3, 3]),
    "Tamil": (["வண", "க்கம்", " உல", "கம்"], [2, 2]),
    "Amharic": (["ሰ", "ላም", " ለ", "ዓለም"], [2, 2]),
    "Georgian": (["გა", "მარ", "ჯობა", " ხალხო"], [3, 1]),
    "Korean": (["한국", "어", " 문장", "입니다", "."], [2, 3]),
    "Chinese": (["北京", "是", "中国", "的", "首都", "。", "很", "好"], [1, 1, 1, 1, 1, 1, 1, 1]),
    "Chinese with Latin": (["他", "用", "Py", "thon", "写"], [1, 1, 2, 1]),
    "Japanese": (["東京", "タワー", "へ", "行", "く", "。"], [1, 1, 1, 1, 1, 1]),
    "Thai": (["ภาษา", "ไทย", " ", "ง่าย", "มาก"], [1, 1, 1, 1, 1]),
    "Lao": (["ພາ", "ສາ", "ລາວ"], [1, 1, 1]),
    "Khmer": (["ភា", "សា", "ខ្មែរ"], [1, 1, 1]),
    "Myanmar": (["မြန်", "မာ", "စာ"], [1, 1, 1]),
    "Tibetan": (["བོད", "་", "སྐད"], [1, 1, 1]),
}


def spans(tokens: list[str]) -> list[tuple[int, int]]:
    begins = [sum(map(len, tokens[:place])) for place in range(len(tokens))]
    return [(begin, begin + len(token)) for begin, token in zip(begins, tokens, strict=True)]


def sizes(numbers: list[int]) -> list[int]:
    return [numbers.count(number) for number in dict.fromkeys(numbers)]


@pytest.mark.parametrize("name", CASES)
def test_words_in_every_script(name: str) -> None:
    tokens, by_hand = CASES[name]
    assert sizes(word_numbers("".join(tokens), spans(tokens)).tolist()) == by_hand


def test_bytes_of_a_character_belong_together() -> None:
    """Four of 𠮷, then three of 家: each character is a unit, its bytes are not."""
    assert word_numbers("𠮷家", [(0, 1)] * 4 + [(1, 2)] * 3).tolist() == [0] * 4 + [1] * 3


def test_a_token_that_has_a_part_of_two_characters_joins_them() -> None:
    assert word_numbers("北京大", [(0, 2), (1, 3), (2, 3)]).tolist() == [0, 0, 0]


def test_a_token_over_words_makes_one_of_them() -> None:
    assert word_numbers("of the day", [(0, 1), (1, 5), (5, 6), (6, 10)]).tolist() == [0, 0, 0, 1]


def test_a_blank_behind_a_word_does_not_join_the_next() -> None:
    assert word_numbers("ab cd", [(0, 3), (3, 5)]).tolist() == [0, 1]


def test_marks_without_characters_belong_to_the_token_behind_them() -> None:
    assert word_numbers("a b", [(0, 0), (0, 1), (2, 2), (2, 3), (3, 3)]).tolist() == [0, 0, 1, 1, 1]
    assert word_numbers("", [(0, 0)]).tolist() == [0]
    assert word_numbers("", []).tolist() == []


@given(st.text(alphabet="ab 京สา\n.한", max_size=20), st.data())
def test_numbers_rise_by_one_and_no_word_is_cut(text: str, data: st.DataObject) -> None:
    """Whatever the cutting: two tokens of a run of letters are pieces of one word."""
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(text) - 1)), max_size=8))) if text else []
    ends = [*(cut for cut in cuts if cut < len(text)), len(text)]
    offsets = list(zip([0, *ends[:-1]], ends, strict=True))
    numbers = word_numbers(text, offsets).tolist()
    assert all(b - a in (0, 1) for a, b in zip([0, *numbers], numbers, strict=False))
    for (begin, cut), one, other in zip(offsets, numbers, numbers[1:], strict=False):
        inside = cut > begin and text[cut - 1] in "ab.한" and text[cut] in "ab.한"
        assert not inside or one == other


def test_ends_of_words() -> None:
    assert word_ends(word_numbers("ab c", [(0, 1), (1, 2), (2, 4)])).tolist() == [2, 2, 3]
