"""Single-byte charsets through which UTF-8 is misread, and the characters that its bytes become."""

import re
from functools import cache
from typing import NamedTuple

# How rarely each is behind it, on the scale of SURE.
CHARSETS = {
    "cp1252": 0.0, "cp1250": 3.0, "cp1251": 3.0, "cp1254": 3.0, "cp1253": 5.0, "cp1257": 5.0, "iso8859-2": 5.0,
    "iso8859-15": 5.0, "mac-roman": 5.0, "koi8-r": 5.0, "cp437": 5.0, "cp850": 6.0,
}  # fmt: skip
REPLACEMENT = "\ufffd"
LOST = 0xFF  # stands for a byte that is U+FFFD; none of UTF-8
LOST_QUOTE = "\u00e2\u20ac"  # ” in Windows-1252 without its last byte, 0x9d


class Charset(NamedTuple):
    """`byte_of`: what each of its characters stands for; `run`: characters that can be bytes of UTF-8."""

    byte_of: dict[str, int]
    run: re.Pattern[str]


def _charset(name: str) -> Charset:
    """With C1 controls for bytes that are nothing in the charset, as browsers have it."""
    characters = [bytes([byte]).decode(name, "replace") for byte in range(0x80, 0x100)]
    of = {
        byte: chr(byte) if is_lost else c for byte, c in enumerate(characters, 0x80) for is_lost in [c == REPLACEMENT]
    }
    byte_of = {chr(byte): byte for byte in range(0x80, 0xA0)} | {character: byte for byte, character in of.items()}

    def some(first: int, last: int) -> str:
        return "[" + "".join(re.escape(c) for c, byte in byte_of.items() if first <= byte <= last) + "]"

    follows = some(0x80, 0xBF)
    last = follows
    if of[0xA0] == "\u00a0":
        byte_of[" "] = 0xA0
        last = follows[:-1] + " ]"
    if name == "cp1252":
        byte_of[REPLACEMENT] = LOST
        last = last[:-1] + REPLACEMENT + "]"
    byte_of = {character: byte for character, byte in byte_of.items() if byte < 0xC2 or character != "\u00a0"}
    two, three, four = some(0xC2, 0xDF), some(0xE0, 0xEF), some(0xF0, 0xF4)
    run = f"(?:{two}{last}|{three}{last}{last}|{four}{last}{last}{last})+"
    if name == "cp1252":
        run = f"(?:{two}{last}|{three}{last}{last}|{four}{last}{last}{last}|{LOST_QUOTE})+"
    return Charset(byte_of, re.compile(run))


@cache
def charsets() -> dict[str, Charset]:
    """By name."""
    return {name: _charset(name) for name in CHARSETS}
