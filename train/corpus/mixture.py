"""What `mixture.json` wants of a run: of format 2, shares by phase and how often a language may be shown at most; of
format 1, or of no file at all, epochs a pass and no end.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.mixture.allotment import Phase
from schemas.errors import UserError

FORMATS = (1, 2)
AGAIN = "run jobs/sample.py again"


@dataclass(frozen=True)
class Mixture:
    """languages: those with training files, sorted. Then either `epochs`, of each language in a pass, or the rest.

    phases: shares by language of the run's budget, in the mixture's unit; methods: what each is called. weighted: by
    language, that unit times the weights of the documents. max_epochs: by language, over the whole run. characters: by
    language, of all training texts; empty where it is not said. fingerprint: of the corpus, where sample wrote one.
    """

    languages: tuple[str, ...]
    epochs: Mapping[str, float] | None = None
    phases: tuple[Phase, ...] = ()
    methods: tuple[str, ...] = ()
    weighted: Mapping[str, float] | None = None
    max_epochs: Mapping[str, float] | None = None
    characters: Mapping[str, int] = field(default_factory=dict)
    fingerprint: str | None = None

    def identity(self) -> list[str]:
        """Lines that are the same where a run's order of the data is; pages that are taken down do not change them."""
        parts = [self.epochs, self.max_epochs]
        lines = [f"{language} {[part[language] for part in parts if part]!r}" for language in self.languages]
        lines += [f"{phase.fraction!r} {sorted(phase.shares.items())!r}" for phase in self.phases]
        return [*lines, f"corpus {self.fingerprint}"]


def read_mixture(path: Path, languages: tuple[str, ...]) -> Mixture:
    """The mixture of `languages`; each once a pass where there is no file. UserError where they disagree."""
    if not path.is_file():
        return Mixture(languages, epochs=dict.fromkeys(languages, 1.0))
    try:
        mixed = json.loads(path.read_text(encoding="utf-8"))
        number = mixed.get("format", 1)
        if number not in FORMATS:
            raise UserError(f"{path} is of format {number}, and this trainer reads {FORMATS}: take a newer one")
        entries: dict[str, dict[str, Any]] = dict(mixed["languages"].items())
        documents = {language: int(entry.get("documents", 0)) for language, entry in entries.items()}
        if number == 1:
            # A language that is shown never needs no files.
            documents = {language: documents[language] * bool(entry["epochs"]) for language, entry in entries.items()}
            mixture = Mixture(languages, epochs=_numbers(path, entries, "epochs", languages))
        else:
            mixture = _second_format(path, mixed, entries, languages)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is no mixture of languages: {error!r}; {AGAIN}") from None
    for language in entries:
        if documents[language] and language not in languages:
            raise UserError(f"{path} names {language}, which has no training file: {AGAIN}")
    if mixture.epochs is not None and not any(mixture.epochs.values()):
        raise UserError(f"{path} gives every language epochs = 0: give one of them more")
    characters = {name: int(entries[name].get("characters", 0)) for name in languages}
    return replace(
        mixture,
        characters=characters if all(characters.values()) else {},
        fingerprint=_fingerprint(path.with_name("_run.json")),
    )


def _fingerprint(path: Path) -> str | None:
    """Of sample's own record, which stays when pages are taken down."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return str(record["fingerprint"]) if "fingerprint" in record else None
    except (OSError, ValueError, TypeError):
        return None


def _second_format(
    path: Path, mixed: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]], languages: tuple[str, ...]
) -> Mixture:
    phases, methods = [], []
    total = math.fsum(float(phase["fraction"]) for phase in mixed["schedule"])
    for phase in mixed["schedule"]:
        shares = {language: float(share) for language, share in phase["shares"].items()}
        for language, share in shares.items():
            _check(path, language, "a share", share)
        shares = {language: share for language, share in shares.items() if share and language in languages}
        phases.append(Phase(float(phase["fraction"]) / total, shares))
        heat = phase.get("temperature")
        methods.append(f"{phase['method']} {heat:g}" if heat is not None else str(phase["method"]))
    if not phases or any(not phase.fraction > 0 for phase in phases):
        raise UserError(f"{path} has no schedule of phases with a fraction above 0: {AGAIN}")
    weighted = _numbers(path, entries, "weighted", languages)
    for language in languages:
        if not weighted[language] and any(language in phase.shares for phase in phases):
            raise UserError(f"{path} gives {language} a share but weighted = 0: {AGAIN}")
    caps = _numbers(path, entries, "max_epochs", languages)
    return Mixture(languages, None, tuple(phases), tuple(methods), weighted, caps)


def _numbers(
    path: Path, entries: Mapping[str, Mapping[str, Any]], key: str, languages: Iterable[str]
) -> dict[str, float]:  # fmt: skip
    for language in languages:
        if language not in entries:
            raise UserError(f"{path} does not name {language}, which has training files: {AGAIN}")
    values = {language: float(entry[key]) for language, entry in entries.items()}
    for language, value in values.items():
        _check(path, language, key, value)
    return {language: values[language] for language in languages}


def _check(path: Path, language: str, key: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise UserError(f"{path} gives {language} {key} = {value}: give a number from 0 up")
