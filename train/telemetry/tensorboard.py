"""Event files of TensorBoard, written without it.

Framing: TFRecord (tensorflow/core/lib/io/record_writer.h), each record's length and data followed by a masked CRC-32C
(RFC 3720, B.4). Records: the protocol buffer `Event` (tensorflow/core/util/event.proto), of which a file version, a
session's start and scalars (tensorflow/core/framework/summary.proto) are used.
"""

import math
import os
import re
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

BY_LANGUAGE = ("loss", "accuracy", "epochs", "share", "weight")  # the other figures of a language are in metrics.jsonl
_NAME = "events.out.tfevents."
_VERSION, _START = "brain.Event:2", 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types


class EventFile:
    """A new event file in `folder`, which TensorBoard reads after those that are there."""

    def __init__(self, folder: Path, step: int) -> None:
        """A run that goes on after `step` has TensorBoard forget what earlier files say of later steps."""
        folder.mkdir(parents=True, exist_ok=True)
        # Files are read in the order of their names; the clock of another machine may be behind.
        earlier = [int(found[1]) for path in folder.iterdir() if (found := re.match(_NAME + r"(\d+)\.", path.name))]
        second = max(int(time.time()), max(earlier, default=0) + 1)
        self.path = folder / f"{_NAME}{second:010d}.{socket.gethostname()}.{os.getpid()}"
        self._append(_field(3, _BYTES, _VERSION.encode()))
        self._append(_field(2, _VARINT, step + 1) + _field(7, _BYTES, _field(1, _VARINT, _START)))

    def write(self, values: Mapping[str, Any]) -> None:
        """The scalars of a line of metrics.jsonl, as one event."""
        points = b"".join(
            _field(1, _BYTES, _field(1, _BYTES, tag.encode()) + _field(2, _FIXED32, value))
            for tag, value in scalars(values)
        )
        self._append(_field(2, _VARINT, values["step"]) + _field(5, _BYTES, points))

    def _append(self, event: bytes) -> None:
        data = _field(1, _FIXED64, time.time()) + event
        length = struct.pack("<Q", len(data))
        record = length + struct.pack("<I", masked_crc(length)) + data + struct.pack("<I", masked_crc(data))
        with self.path.open("ab") as file:
            file.write(record)


def scalars(values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """(tag, value) of a line of metrics.jsonl: `train/loss`, `train/loss/eng_Latn`, `train/objectives/mlm/loss`,
    `train/objectives/mlm/loss/eng_Latn`.

    What is not a finite number is left out.
    """
    split = values["split"]
    for key, value in values.items():
        if key != "step" and _is_number(value):
            yield f"{split}/{key}", value
    for name, figures in values.get("objectives", {}).items():
        yield from ((f"{split}/objectives/{name}/{key}", value) for key, value in figures.items() if _is_number(value))
    yield from ((f"{split}/probe/{key}", value) for key, value in values.get("probe", {}).items() if _is_number(value))
    for language, figures in values.get("languages", {}).items():
        shown = ((key, figures.get(key)) for key in BY_LANGUAGE)
        yield from ((f"{split}/{key}/{language}", value) for key, value in shown if _is_number(value))
        for name, scores in figures.get("objectives", {}).items():
            of_each = ((key, scores.get(key)) for key in ("loss", "accuracy"))
            start = f"{split}/objectives/{name}"
            yield from ((f"{start}/{key}/{language}", value) for key, value in of_each if _is_number(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _field(number: int, wire: int, value: Any) -> bytes:
    """A field of a protocol buffer: its key, then a varint, eight or four bytes, or a length and bytes."""
    key = _varint(number << 3 | wire)
    if wire == _VARINT:
        return key + _varint(value)
    if wire == _BYTES:
        return key + _varint(len(value)) + value
    return key + (struct.pack("<d", value) if wire == _FIXED64 else _float(value))


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _float(value: float) -> bytes:
    """Single precision; what is too large for it as its infinity."""
    try:
        return struct.pack("<f", value)
    except OverflowError:
        return struct.pack("<f", math.copysign(math.inf, value))


def _crc_table() -> list[int]:
    table = []
    for entry in range(256):
        for _ in range(8):
            entry = entry >> 1 ^ (0x82F63B78 if entry & 1 else 0)  # Castagnoli's polynomial, bits reversed
        table.append(entry)
    return table


_CRC_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def masked_crc(data: bytes) -> int:
    """As TFRecord stores it, since a CRC over data that holds CRCs would be weak."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
