"""Which language a file, a folder or a row is of, and which split of a benchmark a file is: by their published names.
Codes stay as they are written."""

import re
from pathlib import Path
from typing import Any

from pipeline.language.labels import ISO_639_3, OTHER_CODES
from schemas.errors import UserError

CODE = r"(?:[a-z]{2,3}(?:[-_][A-Za-z]{1,9})*|simple)"  # en, eng_Latn, zh-CN, be-x-old; a Wikipedia of WikiANN
_SHORT = r"[a-z]{2}(?:-[A-Za-z]{2,4})?"  # where a longer name may be a word
_SCRIPTED = r"[a-z]{3}_[A-Z][a-z]{3}"
SPLITS = {
    "train": "train", "training": "train", "dev": "dev", "valid": "dev", "validation": "dev", "val": "dev",
    "testa": "dev", "test": "test", "testb": "test",
}  # fmt: skip
_SPLIT = "(?:" + "|".join(SPLITS) + ")"
_FILES = [
    rf"{_SPLIT}[-._]({_SHORT}|{_SCRIPTED})\.(?:tsv|csv|jsonl|parquet)",  # XTREME
    rf"(?:multinli|xnli)\.{_SPLIT}\.({CODE})\.tsv",
    rf"xquad\.({CODE})\.json",
    rf"{_SPLIT}-context-({CODE})-question-(?:{CODE})\.json",  # MLQA: answers are of the context
    rf"wikiann-({CODE})(?:\.bio)?",
    rf"({CODE})-(?:{_SPLIT}|extra)",  # PAN-X
    rf"({CODE})_[a-z0-9]+-ud-{_SPLIT}(?:-[a-z])?\.conllu",
    rf"(esp|ned|eng|deu)\.{_SPLIT}",  # CoNLL
    rf"({_SCRIPTED})\.[a-z]+",
]
_FOLDERS = [rf"({_SCRIPTED})", rf"wikiann-({CODE})", rf"xquad\.({CODE})"]
_IN_A_BENCHMARK = [*_FOLDERS, rf"({CODE})"]
_NO_CODES = {*SPLITS, "data", "raw", "all", "ax", "tmp", "old", "src"}


def language_of_file(path: Path) -> str:
    """ "" where neither its name nor its folder's says it."""
    return _first(_FILES, path.name.removesuffix(".gz")) or _first(_FOLDERS, path.absolute().parent.name)


def language_of_folder(name: str) -> str:
    """Of a folder inside the one of a benchmark, where a code alone names a language."""
    return "" if name in _NO_CODES else _first(_IN_A_BENCHMARK, name)


def same_language(one: str, other: str) -> bool:
    """Whether two codes are of one language: `fra`, `fr` and `fra_Latn` are, and `zho-CN` is `cmn`, as the labels of
    the corpus have it; a script or a country counts where both tell one."""
    first, second = _parts(one), _parts(other)
    return first[0] == second[0] and all(a == b or not (a and b) for a, b in zip(first[1:], second[1:], strict=True))


def _parts(code: str) -> tuple[str, str, str]:
    """Language, script, and what else there is."""
    base, *more = re.split("[-_]", code)
    scripts = [one for one in more if re.fullmatch("[A-Z][a-z]{3}", one)]
    rest = "-".join(one for one in more if one not in scripts[:1])
    base = ISO_639_3.get(base, base)
    return OTHER_CODES.get(base, base), "".join(scripts[:1]), rest


def split_of(path: Path) -> str:
    """train, dev or test, by the name of the file; "" where it says none, or several."""
    words = re.split(r"[^A-Za-z0-9]+", path.name.lower())
    found = {SPLITS[word] for word in words if word in SPLITS}
    return found.pop() if len(found) == 1 else ""


class Languages:
    """Of the rows of one file. only: of a file that names its languages, those rows; else the language of all of them.
    otherwise: the language where neither says it."""

    def __init__(self, path: Path, only: str, otherwise: str) -> None:
        self._path = path
        self._only = only
        self._otherwise = only or otherwise
        self._same = dict[str, str]()
        self._kept = False

    def of_row(self, cell: Any) -> str | None:
        """None: the row is of another language. cell: of a column of languages, a code or a list of the same code."""
        if isinstance(cell, list | tuple):
            cell = cell[0] if cell else None
        code = cell.strip() if isinstance(cell, str) else ""
        if not code or code == self._only:
            self._kept = True
            return self._otherwise
        code = self._same.setdefault(code, code)
        return None if self._only else code

    def end(self) -> None:
        """UserError where no row was of the language asked for."""
        if self._only and self._same and not self._kept:
            there = ", ".join(sorted(self._same)[:20])
            raise UserError(f"{self._path} has no row of the language {self._only!r}: it has {there}; name one of them")


def _first(patterns: list[str], name: str) -> str:
    matches = (re.fullmatch(pattern, name) for pattern in patterns)
    return next((match[1] for match in matches if match), "")
