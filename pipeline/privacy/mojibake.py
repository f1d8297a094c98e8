"""Mojibake undone: UTF-8 that was read as a single-byte charset, once or twice, on all of a text or in a word of it.

Bytes of UTF-8 seen through a charset are a leading character and one to three that can follow it. Such a run is
replaced, and nothing beside it, where the text becomes likelier by it, as the model of characters has it: surely where
it is SURE, and where it is LIKELY if the same charset has surely damaged the same text elsewhere. `SÓ AMANHÃ”` is as
likely as `SÓ AMANHÔ`, and stays.

Two kinds of loss are made good. A no-break space that became a space on the way is one (`Ã ` for à), and so is a quote
whose last byte has no character in Windows-1252 (`â€` for ”); another lost byte leaves U+FFFD for its character.
What is left of C1 controls is read as Windows-1252, as browsers do; those that are nothing there disappear.

After ftfy (Speer 2019, doi 10.5281/zenodo.2591652), which knows these charsets and losses, and judges by rules.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from pipeline.kernels.arrow_text import from_strings
from pipeline.privacy.character_model import character_model
from pipeline.privacy.charsets import CHARSETS, LOST, Charset, charsets
from pipeline.privacy.suspects import look

# Logarithms of how much likelier a text becomes: by itself; where the charset has damaged the text elsewhere and the
# line has good signs as well, or none; and what that charset is ahead of others that would read a run in another way.
SUREST, SURE, MIXED, LIKELY, MOST = 20.0, 11.0, 8.0, 3.0, 20.0
# A line that stays as strange as this, by character, is damaged in some other way unless a run gains as much as that.
STRANGE, BEYOND_DOUBT = -8.0, 40.0
MAX_TURNS = 8  # twice wrong is common
LOST_QUOTE = re.compile(b"\xe2\x80(?:\xff|(?=[\xc2-\xf4])|\\Z)")  # of ” the last byte, 0x9d
LOST_CHARACTER = re.compile(b"[\xc2-\xdf]\xff|[\xe0-\xef][\x80-\xbf]\xff|[\xe0-\xef]\xff[\x80-\xbf]")
SOFT_HYPHEN = "\u00ad"  # in good text it may stand anywhere, and is seen nowhere
# What of two bytes ends in 0xA0 and is so common that a space may be that byte.
SPACED = frozenset("\u00a0\u00e0\u0160\u0420\u03a0\u05e0")
SPACE_BEHIND = re.compile("[\u00e0\u2020]")  # the dagger: what a space for a no-break space makes of a lost quote
ANGSTROMS = re.compile("(?<!\\w)\u00c5[\u00b2\u00b3](?!\\w)")
NOT_ASCII = re.compile("[^\x00-\x7f]")
CONTROL = re.compile("[\x80-\x9f]")
CONTROLS = {code: bytes([code]).decode("cp1252", "ignore") for code in range(0x80, 0xA0)}


class Fix(NamedTuple):
    """A run, what it should be, and how much likelier the text becomes."""

    start: int
    end: int
    better: str
    gain: float
    charset: str


def _readings(run: str, charset: Charset) -> Iterator[tuple[int, int, str]]:
    """Begin, end and text of what a run, or all of it but its first or last character, may have been."""
    raw = bytes(charset.byte_of[character] for character in run)
    begins = [at for at, byte in enumerate(raw) if byte >= 0xC0 and byte != LOST]
    spans = {(0, len(raw)), (begins[-1], len(raw)), (0, begins[-1])}
    if len(begins) > 1:
        spans |= {(begins[1], len(raw)), (0, begins[1])}
    for start, end in spans:
        if start < end:
            for text in _decoded(raw[start:end]):
                if " " in run and any("\x7f" < c < "\u0800" and ord(c) & 63 == 32 and c not in SPACED for c in text):
                    continue
                yield start, end, text
                if all(character in charset.byte_of for character in text):
                    yield from (
                        (start, end, twice) for twice in _decoded(bytes(map(charset.byte_of.__getitem__, text)))
                    )
                if " " in run:  # à and a quote end a word, so their space was likely another one
                    yield (
                        start,
                        end,
                        SPACE_BEHIND.sub(lambda end: "\u201d " if end[0] == "\u2020" else end[0] + " ", text),
                    )


def _decoded(raw: bytes) -> Iterator[str]:
    """The text of bytes, if they are any; lost ones are made good or leave U+FFFD."""
    try:
        yield raw.decode("utf-8")
    except UnicodeDecodeError:
        made_good = LOST_CHARACTER.sub(b"\xef\xbf\xbd", LOST_QUOTE.sub(b"\xe2\x80\x9d", raw))
        if made_good != raw:
            yield from _decoded(made_good)


@lru_cache(1 << 14)
def _best(before: str, run: str, behind: str, name: str) -> Fix | None:
    """Of what a run can be between its two neighbours on either side, the likeliest; None where it is likelier itself.
    Counted from the run's beginning."""
    model, text, at = character_model(), before + run + behind, len(before)
    fixes = []
    for start, end, better in _readings(run, charsets()[name]):
        start, end = start + at, end + at
        mended = text[:start] + better + text[end:]
        given = text[start:end].replace(SOFT_HYPHEN, "")
        gain = model.log_likelihood(mended, start, start + len(better)) - model.log_likelihood(
            text[:start] + given + text[end:], start, start + len(given)
        )
        if gain > LIKELY and not ANGSTROMS.match(text, start, end + 1):
            fixes.append(Fix(start - at, end - at, better, gain, name))
    return max(fixes, key=lambda fix: fix.gain, default=None)


