import csv
from pathlib import Path

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from pipeline.kernels.arrow_text import from_strings
from pipeline.words.characters import all_codepoints
from pipeline.words.scripts import NAMES, SCRIPTS, build, main_script, script_shares, scripts_of, table

LETTERS = regex.compile(r"(?V1)[\p{L}--[\p{Zyyy}\p{Zinh}\p{Zzzz}]]")
SHARED = Path(__file__).resolve().parents[2] / "../shared"


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("Hello, world", "Latn"),
        ("Привет, world", "Cyrl"),
        ("Καλημέρα", "Grek"),
        ("中文简体字", "Hani"),
        ("正體中文，裡面有一個の字而已。臺灣的網路上很常見，一點也不稀奇", "Hani"),
        ("東京都庁の所在地は新宿区", "Jpan"),
        ("コーヒー", "Jpan"),
        ("대한민국", "Hang"),
        ("大韓民國은 民主共和國이다", "Hang"),
        ("ภาษาไทย", "Thai"),
        ("ភាសាខ្មែរ", "Khmr"),
        ("العربية", "Arab"),
        ("עברית", "Hebr"),
        ("हिन्दी", "Deva"),
        ("தமிழ்", "Taml"),
        ("አማርኛ", "Ethi"),
        ("ქართული", "Geor"),
        ("ᏣᎳᎩ", "Cher"),
        ("ⴰⵎⴰⵣⵉⵖ", "Tfng"),
        ("𞤀𞤣𞤤𞤢𞤥", "Adlm"),
        ("", "Zyyy"),
        ("12 + 34 = 46 😀 ๑๒๓ ー", "Zyyy"),
    ],
)
def test_main_script(text: str, script: str) -> None:
    assert main_script(text) == script


def test_shares_by_hand() -> None:
    assert script_shares("abc где 12") == {"Cyrl": 0.5, "Latn": 0.5}
    assert list(script_shares("где abc")) == ["Cyrl", "Latn"]
    assert script_shares("漢字かな ok!") == {"Jpan": 4 / 6, "Latn": 2 / 6}
    assert script_shares("漢字") == {"Hani": 1.0}
    assert script_shares("漢字かなひらがな한국") == {"Jpan": 8 / 10, "Hang": 2 / 10}
    assert script_shares("...") == {}


def test_han_needs_a_twentieth_of_kana() -> None:
    assert main_script("字" * 19 + "の") == "Jpan"
    assert main_script("字" * 20 + "の") == "Hani"


def test_every_letter_has_a_script() -> None:
    found = LETTERS.findall(all_codepoints())
    scripts = scripts_of(from_strings(found)).labels().to_pylist()
    assert [hex(ord(c)) for c, script in zip(found, scripts, strict=True) if script == "Zyyy"] == []
    assert len(set(SCRIPTS)) == len(SCRIPTS) < 255


def test_the_file_is_what_this_unicode_gives() -> None:
    """Of the characters that it knows: a newer release of `regex` knows more, and moves none."""
    stored, built = table(), build()
    stored_all, built_all = stored.kinds[stored.pages].ravel(), built.kinds[built.pages].ravel()
    assert (stored_all[stored_all > 0] == built_all[stored_all > 0]).all()


@given(st.lists(st.text(st.characters(codec=None))))
def test_a_batch_is_its_texts(texts: list[str]) -> None:
    found = scripts_of(from_strings(texts))
    for text, main, share, letters in zip(texts, *found, strict=True):
        shares = script_shares(text)
        assert (NAMES[main] if main >= 0 else "Zyyy") == main_script(text)
        assert share == pytest.approx(next(iter(shares.values()), 0))
        assert letters == len(LETTERS.findall(text))


@given(st.text(st.characters()))
def test_shares_sum_to_one(text: str) -> None:
    shares = script_shares(text)
    assert main_script(text) == next(iter(shares), "Zyyy")
    if shares:
        assert sum(shares.values()) == pytest.approx(1)
        assert list(shares.values()) == sorted(shares.values(), reverse=True)


def test_topic_texts_of_37_languages() -> None:
    folder = SHARED / "data/sib200"
    if not folder.exists():
        pytest.skip("no ../shared/data/sib200")
    for language in sorted(folder.iterdir()):
        with open(language / "dev.tsv", encoding="utf-8", newline="") as file:
            texts = [row["text"] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
        expected = {"Hans": "Hani", "Hant": "Hani"}.get(script := language.name.split("_")[1], script)
        wrong = [text for text in texts if main_script(text) != expected]
        assert len(wrong) <= 1, (language.name, wrong)
