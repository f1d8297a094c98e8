"""What was asked for: files read, languages named as one, methods chosen, before any model is asked."""

from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import UserError
from train.aligning.material import frequent_words
from train.aligning.methods import BASELINES, METHODS, NEEDS
from train.aligning.sources import Sources
from train.aligning.splits import Dictionary, Entries, Lines, divided, read_dictionaries, read_lines
from train.aligning.vec_files import END
from train.benchmarks.files import filled_lines
from train.benchmarks.languages import same_language
from train.checkpoints.files import digest
from train.encoders.vectors import Reading
from train.maps.map_folder import Space

Say = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """languages: without the pivot. vocabularies: words by language, empty where no method needs any. baselines:
    methods that stand beside, not asked for. data: digests of the files that are learnt from, by name."""

    sources: Sources
    space: Space
    pivot: str
    languages: tuple[str, ...]
    lines: Lines | None
    dictionaries: dict[str, Dictionary]
    vocabularies: dict[str, list[str]]
    methods: tuple[str, ...]
    baselines: tuple[str, ...]
    data: dict[str, str]


def requested(given: Namespace, say: Say) -> Request:
    """UserError for what does not fit together, and for files that cannot be read."""
    space = _space(given)
    reading = Reading(given.pooling, -1 if given.layer is None else given.layer)
    sources = Sources(
        given.model, given.vectors, space, given.layer, reading, given.max_words, say, given.device, given.precision
    )
    lines = read_lines(given.parallel, given.pivot, given.languages) if given.parallel else None
    taught = read_dictionaries(given.dictionary, given.pivot)
    tests = read_dictionaries(given.test_dictionary, given.pivot)
    listed = _word_files(given.words)
    if listed and given.vectors:
        raise UserError("--words are for --model: files of vectors have their own")
    names = list(lines.texts) if lines else [*sources.languages, *listed]
    pivot = _among(given.pivot, names)
    taught, tests = ({_among(one, names): entries for one, entries in every.items()} for every in (taught, tests))
    listed = {_among(one, names): path for one, path in listed.items()}
    languages = _languages(given, lines, pivot, taught, [*sources.languages, *listed], say)
    for language in (pivot, *languages):
        sources.of(language)  # so that what is missing is told before anything is asked
    methods, baselines = _methods(given, lines, taught, languages)
    chosen = {*methods, *baselines}
    dictionaries = {
        language: divided(taught.get(language, {}), tests.get(language))
        for language in languages
        if language in taught or language in tests
    }
    vocabularies = dict[str, list[str]]()
    if dictionaries or any(METHODS[one].needs == "words" for one in chosen):
        vocabularies = {
            language: _vocabulary(
                language, sources, listed, lines, _of_dictionaries(language, pivot, dictionaries), given.max_words
            )
            for language in (pivot, *languages)
        }
    files = [*given.dictionary, *given.test_dictionary, *listed.values()]
    files += [path for path in sorted(given.parallel.iterdir()) if path.is_file()] if given.parallel else []
    return Request(
        sources, space, pivot, languages, lines, dictionaries, vocabularies, methods, baselines,
        {path.name: digest(path) for path in files},
    )  # fmt: skip


def _space(given: Namespace) -> Space:
    if given.vectors:
        if given.parallel or given.space:
            flag = "--parallel" if given.parallel else "--space"
            raise UserError(f"{flag} is for --model: files of vectors hold words; take --dictionary, or neither")
        return "vectors"
    space: Space = given.space or ("sentences" if given.parallel else "words")
    if space == "sentences" and not given.parallel:
        raise UserError("--space sentences needs --parallel: the mean of a language is of its sentences")
    if given.layer is None and (space == "embeddings" or not given.parallel):
        raise UserError("--layer all needs --parallel, whose lines judge the layers, and no --space embeddings")
    return space


def _languages(
    given: Namespace, lines: Lines | None, pivot: str, taught: dict[str, Entries], named: Sequence[str], say: Say
) -> tuple[str, ...]:
    if lines:
        return tuple(one for one in lines.texts if one != pivot)
    there = [one for one in dict.fromkeys(taught or named) if one != pivot]
    found = [_among(one, there) for one in given.languages] or there
    if taught:
        for language in found:
            if language not in taught:
                raise UserError(f"--languages {language}: no --dictionary has it, only {', '.join(sorted(taught))}")
        missing = sorted(set(named) - {*found, pivot})
        if missing and not given.languages:
            say(f"left out {', '.join(missing)}: no --dictionary has it")
    found = [one for one in dict.fromkeys(found) if one != pivot]
    if not found:
        raise UserError(
            f"there is no language beside the pivot {pivot}: give vectors of two or more, as --vectors eng=FILE "
            "fra=FILE, or --model with --parallel, --dictionary or --words"
        )
    return tuple(found)


def _methods(
    given: Namespace, lines: Lines | None, taught: dict[str, Entries], languages: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(asked for or by default, baselines beside them)."""
    there = {"": True, "lines": lines is not None, "dictionary": bool(taught)}
    there |= {"pairs": there["lines"] or there["dictionary"], "words": True}
    methods = list(dict.fromkeys(given.method))
    if not methods:
        by_lines = ["procrustes", "ridge", *(["joint"] if len(languages) > 1 else [])]
        by_words = ["dictionary"] if lines else ["procrustes", "ridge", "dictionary"]
        methods = [*(by_lines if lines else []), *(by_words if taught else [])] or ["muse"]
    for name in methods:
        needs = METHODS[name].needs
        if not there[needs]:
            raise UserError(f"--method {name} learns from {NEEDS[needs]}: name it")
    with_words = taught or not lines or any(METHODS[one].needs == "words" for one in methods)
    beside = BASELINES if with_words else BASELINES[:2]
    return tuple(methods), tuple(one for one in beside if one not in methods)


def _word_files(given: Sequence[str]) -> dict[str, Path]:
    found = dict[str, Path]()
    for one in given:
        language, sign, path = one.partition("=")
        if not sign or language in found:
            raise UserError(f"--words {one}: name each language once, as --words eng=FILE")
        found[language] = Path(path)
    return found


def _vocabulary(
    language: str, sources: Sources, listed: dict[str, Path], lines: Lines | None, more: Iterable[str], most: int
) -> list[str]:
    """Its own list, or the user's, or the words of its lines; and those of its dictionary."""
    found = sources.of(language).frequent()
    if found:
        return found
    if language in listed:
        rows = filled_lines(listed[language])
        if ".vec" in listed[language].suffixes:
            rows = [row.split(" ", 1)[0] for row in rows[1:]]
        found = [row for row in rows if row != END][:most]
    elif lines:
        found = frequent_words((lines.texts[language][one] for one in lines.split.learnt.tolist()), most)
    found = list(dict.fromkeys([*found, *sorted(more)]))
    if not found:
        raise UserError(f"there are no words of {language}: name them, as --words {language}=FILE")
    return found


def _of_dictionaries(language: str, pivot: str, dictionaries: dict[str, Dictionary]) -> set[str]:
    if language == pivot:
        return {word for one in dictionaries.values() for word in one.everything}
    entries = dictionaries[language].everything if language in dictionaries else {}
    return {word for words in entries.values() for word in words}


def _among(language: str, names: Iterable[str]) -> str:
    """As the others call it."""
    listed = list(names)
    return language if language in listed else next((one for one in listed if same_language(one, language)), language)
