"""The script that a text is written in, by its own letters (Unicode Script property, UAX #24).

Labels are ISO 15924 as FineWeb-2 uses them: Chinese `Hani`, Japanese `Jpan`, Korean `Hang` (its kor_Hang, where others
write Kore for Hangul with Han: a corpus that is read beside FineWeb-2 must say what it says). `Zyyy`: not one letter.

Which character is in which script is a file beside this one, so that labels are the same under every release of
`regex`; `python -m pipeline.words.scripts` makes it again.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import regex

from pipeline.kernels.arrow_text import from_strings, utf8
from pipeline.kernels.compiling import kernel
from pipeline.words.characters import all_codepoints, decode

UNDETERMINED = "Zyyy"

# All scripts of Unicode 18 but Zyyy (common), Zinh (inherited) and Zzzz (unknown); a test finds one that is missing.
_CODES = """
Adlm Aghb Ahom Arab Armi Armn Avst Bali Bamu Bass Batk Beng Berf Bhks Bopo Brah Brai Bugi Buhd Cakm Cans Cari Cham
Cher Chrs Copt Cpmn Cprt Cyrl Deva Diak Dogr Dsrt Dupl Egyp Elba Elym Ethi Gara Geor Glag Gong Gonm Goth Gran Grek
Gujr Gukh Guru Hang Hani Hano Hatr Hebr Hira Hluw Hmng Hmnp Hung Ital Java Jurc Kali Kana Kawi Khar Khmr Khoj Kits
Knda Krai Kthi Lana Laoo Latn Lepc Limb Lina Linb Lisu Lyci Lydi Mahj Maka Mand Mani Marc Medf Mend Merc Mero Mlym
Modi Mong Mroo Mtei Mult Mymr Nagm Nand Narb Nbat Newa Nkoo Nshu Ogam Olck Onao Orkh Orya Osge Osma Ougr Palm Pauc
Pcun Perm Phag Phli Phlp Phnx Plrd Prti Rjng Rohg Runr Samr Sarb Saur Seal Sgnw Shaw Shrd Sidd Sidt Sind Sinh Sogd
Sogo Sora Soyo Sund Sunu Sylo Syrc Tagb Takr Tale Talu Taml Tang Tavt Tayo Telu Tfng Tglg Thaa Thai Tibt Tirh Tnsa
Todr Tols Toto Tutg Ugar Vaii Vith Wara Wcho Xpeo Xsux Yezi Yiii Zanb
"""
SCRIPTS = tuple(_CODES.split())
JAPANESE = "Jpan"
NAMES = tuple(sorted((*SCRIPTS, JAPANESE)))  # what a text is labelled with, in the order in which level scripts come
TABLES = Path(__file__).with_suffix(".npz")
HAN, HIRAGANA, KATAKANA, HANGUL = (SCRIPTS.index(code) + 1 for code in ("Hani", "Hira", "Kana", "Hang"))

# Japanese prose has more than a third kana, its headlines rarely under a tenth; Chinese quotes a の now and then.
# Korean mixed script is judged alike.
MIN_SYLLABARY_SHARE = 0.05


class Scripts(NamedTuple):
    """By text: `main` int16, the script of most letters as an index into NAMES, -1 without a letter; `share` float64,
    that script's share of the letters, 0 without a letter; `letters` int64, all letters."""

    main: np.ndarray
    share: np.ndarray
    letters: np.ndarray

    def labels(self) -> pa.Array:
        """ISO 15924 of `main`, `Zyyy` without a letter: a string array."""
        names = pa.array([*NAMES, UNDETERMINED])
        return names.take(pa.array(np.where(self.main < 0, len(NAMES), self.main)))


class Table(NamedTuple):
    """1 + index into SCRIPTS for each letter, 0 for all else: `kinds` uint8 (n_pages, 256), `pages` uint8 (0x1100,)."""

    pages: np.ndarray
    kinds: np.ndarray


