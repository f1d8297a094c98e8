"""Line feeds in the source of a page that stand for no space: CSS Text 3, 4.1.3, Segment Break Transformation Rules.

Between two characters of Chinese or Japanese a line feed is nothing, elsewhere a space. Level 4's rule for punctuation
of ambiguous width, which Chinese and Korean share with Europe, asks for the language; here the wide character on the
other side tells it.
"""

import numpy as np

from pipeline.kernels.compiling import kernel, whole
from pipeline.words.characters import decode

ZERO_WIDTH_SPACE = 0x200B


def _ranges(written: str) -> np.ndarray:
    """First and last of each range, int32 of shape (n, 2), in order."""
    pairs = (entry.split("-") for entry in written.split())
    return np.array([(int(pair[0], 16), int(pair[-1], 16)) for pair in pairs], np.int32)


# Unicode 14, UAX #11. What is not assigned lies with its neighbours. East_Asian_Width F, W or H, but for Hangul:
WIDE = _ranges(
    "20A9 231A-231B 2329-232A 23E9-23EC 23F0 23F3 25FD-25FE 2614-2615 2648-2653 267F 2693 26A1 26AA-26AB "
    "26BD-26BE 26C4-26C5 26CE 26D4 26EA 26F2-26F3 26F5 26FA 26FD 2705 270A-270B 2728 274C 274E 2753-2755 2757 "
    "2795-2797 27B0 27BF 2B1B-2B1C 2B50 2B55 2E80-302D 3030-303E 3041-312F 3190-31FF 3220-3247 3250-325F "
    "327F-4DBF 4E00-A4C6 F900-FAD9 FE10-FE19 FE30-FE6B FF01-FF9F FFE0-FFEE 16FE0-1B2FB 1F004 1F0CF 1F18E "
    "1F191-1F19A 1F200-1F320 1F32D-1F335 1F337-1F37C 1F37E-1F393 1F3A0-1F3CA 1F3CF-1F3D3 1F3E0-1F3F0 1F3F4 "
    "1F3F8-1F43E 1F440 1F442-1F4FC 1F4FF-1F53D 1F54B-1F54E 1F550-1F567 1F57A 1F595-1F596 1F5A4 1F5FB-1F64F "
    "1F680-1F6C5 1F6CC 1F6D0-1F6D2 1F6D5-1F6DF 1F6EB-1F6EC 1F6F4-1F6FC 1F7E0-1F7F0 1F90C-1F93A 1F93C-1F945 "
    "1F947-1F9FF 1FA70-1FAF6 20000-3FFFD"
)
# Of East_Asian_Width A the punctuation and symbols, general categories P and S:
AMBIGUOUS = _ranges(
    "A1 A4 A7-A8 AE B0-B1 B4 B6-B8 BF D7 F7 2C4 2D8-2DB 2DD 2DF 2010 2013-2016 2018-2019 201C-201D 2020-2022 "
    "2024-2027 2030 2032-2033 2035 203B 203E 20AC 2103 2105 2109 2116 2121-2122 2190-2199 21B8-21B9 21D2 21D4 "
    "21E7 2200 2202-2203 2207-2208 220B 220F 2211 2215 221A 221D-2220 2223 2225 2227-222C 222E 2234-2237 "
    "223C-223D 2248 224C 2252 2260-2261 2264-2267 226A-226B 226E-226F 2282-2283 2286-2287 2295 2299 22A5 22BF "
    "2312 249C-24E9 2500-254B 2550-2573 2580-258F 2592-2595 25A0-25A1 25A3-25A9 25B2-25B3 25B6-25B7 25BC-25BD "
    "25C0-25C1 25C6-25C8 25CB 25CE-25D1 25E2-25E5 25EF 2605-2606 2609 260E-260F 261C 261E 2640 2642 2660-2661 "
    "2663-2665 2667-266A 266C-266D 266F 269E-269F 26BF 26C6-26CD 26CF-26D3 26D5-26E1 26E3 26E8-26E9 26EB-26F1 "
    "26F4 26F6-26F9 26FB-26FC 26FE-26FF 273D 2B56-2B59 FFFD 1F110-1F12D 1F130-1F169 1F170-1F18D 1F18F-1F190 "
    "1F19B-1F1AC"
)


@kernel
def _within(point: int, ranges: np.ndarray) -> bool:
    low, high = 0, len(ranges)
    while low < high:
        middle = (low + high) >> 1
        if ranges[middle, 1] < point:
            low = middle + 1
        else:
            high = middle
    return low < len(ranges) and ranges[low, 0] <= point


@kernel
def is_nothing(before: int, after: int) -> bool:
    """Whether white space with a line feed in it stands for nothing between two code points."""
    if before == ZERO_WIDTH_SPACE or after == ZERO_WIDTH_SPACE:
        return True
    if before < 0x80 or after < 0x80:
        return False
    if _within(before, WIDE):
        return _within(after, WIDE) or _within(after, AMBIGUOUS)
    return _within(after, WIDE) and _within(before, AMBIGUOUS)


@kernel
def _character_before(text: np.ndarray, used: int) -> int:
    """The last code point of `text[:used]`, which is not empty."""
    at = used - 1
    while at > 0 and used - at < 4 and text[at] & 0xC0 == 0x80:
        at -= 1
    point, _ = decode(text, at, used)
    return whole(point)


@kernel
def divides(text: np.ndarray, used: int, data: np.ndarray, at: int, end: int) -> bool:
    """Whether white space with a line feed in it is a space between the end of `text[:used]`, not empty, and the
    character at `at` in `data[:end]`."""
    point, _ = decode(data, at, end)
    return not is_nothing(_character_before(text, used), whole(point))
