"""Measures what models are worth in every language: any number of them side by side, one JSON, one table, one picture.

    python train/evaluate.py --model NAME=DIR [--model NAME=DIR ...] --output DIR [--tatoeba DIR] [--aligned DIR] ...
    python train/evaluate.py --watch RUN [--shards DIR] ...

DIR is a run of train/pretrain.py, an export, a checkpoint, or an encoder's folder for transformers. A measure runs
where its files are named. Figures, with 95 % intervals where they hang on chance, go to OUTPUT/evaluation.json, what is
printed to OUTPUT/evaluation.txt, and a dot a language and model to OUTPUT/plot.svg. With --watch each checkpoint of a
run becomes a line of RUN/evaluation.jsonl, while the run goes on and until it ends; the same command goes on.
"""

import sys
from argparse import ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schemas.errors import UserError, run_program
from train.config.arguments import Arguments, positive

KINDS = ("within_word_l2r", "original")  # of pseudo-likelihood


def parser() -> Arguments:
    flags = Arguments("evaluate", description=__doc__)
    flags.add_argument(
        "--model", action="append", default=[], help="NAME=DIR or DIR, several as one NAME=DIR+DIR; may be given again"
    )
    flags.add_argument("--map", action="append", default=[], help="of train/align.py: NAME=DIR for the model so called")
    flags.add_argument("--output", type=Path, help="folder for what is found")
    flags.add_argument("--watch", type=Path, metavar="RUN", help="in the place of both: a run of train/pretrain.py")
    files = flags.add_argument_group("files to measure on")
    files.add_argument("--shards", type=Path, help="bits a byte and masked accuracy: shards with validation files")
    files.add_argument(
        "--texts", type=Path, nargs="+", default=[], help="the same: LANGUAGE.txt or .jsonl, or a folder"
    )
    files.add_argument("--tatoeba", type=Path, help="sentence retrieval: files tatoeba.xyz-eng.xyz and .eng")
    files.add_argument("--aligned", type=Path, help="bitext retrieval: files LANGUAGE.txt[.gz], equal line by line")
    files.add_argument("--dictionaries", type=Path, nargs="+", default=[], help="word translation: files or a folder")
    files.add_argument("--transfer", type=Path, help="zero-shot transfer: folders of SIB-200, LANGUAGE/train.tsv")
    tuned = flags.add_argument_group(
        "benchmarks for models that are fine-tuned for them: folders as published, or files"
    )
    tuned.add_argument("--xnli", type=Path, help="accuracy by language")
    tuned.add_argument("--xquad", type=Path, help="XQuAD or SQuAD: exact match and F1")
    tuned.add_argument("--mlqa", type=Path, help="the same by MLQA's rules")
    tuned.add_argument("--glue", type=Path, help="the folder of one task, called CoLA, MRPC, STS-B ...: its metrics")
    tuned.add_argument("--wikiann", type=Path, help="WikiANN or CoNLL: F1 of entities")
    tuned.add_argument("--sib200", type=Path, help="accuracy and mean F1 of classes")
    tuned.add_argument("--examples", type=positive, default=0, help="of a language at most, its first; default all")
    how = flags.add_argument_group("how")
    how.add_argument("--bits", choices=KINDS, nargs="+", default=list(KINDS[:1]), help=f"default {KINDS[0]}")
    how.add_argument("--bits-bytes", type=positive, default=4096, help="of a language for bits a byte; default 4096")
    how.add_argument("--masked-bytes", type=positive, default=32768, help="for masked accuracy; default 32768")
    how.add_argument("--pivot", default="eng", help="language that aligned files are held against; default eng")
    how.add_argument("--transfer-from", default="eng_Latn", help="language that is trained on; default eng_Latn")
    how.add_argument("--transfer-task", choices=("sequence", "pair"), default="sequence", help="default sequence")
    how.add_argument(
        "--transfer-by", choices=("probe", "finetune"), nargs="+", default=["probe"],
        help="a probe on frozen vectors (default), fine-tuning for each seed, or both",
    )  # fmt: skip
    suits = "of fine-tuning; default by model and texts"
    how.add_argument("--transfer-epochs", type=positive, default=0, help=suits)
    how.add_argument("--transfer-learning-rate", type=share_of_one, default=0.0, help=suits)
    how.add_argument("--transfer-layer-decay", type=share_of_one, default=0.0, help=suits)
    how.add_argument("--probe", action="store_true", help="isotropy and a probe of languages, on the texts named")
    how.add_argument("--pooling", choices=("mean", "cls"), default="mean", help="of tokens to a vector; default mean")
    how.add_argument("--layer", type=layer, default=-1, help="0 the embeddings, -1 the last (default), or all")
    how.add_argument("--languages", nargs="+", default=[], help="of the files; default all")
    how.add_argument("--sentences", type=positive, default=1000, help="of a file at most; default 1000")
    how.add_argument("--seeds", type=positive, default=3, help="runs of what hangs on chance; default 3")
    how.add_argument("--untrained", action="store_true", help="the models with random weights beside, for all measures")
    how.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    how.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    return flags


def layer(text: str) -> int | str:
    try:
        return text if text == "all" else int(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} should be the number of a layer, or all") from None


def share_of_one(text: str) -> float:
    try:
        if 0 < (value := float(text)) <= 1:
            return value
    except ValueError:
        pass
    raise ArgumentTypeError(f"{text!r} should be a number above 0, 1 at most")


def evaluate(given: dict[str, Any]) -> None:
    """Imports late, so that wrong flags are told at once."""
    run, output, models, maps = (given.pop(name) for name in ("watch", "output", "model", "map"))
    if run is not None and (models or output or maps):
        raise UserError("--watch has the run's checkpoints as its models and writes into the run: leave out the others")
    if run is None and not (models and output):
        raise UserError(f"{'--output' if models else '--model'} is missing: name it, or --watch RUN; see --help")

    from train.evaluation.settings import Settings

    place = {name: given.pop(name) for name in ("device", "precision")}
    asked: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    settings = Settings(**asked)
    if run is not None:
        from train.watching.watch import watch

        watch(run, settings, say, tell, **place)
    else:
        from train.evaluation import suite
        from train.evaluation.results import Results

        results = Results(output)
        found = suite.evaluate(models, settings, tell, results.keep, maps=maps, **place)
        say("\n".join(results.finish(found)))


def say(text: str) -> None:
    print(text, flush=True)


def tell(line: str) -> None:
    print(line, file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Status 0; 2, with one line on stderr, for what the user can mend; 130 after Ctrl-C."""
    try:
        evaluate(vars(parser().parse_args(sys.argv[1:] if arguments is None else arguments)))
    except KeyboardInterrupt:
        tell("evaluate: stopped; what is measured stands in its folder, and the same command goes on with --watch")
        return 130
    except UserError as error:
        tell("evaluate: " + " ".join(str(error).split()))
        return 2
    return 0


if __name__ == "__main__":
    run_program(main)
