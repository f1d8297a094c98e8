"""What a text looks like, by hand, and that it looks so in any script and any batch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.kernels.arrow_text import from_strings, utf8
from pipeline.scores import segments, shapes
from pipeline.scores.segments import COLUMNS, find_segments
from pipeline.scores.tokens import hashed_sequence, lines_of, name_keys, span_keys, tokens_of
from pipeline.words.characters import characters
from pipeline.words.words import words_of

TERMINAL, NONE, DIGIT = segments.TERMINAL_END, segments.WORD_END, segments.DIGIT_END
CAPITAL, SMALL, UNCASED, NUMBER = segments.CAPITAL, segments.SMALL, segments.UNCASED, segments.NUMBER
# By text: what its segments are, as first, last, quarters, line, begin, end.
BY_HAND = {
    "The cat sat. It was happy; the cat!\n• Contact – 42\nMore...\nlast, 3.5 km": [
        (0, 3, 12, 0, CAPITAL, TERMINAL), (3, 8, 20, 0, CAPITAL, TERMINAL), (8, 10, 8, 1, segments.AFTER_MARK, DIGIT),
        (10, 11, 4, 2, CAPITAL, segments.ELLIPSIS_END), (11, 15, 16, 3, SMALL, NONE),
    ],
    "我们今天去公园。天气很好！\n首页|关于": [
        (0, 7, 14, 0, UNCASED, TERMINAL), (7, 11, 8, 0, UNCASED, TERMINAL), (11, 15, 8, 1, UNCASED, NONE),
    ],
    "公園に行く。\n12 件": [(0, 5, 10, 0, UNCASED, TERMINAL), (5, 7, 6, 1, NUMBER, NONE)],
    "공원에 간다. 날씨가 좋다:": [(0, 2, 8, 0, UNCASED, TERMINAL), (2, 4, 8, 0, UNCASED, segments.COLON_END)],
    "ไปสวน วันนี้": [(0, 8, 8, 0, UNCASED, NONE)],
    "ទៅសួន។ ថ្ងៃ": [(0, 3, 3, 0, UNCASED, TERMINAL), (3, 5, 2, 0, UNCASED, NONE)],
    "ذهب إلى الحديقة؟ نعم": [(0, 3, 12, 0, UNCASED, TERMINAL), (3, 4, 4, 0, UNCASED, NONE)],
    "הלך לגן. כן": [(0, 2, 8, 0, UNCASED, TERMINAL), (2, 3, 4, 0, UNCASED, NONE)],
    "वह गया।फिर आया": [(0, 2, 8, 0, UNCASED, TERMINAL), (2, 4, 8, 0, UNCASED, NONE)],
    "அவன் போனான். பின்": [(0, 2, 8, 0, UNCASED, TERMINAL), (2, 3, 4, 0, UNCASED, NONE)],
    "ወደ ገበያ ሄደ። ተመለሰ": [(0, 3, 12, 0, UNCASED, TERMINAL), (3, 4, 4, 0, UNCASED, NONE)],
    "წავიდა პარკში. მერე": [(0, 2, 8, 0, UNCASED, TERMINAL), (2, 3, 4, 0, UNCASED, NONE)],
    "Он ушёл. потом (вернулся)": [(0, 2, 8, 0, CAPITAL, TERMINAL), (2, 4, 8, 0, SMALL, segments.CLOSING_END)],
    "İstanbul'a gitti. ışık": [(0, 3, 12, 0, CAPITAL, TERMINAL), (3, 4, 4, 0, SMALL, NONE)],
    "  \n . ": [],
    "": [],
}  # fmt: skip


def found(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    together = from_strings(texts)
    words = words_of(together)
    return find_segments(
        *utf8(together), words.offsets, words.starts, words.ends, words.hashes, words.lengths, words.flags, characters()
    )


def column(rows: np.ndarray, name: str) -> list[int]:
    return [int(value) for value in rows[:, COLUMNS.index(name)]]


def test_segments_by_hand() -> None:
    offsets, rows = found(list(BY_HAND))
    names = ("first", "last", "quarters", "line", "begin", "end")
    for place, (text, expected) in enumerate(BY_HAND.items()):
        own = rows[offsets[place] : offsets[place + 1]]
        assert list(zip(*(column(own, name) for name in names), strict=True)) == expected, text


def test_what_is_counted_by_hand() -> None:
    _, rows = found(["The old River rose. The old river, 12 km, fell.\nAbout us\nRIVERS of the olds rose\nAbout us"])
    assert column(rows, "capitals") == [1, 0, 0, 0, 0]  # not that of a segment's beginning
    assert column(rows, "digits") == [0, 1, 0, 0, 0]
    assert column(rows, "marks") == [1, 3, 0, 0, 0]
    assert column(rows, "seen") == [0, 3, 0, 3, 2]  # `rivers` begins as `river` does, `olds` does not as `old`
    assert column(rows, "pairs") == [0, 2, 0, 0, 1]  # old river, and the old, about us: not of the words before
    assert column(rows, "same") == [0, 0, 0, 0, 1]
    assert column(rows, "units") == [4, 6, 2, 5, 2]


def test_long_sentences_and_long_texts_are_cut() -> None:
    offsets, rows = found(["word " * 100, "字" * 100, "ก" * 200, "a " * (segments.MOST_WORDS + 500) + "b."])
    assert [column(rows[offsets[i] : offsets[i + 1]], "quarters") for i in range(3)] == [
        [160, 160, 80], [160, 40], [160, 40],
    ]  # fmt: skip
    last = rows[offsets[3] : offsets[4]]
    assert column(last, "last")[-1] == segments.MOST_WORDS
    assert column(last, "end")[0] == segments.CUT_END


LATIN = "abcdefghijklmnopqrstuvwxyz"
OTHERS = ("абвгдежзиклмнопрстуфхцчшщъ", "աբգդեզէըթժիլխծկհձղճմյնշոչպ", "αβγδεζηθικλμνξοπρστυφχψωϊϋ")
letters = st.text(st.sampled_from(LATIN + LATIN.upper() + "    \n\n.,:!?()|-•"), min_size=1, max_size=400)


@pytest.mark.parametrize("other", OTHERS)
@settings(max_examples=60, deadline=None)
@given(text=letters)
def test_a_text_looks_alike_in_every_script(other: str, text: str) -> None:
    """Letter by letter in another alphabet a text has the very same tokens, but for its words; and but for `phrases`,
    of which a hash may say too much once in PAIR_BITS words."""
    swapped = text.translate(str.maketrans(LATIN + LATIN.upper(), other + other.upper()))
    pair = from_strings([text, swapped])
    tokens = tokens_of(pair, words_of(pair))
    middle = tokens.segment_offsets[1]
    np.testing.assert_array_equal(tokens.of_segments[:middle], tokens.of_segments[middle:])
    if middle:
        exact = [place for place, (name, _) in enumerate(shapes.OF_TEXT) if name != "phrases"]
        np.testing.assert_array_equal(tokens.of_texts[0, exact], tokens.of_texts[1, exact])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(max_size=120), min_size=1, max_size=5))
def test_hashes_are_those_of_the_line(texts: list[str]) -> None:
    """A model is asked about the tokens that it is fitted on, whatever the text, alone or among others."""
    together = from_strings(texts)
    words = words_of(together)
    tokens, lines = tokens_of(together, words), lines_of(together, words)
    offsets, fnv = hashed_sequence(together, words, tokens)
    for place, text in enumerate(texts):
        alone = from_strings([text])
        assert lines_of(alone, words_of(alone)) == [lines[place]]
        split = lines[place].split(b" ") if lines[place] else []
        data = np.frombuffer(b"".join(split), np.uint8)
        bounds = np.concatenate([[0], np.cumsum([len(token) for token in split])]).astype(np.int64)
        expected = []
        for segment in range(tokens.segment_offsets[place], tokens.segment_offsets[place + 1]):
            expected += name_keys()[tokens.of_segments[segment]].tolist()
            expected += name_keys()[tokens.of_texts[place]].tolist()
            expected += tokens.keys[tokens.first[segment] : tokens.last[segment]].tolist()
        assert span_keys(data, bounds).tolist() == expected
        assert [_fnv(token) for token in split] == fnv[offsets[place] : offsets[place + 1]].tolist()
        assert (len(split) == 0) == (words.offsets[place] == words.offsets[place + 1])


def _fnv(token: bytes) -> int:
    """fastText's, whose bytes are signed."""
    state = 2166136261
    for byte in token:
        state = (state ^ (byte | 0xFFFFFF00 if byte > 127 else byte)) * 16777619 & 0xFFFFFFFF
    return state


def test_a_word_is_said_folded_and_numbers_by_their_length() -> None:
    text = from_strings(["Straße 2019 COVID19 19th İSTANBUL ＡＢＣ ΑΣ 字2 ١٢"])
    (line,) = lines_of(text, words_of(text))
    said = [token for token in line.decode().split() if not token.startswith("~")]
    assert said == ["strasse", "0000", "covid19", "00th", "i̇stanbul", "ａｂｃ", "ας".replace("ς", "σ"), "字", "0", "١٢"]


def test_broken_utf8_and_names_of_tokens() -> None:
    assert len(set(shapes.NAMES)) == len(shapes.NAMES)
    raw = from_strings(["abc \ud800 def."])
    assert len(lines_of(raw, words_of(raw))) == 1
