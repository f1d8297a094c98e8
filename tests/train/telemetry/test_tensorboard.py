"""Event files as TensorBoard reads them: by a reader of the published formats that shares nothing with the writer."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from train.telemetry import tensorboard
from train.telemetry.tensorboard import EventFile, crc32c, masked_crc, scalars

LINE = {
    "step": 300, "split": "train", "tokens": 2**40, "loss": 2.5, "accuracy": None, "grad_norm": float("nan"),
    "languages": {"eng_Latn": {"loss": 2.25, "masked": 7, "tokens": 9, "epochs": 0.5, "share": 0.75, "weight": 0.25,
                               "objectives": {"mlm": {"loss": 2.25, "accuracy": 0.5, "units": 7}}}, "kat_Geor": {}},
    "objectives": {"mlm": {"loss": 2.5, "units": 7, "weight": 1.0}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),  # the check value of CRC-32C in every catalogue
        (bytes(32), 0x8A9136AA),  # this and the next three: RFC 3720, B.4
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(reversed(range(32))), 0x113FDB5C),
    ],
)
def test_crc32c(data: bytes, expected: int) -> None:
    assert crc32c(data) == expected


def test_masked_crc_rotates_and_adds() -> None:
    turned = int(f"{0xE3069283:032b}"[-15:] + f"{0xE3069283:032b}"[:-15], 2)  # right by 15
    assert masked_crc(b"123456789") == (turned + 0xA282EAD8) % 2**32


def records(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    while data:
        length, of_length = struct.unpack_from("<QI", data)
        assert of_length == masked_crc(data[:8])
        body, (of_body,) = data[12 : 12 + length], struct.unpack_from("<I", data, 12 + length)
        assert of_body == masked_crc(body)
        yield body
        data = data[16 + length :]


def fields(message: bytes) -> dict[int, list[Any]]:
    """Protocol buffer -> field number -> values, as the encoding's guide has it."""
    at, found = 0, dict[int, list[Any]]()

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value

    while at < len(message):
        number, wire = divmod(varint(), 8)
        if wire == 0:
            value: Any = varint()
        else:
            size = {1: 8, 5: 4}[wire] if wire != 2 else varint()
            value, at = message[at : at + size], at + size
            assert len(value) == size
            value = struct.unpack({1: "<d", 5: "<f"}[wire], value)[0] if wire != 2 else value
        found.setdefault(number, []).append(value)
    return found


def points(event: dict[int, list[Any]]) -> dict[str, float]:
    values = [fields(value) for value in fields(event[5][0])[1]]
    return {value[1][0].decode(): value[2][0] for value in values}


def test_the_reader_reads_the_guide_s_own_examples() -> None:
    assert fields(bytes.fromhex("089601")) == {1: [150]}
    assert fields(bytes.fromhex("120774657374696e67")) == {2: [b"testing"]}


def test_a_line_becomes_one_event(tmp_path: Path) -> None:
    file = EventFile(tmp_path, 0)
    file.write(LINE)
    version, start, event = map(fields, records(file.path))
    assert version[3] == [b"brain.Event:2"]
    assert (start[2], fields(start[7][0])) == ([1], {1: [1]})
    assert event[2] == [300]
    assert points(event) == {
        "train/tokens": 2.0**40, "train/loss": 2.5, "train/loss/eng_Latn": 2.25, "train/epochs/eng_Latn": 0.5,
        "train/share/eng_Latn": 0.75, "train/objectives/mlm/loss": 2.5, "train/objectives/mlm/units": 7.0,
        "train/objectives/mlm/weight": 1.0, "train/weight/eng_Latn": 0.25,
        "train/objectives/mlm/loss/eng_Latn": 2.25, "train/objectives/mlm/accuracy/eng_Latn": 0.5,
    }  # fmt: skip
    assert 1.7e9 < event[1][0] < 1e11  # seconds since 1970


def test_a_resumed_run_takes_later_steps_back(tmp_path: Path) -> None:
    """TensorBoard drops points of steps at or after that of a session's start (event_accumulator.py, _Purge)."""
    first = EventFile(tmp_path, 0)
    for step in (100, 200, 300):
        first.write(LINE | {"step": step, "loss": 1.0})
    second = EventFile(tmp_path, 200)
    second.write(LINE | {"step": 300, "loss": 9.0})
    shown: list[tuple[int, float]] = []
    for path in sorted(tmp_path.iterdir()):
        for event in map(fields, records(path)):
            if 7 in event:
                shown = [point for point in shown if point[0] < event[2][0]]
            elif 5 in event:
                shown.append((event[2][0], points(event)["train/loss"]))
    assert shown == [(100, 1.0), (200, 1.0), (300, 9.0)]


def test_files_are_read_in_the_order_of_their_making(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for now in (2_000_000_000.0, 2_000_000_000.5, 1_999_999_000.0):  # at once, then on a machine whose clock is behind
        monkeypatch.setattr(tensorboard.time, "time", lambda now=now: now)
        made.append(EventFile(tmp_path, 0).path.name)
    assert made == sorted(set(made)) and all("tfevents" in name for name in made)


def test_a_validation_that_is_not_finite_leaves_no_point() -> None:
    line = {"step": 1, "split": "validation", "loss": None, "languages": {"eng_Latn": {"loss": float("inf")}}}
    assert list(scalars(line)) == []


def test_a_number_too_large_for_single_precision(tmp_path: Path) -> None:
    file = EventFile(tmp_path, 0)
    file.write({"step": 1, "split": "train", "grad_norm": 1e300})
    assert points(fields(list(records(file.path))[-1])) == {"train/grad_norm": float("inf")}


def test_a_probe_has_tags_of_its_own() -> None:
    line = {"step": 1, "split": "validation", "probe": {"accuracy": 0.5, "centred_accuracy": None}}
    assert list(scalars(line)) == [("validation/probe/accuracy", 0.5)]
