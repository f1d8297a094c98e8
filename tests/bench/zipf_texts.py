"""Texts of made-up words in 14 languages' own letters, drawn by Zipf's law, a thousand texts and more at a time.

A word is a rank in its language's vocabulary, most frequent first, and one word of `pipeline.words.words`: in scripts
without spaces a character with its marks. Texts have case, commas, sentences and paragraphs, which are drawn apart from
the words and change none of them.
"""

import math
from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np
import pyarrow as pa

N_WORDS = 30_000  # of languages with spaces; those without have as many as their characters give
SLOTS = 1 << 20  # of the table that a draw looks its word up in
SEED = 20_240_229  # of the vocabularies, which are the same for all tables


class Language(NamedTuple):
    """`share` of all texts; `ends`: what follows a word: nothing else, a comma, a sentence's end, a paragraph's."""

    code: str
    script: str
    share: float
    units: tuple[str, ...]  # what words are made of; in scripts without spaces the words themselves
    ends: tuple[str, str, str, str] = (" ", ", ", ". ", ".\n\n")
    spaced: bool = True


def _syllables(onsets: str, nuclei: str, codas: str = "") -> tuple[str, ...]:
    """All of onset, nucleus, coda; _ for an empty one."""
    parts = [[part.replace("_", "") for part in of.split()] for of in (onsets, nuclei, codas or "_")]
    return tuple(dict.fromkeys("".join(chosen) for chosen in product(*parts)))


def _between(first: str, last: str, step: int = 1) -> list[str]:
    return [chr(code) for code in range(ord(first), ord(last) + 1, step)]


def _marked(letters: list[str], marks: str) -> tuple[str, ...]:
    return _syllables(" ".join(letters), marks)


KANA = (*_between("ぁ", "ゖ"), *_between("ァ", "ヺ"))
# Vowels that Thai writes before or behind a consonant are letters, so words of their own.
THAI = (*_marked(_between("ก", "ฮ"), "_ ิ ี ึ ุ ู ่ ้ ั ี่ ื่ ็"), *"ะาำเแโใไ")
LANGUAGES = (
    Language("eng", "Latn", 0.26, _syllables("b c d f g h l m n p r s t v w st tr th", "a e i o u ea ou")),
    Language("rus", "Cyrl", 0.10, _syllables("б в г д ж з к л м н п р с т х ч ш щ", "а е и о у ы я ё ь")),
    Language("tur", "Latn", 0.08, _syllables("b c ç d f g ğ h k l m n p r s ş t v y z", "a e ı i o ö u ü")),
    Language("arb", "Arab", 0.07, tuple("ابتثجحخدذرزسشصضطظعغفقكلمنهوي"), (" ", "، ", ". ", ".\n\n")),
    Language("heb", "Hebr", 0.05, tuple("אבגדהוזחטיכלמנסעפצקרשת")),
    Language("hin", "Deva", 0.04, _marked([*"कखगघचछजझटडतथदधनपफबभमयरलवशसह"], "_ ा ि ी ु े ो ं"),
             (" ", ", ", "। ", "।\n\n")),
    Language("tam", "Taml", 0.03, _marked([*"கஙசஞடணதநபமயரலவழளறன"], "_ ா ி ீ ு ெ ே ை ொ ்")),
    Language("amh", "Ethi", 0.03, tuple(_between("ሀ", "ቆ") + _between("ተ", "ኆ") + _between("ነ", "ኮ")),
             (" ", "፣ ", "። ", "።\n\n")),
    Language("kat", "Geor", 0.03, _syllables("ბ გ დ ვ ზ თ კ ლ მ ნ პ რ ს ტ ფ ქ ღ ყ შ ჩ ც ხ ჯ", "ა ე ი ო უ")),
    Language("kor", "Hang", 0.06, tuple(_between("가", "힣", 28 * 2 + 1))),
    Language("cmn", "Hani", 0.10, tuple(_between("一", "鿀", 5)), ("", "，", "。", "。\n"), spaced=False),
    Language("jpn", "Jpan", 0.07, (*KANA, *_between("丂", "鿀", 9)), ("", "、", "。", "。\n"), spaced=False),
    Language("tha", "Thai", 0.05, THAI, ("", " ", " ", "\n"), spaced=False),
    Language("khm", "Khmr", 0.03, _marked(_between("ក", "អ"), "_ ា ិ ី ុ ូ េ ោ ំ ់ ្"), ("", " ", "។ ", "។\n"), spaced=False),
)  # fmt: skip
# Of 64 words 56 are followed by nothing but what parts words, 3 by a comma, 4 end a sentence, 1 a paragraph.
ENDS = np.repeat(np.arange(4, dtype=np.uint8), (56, 3, 4, 1))
N_ENDS, LAST = 5, 4  # the fifth ends a text


