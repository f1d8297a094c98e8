"""Signals of a document's quality: numbers only, no verdict (`pipeline.text.rules` compares them with thresholds).

Repetition and quality after Rae et al. 2021 (Gopher, arXiv 2112.11446, table A1), counted as datatrove counts: of
equal lines, paragraphs or n-grams the first occurrence is no duplicate. Line rules after Penedo et al. 2024 (FineWeb,
arXiv 2406.17557, 3.6). A word is `pipeline.text.words`', with its case-folded length. Lines are those with something
other than white space on them.
"""

import re
from collections.abc import Iterable
from functools import cache

import numpy as np
import pyarrow as pa
import regex

from pipeline.text.words import LETTER, OTHER, SPACE, Bounds, all_codepoints, is_spaced, word_bounds

Value = int | float | None

# T: the text. T': the case-folded text. Divisions by a number of words, lines or characters take 1 for 0.
SIGNALS: tuple[tuple[str, pa.DataType, str], ...] = (
    ("n_chars", pa.int32(), "characters (code points) of T"),
    ("n_bytes", pa.int32(), "bytes of T in UTF-8"),
    ("n_words", pa.int32(), "words; characters in scripts without spaces"),
    ("n_lines", pa.int32(), "lines"),
    ("n_paragraphs", pa.int32(), "paragraphs: parts of T between two or more line breaks"),
    ("mean_word_length", pa.float64(), "characters a word; null without words and in scripts without spaces"),
    ("hash_to_word_ratio", pa.float64(), "# signs a word"),
    ("ellipsis_to_word_ratio", pa.float64(), "... and … a word"),
    ("bullet_line_share", pa.float64(), "lines that begin with • or -"),
    ("ellipsis_line_share", pa.float64(), "lines that end in ... or …"),
    ("alpha_word_share", pa.float64(), "words with a letter, of words and of free-standing runs of symbols"),
    ("stop_word_hits", pa.int32(), "different stop words of the language in T; null without a list for it"),
    ("dup_line_share", pa.float64(), "lines that repeat an earlier line"),
    ("dup_line_char_share", pa.float64(), "their characters, of n_chars"),
    ("dup_paragraph_share", pa.float64(), "paragraphs that repeat an earlier one"),
    ("dup_paragraph_char_share", pa.float64(), "their characters, of n_chars"),
    *(
        (f"top_{n}gram_char_share", pa.float64(), f"characters of the commonest {n} words in a row, of T'")
        for n in (2, 3, 4)
    ),
    *(
        (
            f"dup_{n}gram_char_share",
            pa.float64(),
            f"characters of {n} words in a row seen before, without overlap, of T'",
        )
        for n in range(5, 11)
    ),
    ("line_punct_share", pa.float64(), "lines that end a sentence; near 0 in Thai and Lao, which have no full stop"),
    ("short_line_share", pa.float64(), "lines of 30 characters or fewer"),
    ("char_dup_share", pa.float64(), "characters of lines that repeat an earlier line, of T without line breaks"),
    ("newline_to_word_ratio", pa.float64(), "line breaks a word"),
)

# Gopher's eight. Only a language with a list has stop_word_hits.
STOP_WORDS: dict[str, frozenset[str]] = {"eng": frozenset({"the", "be", "to", "of", "and", "that", "have", "with"})}

SHORT_LINE = 30  # characters; FineWeb
PARAGRAPH_BREAK = re.compile("\n{2,}")


@cache
def _sentence_ends() -> tuple[frozenset[str], str]:
    """Characters that end a sentence in any script (Sentence_Terminal, and …), and those that may follow them:
    quotation marks and closing brackets."""
    ends = frozenset(regex.findall(r"\p{Sentence_Terminal}", all_codepoints())) | {"\u2026"}
    closing = "".join(regex.findall(r"[\p{Pe}\p{Pf}\p{Pi}]", all_codepoints())) + "\"'*_\uff02\uff07"
    return ends, closing


def _duplicates(parts: Iterable[str]) -> tuple[int, int]:
    """Number and characters of the parts that repeat an earlier one."""
    seen: set[str] = set()
    count = chars = 0
    for part in parts:
        if part in seen:
            count += 1
            chars += len(part)
        seen.add(part)
    return count, chars


def _mix(x: np.ndarray) -> np.ndarray:
    """A bijection of uint64 that spreads every bit (splitmix64's finaliser, Steele et al. 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _word_hashes(bounds: Bounds) -> np.ndarray:
    """64 bits a word, uint64 of shape (n_words,): equal words, equal hashes; others collide with chance 2^-64."""
    lengths = bounds.ends - bounds.starts
    if not len(lengths):
        return np.empty(0, np.uint64)
    firsts = np.cumsum(lengths) - lengths
    place = np.arange(int(lengths.sum()), dtype=np.int64) - np.repeat(firsts, lengths)
    characters = bounds.codepoints[place + np.repeat(bounds.starts, lengths)].astype(np.uint64)
    return _mix(np.add.reduceat(_mix(characters | (place.astype(np.uint64) << np.uint64(21))), firsts))


def _top_ngram_chars(grams: np.ndarray, chars: np.ndarray) -> int:
    """Characters of all occurrences of the commonest n-gram; of equally common ones the first to appear."""
    order = grams.argsort(kind="stable")
    ordered = grams[order]
    firsts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    counts = np.concatenate((firsts[1:], [len(grams)])) - firsts
    most = counts.max()
    return int(chars[order[firsts[counts == most]].min()] * most)


def _repeated(grams: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Those of `positions`, ascending, whose n-gram occurs at another of them too."""
    found = grams[positions]
    order = found.argsort(kind="stable")
    equal = np.concatenate(([False], found[order[1:]] == found[order[:-1]], [False]))
    return positions[np.sort(order[equal[1:] | equal[:-1]])]


