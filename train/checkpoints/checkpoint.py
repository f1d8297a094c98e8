"""Checkpoints: `checkpoints/step-00000050/` appears whole, by a rename; then `latest` names it.

One holds model.safetensors (the weights), optimizer.safetensors (a flat dict of named tensors), ema.safetensors where
a mean of the weights is kept, documents such as state.json, and digests.json, written last: size and XXH3-128 of each
other file. Nothing is pickled.
"""

import errno
import json
import math
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from schemas.errors import UserError
from train.checkpoints.files import DIGEST, digest, publish, remove, write_text

Tensors = Mapping[str, Mapping[str, Tensor]]  # by stem of the file, then by name
STEP = re.compile(r"step-\d{8}")
SUFFIXES = (".safetensors", ".json")
WEIGHTS = ("model", "ema")  # files that hold weights, which are finite in any checkpoint worth its name
MENDING = {
    errno.ENOSPC: "free space there",
    errno.EDQUOT: "free space there or raise the quota",
    errno.EACCES: "make that writable",
    errno.EPERM: "make that writable",
    errno.EROFS: "make that writable",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
}


@dataclass(frozen=True)
class Checkpoint:
    """What `read` found: tensors by stem of their file and name, documents by stem."""

    tensors: dict[str, dict[str, Tensor]]
    documents: dict[str, dict[str, Any]]


def save(folder: Path, step: int, tensors: Tensors, documents: Mapping[str, dict[str, Any]], keep: int) -> None:
    """Writes the checkpoint of `step` under `folder`, points `latest` at it, and drops all but the newest `keep`.

    `tensors` become NAME.safetensors, `documents` NAME.json. Later steps than this one, which somebody went back from
    by editing `latest`, are not counted and stay. UserError where the disk is full or closed to us: `latest` and what
    it names are then as they were.
    """
    write(folder, step, tensors, {name: as_json(document) for name, document in documents.items()}, keep)


def as_json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1) + "\n"


def write(folder: Path, step: int, tensors: Tensors, texts: Mapping[str, str], keep: int) -> None:
    """`save` with documents that are text already."""
    target = folder / f"step-{step:08d}"

    def fill(part: Path) -> None:
        part.mkdir()
        for name, values in tensors.items():
            save_file({key: value.contiguous() for key, value in values.items()}, part / f"{name}.safetensors")
        for name, text in texts.items():
            (part / f"{name}.json").write_text(text, encoding="utf-8")
        files = {path.name: {"size": path.stat().st_size, DIGEST: digest(path)} for path in sorted(part.iterdir())}
        (part / "digests.json").write_text(as_json(files), encoding="utf-8")

    before = None
    try:
        before = _named(folder)
        for left in folder.glob(".step-*.part"):  # of a run that was killed
            shutil.rmtree(left, ignore_errors=True)
        publish(target, fill)
        write_text(folder / "latest", target.name + "\n")
    except (OSError, SafetensorError) as error:
        number = _errno(error)
        if number is None:
            raise
        way_out = MENDING.get(number, "mend that")
        goes_on = f"goes on from step {int(before.removeprefix('step-'))}" if before else "starts anew"
        raise UserError(
            f"cannot write the checkpoint of step {step} into {folder} ({os.strerror(number)}): {way_out}, "
            f"then the same command {goes_on}"
        ) from error
    for old in [path for path in _steps(folder) if path.name <= target.name][:-keep]:
        remove(old)


def newest(folder: Path, say: Callable[[str], None]) -> Path | None:
    """The newest whole checkpoint under `folder`, up to the one that `latest` names; None where none was ever made.

    Says a line for each damaged one that it passes over. UserError where there are some and none is whole. All files
    are read.
    """
    named = _named(folder)
    names = [path.name for path in _steps(folder) if named is None or path.name <= named]
    if named is not None and named not in names:
        names.append(named)
    names.reverse()
    for name, before in zip_longest(names, names[1:]):
        damage = _damage(folder / name)
        if damage is None:
            return folder / name
        if before:
            say(f"checkpoint {name} is damaged ({damage}): going back to {before}")
        else:
            upto = f"up to {named}, which {folder / 'latest'} names, " if named else ""
            raise UserError(
                f"no checkpoint in {folder} {upto}is whole ({name}: {damage}): bring one back, "
                f"or remove the folder {folder} to start anew"
            )
    return None


def read(path: Path, device: torch.device) -> Checkpoint:
    """All of a checkpoint that `newest` found whole, tensors on `device`. UserError where a weight is not finite."""
    files = json.loads((path / "digests.json").read_text(encoding="utf-8"))
    stems = {suffix: [name.removesuffix(suffix) for name in files if name.endswith(suffix)] for suffix in SUFFIXES}
    tensors = {name: load_file(path / f"{name}.safetensors", device=str(device)) for name in stems[".safetensors"]}
    for name in set(WEIGHTS) & set(tensors):
        check_finite(tensors[name], f"{path / name}.safetensors")
    documents = {name: json.loads((path / f"{name}.json").read_text(encoding="utf-8")) for name in stems[".json"]}
    return Checkpoint(tensors, documents)


def check_finite(tensors: Mapping[str, Tensor], what: str) -> None:
    """UserError that names the first tensor holding NaN or infinity. One transfer from the device for all of them."""
    names = [name for name, value in tensors.items() if value.is_floating_point() and value.numel()]
    if not names:
        return
    # Both ends are NaN if any value is, and an infinity is one of the ends.
    ends = torch.stack([torch.stack(torch.aminmax(tensors[name].detach())).double() for name in names]).tolist()
    for name, (low, high) in zip(names, ends, strict=True):
        if not (math.isfinite(low) and math.isfinite(high)):
            raise UserError(
                f"{what} is not finite in {name}: go on from the checkpoint before, by its name in "
                "checkpoints/latest, with a lower learning_rate"
            )


def _errno(error: OSError | SafetensorError) -> int | None:
    """Number of the system's error; None for one that is not of the system. safetensors wraps them as text."""
    if isinstance(error, OSError):
        return error.errno
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found[1]) if found else None


def _steps(folder: Path) -> list[Path]:
    """Folders of checkpoints, oldest first."""
    return sorted(path for path in folder.glob("step-*") if STEP.fullmatch(path.name))


def _named(folder: Path) -> str | None:
    """What `latest` names; None where it is missing or names no checkpoint."""
    try:
        name = (folder / "latest").read_text(encoding="utf-8").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    return name if STEP.fullmatch(name) else None


def _damage(path: Path) -> str | None:
    """What is wrong with the files of a checkpoint, first of all; None where all are as they were written."""
    name = "digests.json"
    try:
        text = (path / name).read_text(encoding="utf-8")
        files = json.loads(text)
        if as_json(files) != text:
            return f"{name}: changed"
        for name, entry in files.items():
            size = (path / name).stat().st_size
            if size != entry["size"]:
                return f"{name}: {size:,} bytes, {entry['size']:,} were written"
            if digest(path / name) != entry[DIGEST]:
                return f"{name}: changed"
    except PermissionError:
        raise  # nothing is known of the files then
    except OSError as error:
        return f"{name}: {error.strerror}"
    except (ValueError, TypeError, KeyError, AttributeError):
        return f"{name}: changed"
    return None
