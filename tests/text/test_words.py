import gzip
from pathlib import Path

import numpy as np
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text.words import UNSPACED_SCRIPTS, all_codepoints, is_spaced, word_bounds, words

SHARED = Path(__file__).resolve().parents[2] / "../shared"
SINGLES = r"[[\p{L}\p{N}]&&[\p{scx=Hani}\p{scx=Hira}\p{scx=Kana}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}]]"
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


def test_bounds_point_into_the_folded_text() -> None:
    bounds = word_bounds("Groß, 漢字")
    assert bounds.folded == "gross, 漢字"
    assert bounds.starts.tolist() == [0, 7, 8]
    assert bounds.ends.tolist() == [5, 8, 9]
    assert bounds.codepoints.tolist() == [ord(c) for c in bounds.folded]
    assert bounds.codepoints.dtype == np.uint32


def test_unspaced_scripts() -> None:
    assert not any(is_spaced(script) for script in [*UNSPACED_SCRIPTS, "Hans", "Hant"])
    assert all(is_spaced(script) for script in ("Latn", "Hang", "Deva", "Arab", "Ethi", "Tibt", "Zyyy"))


@pytest.mark.parametrize("language", ["zho-CN", "jpn", "kor", "tha", "hin", "arb", "rus", "tur", "eng", "vie"])
def test_real_text(language: str) -> None:
    file = SHARED / f"data/parallel/{language}.txt.gz"
    if not file.exists():
        pytest.skip(f"{file.name} is absent")
    text = gzip.decompress(file.read_bytes()).decode()[:50_000]
    assert words(text) == PATTERN.findall(text.casefold())