def _duplicate_ngram_chars(grams: list[int], positions: list[int], chars: list[int], n: int) -> int:
    """Characters of n-grams seen before, reading on behind each. All that occur twice must be given.

    The others need not be: they are no duplicates, and never keep another from being seen.
    """
    seen: set[int] = set()
    total = resume = 0
    for gram, position, length in zip(grams, positions, chars, strict=True):
        if position < resume:
            continue
        if gram in seen:
            total += length
            resume = position + n
        else:
            seen.add(gram)
    return total


def _ngram_shares(bounds: Bounds, hashes: np.ndarray, spaced: bool) -> dict[str, float]:
    """The top_* and dup_* signals."""
    top = dict.fromkeys((2, 3, 4), 0.0)
    dup = dict.fromkeys(range(5, 11), 0.0)
    size = max(1, len(bounds.folded))
    offsets = np.concatenate(([0], np.cumsum(bounds.ends - bounds.starts)))
    grams, repeated = hashes, np.arange(len(hashes))
    for n in range(2, min(len(hashes), 10) + 1):
        grams = _mix(grams[:-1]) + hashes[n - 1 :]
        chars = offsets[n:] - offsets[:-n]
        if n in top:
            top[n] = _top_ngram_chars(grams, chars + (n - 1 if spaced else 0)) / size
            continue
        repeated = _repeated(grams, repeated[repeated < len(grams)])
        if not len(repeated):  # then no longer n-gram occurs twice either
            break
        dup[n] = _duplicate_ngram_chars(grams[repeated].tolist(), repeated.tolist(), chars[repeated].tolist(), n) / size
    return {f"top_{n}gram_char_share": share for n, share in top.items()} | {
        f"dup_{n}gram_char_share": share for n, share in dup.items()
    }


def _alpha_word_share(bounds: Bounds) -> float:
    """Words with a letter, of all words and of the symbols that stand free between white space."""
    letters = np.concatenate(([0], np.cumsum((bounds.classes & LETTER) != 0)))
    alpha = int((letters[bounds.ends] > letters[bounds.starts]).sum())
    visible = (bounds.classes & SPACE) == 0
    chunks = np.flatnonzero(visible & np.concatenate(([True], ~visible[:-1])))
    symbols = 0
    if len(chunks):
        symbols = int((np.bitwise_or.reduceat(bounds.classes & 3, chunks) == OTHER).sum())
    return alpha / max(1, len(bounds.starts) + symbols)


@cache
def _stop_word_hashes(language: str) -> np.ndarray:
    return _word_hashes(word_bounds(" ".join(sorted(STOP_WORDS[language]))))


def signals(text: str, language: str, script: str) -> dict[str, Value]:
    """All SIGNALS of a text, by name. `language` is ISO 639-3, `script` ISO 15924. Takes any str.

    Shares of lines, paragraphs, words and characters lie in 0 to 1, but for top_*: their n-grams may overlap
    themselves and are counted with the spaces between their words.
    """
    spaced = is_spaced(script)
    bounds = word_bounds(text)
    n_words = len(bounds.starts)
    hashes = _word_hashes(bounds)
    lines = [line for line in text.split("\n") if line and not line.isspace()]
    paragraphs = PARAGRAPH_BREAK.split(text.strip()) if lines else []
    stripped = [line.strip() for line in lines]
    n_lines, n_chars, newlines = max(1, len(lines)), max(1, len(text)), text.count("\n")
    dup_lines, dup_line_chars = _duplicates(lines)
    dup_paragraphs, dup_paragraph_chars = _duplicates(paragraphs)
    ends, closing = _sentence_ends()
    word_chars = int((bounds.ends - bounds.starts).sum())
    stop_word_hits = None
    if language in STOP_WORDS:
        stop_word_hits = len(np.intersect1d(hashes, _stop_word_hashes(language)))
    return {
        "n_chars": len(text),
        "n_bytes": len(text.encode("utf-8", "surrogatepass")),
        "n_words": n_words,
        "n_lines": len(lines),
        "n_paragraphs": len(paragraphs),
        "mean_word_length": word_chars / n_words if spaced and n_words else None,
        "hash_to_word_ratio": text.count("#") / max(1, n_words),
        "ellipsis_to_word_ratio": (text.count("...") + text.count("\u2026")) / max(1, n_words),
        "bullet_line_share": sum(line.startswith(("\u2022", "-")) for line in stripped) / n_lines,
        "ellipsis_line_share": sum(line.endswith(("...", "\u2026")) for line in stripped) / n_lines,
        "alpha_word_share": _alpha_word_share(bounds),
        "stop_word_hits": stop_word_hits,
        "dup_line_share": dup_lines / n_lines,
        "dup_line_char_share": dup_line_chars / n_chars,
        "dup_paragraph_share": dup_paragraphs / max(1, len(paragraphs)),
        "dup_paragraph_char_share": dup_paragraph_chars / n_chars,
        **_ngram_shares(bounds, hashes, spaced),
        "line_punct_share": sum(line.rstrip(closing)[-1:] in ends for line in stripped) / n_lines,
        "short_line_share": sum(len(line) <= SHORT_LINE for line in lines) / n_lines,
        "char_dup_share": dup_line_chars / max(1, len(text) - newlines),
        "newline_to_word_ratio": newlines / max(1, n_words),
    }
