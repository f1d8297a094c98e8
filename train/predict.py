"""Asks a model: words for a mask, classes, names, answers, vectors, nearest sentences.

    python train/predict.py fill-mask --model DIR "The river is [MASK]." "北京是中国的[MASK]都。"
    python train/predict.py classify  --model DIR TEXT ...       (or --pair A B, of a model fine-tuned for pairs)
    python train/predict.py follows   --model DIR --pair A B     (next sentence or sentence order, of BERT)
    python train/predict.py tag       --model DIR TEXT ...
    python train/predict.py answer    --model DIR --question Q --context C
    python train/predict.py embed     --model DIR --file F.txt --output F.parquet
    python train/predict.py nearest   --model DIR --vectors F.parquet TEXT ...

DIR is a run, a checkpoint, an export, a fine-tuned folder, or any folder of transformers. Texts are arguments, --file
(.txt a text a line, .jsonl, .parquet with named columns, .gz) or standard input, of any size. Answers are drawn for a
terminal, are a JSON object a line with --json, and one page to look at with --html.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from schemas.errors import UserError, run_program
from train.answers.commands import run
from train.answers.texts import ENDINGS, MAX_BYTES
from train.config.arguments import Arguments, positive

COMMANDS = {
    "fill-mask": "the likeliest words for each [MASK] of a text",
    "classify": "the class of a text or a pair",
    "follows": "whether a text follows another",
    "tag": "names and other stretches in a text",
    "answer": "the answer to a question in a text",
    "embed": "vectors of texts in a file",
    "nearest": "the sentences nearest to a text, across languages",
}


def parser() -> argparse.ArgumentParser:
    """One of the commands, with the flags of all and its own."""
    program = Arguments("predict", description=__doc__)
    commands = program.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Arguments)
    for name, what in COMMANDS.items():
        command = commands.add_parser(name, help=what, description=what)
        flag = command.add_argument
        flag("--model", type=Path, required=True, metavar="DIR", help="its folder")
        if name not in ("follows", "answer"):
            flag("texts", nargs="*", metavar="TEXT", help="what is asked")
        if name in ("classify", "follows"):
            flag("--pair", nargs=2, action="append", default=[], metavar=("A", "B"), help="may be given again")
        if name in ("fill-mask", "follows"):
            flag("--examples", action="store_true", help="ask our own of several languages")
        if name in ("fill-mask", "classify"):
            flag("--top-k", type=positive, default=5, help="so many answers; default 5")
        if name == "answer":
            flag("--question", metavar="Q")
            flag("--context", metavar="C")
        if name == "embed":
            flag("--output", metavar="X", help="X.npy, or X.parquet with the texts")
            flag("--stream", action="store_true", help="for programs: texts on standard input, vectors on stdout")
            flag("--max-tokens", type=positive, default=0, help="of a text, from its beginning; default the model's")
        if name == "nearest":
            flag("--vectors", metavar="X", help="what is searched: X.parquet or X.npy of embed")
            flag("--texts", dest="candidates", action="append", default=[], metavar="F", help="or files of texts")
            flag("--k", type=positive, default=5, help="so many sentences; default 5")
            flag("--to-language", metavar="L", help="only those in this language, as fra_Latn")
        if name in ("embed", "nearest"):
            flag(
                "--map", type=Path, metavar="DIR", help="of train/align.py, by --language: one space for all languages"
            )
            flag("--pooling", choices=("mean", "cls"), help="of the tokens' vectors; default mean, or as in --vectors")
            flag("--layer", type=int, help="0 the embeddings, -1 the last; default -1, or as in --vectors")
        if name != "embed":
            flag("--html", metavar="FILE", help="a page that shows the same as the terminal")
        shared(flag)
    return program


def shared(flag: object) -> None:
    """Flags of all commands."""
    assert callable(flag)
    flag("--file", nargs="+", action="extend", default=[], metavar="F", help=f"{', '.join(ENDINGS)}, - standard input")
    flag("--columns", metavar="A,B", help="names of what is asked, in .jsonl and .parquet; tabs divide them in .txt")
    flag("--skip-empty", action="store_true", help="leave empty rows out")
    flag("--max-bytes", type=positive, default=MAX_BYTES, help=f"of a text; default {MAX_BYTES}")
    flag("--language", metavar="L", help="of the texts, as eng_Latn, or detect")
    flag("--json", action="store_true", help="an object a line, for programs")
    flag("--overwrite", action="store_true", help="files that are there already")
    flag("--device", choices=("auto", "cpu", "cuda"), default="auto")
    flag("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    flag("--batch-tokens", type=positive, default=0, help="tokens that are computed at once; default by device")


def main(arguments: Sequence[str] | None = None) -> int:
    """Status 0; 130 after Ctrl-C; 2, with one line on stderr, for what the user can mend."""
    try:
        run(parser().parse_args(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:
        print("predict: stopped", file=sys.stderr)
        return 130
    except UserError as error:
        print("predict: " + " ".join(str(error).split()), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    run_program(main)
