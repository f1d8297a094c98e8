"""`align.py learn`: vectors of several languages become maps into one space, each method beside its baselines."""

from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable
from pathlib import Path

from train.config.arguments import Arguments, positive

Say = Callable[[str], None]
METHODS = ("nothing", "centre", "identical", "procrustes", "ridge", "joint", "dictionary", "muse")


def flags(program: Arguments) -> None:
    given = program.add_argument_group("vectors, by language")
    given.add_argument("--model", action="append", default=[], help="DIR, or LANGUAGE=DIR for one; may be given again")
    given.add_argument("--vectors", nargs="+", action="extend", default=[], metavar="LANGUAGE=FILE", help=".vec[.gz]")
    given.add_argument("--max-words", type=positive, default=200_000, help="of a file of vectors; default 200,000")
    given.add_argument(
        "--space", choices=("sentences", "words", "embeddings"),
        help="what a model's vectors are of: default sentences with --parallel, else words",
    )  # fmt: skip
    given.add_argument("--layer", type=layer, default=-1, help="0 the embeddings, -1 the last (default), or all")
    given.add_argument("--pooling", choices=("mean", "cls"), default="mean", help="of tokens; default mean")
    taught = program.add_argument_group("what is learnt from")
    taught.add_argument("--parallel", type=Path, help="folder with LANGUAGE.txt[.gz], equal line by line")
    taught.add_argument("--dictionary", type=Path, nargs="+", default=[], help="files named as en_fr.tsv")
    taught.add_argument("--test-dictionary", type=Path, nargs="+", default=[], help="judges; default: a part held out")
    taught.add_argument("--words", nargs="+", action="extend", default=[], metavar="LANGUAGE=FILE",
                        help="words for a model, one a line or .vec, the most frequent first")  # fmt: skip
    taught.add_argument("--languages", nargs="+", default=[], help="beside the pivot; default all that are there")
    taught.add_argument("--pivot", default="eng", help="language whose space the others come into; default eng")
    how = program.add_argument_group("how")
    how.add_argument("--method", choices=METHODS, nargs="+", default=[], help="default by what is learnt from")
    how.add_argument("--setting", choices=("full", "reduced"), default="reduced", help="of muse; default reduced")
    how.add_argument("--seeds", type=positive, default=5, help="of muse; default 5")
    how.add_argument("--output", type=Path, required=True, help="folder for a map a method, and the table")
    how.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    how.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")


def layer(text: str) -> int | None:
    try:
        return None if text == "all" else int(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} should be the number of a layer, or all") from None


def run(given: Namespace, say: Say) -> None:
    from train.aligning.learning import learn

    learn(given, say)
