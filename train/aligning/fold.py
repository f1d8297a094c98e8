"""`align.py fold`: a map of embeddings goes into the model's table, as a folder that joint training begins with."""

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from train.config.arguments import Arguments

Say = Callable[[str], None]


def flags(program: Arguments) -> None:
    program.add_argument("--map", type=Path, required=True, help="of align.py learn --space embeddings")
    program.add_argument("--model", type=Path, required=True, help="the map's: a run, a checkpoint or an export")
    program.add_argument("--output", type=Path, required=True, help="the model's new folder, for pretrain.py --init")
    texts = program.add_argument_group("texts that say which tokens are of which language; one at least")
    texts.add_argument("--shards", type=Path, help="their validation files")
    texts.add_argument("--texts", type=Path, nargs="+", default=[], help="LANGUAGE.txt or .jsonl, or a folder")
    texts.add_argument("--parallel", type=Path, help="folder with LANGUAGE.txt[.gz]")


def run(given: Namespace, say: Say) -> None:
    from train.aligning.folding import fold

    fold(given, say)
