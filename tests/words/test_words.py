import gzip
import unicodedata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from pipeline.kernels.arrow_text import from_strings
from pipeline.words.characters import all_codepoints, build, characters
from pipeline.words.words import HAS_LETTER, IS_SINGLE, UNSPACED_SCRIPTS, is_spaced, word_hashes, words, words_of

SHARED = Path(__file__).resolve().parents[2] / "../shared"
UNSPACED = r"[[\p{scx=Hani}\p{scx=Hira}\p{scx=Kana}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}]--\p{scx=Latn}]"
SINGLES = rf"[[\p{{L}}\p{{N}}]&&{UNSPACED}]"
PATTERN = regex.compile(rf"(?V1){SINGLES}\p{{M}}*|[[\p{{L}}\p{{M}}\p{{N}}]--{SINGLES}]+")

# Characters of every class next to one another, rather than the mostly unassigned planes.
CHARACTERS = st.sampled_from("aZßİ1²é \n-_'.#漢字々のーガｶ、กิ่าำ๑ກັកាំ្មြန်ہَहिन्दी한ㅎ\u0301\u200c\u200d\ud800\U0001f600")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The quick-brown FOX, 42 times!", ["the", "quick", "brown", "fox", "42", "times"]),
        ("Straße İstanbul'da", ["strasse", "i̇stanbul", "da"]),
        ("Съешь ещё", ["съешь", "ещё"]),
        ("中文 和 iPhone手机 2024年", ["中", "文", "和", "iphone", "手", "机", "2024", "年"]),
        ("コーヒーを飲む", ["コ", "ー", "ヒ", "ー", "を", "飲", "む"]),
        ("한국어 텍스트", ["한국어", "텍스트"]),
        ("ภาษาไทย", ["ภ", "า", "ษ", "า", "ไ", "ท", "ย"]),
        ("ที่นี่", ["ที่", "นี่"]),
        ("ខ្មែរ", ["ខ្", "មែ", "រ"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("தமிழ் மொழி", ["தமிழ்", "மொழி"]),
        ("اللُّغَةُ العربية", ["اللُّغَةُ", "العربية"]),
        ("שָׁלוֹם עולם", ["שָׁלוֹם", "עולם"]),
        ("አማርኛ፡ቋንቋ።", ["አማርኛ", "ቋንቋ"]),
        ("ქართული ენა", ["ქართული", "ენა"]),
        ("", []),
        (" \n.,!", []),
    ],
)
def test_words_by_hand(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.text(CHARACTERS) | st.text(st.characters()))
def test_words_are_the_matches_of_the_pattern(text: str) -> None:
    assert words(text) == PATTERN.findall(text.casefold())


def test_every_code_point_alone_and_after_a_letter() -> None:
    for start in range(0, 0x110000, 0x2000):
        block = all_codepoints()[start : start + 0x2000]
        for text in (" ".join(block), " a".join(block), block):
            assert words(text) == PATTERN.findall(text.casefold())


@given(st.text(CHARACTERS), st.text(CHARACTERS))
def test_words_of_two_lines_are_the_words_of_each(first: str, second: str) -> None:
    assert words(f"{first}\n{second}") == words(first) + words(second)


@given(st.text(CHARACTERS))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert words(text.casefold()) == words(text)


def test_spans_are_bytes_of_the_text_as_it_stands() -> None:
    found = words_of(pa.array(["Groß, 漢字 7", "", None, "Été"]))
    assert found.offsets.tolist() == [0, 4, 4, 4, 5]
    assert list(zip(found.starts.tolist(), found.ends.tolist(), strict=True)) == [
        (0, 5),
        (7, 10),
        (10, 13),
        (14, 15),
        (0, 5),
    ]
    assert found.lengths.tolist() == [5, 1, 1, 1, 3]  # of the folded words: gross
    assert found.flags.tolist() == [HAS_LETTER, HAS_LETTER | IS_SINGLE, HAS_LETTER | IS_SINGLE, 0, HAS_LETTER]
    assert found.folded.tolist() == [11, 0, 0, 3]


def hash_by_definition(word: str) -> int:
    """splitmix64's constants, by Python's own integers."""
    mask, state = (1 << 64) - 1, 0x9E3779B97F4A7C15
    for character in word:
        state = ((state ^ ord(character)) * 0xBF58476D1CE4E5B9) & mask
        state ^= state >> 32
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & mask
    return state ^ (state >> 31)


@given(st.text(CHARACTERS))
def test_hashes_are_those_of_the_folded_words(text: str) -> None:
    found = words_of(from_strings([text]))
    assert found.hashes.tolist() == [hash_by_definition(word) for word in PATTERN.findall(text.casefold())]
    assert found.hashes.dtype == np.uint64


def test_hash_golden() -> None:
    """Stored signatures and lists rest on these."""
    assert word_hashes(["the", "Straße", "漢", "กิ่"]).tolist() == [
        hash_by_definition(w) for w in ("the", "strasse", "漢", "กิ่")
    ]
    assert word_hashes(["the"]).tolist() == [0x3DD092EEA7C40EAB]
    with pytest.raises(ValueError, match="'two words' is not one word"):
        word_hashes(["two words"])


def test_many_words_have_as_many_hashes() -> None:
    alphabet = "abcdefghijklmnopqrstuvwxyzабвгдежзиклмнопрст漢"
    many = {a + b + c for a in alphabet[:44] for b in alphabet[:44] for c in alphabet[:44]}
    assert len(np.unique(words_of(pa.array([" ".join(sorted(many))])).hashes)) == len(many)


@given(st.lists(st.text(CHARACTERS), max_size=5), st.integers(0, 3))
def test_a_batch_is_its_texts(texts: list[str], skip: int) -> None:
    batch = words_of(from_strings(texts)[skip:])
    alone = [words_of(from_strings([text])) for text in texts[skip:]]
    for name in ("starts", "ends", "hashes", "lengths", "flags"):
        assert getattr(batch, name).tolist() == [value for one in alone for value in getattr(one, name).tolist()]


@given(st.binary(max_size=60))
def test_broken_utf8_is_no_error(data: bytes) -> None:
    found = words_of(pa.array([data, b"end"], pa.large_binary()))
    assert (found.starts < found.ends).all()
    assert (found.ends[: found.offsets[1]] <= len(data)).all()
    assert found.lengths[-1] == 3


def test_the_tables_are_those_of_the_installed_unicode_data() -> None:
    """Under the Python that made the file; another folds the letters of another Unicode version."""
    if unicodedata.unidata_version != "14.0.0":
        pytest.skip("no Python with the Unicode data of the tables' file")
    stored, built = characters(), build()
    for name in stored._fields:
        assert np.array_equal(getattr(stored, name), getattr(built, name)), (
            f"{name}: python -m pipeline.words.characters"
        )


def test_unspaced_scripts() -> None:
    assert not any(is_spaced(script) for script in [*UNSPACED_SCRIPTS, "Hans", "Hant"])
    assert all(is_spaced(script) for script in ("Latn", "Hang", "Deva", "Arab", "Ethi", "Tibt", "Zyyy"))


@pytest.mark.parametrize("language", ["zho-CN", "jpn", "kor", "tha", "hin", "arb", "rus", "tur", "eng", "vie"])
def test_real_text(language: str) -> None:
    file = SHARED / f"data/parallel/{language}.txt.gz"
    if not file.exists():
        pytest.skip(f"no {file}")
    text = gzip.decompress(file.read_bytes()).decode()[:50_000]
    assert words(text) == PATTERN.findall(text.casefold())
