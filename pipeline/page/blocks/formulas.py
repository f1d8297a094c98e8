"""Formulas: the TeX that pages give for their source, written in place of what is drawn."""

from typing import Any

import numpy as np

from pipeline.html.elements import name_hash
from pipeline.html.references import character
from pipeline.html.tokens import is_letter, is_space
from pipeline.kernels.compiling import uncounted, whole
from pipeline.page.blocks.element_attributes import attribute_value
from pipeline.page.blocks.listings import begins
from pipeline.page.blocks.passage_names import DISPLAYED, GONE, MATH, TEMPLATE
from pipeline.page.blocks.segment_breaks import divides
from pipeline.page.blocks.taking_back import clear_around_formula, clear_before_source, keep, take_back
from pipeline.page.blocks.writing import FEED, NO_SPACE, Written, begin_block, put

_DISPLAY, _MODE, _ALTTEXT, _ENCODING, _TYPE = (
    np.uint64(name_hash(name)) for name in ("display", "mode", "alttext", "encoding", "type")
)


def _bytes(written: str) -> np.ndarray:
    return np.frombuffer(written.encode(), np.uint8)


_STYLES = tuple(map(_bytes, (r"{\displaystyle", r"{\textstyle")))
_SCRIPTS = tuple(map(_bytes, ("math/tex", "math/latex", "math/asciimath")))
_BLOCK, _DISPLAY_MODE, _MODE_DISPLAY, _TEX, _LATEX = map(_bytes, ("block", "display", "mode=display", "tex", "latex"))
_CDATA, _COMMENTED_CDATA, _CDATA_END, _COMMENTED_END = map(_bytes, ("<![cdata[", "% <![cdata[", "]]>", "% ]]>"))


@uncounted
def _ends(data: np.ndarray, at: int, end: int, word: np.ndarray) -> bool:
    return end - at >= len(word) and begins(data, end - len(word), end, word)


@uncounted
def _trimmed(data: np.ndarray, at: int, end: int) -> tuple[int, int]:
    while at < end and is_space(data[at]):
        at += 1
    while end > at and is_space(data[end - 1]):
        end -= 1
    return at, end


@uncounted
def _closes_at_end(data: np.ndarray, at: int, end: int) -> bool:
    """Whether the brace at `at` closes with the last byte of `data[:end]`."""
    open_braces = 0
    while at < end:
        byte = data[at]
        if byte == 92:
            at += 1
        elif byte == 123:
            open_braces += 1
        elif byte == 125:
            open_braces -= 1
            if open_braces == 0:
                return at == end - 1
        at += 1
    return False


@uncounted
def _source(data: np.ndarray, at: int, end: int) -> tuple[int, int]:
    r"""Without white space around it, and without `{\displaystyle ...}`."""
    at, end = _trimmed(data, at, end)
    for style in _STYLES:
        behind = at + len(style)
        if (
            begins(data, at, end, style)
            and behind < end
            and not is_letter(data[behind])
            and _closes_at_end(data, at, end)
        ):
            return _trimmed(data, behind, end - 1)
    return at, end


@uncounted
def _write(written: Written, now: Any, at: int, end: int, displayed: bool, raw: int) -> None:
    """The source in the page from `at` to `end`, not empty, as one line. raw: 1 for one without references."""
    data, text, decoded, space = written.data, written.text, written.decoded, False
    if not now.is_open:
        begin_block(written.blocks[now.blocks], written.levels[now.depth - 1], now)
        now.is_open = True
    elif now.space != NO_SPACE and (now.space != FEED or divides(text, now.used, data, at, end)):
        text[now.used] = 32
        now.used += 1
    now.space = NO_SPACE
    start = used = now.used
    while at < end:
        length, byte = 1, data[at]
        if not raw and (byte == 38 or byte == 0xC2):
            length, at = character(data, at, written.entities, decoded)
            byte = decoded[0]
        else:
            at += 1
        if length == 1 and (byte <= 32 or byte == 127):
            space |= is_space(byte)
            continue
        if space and used > start:
            text[used] = 32
            used += 1
        space = False
        used = put(text, used, byte, decoded, length)
    now.used = used
    if used == start:
        return
    if now.in_link:
        now.link_bytes += used - start
    if now.bold:
        now.bold_bytes += used - start
    for number in range(now.passages):
        displayed |= (written.passages[number].kinds & DISPLAYED) != 0
    formula = written.formulas[now.formulas]
    formula[0], formula[1], formula[2] = start, used, displayed
    now.formulas += 1
    keep(written, now)


