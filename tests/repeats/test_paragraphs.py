"""Paragraphs as words of Python strings say them, and what a page loses and keeps."""

import random
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared_paragraphs import SHARED, dressed

from pipeline.kernels.hash_table import hash_table
from pipeline.repeats import page_lines, paragraphs
from pipeline.repeats.paragraphs import Paragraphs, paragraphs_of
from pipeline.words.words import words


def blocks(text: str) -> Iterator[tuple[list[int], list[str]]]:
    """Numbers of the lines of each paragraph, long or short, and its words: the lines, then the block behind them."""
    run: list[int] = []
    lines = text.replace("\r\n", "\n").split("\n")
    for number, line in enumerate([*lines, ""]):
        if line.strip():
            run.append(number)
            if words(line):
                yield [number], words(line)
            continue
        told = [at for at in run if words(lines[at])]
        if len(told) > 1:
            yield list(range(told[0], told[-1] + 1)), [word for at in told for word in words(lines[at])]
        run = []


def spans(found: Paragraphs, text: int = 0) -> list[list[int]]:
    begin, end = found.offsets[text : text + 2]
    first = found.lines.offsets[text]
    return [list(range(found.firsts[at] - first, found.lasts[at] - first)) for at in range(begin, end)]


PIECES = [*SHARED.values(), "One", "two, THREE", "四五", "---", "\u3000", "", "", "\r", "٣ 4", "e\u0301", "İ i\u0307"]


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=9).map("\n".join), max_size=4))
def test_lines_and_blocks_have_the_keys_of_their_words(texts: list[str]) -> None:
    found = paragraphs_of(pa.array(texts, pa.string()), 1)
    keys: dict[int, tuple[str, ...]] = {}
    for number, text in enumerate(texts):
        wanted = list(blocks(text))
        assert spans(found, number) == [lines for lines, _ in wanted]
        own = found.keys[found.offsets[number] : found.offsets[number + 1]].tolist()
        for key, (_, told) in zip(own, wanted, strict=True):
            assert keys.setdefault(key, tuple(told)) == tuple(told)
    assert len(set(keys.values())) == len(keys)
    every = {text: [words(line) for line in text.split("\n") if words(line)] for text in texts}
    for number, text in enumerate(texts):
        same = [every[text] == every[other] for other in texts]
        assert [page == found.pages[number] for page in found.pages] == same


def test_dress_and_line_breaks_do_not_count() -> None:
    rng = random.Random(1)
    for text in SHARED.values():
        plain = paragraphs_of(pa.array([text]), 1).keys.tolist()
        for _ in range(8):
            assert paragraphs_of(pa.array([dressed(text, rng)]), 1).keys.tolist() == plain
        cut = text.find(" ", 30) + 1 or 20
        broken = paragraphs_of(pa.array([f"x\n\n{text[:cut]}\n{text[cut:]}\n\ny"]), 20)
        assert broken.keys.tolist()[-1] == plain[0]


def test_digits_count() -> None:
    one, other = paragraphs_of(pa.array(["page 12 of the book", "page 13 of the book"]), 1).keys
    assert one != other


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("Read more, 24!", 10),
        ("网络上的文字", 18),
        ("ひらがなカナ", 12),
        ("한글 문장", 8),
        ("ทดสอบ", 5),
        ("ខ្មែរ", 5),
        ("हिन्दी", 6),
        ("ሰላም ነው", 10),
        ("𠀀𠀁", 6),
        ("ქართული", 7),
        ("-- ...", 0),
    ],
)
def test_length_in_letters(text: str, letters: int) -> None:
    assert paragraphs_of(pa.array([text]), 1).letters.tolist() == [letters]
    assert len(paragraphs_of(pa.array([text]), letters + 1).keys) == 0
    assert len(paragraphs_of(pa.array([text]), max(1, letters)).keys) == (letters > 0)


def test_what_hosts_share_is_long_enough_in_every_script() -> None:
    letters = [paragraphs_of(pa.array([text]), 1).letters[0] for text in SHARED.values()]
    assert min(letters) >= 60 and max(letters) < 180


def parted(texts: list[str], gone: list[str], least: int = 1) -> tuple[list[str | None], list[int]]:
    batch = pa.array(texts, pa.string())
    found = paragraphs_of(batch, least)
    keys = np.unique(np.concatenate([paragraphs_of(pa.array([text]), 1).keys[-1:] for text in gone]))
    table = hash_table(keys.view(np.uint64), np.arange(len(keys)))
    what = paragraphs.part(found, table, np.ones(len(keys), np.bool_))
    return page_lines.without(batch, found.lines, what.marks).texts.to_pylist(), what.n_cut.tolist()


@pytest.mark.parametrize("own", [text[:40] + text[:40] for text in SHARED.values()])
def test_most_of_a_page_stays(own: str) -> None:
    """Where shared paragraphs are half of a page, they stay; where they are less, they go: in all scripts."""
    for shared in ("word words wordy", "字字字字字"):
        size = paragraphs_of(pa.array([shared]), 1).letters[0]
        letters = paragraphs_of(pa.array([own]), 1).letters[0]
        times = int(-(-letters // size))
        many, few = "\n".join([own, *[shared] * times]), f"{shared}\n\n\n{own}\n"
        assert parted([many, few, shared, ""], [shared]) == ([many, f"{own}\n", shared, ""], [0, 1, 0, 0])


def test_a_block_counts_once_and_its_lines_alone_too() -> None:
    stanza = "first line of it\nsecond line of it\n* * *\nthird line"
    own = "and words of the page alone that are many more than those which are cut from it"
    text = f"{own}\n\n{stanza}\n\n{own} once more\n\nsecond line of it\n{own} again"
    after = f"{own}\n\n{own} once more\n\n{own} again"
    assert parted([text], [stanza, "second line of it", "third line"]) == ([after], [2])
    assert parted([text], ["third line"])[0] == [text.replace("* * *\nthird line", "* * *")]


@given(
    st.lists(st.lists(st.sampled_from(PIECES), max_size=12).map("\n".join), max_size=4),
    st.lists(st.sampled_from([piece for piece in PIECES if words(piece)]), min_size=1, max_size=9, unique=True),
)
def test_no_page_is_emptied_and_nothing_else_goes(texts: list[str], gone: list[str]) -> None:
    after, n_cut = parted(texts, gone)
    wanted = {tuple(words(piece)) for piece in gone}
    for text, left, n in zip(texts, after, n_cut, strict=True):
        lines = text.replace("\r\n", "\n").split("\n")
        letters = [int(paragraphs_of(pa.array([line]), 1).letters.sum()) for line in lines]
        goes = {at for own, told in blocks(text) if tuple(told) in wanted for at in own}
        if 2 * sum(letters[at] for at in goes) >= sum(letters):
            goes = set()
        assert left is not None and (left == text) == (n == 0) == (not goes)
        stays = [line for at, line in enumerate(lines) if at not in goes and line.strip()]
        assert [line for line in left.replace("\r\n", "\n").split("\n") if line.strip()] == stays
        assert bool(words(left)) == bool(words(text))
