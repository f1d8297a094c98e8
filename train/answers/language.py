"""The language of each text, given or detected, and a model that is told it where it can be."""

import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from schemas.errors import UserError
from train.answers.texts import BadText, Text

if TYPE_CHECKING:
    from train.encoders.opened import OpenedModel

DETECT = "detect"
MODELS = 8  # open at the same time, each for a language
LANGUAGE = re.compile(r"[a-z]{2,3}_[A-Z][a-z]{3}")
UNDETERMINED = "und"

Answer = TypeVar("Answer")
Detector = Callable[[Sequence[str]], list[str | None]]


def check_language(flag: str, language: str | None) -> None:
    if language not in (None, DETECT) and not LANGUAGE.fullmatch(str(language)):
        raise UserError(f"{flag} {language}: write language and script, as eng_Latn")


def detector() -> Detector:
    """Texts to their languages, as `eng_Latn`, by the corpus' own identification; None where it names none.

    UserError where it is not installed: it is part of the data wing.
    """
    try:
        import pyarrow as pa

        from pipeline.language.identifier import Identifier
    except ImportError as error:
        raise UserError(
            f"--language {DETECT} needs the packages of the data wing ({error}): pip install them as README says, or "
            "name the language, as --language eng_Latn"
        ) from None
    identifier = Identifier()

    def detect(texts: Sequence[str]) -> list[str | None]:
        found = identifier.identify(pa.array(texts, pa.string()))
        pairs = zip(found.language.to_pylist(), found.language_script.to_pylist(), strict=True)
        return [None if code == UNDETERMINED else f"{code}_{script}" for code, script in pairs]

    return detect


def namer(language: str | None, detect: Detector | None) -> Callable[[Sequence[Text]], Sequence[str | None]]:
    """Texts to their languages: detected where that is asked for, else the given one."""
    if detect is None:
        return lambda texts: [language] * len(texts)
    return lambda texts: detect([" ".join(text.parts) for text in texts])


class Models:
    """The model of a folder, or for a checkpoint with a language embedding one a language, opened when first asked."""

    def __init__(self, given: Path, language: str | None, labels_only: bool, device: str, precision: str) -> None:
        """labels_only: a language says what the texts are in, and is told to the model only where that can be done.

        UserError where there is no model, or a language is given that it cannot be told.
        """
        from train.encoders.folders import languages_of
        from train.encoders.opened import open_model

        self._open = lambda told: open_model(given, language=told, device=device, precision=precision)
        self.languages = languages_of(given)
        self._opened: OrderedDict[str | None, OpenedModel] = OrderedDict()
        if language in (None, DETECT) or (labels_only and not self.languages):
            self.of(None)
        else:
            self._opened[language] = self._open(language)

    def of(self, language: str | None) -> "OpenedModel":
        """That for texts of a language; of one that it has no row for, the model that is not told."""
        told = language if language in self.languages else None
        if told not in self._opened:
            if len(self._opened) == MODELS:
                self._opened.popitem(last=False)
            self._opened[told] = self._open(told)
        self._opened.move_to_end(told)
        return self._opened[told]

    @property
    def any(self) -> "OpenedModel":
        """One that is open: all have the same tokenizer and widths."""
        return next(reversed(self._opened.values()))

    def ask(
        self,
        texts: Sequence[Text],
        languages: Sequence[str | None],
        answer: Callable[["OpenedModel", list[Text]], Sequence[Answer]],
    ) -> list[Answer]:
        """Each text by the model for its language, in order. UserError that names the place of a text that cannot be
        asked."""
        groups: dict[str | None, list[int]] = {}
        for number, language in enumerate(languages):
            groups.setdefault(language if language in self.languages else None, []).append(number)
        found: dict[int, Answer] = {}
        for told, numbers in groups.items():
            try:
                answers = answer(self.of(told), [texts[number] for number in numbers])
            except BadText as error:
                raise UserError(f"{texts[numbers[error.number]].place} {error.problem}") from None
            found.update(zip(numbers, answers, strict=True))
        return [found[number] for number in range(len(texts))]


class MappedModels(Models):
    """The vectors of a model, through the map of each text's language. A model with a language embedding is told none,
    as when the map was learnt."""

    def __init__(self, given: Path, folder: Path, language: str | None, device: str, precision: str) -> None:
        """UserError where it is a map of another model or of no model, or lacks the language; where none is said."""
        from train.encoders.opened import open_model
        from train.maps.map_folder import read_map
        from train.maps.mapped import MappedModel

        if language is None:
            raise UserError(f"--map {folder} needs the language of texts: say --language fra_Latn, or {DETECT}")
        found = read_map(folder)
        if found.space == "vectors":
            raise UserError(f"--map {folder} is of word vectors, not of a model: evaluate.py --dictionaries asks it")
        self.mapped = MappedModel(open_model(given, device=device, precision=precision), found, folder)
        self.pivot = self.mapped.in_language(found.pivot)
        self.languages = ()
        if language != DETECT:
            self.mapped.in_language(language)

    def of(self, language: str | None) -> "OpenedModel":
        return self.pivot if language is None else self.mapped.in_language(language)

    @property
    def any(self) -> "OpenedModel":
        return self.pivot

    def ask(
        self,
        texts: Sequence[Text],
        languages: Sequence[str | None],
        answer: Callable[["OpenedModel", list[Text]], Sequence[Answer]],
    ) -> list[Answer]:
        """UserError too for a text in a language that the map lacks, or in none that is known."""
        for text, language in zip(texts, languages, strict=True):
            if language is None or not self.mapped.knows(language):
                there = ", ".join(sorted(self.mapped.found.languages))
                raise UserError(
                    f"{text.place} is in {language or 'no language that is known'}, and --map "
                    f"{self.mapped.map_folder} has {there}: leave it out, or learn a map with it"
                )
        self.languages = tuple(sorted({one for one in languages if one is not None}))
        return super().ask(texts, languages, answer)
