"""Each rule fires on a row made for it, on that row only, and for every way a threshold can be set."""

import math
import pickle
import re
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import CleanConfig
from pipeline.language.labels import LANGUAGES
from pipeline.quality.profiles import Profiles
from pipeline.quality.rules import GOPHER_VALUES, PRESETS, Decider, Rule, Thresholds, chosen, expression_of, kinds
from pipeline.quality.signals import SIGNALS
from schemas.clean import ANNOTATIONS, REASONS

NAMES = CleanConfig.threshold_names()
COLUMNS = {name: kind for name, kind, _ in (*ANNOTATIONS, *SIGNALS)}
NOTHING = Profiles({}, {}, "")
GOOD = {
    "language": "eng", "language_script": "Latn", "language_score": 1.0, "language_share": 1.0, "opt_out": "",
    "n_chars": 2000, "n_words": 400, "mean_word_length": 4.5, "alpha_word_share": 0.95, "stop_word_hits": 30,
    "stop_word_share": 0.4, "line_punct_share": 0.9, "c4_kept_sentences": 20, "n_bad_words": 0, "n_sentences": 20,
}  # fmt: skip
ALL_LISTED = ("noai", "noimageai", "noindex", "tdm")


def table(*rows: Mapping[str, Any]) -> pa.RecordBatch:
    """Rows like GOOD but for what is given; shares and counts that are not named are 0, labels null."""
    names = [name for name in COLUMNS if name not in ("id", "text", "url", "date", "dump", "file_path", "top_langs")]
    arrays = []
    for name in names:
        zero = None if pa.types.is_string(COLUMNS[name]) else 0
        arrays.append(pa.array([row.get(name, GOOD.get(name, zero)) for row in rows], COLUMNS[name]))
    arrays.append(pa.array([row.get("score_edu", 1.0) for row in rows]))
    return pa.RecordBatch.from_arrays(arrays, [*names, "score_edu"])


def verdicts(batch: pa.RecordBatch, profiles: Profiles = NOTHING, **config: Any) -> list[str | None]:
    settings_ = CleanConfig.model_validate(config)
    found = Decider(settings_.chosen_rules(), settings_.limits(profiles))(batch)
    assert found.type == pa.string() and len(found) == batch.num_rows
    reasons: list[str | None] = found.to_pylist()
    return reasons


