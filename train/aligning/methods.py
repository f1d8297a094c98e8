"""What may be learnt of the material: a function a method, from vectors to a matrix a language."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.errors import UserError
from train.aligning.material import Material, Pairs, Side
from train.alignment.adversarial_settings import FULL, REDUCED, GameSettings
from train.alignment.many import jointly
from train.alignment.procrustes import procrustes
from train.alignment.ridge import ridge_by_development
from train.alignment.self_learning import Refined, self_learning
from train.alignment.unsupervised import Unsupervised, align_without_supervision
from train.alignment.word_pairs import identical_strings
from train.encoders.place import place
from train.encoders.vectors import Vectors
from train.telemetry.clock import hours
from train.telemetry.progress import Progress

Matrix = NDArray[np.floating[Any]]
Say = Callable[[str], None]
SETTINGS: Mapping[str, GameSettings] = {"full": FULL, "reduced": REDUCED}


@dataclass(frozen=True)
class Asked:
    """setting, seeds: of MUSE's game. device: of it, the rest is NumPy's."""

    setting: str = "reduced"
    seeds: int = 5
    device: str = "auto"


@dataclass(frozen=True)
class Learnt:
    """matrices: by language, the pivot among them; one that is missing cannot be mapped so, and `say` was told why.
    told: for the lineage, by language. centred: whether vectors are less the mean of their language. failed: why, by
    language, of those whose matrix is known to be of no use."""

    matrices: Mapping[str, Matrix]
    told: Mapping[str, Any] = field(default_factory=dict)
    centred: bool = True
    failed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """needs: one of NEEDS, of each language. learn: UserError where it cannot."""

    title: str
    needs: str
    learn: Callable[[Material, Asked, Say], Learnt]


NEEDS = {
    "": "",
    "pairs": "--parallel or --dictionary",
    "lines": "--parallel",
    "dictionary": "--dictionary",
    "words": "words: --vectors, --words, --dictionary or --parallel",
}


def as_they_are(material: Material, asked: Asked, say: Say) -> Learnt:
    return Learnt(_identities(material, "nothing", say), centred=False)


def centred(material: Material, asked: Asked, say: Say) -> Learnt:
    return Learnt(_identities(material, "centre", say))


def rotated(material: Material, asked: Asked, say: Say) -> Learnt:
    return _each(material, lambda one: (procrustes(*taught_by(material, one)), {"pairs": _count(material, one)}))


def least_squares(material: Material, asked: Asked, say: Say) -> Learnt:
    """A language whose dictionary leaves no pairs to choose the penalty by is left out, and said."""

    def learn(language: str) -> tuple[Matrix, Any]:
        found = ridge_by_development(*taught_by(material, language), *chosen_by(material, language))
        scores = [{"penalty": one.penalty, "accuracy": one.accuracy, "error": one.error} for one in found.scores]
        return found.matrix, {"pairs": _count(material, language), "penalty": found.penalty, "development": scores}

    few = [one for one in material.languages if not material.has_development(one)]
    for language in few:
        say(f"ridge: left out {language}: too few pairs of it and {material.pivot} are known to choose a penalty by")
    return _each(material, learn, without=few)


def joint(material: Material, asked: Asked, say: Say) -> Learnt:
    sides = {material.pivot: material.centre} | {one: material.sides[one] for one in material.languages}
    _need_equal_widths(material, "joint")
    found = jointly({language: side.normal_lines.vectors for language, side in sides.items()}, material.pivot)
    rest = "at rest" if found.still else "not yet at rest, and the rounds are over"
    say(f"joint: {len(found.history)} rounds, {rest}; distance {found.history[0]:.4f} to {found.history[-1]:.4f}")
    return Learnt(found.matrices, {"distance": list(found.history), "at rest": found.still})


def by_dictionary(material: Material, asked: Asked, say: Say) -> Learnt:
    def learn(language: str) -> tuple[Matrix, Any]:
        found = _refined(*_words(material, language), material.dictionaries[language].learnt)
        progress.add(1)
        return found

    with Progress("dictionary", "languages", len(material.languages)) as progress:
        return _each(material, learn)


def by_identical_strings(material: Material, asked: Asked, say: Say) -> Learnt:
    """Søgaard et al. 2018 (arXiv 1805.03620): what MUSE has to beat."""
    found = dict[str, Matrix]({material.pivot: np.eye(material.centre.width)})
    told = dict[str, Any]()
    for language in material.languages:
        try:
            pairs = identical_strings(material.sides[language].words, material.centre.words)
        except ValueError:
            say(f"identical: left out {language}: it and {material.pivot} write no word the same")
            continue
        found[language], told[language] = _refined(*_words(material, language), pairs)
    return Learnt(found, told)


def muse(material: Material, asked: Asked, say: Say) -> Learnt:
    """A language of which every seed failed is said to have failed; its map is that of the best seed all the same."""
    _need_equal_widths(material, "muse")
    settings, device = SETTINGS[asked.setting], place(asked.device).device
    steps = settings.steps * asked.seeds
    say(f"muse: {len(material.languages)} languages, {asked.seeds} seeds each of {settings.steps:,} steps at most")
    failed = dict[str, str]()

    def learn(language: str) -> tuple[Matrix, Any]:
        began, before = monotonic(), progress.done
        found = align_without_supervision(
            *_words(material, language), settings, range(asked.seeds), progress.add, device
        )
        progress.add(before + steps - progress.done)  # of games that ended early
        progress.clear()
        lost = {run.seed: run.why for run in found.runs if run.failed}
        reasons = {why: [seed for seed, of in lost.items() if of == why] for why in dict.fromkeys(lost.values())}
        why = "; ".join(f"{', '.join(map(str, seeds))}: {why}" for why, seeds in reasons.items())
        told = f"{len(lost)} of {asked.seeds} seeds failed" + (f" ({why})" if lost else "")
        say(f"muse: {language}: {told}, {hours(monotonic() - began)}")
        if found.failed:
            failed[language] = told
        return found.best.matrix, _of_seeds(found)

    with Progress("muse", "steps", steps * len(material.languages)) as progress:
        return replace(_each(material, learn), failed=failed)


def _of_seeds(found: Unsupervised) -> dict[str, Any]:
    runs = [
        {
            "seed": run.seed, "failed": run.why or False, "criterion": run.criterion, "game": list(run.played.history),
            "losses": list(run.played.losses), "refinement": list(run.refined.history),
        }
        for run in found.runs
    ]  # fmt: skip
    lost = [run.seed for run in found.runs if run.failed]
    told = {"seed": found.best.seed, "failed": lost, "threshold": found.threshold, "chance": list(found.chance)}
    return told | {"runs": runs}


METHODS: Mapping[str, Method] = {
    "nothing": Method("vectors as they are", "", as_they_are),
    "centre": Method("less the mean of their language", "", centred),
    "identical": Method("words written the same", "words", by_identical_strings),
    "procrustes": Method("rotated to the pivot", "pairs", rotated),
    "ridge": Method("least squares with a penalty", "pairs", least_squares),
    "joint": Method("all languages rotated to their mean", "lines", joint),
    "dictionary": Method("a dictionary and self-learning", "dictionary", by_dictionary),
    "muse": Method("adversarial, without supervision", "words", muse),
}
BASELINES = ("nothing", "centre", "identical")


def taught_by(material: Material, language: str) -> tuple[Vectors, Vectors]:
    """Of a language and of the pivot, row by row: of lines, or else of a dictionary's pairs of words."""
    side = material.sides[language]
    if material.split is not None:
        return side.normal_lines.vectors, material.centre.normal_lines.vectors
    return _paired(material, language, material.dictionaries[language].learnt)


