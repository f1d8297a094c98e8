"""`align.py vectors`: texts of each language become a file of word vectors."""

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from train.config.arguments import Arguments, positive

Say = Callable[[str], None]


def flags(program: Arguments) -> None:
    program.add_argument("--shards", type=Path, help="shards of the corpus: their training files")
    program.add_argument("--texts", type=Path, nargs="+", default=[], help="LANGUAGE.txt or .jsonl, or a folder")
    program.add_argument("--output", type=Path, required=True, help="folder for LANGUAGE.vec")
    program.add_argument("--languages", nargs="+", default=[], help="default all that are there")
    program.add_argument(
        "--tokenizer", type=Path,
        help="whose tokens are the words of scripts without spaces; default: each character with its marks is one",
    )  # fmt: skip
    program.add_argument("--keep-case", action="store_true", help="default lower case, as MUSE's vectors")
    program.add_argument("--dim", type=positive, default=300, help="default 300")
    program.add_argument("--min-count", type=positive, default=5, help="rarer words have no vector; default 5")
    program.add_argument("--epochs", type=positive, default=5, help="default 5")
    program.add_argument(
        "--buckets", type=positive, default=2_000_000,
        help="rows for n-grams of characters; default 2,000,000, which take 2.4 GB at 300 dimensions",
    )  # fmt: skip
    program.add_argument("--threads", type=positive, default=1, help="default 1; with more, chance has a part")
    program.add_argument("--seed", type=int, default=0, help="default 0")


def run(given: Namespace, say: Say) -> None:
    from train.aligning.making import make_vectors

    make_vectors(given, say)
