from itertools import groupby

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.kernels.arrow_text import from_strings
from pipeline.repeats.page_lines import BLANK, cut, find, lines_of, page_keys
from pipeline.words.words import words_of

# A menu, two ways to write it that are the same line, and another line.
LANGUAGES = {
    "cmn": ("首页 | 关于我们 | 联系方式", "首页｜关于我们｜联系方式。", "首页 | 关于你们 | 联系方式"),
    "jpn": ("ホーム > お問い合わせ", "「ホーム」お問い合わせ", "ホーム > お問い合わせ先"),
    "kor": ("홈 · 회사 소개 · 문의하기", "홈, 회사 소개, 문의하기!", "홈 · 회사소개 · 문의하기"),
    "tha": ("หน้าแรก | ติดต่อเรา", "หน้าแรกติดต่อเรา", "หน้าแรก | ติดต่อเขา"),
    "khm": ("ទំព័រដើម | អំពីយើង", "ទំព័រដើម។ អំពីយើង", "ទំព័រដើម | អំពីខ្ញុំ"),
    "arb": ("الرئيسية | من نحن", "الرئيسية، من نحن؟", "الرئيسية | اتصل بنا"),
    "heb": ("דף הבית | צור קשר", "דף הבית: צור קשר", "דף הבית | צרו קשר"),
    "hin": ("मुख्य पृष्ठ | हमारे बारे में", "मुख्य पृष्ठ। हमारे बारे में॥", "मुख्य पृष्ठ | तुम्हारे बारे में"),
    "tam": ("முகப்பு | எங்களைப் பற்றி", "முகப்பு - எங்களைப் பற்றி", "முகப்பு | உங்களைப் பற்றி"),
    "amh": ("መነሻ ገጽ | ያግኙን", "መነሻ፡ገጽ፡ያግኙን።", "መነሻ ገጽ | አግኙን"),
    "kat": ("მთავარი | ჩვენ შესახებ", "ᲛᲗᲐᲕᲐᲠᲘ, ᲩᲕᲔᲜ ᲨᲔᲡᲐᲮᲔᲑ", "მთავარი | თქვენ შესახებ"),
    "rus": ("Главная | О нас", "ГЛАВНАЯ — о нас", "Главная | О вас"),
    "tur": ("Ana Sayfa | Çerez Ayarları", "ANA SAYFA / ÇEREZ AYARLARı", "Ana Sayfa | Çerez Ayarlari"),
    "eng": ("Home | About us | Terms", "HOME  about US: terms", "Home | About us | Term"),
}
# Lines that are equal by their words, lines of signs, blank lines of several kinds, and what breaks them.
PARTS = st.sampled_from(
    ["Menu", "menu!", "漢字", "漢 字", "ไทย", "¶", " ¶\t", "***", "\ud800", "\u3000", "\x85", " ", "a b", "a  B."]
)  # fmt: skip
BREAKS = st.sampled_from(["\n", "\n", "\r\n", "\r", ""])
TEXTS = st.lists(st.tuples(PARTS, BREAKS) | st.tuples(st.just(""), BREAKS), max_size=14).map(
    lambda pairs: "".join(part + end for part, end in pairs)
)


def split(text: str) -> list[tuple[str, str]]:
    """Lines and their breaks, the last without one."""
    *ended, last = text.split("\n")
    return [(line[:-1], "\r\n") if line.endswith("\r") else (line, "\n") for line in ended] + [(last, "")]


def key_of(line: str) -> object:
    """What a key stands for: words, else signs, None for a blank line."""
    if len(hashes := words_of(from_strings([line])).hashes):
        return tuple(hashes.tolist())
    return line.strip() or None


def key(line: str) -> int:
    found = lines_of(from_strings([line])).keys
    assert len(found) == 1
    return int(found[0])


def lists(*keys: list[int] | None) -> pa.Array:
    return pa.array([None if one is None else sorted(one) for one in keys], pa.list_(pa.int64()))


