"""How a text becomes words that may have vectors.

A word is what `pipeline.words.words` says, a run of letters, marks and digits, in scripts without spaces one character
with its marks; by a pattern of Unicode's scripts here, since the kernels of the data wing are not where one trains.
"""

import re
import sys
import unicodedata
from functools import cache

SINGLES = (  # blocks of Unicode whose letters are written without spaces between words
    (0x0E00, 0x0E7F), (0x0E80, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x19E0, 0x19FF),  # Thai Lao Myanmar Khmer
    (0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x3029), (0x3031, 0x3035), (0x3038, 0x303C), (0x3041, 0x30FF),
    (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F), (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F), (0x1AFF0, 0x1B16F), (0x20000, 0x3FFFF),
)  # fmt: skip


def words(text: str, keep_case: bool = False) -> list[str]:
    """In order; lower case unless it is to be kept, as MUSE's vectors are."""
    return _pattern().findall(text if keep_case else text.lower())


@cache
def _pattern() -> re.Pattern[str]:
    marks, letters = _ranges("M"), _ranges("LMN")
    single = "".join(rf"\U{first:08x}-\U{last:08x}" for first, last in SINGLES)
    return re.compile(rf"(?![{marks}])(?=[{letters}])[{single}][{marks}]*|(?:(?![{single}](?<![{marks}]))[{letters}])+")


def _ranges(kinds: str) -> str:
    """Inside of a class of characters: all whose category begins with one of these letters."""
    found = list[str]()
    first = -1
    for point in range(sys.maxunicode + 2):
        inside = point <= sys.maxunicode and unicodedata.category(chr(point))[0] in kinds
        if inside and first < 0:
            first = point
        elif not inside and first >= 0:
            found.append(rf"\U{first:08x}-\U{point - 1:08x}")
            first = -1
    return "".join(found)
