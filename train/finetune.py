"""Fine-tunes an encoder on labelled examples: texts, pairs, tagged words, answers in a text, or vectors.

    python train/finetune.py --task sequence --model DIR --train FILE --validation FILE --output DIR
    python train/finetune.py --task pair --model DIR --train XNLI --validation XNLI --languages eng --output DIR

DIR is a run, a checkpoint or an export of train/pretrain.py, or a folder of an encoder of transformers. Files are TSV,
CSV, JSONL or Parquet with named columns, or published layouts: XNLI, GLUE, SQuAD and XQuAD, WikiANN and CoNLL, SIB-200.
Writes OUTPUT/model, which transformers opens, OUTPUT/result.json and OUTPUT/metrics.jsonl, and prints the scores by
language. Started again with the same OUTPUT it goes on where it stopped, and ends in the same weights.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from schemas.errors import UserError, run_program
from train.benchmarks.columns import Columns
from train.benchmarks.examples import TASKS
from train.config.arguments import Arguments, positive

# OpenMP reads this when torch is loaded, as in pretrain.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def arguments() -> Arguments:
    parser = Arguments("finetune", description=__doc__)
    parser.add_argument("--task", choices=TASKS, required=True)
    parser.add_argument("--model", type=Path, required=True, help="folder of an encoder")
    for name, split in (("train", "train"), ("validation", "dev"), ("test", "test")):
        text = f"files, or folders of a benchmark, of which {split} is taken"
        parser.add_argument(f"--{name}", type=Path, nargs="+", default=[], required=name != "test", help=text)
    parser.add_argument("--output", type=Path, required=True, help="folder for the model and its scores")
    parser.add_argument("--languages", nargs="+", default=[], help="of training and validation; default all")
    for role in Columns.__dataclass_fields__:
        parser.add_argument(f"--{role}-column", default="", metavar="NAME", help=f"column for {role}")
    parser.add_argument("--trained", default="all", help="all, head, or top:N for the last N layers; default all")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=positive, help="default 3; of fewer than 5,000 examples 20")
    length.add_argument("--steps", type=positive, default=0, help="instead of epochs")
    parser.add_argument("--learning-rate", type=float, help="default 5e-5; 1e-3 below 30 million parameters")
    parser.add_argument(
        "--layer-decay", type=float, help="rate of a layer to that above; default 0.9; 1 below 30 million"
    )
    parser.add_argument("--warmup-ratio", type=float, default=0.1, help="default 0.1")
    parser.add_argument("--weight-decay", type=float, default=0.01, help="default 0.01")
    parser.add_argument("--batch-size", type=positive, default=32, help="examples a step; default 32")
    parser.add_argument("--max-tokens", type=int, default=0, help="of a sequence; default 256, or the model's limit")
    parser.add_argument("--patience", type=int, default=2, help="evaluations without a better metric; default 2, 0 all")
    parser.add_argument("--eval-every", type=int, default=0, help="steps; default an epoch")
    parser.add_argument("--save-every", type=int, default=0, help="steps; default an epoch")
    parser.add_argument("--metric", default="", help="by which the best weights are chosen; default the task's own")
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument("--seeds", type=positive, help="so many trainings, with seeds from 0")
    seeds.add_argument("--seed", type=int, default=0, help="default 0")
    parser.add_argument("--label-smoothing", type=float, default=0.0, help="default 0")
    parser.add_argument("--dropout", type=float, help="default the model's")
    parser.add_argument(
        "--doc-stride", type=int, default=128, help="tokens that windows of a context share; default 128"
    )
    parser.add_argument(
        "--pooling", choices=("mean", "cls"), default="", help="vectors: default mean; classes: default the model's"
    )
    parser.add_argument("--from-scratch", action="store_true", help="weights at their start, for comparison")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    return parser


def finetune(given: Any) -> None:
    """Reads, trains, scores."""
    # Imported late, so that --help and a wrong flag need not wait for torch.
    from train.finetuning.settings import FinetuneSettings

    names = FinetuneSettings.__dataclass_fields__.keys() - {"seeds", "clip_norm"}
    seeds = tuple(range(given.seeds)) if given.seeds else (given.seed,)
    said = {name: value for name in names if (value := getattr(given, name)) is not None}
    settings = FinetuneSettings(**said, seeds=seeds)
    settings.check()
    columns = Columns(**{role: getattr(given, f"{role}_column") for role in Columns.__dataclass_fields__})
    training = read(given.train, given, columns, "train")
    validation = read(given.validation, given, columns, "dev")
    test = read(given.test, given, columns, "test")

    from train.encoders.opened import open_model
    from train.finetuning import run
    from train.finetuning.recipe import recipe_for

    model = open_model(given.model, device=given.device, precision=given.precision)
    examples = [one for own in training.values() for one in own]
    suited = asdict(recipe_for(model.parameters, len(examples)))
    settings = replace(settings, **{name: value for name, value in suited.items() if name not in said})
    result = run.finetune(settings, model, examples, validation, given.output, say, test, live=True)
    say("\n".join(result.table()))
    say(f"{result.model} is the model, {given.output / 'result.json'} has the scores")


def read(paths: Sequence[Path], given: Any, columns: Columns, split: str) -> dict[str, Any]:
    """language -> examples, of the languages asked for; a test is in all."""
    from train.benchmarks.read import read_by_language

    found = read_by_language(paths, given.task, columns, split, say=say) if paths else {}
    wanted = given.languages if split != "test" else []
    for language in wanted:
        if language not in found:
            there = ", ".join(one for one in found if one) or "none that a column or a name says"
            raise UserError(f"--languages {language}: not in the {split} files, which have {there}")
    return {language: own for language, own in found.items() if not wanted or language in wanted}


def say(text: str) -> None:
    print(text, flush=True)


def main(words: Sequence[str] | None = None) -> int:
    """Status 0; 130 after Ctrl-C; 2, with one line on stderr, for what the user can mend."""
    try:
        finetune(arguments().parse_args(words))
    except KeyboardInterrupt:
        print("finetune: stopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    except UserError as error:
        print("finetune: " + " ".join(str(error).split()), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    run_program(main)
