import gzip
import re
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.quality import SIGNALS, STOP_WORDS, signals
from pipeline.text.rules import RULES
from pipeline.text.words import is_spaced, words

SHARED = Path(__file__).resolve().parents[2] / "../shared"
SHARES = [name for name, _, _ in SIGNALS if name.endswith("_share") and not name.startswith("top_")]


def reference(text: str, language: str, script: str) -> dict[str, float | None]:
    """The definitions once more, word by word and slowly."""
    tokens, folded, spaced = words(text), text.casefold(), is_spaced(script)
    lines = [line for line in text.split("\n") if line.strip()]
    paragraphs = re.split("\n{2,}", text.strip()) if text.strip() else []

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

    symbols = [t for t in regex.split(r"\s+", folded) if t and not regex.search(r"[\p{L}\p{M}\p{N}]", t)]
    closing = r"[\p{Pe}\p{Pf}\p{Pi}\"'*_＂＇]*"
    return {
        "n_chars": len(text),
        "n_bytes": len(text.encode("utf-8", "surrogatepass")),
        "n_words": len(tokens),
        "n_lines": len(lines),
        "n_paragraphs": len(paragraphs),
        "mean_word_length": sum(map(len, tokens)) / len(tokens) if spaced and tokens else None,
        "hash_to_word_ratio": share(text.count("#"), len(tokens)),
        "ellipsis_to_word_ratio": share(text.count("...") + text.count("…"), len(tokens)),
        "bullet_line_share": share(sum(line.lstrip()[0] in "•-" for line in lines), len(lines)),
        "ellipsis_line_share": share(sum(line.rstrip().endswith(("...", "…")) for line in lines), len(lines)),
        "alpha_word_share": share(sum(bool(regex.search(r"\p{L}", t)) for t in tokens), len(tokens) + len(symbols)),
        "stop_word_hits": len(STOP_WORDS[language] & set(tokens)) if language in STOP_WORDS else None,
        "dup_line_share": share(len(repeats(lines)), len(lines)),
        "dup_line_char_share": share(len("".join(repeats(lines))), len(text)),
        "dup_paragraph_share": share(len(repeats(paragraphs)), len(paragraphs)),
        "dup_paragraph_char_share": share(len("".join(repeats(paragraphs))), len(text)),
        **{f"top_{n}gram_char_share": top(n) for n in (2, 3, 4)},
        **{f"dup_{n}gram_char_share": dup(n) for n in range(5, 11)},
        "line_punct_share": share(
            sum(bool(regex.search(rf"[\p{{Sentence_Terminal}}…]{closing}\Z", line.strip())) for line in lines),
            len(lines),
        ),
        "short_line_share": share(sum(len(line) <= 30 for line in lines), len(lines)),
        "char_dup_share": share(len("".join(repeats(lines))), len(text) - text.count("\n")),
        "newline_to_word_ratio": share(text.count("\n"), len(tokens)),
    }


def test_english_by_hand() -> None:
    text = "To be, or not to be...\n- To be, or not to be...\n\n\n- 42 # that is\nTo be, or not to be..."
    found = signals(text, "eng", "Latn")
    # to be or not to be | to be or not to be | 42 that is | to be or not to be: 21 words, 55 letters and digits
    assert found["n_chars"] == found["n_bytes"] == 22 + 1 + 24 + 3 + 14 + 1 + 22 == 87
    assert (found["n_words"], found["n_lines"], found["n_paragraphs"]) == (21, 4, 2)
    assert found["mean_word_length"] == (3 * 13 + 8) / 21
    assert found["hash_to_word_ratio"] == 1 / 21
    assert found["ellipsis_to_word_ratio"] == 3 / 21
    assert found["bullet_line_share"] == 2 / 4
    assert found["ellipsis_line_share"] == 3 / 4
    assert found["alpha_word_share"] == 20 / (21 + 3)  # 42 has no letter; two dashes and a hash stand alone
    assert found["stop_word_hits"] == 3  # to, be, that
    assert found["dup_line_share"] == 1 / 4  # the second begins with a dash
    assert found["dup_line_char_share"] == 22 / 87
    assert found["char_dup_share"] == 22 / 82
    assert found["dup_paragraph_share"] == found["dup_paragraph_char_share"] == 0
    assert found["top_2gram_char_share"] == 6 * 5 / 87  # "to be" six times
    assert found["top_3gram_char_share"] == 3 * 8 / 87  # "to be or" three times, before "be or not"
    assert found["top_4gram_char_share"] == 3 * 12 / 87
    # to be or not to | and so on; the seventh and the sixteenth word begin "to be or not to" again
    assert found["dup_5gram_char_share"] == 2 * 11 / 87
    assert found["dup_6gram_char_share"] == 2 * 13 / 87
    assert found["dup_7gram_char_share"] == 0
    assert found["line_punct_share"] == 3 / 4
    assert found["short_line_share"] == 1
    assert found["newline_to_word_ratio"] == 5 / 21