def chosen_by(material: Material, language: str) -> tuple[Vectors, Vectors]:
    """The same of the development part."""
    if material.split is not None:
        numbers = material.split.development
        return material.sides[language].lines_as(numbers), material.centre.lines_as(numbers)
    return _paired(material, language, material.dictionaries[language].development)


def same_width(material: Material, language: str) -> bool:
    return material.sides[language].width == material.centre.width


def _identities(material: Material, name: str, say: Say) -> dict[str, Matrix]:
    found = dict[str, Matrix]({material.pivot: np.eye(material.centre.width)})
    for language in material.languages:
        width = material.sides[language].width
        if same_width(material, language):
            found[language] = np.eye(width)
        else:
            say(f"{name}: left out {language}: its vectors have {width} dimensions and those of {material.pivot} "
                f"{material.centre.width}")  # fmt: skip
    return found


def _each(
    material: Material, learn: Callable[[str], tuple[Matrix, Any]], without: Sequence[str] = ()
) -> Learnt:  # fmt: skip
    found = {language: learn(language) for language in material.languages if language not in without}
    matrices = {language: one for language, (one, _) in found.items()}
    told = {language: one for language, (_, one) in found.items()}
    return Learnt({**matrices, material.pivot: np.eye(material.centre.width)}, told)


def _words(material: Material, language: str) -> tuple[Vectors, Vectors]:
    return material.sides[language].normal_words.vectors, material.centre.normal_words.vectors


def _paired(material: Material, language: str, pairs: Pairs) -> tuple[Vectors, Vectors]:
    first, second = _words(material, language)
    return first[pairs[:, 0]], second[pairs[:, 1]]


def _refined(first: Vectors, second: Vectors, pairs: Pairs) -> tuple[Matrix, Any]:
    found: Refined = self_learning(first, second, pairs)
    by_round = {"criterion": list(found.history), "round": found.best, "pairs by round": list(found.pairs)}
    return found.matrix, {"pairs": len(pairs), **by_round}


def _count(material: Material, language: str) -> int:
    return len(taught_by(material, language)[0])


def _need_equal_widths(material: Material, name: str) -> None:
    for language in material.languages:
        if not same_width(material, language):
            side: Side = material.sides[language]
            raise UserError(
                f"--method {name} needs vectors of one width: those of {language} have {side.width} dimensions and "
                f"those of {material.pivot} {material.centre.width}; take procrustes, ridge or dictionary"
            )
