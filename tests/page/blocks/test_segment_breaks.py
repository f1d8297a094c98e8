"""Line feeds in the source of a page: CSS Text 3, Segment Break Transformation Rules."""

import re
import unicodedata

import numpy as np
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from pipeline.page.blocks.markup import read_markup
from pipeline.page.blocks.segment_breaks import AMBIGUOUS, WIDE, is_nothing

ZWSP = "\u200b"


def texts(html: str) -> list[str]:
    page = read_markup(html.encode())
    return [page.text[start:end].tobytes().decode() for start, end in zip(page.start, page.end, strict=True)]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>開会，\n讨论", "開会，讨论"),
        ("<p>日本語の\r\n\t 本文です。\n次", "日本語の本文です。次"),
        ("<p>日本\r語", "日本語"),  # a carriage return in the source is a line feed
        ("<p>日本 語", "日本 語"),
        ("<p>한국어\n본문", "한국어 본문"),
        ("<p>한국\n漢字", "한국 漢字"),
        ("<p>漢字\n한국", "漢字 한국"),
        ("<p>中文\nEnglish\n中文", "中文 English 中文"),
        ("<p>ไทย\nไทย", "ไทย ไทย"),
        (f"<p>ខ្មែរ{ZWSP}\nខ្មែរ", f"ខ្មែរ{ZWSP}ខ្មែរ"),
        (f"<p>ไทย\n {ZWSP}ไทย", f"ไทย{ZWSP}ไทย"),
        (f"<p>a\n&#x200b;b&ZeroWidthSpace;\nc d{ZWSP} e", f"a{ZWSP}b{ZWSP}c d{ZWSP} e"),
        ("<p>عرب\nعبر\nהיו", "عرب عبر היו"),
        ("<p>हिन्दी\nपाठ\nதமிழ்\nஉரை\nአማርኛ\nጽሑፍ", "हिन्दी पाठ தமிழ் உரை አማርኛ ጽሑፍ"),
        ("<p>ქართ\nტექ\nрус\nтек\nığ\nİç\nen\nglish", "ქართ ტექ рус тек ığ İç en glish"),
        ("<p>他说：\n“好”\n然后……\n走了——\n对·\n了", "他说：“好”然后……走了——对·了"),
        ("<p>“one”\n“two”…\nthree — \n four", "“one” “two”… three — four"),
        ("<p>“예”\n“한”", "“예” “한”"),
        ("<p>ｶﾀ\nｶﾅ", "ｶﾀｶﾅ"),
        ("<p>字<b>\n字</b>\n<i> 字</i><!--\n-->字", "字字字字"),
        ("<p>字&#10;字&#13;字&NewLine;字", "字字 字字"),
        ("<p>字&nbsp;\n字\n&nbsp;字\n\u00a0\n字", "字 字 字 字"),  # a no-break space is none that goes
        ("<p>字\n<img src=x>\n字", "字 字"),
        ("<p>&#x5b57;\n&#x5b57;\n字", "字字字"),
        ("<ul><li>字\n字</ul>", "字字"),
        ("<table><caption>字\n字</caption>", "字字"),
        ("<td>字\n字", "字字"),
        ("<figcaption>字\n字", "字字"),
        ("<pre>字\n字</pre>", "字\n字"),
        ("<p>字\n", "字"),
        ("<p>\n字", "字"),
        ("<p>𠀀\n𠮷", "𠀀𠮷"),
    ],
)
def test_a_line_feed_between(html, expected):
    assert texts(html) == [expected]


def test_a_line_feed_behind_a_break_is_none():
    assert texts("<p>字<br>\n字") == ["字", "字"]


def is_wide(c: str) -> bool:
    return unicodedata.east_asian_width(c) in "FWH" and not regex.match(r"\p{Script=Hangul}", c)


def is_mark(c: str) -> bool:
    return unicodedata.east_asian_width(c) == "A" and unicodedata.category(c)[0] in "PS"


@given(st.text(st.sampled_from("字あｱ。，！한ㅋaé“”…—·、α🙂𠮷ทខعА\u200b \n\t\r\f"), max_size=12))
def test_as_plain_python_does_it(text):
    def white(match: re.Match[str]) -> str:
        before, after = text[match.start() - 1], text[match.end()]
        if "\n" not in match[0].replace("\r", "\n"):
            return " "
        if ZWSP in (before, after) or (is_wide(before) and is_wide(after)):
            return ""
        return "" if (is_wide(before) and is_mark(after)) or (is_mark(before) and is_wide(after)) else " "

    text = text.strip(" \n\t\r\f")
    wanted = re.sub(r"[ \n\t\r\f]+", white, text)
    assert "".join(texts("<p>" + text)) == wanted


@pytest.mark.skipif(unicodedata.unidata_version != "14.0.0", reason="no Python 3.11, which has Unicode 14 as the table")
def test_the_table_is_unicodes():
    def inside(ranges: np.ndarray) -> np.ndarray:
        marks = np.zeros(0x110001, np.int8)
        np.add.at(marks, ranges[:, 0], 1)
        np.add.at(marks, ranges[:, 1] + 1, -1)
        return np.cumsum(marks)

    wide, marks = inside(WIDE), inside(AMBIGUOUS)
    for point in range(0x110000):
        character = chr(point)
        if unicodedata.category(character) not in ("Cn", "Cs"):
            assert wide[point] == is_wide(character), hex(point)
            assert marks[point] == is_mark(character), hex(point)


@given(st.characters(), st.characters())
def test_order_does_not_matter(before, after):
    assert is_nothing(ord(before), ord(after)) == is_nothing(ord(after), ord(before))
