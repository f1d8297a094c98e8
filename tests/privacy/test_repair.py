import itertools
import re
import time
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.kernels.arrow_text import from_strings
from pipeline.privacy.charsets import charsets
from pipeline.privacy.invisible import INVISIBLE, ODD, SURROGATE, UNWANTED
from pipeline.privacy.repair import repair, repair_column
from pipeline.privacy.suspects import look


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
        "ﬁne ligature，。！？（）：；　｢｣､･｡",
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


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        ("pass\u200bword, so\u00adft hy\u00adphen", "password, soft hyphen"),
        ("auf\u200clage, x\u200dy, a\u2060b\u2063c", "auflage, xy, abc"),
        ("任\u200b务 时\u200c间", "任务 时间"),
        ("ภาษา\u200b\u200bไทย \u200bคำ", "ภาษา\u200bไทย คำ"),
        ("ខ្មែរ\u200bភាសា\u200b។ a\u200bខ", "ខ្មែរ\u200bភាសា\u200b។ aខ"),
        ("日本\u200bの\u200bカナ\u200b、", "日本\u200bの\u200bカナ、"),
        ("می\u200c\u200cخواهم ه\u200d، ا\u200bب", "می\u200cخواهم ه\u200d، اب"),
        ("क्\u200dष क्\u200cष न\u200bम", "क्\u200dष क्\u200cष नम"),
        ("x \u200dه", "x \u200dه"),
        ("\u200c\u200babc\u200d\n\u200dd", "abc\nd"),
        ("👩\u200d👧 👍🏽\u200d x\u200d👧 ❤\ufe0f\u200d🔥", "👩\u200d👧 👍🏽 x👧 ❤\ufe0f\u200d🔥"),
        ("☺\ufe0f\ufe0e\ufe0f \ufe0f1\ufe0f\u20e3 \n\ufe0fa", "☺\ufe0f 1\ufe0f\u20e3 \na"),
        ("葛\U000e0100飾 a\U000e0100\U000e0101b", "葛\U000e0100飾 ab"),
        ("ᠪᠣᠯᠪᠠᠰᠤᠷᠠ\u180eᠯ x\u180e", "ᠪᠣᠯᠪᠠᠰᠤᠷᠠ\u180eᠯ x"),
        ("hi\U000e0069\U000e0067\U000e006e\U000e007f there", "hi there"),
        ("🏴\U000e0067\U000e0062", "🏴"),
        ("note\ufff9base\ufffaruby\ufffb", "notebaseruby"),
        ("txt.\u202eexe.scod\u202c end", "txt.exe.scod end"),
        ("plain \u202aleft\u202c \u2067x\u2069\u200e\u200f", "plain left x"),
        ("שלום \u202bC++\u202c \u2066abc\u2069 סוף", "שלום \u202bC++\u202c \u2066abc\u2069 סוף"),
        ("שלום \u202bאחד\u202c\u202c \u2069 \u2068שני", "שלום \u202bאחד\u202c  שני"),
        ("שלום \u202b\u202eהפוך\u202cכן\u202c", "שלום \u202bהפוךכן\u202c"),
        ("אב \u2067\u202bגד\u2069 ה\u202c", "אב \u2067גד\u2069 ה"),
        ("אב \u202bגד\nהו\u202c זח", "אב גד\nהו זח"),
        ("C++\u200e\u200e ב\u200f!\nC++\u200e", "C++\u200e ב\u200f!\nC++"),
        ("asÃ\u00ad fue", "así fue"),  # a soft hyphen that is half a letter
        ("e\u200b\u0301", "\u00e9"),
    ],
)
def test_invisible_characters(text: str, repaired: str) -> None:
    assert ascii(repair(text)) == ascii(repaired)
    assert repair(repaired) == repaired


def test_depth_of_embeddings_is_that_of_the_standard() -> None:
    text = "\u202b" * 200 + "א" + "\u202c" * 200
    assert repair(text) == "\u202b" * 125 + "א" + "\u202c" * 125


def test_the_first_look_sees_every_character_that_may_go() -> None:
    for code in itertools.chain(range(0x12000), range(0xDFF00, 0xE1100), range(0x10FF00, 0x110000)):
        character = chr(code)
        sought = any(one.match(character) for one in (UNWANTED, SURROGATE, INVISIBLE))
        assert bool(ODD.match(character)) == sought, hex(code)


HIDDEN = st.sampled_from(
    "\u00ad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufe0e"
    "\ufe0f\U000e0061\U000e007f\U000e0100 a1\nאبनก日のᠠ🏴👩é\u0301"
)


@settings(max_examples=1000)
@given(st.lists(HIDDEN, max_size=30).map("".join))
def test_invisible_characters_in_any_order(text: str) -> None:
    repaired = repair(text)
    assert repair(repaired) == repaired
    assert not re.search("[\u00ad\u202d\u202e\u2060]|[\u200b-\u200d]{2}|[\ufe0e\ufe0f]{2}", repaired)
    for line in repaired.split("\n"):
        depth = 0
        for character in line:
            depth += (character in "\u202a\u202b\u2066\u2067\u2068") - (character in "\u202c\u2069")
            assert depth >= 0
        assert depth == 0
    # Nothing that is seen goes, but for what NFC puts together.
    assert unicodedata.normalize("NFC", INVISIBLE.sub("", text)) == unicodedata.normalize(
        "NFC", INVISIBLE.sub("", repaired)
    )


@pytest.mark.parametrize(
    "piece", ["\u202b", "\u202bא\u202c", "\u2067", "\u200b", "a\u200b", "א\u200c", "\ufe0f", "\u202cא", "\U000e0061"]
)
def test_a_line_of_invisible_characters_takes_linear_time(piece: str) -> None:
    text = "א" + piece * (200_000 // len(piece))
    start = time.process_time()
    repaired = repair(text)
    assert time.process_time() - start < 10
    assert repair(repaired) == repaired


MISREAD = sorted(
    {character for charset in charsets().values() for character in charset.byte_of} | set("aA z.,?!\u0301")
)


@settings(max_examples=1000)
@given(
    st.lists(st.text(st.sampled_from(MISREAD), min_size=3) | HIDDEN | st.text(st.characters(codec=None))).map("".join)
    | st.text().map(lambda text: text.encode().decode("latin-1"))
)
def test_nothing_escapes_the_look_over_a_column(text: str) -> None:
    assert look(from_strings([text])).flags[0] or repair(text) == text


def test_a_column_is_repaired_as_its_texts_are() -> None:
    texts = [
        "plain",
        "na\u00c3\u00afve",
        None,
        "",
        "e\u0301",
        "zero\u200bwidth",
        "\uff21\uff22",
        "\u65e5\u672c\u8a9e",
        "a\r\nb",
    ]
    repaired = ["plain", "na\u00efve", "", "", "\u00e9", "zerowidth", "AB", "\u65e5\u672c\u8a9e", "a\nb"]
    for kind in (pa.string(), pa.large_string()):
        assert repair_column(pa.array(texts, kind)) == repaired
        assert repair_column(pa.array(texts, kind).slice(1, 5)) == repaired[1:6]
    raw = pa.Array.from_buffers(
        pa.string(), 3, pa.array([b"good", b"caf\xe9 x", "\u00c3\u00a9t\u00e9".encode()]).buffers()
    )
    assert repair_column(raw) == ["good", "caf\ufffd x", "\u00e9t\u00e9"]


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
