"""Signals of a document's quality: numbers only, no verdict (`pipeline.quality.rules` compares them with thresholds).

Repetition and quality after Rae et al. 2021 (Gopher, arXiv 2112.11446, table A1), counted as datatrove counts: of
equal lines, paragraphs or n-grams the first occurrence is no duplicate. Line rules after Penedo et al. 2024 (FineWeb,
arXiv 2406.17557, 3.6) and Raffel et al. 2020 (C4, arXiv 1910.10683, 2.2). A word is `pipeline.words.words`', with its
case-folded length; lines, paragraphs and sentences are `pipeline.quality.lines`'.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from pipeline.kernels.arrow_text import Utf8, from_strings, utf8
from pipeline.kernels.compiling import kernel
from pipeline.quality import lines
from pipeline.quality.lines import Phrases, measure_lines
from pipeline.quality.phrases import PHRASES
from pipeline.quality.repetition import measure_repetition
from pipeline.words.characters import characters
from pipeline.words.words import HAS_LETTER, IS_SINGLE, Words, is_spaced, ngram_hashes, word_hashes, words, words_of

# T: the text. T': the case-folded text. Divisions by a number of words, lines or characters take 1 for 0.
SIGNALS: tuple[tuple[str, pa.DataType, str], ...] = (
    ("n_chars", pa.int32(), "characters (code points) of T"),
    ("n_bytes", pa.int32(), "bytes of T in UTF-8"),
    ("n_words", pa.int32(), "words; characters in scripts without spaces"),
    ("n_lines", pa.int32(), "lines"),
    ("n_paragraphs", pa.int32(), "paragraphs: runs of lines without a blank one between them"),
    ("n_sentences", pa.int32(), "sentences"),
    ("n_long_lines", pa.int32(), "lines of 200 characters or more (mC4)"),
    ("mean_word_length", pa.float64(), "characters a word of a spaced script; null in scripts without spaces"),
    ("max_word_length", pa.int32(), "characters of the longest word"),
    ("unique_word_share", pa.float64(), "different words, of all"),
    ("hash_to_word_ratio", pa.float64(), "# signs a word"),
    ("ellipsis_to_word_ratio", pa.float64(), "... and … a word"),
    ("bullet_line_share", pa.float64(), "lines that begin with • or -"),
    ("ellipsis_line_share", pa.float64(), "lines that end in ... or …"),
    ("alpha_word_share", pa.float64(), "words with a letter, of words and of free-standing runs of symbols"),
    ("digit_char_share", pa.float64(), "decimal digits, of what is no white space"),
    ("punct_char_share", pa.float64(), "punctuation (P), of what is no white space"),
    ("symbol_char_share", pa.float64(), "symbols (S), of what is no white space"),
    ("upper_char_share", pa.float64(), "upper- and title-case letters, of the letters"),
    ("stop_word_hits", pa.int32(), "different stop words of the language in T; null without a list for it"),
    ("stop_word_share", pa.float64(), "such stop words, of T's words of the main script's kind, spaced or not"),
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
    ("space_to_word_ratio", pa.float64(), "white space other than line breaks a word"),
    ("compression_ratio", pa.float64(), "n_bytes by the bytes that Zstandard at level 1 makes of them"),
    ("c4_kept_line_share", pa.float64(), "lines that C4 keeps: a sentence's end, 3 words, no policy, no JavaScript"),
    ("c4_kept_sentences", pa.int32(), "sentences in those lines"),
    ("c4_policy_line_share", pa.float64(), "lines that speak of cookies, terms of use or privacy policies"),
    ("c4_javascript_line_share", pa.float64(), "lines with the word JavaScript"),
    ("c4_lorem_ipsum", pa.int32(), "lines with lorem ipsum"),
    ("c4_curly_bracket", pa.int32(), "opening curly brackets"),
)
KINDS = {name: kind for name, kind, _ in SIGNALS}


class StopWords:
    """Lists by `language_Script`, `language` or `Script`, the first of these that has one for a text."""

    def __init__(self, lists: Mapping[str, Sequence[str]]) -> None:
        self._rows = {label: row for row, label in enumerate(lists)}
        sets = [np.unique(word_hashes(part for word in chosen for part in words(word))) for chosen in lists.values()]
        self.hashes = np.concatenate([np.empty(0, np.uint64), *sets])
        self.ends = np.cumsum([0, *map(len, sets)])

    def rows(self, languages: Sequence[str], scripts: Sequence[str]) -> np.ndarray:
        """Row of each text's list, -1 without one; int64."""
        pairs = list(zip(languages, scripts, strict=True))
        known = {pair: self._row(*pair) for pair in set(pairs)}
        return np.array([known[pair] for pair in pairs], np.int64)

    def _row(self, language: str, script: str) -> int:
        names = (f"{language}_{script}", language, script)
        return next((self._rows[name] for name in names if name in self._rows), -1)


