"""How likely a stretch of text is, whatever its language: trigrams of kinds of characters.

A kind is a script's letters (of one case, plain or accented) or marks, a sign of punctuation, or a class of rarer
ones; within its kind a character counts by how common it is in all languages together, each with the same weight. So
`rÃ¥b` is unlikely (a capital after a small letter, a currency sign inside a word), `råb` is not, and `HÃ”` is nearly as
good as `HÔ`.
Trigrams fall back on bigrams and these on single kinds, each as PSEUDO more sightings (Dirichlet smoothing; MacKay and
Peto 1995, doi 10.1017/S1351324900000218).

`character_model.npz` has the counts; `tests/bench/fit_characters.py` makes it. Which character is of which kind is part
of it, so that likelihoods are the same under every release of `regex`.
"""

import math
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import regex

from pipeline.kernels.elementary import logs

COUNTS = Path(__file__).with_suffix(".npz")
LINE_END = "\n"  # stands for a text's ends as well
PSEUDO = 20.0
UNSEEN = 0.5  # sightings of a character of which there are none

# Signs that are kinds of their own, for where they stand tells one from the other.
SIGNS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\u00a0¡«»¿°·©®™£€§–—‘’‚“”„…‹›•¨´¸"
_SCRIPTS = """Arab Armn Beng Cher Cyrl Deva Ethi Geor Grek Gujr Guru Hang Hani Hebr Hira Kana Khmr Knda Laoo Latn Mlym
Mymr Orya Sinh Taml Telu Tfng Thaa Thai Tibt"""
# The first that fits, in this order.
_CLASSES = (
    (r"\n", "line end"),
    (r"[ \t]", "space"),
    (r"[0-9]", "digit"),
    *((regex.escape(sign), f"sign {sign}") for sign in SIGNS),
    (r"[a-z]", "Latn plain lower"),
    (r"[A-Z]", "Latn plain upper"),
    *(
        (rf"(?V1)[\p{{Script={script}}}&&{of}]", f"{script} {name}")
        for script in _SCRIPTS.split()
        for of, name in ((r"\p{Ll}", "lower"), (r"[\p{Lu}\p{Lt}]", "upper"), (r"\p{M}", "mark"), (r"\p{L}", "letter"))
    ),
    (r"\p{Ll}", "rare lower"),
    (r"\p{Lu}", "rare upper"),
    (r"\p{M}", "rare mark"),
    (r"\p{L}", "rare letter"),
    (r"\p{Nd}", "rare digit"),
    (r"\p{N}", "number"),
    (r"[\u2500-\u259f]", "box"),
    (r"[\u3000-\u303f\uff00-\uffef]", "East Asian sign"),
    (r"(?V1)[\p{Extended_Pictographic}--\p{ASCII}]", "pictograph"),
    (r"\p{Sc}", "currency"),
    (r"\p{Sm}", "mathematical sign"),
    (r"\p{Sk}", "accent"),
    (r"\p{S}", "symbol"),
    (r"\p{P}", "rare punctuation"),
    (r"\p{Z}", "rare space"),
    (r"\p{Cf}", "format"),
)
KINDS = (*dict.fromkeys(name for _, name in _CLASSES), "none")  # none: controls, private and unassigned characters


class Model(NamedTuple):
    """`pages` uint16 (0x1100,), `kinds` uint8 (n_pages, 256): an index into KINDS a code point; `points` uint32 and
    `seen` float32: sightings of characters; `grams` uint32 and `times` float32: of three kinds, as one number."""

    pages: np.ndarray
    kinds: np.ndarray
    points: np.ndarray
    seen: np.ndarray
    grams: np.ndarray
    times: np.ndarray


def kinds_of_all() -> np.ndarray:
    """The kind of each code point by the Unicode data of the installed `regex`; uint8 of shape (0x110000,)."""
    everything = "".join(map(chr, range(0x110000)))
    kinds = np.full(0x110000, KINDS.index("none"), np.uint8)
    for pattern, name in reversed(_CLASSES):
        for run in regex.finditer(f"(?:{pattern})+", everything):
            kinds[run.start() : run.end()] = KINDS.index(name)
    return kinds


class CharacterModel:
    """Log-likelihoods of characters where they stand."""

    def __init__(self, model: Model) -> None:
        n = len(KINDS)
        self._pages, self._kinds = model.pages.tolist(), model.kinds
        trigrams = np.zeros((n, n, n))
        trigrams.flat[model.grams] = model.times
        bigrams, singles = trigrams.sum(axis=0), trigrams.sum(axis=(0, 1))
        alone = (singles + UNSEEN) / (singles.sum() + UNSEEN * n)
        after_one = (bigrams + PSEUDO * alone) / (bigrams.sum(axis=1, keepdims=True) + PSEUDO)
        after_two = (trigrams + PSEUDO * after_one) / (trigrams.sum(axis=2, keepdims=True) + PSEUDO)
        self._after = logs(after_two).astype(np.float32)
        sizes = np.bincount(model.kinds[model.pages].ravel(), minlength=n)
        of_kind = np.bincount(self._kind_of(model.points), model.seen, n) + UNSEEN * sizes
        self._rare = logs(UNSEEN / np.maximum(of_kind, UNSEEN))
        within = logs((model.seen + UNSEEN) / of_kind[self._kind_of(model.points)])
        self._within = dict(zip(map(chr, model.points.tolist()), within.tolist(), strict=True))
        self.of = lru_cache(1 << 16)(self._of)

    def _kind_of(self, points: np.ndarray) -> np.ndarray:
        return self._kinds[np.asarray(self._pages)[points >> 8], points & 255].astype(np.int64)

    @lru_cache(1 << 14)  # noqa: B019 - one model a process
    def kind(self, character: str) -> int:
        """An index into KINDS."""
        point = ord(character)
        return int(self._kinds[self._pages[point >> 8], point & 255])

    def _of(self, before: int, last: int, character: str) -> float:
        kind = self.kind(character)
        within = self._within.get(character)
        return float(self._after[before, last, kind]) + (float(self._rare[kind]) if within is None else within)

    def log_likelihood(self, text: str, start: int, end: int) -> float:
        """Of the characters start : end and of the two behind them, each after the two before it."""
        around = (
            LINE_END * max(0, 2 - start) + text[max(0, start - 2) : end + 2] + LINE_END * max(0, end + 2 - len(text))
        )
        kinds = [self.kind(character) for character in around]
        return math.fsum(self.of(kinds[i - 2], kinds[i - 1], around[i]) for i in range(2, len(around)))


@cache
def character_model() -> CharacterModel:
    """The shipped model, read once a process."""
    with np.load(COUNTS) as stored:
        return CharacterModel(Model(*(stored[name] for name in Model._fields)))
