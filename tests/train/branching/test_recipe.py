"""Settings of each step's run: schedules that fit together, and what only some arms have."""

from pathlib import Path

import pytest

from schemas.errors import UserError
from train.branching.budget import divided
from train.branching.recipe import Recipe, read_recipe
from train.branching.steps import Plan, Pretraining, plan
from train.config.load import load_config
from train.config.tables import PretrainConfig
from train.config.written import as_toml
from train.optim.schedule import learning_rate

LANGUAGES = ("eng_Latn", "cmn_Hani")
BUDGET = divided(50, 2, 0.4, 0.2, 0.1, 0.25)
PLAN: Plan = plan(BUDGET, LANGUAGES, [], ("joint", "distilled", "adversarial"), 0.1)
FOLDERS = {step.name: Path("models") / step.name for step in PLAN.steps}


def recipe(folder: Path, text: str = "") -> Recipe:
    file = folder / "run.toml"
    file.write_text('preset = "tiny"\n' + text, encoding="utf-8")
    return read_recipe(Path("s"), Path("t"), file, None)


def config(found: Recipe, name: str, seed: int = 3) -> PretrainConfig:
    return found.config(PLAN.pretrainings()[name], Path("out") / name, seed, FOLDERS)


def rates(found: PretrainConfig) -> list[float]:
    optim, steps = found.optim, found.run.steps
    return [
        learning_rate(
            step, steps, peak=1.0, warmup_ratio=optim.warmup_ratio, decay_ratio=optim.decay_ratio, shape="linear"
        )
        for step in range(steps)
    ]


def test_rates_of_all_runs(tmp_path: Path) -> None:
    """The seed rises and stays; a branch rises again and stays; a decay rises again and falls; the joint run begins as
    the seed does and falls as long as a decay is."""
    found = recipe(tmp_path)
    seed, branch = rates(config(found, "seed")), rates(config(found, "branches/eng_Latn"))
    assert seed == [pytest.approx(one) for one in (0.2, 0.4, 0.6, 0.8, *[1.0] * 16)]
    assert branch == [pytest.approx(one) for one in (0.5, *[1.0] * 9)]
    fall = [pytest.approx(1 - step / 9) for step in range(1, 9)]
    assert rates(config(found, "distilled")) == [0.5, 1.0, *fall]
    joint = rates(config(found, "joint"))
    assert (
        joint[:20] == seed
        and joint[20:40] == [1.0] * 20
        and joint[40:] == pytest.approx([1 - n / 11 for n in range(1, 11)])
    )


def test_what_each_run_is_given(tmp_path: Path) -> None:
    found = recipe(tmp_path, "[run]\nlog_every = 7\n")
    branch = config(found, "branches/cmn_Hani")
    assert branch.data.language_shares == {"cmn_Hani": 0.9} and branch.model.init == Path("models/seed")
    assert branch.run.log_every == 7 and branch.run.output == Path("out/branches/cmn_Hani")
    taught, turned, joint = (config(found, name) for name in ("distilled", "adversarial", "joint"))
    assert taught.model.teachers == {name: Path("models/branches") / name for name in LANGUAGES}
    assert {name: table.weight for name, table in taught.objectives.items()} == {"mlm": "0.5", "distillation": "0.5"}
    assert list(turned.objectives) == ["mlm", "language_adversary"] and list(joint.objectives) == ["mlm"]


def test_orders_of_the_data(tmp_path: Path) -> None:
    """What begins from scratch has the seed itself; branches differ, whatever decays is shown the same."""
    found = recipe(tmp_path)
    seeds = {name: config(found, name).run.seed for name in PLAN.pretrainings()}
    assert seeds["seed"] == seeds["joint"] == 3
    assert seeds["distilled"] == seeds["adversarial"]
    assert len(set(seeds.values())) == 4
    assert config(found, "distilled", seed=4).run.seed != seeds["distilled"]


def test_tables_of_some_arms_are_theirs_alone(tmp_path: Path) -> None:
    text = "[objectives.distillation]\nweight = 2\ntop_k = 9\n[objectives.language_adversary]\nreversal = 0.3\n"
    found = recipe(tmp_path, text)
    assert list(config(found, "seed").objectives) == ["mlm"]
    taught = config(found, "distilled").objectives
    assert taught["mlm"].weight == "1" and taught["distillation"].top_k == 9  # type: ignore[attr-defined]
    assert config(found, "adversarial").objectives["language_adversary"].reversal == 0.3  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text", ["[model]\nteachers = { 'eng_Latn' = 'x' }\n", "[data.language_shares]\neng_Latn = 0.5\n"]
)
def test_what_the_command_decides_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match="is what branch-train-merge decides: take it out"):
        recipe(tmp_path, text)


@pytest.mark.parametrize("step", [one.name for one in PLAN.steps if isinstance(one, Pretraining)])
def test_settings_are_read_again_as_they_were(tmp_path: Path, step: str) -> None:
    text = "[objectives.nsp]\n[data]\ntoken_cache = 'a \"b\" \\é'\n[optim]\nlanguage_weights = { eng_Latn = '0:1,100:0.5' }\n"
    written = config(recipe(tmp_path, text), step)
    file = tmp_path / "written.toml"
    file.write_text(as_toml(written), encoding="utf-8")
    assert load_config(["--config", str(file)]) == written