# What fires each rule of each preset.
FIRING: dict[str, dict[str, Any]] = {
    "empty": {"n_chars": 0},
    "blocked:host": {"blocked_host": "ut1 adult"},
    "blocked:url": {"blocked_url": "mine"},
    **{f"opt_out:{flag}": {"opt_out": flag} for flag in ALL_LISTED},
    "contaminated": {"contaminated_by": "sib200"},
    "language:und": {"language": "und", "language_script": "Zyyy", "language_score": 0.0},
    "language:not_selected": {"language": "deu"},
    "language:score": {"language_score": 0.29},
    "language:mixed": {"language_share": 0.49},
    "gopher_quality:too_few_words": {"n_words": 49},
    "gopher_quality:too_many_words": {"n_words": 100_001},
    "gopher_quality:short_words": {"mean_word_length": 1.9},
    "gopher_quality:long_words": {"mean_word_length": 15.1},
    "gopher_quality:hash_signs": {"hash_to_word_ratio": 0.11},
    "gopher_quality:ellipses": {"ellipsis_to_word_ratio": 0.11},
    "gopher_quality:bullet_lines": {"bullet_line_share": 0.91},
    "gopher_quality:ellipsis_lines": {"ellipsis_line_share": 0.31},
    "gopher_quality:few_alpha_words": {"alpha_word_share": 0.69},
    "gopher_quality:few_stop_words": {"stop_word_hits": 1},
    "gopher_repetition:dup_paragraphs": {"dup_paragraph_share": 0.31},
    "gopher_repetition:dup_paragraph_chars": {"dup_paragraph_char_share": 0.21},
    "gopher_repetition:dup_lines": {"dup_line_share": 0.31},
    "gopher_repetition:dup_line_chars": {"dup_line_char_share": 0.21},
    "gopher_repetition:top_2gram": {"top_2gram_char_share": 0.21},
    "gopher_repetition:top_3gram": {"top_3gram_char_share": 0.19},
    "gopher_repetition:top_4gram": {"top_4gram_char_share": 0.17},
    **{f"gopher_repetition:dup_{n}gram": {f"dup_{n}gram_char_share": 0.205 - n / 100} for n in range(5, 11)},
    "fineweb:line_punct": {"line_punct_share": 0.11},
    "fineweb:char_dup": {"char_dup_share": 0.11},
    "fineweb:newlines": {"newline_to_word_ratio": 0.31},
    "boilerplate:policy_lines": {"c4_policy_line_share": 0.31, "n_lines": 9},
    "symbols:symbols": {"symbol_char_share": 0.11},
    "keywords:few_stop_words": {"stop_word_share": 0.04},
    "keywords:long_sentences": {"n_sentences": 0},
    "keywords:spaces": {"space_to_word_ratio": 0.6},
    "c4:lorem_ipsum": {"c4_lorem_ipsum": 1},
    "c4:curly_bracket": {"c4_curly_bracket": 1},
    "c4:policy_lines": {"c4_policy_line_share": 0.31},
    "c4:javascript_lines": {"c4_javascript_line_share": 0.31},
    "c4:few_sentences": {"c4_kept_sentences": 4},
    "bad_words": {"n_bad_words": 1},
    "rule": {"n_sentences": 7},
    "score": {"score_edu": 0.29},
}
EVERYTHING: dict[str, Any] = {
    "presets": [name for name in PRESETS if name != "none"],
    "languages": ["eng"],
    "opt_out": ALL_LISTED,
    "min_line_punct_share": 0.12,
    "min_stop_word_share": 0.05,
    "max_space_to_word_ratio": 0.5,
    "rules": {"mine": "n_sentences == 7"},
    "classifiers": {"edu": "edu.ftz"},
    "score_thresholds": {"edu": 0.3},
}


def test_every_reason_has_a_row_that_fires_it() -> None:
    assert set(FIRING) == {reason for reason in REASONS if not reason.startswith("failed:")}


@pytest.mark.parametrize("reason", FIRING)
def test_a_rule_fires_on_its_row_and_a_good_row_stays(reason: str) -> None:
    expected = {"rule": "rule:mine", "score": "score:edu"}.get(reason, reason)
    assert verdicts(table(GOOD, FIRING[reason], GOOD), **EVERYTHING) == [None, expected, None]


@pytest.mark.parametrize("reason", [reason for reason in FIRING if reason not in ("empty", "rule", "score")])
def test_a_rule_that_is_off_does_not_fire(reason: str) -> None:
    off = EVERYTHING | {"rules": {reason: "off"}}
    (found,) = verdicts(table(FIRING[reason]), **off)
    assert found != reason
    assert verdicts(table(FIRING[reason]), **(off | {"rules": {reason: " "}})) == [found]


def test_the_first_reason_in_the_contract_s_order_is_named() -> None:
    given = [
        reason for reason in REASONS if not re.search("und|not_selected|too_many|long_words|rule|score|failed", reason)
    ]
    row: dict[str, Any] = {}
    for reason in reversed(given):
        row |= FIRING[reason]
    row["opt_out"] = ",".join(ALL_LISTED)
    left = dict.fromkeys(given)
    own: dict[str, str] = {"last": "n_chars == 0"}
    while left:
        (found,) = verdicts(table(row), **(EVERYTHING | {"rules": own}))
        expected = next(iter(left))
        assert found == expected
        del left[expected]
        if expected == "empty":
            row["n_chars"], own["last"] = 1, "n_chars == 1"
        else:
            own[expected] = "off"
    assert verdicts(table(row), **(EVERYTHING | {"rules": own})) == ["rule:last"]


