"""Table of the stage `clean`: every extracted document, annotated, with a verdict that can be taken again."""

import pyarrow as pa

STAGE = "clean"

# `rule` or `rule:detail`. The rules run in this order and the first that fires names the reason.
REASONS = {
    "empty": "no text left after repair",
    "blocked:host": "the host is on a list of block_lists",
    "blocked:url": "the address is on a list of block_lists",
    "opt_out:noai": "the page forbids training of models (robots noai)",
    "opt_out:noimageai": "the page forbids training on its images (robots noimageai)",
    "opt_out:noindex": "the page forbids indexing (robots noindex)",
    "opt_out:tdm": "the page reserves text and data mining (TDM-Reservation)",
    "contaminated": "shares a run of words with a file of decontaminate.sources",
    "language:und": "no letter; with undetermined = drop: no language found",
    "language:not_selected": "a language outside `languages`",
    "language:score": "language_score below the threshold",
    "language:mixed": "the main language's share below the threshold",
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
    # before repetition, which short banners have too
    "boilerplate:policy_lines": "mostly lines on cookies, privacy or terms of use, three or more",
    # Gopher's table again, counted as datatrove counts
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
    "symbols:symbols": "too many symbols",
    "keywords:few_stop_words": "too few of its words are the language's commonest",
    "keywords:long_sentences": "too many words a sentence",
    "keywords:spaces": "too many spaces for a script without spaces between words",
    # Raffel et al. 2020, arXiv 1910.10683, section 2.2
    "c4:lorem_ipsum": "has lorem ipsum",
    "c4:curly_bracket": "has a curly bracket",
    "c4:policy_lines": "too many lines on cookies, privacy or terms of use",
    "c4:javascript_lines": "too many lines that name JavaScript",
    "c4:few_sentences": "too few sentences on the lines that C4 keeps",
    "bad_words": "more words of the language's bad_words list than max_bad_words",
    "rule": "a rule of [clean.rules]",  # rule:NAME
    # With the user's rules that read a learnt score last of all, so that what they drop all others keep.
    "score": "a learnt score below its threshold",  # score:NAME of [clean.classifiers]
    # No rules: our own code raised, crashed or ran away on this text alone; the row is as extract wrote it.
    "failed:repair": "repair failed on this text",
    "failed:masks": "masking of personal data failed on this text",
    "failed:words": "division into words failed on this text",
    "failed:language": "identification of the language failed on this text",
    "failed:signals": "a signal could not be measured of this text",
    "failed:scores": "a learnt model failed on this text",
    "failed:lists": "looking up block_lists or bad_words failed for this page",
    "failed:contamination": "comparison with decontaminate.sources failed on this text",
    "failed:unknown": "the process ended before any step of this text began",
}

# Without signals: name, type, meaning. Null where nothing was looked for.
ANNOTATIONS: tuple[tuple[str, pa.DataType, str], ...] = (
    ("id", pa.string(), ""),
    ("text", pa.string(), "repaired, NFC, personal data masked"),
    ("url", pa.string(), ""),
    ("date", pa.string(), ""),
    ("dump", pa.string(), ""),
    ("file_path", pa.string(), ""),
    ("language", pa.string(), "ISO 639-3, `und` when unknown"),
    ("language_score", pa.float64(), "0 to 1"),
    ("language_script", pa.string(), "ISO 15924, of most letters, or of the language if that is most of the text"),
    ("script_share", pa.float64(), "of the text's letters that are in `language_script`, 0 to 1"),
    (
        "language_share",
        pa.float64(),
        "share of the sampled letters in pieces that do not speak against the language, 0 to 1",
    ),
    ("top_langs", pa.string(), "JSON: the model's mean probability by piece, weighted by letters, up to three labels"),
    ("n_emails", pa.int32(), "masked"),
    ("n_ips", pa.int32(), "masked"),
    ("n_phones", pa.int32(), "masked"),
    ("n_ibans", pa.int32(), "masked"),
    ("n_cards", pa.int32(), "masked"),
    ("opt_out", pa.string(), "comma-joined: noai, noimageai, noindex, tdm"),
    ("blocked_host", pa.string(), "name of the list that has the host"),
    ("blocked_url", pa.string(), "name of the list that has the address"),
    ("contaminated_by", pa.string(), "name of the source that shares a run of words"),
    ("n_bad_words", pa.int32(), "hits of the language's list; null without one"),
)

# Last, so that a verdict taken again is a new end of each file and nothing else.
VERDICT = ("drop_reason", pa.string())  # null: kept
