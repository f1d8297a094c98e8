"""Of what train/pretrain.py would be given, and of a step, the settings of that step's run."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import UserError
from train.branching.steps import Pretraining
from train.config.load import Settings, build, read_preset, read_toml
from train.config.tables import PretrainConfig

OF_ARMS = ("objectives.distillation", "objectives.language_adversary")  # tables of a file that only these arms have
LEVEL = {"objectives.mlm": {"weight": "0.5"}, "objectives.distillation": {"weight": "0.5"}}


@dataclass(frozen=True)
class Recipe:
    """settings: by table and field, of all runs alike. of_arms: the tables OF_ARMS that the file has."""

    settings: Settings
    of_arms: Settings

    def config(self, step: Pretraining, output: Path, seed: int, folders: Mapping[str, Path]) -> PretrainConfig:
        """folders: where the models of other steps lie, by name. UserError where settings do not fit."""
        more: Settings = {
            "run": {"output": str(output), "steps": step.steps, "seed": seed_of(step, seed)},
            "optim": {"warmup_ratio": step.warmup / step.steps, "decay_ratio": step.decay / step.steps},
        }
        if step.shares:
            more["data"] = {"language_shares": dict(step.shares)}
        if step.init is not None:
            more["model"] = {"init": str(folders[step.init])}
        if step.teachers:
            more["model"]["teachers"] = {language: str(folders[name]) for language, name in step.teachers.items()}
            asked = self.of_arms.get("objectives.distillation")
            more |= LEVEL if asked is None else {"objectives.distillation": asked}
        if step.adversary:
            more["objectives.language_adversary"] = self.of_arms.get("objectives.language_adversary", {})
        return build(over(self.settings, more))

    def base(self, output: Path) -> PretrainConfig:
        """What all runs have in common."""
        return build(over(self.settings, {"run": {"output": str(output)}}))


def seed_of(step: Pretraining, seed: int) -> int:
    """Of what begins from scratch the seed itself. What goes on is shown the corpus in another order, since it would
    else begin with the documents that its parent has just seen."""
    if not step.order:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed} {step.order}".encode()).digest()[:4], "big")


def read_recipe(shards: Path, tokenizer: Path, file: Path | None, preset: str | None) -> Recipe:
    """UserError where the file or preset is none, and for settings that the arms of a comparison decide."""
    settings, named = read_toml(file) if file is not None else ({}, None)
    of_arms = {name: settings.pop(name) for name in OF_ARMS if name in settings}
    preset = preset or named
    if preset:
        settings = over(read_preset(preset), settings)
    for table, name in (("model", "teachers"), ("data", "language_shares")):
        if settings.get(table, {}).get(name):
            raise UserError(f"--config {file}: {name} under [{table}] is what branch-train-merge decides: take it out")
    places: dict[str, Any] = {"shards": str(shards), "tokenizer": str(tokenizer)}
    return Recipe(over(settings, {"data": places}), of_arms)


def over(below: Settings, above: Settings) -> Settings:
    return {name: {**below.get(name, {}), **above.get(name, {})} for name in dict.fromkeys([*below, *above])}
