"""Lines to fit a model on, drawn from labelled texts: balanced by label and source, of every length, and spoilt a bit.

Each label gets up to MOST_BYTES, a language that the web has much of twice as many; one that has fewer is said up to
MOST_TIMES over, so that a relative with fifty times its text does not swallow it. A label's sources count by
the root of their size: a model that knows a language by one collection
alone knows the collection. Lines are cut from texts at any length from a word or two to a page, as pages and
their pieces come; some are in capitals, without diacritics, or strewn with numbers, addresses and slips.

Everything follows from the texts and the seed.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from pipeline.language.fitting.labelled_rows import Rows
from pipeline.language.labels import COMMON
from pipeline.words.words import is_spaced

MOST_BYTES, MOST_TIMES = 120_000, 25
COMMON_TIMES = 2
MEDIAN_LENGTH, LENGTH_SPREAD = 110, 0.9  # bytes of a line: log-normal
SHORTEST, LONGEST = 12, 2000
CAPITALS, BARE, LOWER, NOISE = 0.04, 0.04, 0.04, 0.04  # shares of lines
_STRAY = (
    "https://example.org/a/b?id=7",
    "2019",
    "12:30",
    "+49 30 1234",
    "user@example.org",
    "3.5 %",
    "10,000",
    "A4",
    "|",
)


def draw(rows: Rows, seed: int = 0, most_bytes: int = 0) -> Iterator[tuple[str, str]]:
    """Pairs of label and line, in no order. `most_bytes`: of a label; 0: MOST_BYTES."""
    by_label: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for text, label, source in zip(rows.texts, rows.labels, rows.sources, strict=True):
        by_label[label][source].append(text)
    for number, label in enumerate(sorted(by_label)):
        rng = np.random.default_rng((seed, number))
        sources = [sorted(texts) for _, texts in sorted(by_label[label].items())]
        have = np.array([sum(len(text.encode("utf-8", "ignore")) for text in texts) for texts in sources], float)
        most = (most_bytes or MOST_BYTES) * (COMMON_TIMES if label.partition("_")[0] in COMMON else 1)
        wanted = min(most, MOST_TIMES * have.sum()) * np.sqrt(have) / np.sqrt(have).sum()
        spaced = is_spaced(label.partition("_")[2])
        for texts, size in zip(sources, np.minimum(wanted, MOST_TIMES * have).tolist(), strict=True):
            for line in _lines(texts, size, spaced, rng):
                yield label, _spoilt(line, label, rng)


def _lines(texts: list[str], size: float, spaced: bool, rng: np.random.Generator) -> Iterator[str]:
    """Stretches of texts until there are `size` bytes: every text in turn, in an order by chance."""
    while size > 0:
        for place in rng.permutation(len(texts)).tolist():
            text = " ".join(texts[place].split())
            data = len(text.encode("utf-8", "ignore"))
            per_character = data / max(1, len(text))
            at = 0
            while at < len(text) and size > 0:
                length = int(np.clip(rng.lognormal(np.log(MEDIAN_LENGTH), LENGTH_SPREAD), SHORTEST, LONGEST))
                end = min(len(text), at + max(1, int(length / per_character)))
                if spaced and end < len(text):
                    space = text.find(" ", end)
                    end = len(text) if space < 0 or space - end > 60 else space
                if line := text[at:end].strip():
                    yield line
                    size -= len(line) * per_character
                at = end
            if size <= 0:
                return


def _spoilt(line: str, label: str, rng: np.random.Generator) -> str:
    chance = rng.random()
    if (chance := chance - CAPITALS) < 0:
        return line.upper()
    if (chance := chance - BARE) < 0:
        return bare(line) if label.endswith("_Latn") else line
    if (chance := chance - LOWER) < 0:
        return line.lower()
    if chance - NOISE < 0:
        words = line.split(" ")
        at = int(rng.integers(len(words) + 1))
        words.insert(at, _STRAY[int(rng.integers(len(_STRAY)))])
        return _slip(" ".join(words), rng)
    return line


def bare(text: str) -> str:
    """Without the marks that a hurried writer leaves out."""
    marked = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(one for one in marked if unicodedata.category(one) != "Mn"))


def _slip(text: str, rng: np.random.Generator) -> str:
    """Two neighbours the other way round."""
    at = int(rng.integers(max(1, len(text) - 1)))
    return text[:at] + text[at : at + 2][::-1] + text[at + 2 :]
