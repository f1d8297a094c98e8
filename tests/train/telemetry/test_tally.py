"""Sums by language and objective against sums by hand, over one process and several."""

import json
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from torch import Tensor

from train.telemetry.tally import Tally, describe, seen

LANGUAGES = ("eng_Latn", "kat_Geor", "tha_Thai")


@dataclass
class Alike:
    """As many processes as `size`, each with the same numbers."""

    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def sum(self, values: Tensor) -> Tensor:
        return values.mul_(self.size)


def step(value: float) -> Tensor:
    return torch.tensor([[value, 1, 2], [0, 0, 0], [3 * value, 1, 4]], dtype=torch.double)


COUNTS = np.array([[20, 18, 1], [0, 0, 0], [60, 58, 1]])


def test_sums_begin_anew_after_a_line_and_counts_do_not() -> None:
    tally = Tally(LANGUAGES, ("mlm", "tlm"), Alike(2))
    tally.add({"mlm": step(1.0), "tlm": step(5.0)}, COUNTS)
    tally.add({"mlm": step(2.0)}, COUNTS)
    tally.gather()
    assert tally.sums["mlm"].tolist() == [[6, 4, 8], [0, 0, 0], [18, 4, 16]]
    assert tally.sums["tlm"].tolist() == [[10, 2, 4], [0, 0, 0], [30, 2, 8]]
    tally.gather()
    assert tally.sums["mlm"][0, 0] == 6 and tally.tokens == 320
    tally.reset()
    tally.add({"tlm": step(1.0)}, COUNTS)
    tally.gather()
    assert tally.sums["mlm"].sum() == 0 and tally.sums["tlm"][2].tolist() == [6, 2, 8]
    assert tally.counts.tolist() == (6 * COUNTS).tolist()


def test_what_the_caller_does_with_its_sums_does_not_come_back() -> None:
    tally, sums = Tally(LANGUAGES, ("mlm",), Alike()), step(1.0)
    tally.add({"mlm": sums}, COUNTS)
    sums.zero_()
    tally.gather()
    assert tally.sums["mlm"][0].tolist() == [1, 1, 2]


def test_a_state_goes_through_json_and_is_read_by_name() -> None:
    tally = Tally(LANGUAGES, ("mlm", "tlm"), Alike())
    tally.add({"mlm": step(0.1), "tlm": step(0.7)}, COUNTS)
    tally.gather()
    state = json.loads(json.dumps(tally.state()))
    again = Tally(LANGUAGES, ("mlm", "tlm"), Alike())
    again.restore(state)
    assert again.state() == tally.state()
    other = Tally(("tha_Thai", "new_Latn"), ("rtd", "tlm"), Alike())
    other.restore(state)
    assert other.counts.tolist() == [[60, 58, 1], [0, 0, 0]]
    assert other.sums["tlm"].tolist() == [tally.sums["tlm"][2].tolist(), [0, 0, 0]]
    assert not other.sums["rtd"].any()


def test_one_objective_by_hand() -> None:
    sums = np.array([[6.0, 1, 4], [0, 0, 0], [10.0, 3, 4]])
    assert describe(LANGUAGES, {"mlm": sums}) == {
        "loss": 2.0, "accuracy": 0.5, "masked": 8,
        "languages": {
            "eng_Latn": {"loss": 1.5, "accuracy": 0.25, "masked": 4},
            "tha_Thai": {"loss": 2.5, "accuracy": 0.75, "masked": 4},
        },
    }  # fmt: skip


def test_the_first_of_several_stays_on_top() -> None:
    mlm, tlm = np.array([[6.0, 1, 4], [0, 0, 0], [0, 0, 0]]), np.array([[0, 0, 0], [3.0, 3, 4], [0, 0, 0]])
    found = describe(LANGUAGES, {"mlm": mlm, "tlm": tlm}, {"mlm": 1.0, "tlm": 0.5})
    assert (found["loss"], found["accuracy"], found["masked"]) == (1.5, 0.25, 4)
    assert found["objectives"] == {
        "mlm": {"loss": 1.5, "accuracy": 0.25, "units": 4, "weight": 1.0},
        "tlm": {"loss": 0.75, "accuracy": 0.75, "units": 4, "weight": 0.5},
    }
    assert found["languages"] == {
        "eng_Latn": {"loss": 1.5, "accuracy": 0.25, "masked": 4,
                     "objectives": {"mlm": {"loss": 1.5, "accuracy": 0.25, "units": 4}}},
        "kat_Geor": {"objectives": {"tlm": {"loss": 0.75, "accuracy": 0.75, "units": 4}}},
    }  # fmt: skip


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_null_and_its_language_named(bad: float) -> None:
    found = describe(LANGUAGES, {"mlm": np.array([[bad, 1, 4], [2.0, 1, 1], [0, 0, 0]])})
    assert found["loss"] is None and found["accuracy"] == 0.4
    assert found["languages"]["eng_Latn"]["loss"] is None and found["languages"]["kat_Geor"]["loss"] == 2.0
    json.dumps(found, allow_nan=False)


def test_a_step_without_units() -> None:
    assert describe(LANGUAGES, {"mlm": np.zeros((3, 3))}) == {
        "loss": None,
        "accuracy": None,
        "masked": 0,
        "languages": {},
    }


def test_what_was_seen_of_each_language() -> None:
    found = seen(LANGUAGES, 6 * COUNTS, [80.0, 0.0, 720.0], [4.0, 4.0, 0.5])
    assert found == {
        "eng_Latn": {"tokens": 120, "share": 0.25, "documents": 6, "epochs": 1.5, "max_epochs": 4.0},
        "kat_Geor": {"tokens": 0, "share": 0.0, "documents": 0, "epochs": 0.0, "max_epochs": 4.0},
        "tha_Thai": {"tokens": 360, "share": 0.75, "documents": 6, "epochs": 0.5, "max_epochs": 0.5},
    }
    nothing = seen(LANGUAGES, np.zeros((3, 3), np.int64), [1.0, 1.0, 1.0])
    assert nothing["eng_Latn"] == {"tokens": 0, "share": 0.0, "documents": 0, "epochs": 0.0}


def test_the_largest_language_of_an_objective_that_tells_them_by_hand() -> None:
    sums = {
        "mlm": np.array([[6.0, 1, 4], [0, 0, 0], [10.0, 3, 4]]),
        "told": np.array([[1.0, 1, 2], [1, 0, 1], [4, 1, 5]]),
    }
    found = describe(LANGUAGES, sums, None, ["told"])["objectives"]
    assert found["told"]["majority"] == 5 / 8 and "majority" not in found["mlm"]
    nothing = describe(LANGUAGES, sums | {"told": np.zeros((3, 3))}, None, ["told"])["objectives"]["told"]
    assert nothing["majority"] is None
