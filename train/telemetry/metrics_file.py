"""metrics.jsonl: a line of JSON a report of the run, in the order in which they were made."""

import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np


class MetricsFile:
    """The writer. It goes on in a file that is there: each line is a whole one, whenever the run is cut off."""

    def __init__(self, path: Path, step: int) -> None:
        """Takes out what a crashed run left behind: lines of steps after `step`, all where a run begins at step 0, and
        what is no whole line of JSON. The resumed run will say them again. OSError if the disk fails."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        with part.open("wb") as file:
            file.writelines(line for line, values in _lines(path) if step and values["step"] <= step)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)

    def write(self, values: Mapping[str, Any]) -> None:
        """Appends a line; `values` has a `step`. Numbers that are not finite become null."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(plain(values), allow_nan=False) + "\n")


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The values of each whole line; of a file that is not there, none."""
    return (values for _, values in _lines(path))


def _lines(path: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """(bytes of a line, its values). A machine that went down may have left half a line, or zeros, in the midst."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            try:
                values = json.loads(line)
            except ValueError:
                continue
            if line.endswith(b"\n") and isinstance(values, dict) and isinstance(values.get("step"), int):
                yield line, values


def plain(value: Any) -> Any:
    """The value as JSON can hold it: NumPy's numbers as Python's, None for those that are not finite."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
