"""`train/fuse.py branch-train-merge`: a seed, branches, merges and what they are held against, trained and judged."""

import difflib
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.errors import UserError
from train.branching.steps import RUNS
from train.config.arguments import Arguments, positive

if TYPE_CHECKING:
    from train.branching.budget import Budget
    from train.branching.recipe import Recipe
    from train.branching.steps import Plan
    from train.branching.work import Work

BRANCHES = ("eng_Latn", "cmn_Hani", "arb_Arab")
RULES = ("average", "task-arithmetic", "ties", "dare")
Say = Callable[[str], None]


def flags(arguments: Arguments) -> None:
    add = arguments.add_argument
    add("--shards", type=Path, required=True, help="dataset folder, as of train/pretrain.py")
    add("--tokenizer", type=Path, required=True, help="folder with tokenizer.json, as of train/pretrain.py")
    add("--output", type=Path, required=True, help="folder of all steps; the same command goes on with it")
    add("--config", type=Path, metavar="FILE.toml", help="settings of train/pretrain.py, for all runs; what "
        "[objectives.distillation] and [objectives.language_adversary] say is for these arms alone")  # fmt: skip
    add("--preset", help="of train/pretrain.py")
    how = arguments.add_argument_group("how")
    how.add_argument("--branches", nargs="+", default=list(BRANCHES), metavar="LANGUAGE",
                     help=f"languages, a branch each; default {' '.join(BRANCHES)}")  # fmt: skip
    length = how.add_mutually_exclusive_group()
    length.add_argument("--tokens", type=positive, help="that every arm sees, seed, branches and decay together")
    length.add_argument("--steps", type=positive, help="the same in steps; default [run] steps of the file")
    how.add_argument("--seed-share", type=float, default=0.4, help="of the total; default 0.4")
    how.add_argument("--decay-share", type=float, default=0.2, help="of the total, to a rate of zero; default 0.2")
    how.add_argument("--replay", type=share, default=0.1,
                     help="of a branch's tokens, of the other languages by the mixture; default 0.1")  # fmt: skip
    how.add_argument("--rewarmup", type=float, default=0.1,
                     help="of a branch's and a decay's steps, in which the rate rises again; default 0.1")  # fmt: skip
    how.add_argument("--rules", nargs="*", default=list(RULES), metavar="RULE",
                     help="of train/fuse.py merge, with their settings as ties:density=0.5, or average:tune; default "
                     f"{' '.join(RULES)}")  # fmt: skip
    how.add_argument("--runs", nargs="*", choices=RUNS, default=list(RUNS), help="what stands beside; default all")
    how.add_argument("--student", choices=("merge", "seed"), default="merge",
                     help="what the distilled arm begins as, the mean of the branches or the seed")  # fmt: skip
    how.add_argument("--seeds", type=positive, default=1, help="whole repetitions, with intervals over them; default 1")
    how.add_argument("--nproc-per-node", type=positive, default=1, help="processes of a run, by torchrun; default 1")
    judged = arguments.add_argument_group("judgement")
    judged.add_argument("--texts", type=Path, nargs="+", default=[], help="beside the shards' validation files")
    judged.add_argument("--sib200", type=Path, help="zero-shot transfer: folders of SIB-200, LANGUAGE/train.tsv")
    judged.add_argument("--transfer-from", default="eng_Latn", help="language that is trained on; default eng_Latn")
    judged.add_argument("--bits-bytes", type=positive, default=4096, help="of a language; default 4096")
    judged.add_argument("--masked-bytes", type=positive, default=32768, help="of a language; default 32768")
    judged.add_argument("--points", type=positive, default=11, help="of a barrier between branches; default 11")
    judged.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")


def share(text: str) -> float:
    try:
        if 0 <= (value := float(text)) < 1:
            return value
    except ValueError:
        pass
    raise ArgumentTypeError(f"{text!r} should be a number from 0 up, below 1")