def build() -> Table:
    """The table by the Unicode data of the installed `regex`."""
    table = np.zeros(0x110000, np.uint8)
    known = [code for code in SCRIPTS if _is_known(code)]
    which = regex.compile("|".join(rf"(?P<{code}>\p{{Script={code}}}+)" for code in known))
    letters = regex.compile(r"(?V1)[\p{L}--[\p{Zyyy}\p{Zinh}\p{Zzzz}]]+")
    for run in letters.finditer(all_codepoints()):
        for match in which.finditer(run.group()):
            table[run.start() + match.start() : run.start() + match.end()] = SCRIPTS.index(match.lastgroup) + 1
    kinds, pages = np.unique(table.reshape(-1, 256), axis=0, return_inverse=True)
    return Table(pages.astype(np.uint8).ravel(), np.ascontiguousarray(kinds))


def _is_known(code: str) -> bool:
    """Older releases of `regex` lack the newest scripts."""
    try:
        regex.compile(rf"\p{{Script={code}}}")
    except regex.error:
        return False
    return True


@cache
def table() -> Table:
    """The table, read once a process."""
    with np.load(TABLES) as stored:
        return Table(*(stored[name] for name in Table._fields))


@cache
def _places() -> np.ndarray:
    """Index into NAMES of each of SCRIPTS."""
    return np.array([NAMES.index(code) for code in SCRIPTS], np.int64)


@kernel
def _count(data, begin, end, pages, kinds, places, counts, tally) -> None:
    """Letters of one span in each of NAMES, into `tally`; `counts` is room for 1 + len(SCRIPTS)."""
    counts[:] = 0
    at = begin
    while at < end:
        if data[at] < 0x80:
            counts[kinds[pages[0], data[at]]] += 1
            at += 1
        else:
            point, at = decode(data, at, end)
            counts[kinds[pages[point >> 8], point & 255]] += 1
    tally[:] = 0
    for script in range(len(places)):
        tally[places[script]] = counts[script + 1]
    # Kana and the Han characters beside it are Japanese; Han beside Hangul is Korean.
    kana = counts[HIRAGANA] + counts[KATAKANA]
    tally[places[HIRAGANA - 1]] = 0
    tally[places[KATAKANA - 1]] = 0
    tally[_JAPANESE] += kana
    han, hangul = counts[HAN], counts[HANGUL]
    most = max(kana, hangul)
    if most and han and most >= MIN_SYLLABARY_SHARE * (han + most):
        tally[places[HAN - 1]] = 0
        tally[_JAPANESE if kana >= hangul else places[HANGUL - 1]] += han


@kernel
def _main(data, starts, ends, pages, kinds, places, main, share, letters) -> None:
    counts, tally = np.zeros(len(places) + 1, np.int64), np.zeros(len(places) + 1, np.int64)
    for span in range(len(starts)):
        _count(data, starts[span], ends[span], pages, kinds, places, counts, tally)
        best = tally.argmax()
        letters[span] = tally.sum()
        main[span] = best if letters[span] else -1
        share[span] = tally[best] / max(1, letters[span])


_JAPANESE = NAMES.index(JAPANESE)


def span_scripts(data: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> Scripts:
    """The scripts of spans (int64 offsets) of `data`, uint8, UTF-8."""
    size = len(starts)
    scripts = Scripts(np.zeros(size, np.int16), np.zeros(size), np.zeros(size, np.int64))
    _main(data, starts, ends, *table(), _places(), *scripts)
    return scripts


def scripts_of(texts: pa.Array) -> Scripts:
    """The scripts of a string or large_string array of texts; any bytes will do."""
    data, offsets = utf8(texts)
    return span_scripts(data, offsets[:-1], offsets[1:])


def script_shares(text: str) -> dict[str, float]:
    """Share of the text's letters in each script, largest first, summing to 1; empty without a letter.

    Kana and the Han characters beside it count as `Jpan`; Han beside Hangul counts as `Hang`.
    """
    data, _ = utf8(from_strings([text]))
    counts, tally = np.zeros(len(SCRIPTS) + 1, np.int64), np.zeros(len(NAMES), np.int64)
    _count(data, 0, len(data), *table(), _places(), counts, tally)
    total = int(tally.sum())
    order = sorted(np.flatnonzero(tally), key=lambda place: (-tally[place], place))
    return {NAMES[place]: int(tally[place]) / total for place in order}


def main_script(text: str) -> str:
    """The script of most letters, by code where two are level; `Zyyy` without a letter."""
    return next(iter(script_shares(text)), UNDETERMINED)


if __name__ == "__main__":
    np.savez_compressed(TABLES, **build()._asdict())
