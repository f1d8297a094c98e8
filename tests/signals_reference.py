"""The definitions of the signals once more, word by word and slowly: what the kernels are held against."""

import re
from collections import Counter

import regex

from pipeline.quality.phrases import PHRASES
from pipeline.words.words import is_spaced, words

STOP_WORDS = {"eng": {"the", "be", "to", "of", "and", "that", "have", "with"}, "uzn_Latn": {"va", "bir", "da"}}
CLOSING = r"[\p{Pe}\p{Pf}\p{Pi}\"'*_＂＇]*"
SENTENCE_END = regex.compile(
    rf"(?:[\p{{Sentence_Terminal}}…](?:[\p{{Sentence_Terminal}}…]|{CLOSING[:-1]})*+)(?=(?P<space>[\s\x1c-\x1f]|\Z)?)"
)
UNSPACED = r"\p{scx=Hani}\p{scx=Hira}\p{scx=Kana}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}"
UNSPACED_WORD = regex.compile(rf"(?V1)[[\p{{L}}\p{{N}}]&&[[{UNSPACED}]--\p{{scx=Latn}}]]")
WORDLIKE = regex.compile(r"[\p{L}\p{M}\p{N}]")


def sentences(line: str) -> int:
    count = begin = 0
    for end in SENTENCE_END.finditer(line):
        closed = end["space"] is not None or any(c in "。！．？｡" for c in end.group())
        if closed and WORDLIKE.search(line, begin, end.start()):
            count, begin = count + 1, end.end()
    return count + bool(WORDLIKE.search(line, begin))


def has_phrase(kind: str, tokens: list[str]) -> bool:
    for phrase in map(words, PHRASES[kind]):
        if any(tokens[i : i + len(phrase)] == phrase for i in range(len(tokens) - len(phrase) + 1)):
            return True
    return False


def reference(text: str, language: str, script: str) -> dict[str, float | None]:
    """All signals but compression_ratio."""
    tokens, folded, spaced = words(text), text.casefold(), is_spaced(script)
    lines = [line for line in text.split("\n") if line.strip()]
    paragraphs = [part.strip() for part in re.split(r"\n(?:[^\S\n]*\n)+", text) if part.strip()]

    def share(part: float, whole: float) -> float:
        return part / max(1, whole)

    def repeats(parts: list[str]) -> list[str]:
        return [part for i, part in enumerate(parts) if part in parts[:i]]

    def top(n: int) -> float:
        joint = " " if spaced else ""
        grams = Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))
        return (
            share(len(joint.join(grams.most_common(1)[0][0])) * grams.most_common(1)[0][1], len(folded)) if grams else 0
        )

    def dup(n: int) -> float:
        seen, chars, i = set(), 0, 0
        while i + n <= len(tokens):
            gram = tuple(tokens[i : i + n])
            if gram in seen:
                chars, i = chars + len("".join(gram)), i + n
            else:
                seen.add(gram)
                i += 1
        return share(chars, len(folded))

    between_spaces = [t for t in tokens if not UNSPACED_WORD.match(t)]
    symbols = [t for t in folded.split() if not WORDLIKE.search(t)]
    visible = "".join(text.split())
    letters = [c for c in visible if regex.match(r"\p{L}", c.casefold()[0])]
    stops = STOP_WORDS.get(f"{language}_{script}", STOP_WORDS.get(language))
    ended = [bool(regex.search(rf"[\p{{Sentence_Terminal}}…]{CLOSING}\Z", line.strip())) for line in lines]
    kept = [
        line
        for line, terminal in zip(lines, ended, strict=True)
        if terminal
        and not line.rstrip().endswith(("...", "…"))
        and len(words(line)) >= 3
        and max(map(len, words(line))) <= 1000
        and not has_phrase("policy", words(line))
        and not has_phrase("javascript", words(line))
    ]

    def of(pattern: str) -> float:
        return share(len(regex.findall(pattern, visible)), len(visible))

    return {
        "n_chars": len(text),
        "n_bytes": len(text.encode("utf-8", "surrogatepass")),
        "n_words": len(tokens),
        "n_lines": len(lines),
        "n_paragraphs": len(paragraphs),
        "n_sentences": sum(map(sentences, (line.strip() for line in lines))),
        "n_long_lines": sum(len(line) >= 200 for line in lines),
        "max_word_length": max(map(len, tokens), default=0),
        "unique_word_share": share(len(set(tokens)), len(tokens)),
        "digit_char_share": of(r"\p{Nd}"),
        "punct_char_share": of(r"\p{P}"),
        "symbol_char_share": of(r"\p{S}"),
        "upper_char_share": share(len([c for c in letters if regex.match(r"[\p{Lu}\p{Lt}]", c)]), len(letters)),
        "c4_kept_line_share": share(len(kept), len(lines)),
        "c4_kept_sentences": sum(map(sentences, (line.strip() for line in kept))),
        "c4_policy_line_share": share(sum(has_phrase("policy", words(line)) for line in lines), len(lines)),
        "c4_javascript_line_share": share(sum(has_phrase("javascript", words(line)) for line in lines), len(lines)),
        "c4_lorem_ipsum": sum(has_phrase("lorem_ipsum", words(line)) for line in lines),
        "c4_curly_bracket": text.count("{"),
        "stop_word_share": None
        if stops is None
        else share(
            sum(t in stops for t in tokens), len(between_spaces) if spaced else len(tokens) - len(between_spaces)
        ),
        "mean_word_length": sum(map(len, between_spaces)) / len(between_spaces)
        if spaced * len(between_spaces)
        else None,
        "hash_to_word_ratio": share(text.count("#"), len(tokens)),
        "ellipsis_to_word_ratio": share(text.count("...") + text.count("…"), len(tokens)),
        "bullet_line_share": share(sum(line.lstrip()[0] in "•-" for line in lines), len(lines)),
        "ellipsis_line_share": share(sum(line.rstrip().endswith(("...", "…")) for line in lines), len(lines)),
        "alpha_word_share": share(sum(bool(regex.search(r"\p{L}", t)) for t in tokens), len(tokens) + len(symbols)),
        "stop_word_hits": None if stops is None else len(stops & set(tokens)),
        "dup_line_share": share(len(repeats(lines)), len(lines)),
        "dup_line_char_share": share(len("".join(repeats(lines))), len(text)),
        "dup_paragraph_share": share(len(repeats(paragraphs)), len(paragraphs)),
        "dup_paragraph_char_share": share(len("".join(repeats(paragraphs))), len(text)),
        **{f"top_{n}gram_char_share": top(n) for n in (2, 3, 4)},
        **{f"dup_{n}gram_char_share": dup(n) for n in range(5, 11)},
        "line_punct_share": share(sum(ended), len(lines)),
        "short_line_share": share(sum(len(line) <= 30 for line in lines), len(lines)),
        "char_dup_share": share(len("".join(repeats(lines))), len(text) - text.count("\n")),
        "newline_to_word_ratio": share(text.count("\n"), len(tokens)),
        "space_to_word_ratio": share(len(text) - len(visible) - text.count("\n"), len(tokens)),
    }