@kernel
def _count_stop_words(
    offsets: np.ndarray, hashes: np.ndarray, rows: np.ndarray, stops: np.ndarray, ends: np.ndarray
) -> np.ndarray:
    """Shape (n_texts, 2): different stop words, and words that are one."""
    out = np.zeros((len(rows), 2), np.int64)
    met = np.full(len(stops), -1, np.int64)
    for text in range(len(rows)):
        if rows[text] < 0:
            continue
        begin, end = ends[rows[text]], ends[rows[text] + 1]
        for word in range(offsets[text], offsets[text + 1]):
            low, high = begin, end
            while low < high:
                middle = (low + high) // 2
                if stops[middle] < hashes[word]:
                    low = middle + 1
                else:
                    high = middle
            if low < end and stops[low] == hashes[word]:
                out[text, 1] += 1
                if met[low] != text:
                    met[low] = text
                    out[text, 0] += 1
    return out


@kernel
def _word_totals(offsets: np.ndarray, lengths: np.ndarray, flags: np.ndarray) -> np.ndarray:
    """Shape (n_texts, 4): words that stand between spaces, their characters, all words with a letter, the longest
    word's characters."""
    out = np.zeros((len(offsets) - 1, 4), np.int64)
    for text in range(len(offsets) - 1):
        for word in range(offsets[text], offsets[text + 1]):
            if not flags[word] & IS_SINGLE:
                out[text, 0] += 1
                out[text, 1] += lengths[word]
            out[text, 2] += flags[word] & HAS_LETTER
            out[text, 3] = max(out[text, 3], lengths[word])
    return out


@cache
def _phrases() -> Phrases:
    kinds = {"policy": lines.POLICY, "javascript": lines.JAVASCRIPT, "lorem_ipsum": lines.LOREM_IPSUM}
    rows = []
    for kind, phrases in PHRASES.items():
        for phrase in phrases:
            hashes = word_hashes(words(phrase))
            (gram,) = ngram_hashes(hashes, len(hashes)).tolist()
            rows.append((int(hashes[0]), gram, len(hashes), kinds[kind]))
    firsts, grams, sizes, found = zip(*sorted(rows), strict=True)
    return Phrases(np.array(firsts, np.uint64), np.array(grams, np.uint64), np.array(sizes), np.array(found))


def _compressed_sizes(text: Utf8) -> np.ndarray:
    codec = pa.Codec("zstd", compression_level=1)
    whole, ends = memoryview(text.data.data), text.offsets.tolist()
    sizes = (len(codec.compress(whole[a:b], asbytes=True)) if b > a else 1 for a, b in pairwise(ends))
    return np.fromiter(sizes, np.int64, len(ends) - 1)


