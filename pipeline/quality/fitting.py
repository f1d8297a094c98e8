"""Fits the thresholds of a language's rules from trusted texts.

FineWeb-2 (Penedo et al. 2025, arXiv 2506.20920, 4.4.2) carries English thresholds over by statistics of each language:
equal quantiles of Wikipedia, a tenth at the tail, mean and deviation, or the ratio of medians. Here a threshold starts
from the default; where the signal follows the language's words it is scaled by the ratio to English: of the median word
length, or of the number of words that say the same. Trusted texts are good by definition, so it is then loosened to

    edge   = the language's quantile at its tail, moved out by a share 1 / sqrt(n) of its distance from 0, n texts
    shrunk = edge + (family - edge) x SHRINK / (n + SHRINK)   where the script family's FAMILY_TAIL lies further out

but never past `loosest`, where a rule would mean nothing any more. All rules of a family together may cut CUT of the
trusted texts. Stricter than its start a threshold becomes only from STRICTER texts on. tau, the least score of the
language model, is FineWeb-2's clip(median - deviation, 0.3, 0.9), but cuts no more than CUT either.

A script's own section is what is loose enough for FAMILY_LANGUAGES of its languages; it serves those without texts.
Scripts of a POOL are one family, and serve one of them that has too few texts.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.quality.fitting_limits import (
    CHANCE,
    ENGLISH,
    ENGLISH_WORD_LENGTH,
    LIMITS,
    NO_SENTENCE_ENDS,
    PHRASES_APART,
    POOLS,
    WORDS_A_WORD,
    Limit,
)
from pipeline.words.words import is_spaced

CUT = 0.01  # of the trusted texts, by all rules of a family
FAMILY_TAIL = 0.01
FAMILY_LANGUAGES = 0.98
SHRINK = 20  # texts
STRICTER = 1000  # texts
MIN_TEXTS = 20  # of a language
TAU = (0.3, 0.9)
# A text with less than a fifth of its language's usual share of stop words is in another language or no prose. While
# they are few they are no measure of the language.
FOREIGN, MOST_FOREIGN = 0.2, 0.05

STOP_SHARE = 0.3  # of the median: min_stop_word_share starts there
NEVER = 1e6  # a threshold that nothing passes

Key = tuple[str, str]  # language (ISO 639-3) and script (ISO 15924)
Signals = Mapping[str, np.ndarray]  # float64 of shape (n_texts,) by signal; nan where a text has none


def fit(
    texts: Mapping[Key, Signals], defaults: Mapping[str, float], *, min_texts: int = MIN_TEXTS, cut: float = CUT
) -> dict[str, dict[str, float]]:
    """Thresholds by `language_Script`, and by `Script` for the languages that have no texts.

    `defaults`: the thresholds there are, with what holds where nothing is said; a section leaves out what would hold
    without it. Languages with fewer than `min_texts` texts are not fitted. The order of the texts does not matter.
    """
    kept = {key: _prose(signals) for key, signals in texts.items() if count(signals) >= min_texts}
    for key in kept:
        if key[1] in NO_SENTENCE_ENDS:  # no measure for the rest of a pool
            kept[key].pop("words_a_sentence", None)
    english = _median(kept.get(("eng", "Latn"), {}).get("mean_word_length", np.empty(0))) or ENGLISH_WORD_LENGTH
    found: dict[str, dict[str, float]] = {}
    for scripts in _families({script for _, script in texts}):
        keys = [key for key in sorted(kept) if key[1] in scripts]
        family = _pooled([kept[key] for key in keys])
        fitted = {key: _of_language(key, kept[key], family, english, defaults, cut) for key in keys}
        for script in scripts:
            own = [values for key, values in fitted.items() if key[1] == script]
            shared = _of_family(own or list(fitted.values()) or [_by_chance(script, defaults)])
            found[script] = {name: value for name, value in shared.items() if value != defaults[name]}
            without = {**defaults, **shared}
            for (language, written), values in fitted.items():
                if written == script:
                    found[f"{language}_{script}"] = {n: value for n, value in values.items() if value != without[n]}
    return {key: values for key, values in found.items() if values}


def _families(scripts: set[str]) -> list[list[str]]:
    """Scripts that are fitted together, each once."""
    pools = [sorted(scripts & pool) for pool in POOLS]
    return [pool for pool in pools if pool] + [[script] for script in sorted(scripts.difference(*pools))]


def _by_chance(script: str, defaults: Mapping[str, float]) -> dict[str, float]:
    """What is known of a script's repetition without texts."""
    limits = {f"max_dup_{n}gram_char_share": share for n, share in enumerate(CHANCE.get(script, ()), 5)}
    return {name: max(share, defaults[name]) for name, share in limits.items() if name in defaults}


def tau(scores: np.ndarray, cut: float = CUT) -> float:
    """FineWeb-2's threshold of the language score, clip(median - deviation, 0.3, 0.9), kept below the scores' quantile
    `cut`, but for the 0.3."""
    scores = scores[~np.isnan(scores)]
    usual = float(np.clip(np.median(scores) - np.std(scores), *TAU))
    return max(TAU[0], min(usual, float(np.quantile(scores, cut, method="lower"))))


