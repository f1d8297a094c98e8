"""By how much each figure may differ: the shipped numbers, and those of a TOML file of the user's over them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from pipeline.language.labels import SCRIPTS_OF, nearest_languages
from pipeline.quality.expressions import nearest
from pipeline.store import storage
from schemas.errors import UserError

SHARES = ("kept", "rule", "duplicates", "failures")
BY_LANGUAGE = ("kept", "rule", "duplicates", "language", "signal")
SECTION = "by_language"


@dataclass(frozen=True)
class Thresholds:
    """by_kind: kind of figure -> threshold, a difference of shares, a factor (`language`) or an index (`signal`).
    by_language: `tha` or `tha_Thai` -> such."""

    by_kind: Mapping[str, float]
    chance: float
    min_pages: int
    canary: float
    by_language: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def of(self, kind: str, label: str) -> float:
        """label: `tha_Thai`, or empty for all languages."""
        for key in (label, label.partition("_")[0]):
            if kind in self.by_language.get(key, {}):
                return self.by_language[key][kind]
        return self.by_kind[kind]

    def widened(self) -> "Thresholds":
        """For a canary."""

        def wide(values: Mapping[str, float]) -> dict[str, float]:
            return {
                kind: value**self.canary if kind == "language" else value * self.canary
                for kind, value in values.items()
            }

        languages = {label: wide(values) for label, values in self.by_language.items()}
        return Thresholds(wide(self.by_kind), self.chance, self.min_pages, self.canary, languages)


def load(path: str = "") -> Thresholds:
    """The shipped ones, with those of the file at `path` in their place. UserError for what it should not say."""
    values = tomllib.loads(resources.files("pipeline.drift").joinpath("thresholds.toml").read_text(encoding="utf-8"))
    by_language: dict[str, dict[str, float]] = {}
    if path:
        said = _read(path)
        languages = said.pop(SECTION, {})
        for key, value in said.items():
            values[key] = _number(path, key, key, value, values)
        if not isinstance(languages, dict):
            raise UserError(f"--drift {path}: {SECTION} must be sections, such as [{SECTION}.tha]")
        for label, those in languages.items():
            by_language[label] = _of_language(path, label, those)
    settings = {name: values.pop(name) for name in ("chance", "min_pages", "canary")}
    return Thresholds(values, settings["chance"], int(settings["min_pages"]), settings["canary"], by_language)


def _read(path: str) -> dict[str, Any]:
    data = storage.read_bytes(storage.absolute(path))
    if data is None:
        raise UserError(f"--drift {path}: no such file")
    try:
        return tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"--drift {path}: not readable as TOML: {error}") from None


def _of_language(path: str, label: str, said: object) -> dict[str, float]:
    where = f"{SECTION}.{label}"
    if label.partition("_")[0] not in (*SCRIPTS_OF, "und"):
        meant = nearest_languages(label)
        hint = f"; did you mean {meant[0]}?" if meant else ""
        raise UserError(f"--drift {path}: [{where}]: no such language{hint}")
    if not isinstance(said, dict) or not said:
        raise UserError(
            f"--drift {path}: [{where}] says nothing: give one of {', '.join(BY_LANGUAGE)}, or leave it out"
        )
    return {key: _number(path, f"{where}.{key}", key, value, BY_LANGUAGE) for key, value in said.items()}


def _number(path: str, where: str, key: str, value: object, known: Any) -> float:
    if key not in known:
        raise UserError(f"--drift {path}: unknown key {where}{nearest(key, known)}")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"--drift {path}: {where} = {value}: give a number")
    if key in SHARES or key == "chance":
        if not 0 < value < 1:
            raise UserError(f"--drift {path}: {where} = {value}: give a share between 0 and 1")
    elif key == "language":
        if not value > 1:
            raise UserError(f"--drift {path}: {where} = {value}: give a factor above 1")
    elif key in ("min_pages", "canary"):
        if not value >= 1 or (key == "min_pages" and value != int(value)):
            raise UserError(
                f"--drift {path}: {where} = {value}: give {'a whole number, ' if key == 'min_pages' else ''}1 or more"
            )
    elif not value > 0:
        raise UserError(f"--drift {path}: {where} = {value}: give a number above 0")
    return float(value)
