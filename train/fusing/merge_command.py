"""`train/fuse.py merge`: parents become one model by a rule."""

from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable
from pathlib import Path

from schemas.errors import UserError
from train.config.arguments import Arguments, positive
from train.fusing.merging.settings import TAKES, MergeSettings, check_settings


def flags(arguments: Arguments) -> None:
    arguments.add_argument("--parent", action="append", default=[], help="NAME=DIR or DIR; two or more")
    arguments.add_argument("--output", type=Path, required=True, help="folder of the result, like an export")
    arguments.add_argument("--rule", choices=tuple(TAKES), default="average", help="default average")
    of_rules = arguments.add_argument_group("settings of rules")
    of_rules.add_argument(
        "--weights", type=float, nargs="+", help="of the parents, in their order; not of slerp, regmean, soup"
    )
    of_rules.add_argument("--tune", action="store_true", help="weights by the loss of held-out texts, on a grid")
    of_rules.add_argument("--t", type=float, help="slerp: 0 the first parent, 1 the second; default 0.5")
    of_rules.add_argument("--scale", type=float, help="of what is learnt; default task-arithmetic 0.4, ties 1")
    of_rules.add_argument("--density", type=float, help="ties: share that is kept; default 0.2")
    of_rules.add_argument("--drop", type=float, help="dare: share that is dropped; default 0.5")
    of_rules.add_argument("--then", choices=("linear", "ties"), help="dare: what follows; default linear")
    of_rules.add_argument("--seed", type=int, help="dare: of what is dropped; default 0")
    of_rules.add_argument(
        "--statistic-tokens", type=positive, default=20_000, help="fisher, regmean: of a parent; default 20000"
    )
    texts = arguments.add_argument_group("held-out texts, by which losses and the barrier are told")
    texts.add_argument("--shards", type=Path, help="shards with validation files")
    texts.add_argument("--texts", type=Path, nargs="+", default=[], help="LANGUAGE.txt or .jsonl, or a folder")
    texts.add_argument("--languages", nargs="+", default=[], help="of the texts; default all")
    texts.add_argument("--masked-bytes", type=positive, default=32768, help="of a language; default 32768")
    how = arguments.add_argument_group("how")
    how.add_argument("--ancestor", type=Path, help="what the parents were begun with, where lineages do not tell")
    how.add_argument(
        "--own", type=_own, nargs="+", default=[], metavar="LANGUAGE=PARENT",
        help="whose rows a language's are; default a branch that was given most of its tokens in it",
    )  # fmt: skip
    how.add_argument("--order-of", default="", metavar="PARENT", help="its order of tokens; default the first's")
    how.add_argument("--without-pair-head", action="store_true", help="leaves out heads for pairs of texts")
    how.add_argument("--force", action="store_true", help="merges unrelated parents too, to see it fail")
    how.add_argument("--overwrite", action="store_true", help="takes the place of a model in --output")
    how.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    how.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")


def run(given: Namespace, say: Callable[[str], None]) -> None:
    if len(given.parent) < 2:
        raise UserError("--parent: it takes two models or more to make one of: name another")
    asked = {name: value for name, value in vars(given).items() if name not in ("command", "parent", "own")}
    settings = MergeSettings(parents=given.parent, own=dict(given.own), **asked)
    check_settings(settings)

    from train.fusing.merging.merge import merge_models
    from train.fusing.parent_flag import called_parents

    with called_parents():
        merge_models(settings, say)


def _own(text: str) -> tuple[str, str]:
    language, sign, parent = text.partition("=")
    if not (language and sign and parent):
        raise ArgumentTypeError(f"{text!r} should be LANGUAGE=PARENT, as eng_Latn=english")
    return language, parent
