"""Windows, marks and spans against the definition, byte by byte, over small alphabets."""

from collections import defaultdict
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.repeats import shared_windows, spans, windows
from pipeline.repeats.small_substrings import several

Window = tuple[int, int, int, int]  # text, byte, the first other text that has it, how many have it
TEXTS = st.lists(st.text(st.sampled_from("aé中"), max_size=60) | st.text("ab", max_size=60), max_size=7)


class Found(NamedTuple):
    """Of texts, which are preferred in their order."""

    windows: set[Window]
    spans: spans.Spans
    cut: list[str]


def found(texts: list[str], length: int, key: str = "key") -> Found:
    """By the kernels, in which a window must have one mark."""
    cells, base = pa.array(texts, pa.string()), windows.base_of(key)
    runs = windows.runs_of(cells, length, base)
    covered = windows.bytes_of(cells, runs, length)
    marks = shared_windows.marks_of(runs.anchors, runs.texts, covered, length, base)
    of, others = runs.texts[marks.runs], runs.texts[marks.others]
    starts, ends = (runs.starts[marks.runs] + part for part in (marks.firsts, marks.ends))
    told = [
        (int(text), int(byte), int(other), int(pages))
        for text, start, end, other, pages in zip(
            *map(np.ndarray.tolist, (of, starts, ends, others, marks.pages)), strict=True
        )
        for byte in range(start, end)
    ]
    assert len(told) == len(set(told))
    order = np.lexsort((starts, of))
    ordered = (cells_[order] for cells_ in (of, starts, ends, others < of, others, marks.pages))
    of_texts = spans.spans_of(cells, *ordered, length)
    goes = ~of_texts.kept
    cut = spans.without(cells, of_texts.texts[goes], of_texts.starts[goes], of_texts.ends[goes])
    return Found(set(told), of_texts, cut.to_pylist())


def shared(texts: list[str], length: int) -> set[Window]:
    """By the definition."""
    having: dict[bytes, set[int]] = defaultdict(set)
    pieces = [
        (text, byte, content[byte : byte + length])
        for text, content in enumerate(map(str.encode, texts))
        for byte in range(len(content) - length + 1)
    ]
    for text, _, piece in pieces:
        having[piece].add(text)
    return {
        (text, byte, min(having[piece] - {text}), len(having[piece]))
        for text, byte, piece in pieces
        if len(having[piece]) > 1
    }


def unions(text: str, starts: set[int], length: int) -> list[tuple[int, int]]:
    """Of windows that begin at these bytes, on borders of characters, none shorter than a window."""
    content = text.encode()
    marked = {byte for start in starts for byte in range(start, start + length)}
    borders = {len("".join(text[:n]).encode()) for n in range(len(text) + 1)}
    kept = []
    for start in sorted(byte for byte in marked if byte - 1 not in marked):
        end = next(byte for byte in range(start, len(content) + 1) if byte not in marked)
        first = min((byte for byte in borders if byte >= start), default=end)
        last = max((byte for byte in borders if byte <= end), default=start)
        if last - first >= length:
            kept.append((first, last))
    return kept


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.integers(2, 12), st.integers(0, 3))
def test_windows_and_spans_are_those_of_the_definition(texts: list[str], length: int, key: int) -> None:
    expected, got = shared(texts, length), found(texts, length, str(key))
    assert got.windows == expected
    for number, text in enumerate(texts):
        own = got.spans.texts == number
        rows = list(zip(*(cells[own].tolist() for cells in got.spans[1:]), strict=True))
        mine = {window[1:] for window in expected if window[0] == number}
        goes = unions(text, {byte for byte, other, _ in mine if other < number}, length)
        assert [(start, end) for start, end, _, _, kept in rows if not kept] == goes
        covered = {byte for start, end, *_ in rows for byte in range(start, end)}
        all_shared = unions(text, {byte for byte, _, _ in mine}, length)
        assert covered == {byte for start, end in all_shared for byte in range(start, end)}
        for start, end, pages, _, kept in rows:
            inside = {n for byte, _, n in mine if byte < end and byte + length > start}
            assert pages in inside
            if not kept:
                within = {n for byte, other, n in mine if start <= byte <= end - length and other < number}
                assert pages >= max(within)
        left, at = [], 0
        for start, end in goes:
            left.append(text.encode()[at:start])
            at = end
        left.append(text.encode()[at:])
        assert "\n" in got.cut[number] or got.cut[number].encode() == b"".join(left)
        assert got.cut[number].encode() == b"\n".join(part for part in left if part)


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.integers(2, 8), st.integers(1, 5))
def test_rounds_of_a_large_group_change_nothing(texts: list[str], length: int, round_windows: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(shared_windows, "ROUND_WINDOWS", round_windows)
        assert found(texts, length).windows == shared(texts, length)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("ab", max_size=80), max_size=5), st.integers(2, 20))
