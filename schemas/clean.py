"""Table of the stage `clean`: every extracted document, annotated, with a verdict that can be taken again."""

import pyarrow as pa

STAGE = "clean"

# `rule` or `rule:detail`. The rules run in this order and the first that fires names the reason.
REASONS = {
    "empty": "no text left after repair",
    "language:und": "no language found",
    "language:not_selected": "a language outside `languages`",
    "language:score": "language_score below the threshold",
    # Rae et al. 2021, arXiv 2112.11446, table A1
    "gopher_quality:too_few_words": "fewer words than min_words",
    "gopher_quality:too_many_words": "more words than max_words",
    "gopher_quality:short_words": "mean word length below the threshold",
    "gopher_quality:long_words": "mean word length above the threshold",
    "gopher_quality:hash_signs": "too many # a word",
    "gopher_quality:ellipses": "too many ellipses a word",
    "gopher_quality:bullet_lines": "nearly all lines begin with a bullet",
    "gopher_quality:ellipsis_lines": "too many lines end in an ellipsis",
    "gopher_quality:few_alpha_words": "too few words with a letter",
    "gopher_quality:few_stop_words": "too few of the language's commonest words",
    # the same table, counted as datatrove counts
    "gopher_repetition:dup_paragraphs": "share of repeated paragraphs",
    "gopher_repetition:dup_paragraph_chars": "share of characters in repeated paragraphs",
    "gopher_repetition:dup_lines": "share of repeated lines",
    "gopher_repetition:dup_line_chars": "share of characters in repeated lines",
    **{f"gopher_repetition:top_{n}gram": f"share of characters in the commonest {n} words" for n in (2, 3, 4)},
    **{f"gopher_repetition:dup_{n}gram": f"share of characters in repeated runs of {n} words" for n in range(5, 11)},
    # Penedo et al. 2024, arXiv 2406.17557, section 3.6
    "fineweb:line_punct": "too few lines end in punctuation",
    "fineweb:char_dup": "too many characters in repeated lines",
    "fineweb:newlines": "too many line breaks a word",
}

# The table has these columns, those of pipeline.text.quality.SIGNALS, and drop_reason (null: kept).
IDENTITY = [
    ("id", pa.string()),
    ("text", pa.string()),  # repaired, NFC, e-mail and public IP addresses masked
    ("url", pa.string()),
    ("date", pa.string()),
    ("dump", pa.string()),
    ("file_path", pa.string()),
    ("language", pa.string()),  # ISO 639-3, `und` when unknown
    ("language_score", pa.float64()),  # 0 to 1
    ("language_script", pa.string()),  # ISO 15924, by the text's own characters
    ("top_langs", pa.string()),  # JSON: the model's first labels with their scores
    ("n_emails", pa.int32()),  # masked
    ("n_ips", pa.int32()),  # masked
]
