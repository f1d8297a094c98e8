"""Checkpoints: `checkpoints/step-00000050/` appears whole, by a rename; then `latest` names it.

model.safetensors holds the weights, optimizer.pt the moments (read with weights_only), state.json the counters, the
plan of the data and the position in it, and the settings that a resumed run must share.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from schemas.errors import UserError


def publish(target: Path, write: Callable[[Path], None]) -> None:
    """Has `write` make and fill a folder beside `target`, syncs it, moves it into place; OSError if the disk fails."""
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    write(part)
    for path in (*part.iterdir(), part):
        sync(path)
    shutil.rmtree(target, ignore_errors=True)
    part.replace(target)
    sync(target.parent)


def write_text(path: Path, text: str) -> None:
    """Replaces a file at once: a reader sees the old text or the new."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    sync(part)
    part.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Makes a file or a folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def save(
    folder: Path, step: int, weights: Mapping[str, Tensor], optimizer: dict[str, Any], state: dict[str, Any], keep: int
) -> None:
    """Writes the checkpoint of `step` under `folder`, points `latest` at it, and drops all but the newest `keep`.

    Later steps than this one, which somebody went back from by editing `latest`, are not counted and stay.
    """
    target = folder / f"step-{step:08d}"

    def write(part: Path) -> None:
        part.mkdir()
        save_file({name: value.contiguous() for name, value in weights.items()}, part / "model.safetensors")
        torch.save(optimizer, part / "optimizer.pt")
        (part / "state.json").write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")

    publish(target, write)
    write_text(folder / "latest", target.name + "\n")
    earlier = [path for path in sorted(folder.glob("step-*")) if path.name <= target.name]
    for old in earlier[:-keep]:
        shutil.rmtree(old, ignore_errors=True)


def latest(folder: Path) -> Path | None:
    """The newest checkpoint under `folder`; None where there is none. UserError where `latest` names a missing one."""
    pointer = folder / "latest"
    if not pointer.is_file():
        return None
    path = folder / pointer.read_text(encoding="utf-8").strip()
    if not (path / "state.json").is_file():
        raise UserError(f"{pointer} names {path.name}, which is not there: write another step-* folder's name into it")
    return path


def read_state(path: Path) -> dict[str, Any]:
    """state.json of a checkpoint."""
    state = json.loads((path / "state.json").read_text(encoding="utf-8"))
    assert isinstance(state, dict)
    return state


def read_tensors(path: Path, device: torch.device) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """(weights, state of the optimizer) of a checkpoint, on `device`."""
    weights = load_file(path / "model.safetensors", device=str(device))
    return weights, torch.load(path / "optimizer.pt", map_location=device, weights_only=True)
