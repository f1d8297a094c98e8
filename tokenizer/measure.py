"""What a vocabulary costs each language: bytes per token, fertility, continued words, parity, byte fallback, and which
pieces are used.

Fertility is tokens per word, a continued word one of two tokens or more (Rust et al. 2021, arXiv 2012.15613). Parity is
the ratio of tokens to English for the same content (Petrov et al. 2023, arXiv 2305.15425; theirs is a mean over
sentences, this the ratio of the sums). The Gini coefficient of cost over languages is that of Foroutan et al. 2025,
arXiv 2508.04796.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import regex

from tokenizer.loading import Loaded
from tokenizer.model import RESERVED, SPECIAL_TOKENS, UNK_ID

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tai_Le}\p{New_Tai_Lue}\p{Tai_Tham}"
_LETTERS = rf"[[\p{{L}}\p{{N}}\p{{M}}\u200c\u200d]--[{_UNSPACED}]]"
_WORD = regex.compile(
    rf"(?V1)[[\p{{L}}\p{{N}}]&&[{_UNSPACED}]]|[[\p{{L}}\p{{N}}]--[{_UNSPACED}]]{_LETTERS}*(?:['’״׳]{_LETTERS}+)*"
)
"""A letter where the script writes no space between words, else a run of letters, digits and marks, with an apostrophe
inside it."""

# ISO 15924 codes. Anything else counts as Zyyy: digits, punctuation, emoji, and scripts rare on the web.
_SCRIPTS = (
    "Latn Cyrl Grek Armn Geor Hebr Arab Syrc Thaa Nkoo Ethi Tfng Deva Beng Guru Gujr Orya Taml Telu Knda Mlym Sinh "
    "Thai Laoo Khmr Mymr Tibt Hani Hira Kana Bopo Hang Mong Cher Cans Olck Mtei Java Bali Sund"
)
_SCRIPT = regex.compile("|".join(rf"(?P<{code}>\p{{Script={code}}})" for code in _SCRIPTS.split()))

_BATCH = 1000


_OUR_SPECIAL = frozenset(range(len(SPECIAL_TOKENS))) - {UNK_ID}
_OUR_BYTES = frozenset(range(len(SPECIAL_TOKENS), RESERVED))


def measure(
    encode: Callable[[list[str]], list[list[int]]],
    texts_by_language: Mapping[str, Sequence[str]],
    pieces: Sequence[str],
    *,
    parallel: bool = False,
    starts: Callable[[list[str]], list[list[int]]] | None = None,
    special: frozenset[int] = _OUR_SPECIAL,
    bytes_: frozenset[int] = _OUR_BYTES,
    unknown: int | None = UNK_ID,
) -> dict[str, Any]:
    """A report as plain JSON values, shares and ratios rounded to 4 places, null where nothing is there to divide by.

    encode: texts to ids; those of special tokens are not counted.
    texts_by_language: by language (`eng`) or language and script (`eng_Latn`).
    pieces: the vocabulary, by id.
    parallel: the texts are translations of each other, line by line, which is when parity means anything; it is there
        when English (`eng`, `eng_...`) is. Raises ValueError where the numbers of texts differ.
    starts, special, bytes_, unknown: as tokenizer.loading.Loaded has them; without them those of the layout of
        tokenizer.model, and continued words are not counted.

    {"vocab_size": n,
     "languages": {language: {texts, characters, bytes, words, tokens, bytes_per_token, characters_per_token, fertility,
                              byte_fallback_share, unk_share, [continued_share], [parity_to_english]}},
     "total": the same over all languages but for parity,
     "scripts": {ISO 15924 code: {pieces, used, used_share, tokens, token_share}},
     "fairness": {gini, gini_of, [parity_mean, parity_worst, parity_worst_language]}}
    where a piece's script is that of its first letter, bytes are "bytes", and Zyyy has what belongs to no one script.
    continued_share is of words; in scripts without spaces a word is one letter, so there it says which share of letters
    takes several tokens. Mean and worst (highest) parity are over languages other than English. gini: see `gini`; its
    costs (gini_of) are "tokens" on parallel texts, else "tokens a byte", which flatters scripts of three bytes a
    letter. Languages without a token are left out of it.
    """
    use = np.zeros(len(pieces), dtype=np.int64)
    uncounted = sorted(special)
    byte_ids = sorted(bytes_)
    counts: dict[str, Counter[str]] = {}
    for language, texts in texts_by_language.items():
        counts[language] = Counter(texts=len(texts))
        for batch in _batches(texts):
            ids = [i for row in encode(batch) for i in row]
            batch_use = np.bincount(np.array(ids, dtype=np.int64), minlength=len(pieces))
            batch_use[uncounted] = 0
            use += batch_use
            counts[language].update(
                characters=sum(map(len, batch)),
                bytes=sum(len(text.encode()) for text in batch),
                words=sum(count_words(text) for text in batch),
                tokens=int(batch_use.sum()),
                byte_fallback=int(batch_use[byte_ids].sum()),
                unk=0 if unknown is None else int(batch_use[unknown]),
            )
            if starts is not None:
                continued = sum(map(_continued_words, batch, starts(batch)))
                counts[language].update(continued=continued)
    with_continued = starts is not None
    languages = {language: _ratios(count, with_continued) for language, count in counts.items()}
    fairness = _fairness(languages, parallel)
    return {
        "vocab_size": len(pieces),
        "languages": languages,
        "total": _ratios(sum(counts.values(), Counter()), with_continued),
        "scripts": _scripts(pieces, use, special if unknown is None else special | {unknown}, bytes_),
        "fairness": fairness,
    }


def measure_loaded(
    tokenizer: Loaded, texts_by_language: Mapping[str, Sequence[str]], *, parallel: bool = False
) -> dict[str, Any]:
    """The report of `measure` on any tokenizer, with continued words."""
    return measure(
        tokenizer.encode,
        texts_by_language,
        tokenizer.pieces,
        parallel=parallel,
        starts=tokenizer.starts,
        special=tokenizer.special,
        bytes_=tokenizer.bytes_,
        unknown=tokenizer.unknown,
    )


def gini(costs: Sequence[float]) -> float | None:
    """How unequal costs are: sum((2i - n - 1) c_i) / (n sum(c_i)) over the n costs, i = 1 to n by rising cost.

    0 where all are equal, (n - 1) / n where one bears everything; None without a cost above 0.
    """
    rising, n = sorted(costs), len(costs)
    whole = n * sum(rising)
    return sum((2 * i - n - 1) * cost for i, cost in enumerate(rising, 1)) / whole if whole else None


def is_english(language: str) -> bool:
    """`eng`, `eng_Latn`, `eng-GB`."""
    return re.split("[_-]", language)[0] == "eng"


def count_words(text: str) -> int:
    """Words, or letters in scripts that write no space between words."""
    return len(_WORD.findall(text))


def script_of(piece: str) -> str:
    """ISO 15924 code of the first letter that belongs to a script; Zyyy without one."""
    match = _SCRIPT.search(piece)
    return match.lastgroup or "Zyyy" if match else "Zyyy"


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(texts), _BATCH):
        yield list(texts[start : start + _BATCH])


def _continued_words(text: str, starts: list[int]) -> int:
    """Words that two tokens or more have a part of: one begins inside the word, or two at its first character."""
    continued = 0
    for word in _WORD.finditer(text):
        begin, end = word.span()
        first = bisect_left(starts, begin)
        within = bisect_left(starts, end, first) - first
        continued += within > 1 or (within == 1 and starts[first] > begin)
    return continued


def _ratios(count: Counter[str], with_continued: bool) -> dict[str, Any]:
    ratios = {
        **{name: count[name] for name in ("texts", "characters", "bytes", "words", "tokens")},
        "bytes_per_token": _ratio(count["bytes"], count["tokens"]),
        "characters_per_token": _ratio(count["characters"], count["tokens"]),
        "fertility": _ratio(count["tokens"], count["words"]),
        "byte_fallback_share": _ratio(count["byte_fallback"], count["tokens"]),
        "unk_share": _ratio(count["unk"], count["tokens"]),
    }
    if with_continued:
        ratios["continued_share"] = _ratio(count["continued"], count["words"])
    return ratios


def _fairness(languages: dict[str, dict[str, Any]], parallel: bool) -> dict[str, Any]:
    """Also writes parity into the languages' rows."""
    measured = [row for row in languages.values() if row["tokens"]]
    costs = [row["tokens"] if parallel else row["tokens"] / row["bytes"] for row in measured]
    inequality = gini(costs)
    fairness: dict[str, Any] = {
        "gini": None if inequality is None else round(inequality, 4),
        "gini_of": "tokens" if parallel else "tokens a byte",
    }
    english = next((name for name in languages if is_english(name)), None)
    if not parallel or english is None:
        return fairness
    reference = languages[english]
    for name, row in languages.items():
        if row["texts"] != reference["texts"]:
            raise ValueError(
                f"{name} has {row['texts']} texts, English {reference['texts']}: not parallel; set parallel to false"
            )
        row["parity_to_english"] = _ratio(row["tokens"], reference["tokens"])
    parities = {
        name: row["parity_to_english"]
        for name, row in languages.items()
        if name != english and row["parity_to_english"] is not None
    }
    worst = max(parities, key=lambda name: parities[name], default=None)
    return {
        **fairness,
        "parity_mean": round(sum(parities.values()) / len(parities), 4) if parities else None,
        "parity_worst": None if worst is None else parities[worst],
        "parity_worst_language": worst,
    }


def _scripts(
    pieces: Sequence[str], use: np.ndarray, no_text: frozenset[int], bytes_: frozenset[int]
) -> dict[str, dict[str, Any]]:
    members: dict[str, list[int]] = {}
    for i, piece in enumerate(pieces):
        if i not in no_text:
            members.setdefault("bytes" if i in bytes_ else script_of(piece), []).append(i)
    total = sum(int(use[ids].sum()) for ids in members.values())
    rows = {}
    for script in sorted(members):
        counted = use[members[script]]
        used, tokens = int(np.count_nonzero(counted)), int(counted.sum())
        rows[script] = {
            "pieces": len(counted),
            "used": used,
            "used_share": _ratio(used, len(counted)),
            "tokens": tokens,
            "token_share": _ratio(tokens, total),
        }
    return rows


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
