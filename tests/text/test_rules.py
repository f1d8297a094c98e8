import re

import pyarrow as pa
import pytest

from pipeline.config import BY_LANGUAGE, CleanConfig
from pipeline.text.quality import SIGNALS
from pipeline.text.rules import RULES, Rule


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.reason)
def test_min_drops_what_is_below_and_max_what_is_above(rule: Rule) -> None:
    assert rule.compare == {"min": "<", "max": ">"}[rule.threshold.split("_")[0]]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.reason)
def test_a_threshold_is_named_after_its_signal(rule: Rule) -> None:
    """Nothing else ties the two together: a threshold moved to the next line would compare apples with oranges."""
    named = rule.threshold.removeprefix("min_").removeprefix("max_")
    assert named in (rule.signal, rule.signal.removeprefix("n_"), rule.signal.removesuffix("_hits") + "s")


def test_ngram_rules_carry_their_number() -> None:
    numbered = [rule for rule in RULES if "gram" in rule.reason]
    assert [(re.findall(r"\d+", rule.reason)) for rule in numbered] == [[str(n)] for n in range(2, 11)]
    for rule in numbered:
        assert re.findall(r"\d+", rule.reason) == re.findall(r"\d+", rule.signal) == re.findall(r"\d+", rule.threshold)


def test_longer_runs_have_stricter_thresholds() -> None:
    """Gopher's table falls with n, and so must every language's, or a rule could never fire."""
    config = CleanConfig()
    names = [rule.threshold for rule in RULES if "gopher_repetition:dup_" in rule.reason and "gram" in rule.reason]
    for values in ({}, *BY_LANGUAGE.values()):
        limits = [values.get(name, getattr(config, name)) for name in names]
        assert limits == sorted(set(limits), reverse=True)


def test_signals_are_numbers() -> None:
    kinds = {name: kind for name, kind, _ in SIGNALS}
    for rule in RULES:
        assert pa.types.is_floating(kinds[rule.signal]) or pa.types.is_integer(kinds[rule.signal])
