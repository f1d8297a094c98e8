"""Files of a word a line become words and their tags: WikiANN, CoNLL-2002 and 2003, two columns, CoNLL-U; and tables
whose cells hold a sentence's words."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from schemas.errors import UserError
from train.benchmarks.columns import ALL_NAMES, Columns, find, flag, need
from train.benchmarks.examples import Origin, TokenExample
from train.benchmarks.files import BLANK, Say, check_text, kind_of, lines
from train.benchmarks.flaws import Flaws
from train.benchmarks.forms import NLI
from train.benchmarks.languages import CODE, Languages
from train.benchmarks.tables import Table

CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
DOCUMENT = "-DOCSTART-"
_WIKIANN = re.compile(rf"({CODE}):(.*)", re.S)
_TEXT = 4  # words in one cell, which no name of a town is
_SEEN = 50  # lines by which a layout is told


@dataclass
class _Sentence:
    row: int = 0
    words: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    language: str = ""


def is_word_per_line(path: Path) -> bool:
    """Whether its name or its first lines are of the layouts here."""
    if kind_of(path) in (".conll", ".conllu", ".bio", ".iob", ".iob2"):
        return True
    some = [line for _, line in islice(lines(path), _SEEN)]
    return bool(some) and (some[0].startswith(DOCUMENT) or _prefixes(some))


def has_word_header(path: Path, columns: Columns) -> bool:
    """Whether its first line names columns, as of words, or of another task."""
    header = [name.strip() for name in next((line for _, line in lines(path)), "").split("\t")]
    if columns.words or find(path, header, columns, "words") is not None:
        return True
    return len({name.lower() for name in header} & ALL_NAMES) > 1


def read_words(path: Path, columns: Columns, languages: Languages, labelled: bool, say: Say) -> list[TokenExample]:
    """A sentence ends at a blank line; its row is that of its first word. `columns.tags` chooses another column than
    the last one, by its number from 1, or in CoNLL-U another than upos, by its name."""
    layout = _Layout(path, columns, labelled)
    flaws = Flaws(path, "WikiANN" if layout.prefixed else "", say)
    same = dict[str, str]()
    found = list[TokenExample]()
    for sentence in _sentences(layout, flaws):
        of = languages.of_row(sentence.language)
        if of is not None:
            words = tuple(sentence.words)
            tags = tuple(same.setdefault(tag, tag) for tag in sentence.tags)
            found.append(TokenExample(words, tags, of, Origin(path, sentence.row)))
    flaws.end(len(found))
    return found


class _Layout:
    """How a line of a file is divided."""

    def __init__(self, path: Path, columns: Columns, labelled: bool) -> None:
        some = [line for _, line in islice(lines(path), _SEEN)]
        full = [line for line in some if line.strip(BLANK) and not line.startswith(("#", DOCUMENT))]
        if not full:
            raise UserError(f"{path} is empty: give a file of words and their tags")
        self.path = path
        self.labelled = labelled
        self.conllu = kind_of(path) == ".conllu" or all(
            line.count("\t") == len(CONLLU) - 1 and re.match(r"[0-9][0-9.-]*\t", line) for line in full
        )
        self.prefixed = not self.conllu and _prefixes(some)
        self.tabs = self.conllu or any("\t" in line for line in full)
        self.width = len(CONLLU) if self.conllu else len(self.cells(full[0]))
        if self.tabs and not self.conllu and 2 * sum(_is_text(line) for line in full) > len(full):
            raise UserError(f"{path} has whole texts where words are expected: take the task sequence or pair")
        self.tags = self._tags(columns.tags)

    def cells(self, line: str) -> list[str]:
        """Divided at tabs where the file has any, else at spaces: others of Unicode stand inside words."""
        return line.split("\t") if self.tabs else _spaced(line)

    def _tags(self, chosen: str) -> int | None:
        """None where a line is a word alone."""
        if self.conllu:
            name = chosen or "upos"
            if name not in CONLLU[2:]:
                raise UserError(
                    f"{self.path} is CoNLL-U, which has no column {chosen!r}: name one of {', '.join(CONLLU[2:])} with "
                    f"{flag('tags')}"
                )
            return CONLLU.index(name)
        if chosen:
            if not chosen.isdecimal() or not 2 <= int(chosen) <= self.width:
                raise UserError(
                    f"{self.path} has {self.width} columns without names: give {flag('tags')} the number of the one "
                    f"with tags, from 2 on, and not {chosen!r}"
                )
            return int(chosen) - 1
        if self.width > 1:
            return self.width - 1
        if self.labelled:
            raise UserError(f"{self.path} has words and no tags: write a tag behind each word, after a tab")
        return None


def _sentences(layout: _Layout, flaws: Flaws) -> Iterator[_Sentence]:
    sentence = _Sentence()
    for row, line in lines(layout.path):
        if not line.strip(BLANK):
            if sentence.words:
                yield sentence
            sentence = _Sentence()
        elif line.startswith(DOCUMENT) or (layout.conllu and line.startswith("#")):
            continue
        else:
            _add(layout, sentence, row, line, flaws)
    if sentence.words:
        yield sentence


def _add(layout: _Layout, sentence: _Sentence, row: int, line: str, flaws: Flaws) -> None:
    where = f"{layout.path}:{row}"
    cells = layout.cells(line)
    if len(cells) != layout.width:
        raise UserError(
            f"{where} has {len(cells)} columns where the first line has {layout.width}: write a word, a tab and its "
            "tag, and a blank line between sentences"
        )
    word, tag = cells[1 if layout.conllu else 0], cells[layout.tags].strip(BLANK) if layout.tags is not None else ""
    if layout.conllu and not cells[0].isdecimal():
        if re.fullmatch(r"[0-9]+[-.][0-9]+", cells[0]):
            return  # several words in one token, whose words follow; a word that is not in the text
        raise UserError(f"{where} has the number {cells[0]!r}: number the words of a sentence from 1, as CoNLL-U does")
    if layout.prefixed:
        match = _WIKIANN.fullmatch(word)
        if match is None:
            raise UserError(f"{where} has no language before {word[:40]!r}, as WikiANN has: write 'en:word'")
        sentence.language, word = match[1], match[2]
    word = word.strip(BLANK)
    if not word.strip():
        flaws.found(row, "has a tag without a word", "write the word before it, or take the line out")
        return
    if layout.tags is not None and not tag:
        raise UserError(f"{where} has no tag for {word[:40]!r}: write one behind it (O where there is none)")
    check_text(word, layout.path, row)
    sentence.row = sentence.row or row
    sentence.words.append(word)
    if layout.tags is not None:
        sentence.tags.append(tag)


def read_word_table(
    table: Table, columns: Columns, languages: Languages, labelled: bool, say: Say
) -> list[TokenExample]:
    """Of a table whose cells are lists of words and of tags, or text with spaces between them."""
    path, names = table.path, table.names
    words = need(path, names, columns, "words")
    tags = find(path, names, columns, "tags")
    if tags is None and labelled:
        tags = need(path, names, columns, "tags")
    language = find(path, names, columns, "language")
    classes = table.classes.get(names[tags]) if tags is not None else None
    same = dict[str, str]()
    found = list[TokenExample]()
    for row, cells in table.rows:
        where = f"{path}:{row}"
        if len(cells) != len(names):
            raise UserError(f"{where} has {len(cells)} columns where the header has {len(names)}: mend the row")
        of = languages.of_row(None if language is None else cells[language])
        if of is None:
            continue
        tokens = _list(cells[words], where, names[words], "words")
        marks = _list(cells[tags], where, names[tags], "tags") if tags is not None and cells[tags] is not None else []
        if not tokens or not all(isinstance(token, str) and token.strip() for token in tokens):
            raise UserError(f"{where} has an empty word in the column {names[words]!r}: write it, or take the row out")
        if len(marks) != len(tokens) and (marks or labelled):
            raise UserError(f"{where} has {len(tokens)} words and {len(marks)} tags: give each word one")
        for token in tokens:
            check_text(token, path, row)
        tagged = tuple(same.setdefault(tag, tag) for tag in (_tag(mark, classes, where) for mark in marks))
        found.append(TokenExample(tuple(tokens), tagged, of, Origin(path, row)))
    return found


def _list(cell: Any, where: str, name: str, role: str) -> list[Any]:
    if isinstance(cell, str):
        return _spaced(cell)
    if not isinstance(cell, list):
        raise UserError(
            f"{where} has no list of {role} in the column {name!r} but {type(cell).__name__}: name another with "
            f"{flag(role)}"
        )
    return cell


def _tag(mark: Any, classes: tuple[str, ...] | None, where: str) -> str:
    if classes is not None and isinstance(mark, int):
        if not 0 <= mark < len(classes):
            raise UserError(f"{where} has the tag {mark} of {len(classes)} that the file names: mend it")
        return classes[mark]
    tag = str(mark).strip() if isinstance(mark, str | int) else ""
    if not tag:
        raise UserError(f"{where} has an empty tag: write O where a word has none")
    return tag


def _is_text(line: str) -> bool:
    first, *_, last = line.split("\t") if "\t" in line else ("", "")
    return len(_spaced(first)) >= _TEXT or last in NLI


def _spaced(line: str) -> list[str]:
    return [cell for cell in re.split(rf"[{BLANK}]+", line) if cell]


def _prefixes(some: list[str]) -> bool:
    """Whether all words have their language before them, the same one."""
    cells = [line.split("\t") for line in some if line.strip(BLANK)]
    matches = [_WIKIANN.fullmatch(one[0]) if len(one) == 2 else None for one in cells]
    return bool(matches) and all(matches) and len({match[1] for match in matches if match}) == 1
