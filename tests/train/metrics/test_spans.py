"""Answers are scored as the official scripts score them: the figures below are what those scripts gave, run by
themselves (evaluate-v1.1.py, evaluate-v2.0.py, mlqa_evaluation_v1.py)."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train.benchmarks.examples import Origin, SpanExample
from train.metrics.spans import normalise, score_each, score_span

THIRD = 2 / 3

SQUAD = [
    ("the Denver Broncos!", ["Denver Broncos"], 1, 1),
    ("Carolina Panthers", ["The Panthers", "Denver"], 0, THIRD),
    ("the", ["The"], 1, 0),
    ("", ["a"], 1, 0),
    ("", [""], 1, 0),
    ("。", ["，"], 0, 0),
    ("北京大学。", ["北京大学"], 0, 0),  # full-width marks stay
    ("北京 大学", ["北京"], 0, THIRD),
    ("don’t", ["don't"], 0, 0),
    ("l'eau", ["leau"], 1, 1),
    ("ＡＢＣ", ["abc"], 0, 0),
    ("İstanbul", ["istanbul"], 0, 0),  # lower case leaves a dot above
    ("e\u0301te", ["\u00e9te"], 0, 0),  # nothing is composed
    ("กรุงเทพมหานคร", ["กรุงเทพ"], 0, 0),
    ("в Москве", ["Москве", "в"], 0, THIRD),
    ("דָּבָר", ["דבר"], 0, 0),
    ("1,000 km²", ["1000 km²"], 1, 1),
    ("an a b", ["b the"], 1, 1),
]
SQUAD2 = [
    ("the", ["The"], 1, 1),
    ("", [], 1, 1),
    ("the", [], 1, 1),
    ("river", [], 0, 0),
    ("", ["the", "river"], 0, 0),
    ("river", ["the", "a river"], 1, 1),
    ("...", ["!"], 1, 1),
]
MLQA = [
    ("en", "the Denver—Broncos!", ["Denver Broncos"], 0, 0),
    ("en", "the", ["a"], 1, 0),
    ("en", "$5+5", ["55"], 1, 1),
    ("en", "", ["the", "x"], 1, 0),
    ("es", "los Ángeles, ¿no?", ["las Ángeles no"], 1, 1),
    ("es", "e\u0301te", ["\u00e9te"], 0, 0),
    ("de", "Der Einen", ["den Einen"], 1, 0),
    ("de", "der großen Stadt", ["große Stadt"], 0, 0.5),
    ("vi", "những cái nhà", ["nhà"], 1, 1),
    ("ar", "البيت", ["بيت"], 1, 1),
    ("ar", "سالم؟", ["سم"], 0, 0),  # the article's letters, within a word too
    ("hi", "दिल्ली।", ["दिल्ली"], 1, 1),
    ("hi", "क्षत्रिय वर्ण", ["क्षत्रिय"], 0, THIRD),
    ("zh", "北京大学（一）。", ["北京大学"], 0, 8 / 9),
    ("zh", "北京ABC，大学", ["大学 abc 北"], 0, 8 / 9),
    ("zh", "\u3400\U00020bb7\uf900\u9fa5\u9fa6", ["\u9fa5"], 0, 0.5),  # of these only U+9FA5 is cut off
    ("zh", "\u9fa6\u9fa6", ["\u9fa6"], 0, 0),
    ("zh", "\u9fa5\u9fa5", ["\u9fa5"], 0, THIRD),
    ("zh", "。！", ["，"], 1, 0),
    ("zh", "ＡＢ，c", ["ａｂ c"], 0, 0),
    ("zh", "1,000公里", ["1000 公里"], 1, 1),
    ("zh", "", ["x"], 0, 0),
]


@pytest.mark.parametrize(("prediction", "answers", "exact", "f1"), SQUAD)
def test_squad_v1_and_xquad(prediction: str, answers: list[str], exact: float, f1: float) -> None:
    for language in ("en", "zh", ""):  # the script knows no languages
        assert score_span(prediction, answers, language) == pytest.approx((exact, f1))


@pytest.mark.parametrize(("prediction", "answers", "exact", "f1"), SQUAD2)
def test_squad_v2(prediction: str, answers: list[str], exact: float, f1: float) -> None:
    assert score_span(prediction, answers, "en", "squad2") == (exact, f1)


@pytest.mark.parametrize(("language", "prediction", "answers", "exact", "f1"), MLQA)
def test_mlqa(language: str, prediction: str, answers: list[str], exact: float, f1: float) -> None:
    assert score_span(prediction, answers, language, "mlqa") == pytest.approx((exact, f1))


@pytest.mark.parametrize("label", ["zh", "zho_Hans", "cmn_Hant", "zh-CN", "ZH", "yue_Hant"])
def test_a_language_is_known_by_any_of_its_labels(label: str) -> None:
    assert normalise("北京a", label, "mlqa") == "北 京 a"


@pytest.mark.parametrize(("short", "long"), [("es", "spa_Latn"), ("de", "deu"), ("vi", "vie_Latn"), ("ar", "arb_Arab")])
def test_articles_go_by_language(short: str, long: str) -> None:
    text = "la der những البيت x"
    assert normalise(text, short, "mlqa") == normalise(text, long, "mlqa") != text
    assert normalise(text, "tur_Latn", "mlqa") == text


@pytest.mark.parametrize(
    ("language", "text", "tokens"),
    [
        ("jpn_Jpan", "東京、タワー。", "東 京 タ ワ ー"),
        ("th", "กรุง เทพฯ๏", "ก ร ุ ง เ ท พ ฯ"),
        ("khm_Khmr", "ភ្នំ។", "ភ ្ ន ំ"),
        ("ko", "서울 대학교!", "서울 대학교"),
        ("heb_Hebr", "״דבר״ אחד", "דבר אחד"),
        ("tam_Taml", "தமிழ் நாடு?", "தமிழ் நாடு"),
        ("amh_Ethi", "ሰላም፡ዓለም።", "ሰላምዓለም"),
        ("kat_Geor", "Თბილისი, ქართული", "თბილისი ქართული"),
        ("rus_Cyrl", "«Москва» — город", "москва город"),
        ("tur_Latn", "İZMİR'in", "i̇zmi̇rin"),
        ("", "The Nile.", "the nile"),
    ],
)
def test_languages_that_the_script_does_not_know(language: str, text: str, tokens: str) -> None:
    assert normalise(text, language, "mlqa") == tokens


@pytest.mark.parametrize("rules", ["squad", "squad2", "mlqa"])
def test_without_answers_only_nothing_is_right(rules) -> None:
    assert score_span("", [], "en", rules) == score_span(" the.", [], "en", rules) == (1, 1)
    assert score_span("river", [], "en", rules) == (0, 0)


def example(name: str, *answers: str, impossible: bool = False, language: str = "eng_Latn") -> SpanExample:
    found = tuple((answer, 0) for answer in answers)
    return SpanExample(name, "?", "context", found, impossible, language, Origin(Path("x.json"), 1))


def test_each_question_is_scored_and_a_missing_answer_is_wrong() -> None:
    examples = [
        example("1", "Denver Broncos"),
        example("2", "The Panthers", "Denver"),
        example("3", "x"),
        example("4", "the"),
    ]
    predictions = {"1": "Denver Broncos", "2": "Carolina Panthers", "4": "a", "not asked": "x"}
    assert score_each(predictions, examples).tolist() == [[1, 1], [0, THIRD], [0, 0], [1, 0]]


def test_a_set_with_impossible_questions_goes_by_v2() -> None:
    examples = [example("1", "the"), example("2", impossible=True)]
    assert score_each({"1": "a", "2": ""}, examples).tolist() == [[1, 1], [1, 1]]
    assert score_each({"1": "a", "2": "x"}, examples).tolist() == [[1, 1], [0, 0]]
    assert score_each({"1": "a", "2": ""}, examples, "squad").tolist() == [[1, 0], [1, 1]]


def test_each_example_goes_by_its_own_language() -> None:
    examples = [example("1", "北京", language="zho_Hans"), example("2", "der Rhein", language="deu_Latn")]
    found = score_each({"1": "北京市", "2": "Rhein"}, examples, "mlqa")
    assert np.allclose(found, [[0, 0.8], [1, 1]])


@settings(max_examples=50)
@given(
    st.text(max_size=30),
    st.lists(st.text(max_size=30), min_size=1, max_size=3),
    st.sampled_from(["en", "zh", "ar", "th", ""]),
)
def test_scores_are_shares_and_an_answer_is_right_itself(text: str, answers: list[str], language: str) -> None:
    for rules in ("squad", "squad2", "mlqa"):
        exact, f1 = score_span(text, answers, language, rules)
        assert exact in (0, 1) and 0 <= f1 <= 1
        assert score_span(answers[-1], answers[-1:], language, rules)[0] == 1
        plain = normalise(text, language, rules)
        assert " ".join(plain.split()) == plain
        if rules != "squad2" and exact and plain:
            assert f1 == 1
