import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import CleanConfig
from pipeline.quality import fitting, fitting_limits, profiles
from pipeline.quality.fitting import fit, tau, words_a_word
from pipeline.quality.fitting_limits import LIMITS, SIGNALS_USED
from pipeline.quality.signals import SIGNALS

DEFAULTS = {limit.threshold: limit.start for limits in LIMITS.values() for limit in limits} | {
    "min_language_score": 0.3
}
FAMILY = {limit.threshold: (name, len(limits)) for name, limits in LIMITS.items() for limit in limits}
LIMIT = {limit.threshold: limit for limits in LIMITS.values() for limit in limits}


def texts(n: int, **values: object) -> dict[str, np.ndarray]:
    """n texts as English ones are, but for what is given."""
    usual = {
        "n_words": 400.0,
        "n_sentences": 20.0,
        "mean_word_length": fitting_limits.ENGLISH_WORD_LENGTH,
        "alpha_word_share": 0.98,
        "stop_word_hits": 20.0,
        "stop_word_share": 0.3,
        "line_punct_share": 0.9,
        "language_score": np.nan,
        "space_to_word_ratio": 0.05,
    }
    return {
        name: np.broadcast_to(np.asarray(values.get(name, usual.get(name, 0.0)), np.float64), (n,)).copy()
        for name in SIGNALS_USED
    }


def test_signals_are_columns_and_the_config_s_thresholds_among_those_that_are_fitted() -> None:
    assert set(SIGNALS_USED) - {"language_score"} <= {name for name, _, _ in SIGNALS}
    assert {limit.signal for limit in LIMIT.values()} - {"words_a_sentence"} <= set(SIGNALS_USED)
    for name in CleanConfig.threshold_names():
        family = name.startswith(("max_c4", "min_c4", "max_bad", "max_policy"))  # what is the same in all languages
        assert name in DEFAULTS or family or name in ("max_words", "min_language_share"), name
    for limit in LIMIT.values():
        assert limit.loosest <= limit.start if limit.is_min else limit.loosest >= limit.start, limit.threshold


def test_texts_like_english_ones_move_nothing() -> None:
    found = fit({("deu", "Latn"): texts(400)}, DEFAULTS)
    # 0.3 of the median 0.3, less 1 / 20; no start is known before
    assert found == {"Latn": {"min_stop_word_share": 0.085}}


def test_an_edge_by_hand() -> None:
    """100 texts, one with 0.4 line breaks a word: 0.4 x (1 + 1 / 10), and no further at the family's 99 %."""
    ratios = np.zeros(100)
    ratios[7] = 0.4
    found = fit({("deu", "Latn"): texts(100, newline_to_word_ratio=ratios)}, DEFAULTS)
    assert found["Latn"]["max_newline_to_word_ratio"] == pytest.approx(0.44)
    # 400 texts with 48 words: 48 x (1 - 1 / 20), rounded down
    found = fit({("deu", "Latn"): texts(400, n_words=48)}, DEFAULTS)
    assert found["Latn"]["min_words"] == 45
    # a share that is good at 1: 1 - 0.35 x 1.2
    found = fit({("deu", "Latn"): texts(25, alpha_word_share=0.65)}, DEFAULTS)
    assert found["Latn"]["min_alpha_word_share"] == pytest.approx(0.58)


def test_the_family_pulls_a_small_language_outward() -> None:
    """Family: two languages of equal weight, so its 99 % is in the other's texts. edge + (family - edge) x 20 / 40."""
    small, large = texts(20, newline_to_word_ratio=0.3), texts(1000, newline_to_word_ratio=0.5)
    found = fit({("aaa", "Latn"): small, ("bbb", "Latn"): large}, DEFAULTS)
    edge = 0.3 * (1 + 1 / 20**0.5)
    expected = edge + (0.5 - edge) * 20 / 40
    assert found["aaa_Latn"]["max_newline_to_word_ratio"] == pytest.approx(expected, abs=0.001)
    assert found["Latn"]["max_newline_to_word_ratio"] == pytest.approx(0.5 * (1 + 1 / 1000**0.5), abs=0.001)