def test_runs_have_every_window_once_and_equal_ones_one_anchor(texts: list[str], length: int) -> None:
    runs = windows.runs_of(pa.array(texts, pa.string()), length, windows.base_of(""))
    anchors: dict[str, set[int]] = defaultdict(set)
    told = []
    for text, start, count, anchor in zip(*map(np.ndarray.tolist, runs), strict=True):
        for byte in range(start, start + count):
            told.append((text, byte))
            anchors[texts[text][byte : byte + length]].add(anchor)
    assert told == [(n, byte) for n, text in enumerate(texts) for byte in range(len(text) - length + 1)]
    assert all(len(found) == 1 for found in anchors.values())


def test_runs_are_few_whatever_the_page_says() -> None:
    rng = np.random.default_rng(0)
    drawn = "".join(map(chr, rng.integers(97, 123, 100_000)))
    texts = ["=" * 100_000, "ab" * 50_000, ("again and again " * 7000)[:100_000], drawn]
    counts = np.bincount(windows.runs_of(pa.array(texts), 200, windows.base_of("")).texts)
    assert counts[:3].max() < 10 and 1700 < counts[3] < 2300  # 2 in 102 bytes


def test_a_passage_on_ten_thousand_pages_and_hashes_that_collide() -> None:
    """No group costs more than its windows: this would take hours if pages were compared with each other."""
    rng = np.random.default_rng(1)
    passage = "".join(map(chr, rng.integers(97, 123, 130)))
    texts = [f"{n:05}{passage}{n:05}" for n in range(10_000)]
    got = found(texts, 100)
    goes = ~got.spans.kept
    sizes = (got.spans.ends - got.spans.starts)[goes]
    assert goes.sum() == 9_999 and sizes.min() >= 130 and sizes.max() <= 138  # digits that others have are shared, too
    assert got.spans.pages.max() == 10_000
    base = 0  # of which all windows with the same last byte have one hash: bytes decide
    cells = pa.array(["abcabd", "xbcabd", "abdabc"], pa.large_binary())
    marks = shared_windows.marks_of(np.zeros(3, np.int64), np.arange(3), cells, 3, base)
    told = {(int(run), int(first)) for run, first, end in zip(*marks[:3], strict=True) for first in range(first, end)}
    assert told == {window[:2] for window in shared(cells.cast(pa.string()).to_pylist(), 3)}


def test_anchors_of_several_pages() -> None:
    anchors, nodes = np.array([5, -3, 5, 7, -3, 7, 9]), np.array([1, 2, 1, 3, 4, 1 << 40, 0])
    assert several(anchors, nodes).tolist() == [-3, 7]
    assert several(anchors[:0], nodes[:0]).tolist() == []


def test_nulls_and_slices() -> None:
    texts = pa.array(["x" * 5, None, "aébcd-aébcd", "", "aébcd"]).slice(1)
    runs = windows.runs_of(texts, 6, windows.base_of(""))
    assert set(runs.texts.tolist()) == {1, 3}
    cut = spans.without(texts, np.array([1, 3]), np.array([6, 0]), np.array([13, 6]))
    assert cut.to_pylist() == [None, "aébcd", "", ""]