def words_a_word(script: str, word_length: float, english: float = ENGLISH_WORD_LENGTH) -> float:
    """Words that say what one English word says, at most 1 in scripts with spaces: longer words, fewer of them."""
    if not is_spaced(script):
        return WORDS_A_WORD.get(script, 1.0)
    return float(np.clip((english + 1) / (word_length + 1), 0.5, 1))


def _of_language(
    key: Key, texts: Signals, family: Signals, english: float, defaults: Mapping[str, float], cut: float
) -> dict[str, float]:
    language, script = key
    length = _median(texts.get("mean_word_length", np.empty(0))) or english
    factors = {"": 1.0, "length": length / english, "words": words_a_word(script, length, english)}
    factors["a_word"] = 1 / factors["words"]
    found: dict[str, float] = {}
    for limits in LIMITS.values():
        for limit in limits:
            if limit.threshold not in defaults:
                continue
            if limit.signal == "words_a_sentence" and script in NO_SENTENCE_ENDS:
                found[limit.threshold] = NEVER
                continue
            if not len(values := _known(texts, limit.signal)):
                continue
            if language == "eng" and limit.threshold in ENGLISH:
                found[limit.threshold] = ENGLISH[limit.threshold]
                continue
            if limit.signal == "space_to_word_ratio" and script not in PHRASES_APART:
                continue
            factor = factors[limit.scale]
            start, loosest = limit.start * factor, limit.loosest * factor
            if script in CHANCE and limit.threshold.startswith("max_dup_") and limit.threshold[8].isdigit():
                start = max(start, CHANCE[script][int(limit.signal.split("_")[1].removesuffix("gram")) - 5])
                loosest = max(loosest, start)
            if limit.threshold == "min_stop_word_share":
                # The list is made of the same texts: of few, it knows them better than others.
                start = STOP_SHARE * float(np.median(values)) * (1 - 1 / math.sqrt(len(values)))
            found[limit.threshold] = _loosened(limit, values, family[limit.signal], start, loosest, cut / len(limits))
    if "min_language_score" in defaults and len(scores := _known(texts, "language_score")):
        found["min_language_score"] = math.floor(tau(scores, cut) * 1000) / 1000
    return found


def _loosened(limit: Limit, values: np.ndarray, family: np.ndarray, start: float, loosest: float, tail: float) -> float:
    """The threshold, rounded to the loose side: whole numbers for counts, thousandths for shares."""
    n, out = len(values), 1 / math.sqrt(len(values))
    if limit.is_min:
        base = 1.0 if limit.signal == "alpha_word_share" else 0.0  # what its values are far from
        quantile = float(np.quantile(values, tail, method="lower"))
        edge = base - (base - quantile) * (1 + out) if base else quantile * (1 - out)
        edge += min(0.0, float(np.quantile(family, FAMILY_TAIL)) - edge) * SHRINK / (n + SHRINK)
        loose = max(min(start, edge), loosest) if n < STRICTER else max(edge, loosest)
    else:
        edge = float(np.quantile(values, 1 - tail, method="higher")) * (1 + out)
        edge += max(0.0, float(np.quantile(family, 1 - FAMILY_TAIL)) - edge) * SHRINK / (n + SHRINK)
        loose = min(max(start, edge), loosest) if n < STRICTER else min(edge, loosest)
    scale = 1 if limit.signal in ("n_words", "stop_word_hits", "words_a_sentence") else 1000
    whole = loose * scale
    return (math.floor(whole + 1e-9) if limit.is_min else math.ceil(whole - 1e-9)) / scale


def _of_family(fitted: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = sorted(set().union(*fitted))
    shared = {}
    for name in names:
        values = sorted(thresholds[name] for thresholds in fitted if name in thresholds)
        place = math.ceil(FAMILY_LANGUAGES * len(values)) - 1
        shared[name] = values[len(values) - 1 - place] if name.startswith("min_") else values[place]
    return shared


def _prose(texts: Signals) -> dict[str, np.ndarray]:
    """The texts without those that are in another language by their stop words, with `words_a_sentence`."""
    arrays = {name: np.asarray(values, np.float64) for name, values in texts.items()}
    if {"n_words", "n_sentences"} <= arrays.keys():
        arrays["words_a_sentence"] = arrays["n_words"] / np.maximum(1, arrays["n_sentences"])
    share = arrays.get("stop_word_share", np.empty(0))
    if not len(share) or np.isnan(share).all():
        return arrays
    foreign = share < FOREIGN * float(np.nanmedian(share))
    if foreign.mean() > MOST_FOREIGN:
        return arrays
    return {name: values[~foreign] for name, values in arrays.items()}


def _pooled(languages: Sequence[Signals]) -> dict[str, np.ndarray]:
    """All languages' values, each language with the same weight: its quantiles."""
    grid = np.linspace(0, 1, 201)
    names = sorted(set().union(*languages))
    known = {name: [values for signals in languages if len(values := _known(signals, name))] for name in names}
    return {name: np.concatenate([np.quantile(v, grid) for v in some]) for name, some in known.items() if some}


def _known(texts: Signals, name: str) -> np.ndarray:
    values = texts.get(name, np.empty(0))
    return values[~np.isnan(values)]


def count(texts: Signals) -> int:
    return max((len(values) for values in texts.values()), default=0)


def _median(values: np.ndarray) -> float:
    """nan-free median, 0 without values."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else 0.0
