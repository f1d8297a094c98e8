"""Thresholds and stop words a language at a time: the shipped `profiles.toml`, a file of `jobs/fit_thresholds.py`, or
FineWeb-2's own YAML files.

A key is a language with its script (`srp_Cyrl`), a language (`srp`) or a script (`Cyrl`); the first that says
something about a name counts. ISO 639-3 and ISO 15924.
"""

import math
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pipeline.quality.expressions import nearest
from pipeline.store import storage
from schemas.errors import UserError
from schemas.records import UNLABELLED

SHIPPED = Path(__file__).with_name("profiles.toml")
STOP_WORDS = "stop_words"
KEY = re.compile(r"[a-z]{3}(_[A-Z][a-z]{3})?|[A-Z][a-z]{3}")

# FineWeb-2's names (github.com/huggingface/fineweb-2, configs/*.yml). Its max_non_alpha_words_ratio is the least share
# of words with a letter, whatever the name says.
FINEWEB2 = {
    "language_score": "min_language_score",
    "line_punct_thr": "min_line_punct_share",
    "max_avg_word_length": "max_mean_word_length",
    "min_avg_word_length": "min_mean_word_length",
    "max_non_alpha_words_ratio": "min_alpha_word_share",
    "new_line_ratio": "max_newline_to_word_ratio",
    "dup_line_frac": "max_dup_line_share",
}
FINEWEB2_NGRAMS = {"dup_n_grams": "max_dup_{}gram_char_share", "top_n_grams": "max_top_{}gram_char_share"}
MAY_PASS_ONE = ("max_mean_word_length", "min_mean_word_length", "max_newline_to_word_ratio", "max_top_")


class Profiles(NamedTuple):
    """By key: thresholds by name, and stop words. `digest`: SHA-256 of the file, or of a folder's files."""

    thresholds: dict[str, dict[str, float]]
    stop_words: dict[str, tuple[str, ...]]
    digest: str

    def without_own(self, labels: Iterable[str]) -> list[str]:
        """Of `language_Script` labels those that no section is about: for them their script's holds, or the default."""
        parts = ((label, *label.partition("_")[::2]) for label in labels)
        return [
            label for label, language, _ in parts
            if language != UNLABELLED["language"] and not {label, language} & self.thresholds.keys()
        ]  # fmt: skip


def load(place: str = "", names: Collection[str] = ()) -> Profiles:
    """The profiles of a TOML file, of one of FineWeb-2's YAML files or a folder of them; "": the shipped ones.

    `names`: the thresholds there are. UserError names the file and what is wrong in it.
    """
    if not place:
        return shipped()
    if not storage.exists(place):
        raise UserError(f"thresholds {place}: no such file; name a TOML file, or FineWeb-2's YAML files")
    if place.endswith(".toml"):
        return _checked(place, _toml(place, _read(place)), names)
    files = [name for name in storage.listing(place) if name.endswith((".yml", ".yaml"))]
    if not files:
        raise UserError(f"thresholds {place}: neither a .toml file nor .yml files; name one or a folder of these")
    single = place.endswith((".yml", ".yaml"))
    found: dict[str, Any] = {}
    for name in files:
        path = place if single else storage.join(place, name)
        key = name.rpartition("/")[2].rpartition(".")[0]
        if key in found:
            raise UserError(f"{path}: a second file for {key}; keep one")
        found[key] = _yaml(path)
    return _checked(place, found, names)


@cache
def shipped() -> Profiles:
    """The project's own, read once a process."""
    return _checked(str(SHIPPED), _toml(str(SHIPPED), SHIPPED.read_bytes()), ())


def keys(language: str, script: str) -> tuple[str, str, str]:
    """What a document is looked up by, in this order."""
    return f"{language}_{script}", language, script


