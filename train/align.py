"""Brings languages, of one model or of several, into one space of vectors, beside cheap baselines.

    python train/align.py learn   --model DIR --parallel DIR --output DIR
    python train/align.py vectors --shards DIR --output DIR
    python train/align.py fold    --map DIR --model DIR --output DIR

A map is a folder: train/evaluate.py and train/predict.py take it as --map, train/pretrain.py a model that it is folded
into as --init. Each command says with --help what it takes.
"""

import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from importlib import import_module

from schemas.errors import UserError, run_program
from train.config.arguments import Arguments

# Name -> (module with flags(Arguments) and run(Namespace, say), what it does). Modules import torch late.
COMMANDS: dict[str, tuple[str, str]] = {
    "learn": ("train.aligning.learn", "learns maps between languages, each method beside its baselines"),
}
Say = Callable[[str], None]


def parser() -> Arguments:
    program = Arguments("align", description=__doc__)
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
        print("align: stopped; the same command goes on with what is finished", file=sys.stderr)
        return 130
    except UserError as error:
        print("align: " + " ".join(str(error).split()), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    run_program(main)
