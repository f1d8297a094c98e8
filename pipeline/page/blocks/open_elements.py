"""Which open elements a tag closes, as https://html.spec.whatwg.org/#parsing-main-inbody says, for text."""

import numpy as np

from pipeline.html.elements import (
    ADDRESS,
    BARRIER,
    BUTTON,
    CAPTION,
    CELL,
    DIV,
    ENDS_P,
    H1,
    H6,
    ITEM,
    ROW,
    ROWS,
    TABLE,
    TERM,
    P,
)  # fmt: skip
from pipeline.kernels.compiling import kernel, whole


@kernel
def _outermost(levels: np.ndarray, depth: int, rule: int, rules: np.ndarray) -> int:
    """Level of the outermost open element of a rule within the innermost table; -1 without one."""
    outermost = -1
    level = depth - 1
    while level > 0:
        seen = levels[level].tag
        if seen == TABLE:
            break
        if rules[seen] & rule:
            outermost = level
        level -= 1
    return outermost


@kernel
def closed_by_start(levels: np.ndarray, depth: int, new: int, rules: np.ndarray, opened: np.ndarray) -> int:
    """Depth of the stack after the elements that a start tag ends."""
    rule = rules[new]
    if rule & (CELL | ROW | ROWS) or new == CAPTION:
        ends = CELL
        if rule & ROW:
            ends = CELL | ROW
        elif rule & ROWS or new == CAPTION:
            ends = CELL | ROW | ROWS
        level = _outermost(levels, depth, ends, rules)
        return level if level > 0 else depth
    if rule & (ITEM | TERM):
        level = depth - 1
        while level > 0:
            seen = levels[level].tag
            if rules[seen] & rule & (ITEM | TERM):
                depth = level
                break
            if seen != DIV and seen != P and seen != ADDRESS:
                break
            level -= 1
    if rule & ENDS_P and opened[P]:
        level = depth - 1
        while level > 0:
            seen = levels[level].tag
            if seen == P:
                depth = level
                break
            if rules[seen] & BARRIER or seen == BUTTON:
                break
            level -= 1
    if H1 <= new <= H6 and depth > 1 and H1 <= levels[depth - 1].tag <= H6:
        depth -= 1
    if new == BUTTON and opened[BUTTON]:
        depth = closed_by_end(levels, depth, whole(BUTTON), rules, opened)
    return depth


@kernel
def closed_by_end(levels: np.ndarray, depth: int, name: int, rules: np.ndarray, opened: np.ndarray) -> int:
    """Depth of the stack after an end tag; unchanged where it has no open element."""
    heading = H1 <= name <= H6
    if not heading and not opened[name]:
        return depth
    in_table = rules[name] & (CELL | ROW | ROWS) or name == CAPTION
    level = depth - 1
    while level > 0:
        seen = levels[level].tag
        if seen == name or (heading and H1 <= seen <= H6):
            return level
        if name == TABLE:
            pass
        elif in_table:
            if seen == TABLE:
                break
        elif rules[seen] & BARRIER:
            break
        level -= 1
    return depth
