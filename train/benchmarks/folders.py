"""The published folder of a benchmark: which of its files are of a split, and of which language."""

import re
from pathlib import Path

from schemas.errors import UserError
from train.benchmarks.files import Say, kind_of
from train.benchmarks.languages import SPLITS, language_of_file, language_of_folder, split_of
from train.benchmarks.tables import TABLES

KINDS = {*TABLES, ".conll", ".conllu", ".bio", ".iob", ".iob2", ".train", ".testa", ".testb"}
_ORDER = (".tsv", ".jsonl", ".parquet", ".csv", ".json", ".txt")  # of the same data in several formats, the first
_NOT_DATA = re.compile(r"(?i)readme|licen[cs]e|citation|dataset_infos?|dataset_dict|state|config|index")
_MLQA = re.compile(r"(?:dev|test)-context-(.+)-question-(.+)\.json")
_MISMATCHED = re.compile(r"(?:dev|test)_mismatched\.tsv")


def files_of(root: Path, split: str, say: Say) -> list[tuple[str, Path]]:
    """(language, "" where no name says it, file), by name. split: train, dev (or validation), test, or the name of a
    file without its extension, as dev_mismatched; "": the only one that is there. UserError where it is not there."""
    found = _walk(root, "", 2)
    if not found:
        raise UserError(f"{root} holds no file of a benchmark: name a folder with {', '.join(sorted(TABLES))} in it")
    exact = [(language, path) for language, path, _ in found if split and split == _stem(path)]
    splits = sorted({of for _, _, of in found if of})
    if exact and split not in SPLITS:
        return exact
    wanted = SPLITS.get(split, split)
    if not split:
        if len(splits) > 1:
            raise UserError(f"{root} has the splits {', '.join(splits)}: name one of them")
        chosen = found
    else:
        chosen = [one for one in found if one[2] == wanted]
        if not chosen and not splits and wanted != "train":  # of benchmarks that are a test set alone, as XQuAD
            chosen = found
    if not chosen:
        there = f"has {', '.join(splits)}: name one of these, or" if splits else "names none: name"
        raise UserError(f"{root} has no split {split!r}, it {there} one of its files")
    return _without_doubles([(language, path) for language, path, _ in chosen], say)


def _walk(folder: Path, split: str, deep: int) -> list[tuple[str, Path, str]]:
    """(language, file, split). What a folder inside is, its name says."""
    entries = sorted(folder.iterdir())
    found = [
        (language_of_file(path), path, split_of(path) or split) for path in entries if path.is_file() and _is_data(path)
    ]
    if found or not deep:
        return found
    for inner in (path for path in entries if path.is_dir() and not path.name.startswith((".", "_"))):
        language = language_of_folder(inner.name)
        if language or inner.name in SPLITS or inner.name == "data":
            inside = _walk(inner, SPLITS.get(inner.name, split), deep - 1)
            found += [(language or of, path, one) for of, path, one in inside]
    return found


def _is_data(path: Path) -> bool:
    if path.name.startswith((".", "_")) or _NOT_DATA.match(path.name):
        return False
    kind = kind_of(path)
    return kind in KINDS or (not kind and bool(split_of(path) or language_of_file(path)))


def _without_doubles(chosen: list[tuple[str, Path]], say: Say) -> list[tuple[str, Path]]:
    """In each folder: a file named as the split before others that only have it in their names, as MRPC's beside what
    it was made from; matched before mismatched; one format of several; of MLQA context and question of one language."""
    kept = []
    for folder in sorted({path.parent for _, path in chosen}):
        here = [(language, path) for language, path in chosen if path.parent == folder]
        plain = [one for one in here if _stem(one[1]) in SPLITS]
        best = plain or [one for one in here if not _MISMATCHED.fullmatch(one[1].name)] or here
        best = [one for one in best if not _crossed(one[1])] or best
        by_stem = dict[str, tuple[str, Path]]()
        for one in sorted(best, key=lambda one: _rank(one[1])):
            by_stem.setdefault(_stem(one[1]), one)
        here_kept = sorted(by_stem.values(), key=lambda one: one[1].name)
        left = [path.name for _, path in here if path not in {kept_path for _, kept_path in here_kept}]
        if left:
            say(f"{folder}: left out {', '.join(left[:5])}{' …' if len(left) > 5 else ''}, read by naming the file")
        kept += here_kept
    return kept


def _crossed(path: Path) -> bool:
    match = _MLQA.fullmatch(path.name)
    return match is not None and match[1] != match[2]


def _rank(path: Path) -> int:
    kind = kind_of(path)
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def _stem(path: Path) -> str:
    name = path.name.removesuffix(".gz")
    return name.removesuffix(kind_of(path)) if kind_of(path) in KINDS - {".train", ".testa", ".testb"} else name
