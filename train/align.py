"""Brings languages, of one model or of several, into one space of vectors, beside cheap baselines.

    python train/align.py learn   --model DIR --parallel DIR --output DIR
    python train/align.py vectors --shards DIR --output DIR
    python train/align.py fold    --map DIR --model DIR --output DIR

A map is a folder: train/evaluate.py and train/predict.py take it as --map, train/pretrain.py a model that it is folded
into as --init. Each command says with --help what it takes.
"""

from collections.abc import Sequence

from schemas.errors import run_program
from train.config.commands import run_command

COMMANDS = {
    "fold": ("train.aligning.fold", "puts a map of embeddings into the model that joint training begins with"),
    "learn": ("train.aligning.learn", "learns maps between languages, each method beside its baselines"),
    "vectors": ("train.aligning.vectors", "makes word vectors by fastText, a file a language"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Status 0; 130 after Ctrl-C; 2, with one line on stderr, for what the user can mend."""
    return run_command("align", __doc__ or "", COMMANDS, arguments)


if __name__ == "__main__":
    run_program(main)
