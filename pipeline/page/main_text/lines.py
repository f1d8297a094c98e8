"""What of a block's text is written, in whatever form: without the white space around it and, unless preformatted,
without indents.
"""

import numpy as np

from pipeline.kernels.compiling import kernel
from pipeline.words.characters import SPACE, Characters, decode

LINE = 10
NEXT_LINE, LINE_SEPARATOR, PARAGRAPH_SEPARATOR = 0x85, 0x2028, 0x2029
UNSEEN = np.array(  # Default_Ignorable_Code_Point: first and last of each range
    [[0xAD, 0xAD], [0x34F, 0x34F], [0x61C, 0x61C], [0x115F, 0x1160], [0x17B4, 0x17B5], [0x180B, 0x180F],
     [0x200B, 0x200F], [0x202A, 0x202E], [0x2060, 0x206F], [0x3164, 0x3164], [0xFE00, 0xFE0F], [0xFEFF, 0xFEFF],
     [0xFFA0, 0xFFA0], [0xFFF0, 0xFFF8], [0x1BCA0, 0x1BCA3], [0x1D173, 0x1D17A], [0xE0000, 0xE0FFF]], np.int64
)  # fmt: skip


@kernel
def _is_space(point: np.int64, chars: Characters) -> bool:
    return (chars.flags[chars.kinds[chars.pages[point >> 8], point & 255]] & SPACE) != 0


@kernel
def _breaks(point: np.int64) -> bool:
    return point in (LINE, NEXT_LINE, LINE_SEPARATOR, PARAGRAPH_SEPARATOR)


@kernel
def _is_unseen(point: np.int64) -> bool:
    for row in range(len(UNSEEN)):
        if point <= UNSEEN[row, 1]:
            return point >= UNSEEN[row, 0]
    return False


@kernel
def seen(text: np.ndarray, at: int, end: int, in_pre: bool, chars: Characters) -> tuple[int, int]:
    """Where a block's text begins and ends without the white space around it; twice its end if none of it is seen.
    Preformatted text begins with the indent of its first line."""
    begin, last = at, end
    while at < end:
        point, behind = decode(text, at, end)
        if not _is_space(point, chars):
            break
        at = behind
        if not in_pre or _breaks(point):
            begin = at
    while at < end:
        point, at = decode(text, at, end)
        if not (_is_space(point, chars) or _is_unseen(point)):
            break
    else:
        return last, last
    while end > begin:
        place = end - 1
        while place > begin and text[place] & 0xC0 == 0x80:
            place -= 1
        point, _ = decode(text, place, end)
        if not _is_space(point, chars):
            break
        end = place
    return begin, end


@kernel
def append_lines(out: np.ndarray, used: int, text: np.ndarray, in_pre: bool, chars: Characters) -> int:
    """A block's text without other indents than ASCII; Unicode's own line ends become a line feed or a space."""
    line, indent = used, in_pre
    at, end = 0, len(text)
    while at < end:
        if text[at] < 0x80:
            point, behind = np.int64(text[at]), at + 1
        else:
            point, behind = decode(text, at, end)
            if _breaks(point):
                point = np.int64(LINE if in_pre else 32)
            elif indent and _is_space(point, chars):
                used, at = line, behind
                continue
        if point >= 0x80:
            while at < behind:
                out[used] = text[at]
                used += 1
                at += 1
        elif in_pre or point != 32 or out[used - 1] != 32:
            out[used] = point
            used += 1
        at = behind
        if point == LINE:
            line, indent = used, in_pre
        elif point > 32:
            indent = False
    return used


@kernel
def append(out: np.ndarray, used: int, piece: np.ndarray) -> int:
    for byte in piece:
        out[used] = byte
        used += 1
    return used
