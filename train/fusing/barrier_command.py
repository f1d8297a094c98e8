"""`train/fuse.py barrier`: parents and held-out texts become a JSON, a table and a picture of what lies between."""

import json
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.errors import UserError
from train.config.arguments import Arguments, positive
from train.fusing.parent_flag import called_parents

if TYPE_CHECKING:
    from train.evaluation.results import Results
    from train.fusing.barrier import Barrier
    from train.likelihood.held_out_texts import HeldOutText

JSON, TABLE, PLOT = "barrier.json", "barrier.txt", "barrier.svg"


def flags(arguments: Arguments) -> None:
    arguments.add_argument("--parent", action="append", default=[], help="NAME=DIR or DIR; two or more")
    arguments.add_argument("--output", type=Path, required=True, help=f"folder for {JSON}, {TABLE} and {PLOT}")
    arguments.add_argument("--shards", type=Path, help="shards with validation files")
    arguments.add_argument(
        "--texts", type=Path, nargs="+", default=[], help="beside or instead: LANGUAGE.txt or .jsonl, or a folder"
    )
    arguments.add_argument("--languages", nargs="+", default=[], help="of the texts; default all")
    arguments.add_argument("--points", type=positive, default=11, help="from one parent to the other; default 11")
    arguments.add_argument("--masked-bytes", type=positive, default=32768, help="of a language; default 32768")
    arguments.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    arguments.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")


def run(given: Namespace, say: Callable[[str], None]) -> None:
    """UserError before any model is asked where a file cannot be read."""
    if given.points < 3:
        raise UserError(f"--points {given.points} leaves nothing between two parents: 3 or more")
    if len(given.parent) < 2:
        raise UserError("--parent: a barrier lies between two models or more: name another")
    from train.evaluation.results import Results

    results = Results(given.output)
    with called_parents():
        _measure(given, results, say)


def _measure(given: Namespace, results: "Results", say: Callable[[str], None]) -> None:
    from train.encoders.named import open_models
    from train.fusing.barrier import loss_barrier, passes
    from train.telemetry.progress import Progress

    texts = read_texts(given.shards, given.texts, given.languages, given.masked_bytes)
    parents = open_models(given.parent, device=given.device, precision=given.precision)
    total = sum(one.bytes for of in texts.values() for one in of) * passes(len(parents), given.points)
    with Progress("barrier", "bytes", total) as progress:
        found = loss_barrier(parents, texts, given.points, progress=progress.add)
    lines = table(found)
    folders = {one.name: str(one.given) for one in parents}
    results.write(TABLE, "\n".join(lines) + "\n")
    results.write(PLOT, plot(found))
    results.write(JSON, as_json(as_content(found, folders, given.masked_bytes)))
    say("\n".join(lines))


def read_texts(
    shards: Path | None, texts: Sequence[Path], languages: Sequence[str], language_bytes: int
) -> dict[str, list["HeldOutText"]]:
    """By language, as `train/evaluate.py` asks masked accuracy of. UserError where none is named or can be read."""
    from train.evaluation.held_out import MASKED_TEXT_BYTES, chosen_texts
    from train.benchmarks.languages import same_language
    from train.evaluation.settings import Settings

    settings = Settings(shards=shards, texts=tuple(texts), languages=tuple(languages))
    found = chosen_texts(settings, language_bytes, MASKED_TEXT_BYTES)
    if found is None:
        raise UserError("--shards or --texts is missing: name held-out texts, by which the loss is measured")
    for asked in languages:
        if not any(same_language(one, asked) for one in found.texts):
            there = ", ".join(sorted(found.languages))
            raise UserError(f"--languages {asked}: the texts do not have it; there are {there}")
    return found.texts


def table(found: Sequence["Barrier"]) -> list[str]:
    """Of each pair a row a language: both ends, the worst place between them, and the barrier."""
    from train.telemetry.columns import laid_out, shortened

    lines: list[str] = []
    for pair in found:
        head = ["nats a token", shortened(pair.first), shortened(pair.second), "barrier", "at", "loss there"]
        rows = [head]
        for language, curve in pair.curves.items():
            figure, there = curve.barrier, float(curve.losses[round(curve.at * (len(curve.losses) - 1))])
            interval = "" if figure["low"] is None else f" ({figure['low']:.3f} to {figure['high']:.3f})"
            ends = [f"{curve.losses[-1]:.3f}", f"{curve.losses[0]:.3f}"]
            rows.append([language, *ends, f"{figure['value']:.3f}{interval}", f"{curve.at:.2f}", f"{there:.3f}"])
        mean = sum(curve.barrier["value"] for curve in pair.curves.values()) / max(len(pair.curves), 1)
        rows.append(["mean", "", "", f"{mean:.3f}", "", ""])
        lines += [*([""] if lines else []), f"{shortened(pair.first)} and {shortened(pair.second)}", *laid_out(rows)]
    return lines


def plot(found: Sequence["Barrier"]) -> str:
    """A small picture a language, in it a line a pair: what the loss lies above the straight line between the ends."""
    from train.fusing.barrier import alphas, excess
    from train.fusing.curves import Grid, drawn

    names = [f"{pair.first} (1) and {pair.second} (0)" for pair in found]
    rows: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for name, pair in zip(names, found, strict=True):
        for language, curve in pair.curves.items():
            at = alphas(len(curve.losses))
            points = zip(at.tolist(), excess(curve.losses, at).tolist(), strict=True)
            rows.setdefault(language, {})[name] = list(points)
    return drawn(
        Grid("loss barriers by language", ("the share of the first", "nats a token above the line"), names, rows)
    )


def as_content(found: Sequence["Barrier"], folders: dict[str, str], masked_bytes: int) -> dict[str, Any]:
    """What barrier.json holds; `found` in it is also what other commands keep beside their own results."""
    from train.fusing.barrier import alphas

    return {
        "unit": "nats a hidden token",
        "masked_bytes": masked_bytes,
        "parents": folders,
        "found": [
            {
                "first": pair.first,
                "second": pair.second,
                "languages": {
                    language: {
                        "alphas": alphas(len(curve.losses)).tolist(),
                        "losses": curve.losses.tolist(),
                        "barrier": curve.barrier,
                        "at": curve.at,
                    }
                    for language, curve in pair.curves.items()
                },
            }
            for pair in found
        ],
    }


def as_json(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
