"""What stands on a terminal: bars to an eighth, marked spans, every script in its columns."""

import pytest
from answering import SENTENCES
from hypothesis import given
from hypothesis import strategies as st

from train.answers.cards import Bar, Bars, Card, Line, Mark
from train.answers.terminal_view import (
    BAR,
    END,
    LEFT_TO_RIGHT,
    RIGHT_TO_LEFT,
    UNMARKED,
    TerminalView,
    bar,
    cut,
    cut_in_the_middle,
    isolated,
    one_line,
    spelt,
)
from train.telemetry.columns import columns


def shown(*lines: Line, bars: tuple[Bar, ...] = (), colour: bool = False, place: str = "", language: str = "") -> list:
    return list(TerminalView(colour).lines(Card(place, language, lines, (Bars("", bars),) if bars else ())))


def test_bars_have_eighths() -> None:
    assert [bar(share, 2) for share in (0, 1e-9, 1 / 16, 0.5, 9 / 16, 1)] == ["  ", "▏ ", "▏ ", "█ ", "█▏", "██"]
    assert bar(0.25, 1) == "▎" and bar(1.0) == "█" * BAR


@given(st.floats(0, 1))
def test_a_bar_is_as_long_as_its_share(share: float) -> None:
    drawn = bar(share)
    eighths = sum(8 if sign == "█" else " ▏▎▍▌▋▊▉".index(sign) for sign in drawn)
    assert len(drawn) == BAR and abs(eighths - share * BAR * 8) <= 1


@pytest.mark.parametrize(("language", "text"), SENTENCES.items())
def test_numbers_keep_their_place_in_every_script(language: str, text: str) -> None:
    (first, second) = shown(bars=(Bar(text, 0.5, "50.0 %", language), Bar("x", 1, "100.0 %", "eng")))
    assert first.startswith("  " + "█" * (BAR // 2) + " " * (BAR // 2) + "   50.0 %  " + language + "  ")
    assert second == "  " + "█" * BAR + "  100.0 %  eng       x"
    label = first.partition(language + "  ")[2]
    is_turned = language in ("arb_Arab", "heb_Hebr")
    assert label == (RIGHT_TO_LEFT + text + END if is_turned else text)
    assert columns(label) == columns(text)


def test_directions() -> None:
    assert isolated("ab 12") == "ab 12" and isolated("水") == "水"
    assert isolated("النهر 12") == RIGHT_TO_LEFT + "النهر 12" + END
    assert isolated("IBM ב 12") == LEFT_TO_RIGHT + "IBM ב 12" + END
    assert isolated("12 \x1b[36mש\x1b[0m") == RIGHT_TO_LEFT + "12 \x1b[36mש\x1b[0m" + END


def test_spans_stand_in_their_sentence() -> None:
    text = "李明 met\nאנגלה in Bonn."
    marks = (Mark(0, 2, "PER", "PER 99.0 %"), Mark(7, 12, "PER", "PER 98.0 %"), Mark(16, 20, "LOC", "LOC 70.0 %"))
    note = f"{LEFT_TO_RIGHT}{{}}{END}".format
    spans = [f"[{word} {note(of.note)}]" for word, of in zip(("李明", "אנגלה", "Bonn"), marks, strict=True)]
    assert shown(Line(text, "", marks)) == [f"{LEFT_TO_RIGHT}{spans[0]} met {spans[1]} in {spans[2]}.{END}"]
    (line,) = shown(Line("Bonn, Köln", "context", (Mark(0, 4, "LOC"), Mark(6, 10, "ORG", "ORG 9 %"))), colour=True)
    bonn, koeln = "\x1b[36m\x1b[4mBonn\x1b[0m", "\x1b[35m\x1b[4mKöln\x1b[0m\x1b[2m ORG 9 %\x1b[0m"
    assert line == f"\x1b[2mcontext: \x1b[0m{bonn}, {koeln}"
    assert shown(Line("a [MASK].", "", (Mark(2, 8, "mask"),))) == ["a [MASK]."]


def test_a_kind_keeps_its_colour() -> None:
    view = TerminalView(True)
    first = [*view.lines(Card("", "", (Line("a b", "", (Mark(0, 1, "X"), Mark(2, 3, "Y"))),), ()))]
    second = [*view.lines(Card("", "", (Line("a b", "", (Mark(0, 1, "Y"), Mark(2, 3, "X"))),), ()))]
    assert [one.index("[36m") < one.index("[35m") for one in (first[0], second[0])] == [True, False]


def test_place_and_language_go_before() -> None:
    assert shown(Line("水", "question"), place="a.txt:3", language="zho_Hans") == ["a.txt:3  zho_Hans", "question: 水"]
    card = Card("", "", (Line("a"),), (Bars("mask 1", (Bar("x", None, "3.210"),)),))
    assert list(TerminalView(False).lines(card)) == ["a", "  mask 1", "    3.210  x"]


def test_long_texts_are_cut_between_their_spans() -> None:
    text = "水" * 2000 + "Bonn" + "x" * 2000
    (line,) = shown(Line(text, "", (Mark(2000, 2004, "LOC"),)))
    assert "[Bonn]" in line and columns(line) <= 2 * UNMARKED + 20 and line.count(" … ") == 2
    assert cut("水" * 90, 11) == "水" * 5 + "…" and cut("abc", 3) == "abc"
    assert cut_in_the_middle("a" * 10 + "e\u0301" * 10, 8) == "aaaa … " + "e\u0301" * 4
    assert cut_in_the_middle("abcdef", 6) == "abcdef"


def test_nothing_steers_the_terminal_and_joiners_stay() -> None:
    assert one_line(" a\x1b[31m\n\u202eb\u2066 ") == " a [31m b "
    persian, emoji = "می\u200cخواهم", "👩\u200d🌾"
    assert one_line(persian) == persian and one_line(emoji) == emoji
    assert spelt("\n") == r"'\n'" and spelt(" a") == "a" and spelt("") == "''"
    assert shown(Line("\x1b]0;x\x07"), place="\x1b[2J.txt:1") == [" [2J.txt:1", "]0;x"]
