"""`mixture.json`: what the shards hold and how a run is to see them. `train/` reads it, and people."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.config import SampleConfig
from pipeline.mixture.placing import SCORE_STEPS, Written
from pipeline.mixture.planning import Plan
from pipeline.store import storage
from schemas.errors import UserError
from schemas.sample import SPLITS

FORMAT = 2


def read_manifest(folder: str) -> dict[str, Any]:
    """Of the stage's folder. UserError where it is of an earlier release."""
    mixed: dict[str, Any] = storage.read_json(storage.join(folder, "mixture.json")) or {}
    if mixed.get("format") != FORMAT:
        raise UserError(f"{folder} was written by an earlier release: run jobs/sample.py again")
    return mixed


def manifest(plan: Plan, written: Sequence[Written], config: SampleConfig) -> dict[str, Any]:
    """`languages`: by label, documents, bytes and mean language score of both splits, as written, and characters of
    train; `weighted`, units of train documents times their weight; `epochs`, how often a run of `budget` shows these
    (below 1 is a subset that is written, so about 1); `share` of the budget; `weight`, the share that the shards and
    epochs come to; `max_epochs`, the most over a whole run. `schedule`: of each phase its part of the run and the
    shares of the languages, before caps, from which a run of another length makes its own epochs.
    """
    languages: dict[str, dict[str, Any]] = {}
    for language in plan.languages:
        if not (language.train.documents or language.held_out.documents):
            continue
        seen = sum(language.epochs)
        amount = seen * language.weighted
        languages[language.label] = {
            "documents": 0,
            "bytes": 0,
            "characters": 0,
            "validation_documents": 0,
            "validation_bytes": 0,
            "weighted": round(language.written, 3),
            "epochs": round(amount / language.written, 9) if language.written else 0.0,
            "share": round(amount / plan.budget, 9),
            "max_epochs": config.max_epochs,
            "capped_by": language.capped_by,
            "largest_host": language.largest_host,
            "largest_host_share": round(language.largest_host_share, 4),
        }
    scores: Counter[str] = Counter()
    for shard in written:
        entry, prefix = languages[shard.label], "" if shard.split == SPLITS[0] else "validation_"
        entry[f"{prefix}documents"] += shard.rows
        entry[f"{prefix}bytes"] += shard.bytes
        entry["characters"] += 0 if prefix else shard.characters
        scores[shard.label] += shard.scores
    for language in plan.languages:
        entry = languages.get(language.label, {})
        for prefix, size in (("", language.train), ("validation_", language.held_out)):
            if entry and (entry[f"{prefix}documents"], entry[f"{prefix}bytes"]) != tuple(size):
                raise AssertionError(
                    f"sample: {language.label} was planned with {size} of {prefix or 'train'}, {entry}"
                )
    for label, entry in languages.items():
        documents = entry["documents"] + entry["validation_documents"]
        entry["language_score"] = round(scores[label] / SCORE_STEPS / documents, 4) if documents else None
    schedule = []
    for number, phase in enumerate(plan.phases):
        shares = {
            one.label: round(one.shares[number], 9) for one in plan.languages if one.shares and one.shares[number]
        }
        settings: dict[str, Any] = {"fraction": phase.fraction, "method": phase.method}
        if phase.method == "temperature":
            settings["temperature"] = phase.temperature
        schedule.append({**settings, "shares": shares})
    mixed = {
        "format": FORMAT,
        "method": "schedule" if config.schedule else config.method,
        "temperature": config.temperature if config.method == "temperature" and not config.schedule else None,
        "unit": config.unit,
        "budget": round(plan.budget),
        "max_epochs": config.max_epochs,
        "upsampling": config.upsampling,
        **({"score_weights": {config.score_column: config.score_weights}} if config.score_column else {}),
        "languages": languages,
        "schedule": schedule,
    }
    return with_totals(mixed)


def with_totals(mixed: dict[str, Any]) -> dict[str, Any]:
    """With `weight` by language, and `total_bytes` that a run of the budget shows."""
    languages = mixed["languages"]
    seen = {label: entry["epochs"] * entry["weighted"] for label, entry in languages.items()}
    total = sum(seen.values())
    for label, entry in languages.items():
        entry["weight"] = round(seen[label] / total, 9) if total else 0.0
    mixed["total_bytes"] = round(sum(entry["epochs"] * entry["bytes"] for entry in languages.values()))
    return mixed


def without_rows(mixed: Mapping[str, Any], gone: Mapping[tuple[str, str], Mapping[str, int]]) -> dict[str, Any]:
    """After removal: how often a language is seen stays as it was planned. gone: by label and split, rows and bytes."""
    languages = {label: dict(entry) for label, entry in mixed["languages"].items()}
    for (label, split), lost in gone.items():
        entry, prefix = languages[label], "" if split == SPLITS[0] else "validation_"
        if not prefix and entry["bytes"]:
            left = 1 - lost["bytes"] / entry["bytes"]
            entry["weighted"] = round(entry["weighted"] * left, 3)
            entry["characters"] = round(entry["characters"] * left)
        entry[f"{prefix}documents"] -= lost["rows"]
        entry[f"{prefix}bytes"] -= lost["bytes"]
    return with_totals({**mixed, "languages": languages})
