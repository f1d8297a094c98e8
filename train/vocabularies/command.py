"""`train/fuse.py vocabulary`: parents of different vocabularies become models of one, which then train on."""

import json
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.errors import UserError
from train.config.arguments import Arguments, positive

if TYPE_CHECKING:
    from train.fusing.merging.parents import Parent

KINDS = ("focus", "pieces", "sampled")
TRAINED = "trained"
OWN = ("init", "tokenizer", "shards", "output", "steps")  # settings of the run that this command gives


def flags(arguments: Arguments) -> None:
    arguments.add_argument(
        "--parent", action="append", default=[], help="NAME=DIR or DIR; two or more: the first keeps its ids"
    )
    arguments.add_argument(
        "--output", type=Path, required=True, help="folder for tokenizer/, NAME/ of each parent, and trained/NAME/"
    )
    arguments.add_argument(
        "--new-rows", choices=KINDS, default="focus",
        help="of tokens that a parent does not know: by FOCUS (default), the mean of its pieces, or drawn",
    )  # fmt: skip
    arguments.add_argument("--shards", type=Path, help="text for FOCUS, in all languages of the parents")
    arguments.add_argument(
        "--texts", type=Path, nargs="+", default=[], help="beside or instead: LANGUAGE.txt or .jsonl"
    )
    arguments.add_argument("--text-bytes", type=positive, default=1 << 24, help="of a language; default 16777216")
    arguments.add_argument("--least", type=positive, default=10, help="times that text has a token; default 10")
    arguments.add_argument("--seed", type=int, default=0, help="of rows that are drawn; default 0")
    more = arguments.add_argument_group("continued training, by train/pretrain.py")
    more.add_argument("--steps", type=positive, help="of each model; without it they are left as they are")
    more.add_argument("--train-shards", type=Path, help="to train on; default --shards")
    more.add_argument("--config", type=Path, help="a recipe of train/pretrain.py: rates, batches, objectives")
    more.add_argument("--processes", type=positive, default=1, help="on this machine; default 1")


def run(given: Namespace, say: Callable[[str], None]) -> None:
    """Union and rows are made once, whole; started again, the same command goes on with the training."""
    shards = given.train_shards or given.shards
    if given.steps and shards is None:
        raise UserError("--steps: name what to train on, --train-shards DIR")
    if given.new_rows == "focus" and given.shards is None and not given.texts:
        raise UserError("--new-rows focus learns from text: name --shards or --texts, or take --new-rows pieces")

    from train.evaluation.results import Results
    from train.fusing.merging.parents import close, open_parents, read_digests
    from train.vocabularies.token_vectors import fasttext, texts_of
    from train.vocabularies.united import TOLD, Making, write

    Results(given.output)
    if given.new_rows == "focus":
        fasttext()
    parents = open_parents(given.parent)
    _check_names(parents)
    read_digests(parents)
    identity = _identity(given, parents)
    if (given.output / TOLD).is_file():
        _check_same(given.output / TOLD, identity)
        say(f"{given.output} is made already")
    elif given.output.is_dir() and any(given.output.iterdir()):
        raise UserError(f"--output {given.output} holds something else: name an empty folder, or a new one")
    else:
        making = Making(
            given.new_rows, given.least, given.seed, lambda: texts_of(given.shards, given.texts, given.text_bytes)
        )
        try:
            write(parents, making, identity, given.output, say)
        except OSError as error:
            raise UserError(f"--output {given.output} cannot be written ({error}): name another folder") from None
    names = [one.name for one in parents]
    close(parents)
    if given.steps:
        for name in names:
            _train(given, name, shards, say)


def _check_names(parents: list["Parent"]) -> None:
    for one in parents:
        if (
            one.name in ("tokenizer", TRAINED)
            or "/" in one.name
            or [other.name for other in parents].count(one.name) > 1
        ):
            raise UserError(f"--parent {one.given} cannot be called {one.name} here: name it, as --parent NAME=DIR")


def _identity(given: Namespace, parents: list["Parent"]) -> dict[str, Any]:
    focus = given.new_rows == "focus"
    texts = [str(one) for one in (given.shards, *given.texts) if one is not None] if focus else []
    told = {"texts": texts, "text_bytes": given.text_bytes, "least": given.least} if focus else {}
    return {
        "parents": [{"name": one.name, "folder": str(one.given), "weights": one.digest} for one in parents],
        "new_rows": given.new_rows,
        "seed": given.seed,
        **told,
    }


def _check_same(path: Path, identity: dict[str, Any]) -> None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        found = {}
    for key, value in identity.items():
        if not isinstance(found, dict) or found.get(key) != value:
            raise UserError(f"--output {path.parent} was made with other {key}: name another folder, or take it away")


def _train(given: Namespace, name: str, shards: Path, say: Callable[[str], None]) -> None:
    """A run of its own in trained/NAME, with its settings beside it; pretrain goes on by itself where it stopped."""
    from train.branching.pretraining import pretrain
    from train.checkpoints.files import write_text
    from train.config.load import load_config
    from train.config.written import as_toml

    output = given.output / TRAINED / name
    own = {
        "init": given.output / name,
        "tokenizer": given.output / "tokenizer",
        "shards": shards,
        "output": output,
        "steps": given.steps,
    }
    recipe = ["--config", str(given.config)] if given.config else []
    config = load_config([*recipe, *(part for key in OWN for part in (f"--{key}", str(own[key])))])
    output.mkdir(parents=True, exist_ok=True)
    settings = output / "settings.toml"
    write_text(settings, as_toml(config))
    say(f"{name}: {given.steps} steps of train/pretrain.py --config {settings}")
    pretrain(name, settings, output / "pretrain.log", given.processes)
