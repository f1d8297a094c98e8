"""Bilingual dictionaries: words and what each may be translated to."""

import re
from pathlib import Path

from schemas.errors import UserError
from train.benchmarks.files import BLANK, check_text, lines

_CODE = r"[a-z]{2,3}(?:_[A-Z][a-z]{3})?"
_NAME = re.compile(rf"({_CODE})[-_]({_CODE})\.(?:.+\.)?(?:tsv|txt)")


def read_dictionary(path: Path) -> list[tuple[str, set[str]]]:
    """(source, its targets), in the order in which the sources come first; upper and lower case as they are written.

    A line is a pair: divided by a tab, where both sides may be of several words, as GATITOS has them (Jones et al.
    2023, arXiv:2303.15265), or by space between two words, as most of MUSE are (Lample et al. 2018, arXiv:1710.04087).
    UserError where a line is neither, or a side is empty."""
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a dictionary in it")
    found = dict[str, set[str]]()
    for row, line in lines(path):
        text = line.strip("\r\n")
        divided = text.split("\t") if "\t" in text else re.split(rf"[{BLANK}]+", text.strip(BLANK))
        sides = [side.strip(BLANK) for side in divided]
        if len(sides) != 2 or not all(side.strip() for side in sides):
            if not text.strip():
                raise UserError(f"{path}:{row} is an empty line: take it out")
            count = sum(bool(side.strip()) for side in sides)
            raise UserError(f"{path}:{row} has {count} words or sides, not 2: write source, a tab and target")
        for side in sides:
            check_text(side, path, row)
        found.setdefault(sides[0], set()).add(sides[1])
    if not found:
        raise UserError(f"{path} is empty: give a dictionary with a pair of words a line")
    return list(found.items())


def sides_of(path: Path) -> tuple[str, str]:
    """(language of the sources, of the targets) of `en_fr.tsv`, `en-fr.txt`, `fr-en.5000-6500.txt`. UserError where the
    name does not tell."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise UserError(f"{path} does not tell its languages: name it as en_fr.tsv or en-fr.txt")
    return match[1], match[2]