def test_nulls_never_fire() -> None:
    """All rules of a table without one signal, even where another column is not there at all."""
    batch = table(GOOD)
    empty = pa.RecordBatch.from_arrays(
        [pa.nulls(3, field.type) for field in batch.schema], schema=batch.schema
    )  # fmt: skip
    assert verdicts(empty, **EVERYTHING) == [None] * 3
    bare = pa.RecordBatch.from_pydict({"language": ["eng"], "language_script": ["Latn"], "n_words": [3]})
    assert verdicts(bare) == ["gopher_quality:too_few_words"]
    assert verdicts(bare.slice(0, 0)) == []


def test_undetermined_texts_stay_unless_they_have_no_letter() -> None:
    und = {"language": "und", "language_score": 0.0, "language_share": 0.0}
    letters, none = und | {"language_script": "Latn"}, und | {"language_script": "Zyyy"}
    assert verdicts(table(letters, none)) == [None, "language:und"]
    assert verdicts(table(letters, none), undetermined="drop") == ["language:und"] * 2
    assert verdicts(table(letters, none), languages=["eng"]) == ["language:not_selected", "language:und"]


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_what_they_say(preset: str) -> None:
    """Their expressions compare each signal with the threshold of its name, below a min or above a max."""
    for reason, expression in PRESETS[preset].items():
        if reason in ("boilerplate:policy_lines", "keywords:long_sentences"):  # more than a comparison
            continue
        signal, compare, limit = expression.split()
        assert reason in REASONS and signal in COLUMNS
        if limit == "0":
            assert compare == ">"
            continue
        assert compare == {"min": "<", "max": ">"}[limit.split("_")[0]]
        bare = [limit.removeprefix("min_").removeprefix("max_")] * 2
        plain = signal.removeprefix("n_").replace("_hits", "s").replace("c4_kept", "c4")
        assert plain in bare or signal in bare
        if "gram" in reason:
            assert re.findall(r"\d+", reason) == re.findall(r"\d+", signal) == re.findall(r"\d+", limit)


def test_fineweb2_leaves_out_what_fineweb2_leaves_out() -> None:
    both = PRESETS["gopher"].keys() - PRESETS["fineweb2"].keys()
    assert both == {
        "gopher_repetition:dup_paragraphs", "gopher_repetition:dup_paragraph_chars", "gopher_repetition:dup_line_chars",
    }  # fmt: skip
    assert PRESETS["none"] == {} and list(PRESETS) == ["gopher", "fineweb2", "c4", "boilerplate", "none"]


def test_banners_and_sentences() -> None:
    """Three policy lines make a banner; the words of n sentences may be n times as many as those of one."""
    policy = [{"c4_policy_line_share": 0.5, "n_lines": lines} for lines in (2, 4, 6, 8)]
    assert verdicts(table(*policy)) == [None, None, *["boilerplate:policy_lines"] * 2]
    counts = [
        {"n_words": words, "n_sentences": n} for words, n in ((1000, 1), (1001, 1), (2000, 2), (2001, 2), (900, 0))
    ]
    long = "keywords:long_sentences"
    assert verdicts(table(*counts)) == [None, long, None, long, long]
    assert verdicts(table(*counts), max_words_a_sentence=500) == [long] * 5


def test_gopher_s_numbers_are_the_paper_s() -> None:
    """Table A1 of arXiv 2112.11446; they hold for every language, over profiles, unless the user says otherwise."""
    paper = (0.30, 0.30, 0.20, 0.20, 0.20, 0.18, 0.16, 0.15, 0.14, 0.13, 0.12, 0.11, 0.10)
    order = ["dup_line_share", "dup_paragraph_share", "dup_line_char_share", "dup_paragraph_char_share"]
    order += [f"{'top' if n < 5 else 'dup'}_{n}gram_char_share" for n in range(2, 11)]
    assert tuple(GOPHER_VALUES[f"max_{name}"] for name in order) == paper
    used = {name for text in PRESETS["gopher"].values() for name in text.split() if name in NAMES}
    assert used == set(GOPHER_VALUES)
    profiles = Profiles({"tha": {"min_words": 5}}, {}, "")
    row = {"language": "tha", "language_script": "Thai", "n_words": 20}
    assert verdicts(table(row), profiles) == [None]
    few = ["gopher_quality:too_few_words"]
    assert verdicts(table(row), profiles, presets=["gopher"]) == few
    assert verdicts(table(row), profiles, presets=["gopher", "fineweb2"]) == few  # the union is as strict as either
    assert verdicts(table(row), profiles, presets=["gopher"], min_words=10) == [None]
    assert verdicts(table(row), profiles, presets=["gopher"], by_language={"Thai": {"min_words": 10}}) == [None]