def without(text: str, *lines: str) -> tuple[str, int]:
    given = from_strings([text])
    found = cut(given, lists([key(line) for line in lines]))
    assert len(found.texts) == 1 and found.texts.type == given.type
    return strings(found.texts)[0] or "", int(found.lines[0])


def strings(texts: pa.Array) -> list[str | None]:
    raw = texts.cast(pa.large_binary()).to_pylist()
    return [None if one is None else one.decode("utf-8", "surrogatepass") for one in raw]


def slow_cut(text: str, unwanted: set[object]) -> tuple[str, int]:
    """The definition once more, by lists."""
    lines = split(text)
    kinds = ["cut" if (of := key_of(line)) in unwanted else "blank" if of is None else "stays" for line, _ in lines]
    if "cut" not in kinds:
        return text, 0
    kept: list[int] = []
    for stays, group in groupby(range(len(lines)), lambda i: kinds[i] == "stays"):
        stretch = list(group)
        if stays or "cut" not in [kinds[i] for i in stretch]:
            kept += stretch
            continue
        runs: list[list[int]] = [[]]
        for i in stretch:
            if kinds[i] == "cut":
                runs.append([])
            else:
                runs[-1].append(i)
        at_begin, at_end = stretch[0] == 0, stretch[-1] == len(lines) - 1
        if not at_begin and not at_end:
            kept += max(runs, key=len)
        elif not (at_begin and at_end):
            kept += runs[0] if at_begin else runs[-1]
    joined = "".join(lines[i][0] + lines[i][1] for i in kept[:-1]) + "".join(lines[i][0] for i in kept[-1:])
    return joined, kinds.count("cut")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_line_is_its_words(language: str) -> None:
    menu, same, other = LANGUAGES[language]
    assert key(menu) == key(same) == key(f"\t{menu}\u3000") != key(other)


@pytest.mark.parametrize("language", LANGUAGES)
def test_cut_by_hand(language: str) -> None:
    menu, same, other = LANGUAGES[language]
    assert without(f"{menu}\n{other}\n\n{same}\n{other}", menu) == (f"{other}\n\n{other}", 2)
    assert without(f"{menu}\n{same}", menu) == ("", 2)
    assert without(f"{other}\n{menu} {other}", menu) == (f"{other}\n{menu} {other}", 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A\n\nMENU\n\nB", "A\n\nB"),
        ("A\n\nMENU\n\n\nB", "A\n\n\nB"),  # the longest run stays
        ("A\n\nMENU\nB", "A\n\nB"),
        ("A\nMENU\nB", "A\nB"),
        ("A\n\nMENU\n\nmenu\n\nB", "A\n\nB"),
        ("A\n\n\n\nB\nMENU", "A\n\n\n\nB"),  # far from a cut nothing changes
        ("MENU\n\nA", "A"),
        ("\n\nMENU\n\n\n\nA", "\n\nA"),
        ("A\n\nMENU", "A"),
        ("A\nMENU\n", "A\n"),  # a text that ended with its line still does
        ("A\n\nMENU\n\n", "A\n\n"),
        ("MENU", ""),
        ("\nMENU\n\n", ""),
        ("A\r\n\r\nMENU\r\n\r\nB\r\n", "A\r\n\r\nB\r\n"),
        ("A\r\nMENU", "A"),
        ("A\nMENU\r\nB", "A\nB"),
        ("A\n \t\nMENU\n\u3000\n\u3000\nB", "A\n\u3000\n\u3000\nB"),  # blank lines stay as they were
        ("A\rMENU\nB", "A\rMENU\nB"),  # a lone carriage return ends no line
        ("A MENU\nB", "A MENU\nB"),
    ],
)
def test_blank_lines_and_ends_of_lines(text: str, expected: str) -> None:
    assert without(text, "menu")[0] == expected


def test_lines_without_a_word() -> None:
    assert len({key(line) for line in ("***", "**", "★ ★", "★★", "-", "\u200b", "a")}) == 7
    assert key("***") == key("  ***\u3000") == key("\t***\x85")
    assert {key(line) for line in ("", " \t", "\u3000\xa0", "\u2028", "\r")} == {BLANK}
    assert without("A\n ★ ★ \nB", "★ ★") == ("A\nB", 1)


