"""The thresholds that are fitted by language: where each starts, how far it may move, and what is known of scripts."""

from typing import Literal, NamedTuple

ENGLISH_WORD_LENGTH = 4.7  # characters, mean of a text's words; median of texts
# Words that say what one English word says: characters, in scripts without spaces. Measured on the FLORES sentences of
# SIB-200; Lao, which is not among them, as Thai. In other scripts it follows from the length of words.
WORDS_A_WORD = {"Hani": 1.6, "Jpan": 2.4, "Thai": 4.2, "Laoo": 4.2, "Khmr": 3.6, "Mymr": 3.0}
# Where a word is a letter, runs of 5 to 10 come again by chance, and the more the longer the text. Repetition of these
# scripts starts at twice the share that 100,000 characters of unrelated sentences (SIB-200, NTREX-128) have in Thai,
# which has the highest, and in Japanese. Chinese has less than Gopher's own values.
_THAI = (0.90, 0.70, 0.52, 0.38, 0.28, 0.20)
CHANCE = {"Thai": _THAI, "Laoo": _THAI, "Khmr": _THAI, "Mymr": _THAI, "Jpan": (0.43, 0.26, 0.16, 0.12, 0.11, 0.10)}
POOLS = ({"Thai", "Laoo", "Khmr", "Mymr"},)  # a word is a letter with its marks, in all of them
NO_SENTENCE_ENDS = frozenset({"Thai", "Laoo"})
PHRASES_APART = frozenset({"Thai", "Laoo", "Khmr", "Mymr"})  # scripts whose spaces divide phrases: lists have more

Scale = Literal["", "length", "words", "a_word"]


class Limit(NamedTuple):
    """A threshold, and how far trusted texts may move it. `scale`: what `start` follows, word length, the words that
    say the same, or (a ratio to them) their inverse."""

    threshold: str
    signal: str
    start: float
    loosest: float
    scale: Scale = ""

    @property
    def is_min(self) -> bool:
        return self.threshold.startswith("min_")


LIMITS = {
    "gopher_quality": (
        Limit("min_words", "n_words", 50, 40, "words"),
        Limit("min_mean_word_length", "mean_word_length", 2.5, 1, "length"),
        Limit("max_mean_word_length", "mean_word_length", 10, 30, "length"),
        Limit("max_hash_to_word_ratio", "hash_to_word_ratio", 0.1, 0.2, "a_word"),
        Limit("max_ellipsis_to_word_ratio", "ellipsis_to_word_ratio", 0.1, 0.2, "a_word"),
        Limit("max_bullet_line_share", "bullet_line_share", 0.9, 1),
        Limit("max_ellipsis_line_share", "ellipsis_line_share", 0.3, 0.5),
        Limit("min_alpha_word_share", "alpha_word_share", 0.7, 0.5),
        Limit("min_stop_words", "stop_word_hits", 2, 0),
    ),
    "gopher_repetition": (
        Limit("max_dup_line_share", "dup_line_share", 0.3, 0.5),
        Limit("max_dup_line_char_share", "dup_line_char_share", 0.2, 0.4),
        Limit("max_dup_paragraph_share", "dup_paragraph_share", 0.3, 0.5),
        Limit("max_dup_paragraph_char_share", "dup_paragraph_char_share", 0.2, 0.4),
        *(
            Limit(f"max_top_{n}gram_char_share", f"top_{n}gram_char_share", start, 2 * start)
            for n, start in ((2, 0.20), (3, 0.18), (4, 0.16))
        ),
        *(
            Limit(f"max_dup_{n}gram_char_share", f"dup_{n}gram_char_share", start, loosest)
            for n, start, loosest in (
                (5, 0.15, 0.35),
                (6, 0.14, 0.33),
                (7, 0.13, 0.31),
                (8, 0.12, 0.29),
                (9, 0.11, 0.27),
                (10, 0.10, 0.25),
            )
        ),
    ),
    "fineweb": (
        Limit("min_line_punct_share", "line_punct_share", 0, 0),
        Limit("max_char_dup_share", "char_dup_share", 0.1, 0.3),
        Limit("max_newline_to_word_ratio", "newline_to_word_ratio", 0.3, 0.6, "a_word"),
    ),
    "keywords": (
        Limit("min_stop_word_share", "stop_word_share", 0.3, 0, "words"),
        Limit("max_words_a_sentence", "words_a_sentence", 100, 1000, "words"),
        Limit("max_space_to_word_ratio", "space_to_word_ratio", 0.2, 0.5),
    ),
    "symbols": (Limit("max_symbol_char_share", "symbol_char_share", 0.1, 0.3),),
}
# What was found for English on web pages, Gopher's (table A1) and FineWeb's (3.6) own values, stays as it is.
ENGLISH: dict[str, float] = {
    "min_words": 50,
    "min_mean_word_length": 3,
    "min_alpha_word_share": 0.8,
    "max_char_dup_share": 0.01,
    "min_line_punct_share": 0.12,
}
SIGNALS_USED = tuple(
    dict.fromkeys(
        [limit.signal for limits in LIMITS.values() for limit in limits if limit.signal != "words_a_sentence"]
        + ["n_sentences", "language_score"]
    )
)
