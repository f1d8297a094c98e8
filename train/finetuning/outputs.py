"""The folder of a fine-tuning: what it was begun with, whether it is finished, and what came out."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from schemas.errors import UserError
from train.benchmarks.examples import Example
from train.checkpoints.files import write_text
from train.encoders.opened import OpenedModel
from train.finetuning.seed_run import mean_of
from train.finetuning.settings import FinetuneSettings
from train.metrics.intervals import Interval, t_interval
from train.telemetry.columns import laid_out

BEGUN, RESULT = "begun.json", "result.json"


@dataclass(frozen=True)
class SeedResult:
    """validation, test: the metric by language, of the weights that were best at `step`."""

    seed: int
    step: int
    validation: dict[str, float]
    test: dict[str, float]


@dataclass(frozen=True)
class Result:
    """model: folder of the seed that was best in validation. seeds: in their order."""

    model: Path
    metric: str
    seeds: tuple[SeedResult, ...]

    def by_language(self, split: str = "validation") -> dict[str, Interval]:
        """language -> mean over seeds and its 95 % interval; several languages have "mean" beside them."""
        parts: list[dict[str, float]] = [getattr(one, split) for one in self.seeds]
        found = {language: t_interval([one[language] for one in parts]) for language in parts[0]}
        if len(found) > 1:
            found["mean"] = t_interval([mean_of(one) for one in parts])
        return found

    def table(self) -> list[str]:
        """A line a language, validation and test beside each other."""
        splits = {name: self.by_language(name) for name in ("validation", "test")}
        splits = {name: own for name, own in splits.items() if own}
        languages = list(dict.fromkeys(language for own in splits.values() for language in own if language != "mean"))
        languages += ["mean"] if any("mean" in own for own in splits.values()) else []
        rows = [[self.metric, *splits]]
        for language in languages:
            cells = [shown(own[language]) if language in own else "" for own in splits.values()]
            rows.append([language or "all", *cells])
        return laid_out(rows)

    def as_json(self) -> dict[str, Any]:
        means = {split: self.by_language(split) for split in ("validation", "test")}
        told = {split: {name: one._asdict() for name, one in own.items()} for split, own in means.items()}
        return {"metric": self.metric, "model": str(self.model), **told, "seeds": [asdict(one) for one in self.seeds]}


def shown(interval: Interval) -> str:
    """`0.8125` or `0.8125 ± 0.0214`, the half of a 95 % interval over seeds."""
    spread = "" if interval.high is None else f" ± {interval.high - interval.value:.4f}"
    return f"{interval.value:.4f}{spread}"


def check_output(output: Path, identity: dict[str, Any]) -> None:
    """Writes nothing. UserError where the folder was begun with something else, or is another thing's."""
    path = output / BEGUN
    if path.is_file():
        try:
            before = dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise UserError(f"{path} cannot be read ({error}): remove {output}, or give another --output") from None
        now = json.loads(json.dumps(identity))
        for name in {**before, **now}:
            if before.get(name) != now.get(name):
                then, here = _short(before.get(name)), _short(now.get(name))
                raise UserError(
                    f"--output {output} was begun with another {name} ({then}, now {here}): give that again, or "
                    "another --output"
                )
    elif output.is_dir() and any(not one.name.startswith(".") for one in output.iterdir()):
        raise UserError(f"--output {output} holds something else already: give a folder that is new or empty")
    for folder in (output, *output.parents):
        if folder.exists() and not folder.is_dir():
            raise UserError(f"--output {output}: {folder} is a file: give a folder")


def begin(output: Path, identity: dict[str, Any]) -> None:
    """Writes down what a fine-tuning is of, once. UserError where that cannot be."""
    if not (output / BEGUN).is_file():
        try:
            output.mkdir(parents=True, exist_ok=True)
            write_text(output / BEGUN, json.dumps(identity, indent=1, ensure_ascii=False) + "\n")
        except OSError as error:
            raise UserError(
                f"--output {output} cannot be written to ({error.strerror}): give a folder that is yours"
            ) from None


def identity(
    settings: FinetuneSettings,
    model: OpenedModel,
    training: Sequence[Example],
    validation: Mapping[str, Sequence[Example]],
    test: Mapping[str, Sequence[Example]],
) -> dict[str, Any]:
    """What two runs that end in the same weights and scores have alike."""
    data = {"training": {"": training}, "validation": validation, "test": test}
    digests = {name: _digest(value) for name, value in data.items()}
    precision = "bf16" if model.place.mixed else "fp32"
    weights = hashlib.sha256()
    for file in sorted(one for one in model.folder.iterdir() if one.suffix in (".safetensors", ".bin", ".json")):
        with file.open("rb") as opened:
            weights.update(file.name.encode() + hashlib.file_digest(opened, "sha256").digest())
    return settings.as_json() | {"precision": precision, "model": weights.hexdigest()} | digests


def read_seed(folder: Path) -> SeedResult | None:
    """What a seed came to; None where it has not ended. UserError where that cannot be read."""
    path = folder / RESULT
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return SeedResult(**found["seeds"][0])
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, LookupError) as error:
        raise UserError(f"{path} cannot be read ({error}): remove {folder}, or give another --output") from None


def write_result(folder: Path, result: Result) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / RESULT, json.dumps(result.as_json(), indent=1, ensure_ascii=False) + "\n")


def _digest(examples: Mapping[str, Sequence[Example]]) -> str:
    """Of what is asked and answered, whatever file it stands in and by whatever path that is named."""
    found = hashlib.sha256()
    for language, own in examples.items():
        found.update(f"{language!r} {len(own)}\n".encode())
        for one in own:
            told = [getattr(one, name) for name in one.__dataclass_fields__ if name != "origin"]
            found.update(f"{told!r}\n".encode("utf-8", "surrogatepass"))
    return found.hexdigest()


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 24 else text[:12] + "…"
