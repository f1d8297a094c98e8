"""Marked differences make both texts again, by words or by characters as a script is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.differences import Piece, differences, tokens

SCRIPTS = """
the cat sat on a mat 你好世界今天 きょうは天気 안녕하세요 세계 สวัสดีครับ ជំរាបសួរ مرحبا بالعالم שלום עולם नमस्ते दुनिया வணக்கம்
ሰላም ዓለም გამარჯობა Привет мир İstanbul ığüş
"""


def sides(pieces: list[Piece]) -> tuple[str, str]:
    first = "".join(piece.text for piece in pieces if piece.kind != "ins")
    second = "".join(piece.text for piece in pieces if piece.kind != "del")
    return first, second


@pytest.mark.parametrize(
    ("first", "second", "less", "more"),
    [
        ("the cat sat", "the dog sat", ["cat"], ["dog"]),
        ("Привет, мир!", "Привет, друг!", ["мир"], ["друг"]),
        ("İstanbul güzel", "Ankara güzel", ["İstanbul"], ["Ankara"]),
        ("გამარჯობა მსოფლიო", "გამარჯობა ხალხო", ["მსოფლიო"], ["ხალხო"]),
        ("안녕 세계", "안녕 친구", ["세계"], ["친구"]),
        ("مرحبا بالعالم", "مرحبا بالناس", ["بالعالم"], ["بالناس"]),
        ("שלום עולם", "שלום חבר", ["עולם"], ["חבר"]),
        ("नमस्ते दुनिया", "नमस्ते मित्र", ["दुनिया"], ["मित्र"]),
        ("வணக்கம் உலகம்", "வணக்கம் நண்பா", ["உலகம்"], ["நண்பா"]),
        ("ሰላም ዓለም", "ሰላም ጓደኛ", ["ዓለም"], ["ጓደኛ"]),
        ("今天天气好", "今天天气坏", ["好"], ["坏"]),
        ("これは本です", "これは机です", ["本"], ["机"]),
        ("วันนี้ดี", "วันนี้ดีมาก", [], ["มาก"]),
        ("ថ្ងៃនេះ", "ថ្ងៃនោះ", ["នេះ"], ["នោះ"]),
        ("", "new", [], ["new"]),
    ],
)
def test_by_script(first: str, second: str, less: list[str], more: list[str]) -> None:
    pieces = differences(first, second)
    assert sides(pieces) == (first, second)
    assert [piece.text for piece in pieces if piece.kind == "del"] == less
    assert [piece.text for piece in pieces if piece.kind == "ins"] == more


texts = st.lists(st.sampled_from([*SCRIPTS.split(), " ", "\n", ", ", "👩‍👩‍👧", "\u0301", "\ud800"]), max_size=20).map(
    "".join
)


@given(texts | st.text(max_size=60), texts | st.text(max_size=60))
def test_both_texts_are_there(first: str, second: str) -> None:
    pieces = differences(first, second)
    assert sides(pieces) == (first, second)
    assert all(piece.text for piece in pieces)


@given(st.text(max_size=80))
def test_tokens_are_the_text(text: str) -> None:
    assert "".join(tokens(text)) == text


def test_a_mark_stays_with_its_character() -> None:
    assert tokens("ดี") == ["ดี"[0:2]] and tokens("é👩‍👩‍👧") == ["é", "👩‍👩‍👧"]


def test_what_lies_behind_a_cut_is_no_difference() -> None:
    whole, longer = "one two three four five …", "zero one two three four …"
    assert differences(whole, longer) == [
        Piece("ins", "zero "), Piece("same", "one two three four …")
    ]  # fmt: skip
    assert differences("one two three", "one two …") == [Piece("same", "one two …")]