def test_no_threshold_is_loosened_past_its_meaning() -> None:
    wild = texts(30, dup_line_share=0.95, newline_to_word_ratio=3.0, alpha_word_share=0.0, n_words=1.0)
    found = fit({("deu", "Latn"): wild}, DEFAULTS)["Latn"]
    for name in ("max_dup_line_share", "max_newline_to_word_ratio", "min_alpha_word_share", "min_words"):
        assert found[name] == LIMIT[name].loosest


def test_word_lengths_follow_the_language() -> None:
    double = texts(400, mean_word_length=2 * fitting_limits.ENGLISH_WORD_LENGTH)
    found = fit({("zul", "Latn"): double}, DEFAULTS)["Latn"]
    assert (found["min_mean_word_length"], found["max_mean_word_length"]) == (5, 20)
    factor = (fitting_limits.ENGLISH_WORD_LENGTH + 1) / (2 * fitting_limits.ENGLISH_WORD_LENGTH + 1)
    assert found["min_words"] == int(50 * factor)  # longer words, fewer of them
    assert found["max_newline_to_word_ratio"] == pytest.approx(0.3 / factor, abs=0.001)
    measured = texts(400, mean_word_length=5.0) | {"mean_word_length": np.full(400, 5.0)}
    found = fit({("eng", "Latn"): measured, ("zul", "Latn"): texts(400, mean_word_length=10.0)}, DEFAULTS)
    assert found["zul_Latn"].get("max_mean_word_length", found["Latn"]["max_mean_word_length"]) == 20


def test_unspaced_scripts_count_characters() -> None:
    nothing = np.full(400, np.nan)
    thai = texts(400, n_words=1000, mean_word_length=nothing, stop_word_hits=nothing, stop_word_share=nothing)
    found = fit({("tha", "Thai"): thai}, DEFAULTS)["Thai"]
    assert found["min_words"] == 210
    assert found["max_newline_to_word_ratio"] == pytest.approx(0.3 / 4.2, abs=0.001)
    assert (found["max_dup_5gram_char_share"], found["max_dup_10gram_char_share"]) == (0.9, 0.2)
    assert found["max_words_a_sentence"] == fitting.NEVER  # no sentence ends in Thai
    assert not {"min_mean_word_length", "min_stop_words", "min_stop_word_share"} & found.keys()
    assert words_a_word("Hani", 0) == 1.6 and words_a_word("Latn", 4.7) == 1 and words_a_word("Latn", 2) == 1


def test_scripts_of_a_pool_serve_each_other() -> None:
    """Lao has too few texts: what is loose enough for all of the pool. Its family is the pool's, were there more."""
    thai = texts(400, n_words=1000, n_sentences=1)
    khmer = texts(400, n_words=1000, newline_to_word_ratio=0.15)
    found = fit({("tha", "Thai"): thai, ("khm", "Khmr"): khmer, ("lao", "Laoo"): texts(19)}, DEFAULTS)
    assert set(found) == {"Thai", "Khmr", "Laoo"}
    for name in found["Laoo"].keys() & found["Thai"].keys() & found["Khmr"].keys():
        outer = min if name.startswith("min_") else max
        assert found["Laoo"][name] == outer(found["Thai"][name], found["Khmr"][name]), name
    assert found["Laoo"]["max_dup_5gram_char_share"] == 0.9
    more = fit({("tha", "Thai"): thai, ("khm", "Khmr"): khmer, ("lao", "Laoo"): texts(20, n_words=1000)}, DEFAULTS)
    # edge 0, family 0.15: half the way, at 20 texts
    assert more["Laoo"]["max_newline_to_word_ratio"] == pytest.approx(max(0.3 / 4.2, 0.075), abs=0.001)
    assert more["Khmr"] == found["Khmr"]
    assert more["Khmr"].get("max_words_a_sentence", 100) == DEFAULTS["max_words_a_sentence"] * 3.6  # not as Thai has it
    assert more["Laoo"]["max_words_a_sentence"] == found["Laoo"]["max_words_a_sentence"] == fitting.NEVER


