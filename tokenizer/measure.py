"""What a vocabulary costs each language: bytes per token, fertility, parity, byte fallback, and which pieces are used.

Fertility is tokens per word (Rust et al. 2021, arXiv 2012.15613), parity the ratio of tokens to English for the same
content (Petrov et al. 2023, arXiv 2305.15425).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import regex

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


def measure(
    encode: Callable[[list[str]], list[list[int]]],
    texts_by_language: Mapping[str, Sequence[str]],
    pieces: Sequence[str],
    *,
    parallel: bool = False,
) -> dict[str, Any]:
    """A report as plain JSON values, shares and ratios rounded to 4 places, null where nothing is there to divide by.

    encode: texts to ids of the layout of tokenizer.model; special tokens other than <unk> are not counted.
    texts_by_language: by language (`eng`) or language and script (`eng_Latn`).
    pieces: the vocabulary, by id.
    parallel: the texts are translations of each other, line by line, which is when `parity_to_english` means anything;
        it is there when English (`eng` or `eng_...`) is. Raises ValueError where the numbers of texts differ.

    {"vocab_size": n,
     "languages": {language: {texts, characters, bytes, words, tokens, bytes_per_token, characters_per_token, fertility,
                              byte_fallback_share, unk_share, [parity_to_english]}},
     "total": the same over all languages,
     "scripts": {ISO 15924 code: {pieces, used, used_share, tokens, token_share}}}
    where a piece's script is that of its first letter, bytes are "bytes", and Zyyy has what belongs to no one script.
    """
    use = np.zeros(len(pieces), dtype=np.int64)
    counts: dict[str, Counter[str]] = {}
    for language, texts in texts_by_language.items():
        counts[language] = Counter(texts=len(texts))
        for batch in _batches(texts):
            ids = [i for row in encode(batch) for i in row]
            batch_use = np.bincount(np.array(ids, dtype=np.int64), minlength=len(pieces))
            batch_use[[i for i in range(len(SPECIAL_TOKENS)) if i != UNK_ID]] = 0
            use += batch_use
            counts[language].update(
                characters=sum(map(len, batch)),
                bytes=sum(len(text.encode()) for text in batch),
                words=sum(count_words(text) for text in batch),
                tokens=int(batch_use.sum()),
                byte_fallback=int(batch_use[len(SPECIAL_TOKENS) : RESERVED].sum()),
                unk=int(batch_use[UNK_ID]),
            )
    languages = {language: _ratios(count) for language, count in counts.items()}
    if parallel:
        _add_parity(languages)
    return {
        "vocab_size": len(pieces),
        "languages": languages,
        "total": _ratios(sum(counts.values(), Counter())),
        "scripts": _scripts(pieces, use),
    }


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


def _ratios(count: Counter[str]) -> dict[str, Any]:
    return {
        **{name: count[name] for name in ("texts", "characters", "bytes", "words", "tokens")},
        "bytes_per_token": _ratio(count["bytes"], count["tokens"]),
        "characters_per_token": _ratio(count["characters"], count["tokens"]),
        "fertility": _ratio(count["tokens"], count["words"]),
        "byte_fallback_share": _ratio(count["byte_fallback"], count["tokens"]),
        "unk_share": _ratio(count["unk"], count["tokens"]),
    }


def _add_parity(languages: dict[str, dict[str, Any]]) -> None:
    english = next((row for name, row in languages.items() if name.split("_")[0] == "eng"), None)
    if english is None:
        return
    for name, row in languages.items():
        if row["texts"] != english["texts"]:
            raise ValueError(
                f"{name} has {row['texts']} texts, English {english['texts']}: not parallel; set parallel to false"
            )
        row["parity_to_english"] = _ratio(row["tokens"], english["tokens"])


def _scripts(pieces: Sequence[str], use: np.ndarray) -> dict[str, dict[str, Any]]:
    members: dict[str, list[int]] = {}
    for i, piece in enumerate(pieces):
        if i >= len(SPECIAL_TOKENS):
            members.setdefault(script_of(piece) if i >= RESERVED else "bytes", []).append(i)
    total = int(use[len(SPECIAL_TOKENS) :].sum())
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
