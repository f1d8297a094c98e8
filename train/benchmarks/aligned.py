"""Sentences that say the same in several languages, line by line: Tatoeba's pairs with English, and one file a
language."""

import re
from pathlib import Path

from schemas.errors import UserError
from train.benchmarks.files import filled_lines
from train.benchmarks.languages import CODE

_TATOEBA = re.compile(rf"tatoeba\.({CODE})-eng\.({CODE})(?:\.gz)?")
_ALIGNED = re.compile(r"([^.].*)\.txt(?:\.gz)?")


def read_tatoeba(root: Path) -> dict[str, tuple[list[str], list[str]]]:
    """language -> (its sentences, the same in English), of `tatoeba.<language>-eng.<language>` and the file with `.eng`
    beside it, in which LASER publishes them (Artetxe and Schwenk 2019, arXiv:1812.10464); by language. UserError where
    one of the two is missing or longer, and for an empty line."""
    _need_folder(root, "tatoeba.deu-eng.deu and tatoeba.deu-eng.eng")
    sides = dict[str, dict[str, Path]]()
    for path in sorted(root.iterdir()):
        match = _TATOEBA.fullmatch(path.name)
        if match and match[2] in (match[1], "eng") and path.is_file():
            side = sides.setdefault(match[1], {})
            if match[2] in side:
                raise UserError(f"{side[match[2]]} and {path} are the same sentences: take one of them out")
            side[match[2]] = path
    if not sides:
        raise UserError(
            f"{root} has none of Tatoeba's files: name a folder with tatoeba.deu-eng.deu and tatoeba.deu-eng.eng, or "
            "the like"
        )
    found = {}
    for language, files in sorted(sides.items()):
        for end in (language, "eng"):
            if end not in files:
                there = next(iter(files.values()))
                raise UserError(f"{there} has no file tatoeba.{language}-eng.{end} beside it: put it there")
        texts = filled_lines(files[language]), filled_lines(files["eng"])
        _need_equal({files[language]: texts[0], files["eng"]: texts[1]})
        found[language] = texts
    return found


def read_aligned(folder: Path) -> dict[str, list[str]]:
    """language -> its sentences, of `<language>.txt` or `<language>.txt.gz`, of which line i says the same in all; by
    language. UserError where they differ in length, where there is one alone, and for an empty line."""
    _need_folder(folder, "<language>.txt or <language>.txt.gz")
    paths = dict[str, Path]()
    for path in sorted(folder.iterdir()):
        match = _ALIGNED.fullmatch(path.name)
        if match is None or not path.is_file():
            continue
        if match[1] in paths:
            raise UserError(f"{paths[match[1]]} and {path} are both of {match[1]}: take one of them out")
        paths[match[1]] = path
    if len(paths) < 2:
        there = f"{next(iter(paths))} alone" if paths else "none"
        raise UserError(f"{folder} has files <language>.txt or <language>.txt.gz of {there}: give two or more")
    found = {language: filled_lines(path) for language, path in paths.items()}
    _need_equal({paths[language]: texts for language, texts in found.items()})
    return found


def _need_folder(folder: Path, files: str) -> None:
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}: name one with {files}")


def _need_equal(texts: dict[Path, list[str]]) -> None:
    first, *others = texts
    for other in others:
        if len(texts[other]) != len(texts[first]):
            raise UserError(
                f"{first} has {len(texts[first])} lines and {other} has {len(texts[other])}: line by line they must "
                "say the same; mend the one that is wrong"
            )