def signal_columns(
    texts: pa.Array, found: Words, languages: Sequence[str], scripts: Sequence[str], stop_words: StopWords
) -> dict[str, pa.Array]:
    """All SIGNALS of a batch of texts, by name, as columns of their declared types.

    `found`: `words_of(texts)`. `languages` are ISO 639-3, `scripts` ISO 15924. Shares of lines, paragraphs, words and
    characters lie in 0 to 1, but for top_*: their n-grams may overlap themselves and are counted with the spaces
    between their words.
    """
    text = utf8(texts)
    spaced = np.array([is_spaced(script) for script in scripts], bool)
    counted = measure_lines(
        text.data, text.offsets, characters(), found.offsets, found.starts, found.hashes, found.lengths, _phrases()
    )
    repetition = measure_repetition(found.offsets, found.hashes, found.lengths, found.folded, spaced)
    spaced_words, word_chars, alpha_words, longest = _word_totals(found.offsets, found.lengths, found.flags).T
    rows = stop_words.rows(languages, scripts)
    hits, stops = _count_stop_words(found.offsets, found.hashes, rows, stop_words.hashes, stop_words.ends).T
    count = dict(zip(lines.MEASURES, counted.T, strict=True))
    n_words, n_bytes = np.diff(found.offsets), np.diff(text.offsets)
    # A page with some lines in another kind of script is judged by the words of its own.
    own_words = np.where(spaced, spaced_words, n_words - spaced_words)
    a_word, a_line, a_char = (np.maximum(1, n) for n in (n_words, count["n_lines"], count["n_chars"]))
    visible = np.maximum(1, count["visible"])
    columns = {
        "n_chars": count["n_chars"],
        "n_bytes": n_bytes,
        "n_words": n_words,
        "n_lines": count["n_lines"],
        "n_paragraphs": count["n_paragraphs"],
        "n_sentences": count["n_sentences"],
        "n_long_lines": count["n_long_lines"],
        "mean_word_length": word_chars / np.maximum(1, spaced_words),
        "max_word_length": longest,
        "unique_word_share": repetition[:, 9],
        "hash_to_word_ratio": count["hash_signs"] / a_word,
        "ellipsis_to_word_ratio": count["ellipses"] / a_word,
        "bullet_line_share": count["bullet_lines"] / a_line,
        "ellipsis_line_share": count["ellipsis_lines"] / a_line,
        "alpha_word_share": alpha_words / np.maximum(1, n_words + count["free_symbols"]),
        "digit_char_share": count["digits"] / visible,
        "punct_char_share": count["punctuation"] / visible,
        "symbol_char_share": count["symbols"] / visible,
        "upper_char_share": count["upper"] / np.maximum(1, count["letters"]),
        "stop_word_hits": hits,
        "stop_word_share": stops / np.maximum(1, own_words),
        "dup_line_share": count["dup_lines"] / a_line,
        "dup_line_char_share": count["dup_line_chars"] / a_char,
        "dup_paragraph_share": count["dup_paragraphs"] / np.maximum(1, count["n_paragraphs"]),
        "dup_paragraph_char_share": count["dup_paragraph_chars"] / a_char,
        **{f"top_{n}gram_char_share": repetition[:, n - 2] for n in (2, 3, 4)},
        **{f"dup_{n}gram_char_share": repetition[:, n - 2] for n in range(5, 11)},
        "line_punct_share": count["terminal_lines"] / a_line,
        "short_line_share": count["short_lines"] / a_line,
        "char_dup_share": count["dup_line_chars"] / np.maximum(1, count["n_chars"] - count["newlines"]),
        "newline_to_word_ratio": count["newlines"] / a_word,
        "space_to_word_ratio": (count["n_chars"] - count["visible"] - count["newlines"]) / a_word,
        "compression_ratio": n_bytes / _compressed_sizes(text),
        "c4_kept_line_share": count["kept_lines"] / a_line,
        "c4_kept_sentences": count["kept_sentences"],
        "c4_policy_line_share": count["policy_lines"] / a_line,
        "c4_javascript_line_share": count["javascript_lines"] / a_line,
        "c4_lorem_ipsum": count["lorem_ipsum"],
        "c4_curly_bracket": count["curly_brackets"],
    }
    absent = {
        "mean_word_length": ~spaced | (spaced_words == 0),
        "stop_word_hits": rows < 0,
        "stop_word_share": rows < 0,
    }
    return {name: pa.array(column, mask=absent.get(name)).cast(KINDS[name]) for name, column in columns.items()}


def signals(
    text: str, language: str, script: str, stop_words: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> dict[str, int | float | None]:
    """The signals of one text, by name; any str will do."""
    texts = from_strings([text])
    columns = signal_columns(texts, words_of(texts), [language], [script], StopWords(stop_words))
    return {name: column[0].as_py() for name, column in columns.items()}