def test_a_script_s_own_repetition_is_known_without_texts() -> None:
    few = {("jpn", "Jpan"): texts(3), ("lao", "Laoo"): texts(3), ("ell", "Grek"): texts(3)}
    found = fit(few | {("deu", "Latn"): texts(400)}, DEFAULTS)
    assert set(found) == {"Latn", "Jpan", "Laoo"}
    for script in ("Jpan", "Laoo"):
        for n, share in enumerate(fitting_limits.CHANCE[script], 5):
            name = f"max_dup_{n}gram_char_share"
            assert found[script].get(name, DEFAULTS[name]) == max(share, DEFAULTS[name])


def test_english_keeps_what_was_found_for_it() -> None:
    found = fit(
        {("eng", "Latn"): texts(126, char_dup_share=0.3, line_punct_share=0.0), ("deu", "Latn"): texts(126)}, DEFAULTS
    )
    for name, value in fitting_limits.ENGLISH.items():
        assert found["eng_Latn"].get(name, DEFAULTS[name]) == value
    assert "min_line_punct_share" not in found.get("deu_Latn", {}) | found["Latn"]


def test_texts_in_another_language_are_no_measure() -> None:
    shares, hits = np.full(100, 0.3), np.full(100, 20.0)
    shares[:4], hits[:4] = 0.01, 0
    found = fit({("swh", "Latn"): texts(100, stop_word_share=shares, stop_word_hits=hits)}, DEFAULTS)
    assert found == {"Latn": {"min_stop_word_share": 0.08}}  # 0.3 of the median 0.3, less 1 / sqrt(96)
    shares[:10], hits[:10] = 0.01, 0  # a tenth is the language's own way
    found = fit({("swh", "Latn"): texts(100, stop_word_share=shares, stop_word_hits=hits)}, DEFAULTS)["Latn"]
    assert found["min_stop_words"] == 0 and found["min_stop_word_share"] < 0.01


def test_few_texts_are_not_fitted_and_their_script_serves_them() -> None:
    languages = {
        (f"a{chr(97 + i)}{chr(97 + i)}", "Cyrl"): texts(50, newline_to_word_ratio=0.3 + i / 100) for i in range(20)
    }
    found = fit(
        languages | {("zzz", "Cyrl"): texts(19, newline_to_word_ratio=5.0), ("yyy", "Grek"): texts(3)}, DEFAULTS
    )
    assert "zzz_Cyrl" not in found and "Grek" not in found and "yyy_Grek" not in found
    fitted = [found.get(f"{key[0]}_Cyrl", {}).get("max_newline_to_word_ratio") for key in languages]
    family = found["Cyrl"]["max_newline_to_word_ratio"]
    assert max(value or family for value in fitted) == family  # loose enough for 98 of 100, so for all of 20


def test_only_thresholds_that_there_are() -> None:
    found = fit({("deu", "Latn"): texts(50, newline_to_word_ratio=0.5)}, {"max_newline_to_word_ratio": 0.3})
    assert set(found["Latn"]) == {"max_newline_to_word_ratio"}
    assert fit({}, DEFAULTS) == {} and fit({("deu", "Latn"): {}}, DEFAULTS) == {}


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        (np.full(100, 0.99), 0.9),  # clipped above
        (np.array([0.1, 0.2, 0.3] * 10), 0.3),  # and below
        (np.array([0.8] * 50 + [1.0] * 50), 0.8),  # 0.9 - 0.1 = 0.8
        (np.array([0.5] * 2 + [0.95] * 98), 0.5),  # 0.95 - 0.063 = 0.887 would cut two of a hundred
    ],
)
def test_tau_by_hand(scores: np.ndarray, expected: float) -> None:
    assert tau(scores) == pytest.approx(expected, abs=0.001)
    assert tau(np.append(scores, np.nan)) == tau(scores)
    found = fit({("deu", "Latn"): texts(len(scores), language_score=scores)}, DEFAULTS)["Latn"]
    assert found.get("min_language_score", 0.3) == pytest.approx(expected, abs=0.001)


