"""The folder of a branch-train-merge: its steps, each whole or not there, done once.

OUTPUT/branch-train-merge.json       what it was begun with
OUTPUT/seed-0/seed, branches/eng_Latn, merged/ties, decayed/ties, joint ...
                                     a run of train/pretrain.py, or a model, each; beside a run STEP.toml and .log
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import UserError
from train.branching.merging import merge, write_texts
from train.branching.pretraining import pretrain
from train.branching.recipe import Recipe
from train.branching.steps import Merging, Plan, Pretraining
from train.checkpoints.files import write_text
from train.config.written import as_toml
from train.encoders.folders import EXPORT, checkpoints_of, lineage_of
from train.telemetry.metrics_file import read

RECORD = "branch-train-merge.json"
SPLIT = "train"


@dataclass(frozen=True)
class Work:
    """The steps of one seed. processes: of each pretraining. device: of what a merge asks."""

    root: Path
    recipe: Recipe
    plan: Plan
    seed: int
    processes: int
    device: str
    say: Callable[[str], None]

    @property
    def folder(self) -> Path:
        return self.root / f"seed-{self.seed}"

    def place(self, step: str) -> Path:
        return self.folder / step

    def model(self, step: str) -> Path:
        """What `--init`, `--teachers` and `--model` take: of a run with a language embedding its last checkpoint, since
        exports have one language folded in."""
        run = self.place(step)
        if step not in self.plan.pretrainings():
            return run
        if self.recipe.base(run).model.language_embedding:
            return checkpoints_of(run)[-1]
        return run / EXPORT

    def finished(self, step: Pretraining | Merging) -> bool:
        if isinstance(step, Merging):
            return self.place(step.name).is_dir()
        return lineage_of(self.place(step.name) / EXPORT).get("step") == step.steps

    def do(self) -> None:
        """All steps that are not finished, in their order."""
        todo = [step for step in self.plan.steps if not self.finished(step)]
        for number, step in enumerate(todo, 1):
            self.say(
                f"seed {self.seed}: {step.name}, step {number} of {len(todo)} that are left of {len(self.plan.steps)}"
            )
            try:
                if isinstance(step, Merging):
                    self._merge(step)
                else:
                    self._pretrain(step)
            except OSError as error:
                why = error.strerror or error
                raise UserError(f"step {step.name}: {self.folder} cannot be written ({why}): mend that") from None

    def tokens(self, run: str) -> dict[str, int]:
        """By language, what a finished pretraining was shown, <s> and </s> counted."""
        lines = [line for line in read(self.place(run) / "metrics.jsonl") if line["split"] == SPLIT]
        return {name: int(entry["tokens"]) for name, entry in lines[-1]["languages"].items()}

    def _pretrain(self, step: Pretraining) -> None:
        run = self.place(step.name)
        needed = [*([step.init] if step.init else []), *step.teachers.values()]
        config = self.recipe.config(step, run, self.seed, {name: self.model(name) for name in needed})
        settings, log = run.with_name(f"{run.name}.toml"), run.with_name(f"{run.name}.log")
        run.parent.mkdir(parents=True, exist_ok=True)
        write_text(settings, as_toml(config))
        pretrain(step.name, settings, log, self.processes)
        if not self.finished(step):
            raise UserError(f"step {step.name} was stopped before its last step: the same command goes on")

    def _merge(self, step: Merging) -> None:
        texts = self.root / "texts"
        write_texts(self.recipe.base(self.root).data.shards, texts)
        parents = {language: self.place(name) for language, name in zip(step.languages, step.parents, strict=True)}
        try:
            merge(
                step.rule,
                parents,
                self.model(step.base),
                self.place(step.name),
                texts,
                self.seed,
                self.device,
                self.say,
            )
        except UserError as error:
            raise UserError(f"step {step.name}: {error}") from None


def begin(root: Path, settings: Mapping[str, Any]) -> None:
    """Writes what it is begun with, or holds it against what it was begun with: UserError that names the first
    difference."""
    path = root / RECORD
    told = json.loads(json.dumps(settings))
    if path.is_file():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read ({error}): take another --output") from None
        for name in dict.fromkeys([*told, *before]):
            if told.get(name) != before.get(name):
                raise UserError(
                    f"{name} = {told.get(name)}, but {root} was begun with {before.get(name)}: give that, or take "
                    "another --output"
                )
        return
    if root.is_dir() and any(root.iterdir()):
        raise UserError(f"--output {root} holds something else: name a new folder")
    try:
        root.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise UserError(f"--output {root} cannot be written ({error}): name another folder") from None
