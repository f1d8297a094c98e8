import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenizer.measure import count_words, gini, measure, script_of
from tokenizer.model import BYTE_PIECES, SPECIAL_TOKENS, encoder, read_vocabulary

PIECES = [*SPECIAL_TOKENS, *BYTE_PIECES, "a", "\u2581b", "の", "橋", "."]
A, B, NO, BRIDGE, DOT = range(261, 266)
IDS = {
    "a b.": [2, A, B, DOT, 3],
    "a b": [A, B],
    "橋の": [BRIDGE, NO],
    "é.": [5 + 0xC3, 5 + 0xA9, DOT],
    "の?": [NO, 1],
}


def by_table(texts: list[str]) -> list[list[int]]:
    return [IDS[text] for text in texts]


def test_golden_report() -> None:
    report = measure(by_table, {"eng_Latn": ["a b.", "a b"], "jpn_Jpan": ["橋の", "の?"], "fra_Latn": ["é."]}, PIECES)
    assert report["vocab_size"] == 266
    assert report["languages"]["eng_Latn"] == {
        "texts": 2,
        "characters": 7,
        "bytes": 7,
        "words": 4,
        "tokens": 5,
        "bytes_per_token": 1.4,
        "characters_per_token": 1.4,
        "fertility": 1.25,
        "byte_fallback_share": 0.0,
        "unk_share": 0.0,
    }
    japanese = report["languages"]["jpn_Jpan"]
    assert (japanese["bytes"], japanese["words"], japanese["tokens"]) == (10, 3, 4)
    assert (japanese["fertility"], japanese["unk_share"]) == (1.3333, 0.25)
    assert report["languages"]["fra_Latn"]["byte_fallback_share"] == 0.6667
    assert report["total"]["tokens"] == 12
    assert report["total"]["byte_fallback_share"] == round(2 / 12, 4)
    assert report["scripts"] == {
        "Hani": {"pieces": 1, "used": 1, "used_share": 1.0, "tokens": 1, "token_share": 0.0909},
        "Hira": {"pieces": 1, "used": 1, "used_share": 1.0, "tokens": 2, "token_share": 0.1818},
        "Latn": {"pieces": 2, "used": 2, "used_share": 1.0, "tokens": 4, "token_share": 0.3636},
        "Zyyy": {"pieces": 1, "used": 1, "used_share": 1.0, "tokens": 2, "token_share": 0.1818},
        "bytes": {"pieces": 256, "used": 2, "used_share": 0.0078, "tokens": 2, "token_share": 0.1818},
    }
    assert json.loads(json.dumps(report)) == report


def test_parity_is_the_ratio_of_tokens_on_parallel_texts() -> None:
    report = measure(by_table, {"jpn": ["橋の"], "eng": ["a b."]}, PIECES, parallel=True)
    assert report["languages"]["jpn"]["parity_to_english"] == 0.6667
    assert report["languages"]["eng"]["parity_to_english"] == 1.0
    assert "parity_to_english" not in measure(by_table, {"jpn": ["橋の"]}, PIECES, parallel=True)["languages"]["jpn"]
    assert "parity_to_english" not in measure(by_table, {"eng": ["a b."]}, PIECES)["languages"]["eng"]
    with pytest.raises(ValueError, match="jpn has 1 texts, English 2"):
        measure(by_table, {"jpn": ["橋の"], "eng": ["a b.", "a b"]}, PIECES, parallel=True)


def test_nothing_to_measure() -> None:
    report = measure(by_table, {"eng": []}, PIECES)
    assert report["languages"]["eng"]["tokens"] == 0
    assert report["languages"]["eng"]["fertility"] is None
    assert report["total"]["bytes_per_token"] is None
    assert measure(by_table, {}, PIECES)["languages"] == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't stop: 12 times!", 4),
        ("我爱北京。", 4),
        ("コーヒー", 4),
        ("오늘 아침에는", 2),
        ("น้ำสูง", 4),
        ("ស្ពាន", 3),
        ("هذا الصباح،", 2),
        ("می\u200cخواهم", 1),
        ("ארה״ב", 1),
        ("हिन्दी भाषा", 2),
        ("தண்ணீர் அதிகம்", 2),
        ("ውሃ ከፍ፣ ግን", 3),
        ("ძველ ხიდზე", 2),
        ("старый мост", 2),
        ("köprüden geçtik", 2),
        ("-- ... \u0301\u0301", 0),
    ],
)
def test_words(text: str, words: int) -> None:
    assert count_words(text) == words


def test_words_of_marks_alone_take_linear_time() -> None:
    assert count_words("\u0301" * 200_000) == 0