@st.composite
def corpora(draw: st.DrawFn) -> dict[tuple[str, str], dict[str, np.ndarray]]:
    found = {}
    for key in draw(st.lists(st.sampled_from([("eng", "Latn"), ("deu", "Latn"), ("cmn", "Hani"), ("tha", "Thai")]),
                             min_size=1, max_size=3, unique=True)):  # fmt: skip
        n = draw(st.sampled_from([20, 57, 300, 1500]))
        random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        values = {name: random.exponential(draw(st.sampled_from([0.01, 0.1, 1.0])), n) for name in SIGNALS_USED}
        values |= {
            name: np.clip(values[name], 0, 1) for name in ("alpha_word_share", "stop_word_share", "language_score")
        }
        values |= {name: np.ceil(300 * values[name]) for name in ("n_words", "n_sentences", "stop_word_hits")}
        found[key] = values
    return found


@settings(max_examples=40, deadline=None)
@given(corpora())
def test_what_is_cut_of_trusted_texts(corpus: dict[tuple[str, str], dict[str, np.ndarray]]) -> None:
    """At most CUT a family by all its rules, where no threshold stands at its loosest; never stricter than the start
    while texts are few; the same whatever the order of languages and texts."""
    found = fit(corpus, DEFAULTS)
    turned = {key: {name: v[::-1].copy() for name, v in corpus[key].items()} for key in reversed(corpus)}
    assert fit(turned, DEFAULTS) == found
    for (language, script), given_texts in corpus.items():
        kept = fitting._prose(given_texts)
        n = len(kept["n_words"])
        for name, limit in LIMIT.items():
            # What no section says holds by default.
            sections = (found.get(key, {}) for key in (f"{language}_{script}", script))
            value = next((section[name] for section in sections if name in section), DEFAULTS[name])
            values = kept[limit.signal] if limit.signal in kept else np.empty(0)
            if limit.scale or not len(values) or (language == "eng" and name in fitting_limits.ENGLISH):
                continue
            cut = (values < value).mean() if limit.is_min else (values > value).mean()
            budget = fitting.CUT / FAMILY[name][1]
            if name.startswith("max_dup_") and script in fitting_limits.CHANCE:
                continue
            unused = limit.signal == "space_to_word_ratio" and script not in fitting_limits.PHRASES_APART
            assert cut <= budget + 1e-9 or value == pytest.approx(limit.loosest, abs=0.001) or unused, (name, cut, n)
            if n < fitting.STRICTER:
                assert value <= limit.start if limit.is_min else value >= limit.start, (name, value, n)


def test_the_shipped_profiles_hold_what_the_config_knows() -> None:
    known = profiles.load("", CleanConfig.threshold_names())
    assert {"Latn", "Cyrl", "Arab", "Deva", "Hani", "Jpan", "Hang", "Thai", "Ethi", "Geor", "Taml"} <= set(
        known.thresholds
    )
    assert not any("min_language_score" in section for section in known.thresholds.values())  # a model's own affair
    config = CleanConfig()
    limits = config.limits(known)
    for key in [*known.stop_words, "und_Latn", "und_Arab", "xyz_Thai"]:
        language, script = key.split("_")
        for name, limit in LIMIT.items():
            if name not in CleanConfig.threshold_names() or limit.scale:
                continue
            if name.startswith("max_dup_") and script in fitting_limits.CHANCE:
                continue
            if name == "max_space_to_word_ratio" and script not in fitting_limits.PHRASES_APART:
                continue
            value = limits.of(name, language, script, {})
            outer = max(limit.loosest, limit.start) if not limit.is_min else max(limit.start, 1)
            assert 0 <= value <= outer or value == fitting_limits.ENGLISH.get(name), (key, name)