@uncounted
def _is_dropped(written: Written, now: Any) -> bool:
    for number in range(now.passages):  # noqa: SIM110
        if written.passages[number].kinds & (TEMPLATE | GONE):
            return True
    return False


@uncounted
def _math(written: Written, now: Any) -> int:
    """The innermost passage of a formula; -1 without one, or if it has its source."""
    number = now.passages - 1
    while number >= 0 and not written.passages[number].kinds & MATH:
        number -= 1
    return -1 if number < 0 or written.passages[number].kept else number


@uncounted
def _replace(written: Written, now: Any, number: int, at: int, end: int) -> None:
    """The source from `at` to `end` stands for what is written of a formula, whose passage has this number."""
    at, end = _source(written.data, at, end)
    if at == end or _is_dropped(written, now):
        return
    take_back(written, now, written.before[2 * number])
    for inner in range(number + 1, now.passages):
        written.before[2 * inner] = written.place[0]
    _write(written, now, at, end, written.passages[number].displayed, whole(0))


@uncounted
def note_math(new: Any, data: np.ndarray, attributes: int) -> None:
    """What a <math> says whose attributes begin at `attributes`, for its passage."""
    new.alternative, new.alternative_end = attribute_value(data, attributes, _ALTTEXT)
    start, end = attribute_value(data, attributes, _DISPLAY)
    mode, mode_end = attribute_value(data, attributes, _MODE)
    new.displayed = begins(data, start, end, _BLOCK) or begins(data, mode, mode_end, _DISPLAY_MODE)


@uncounted
def read_annotation(written: Written, now: Any, attributes: int, at: int, end: int) -> None:
    """An <annotation> around what is between `at` and `end`, whose attributes begin at `attributes`: TeX is the
    formula's source."""
    data = written.data
    start, stop = attribute_value(data, attributes, _ENCODING)
    number = _math(written, now)
    if number >= 0 and (_ends(data, start, stop, _TEX) or _ends(data, start, stop, _LATEX)):
        _replace(written, now, number, at, end)


@uncounted
def write_alternative(written: Written, now: Any) -> None:
    """A formula ends: without TeX within, its alternative text stands for it."""
    number = _math(written, now)
    if number >= 0:
        _replace(written, now, number, written.passages[number].alternative, written.passages[number].alternative_end)


@uncounted
def read_script(written: Written, now: Any, attributes: int, at: int, end: int) -> None:
    """A <script> around what is between `at` and `end`, whose attributes begin at `attributes`: of the types that
    MathJax 2 reads it is a formula's source, which may be in a CDATA section."""
    data = written.data
    start, stop = attribute_value(data, attributes, _TYPE)
    displayed, is_source = False, False
    for kind in _SCRIPTS:
        is_source |= begins(data, start, stop, kind)
    if not is_source or _is_dropped(written, now):
        return
    while start < stop and not displayed:
        displayed = begins(data, start, stop, _MODE_DISPLAY)
        start += 1
    at, end = _trimmed(data, at, end)
    if begins(data, at, end, _CDATA):
        at += len(_CDATA)
    elif begins(data, at, end, _COMMENTED_CDATA):
        at += len(_COMMENTED_CDATA)
    if _ends(data, at, end, _COMMENTED_END):
        end -= len(_COMMENTED_END)
    elif _ends(data, at, end, _CDATA_END):
        end -= len(_CDATA_END)
    at, end = _source(data, at, end)
    if at < end:
        clear_before_source(written, now)
        clear_around_formula(written, now)
        _write(written, now, at, end, displayed, whole(1))