def from_fineweb2(values: Mapping[str, Any]) -> dict[str, Any]:
    """One of FineWeb-2's files as a section of ours. UserError names a key that it does not have.

    A share above 1 there means that the rule never fires, a line_punct_thr of -1 likewise: they become 1 and 0.
    """
    ours: dict[str, Any] = {}
    for key, value in values.items():
        if key in FINEWEB2:
            ours[FINEWEB2[key]] = _number(key, value)
        elif key in FINEWEB2_NGRAMS:
            if not isinstance(value, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
                raise UserError(f"{key} is no list of [n, share]")
            ours |= {FINEWEB2_NGRAMS[key].format(int(_number(key, n))): _number(key, share) for n, share in value}
        elif key == "stopwords":
            if not isinstance(value, list):
                raise UserError(f"{key} is no list of words")
            ours[STOP_WORDS] = [str(word) for word in value]
        else:
            known = [*FINEWEB2, *FINEWEB2_NGRAMS, "stopwords"]
            raise UserError(f"{key!r} is no key of FineWeb-2's files{nearest(str(key), known)}")
    for name, value in ours.items():
        if name != STOP_WORDS:
            ours[name] = max(value, 0.0) if name.startswith(MAY_PASS_ONE) else min(max(value, 0.0), 1.0)
    return ours


def _number(key: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise UserError(f"{key} = {str(value)[:40]} is no number")
    return number


def _read(path: str) -> bytes:
    fs, inside = storage.filesystem(path)
    return bytes(fs.cat_file(inside))


def _toml(path: str, data: bytes) -> Any:
    try:
        found = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path}: not readable as TOML: {error}") from None
    if other := sorted(found.keys() - {"by_language"}):
        raise UserError(f"{path}: unknown section {other[0]!r}; profiles have sections [by_language.KEY] only")
    return found.get("by_language", {})


def _yaml(path: str) -> dict[str, Any]:
    """BaseLoader leaves every scalar a string, so that Norwegian's `no` stays a word."""
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        found = yaml.load(_read(path), Loader=loader)
        if not isinstance(found, dict):
            raise UserError("no mapping of FineWeb-2's keys")
        return from_fineweb2(found)
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not readable as YAML: {' '.join(str(error).split())[:120]}") from None
    except RecursionError:
        raise UserError(f"{path}: not readable as YAML: nested too deeply") from None
    except UserError as error:
        raise UserError(f"{path}: {' '.join(str(error).split())[:200]}") from None


def _checked(path: str, sections: Any, names: Collection[str]) -> Profiles:
    thresholds: dict[str, dict[str, float]] = {}
    words: dict[str, tuple[str, ...]] = {}
    if not isinstance(sections, dict):
        raise UserError(f"{path}: by_language must be sections, [by_language.KEY]")
    for key, values in sorted(sections.items()):
        if not KEY.fullmatch(key):
            raise UserError(f"{path}: {key!r} is no language, language_Script or script, such as eng, eng_Latn, Latn")
        if not isinstance(values, dict):
            raise UserError(f"{path}: {key} must be a section, [by_language.{key}]")
        for name, value in values.items():
            if name == STOP_WORDS:
                if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
                    raise UserError(f"{path}: {key}.{STOP_WORDS} is no list of words")
                words[key] = folded(value)
            elif names and name not in names:
                raise UserError(f"{path}: {key}.{name} is no threshold{nearest(name, names)}")
            elif isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise UserError(f"{path}: {key}.{name} = {str(value)[:40]} is no number")
            else:
                thresholds.setdefault(key, {})[name] = float(value)
        if wrong := crossed(thresholds.get(key, {})):
            raise UserError(f"{path}: {key}: {wrong}; change one of the two")
    return Profiles(thresholds, words, storage.digest(path))


def crossed(values: Mapping[str, float]) -> str:
    """`min_words = 9 is above max_words = 3`, of the first thresholds that leave nothing between them, or nothing."""
    for name, least in values.items():
        most = values.get(name.replace("min_", "max_", 1)) if name.startswith("min_") else None
        if most is not None and least > most:
            return f"{name} = {least:g} is above {name.replace('min_', 'max_', 1)} = {most:g}"
    return ""


def folded(words: Collection[str]) -> tuple[str, ...]:
    """Stop words as documents' words are compared: case-folded, each once, in order."""
    return tuple(dict.fromkeys(word.casefold() for word in words if word))