@pytest.mark.parametrize(
    ("piece", "script"),
    [
        *(("\u2581the", "Latn"), ("の", "Hira"), ("橋", "Hani"), ("コ", "Kana"), ("스", "Hang"), ("ស្ព", "Khmr")),
        *(("ა", "Geor"), ("ድል", "Ethi"), ("\u2581(мост", "Cyrl"), (".\n", "Zyyy"), ("7", "Zyyy"), ("😀", "Zyyy")),
    ],
)
def test_script_of_a_piece(piece: str, script: str) -> None:
    assert script_of(piece) == script


def test_a_learned_model_covers_its_languages(model_proto: bytes, texts: dict[str, str]) -> None:
    pieces = [piece for piece, _ in read_vocabulary(model_proto)]
    report = measure(encoder(model_proto), {name: [text] for name, text in texts.items()}, pieces, parallel=True)
    assert report["total"]["unk_share"] == 0.0
    assert report["total"]["byte_fallback_share"] == 0.0
    scripts = {"Latn", "Hani", "Hira", "Hang", "Thai", "Khmr", "Arab", "Hebr", "Deva", "Taml", "Ethi", "Geor", "Cyrl"}
    assert scripts <= {script for script, row in report["scripts"].items() if row["used"]}
    for name, row in report["languages"].items():
        assert 1 < row["bytes_per_token"] < 12, name
        assert row["fertility"] > 0, name
    foreign = measure(encoder(model_proto), {"ell": ["Το ποτάμι ήταν ψηλά."]}, pieces)
    assert foreign["total"]["byte_fallback_share"] > 0.5


def test_continued_words_are_those_of_two_tokens_or_more() -> None:
    """The bridge|s, o|ld! 橋 in three bytes, の; no word begins inside a token of its own."""
    text = "The bridges, old! 橋の"
    starts = [[0, 4, 10, 11, 13, 14, 16, 18, 18, 18, 19]]
    report = measure(lambda _: [[A] * 11], {"eng": [text]}, PIECES, starts=lambda _: starts)
    assert report["languages"]["eng"]["continued_share"] == report["total"]["continued_share"] == round(3 / 5, 4)
    # A token that holds a space and the word after it begins before the word.
    spaced = measure(lambda _: [[A] * 2], {"eng": ["a the"]}, PIECES, starts=lambda _: [[0, 1]])
    assert spaced["total"]["continued_share"] == 0.0
    inside = measure(lambda _: [[A] * 2], {"eng": ["a the"]}, PIECES, starts=lambda _: [[0, 3]])
    assert inside["total"]["continued_share"] == 0.5
    assert "continued_share" not in measure(lambda _: [[A]], {"eng": ["a"]}, PIECES)["total"]


def test_another_layout() -> None:
    pieces = ["a", "<s>", "?", "\\xe6"]
    layout = {"special": frozenset({1}), "bytes_": frozenset({3}), "unknown": 2}
    report = measure(lambda _: [[1, 0, 0, 2, 3]], {"eng": ["aa??"]}, pieces, **layout)  # type: ignore[arg-type]
    assert report["total"]["tokens"] == 4
    assert (report["total"]["unk_share"], report["total"]["byte_fallback_share"]) == (0.25, 0.25)
    assert {script: row["tokens"] for script, row in report["scripts"].items()} == {"Latn": 2, "bytes": 1}
    none = measure(lambda _: [[0, 2]], {"eng": ["aa"]}, pieces, special=frozenset(), bytes_=frozenset(), unknown=None)
    assert none["total"]["unk_share"] == 0.0


def test_parity_and_gini_over_languages() -> None:
    tokens = {"eng_Latn": 10, "deu": 15, "mya": 40, "xho": 5}
    report = measure(
        lambda texts: [[A] * tokens[text] for text in texts], {n: [n] for n in tokens}, PIECES, parallel=True
    )
    fairness = report["fairness"]
    assert fairness["parity_mean"] == 2.0
    assert (fairness["parity_worst"], fairness["parity_worst_language"]) == (4.0, "mya")
    # By rising cost 5, 10, 15, 40: -3*5 - 10 + 15 + 3*40 = 110 of 4 * 70.
    assert (fairness["gini"], fairness["gini_of"]) == (round(110 / 280, 4), "tokens")
    apart = measure(lambda texts: [[A] * len(text) for text in texts], {"a": ["橋橋"], "b": ["aa"]}, PIECES)["fairness"]
    # A third of a token a byte, and a whole one: (1 - 1/3) of 2 * 4/3.
    assert apart == {"gini": 0.25, "gini_of": "tokens a byte"}


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=20))
def test_gini_is_half_the_mean_difference_over_the_mean(costs: list[int]) -> None:
    n, mean = len(costs), sum(costs) / len(costs)
    assert gini(costs) == pytest.approx(sum(abs(a - b) for a in costs for b in costs) / n**2 / (2 * mean))
    assert gini([7 * cost for cost in costs]) == pytest.approx(gini(costs))


def test_gini_at_its_ends() -> None:
    assert gini([3, 3, 3]) == 0.0
    assert gini([0, 0, 0, 1]) == 0.75
    assert gini([]) is None and gini([0]) is None
