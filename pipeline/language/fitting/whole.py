"""From checked rows to what identification needs: a model, its word lists, and what labels they know."""

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from pipeline.language import evidence
from pipeline.language.evidence import Evidence
from pipeline.language.fitting import cleaning, rubbish, sampling, training, word_lists
from pipeline.language.fitting.labelled_rows import Rows
from pipeline.language.fitting.training import Settings
from pipeline.language.identifier import Identifier
from pipeline.language.labels import NO_LANGUAGE, SCRIPTS_OF

MIN_BYTES, MIN_TEXTS = 2_500, 20  # of a label: with fewer of both it is a name and a few words
ROMANISED_BYTES = 50_000  # of a language in a script that it is not known to be written in
# What the model must give a language where the text's words say little for it. With 30 languages left out 92 % of their
# texts are `und` or a relative at 0.5, 94 % at 0.8, and 0.65 % and 1.1 % of texts in known languages are `und`;
# without, 86 % and 0.2 %.
LEAST_SCORE = 0.6
RUBBISH_EACH = 300  # pieces of a kind: as much as a language's text


def sufficient(rows: Rows) -> tuple[Rows, Counter[tuple[str, str]]]:
    """The rows of labels that have enough text to be fitted, and how many are left out, by label and why."""
    size, texts = cleaning.sizes(rows), Counter(rows.labels)
    why: dict[str, str] = {}
    for label in size:
        code, _, script = label.partition("_")
        if size[label] < MIN_BYTES:
            why[label] = (
                f"{texts[label]:,} texts of {size[label]:,} bytes are too few: give {MIN_BYTES:,} bytes or more"
            )
        elif script not in SCRIPTS_OF.get(code, {script}) and size[label] < ROMANISED_BYTES:
            why[label] = f"{code} is not written in {script}: mend the label, or give {ROMANISED_BYTES:,} bytes of it"
    kept = [place for place, label in enumerate(rows.labels) if label not in why]
    return rows.take(kept), Counter({(label, reason): texts[label] for label, reason in why.items()})


def fit(rows: Rows, settings: Settings, folder: str | Path, seed: int = 0) -> Identifier:
    """Writes `languages.ftz` and `calibration.json` into the folder, and reads them again as clean does."""
    cleaned, _ = cleaning.clean(rows)
    lines = list(sampling.draw(cleaned, seed))
    lines += [(NO_LANGUAGE, text) for _, text in rubbish.pieces(RUBBISH_EACH, seed)]
    model, lists = Path(folder) / "languages.ftz", Path(folder) / "calibration.json"
    training.fit(lines, settings, model, seed)
    evidence.save(word_lists.fit(cleaned, LEAST_SCORE), lists)
    return Identifier(model, Evidence(evidence.load(lists)))


class Fitter:
    """`fit` for judges: each fit in a folder of its own, which goes when this does."""

    def __init__(self, settings: Settings, seed: int = 0, say: Callable[[str], None] = lambda line: None) -> None:
        self._settings, self._seed, self._began = settings, seed, time.monotonic()
        self._say = say
        self._folder = tempfile.TemporaryDirectory()
        self._count = 0

    def __enter__(self) -> "Fitter":
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def __call__(self, rows: Rows) -> Identifier:
        self._count += 1
        self._say(f"fit {self._count} for judging, {time.monotonic() - self._began:,.0f} s so far")
        folder = os.path.join(self._folder.name, str(self._count))
        os.mkdir(folder)
        return fit(rows, self._settings, folder, self._seed)
