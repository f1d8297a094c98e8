import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.kernels.arrow_text import from_strings
from pipeline.language import evidence as word_evidence
from pipeline.language.evidence import MAX_WORDS, Evidence, Profile, load, save, shipped, word_list
from pipeline.words.characters import UNSPACED_SCRIPTS
from pipeline.words.scripts import main_script, scripts_of
from pipeline.words.words import words, words_of

PROFILES = {
    "aaa": Profile({"the": 5.0, "and": 4.0}, 1.5, 0.4),
    "bbb": Profile({"the": 1.0, "und": 6.0}, 2.0, 0.5),
    "ccc": Profile({"的": 3.0}, 1.0, 0.6),
}


def of(evidence: Evidence, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    strings = from_strings(texts)
    return evidence.of(words_of(strings), scripts_of(strings).main)


def expected(text: str, weights: dict[str, float]) -> tuple[float, int]:
    """The definition, word by word."""
    found = words(text)
    found = found[:: max(1, math.ceil(len(found) / MAX_WORDS))]
    unspaced = main_script(text) in UNSPACED_SCRIPTS
    found = [word for word in found if any(c.isalpha() for c in word) and (word in "的ไม่") == unspaced]
    return sum(weights.get(word, 0.0) for word in found) / max(1, len(found)), len(found)


def test_by_hand() -> None:
    evidence = Evidence(PROFILES)
    assert evidence.languages == ("aaa", "bbb", "ccc")
    assert evidence.usual.tolist() == [1.5, 2.0, 1.0]
    found, counts = of(evidence, ["The cat AND the 12 dogs", "", "12 34", "我的书", "und die Katze"])
    assert counts.tolist() == [5, 0, 0, 3, 3]
    np.testing.assert_allclose(found[0], [14 / 5, 2 / 5, 0])
    assert not found[1].any()
    assert not found[2].any()
    np.testing.assert_allclose(found[3], [0, 0, 1])
    np.testing.assert_allclose(found[4], [0, 2, 0])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["the", "AND", "und", "x", "7", "的", "ไ", "é"]), max_size=1500), max_size=4))
def test_the_definition(texts: list[list[str]]) -> None:
    joined = [" ".join(text) for text in texts]
    found, counts = of(Evidence(PROFILES), joined)
    for text, row, count in zip(joined, found, counts, strict=True):
        for value, code in zip(row, sorted(PROFILES), strict=True):
            mean, number = expected(text, dict(PROFILES[code].words))
            assert value == pytest.approx(mean, abs=1e-4)
            assert count == number <= MAX_WORDS


def test_only_words_such_as_the_main_script_has() -> None:
    found, counts = of(Evidence(PROFILES), ["The cat and the dog ไม่ไม่", "我的书的名字 the", "the 커피 커피 的"])
    assert counts.tolist() == [5, 6, 3]
    np.testing.assert_allclose(found, [[14 / 5, 2 / 5, 0.0], [0.0, 0.0, 1.0], [5 / 3, 1 / 3, 0.0]])


def test_no_lists() -> None:
    found, counts = of(Evidence({}), ["the cat"])
    assert found.shape == (1, 0)
    assert counts.tolist() == [2]


def test_word_list_by_hand() -> None:
    # 400 words in each source: `the` is a quarter and an eighth of them, `tom` in one source only, `rare` too rare.
    first = ["the"] * 100 + ["tom"] * 100 + ["7"] * 50 + ["x"] * 198 + ["rare"] * 2
    second = ["the"] * 50 + ["of"] * 3 + ["x"] * 347
    assert word_list({"a": first, "b": second}) == {
        "x": round(math.log((198 / 400 + 347 / 400) / 2 / word_evidence.FLOOR), 2),
        "the": round(math.log(0.1875 / word_evidence.FLOOR), 2),
    }
    assert list(word_list({"a": first})) == ["x", "the", "tom"]
    assert word_list({"a": ["the"] * 299}) == {}
    # Small sources count as one.
    assert list(word_list({"a": ["the"] * 200, "b": ["of"] * 150})) == ["the", "of"]


def test_round_trip(tmp_path: Path) -> None:
    save(PROFILES, tmp_path / "lists.json")
    assert load(tmp_path / "lists.json") == PROFILES


def test_the_shipped_lists() -> None:
    evidence = shipped()
    profiles = load(word_evidence.SHIPPED)
    assert {"eng", "cmn", "jpn", "kor", "tha", "khm", "arb", "heb", "hin", "tam", "amh", "kat", "rus", "tur"} <= set(
        profiles
    )
    assert {"hau", "tir", "zul"} <= set(profiles)
    assert (evidence.usual > 0).all()
    for code, one in profiles.items():
        assert 0 < len(one.words) <= word_evidence.LIST_SIZE * 2, code
        assert all(weight > 0 for weight in one.words.values()), code
        assert all(words(word) == [word] for word in one.words), code
        assert 0.3 <= one.min_score <= 0.7, code
    assert {"the", "and", "of"} <= set(profiles["eng"].words)
    assert "的" in profiles["cmn"].words