def test_keys_golden() -> None:
    """Stored tables rest on these: words by splitmix64's constants in Python's own integers, signs likewise."""
    mask = (1 << 64) - 1

    def mix(x: int) -> int:
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
        return x ^ (x >> 31)

    state = 0x9E3779B97F4A7C15
    for word in words_of(pa.array(["the menu"])).hashes.tolist():
        state = (mix(state) + word) & mask
    assert key("The MENU!") & mask == mix(state)
    state = 0x94D049BB133111EB
    for byte in "★!".encode():
        state = ((state ^ byte) * 0xBF58476D1CE4E5B9) & mask
        state ^= state >> 32
    assert key(" ★!") & mask == mix(state)


def test_spans_are_bytes_without_the_break() -> None:
    found = lines_of(pa.array(["é漢\r\n\nb", None, "", "a\n"]))
    assert found.offsets.tolist() == [0, 3, 4, 5, 7]
    assert found.starts.tolist() == [0, 7, 8, 0, 0, 0, 2]
    assert found.ends.tolist() == [5, 7, 9, 0, 0, 1, 2]
    assert (found.keys == BLANK).tolist() == [False, True, False, True, True, False, True]


@given(st.lists(TEXTS, max_size=5), st.integers(0, 2))
def test_lines_are_those_of_the_definition(texts: list[str], skip: int) -> None:
    found = lines_of(from_strings(texts)[skip:])
    expected = [line for text in texts[skip:] for line, _ in split(text)]
    spans = zip(found.starts.tolist(), found.ends.tolist(), strict=True)
    owners = np.repeat(np.arange(len(texts[skip:])), np.diff(found.offsets)).tolist()
    raw = [text.encode("utf-8", "surrogatepass") for text in texts[skip:]]
    shown = [raw[owner][begin:end] for owner, (begin, end) in zip(owners, spans, strict=True)]
    assert shown == [line.encode("utf-8", "surrogatepass") for line in expected]
    meanings = [key_of(line) for line in expected]
    assert [number == BLANK for number in found.keys] == [meaning is None for meaning in meanings]
    # equal keys are equal lines, and the other way round
    assert len(set(zip(found.keys.tolist(), meanings, strict=True))) == len(set(meanings)) == len(set(found.keys))


@given(st.lists(TEXTS, max_size=5))
def test_keys_of_pages(texts: list[str]) -> None:
    lines = lines_of(from_strings(texts))
    found = page_keys(lines)
    for i in range(len(texts)):
        own = [number for number in lines.keys[lines.offsets[i] : lines.offsets[i + 1]].tolist() if number != BLANK]
        span = slice(found.offsets[i], found.offsets[i + 1])
        assert found.keys[span].tolist() == list(dict.fromkeys(own))
        assert found.counts[span].tolist() == [own.count(number) for number in dict.fromkeys(own)]
    contents = [tuple(one for line, _ in split(text) if (one := key_of(line)) is not None) for text in texts]
    assert len(set(found.pages.tolist())) == len(set(contents)) == len(set(zip(found.pages, contents, strict=True)))


def test_a_page_is_its_lines_in_order() -> None:
    texts = ["A\n\nb c\n", "a\r\nB, c", "b c\na", "a b\nc", "a\nb c\nb c"]
    pages = page_keys(lines_of(pa.array(texts))).pages.tolist()
    assert pages[0] == pages[1] and len(set(pages)) == 4


@given(st.lists(st.tuples(st.none() | TEXTS, st.sets(PARTS)), max_size=6), st.integers(0, 2), st.booleans())
def test_cut_is_the_definition(rows: list[tuple[str | None, set[str]]], skip: int, large: bool) -> None:
    texts = pa.array(
        [None if text is None else text.encode("utf-8", "surrogatepass") for text, _ in rows],
        pa.large_binary() if large else pa.binary(),
    ).view(pa.large_string() if large else pa.string())
    keys = lists(*([one for part in parts if (one := key(part)) != BLANK] for _, parts in rows))
    found = cut(texts[skip:], keys[skip:])
    assert found.texts.type == texts.type and found.lines.dtype == np.int32
    unwanted = [{key_of(part) for part in parts} - {None} for _, parts in rows]
    expected = [(None, 0) if t is None else slow_cut(t, u) for (t, _), u in zip(rows, unwanted, strict=True)]
    assert list(zip(strings(found.texts), found.lines.tolist(), strict=True)) == expected[skip:]


