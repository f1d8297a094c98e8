"""Figures over seeds, worked by hand: t of two degrees of freedom is 4.302653."""

import math

import pytest

from schemas.evaluation import Evaluation, Figure, Table
from train.branching.seeds import over_seeds, side_by_side
from train.branching.table import lines


def figure(value: float) -> Figure:
    return {"value": value, "low": value - 1, "high": value + 1, "count": 9}


def evaluation(model: str, english: float, arabic: float, twin: bool = True) -> Evaluation:
    rows = {"arb_Arab": figure(arabic), "eng_Latn": figure(english)}
    table: Table = {
        "name": "bits_a_byte", "title": "bits", "unit": "bits a byte", "better": "lower",
        "settings": {"measure": "bits", "of": {model: 1}}, "figures": {model: rows},
        "baselines": {f"{model}, untrained": rows, "n-grams": rows} if twin else {}, "means": {},
    }  # fmt: skip
    return {"version": 1, "models": [{"name": model, "folder": "f", "kind": "k", "parameters": 1}], "tables": [table]}


def of_seed(ties: float, joint: float) -> Evaluation:
    return side_by_side([evaluation("ties", ties, ties + 1), evaluation("joint", joint, joint + 2)])


def test_arms_side_by_side() -> None:
    found = of_seed(2.0, 1.0)
    (table,) = found["tables"]
    assert [model["name"] for model in found["models"]] == ["ties", "joint"] == list(table["figures"])
    assert sorted(table["baselines"]) == ["n-grams", "ties, untrained"]
    assert table["settings"]["of"] == {"ties": 1, "joint": 1}
    assert table["means"]["ties"]["value"] == 2.5 and table["means"]["joint"]["value"] == 2.0


def test_one_seed_keeps_its_own_intervals() -> None:
    first, less = over_seeds({0: of_seed(2.0, 1.0)}, "joint")["tables"]
    assert first == of_seed(2.0, 1.0)["tables"][0]
    assert less["name"] == "bits_a_byte_less_joint" and list(less["figures"]) == ["ties"]
    assert less["figures"]["ties"]["eng_Latn"] == {"value": 1.0, "low": None, "high": None, "count": 9}
    assert less["figures"]["ties"]["arb_Arab"]["value"] == 0.0 and less["means"]["ties"]["value"] == 0.5


def test_means_and_intervals_over_three_seeds() -> None:
    first, less = over_seeds({5: of_seed(2, 1), 6: of_seed(3, 1), 7: of_seed(4, 1)}, "joint")["tables"]
    half = 4.302653 * 1.0 / math.sqrt(3)
    english = first["figures"]["ties"]["eng_Latn"]
    assert (english["value"], english["low"], english["high"]) == pytest.approx((3, 3 - half, 3 + half), abs=1e-5)
    assert first["means"]["ties"]["value"] == 3.5 and first["settings"]["seeds"] == [5, 6, 7]
    difference = less["figures"]["ties"]["arb_Arab"]
    assert (difference["value"], difference["low"]) == pytest.approx((1, 1 - half), abs=1e-5)
    assert first["settings"]["interval"] == less["settings"]["interval"] == "95 %, Student's t over seeds"
    assert first["figures"]["joint"]["eng_Latn"]["low"] == first["figures"]["joint"]["eng_Latn"]["high"] == 1.0


def test_without_the_reference_there_are_no_differences() -> None:
    assert len(over_seeds({0: of_seed(2, 1), 1: of_seed(2, 1)}, None)["tables"]) == 1
    assert len(over_seeds({0: of_seed(2, 1)}, "absent")["tables"]) == 1


def test_what_is_the_same_of_all_arms_has_no_differences() -> None:
    """Characters that the one vocabulary of all loses, say; of one seed alone they may be the same by chance."""
    alike = side_by_side([evaluation("ties", 2, 4), evaluation("joint", 2, 4)])
    assert len(over_seeds({0: alike, 1: alike}, "joint")["tables"]) == 1
    assert len(over_seeds({0: alike, 1: of_seed(2, 1)}, "joint")["tables"]) == 2


@pytest.mark.parametrize(("seeds", "words"), [(3, "Student's t over 3 seeds"), (1, "over the texts of one seed")])
def test_the_table_says_what_its_intervals_are(seeds: int, words: str) -> None:
    by_seed = {seed: of_seed(2 + seed, 1) for seed in range(seeds)}
    shown = {str(seed): {"eng_Latn": 10} for seed in by_seed}
    accounts = {arm: {"shown": shown} for arm in ("ties", "joint")}
    printed = lines(over_seeds(by_seed, "joint"), accounts)
    assert printed[0].startswith("in brackets: 95 % intervals ") and words in printed[0]
    assert printed[1:3] == ["", "bits"] and any("less that of joint" in line for line in printed)