def run(given: Namespace, say: Say) -> None:
    """UserError, before anything is trained, for flags, files and languages that do not fit."""
    from train.branching.accounts import told
    from train.branching.judgement import asked
    from train.branching.recipe import read_recipe
    from train.branching.rules import read_rule
    from train.branching.steps import plan
    from train.branching.work import Work, begin

    recipe = read_recipe(given.shards, given.tokenizer, given.config, given.preset)
    base = recipe.base(given.output)
    check_names(given)
    budget = budget_of(given, recipe)
    rules = [read_rule(text, len(given.branches)) for text in given.rules]
    planned = plan(budget, given.branches, rules, given.runs, given.replay, given.student)
    step_tokens = base.data.global_batch_tokens
    languages, epochs = check_data(given, recipe, planned)
    settings = asked(given, languages)
    begin(given.output, identity(given, recipe, budget))
    for line in (*told(budget, given.branches, step_tokens), *epochs):
        say(line)
    seeds = range(base.run.seed, base.run.seed + given.seeds)
    works = [Work(given.output, recipe, planned, seed, given.nproc_per_node, given.device, say) for seed in seeds]
    for work in works:
        work.do()
    report(given, works, settings, step_tokens, say)


def report(given: Namespace, works: Sequence["Work"], settings: Any, step_tokens: int, say: Say) -> None:
    """Judges what is not judged yet, and writes and prints what all seeds come to."""
    import json

    from train.branching.accounts import accounts, as_lines
    from train.branching.judgement import barriers, judged
    from train.branching.seeds import over_seeds, side_by_side
    from train.branching.table import lines
    from train.evaluation.results import Results

    results = Results(given.output)
    by_seed = {}
    for work in works:
        barriers(work, settings, given.points, given.device)
        by_seed[work.seed] = side_by_side([judged(work, arm, settings, given.device) for arm in work.plan.arms])
    found = over_seeds(by_seed, "joint" if "joint" in given.runs else None)
    counted = accounts(works, step_tokens)
    printed = [*as_lines(counted, given.branches), "", *lines(found, counted)]
    results.finish(found)
    results.write("accounts.json", json.dumps(counted, indent=1, ensure_ascii=False) + "\n")
    results.write("table.txt", "\n".join(printed) + "\n")
    for seed, one in by_seed.items():
        Results(given.output / f"seed-{seed}" / "evaluation").finish(one)
    say("\n".join(printed))


def check_names(given: Namespace) -> None:
    for flag, names in (("--branches", given.branches), ("--rules", given.rules)):
        twice = next((one for one in names if names.count(one) > 1), None)
        if twice is not None:
            raise UserError(f"{flag}: {twice} is named twice")
    if len(given.branches) < 2:
        raise UserError(f"--branches {given.branches[0]}: a merge takes two branches or more: name another language")
    if not given.rules and not given.runs:
        raise UserError("--rules and --runs name nothing: name a rule or a run")
    for sign in "+=":
        if sign in str(given.output):
            raise UserError(f"--output {given.output} has {sign} in it, which parts the names of models: name another")


def budget_of(given: Namespace, recipe: "Recipe") -> "Budget":
    from train.branching.budget import divided

    base = recipe.base(given.output)
    total = given.steps or base.run.steps
    if given.tokens:
        total = given.tokens // base.data.global_batch_tokens
    return divided(
        total, len(given.branches), given.seed_share, given.decay_share, base.optim.warmup_ratio, given.rewarmup
    )


def check_data(given: Namespace, recipe: "Recipe", planned: "Plan") -> tuple[tuple[str, ...], list[str]]:
    """(languages of the shards, lines to be said). UserError where the mixture's caps leave a run too little, or a
    branch has no language."""
    from train.branching.feasible import epochs_of, languages_of

    languages = languages_of(given.shards)
    for one in given.branches:
        if one not in languages:
            near = difflib.get_close_matches(one, languages, 3, 0.4)
            known = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(languages[:5])}"
            raise UserError(f"--branches {one}: the shards do not have it: {known}")
    return languages, epochs_of(recipe.base(given.output), planned)


def identity(given: Namespace, recipe: "Recipe", budget: "Budget") -> dict[str, Any]:
    """What a folder is begun with: all that its steps hang on, but for how many of them there are and what they are
    asked; so that rules, runs and seeds may be added."""
    from train.corpus.shards import open_shards
    from train.corpus.vocabulary import open_vocabulary

    base = recipe.base(given.output)
    told = base.as_dict()
    return {
        "shards": open_shards(given.shards).identity(),
        "tokenizer": open_vocabulary(given.tokenizer).digest,
        "--branches": list(given.branches),
        "steps": vars(budget),
        "--replay": given.replay,
        "--student": given.student,
        **{key: str(value) if isinstance(value, Path) else value for key, value in base.fixed().items()},
        "[model] init": told["model"]["init"],
        "[optim]": {k: v for k, v in told["optim"].items() if k not in ("warmup_ratio", "decay_ratio")},
        "[objectives]": told["objectives"] | {name: dict(of) for name, of in recipe.of_arms.items()},
    }
