import itertools
import re
import time
import unicodedata

import pytest
from ftfy.badness import BADNESS_RE, is_bad
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.repair import _suspect, repair

MOJIBAKE_CHARACTERS = sorted(
    {c for c in BADNESS_RE.pattern if ord(c) >= 0x80}
    | {
        chr(c)
        for first, last in re.findall("([^\x00-\x7f])-([^\x00-\x7f])", BADNESS_RE.pattern)
        for c in range(ord(first), ord(last) + 1)
    }
    | set("aA z.,?!")
)


@pytest.mark.parametrize(
    ("broken", "repaired"),
    [
        ("sÃ³lo una vez", "sólo una vez"),
        ("voilÃ  le travail", "voilà le travail"),
        ("itâ€™s", "it’s"),
        ("\u00d0\u009f\u00d1\u0080\u00d0\u00b8\u00d0\u00b2\u00d0\u00b5\u00d1\u0082", "Привет"),
        ("æ\u0097¥æ\u009c¬èª\u009e", "日本語"),
        ("à¸\xa0à¸²à¸©à¸²à¹„à¸—à¸¢", "ภาษาไทย"),
        ("smart \x93quotes\x94", "smart “quotes”"),
        ("one line is fine: é\nthe other isnâ€™t", "one line is fine: é\nthe other isn’t"),
    ],
)
def test_mojibake(broken: str, repaired: str) -> None:
    assert repair(broken) == repaired


@pytest.mark.parametrize(
    "text",
    [
        "plain ASCII\n\twith a tab",
        "“curly” ‘quotes’ — stay…",
        "ﬁne ligature, ＦＵＬＬ　ＷＩＤＴＨ，ｶﾀｶﾅ、",
        "&lt;b&gt; &amp;amp; &eacute;",
        "Ça coûte 5 €, déjà vu «été»",
        "Đà Nẵng, Âu Lạc",
        "İstanbul’da IŞIĞI",
        "«Москва» – столица",
        "می‌خواهم",  # ZWNJ
        "ශ්‍රී",  # ZWJ
        "👩‍👩‍👧 🏴󠁧󠁢󠁷󠁬󠁳󠁿",
        "ที่นี่ ខ្មែរ አማርኛ ქართული தமிழ் עִבְרִית 한국어 中文，日本語。",
        "ÅÄÖ GRÖSSE SMÖRGÅSBORD",
    ],
)
def test_good_text_stays(text: str) -> None:
    assert repair(text) is text


@pytest.mark.parametrize(
    ("broken", "repaired"),
    [
        ("a\r\nb\rc\u2028d\u2029e\vf\fg", "a\nb\nc\nd\ne\nf\ng"),
        ("nul\x00 bell\x07 delete\x7f bom\ufeff ende\uffff", "nul bell delete bom ende"),
        ("lone \ud800 and \udfff", "lone  and "),
        ("pair \ud83d\ude00", "pair \U0001f600"),
        ("e\u0301 \u1100\u1161", "\u00e9 \uac00"),
        ("q\u0323\u0307 q\u0307\u0323", "q\u0323\u0307 q\u0323\u0307"),
        ("\u0958", "\u0915\u093c"),  # a composition exclusion
        ("", ""),
    ],
)
def test_characters(broken: str, repaired: str) -> None:
    assert repair(broken) == repaired


def test_nothing_bad_escapes_the_quick_look() -> None:
    suspect = _suspect()
    for first, second in itertools.product(MOJIBAKE_CHARACTERS, repeat=2):
        for text in (first + second, f"a{first}{second} ", f" {first}{second}a"):
            assert suspect.search(text) or not is_bad(text), ascii(text)


@settings(max_examples=1000)
@given(st.text(st.sampled_from(MOJIBAKE_CHARACTERS), min_size=3))
def test_nothing_bad_escapes_the_quick_look_in_longer_text(text: str) -> None:
    assert _suspect().search(text) or not is_bad(text)


@given(st.text(st.characters(codec=None)))
def test_any_string(text: str) -> None:
    repaired = repair(text)
    assert unicodedata.is_normalized("NFC", repaired)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\ufeff]", repaired)
    assert repair(repaired) == repaired


def test_stacked_marks_take_linear_time_and_keep_the_text() -> None:
    text = "a" + "\u0315\u0300" * 100_000  # 27 seconds by unicodedata.normalize alone
    start = time.process_time()
    repaired = repair(text)
    assert time.process_time() - start < 5
    assert repaired[0] == "\u00e0"
    assert repaired.count("\u0300") == 100_000 - 1
    assert repair(repaired) == repaired
