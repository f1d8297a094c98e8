"""Fuses models into one, and shows what that costs.

    python train/fuse.py merge              --rule ties --parent DIR --parent DIR --output DIR
    python train/fuse.py barrier            --parent DIR --parent DIR --shards DIR --output DIR
    python train/fuse.py vocabulary         --parent DIR --parent DIR --output DIR
    python train/fuse.py branch-train-merge --shards DIR --tokenizer DIR --output DIR

DIR is a run of train/pretrain.py, an export or a checkpoint. Each command says with --help what it takes.
"""

import os
from collections.abc import Sequence

from schemas.errors import run_program
from train.config.commands import run_command

# Tensors in large pages: without, a processor spends more on the memory of a result than on its numbers. torch reads it
# when it first asks for memory.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

COMMANDS = {
    "merge": ("train.fusing.merge_command", "models that branch from one become one, by a rule"),
    "barrier": ("train.fusing.barrier_command", "the loss between parents by language: whether an average means much"),
    "vocabulary": ("train.vocabularies.command", "models of several vocabularies become models of one"),
    "branch-train-merge": (
        "train.branching.command",
        "a seed, branches by language, merges, and what they are held against, in one table",
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Status 0; 130 after Ctrl-C; 2, with one line on stderr, for what the user can mend."""
    return run_command("fuse", __doc__ or "", COMMANDS, arguments)


if __name__ == "__main__":
    run_program(main)
