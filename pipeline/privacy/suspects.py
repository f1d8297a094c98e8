"""Which texts of a column may need repair: one pass over their UTF-8, so that most are never made a str for it."""

import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.kernels.arrow_text import utf8
from pipeline.kernels.compiling import kernel
from pipeline.privacy.charsets import CHARSETS, LOST, LOST_QUOTE, charsets
from pipeline.privacy.disguises import DISGUISED as DISGUISE
from pipeline.privacy.invisible import ODD as ODD_CHARACTER
from pipeline.words.characters import all_codepoints, decode

# What a text has: controls and invisible characters; marks that NFC may move or put together; letters in disguise;
# what may be UTF-8 misread.
ODD, MARK, DISGUISED, MISREAD = 1, 2, 4, 8
# Blocks of nothing but letters that NFC leaves as they are, which need no look each.
_PLAIN = (range(0x3400, 0xA000), range(0xAC00, 0xD7A4), range(0x17000, 0x1D000), range(0x20000, 0x2F800))


# ά έ ή ί end many a Greek word, before a quotation mark too; as bytes they begin nothing but Syriac, Thaana and N'Ko.
_ACCENTED = range(0xDC, 0xE0)
# Of Windows-1252, the first charset, with a loss: a quote without its end; a no-break space, or à, with a space in it.
_PAIRS = np.array([[ord(character) for character in pair] for pair in (LOST_QUOTE, "\u00c2 ", "\u00c3 ")], np.int64)


class Table(NamedTuple):
    """By page of 256 code points: `pages` uint16 (0x1100,); `kinds` uint16 (n_pages, 256). By kind: `flags` uint8;
    `leads` uint16 (n_kinds, 3), in which charsets it is the first of 2, 3, 4 bytes, a bit a charset; `follows` uint16,
    in which it is a later one."""

    pages: np.ndarray
    kinds: np.ndarray
    flags: np.ndarray
    leads: np.ndarray
    follows: np.ndarray


@cache
def table() -> Table:
    """Made once a process, in a fifth of a second."""
    everything = all_codepoints()
    flags = np.zeros(0x110000, np.int64)
    for pattern, flag in ((ODD_CHARACTER, ODD), (DISGUISE, DISGUISED)):
        flags[[match.start() for match in pattern.finditer(everything)]] |= flag
    flags[list(_marks())] |= MARK
    leads, follows = np.zeros((0x110000, 3), np.int64), np.zeros(0x110000, np.int64)
    for number, (name, charset) in enumerate(charsets().items()):
        for character, byte in charset.byte_of.items():
            if name == "cp1253" and byte in _ACCENTED:
                continue
            if 0xC2 <= byte <= 0xF4:
                leads[ord(character), (byte >= 0xE0) + (byte >= 0xF0)] |= 1 << number
            elif name == "koi8-r" and character.isalpha():  # её is a word
                continue
            elif (byte < 0xC0 or byte == LOST) and character != " ":
                follows[ord(character)] |= 1 << number
    flags[0x80:0xA0] |= MISREAD
    rows = np.column_stack([flags, leads, follows])
    some = np.flatnonzero(rows.any(axis=1))
    kinds_of, kinds = np.unique(rows[some], axis=0, return_inverse=True)
    of = np.zeros(0x110000, np.uint16)
    of[some] = kinds.ravel() + 1
    kinds_of = np.vstack([np.zeros((1, 5), np.int64), kinds_of])
    pages_of, pages = np.unique(of.reshape(-1, 256), axis=0, return_inverse=True)
    return Table(
        pages.astype(np.uint16).ravel(), pages_of, kinds_of[:, 0].astype(np.uint8),
        np.ascontiguousarray(kinds_of[:, 1:4]).astype(np.uint16), kinds_of[:, 4].astype(np.uint16),
    )  # fmt: skip


@cache
def _marks() -> frozenset[int]:
    """What NFC reorders, composes with what is before it, or writes in another way; nothing else it changes."""
    found = {*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)}  # Hangul's vowels and finals, composed by a formula
    for code in range(0x110000):
        if any(code in plain for plain in _PLAIN) or code >= 0x30000:
            continue
        character = chr(code)
        if unicodedata.combining(character) or unicodedata.normalize("NFC", character) != character:
            found.add(code)
        decomposed = unicodedata.decomposition(character)
        if decomposed and not decomposed.startswith("<"):
            found.update(int(part, 16) for part in decomposed.split()[1:])
    return frozenset(found)


@kernel
def _look(data, offsets, pages, kinds, flags, leads, follows, pairs, out, charsets) -> None:
    for text in range(len(offsets) - 1):
        at, end = offsets[text], offsets[text + 1]
        seen, misread = 0, 0
        two, three, four = 0, 0, 0  # charsets in which one more byte is all that a character lacks, two more, three
        last, pending = np.int64(0), False
        while at < end:
            if data[at] < 0x80:
                point = np.int64(data[at])
                at += 1
                if not pending and 0x20 <= point < 0x7F:
                    continue
            else:
                point, at = decode(data, at, end)
            kind = kinds[pages[point >> 8], point & 255]
            seen |= flags[kind]
            later = follows[kind]
            misread |= two & later
            two = leads[kind, 0] | (three & later)
            three = leads[kind, 1] | (four & later)
            four = leads[kind, 2]
            for pair in range(len(pairs)):
                if last == pairs[pair, 0] and point == pairs[pair, 1]:
                    misread |= 1
            last = point
            pending = bool(point >= 0x80 or two or three or four)
        out[text] = seen | (MISREAD if misread else 0)
        charsets[text] = misread


class Suspects(NamedTuple):
    """By text: `flags` uint8, of ODD and its like; `charsets` uint16, those that can have made what is misread."""

    flags: np.ndarray
    charsets: np.ndarray

    def names(self, text: int) -> list[str]:
        """Of the charsets of one text."""
        return [name for number, name in enumerate(CHARSETS) if int(self.charsets[text]) >> number & 1]


def look(texts: pa.Array) -> Suspects:
    """What each of a string or large_string array of texts may need; any bytes will do."""
    data, offsets = utf8(texts)
    found = Suspects(np.zeros(len(texts), np.uint8), np.zeros(len(texts), np.uint16))
    _look(data, offsets, *table(), _PAIRS, *found)
    return found
