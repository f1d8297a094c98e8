"""Fit a classifier of quality of your own from good and bad texts, and judge it on hosts that it has not seen.

python jobs/fit_classifier.py --positives PATH [...] --negatives PATH [...] --output FILE.ftz [--corpus PATH [...]]

A PATH is any Parquet table (a file, a folder, a pattern with *), or the root of a corpus: its dedup/documents, else
clean/documents. Written are the model, for clean's classifiers, and FILE.json, the figures. How: pipeline/scores.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from pipeline.flags import Parser, parse
from pipeline.language.fitting import training
from pipeline.scores import calibration
from pipeline.scores.embedding.encoder import MAX_TOKENS, Reading
from pipeline.scores.fitting import documents, report, whole
from pipeline.scores.fitting.documents import Columns, Documents, Place
from pipeline.scores.fitting.whole import Settings
from pipeline.spark import job
from pipeline.spark.sources import files_of_table
from pipeline.store import generations, run_records, storage
from schemas.errors import UserError

DEFAULT = Settings()
STAGES = ("dedup", "clean")  # whose documents stand for a corpus, the first that is there


def places(flag: str, given: Sequence[str]) -> list[Place]:
    """The tables that paths name. UserError for a path without any."""
    found = []
    for path in given:
        absolute = storage.absolute(path)
        stage = next((name for name in STAGES if generations.current(storage.join(absolute, name))), None)
        if stage is not None:
            folder = storage.join(absolute, stage)
            run_records.require(folder, stage)
            files, verdicts = files_of_table(generations.required(folder), "documents")
            found.append(Place(storage.join(folder, "documents"), files, verdicts, kept_only=True))
            continue
        if "*" in path:
            fs, inside = storage.filesystem(absolute)
            named = [Place(fs.unstrip_protocol(name)) for name in sorted(fs.glob(inside))]
        else:
            named = [Place(absolute)] if storage.exists(absolute) else []
        if not named:
            raise UserError(f"{flag} {path}: no such table; name a Parquet file, a folder of these or a corpus")
        found += named
    return found


def body(argv: Sequence[str] | None) -> None:
    args = parse(_parser(), argv)
    output = _output(args.output, bool(args.embeddings))
    if args.label == args.other_label:
        raise UserError(f"--label {args.label}: the other label has the same name; name two")
    if not args.embeddings:
        training.library()
    columns = Columns(args.text_column, args.language_column or "", args.host_column or "")
    read: dict[str, Documents] = {}
    for name in ("positives", "negatives", "corpus"):
        if given := getattr(args, name):
            read[name] = documents.read(places(f"--{name}", given), columns, f"--{name}")
            job.say(f"read     {name}: {len(read[name].texts):,} texts in {len({*read[name].labels()})} languages")
    good, bad = read["positives"], documents.without(read["negatives"], read["positives"])
    if twice := len(read["negatives"].texts) - len(bad.texts):
        job.say(f"read     {twice:,} texts are among both: they count as positives")
    if not bad.texts:
        raise UserError("--negatives: all of them are among --positives; a classifier needs two classes")
    settings = Settings(
        label=args.label, other=args.other_label, kept_share=args.kept_share, least_kept_share=args.least_kept_share,
        dim=args.dim, epochs=args.epochs, rate=args.lr, buckets=args.buckets, word_ngrams=args.word_ngrams,
        rows=args.rows if output.suffix == ".ftz" else 0, least_count=args.min_count, least_texts=args.min_texts,
        seed=args.seed, reading=_reading(args),
    )  # fmt: skip
    began = time.monotonic()
    parts = whole.split(good, bad, args.hold_out_languages, args.seed)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="_fit.", dir=output.parent) as building:
        made = Path(building) / output.name
        fitted = whole.fit(parts, read.get("corpus"), settings, made, lambda line: job.say(f"fit      {line}"))
        storage.write_json(f"{output}.json", report.as_json(fitted))
        os.replace(made, output)
    for line in report.lines(fitted):
        job.say(line)
    job.say(f"fit      done in {time.monotonic() - began:,.0f} s: {output}")


def _reading(args: argparse.Namespace) -> Reading | None:
    given = args.embeddings
    if not given:
        return None
    return Reading(storage.absolute(given), args.pooling, args.layer, args.max_tokens)


def _output(given: str, embeddings: bool) -> Path:
    absolute = storage.absolute(given)
    if not storage.is_local(absolute):
        raise UserError(f"--output {given}: name a file of this machine")
    path = Path(absolute)
    if embeddings != (path.suffix == ".head"):
        way = "it ends in .head with --embeddings, and only then"
        raise UserError(f"--output {given}: a head over vectors is no model of words: {way}")
    if path.suffix not in (".ftz", ".bin", ".head"):
        raise UserError(f"--output {given}: name a file that ends in .ftz (quantised, small) or .bin (dense)")
    for there in (path, Path(f"{path}.json")):
        if there.exists():
            raise UserError(f"--output: {there} is there already; name a new file")
    return path


def _share(text: str) -> float:
    number = float(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return number


def _rate(text: str) -> float:
    number = float(text)
    if not 0 < number <= 10:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most 10")
    return number


def _label(text: str) -> str:
    if not text or any(character.isspace() for character in text):
        raise argparse.ArgumentTypeError(f"{text!r} is no label: one word without white space")
    return text


def _parser() -> Parser:
    parser = Parser(prog="jobs/fit_classifier.py", allow_abbrev=False)
    parser.add_argument("--positives", nargs="+", required=True, metavar="PATH", help="tables or corpora of good texts")
    parser.add_argument("--negatives", nargs="+", required=True, metavar="PATH", help="of bad ones")
    parser.add_argument("--corpus", nargs="+", metavar="PATH", help="to calibrate on [the texts that judge]")
    parser.add_argument(
        "--output", required=True, metavar="FILE", help="new model: .ftz quantised, .bin dense, .head with --embeddings"
    )
    parser.add_argument("--text-column", default="text", help="[text]")
    parser.add_argument("--language-column", help="ISO 639-3, or with _Script [language, else found by our model]")
    parser.add_argument("--host-column", help="never on both sides of a split [host, else that of url, else each text]")
    parser.add_argument(
        "--hold-out-languages",
        nargs="+",
        default=[],
        metavar="LANGUAGE",
        help="judged, not fitted on: tha deu_Latn",
    )
    parser.add_argument("--label", type=_label, default=DEFAULT.label, help=f"of good texts [{DEFAULT.label}]")
    parser.add_argument("--other-label", type=_label, default=DEFAULT.other, help=f"of bad ones [{DEFAULT.other}]")
    parser.add_argument("--kept-share", type=_share, default=DEFAULT.kept_share, help="that it is judged at [0.3]")
    parser.add_argument(
        "--least-kept-share",
        type=_share,
        default=DEFAULT.least_kept_share,
        help="of a language, else told [0.15]",
    )
    parser.add_argument(
        "--min-texts", type=job.positive, default=calibration.LEAST_TEXTS, help="for a language's own quantiles [50]"
    )
    parser.add_argument("--dim", type=job.positive, default=DEFAULT.dim, help=f"[{DEFAULT.dim}]")
    parser.add_argument("--epochs", type=job.positive, default=DEFAULT.epochs, help=f"[{DEFAULT.epochs}]")
    parser.add_argument("--lr", type=_rate, default=DEFAULT.rate, help=f"[{DEFAULT.rate}]")
    parser.add_argument(
        "--word-ngrams", type=job.positive, default=DEFAULT.word_ngrams, help=f"[{DEFAULT.word_ngrams}]"
    )
    parser.add_argument(
        "--buckets", type=job.positive, default=DEFAULT.buckets, help=f"of n-grams, from 2 on [{DEFAULT.buckets:,}]"
    )
    parser.add_argument("--min-count", type=job.positive, default=DEFAULT.least_count, help="of a word [5]")
    parser.add_argument("--rows", type=job.positive, default=DEFAULT.rows, help="words that a .ftz keeps [40,000]")
    parser.add_argument(
        "--embeddings", metavar="DIR", help="an exported encoder: fit a head over its vectors, not a model of words"
    )
    parser.add_argument("--pooling", choices=("mean", "cls"), default="mean", help="of its vectors [mean]")
    parser.add_argument("--layer", type=int, default=-1, help="of its vectors: 0 the embeddings, -1 the last [-1]")
    parser.add_argument(
        "--max-tokens", type=job.positive, default=MAX_TOKENS, help=f"of a text that it sees [{MAX_TOKENS}]"
    )
    parser.add_argument("--seed", type=job.not_negative, default=0, help="of all that is drawn [0]")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    return job.run_body(body, argv)


if __name__ == "__main__":
    job.program(main)
