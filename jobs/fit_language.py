"""Fit a language model of your own from labelled texts, and judge it on texts that it has not seen.

python jobs/fit_language.py --input TABLE [TABLE ...] --output FOLDER [--judge documents collections left-out rubbish]

A table (Parquet or JSON Lines, also gzipped, or a folder of such) has the columns text, language, script, source and
licence. Written are languages.ftz (for clean's --model), calibration.json (word lists), languages.json (what each label
is made of and how good it is), report.json (the figures) and report.md (for people). How: pipeline/language/fitting.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.flags import Parser, parse
from pipeline.language.fitting import cleaning, judging, labelled_rows, report, training, whole
from pipeline.language.fitting.judging import Answers
from pipeline.language.fitting.labelled_rows import Rows
from pipeline.language.fitting.training import Settings
from pipeline.spark import job
from pipeline.store import storage
from schemas.errors import UserError

JUDGINGS = ("documents", "collections", "left-out", "rubbish")


def rows_of(args: argparse.Namespace) -> tuple[Rows, Mapping[str, str], Counter[tuple[str, str]]]:
    """The rows to fit on, names of languages, and what is left out. UserError where too little is left."""
    names = training.language_names()
    table = labelled_rows.read(args.input)
    rows, refused = labelled_rows.checked(table, frozenset(names))
    job.say(f"read     {table.num_rows:,} texts, {len(rows.texts):,} can serve")
    without = {tuple(one.split("/", 1)) for one in args.leave_out}
    kept = []
    for place, (label, source) in enumerate(zip(rows.labels, rows.sources, strict=True)):
        if (label, judging.collection(source)) in without:
            refused[label, f"--leave-out {label}/{judging.collection(source)}"] += 1
        else:
            kept.append(place)
    rows, too_few = whole.sufficient(rows.take(kept))
    refused += too_few
    for (label, reason), count in sorted(refused.items(), key=lambda one: (-one[1], one[0])):
        job.say(f"left out {count:,} of {label}: {reason}")
    if len(known := set(rows.labels)) < 2:
        said = f"only {min(known)}" if known else "no label"
        raise UserError(f"{', '.join(args.input)}: {said} has enough text; a model needs two labels or more")
    return rows, names, refused


def judged(rows: Rows, args: argparse.Namespace, settings: Settings) -> dict[str, Answers]:
    """Answers by kind of judging."""
    found: dict[str, Answers] = {}
    with whole.Fitter(settings, args.seed, lambda line: job.say(f"judge    {line}")) as fit:
        if "documents" in args.judge:
            found["documents"] = judging.by_documents(rows, fit, args.folds)
        if "collections" in args.judge:
            names = args.collections or sorted({judging.collection(source) for source in rows.sources})
            found["collections"] = judging.by_collection(rows, fit, [[name] for name in names])
        if "left-out" in args.judge:
            found["left_out"] = judging.left_out(rows, fit, args.left_out)
    return found


def body(argv: Sequence[str] | None) -> None:
    parser = Parser(prog="jobs/fit_language.py", allow_abbrev=False)
    parser.add_argument("--input", nargs="+", required=True, help="tables of text, language, script, source, licence")
    parser.add_argument("--output", required=True, metavar="FOLDER", help="new folder for the model and its report")
    parser.add_argument(
        "--leave-out", nargs="+", default=[], metavar="LABEL/SOURCE", help="nso_Latn/ntrex128: mislabelled"
    )
    parser.add_argument("--judge", nargs="*", choices=JUDGINGS, default=[], help="fits as many models again [none]")
    parser.add_argument("--folds", type=job.positive, default=2, help="of judging by documents [2]")
    parser.add_argument("--collections", nargs="+", metavar="SOURCE", help="judged by --judge collections [each]")
    parser.add_argument("--left-out", type=job.positive, default=30, help="languages left out of one fit [30]")
    parser.add_argument("--epochs", type=job.positive, default=Settings().epochs, help=f"[{Settings().epochs}]")
    parser.add_argument(
        "--rows", type=job.positive, default=Settings().rows, help=f"n-grams kept [{Settings().rows:,}]"
    )
    parser.add_argument(
        "--threads", type=job.positive, default=1, help="with more than 1 no two models are the same [1]"
    )
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn [0]")
    args = parse(parser, argv)
    if wrong := [one for one in args.leave_out if "/" not in one]:
        raise UserError(f"--leave-out {wrong[0]}: write LABEL/SOURCE, such as nso_Latn/ntrex128")
    folder = storage.absolute(args.output)
    if not storage.is_local(folder):
        raise UserError(f"--output {args.output}: name a folder of this machine")
    if storage.exists(folder):
        raise UserError(f"--output {args.output} is there already; name a new folder")
    training.library()
    settings = Settings(epochs=args.epochs, rows=args.rows, threads=args.threads)
    rows, names, refused = rows_of(args)
    for first, second in cleaning.alike(rows):
        job.say(f"alike    {first} and {second}: are they one language?")
    began = time.monotonic()
    answers = judged(rows, args, settings)
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="_fit.", dir=os.path.dirname(folder)) as building:
        identifier = whole.fit(rows, settings, building, args.seed)
        rubbish = judging.rubbish_named(identifier, 50) if "rubbish" in args.judge else {}
        table = report.labels(rows, names, answers.get("documents"), answers.get("collections"))
        figures = report.figures(rows, answers, rubbish)
        _write(building, table, figures, refused)
        shutil.copytree(building, folder)
    job.say(f"fit      {len(table)} labels in {time.monotonic() - began:,.0f} s: {folder}")
    for name, value in figures.items():
        if isinstance(value, int | float):
            job.say(f"         {name} {value:,.4g}")


def _write(
    folder: str, table: Mapping[str, Any], figures: Mapping[str, Any], refused: Counter[tuple[str, str]]
) -> None:
    lines = [f"{json.dumps(label)}: {json.dumps(one, ensure_ascii=False)}" for label, one in table.items()]
    storage.write_bytes(storage.join(folder, "languages.json"), ("{\n" + ",\n".join(lines) + "\n}\n").encode())
    left_out = [{"label": label, "reason": why, "texts": count} for (label, why), count in sorted(refused.items())]
    storage.write_json(storage.join(folder, "report.json"), {**figures, "refused": left_out})
    storage.write_bytes(storage.join(folder, "report.md"), report.page(table).encode())


def main(argv: Sequence[str] | None = None) -> int:
    return job.run_body(body, argv)


if __name__ == "__main__":
    job.program(main)
