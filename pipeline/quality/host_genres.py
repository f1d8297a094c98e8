"""What kind of site an address is of, as far as its host and path say: enough to see whether a rule or a model falls on
one kind of site, not to choose by."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

OTHER = "other"
_HOST = r"^[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?"
_LABEL = _HOST + r"(?:[^/?#]*[.-])?"  # up to the beginning of a part of the host's name
_ANY = _HOST + r"[^/?#]*"

# The first that fits. Words as they stand in hosts' names of many languages; RE2, of the address in lower case.
_PATTERNS: tuple[tuple[str, str], ...] = (
    ("government", _ANY + r"\.(?:gov|gob|gouv|govt|gub|go|mil)(?:\.[a-z]{2})?(?::\d+)?(?:[/?#]|$)"),
    ("government", _LABEL + r"(?:parliament|parlament|europa\.eu|bundestag|senat)"),
    ("education", _ANY + r"\.(?:edu|ac|sch)(?:\.[a-z]{2})?(?::\d+)?(?:[/?#]|$)"),
    ("education", _LABEL + r"(?:uni|univ|university|school|schule|ecole|college)[.-]"),
    ("wiki", _ANY + r"wiki|^[^?#]*/wiki/"),
    ("forum", _LABEL + r"(?:forums?|board|bbs|community|phpbb|foro|discuss|stackexchange|stackoverflow|reddit|quora)"),
    ("forum", r"^[^?#]*/(?:forums?|viewtopic|showthread|threads?|foro|bbs)[./?-]"),
    ("blog", _ANY + r"(?:blog|wordpress|tumblr|medium\.com|substack|livejournal|ameblo|naver|hatena)"),
    ("blog", r"^[^?#]*/blogs?/"),
    (
        "news",
        _LABEL + r"(?:[a-z]*news|nachrichten|noticias|novosti|haber|times|gazet[a-z]*|zeitung|journal|diario|press)",
    ),
    ("news", _LABEL + r"(?:daily|tribune|herald|bbc|cnn|reuters|rferl|voa[a-z]*|dw)[a-z]*\."),
    ("shop", _LABEL + r"(?:shops?|store|amazon|ebay|etsy|alibaba|aliexpress|taobao|mercado|rakuten|ozon)"),
    ("shop", r"^[^?#]*/(?:shop|store|products?|cart|item|dp)/"),
    ("documentation", _LABEL + r"(?:docs?|developers?|readthedocs|manual|help|support|api)\."),
    ("documentation", _ANY + r"(?:github|gitlab|readthedocs)|^[^?#]*/(?:docs?|documentation|manual)/"),
    ("religion", _ANY + r"(?:bible|bibel|biblia|church|kirche|jesus|quran|koran|islam|jw\.org|vatican|buddh)"),
    ("organisation", _ANY + r"\.(?:org|ong|int)(?:\.[a-z]{2})?(?::\d+)?(?:[/?#]|$)"),
)
GENRES = (*dict.fromkeys(name for name, _ in _PATTERNS), OTHER)


def genres_of(urls: pa.Array) -> np.ndarray:
    """int64, places in GENRES; -1 without an address."""
    known = pc.fill_null(pc.match_substring_regex(urls, "^[A-Za-z][A-Za-z0-9+.-]*://"), False)
    lower = pc.fill_null(pc.ascii_lower(urls), "")
    found = np.where(known.to_numpy(zero_copy_only=False), len(GENRES) - 1, -1)
    for genre, pattern in reversed(_PATTERNS):
        hits = pc.match_substring_regex(lower, pattern).to_numpy(zero_copy_only=False)
        found[hits & (found >= 0)] = GENRES.index(genre)
    return found.astype(np.int64)
