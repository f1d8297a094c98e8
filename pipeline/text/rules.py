"""The rules that turn signals into a verdict, as data: each compares one signal with one threshold of the config.

Definitions of the signals: `pipeline.text.quality`. A null signal (word lengths in scripts without spaces, say) never
fires. `schemas.clean.REASONS` holds the closed list of what a rule may answer.
"""

from typing import Literal, NamedTuple


class Rule(NamedTuple):
    """Drops a document whose `signal` is below (min) or above (max) the config's `threshold`."""

    reason: str
    signal: str
    compare: Literal["<", ">"]
    threshold: str

    @property
    def family(self) -> str:
        return self.reason.split(":")[0]


def _dup_ngram(n: int) -> Rule:
    return Rule(f"gopher_repetition:dup_{n}gram", f"dup_{n}gram_char_share", ">", f"max_dup_{n}gram_char_share")


RULES = (
    Rule("gopher_quality:too_few_words", "n_words", "<", "min_words"),
    Rule("gopher_quality:too_many_words", "n_words", ">", "max_words"),
    Rule("gopher_quality:short_words", "mean_word_length", "<", "min_mean_word_length"),
    Rule("gopher_quality:long_words", "mean_word_length", ">", "max_mean_word_length"),
    Rule("gopher_quality:hash_signs", "hash_to_word_ratio", ">", "max_hash_to_word_ratio"),
    Rule("gopher_quality:ellipses", "ellipsis_to_word_ratio", ">", "max_ellipsis_to_word_ratio"),
    Rule("gopher_quality:bullet_lines", "bullet_line_share", ">", "max_bullet_line_share"),
    Rule("gopher_quality:ellipsis_lines", "ellipsis_line_share", ">", "max_ellipsis_line_share"),
    Rule("gopher_quality:few_alpha_words", "alpha_word_share", "<", "min_alpha_word_share"),
    Rule("gopher_quality:few_stop_words", "stop_word_hits", "<", "min_stop_words"),
    Rule("gopher_repetition:dup_paragraphs", "dup_paragraph_share", ">", "max_dup_paragraph_share"),
    Rule("gopher_repetition:dup_paragraph_chars", "dup_paragraph_char_share", ">", "max_dup_paragraph_char_share"),
    Rule("gopher_repetition:dup_lines", "dup_line_share", ">", "max_dup_line_share"),
    Rule("gopher_repetition:dup_line_chars", "dup_line_char_share", ">", "max_dup_line_char_share"),
    Rule("gopher_repetition:top_2gram", "top_2gram_char_share", ">", "max_top_2gram_char_share"),
    Rule("gopher_repetition:top_3gram", "top_3gram_char_share", ">", "max_top_3gram_char_share"),
    Rule("gopher_repetition:top_4gram", "top_4gram_char_share", ">", "max_top_4gram_char_share"),
    *(_dup_ngram(n) for n in range(5, 11)),
    Rule("fineweb:line_punct", "line_punct_share", "<", "min_line_punct_share"),
    Rule("fineweb:char_dup", "char_dup_share", ">", "max_char_dup_share"),
    Rule("fineweb:newlines", "newline_to_word_ratio", ">", "max_newline_to_word_ratio"),
)
