"""What a classifier of ours says of itself, behind the fastText library's own file, which the library reads as before.

A file ends with the trailer: JSON in UTF-8, its length as eight bytes, little-endian, and MAGIC. So it is found from
the file's end, and a file without it is fastText's alone.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from schemas.errors import UserError

MAGIC = b"WANYUCLF"
FORM = 1
_NUMBER = 8
_MOST_BYTES = 1 << 28


class Trailer(NamedTuple):
    """preparation: `pipeline.scores.shapes.VERSION` that the texts were prepared by. label: that of good texts.
    quantiles: `pipeline.scores.calibration.Quantiles` as JSON. kept_share: that it is judged at. least_kept_share: of
    a language, below which a job says so. figures: how good it is. made_from: what it was fitted on, and how."""

    preparation: int
    label: str
    quantiles: Mapping[str, Any]
    kept_share: float
    least_kept_share: float
    figures: Mapping[str, Any]
    made_from: Mapping[str, Any]


def append(path: str | Path, trailer: Trailer) -> None:
    """Writes it behind what the file holds."""
    text = json.dumps({"form": FORM, **trailer._asdict()}, ensure_ascii=False, sort_keys=True).encode()
    with open(path, "ab") as file:
        file.write(text + len(text).to_bytes(_NUMBER, "little") + MAGIC)


def read(path: str | Path) -> Trailer | None:
    """The file's trailer; None where it has none. UserError where it is damaged or of another release."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        tail = _NUMBER + len(MAGIC)
        if size < tail:
            return None
        file.seek(size - tail)
        last = file.read(tail)
        if not last.endswith(MAGIC):
            return None
        length = int.from_bytes(last[:_NUMBER], "little")
        if length > min(size - tail, _MOST_BYTES):
            raise UserError(f"{path}: what it says of itself is damaged; copy the model again")
        file.seek(size - tail - length)
        text = file.read(length)
    try:
        said = json.loads(text)
        form = said.pop("form")
        if form != FORM:
            raise UserError(f"{path}: a classifier of form {form}, of another release; fit it again")
        return Trailer(**said)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{path}: what it says of itself is damaged; copy the model again") from None
