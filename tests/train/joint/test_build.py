"""What the weights of a run are, of objectives and languages, and which of them are refused."""

import numpy as np
import pytest

from schemas.errors import UserError
from train.config.load import load_config
from train.config.tables import PretrainConfig
from train.data.plan import Plan, PlannedPhase
from train.joint.build import KINDS, build_weighting, check_phases

LANGUAGES = ("eng_Latn", "kat_Geor", "zho_Hans")


def config(weights: str, *flags: str) -> PretrainConfig:
    paths = ["--shards", "s", "--tokenizer", "t", "--output", "o", "--steps", "100"]
    return load_config([*paths, "--language_weights", weights, *flags])


def test_only_guesses_of_tokens_cost_a_product_with_the_vocabulary() -> None:
    assert {name for name, kind in KINDS.items() if kind.guesses} == {"mlm", "tlm", "distillation"}


def test_languages_follow_their_schedules_and_the_others_weigh_one() -> None:
    found = build_weighting(config("kat_Geor=0.5,zho_Hans=0:1;50:0"), {}, LANGUAGES)
    assert found.of_languages(0, 100).tolist() == [1, 0.5, 1]
    assert found.of_languages(20, 100).tolist() == [1, 0.5, 0.6]
    assert found.of_languages(80, 100).tolist() == [1, 0.5, 0]
    later = build_weighting(config("eng_Latn=0:0;50:1,kat_Geor=0,zho_Hans=0:1;50:0"), {}, LANGUAGES)
    assert later.ever_weighing().tolist() == [True, False, True]
    shares = build_weighting(config("eng_Latn=50%:1;100%:0.2"), {}, LANGUAGES)
    assert [shares.of_languages(step, 100)[0] for step in (0, 50, 75)] == pytest.approx([1, 1, 0.6])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("eng_latn=2", "language_weights names eng_latn, which the shards do not have: did you mean eng_Latn?"),
        ("xxx_Yyyy=2", "language_weights names xxx_Yyyy, which the shards do not have: take it out"),
        ("eng_Latn=0,kat_Geor=0,zho_Hans=0", "language_weights gives every language 0: give one of them more"),
        ("eng_Latn=0,kat_Geor=0:0;9:1,zho_Hans=0", "language_weights gives every language 0 at step 0 of the"),
        ("eng_Latn=0:1;30:0,kat_Geor=0:0;30:0;31:1,zho_Hans=0", "language_weights gives every language 0 at step 30"),
    ],
)
def test_weights_that_cannot_be(weights: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        build_weighting(config(weights), {}, LANGUAGES)
    assert str(error.value).startswith(message) and "\n" not in str(error.value)


def test_a_phase_whose_languages_all_weigh_nothing_is_refused() -> None:
    first, second = np.array([0.7, 0.3, 0.0]), np.array([0.0, 0.0, 1.0])
    plan = Plan(LANGUAGES, (PlannedPhase(0, 60, first), PlannedPhase(1, 100, second)), np.ones(3), np.ones(3))
    check_phases(config("zho_Hans=0:0;60:1"), plan, 0)
    check_phases(config("eng_Latn=0,kat_Geor=0"), plan, 60)  # the first phase is over
    for weights, said in (
        ("eng_Latn=0,kat_Geor=0", r"phase 1 of mixture.json \(eng_Latn, kat_Geor\) 0 at step 0 "),
        ("zho_Hans=0:1;60:0;70:1", r"phase 2 of mixture.json \(zho_Hans\) 0 at step 60 "),
        ("zho_Hans=0:1;99:0", r"phase 2 of mixture.json \(zho_Hans\) 0 at step 99 "),
    ):
        with pytest.raises(UserError, match=said):
            check_phases(config(weights), plan, 0)