@cache
def vocabulary(language: int) -> tuple[str, ...]:
    """The words of LANGUAGES[language], most frequent and mostly shortest first."""
    of = LANGUAGES[language]
    rng = np.random.default_rng([SEED, language])
    if not of.spaced:
        if of.script != "Jpan":
            return tuple(of.units[i] for i in rng.permutation(len(of.units)))
        return KANA + tuple(of.units[len(KANA) + i] for i in rng.permutation(len(of.units) - len(KANA)))
    found: dict[str, None] = {}
    longest = 2 + int(np.log(N_WORDS) / np.log(len(of.units)))
    while len(found) < N_WORDS:
        for more, *chosen in rng.integers(0, 1 << 30, (N_WORDS, 1 + longest)).tolist():
            shortest = 1 + int(math.log(len(found) + 1) / math.log(len(of.units)))
            found["".join([of.units[i % len(of.units)] for i in chosen[: shortest + more % 2]])] = None
            if len(found) == N_WORDS:
                break
    return tuple(found)


def capital(word: str) -> str:
    """With a capital, where that is the same word still (Turkish ı has none that is)."""
    upper = word.capitalize()
    return upper if upper.casefold() == word.casefold() else word


class Tongue:
    """All languages' words in one list, so that texts in different languages are drawn and written at once.

    A word's number is `base[language]` + its rank.
    """

    def __init__(self) -> None:
        words = [vocabulary(language) for language in range(len(LANGUAGES))]
        self.sizes = np.array([len(one) for one in words], np.int64)
        self.base = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        self._n_words = int(self.sizes.sum())
        places = (np.arange(SLOTS) + 0.5) / SLOTS
        # The slots of rank r are as many as ln((r + 2) / (r + 1)): Zipf's law, exponent 1.
        slots = [np.exp(places * np.log(size + 1)).astype(np.int32) - 1 for size in self.sizes]
        self._slots = np.concatenate([one + base for one, base in zip(slots, self.base, strict=True)]).astype(np.int32)
        flat = [word for of in words for word in of]
        ends = [end for of in LANGUAGES for end in (*of.ends, of.ends[2].strip())]
        self._pieces = pa.array([*flat, *map(capital, flat), *ends], pa.large_string())

    def draw(self, rng: np.random.Generator, languages: np.ndarray) -> np.ndarray:
        """A word's number for each of `languages` (integers, one a word), int32."""
        slots = rng.integers(0, SLOTS, len(languages), dtype=np.int64)
        slots += languages.astype(np.int64) * SLOTS
        return self._slots[slots]

    def write(
        self, rng: np.random.Generator, words: np.ndarray, lengths: np.ndarray, languages: np.ndarray
    ) -> pa.Array:
        """Texts as large_string. `words`: numbers, one text after the other; `lengths` (each 1 or more) and
        `languages`: by text. Case and punctuation are drawn here."""
        of_word = np.repeat(languages.astype(np.int64), lengths)
        ends = ENDS[rng.integers(0, len(ENDS), len(words), dtype=np.uint8)].astype(np.int64)
        last = np.cumsum(lengths) - 1
        ends[last] = LAST
        begins = np.empty(len(words), bool)
        begins[0], begins[1:] = True, ends[:-1] >= 2
        pieces = np.empty(2 * len(words), np.int64)
        pieces[0::2] = words + self._n_words * begins
        pieces[1::2] = 2 * self._n_words + N_ENDS * of_word + ends
        taken = self._pieces.take(pa.array(pieces))
        _, places, data = taken.buffers()
        offsets = np.frombuffer(places, np.int64)[np.concatenate([[0], 2 * (last + 1)])]
        return pa.Array.from_buffers(pa.large_string(), len(lengths), [None, pa.py_buffer(offsets), data])


def draw_lengths(rng: np.random.Generator, n: int, mean: int) -> np.ndarray:
    """Words of each of n texts, int64: log-normal about `mean`, from a fifth to four times that."""
    spread = 0.6
    drawn = rng.lognormal(np.log(mean) - spread**2 / 2, spread, n)
    return np.clip(drawn, mean / 5, mean * 4).astype(np.int64)


def draw_languages(rng: np.random.Generator, n: int) -> np.ndarray:
    """Indexes into LANGUAGES by their shares, uint8."""
    shares = np.array([one.share for one in LANGUAGES])
    return rng.choice(len(LANGUAGES), n, p=shares / shares.sum()).astype(np.uint8)
