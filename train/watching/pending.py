"""Which checkpoints of a run are still to be asked, and whether the run has come to its end."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import UserError
from train.encoders.folders import EXPORT, checkpoints_of, lineage_of

Key = tuple[int, str]
"""Of a checkpoint: its step and a digest, since a run that went back makes another one of the same step."""


@dataclass(frozen=True)
class Pending:
    folder: Path
    key: Key

    @property
    def step(self) -> int:
        return self.key[0]


def pending(run: Path, done: Collection[Key]) -> list[Pending]:
    """Those that are whole and not done, by step."""
    found = []
    for folder in checkpoints_of(run):
        try:
            digest = hashlib.sha256((folder / "digests.json").read_bytes()).hexdigest()[:16]
        except FileNotFoundError:  # the run has dropped it meanwhile
            continue
        one = Pending(folder, (int(folder.name.removeprefix("step-")), digest))
        if one.key not in done:
            found.append(one)
    return found


def is_there(folder: Path) -> bool:
    """Whether a checkpoint is still whole: a run takes one away by a rename."""
    return (folder / "digests.json").is_file()


def has_ended(run: Path) -> bool:
    """Whether there is a checkpoint or an export of the last step that the run is set to. UserError for a folder that
    is no run of train/pretrain.py."""
    path = run / "_run.json"
    try:
        last = int(json.loads(path.read_text(encoding="utf-8"))["config"]["run"]["steps"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            f"--watch {run} is no run: name the --output of train/pretrain.py, which has a {path.name} once the run "
            "has begun"
        ) from None
    steps = [int(folder.name.removeprefix("step-")) for folder in checkpoints_of(run)]
    exported = lineage_of(run / EXPORT).get("step")
    return max([*steps, exported if isinstance(exported, int) else 0], default=0) >= last
