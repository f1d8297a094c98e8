"""Fuses models into one, and shows what that costs.

    python train/fuse.py merge              --rule ties --parent DIR --parent DIR --output DIR
    python train/fuse.py barrier            --parent DIR --parent DIR --shards DIR --output DIR
    python train/fuse.py vocabulary         --parent DIR --parent DIR --output DIR
    python train/fuse.py branch-train-merge --shards DIR --tokenizer DIR --output DIR

DIR is a run of train/pretrain.py, an export or a checkpoint. Each command says with --help what it takes.
"""

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from importlib import import_module

from schemas.errors import UserError, run_program
from train.config.arguments import Arguments

# Tensors in large pages: without, a processor spends more on the memory of a result than on its numbers. torch reads it
# when it first asks for memory.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

# Name -> (module with flags(Arguments) and run(Namespace, say), what it does). Modules import torch late.
COMMANDS: dict[str, tuple[str, str]] = {
    "merge": ("train.fusing.merge_command", "models that branch from one become one, by a rule"),
    "barrier": ("train.fusing.barrier_command", "the loss between parents by language: whether an average means much"),
    "vocabulary": ("train.vocabularies.command", "models of several vocabularies become models of one"),
    "branch-train-merge": (
        "train.branching.command",
        "a seed, branches by language, merges, and what they are held against, in one table",
    ),
}
Say = Callable[[str], None]


def parser() -> Arguments:
    program = Arguments("fuse", description=__doc__)
    commands = program.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Arguments)
    for name, (module, what) in COMMANDS.items():
        import_module(module).flags(commands.add_parser(name, help=what, description=what))
    return program


def run(given: Namespace) -> None:
    import_module(COMMANDS[given.command][0]).run(given, say)


def say(line: str) -> None:
    print(line, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Status 0; 130 after Ctrl-C; 2, with one line on stderr, for what the user can mend."""
    try:
        run(parser().parse_args(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:
        print("fuse: stopped; the same command goes on with what is finished", file=sys.stderr)
        return 130
    except UserError as error:
        print("fuse: " + " ".join(str(error).split()), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    run_program(main)