SENTENCES = [
    # text, language, script, words, characters of words, lines that end a sentence of two
    ("Она сказала: «Да».\nИ ушла", "rus", "Cyrl", 5, 17, 1),
    ("قالت: نعم؟\nثم ذهبت", "arb", "Arab", 4, 13, 1),
    ("היא אמרה “כן.”\nוהלכה", "heb", "Hebr", 4, 14, 1),
    ("उसने हाँ कहा।\nफिर गई॥", "hin", "Deva", 5, 15, 2),
    ("அவள் ஆம் என்றாள்.\nபோனாள்", "tam", "Taml", 4, 20, 1),
    ("እሺ አለች።\nሄደች", "amh", "Ethi", 3, 8, 1),
    ("მან თქვა: დიახ!\nწავიდა", "kat", "Geor", 4, 17, 1),
    ("Evet dedi.)\nSonra gitti", "tur", "Latn", 4, 18, 1),
    ("그녀가 말했다. \n그리고 갔다", "kor", "Hang", 4, 11, 1),
]


@pytest.mark.parametrize(("text", "language", "script", "n_words", "chars", "ends"), SENTENCES)
def test_spaced_scripts_by_hand(text: str, language: str, script: str, n_words: int, chars: int, ends: int) -> None:
    found = signals(text, language, script)
    assert found["n_words"] == n_words
    assert found["mean_word_length"] == chars / n_words
    assert found["line_punct_share"] == ends / 2
    assert found["alpha_word_share"] == 1
    assert found["stop_word_hits"] is None
    assert found["n_lines"] == 2


@pytest.mark.parametrize(
    ("text", "language", "script", "n_words", "ends"),
    [
        ("她说：“是的。”\n然后走了", "cmn", "Hani", 8, 1),
        ("「はい」と言った。\nそして、行った！？", "jpn", "Jpan", 12, 2),
        ("เธอพูดว่าใช่\nแล้วก็ไป", "tha", "Thai", 15, 0),
        ("នាងនិយាយ។\nហើយទៅ៕", "khm", "Khmr", 8, 2),
    ],
)
def test_unspaced_scripts_by_hand(text: str, language: str, script: str, n_words: int, ends: int) -> None:
    found = signals(text, language, script)
    assert found["n_words"] == n_words
    assert found["mean_word_length"] is None
    assert found["line_punct_share"] == ends / 2


def test_ngrams_without_spaces_by_hand() -> None:
    found = signals("天天向上天天向上。天天向上", "cmn", "Hani")
    assert found["n_words"] == 12
    assert found["top_2gram_char_share"] == 3 * 2 / 13
    assert found["top_4gram_char_share"] == 3 * 4 / 13
    # 天天向上天 天向上天天 向上天天向 上天天向上 | 天天向上天 again, then three are left
    assert found["dup_5gram_char_share"] == 5 / 13
    assert found["dup_8gram_char_share"] == 8 / 13
    assert found["dup_9gram_char_share"] == 0


def test_equally_common_ngrams_count_the_first() -> None:
    assert signals("a bb a bb ccc ccc", "deu", "Latn")["top_2gram_char_share"] == 2 * 4 / 17
    assert signals("once only here", "deu", "Latn")["top_2gram_char_share"] == 9 / 14


@pytest.mark.parametrize("text", ["", " ", "\n\n", "###", "...", "\u0301", "\ud800"])
def test_nothing_to_divide_by(text: str) -> None:
    found = signals(text, "eng", "Zyyy")
    assert found["n_words"] == (text == "\u0301")
    assert all(value is None or value >= 0 for value in found.values())


def test_types_and_names() -> None:
    found = signals("Some text, in English.", "eng", "Latn")
    assert list(found) == [name for name, _, _ in SIGNALS]
    for name, arrow, definition in SIGNALS:
        assert isinstance(found[name], int if pa.types.is_integer(arrow) else float), name
        assert definition
    assert {rule.signal for rule in RULES} <= found.keys()


TEXTS = st.lists(
    st.sampled_from(
        [*"aA.#…-•\n 字の。กิ่ßİ1'\u0301\u2028\x1c\xa0\ud800", "the ", "of the ", "word ", "\n\n", "...", "# "]
    ),
    max_size=80,
).map("".join) | st.text(st.characters(codec=None))


@settings(max_examples=300)
@given(TEXTS, st.sampled_from(["eng", "deu"]), st.sampled_from(["Latn", "Hani"]))
def test_signals_are_those_of_the_reference(text: str, language: str, script: str) -> None:
    assert signals(text, language, script) == reference(text, language, script)


@given(TEXTS)
def test_shares_lie_between_0_and_1(text: str) -> None:
    found = signals(text, "eng", "Latn")
    for name in SHARES:
        assert 0 <= (found[name] or 0) <= 1, name


@pytest.mark.parametrize(
    ("language", "script"),
    [("eng", "Latn"), ("rus", "Cyrl"), ("zho-CN", "Hani"), ("jpn", "Jpan"), ("tha", "Thai"), ("kor", "Hang")],
)
def test_real_text_against_the_reference(language: str, script: str) -> None:
    file = SHARED / f"data/parallel/{language}.txt.gz"
    if not file.exists():
        pytest.skip(f"{file.name} is absent")
    text = gzip.decompress(file.read_bytes()).decode()[:6000]
    text += text[1000:2500] + text[:700]
    assert signals(text, language, script) == reference(text, language, script)


@pytest.mark.parametrize(
    "piece", ["a ", "a\n", "ab", "字", "the of and ", "# ", "\n", "กิ", "one two three four five six "]
)
def test_time_is_near_linear(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        start = time.process_time()
        signals(text, "eng", "Hani" if piece == "字" else "Latn")
        return time.process_time() - start

    seconds(10)
    assert seconds(500_000) < 40 * seconds(50_000) + 0.5