COUNTS = range(3, 60)


def test_which_threshold_holds() -> None:
    """by_language, then what is set for all, then the profile, then the default; script last within each."""
    limits = {"srp_Cyrl": 5.0, "srp": 6.0, "Cyrl": 7.0}
    for known in ("srp_Cyrl", "srp", "Cyrl", None):
        profile = Profiles({key: {"min_words": value} for key, value in limits.items()}, {}, "")
        rows = table(*({"language": "srp", "language_script": "Cyrl", "n_words": words} for words in COUNTS))

        def dropped_below(least: float) -> list[str | None]:
            return ["gopher_quality:too_few_words" if words < least else None for words in COUNTS]

        over: dict[str, Any] = {"min_words": 9, "by_language": {"srp": {"min_words": 8}}}
        assert verdicts(rows, profile) == dropped_below(next(iter(limits.values()), 50))
        assert verdicts(rows, profile, min_words=9) == dropped_below(9)
        assert verdicts(rows, profile, **over) == dropped_below(8)
        if known:
            del limits[known]


KEYS = ("eng", "Latn", "eng_Latn", "tha", "Thai", "tha_Thai", "und", "eng_Thai")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(("eng", "tha", "und", None)), st.sampled_from(("Latn", "Thai", None)),
                  st.one_of(st.none(), st.integers(0, 9))),
        max_size=30,
    ),
    *(st.dictionaries(st.sampled_from(KEYS), st.integers(0, 9), max_size=4) for _ in range(2)),
    st.one_of(st.none(), st.integers(0, 9)),
)  # fmt: skip
def test_equals_a_row_at_a_time(
    rows: list[tuple[Any, ...]], mine: dict[str, int], shipped: dict[str, int], for_all: int | None
) -> None:
    def as_table(values: dict[str, int]) -> dict[str, dict[str, float]]:
        return {key: {"min_words": float(value)} for key, value in values.items()}

    def limit(language: str, script: str) -> float:
        keys = (f"{language}_{script}", language, script)
        found = [mine[key] for key in keys if key in mine] + ([] if for_all is None else [for_all])
        return [*found, *(shipped[key] for key in keys if key in shipped), 5][0]

    rules = chosen(
        ["none"],
        {"few": "n_words < min_words"},
        ["min_words", "max_bad_words", "min_language_score", "min_language_share"],
    )
    defaults = {"min_words": 5.0, "max_bad_words": 0.0, "min_language_score": 0.0, "min_language_share": 0.0}
    thresholds = Thresholds(
        as_table(mine), {} if for_all is None else {"min_words": for_all}, as_table(shipped), defaults
    )
    batch = pa.RecordBatch.from_pydict(
        {name: [row[i] for row in rows] for i, name in enumerate(("language", "language_script", "n_words"))},
        schema=pa.schema([("language", pa.string()), ("language_script", pa.string()), ("n_words", pa.int32())]),
    )
    expected = [
        "rule:few" if words is not None and words < limit(language or "und", script or "Zyyy") else None
        for language, script, words in rows
    ]
    decide = pickle.loads(pickle.dumps(Decider(rules, thresholds)))
    assert decide(batch).to_pylist() == expected
    halves = [batch.slice(0, len(rows) // 2), batch.slice(len(rows) // 2)]
    assert [reason for half in halves for reason in decide(half).to_pylist()] == expected
    encoded = batch.set_column(0, "language", batch.column(0).dictionary_encode())
    assert decide(encoded).to_pylist() == expected


def test_own_rules() -> None:
    config: dict[str, Any] = {
        "rules": {
            "short_thai": 'language == "tha" and n_words < 70',
            "gopher_quality:too_few_words": "n_words < min_words / 2",
            "fineweb:newlines": "off",
        }
    }
    rows = table({"n_words": 30}, {"n_words": 20}, {"language": "tha", "n_words": 60}, {"newline_to_word_ratio": 2})
    assert verdicts(rows, **config) == [None, "gopher_quality:too_few_words", "rule:short_thai", None]
    # a rule of another preset, in its place of the order
    extra = {"presets": ["none"], "rules": {"zz": "n_words < 90", "c4:curly_bracket": "c4_curly_bracket > 2"}}
    assert verdicts(table({"c4_curly_bracket": 3, "n_words": 80}, {"n_words": 80}), **extra) == [
        "c4:curly_bracket",
        "rule:zz",
    ]
    names = [rule.reason for rule in CleanConfig.model_validate(config).chosen_rules()]
    assert names[-1] == "rule:short_thai" and "fineweb:newlines" not in names
    assert isinstance(CleanConfig().chosen_rules()[0], Rule)


def test_what_a_rule_may_name() -> None:
    known = kinds(NAMES)
    assert {known[name] for name, kind, _ in SIGNALS} == {"number"}
    assert (known["language"], known["opt_out"], known["min_words"]) == ("label", "words", "number")
    assert not {"id", "text"} & known.keys()


def test_only_columns_that_are_needed_are_read() -> None:
    config = CleanConfig(presets=("none",), opt_out=(), rules={"few": "n_words < min_words"})
    columns = Decider(config.chosen_rules(), config.limits(NOTHING)).columns
    assert "text" not in columns and "n_words" in columns and "min_words" not in columns
    assert {"language", "language_script"} <= set(columns)
    whole = CleanConfig(**EVERYTHING)
    everything = Decider(whole.chosen_rules(), whole.limits(NOTHING)).columns
    assert "text" not in everything and set(everything) <= COLUMNS.keys() | {"score_edu"}


def test_expressions_behind_reasons() -> None:
    own = {"mine": "n_words < 3", "fineweb:newlines": "newline_to_word_ratio > 1", "fineweb:char_dup": "off"}
    assert expression_of("rule:mine", own) == "n_words < 3"
    assert expression_of("fineweb:newlines", own) == "newline_to_word_ratio > 1"
    assert expression_of("fineweb:char_dup", own) == "char_dup_share > max_char_dup_share"
    assert "min_language_score" in expression_of("language:score", {})
    assert expression_of("score:edu", {}) == "score_edu < min_score_edu"
    assert expression_of("gone:long_ago", {}) == expression_of("rule:gone", {}) == ""
    for reason in FIRING.keys() - {
        "rule",
        "score",
        "language:not_selected",
        *(f"opt_out:{flag}" for flag in ALL_LISTED),
    }:
        assert expression_of(reason, {}), reason


def test_every_language_may_be_selected() -> None:
    rows = table({"language": "eng"}, {"language": "cmn"}, {"language": "und", "language_script": "Latn"})
    assert verdicts(rows, languages=sorted(LANGUAGES)) == [None, None, "language:not_selected"]
    assert verdicts(rows, languages=[*sorted(LANGUAGES - {"cmn"}), "und"]) == [None, "language:not_selected", None]
    many = [f"a{first}{second}" for first in "bcdefghijklmnopqrstuvwxyz" for second in "bcdefghijklmnopqrstuvwxyz"]
    assert verdicts(rows, model="x.bin", languages=many) == ["language:not_selected"] * 3


def test_a_foreign_column_that_is_no_utf_8() -> None:
    broken = pa.array([b"noai,\xff", b"\xfftdm", None, b""], pa.binary()).cast(pa.large_binary())
    column = pa.Array.from_buffers(pa.large_string(), 4, broken.buffers())
    rows = table(*[GOOD] * 4)
    place = rows.schema.get_field_index("opt_out")
    for one in (column, column.dictionary_encode()):
        assert verdicts(rows.set_column(place, "opt_out", one)) == ["opt_out:noai", None, None, None]


def test_not_a_number_is_null() -> None:
    assert verdicts(table({"alpha_word_share": math.nan}, {"alpha_word_share": -math.inf})) == [
        None,
        "gopher_quality:few_alpha_words",
    ]