def _fixes(text: str, names: Iterable[str]) -> Iterator[Fix]:
    """Of each run, seen through these charsets, what makes the text likelier."""
    for name in names:
        for run in charsets()[name].run.finditer(text):
            start, end = run.span()
            before = text[max(0, start - 4) : start].replace(SOFT_HYPHEN, "")[-2:]
            behind = text[end : end + 4].replace(SOFT_HYPHEN, "")[:2]
            fix = _best(before, run.group(), behind, name)
            if fix:
                yield fix._replace(start=start + fix.start, end=start + fix.end)


def _found(lines: list[str]) -> list[list[Fix]]:
    """By line."""
    suspects = look(from_strings(lines))
    found: list[list[Fix]] = [[] for _ in lines]
    for number in np.flatnonzero(suspects.charsets).tolist():
        found[number] = list(_fixes(lines[number], suspects.names(number)))
    return found


def _chosen(fixes: list[Fix], most: str, sure: float, enough: float) -> list[Fix]:
    """Fixes that do not overlap: `enough` is asked of those of the charset `most`, of others that they are `sure`."""
    good = [fix for fix in fixes if fix.gain >= (enough if fix.charset == most else sure + CHARSETS[fix.charset])]
    good.sort(key=lambda fix: (-fix.gain - MOST * (fix.charset == most), fix.start))
    taken: list[Fix] = []
    for fix in good:
        if all(fix.end <= other.start or other.end <= fix.start for other in taken):
            taken.append(fix)
    return sorted(taken, reverse=True)


def _mended(line: str, fixes: list[Fix]) -> str:
    mended = line
    for fix in fixes:
        mended = mended[: fix.start] + fix.better + mended[fix.end :]
    likely = character_model().log_likelihood(mended, 0, len(mended))
    doubtful = all(fix.gain < BEYOND_DOUBT for fix in fixes)
    return line if doubtful and likely < STRANGE * (len(mended) + 2) else mended


def mend(text: str) -> str:
    """The text without mojibake. What is surest first, for a run is judged by its neighbours too."""
    lines = text.split("\n")
    damage: Counter[str] = Counter()
    spoilt = [False] * len(lines)  # all that is no ASCII in the line
    found, turns = _found(lines), 0
    for sure in (SUREST, SURE, LIKELY):
        while turns < MAX_TURNS:
            for fix in itertools.chain(*found):
                if sure >= SURE and fix.gain >= sure + CHARSETS[fix.charset]:
                    damage[fix.charset] += round(fix.gain - CHARSETS[fix.charset])
            if not damage:
                break
            most = max(damage, key=lambda name: (damage[name], name))
            mended = []
            for number, (line, fixes) in enumerate(zip(lines, found, strict=True)):
                inside = sum(fix.end - fix.start for fix in fixes if fix.charset == most)
                spoilt[number] = spoilt[number] or 0 < len(NOT_ASCII.findall(line)) <= inside
                enough = sure if sure >= SURE else LIKELY if spoilt[number] else MIXED
                chosen = _chosen(fixes, most, max(sure, SURE), enough)
                mended.append(_mended(line, chosen) if chosen else line)
            if mended == lines:
                break
            lines, turns = mended, turns + 1
            found = _found(lines)
    mended_text = "\n".join(lines)
    return CONTROL.sub(lambda control: CONTROLS[ord(control.group())], mended_text)