def blank_runs(text: str) -> list[int]:
    runs = [(blank, len(list(group))) for blank, group in groupby(key_of(line) is None for line, _ in split(text))]
    return [length for blank, length in runs if blank]


@given(TEXTS, st.sets(PARTS))
def test_cutting_only_takes_away(text: str, parts: set[str]) -> None:
    after, n_cut = without(text, *parts)
    before = [line for line, _ in split(text) if key_of(line) is not None]
    unwanted = {key_of(part) for part in parts} - {None}
    kept = [line for line, _ in split(after) if key_of(line) is not None]
    assert kept == [line for line in before if key_of(line) not in unwanted]
    assert n_cut == len(before) - len(kept)
    assert (after == text) == (n_cut == 0)
    assert without(after, *parts) == (after, 0)
    if after:
        assert max(blank_runs(after), default=0) <= max(blank_runs(text), default=0)
        first, last = ((key_of(split(one)[end][0]) is None) for one, end in ((after, 0), (after, -1)))
        assert not first or key_of(split(text)[0][0]) is None
        assert not last or key_of(split(text)[-1][0]) is None


def test_no_key_no_null_no_text() -> None:
    texts = pa.array(["Menu\na", None, "", "Menu\nb"])
    found = cut(texts, lists(None, [key("menu")], [key("menu")], []))
    assert found.texts.equals(texts) and found.lines.tolist() == [0, 0, 0, 0]
    found = cut(texts, lists([key("menu")], [key("menu")], None, None))
    assert found.texts.to_pylist() == ["a", None, "", "Menu\nb"] and found.lines.tolist() == [1, 0, 0, 0]
    assert found.texts.null_count == 1
    assert len(cut(texts[:0], lists()).texts) == 0
    assert find(texts[:0], lists()).lines.to_pylist() == []


@given(st.binary(max_size=80), st.integers(0, 3))
def test_any_bytes(data: bytes, choice: int) -> None:
    """Broken UTF-8 is no error, and what is not cut keeps its bytes."""
    texts = pa.array([data, b"end"], pa.binary()).view(pa.string())
    keys = lines_of(texts).keys
    keys = keys[(keys != BLANK) & (np.arange(len(keys)) % 4 == choice)].tolist()
    found = cut(texts, lists(keys, None))
    assert found.lines[0] == sum(int(one in keys) for one in lines_of(texts[:1]).keys)
    after = found.texts.cast(pa.binary())[0].as_py()
    if not found.lines[0]:
        assert after == data
    lines = data.split(b"\n")
    assert all(line in [*lines, *(line.removesuffix(b"\r") for line in lines), b""] for line in after.split(b"\n"))


@given(st.lists(st.tuples(TEXTS, st.sets(PARTS)), max_size=5))
def test_find_shows_every_wanted_line(rows: list[tuple[str, set[str]]]) -> None:
    keys = lists(*({one for part in parts if (one := key(part)) != BLANK} for _, parts in rows))
    found = find(from_strings(text for text, _ in rows), keys)
    flat = keys.flatten().to_pylist()
    expected = [
        (i, line.strip(), key(line))
        for i, (text, _) in enumerate(rows)
        for line, _ in split(text)
        if key(line) in keys[i].as_py()
    ]
    shown = zip(found.texts.tolist(), strings(found.lines), (flat[place] for place in found.wanted), strict=True)
    assert list(shown) == expected


def test_many_lines_have_as_many_keys() -> None:
    lines = [f"line {n} of {n % 7} and {n // 7}" for n in range(50_000)]
    found = page_keys(lines_of(pa.array(["\n".join(lines)])))
    assert len(np.unique(found.keys)) == len(found.keys) == len(lines)
