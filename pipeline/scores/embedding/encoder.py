"""Vectors of texts from an exported encoder, in a process of its own: `train/predict.py embed --stream`.

A process, since what makes corpora knows no torch, and since a worker that forks must not have its threads. It goes
when its parent does: its input ends then.
"""

import json
import math
import os
import struct
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, NamedTuple

import numpy as np

from schemas.errors import UserError

MAX_TOKENS = 512  # of a text, from its beginning
TEXTS_AT_ONCE = 1024
SAME = 0.999  # cosine of two vectors of one text by one model, on any device (train/answers/embed.py)
_REPLY = struct.Struct("<2I")


class Reading(NamedTuple):
    """Which vectors: the encoder's folder, and as `train/predict.py embed` has them."""

    folder: str
    pooling: str = "mean"
    layer: int = -1
    max_tokens: int = MAX_TOKENS


class Encoder:
    """A process, until `close()` or until it is collected. `probe`: the vector of a text that all know, which says what
    model it is.

    UserError, in the model's own words, where it cannot be opened.
    """

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as the process)
        command = [
            sys.executable, "-m", "train.predict", "embed", "--stream", "--model", reading.folder,
            "--pooling", reading.pooling, "--layer", str(reading.layer), "--max-tokens", str(reading.max_tokens),
        ]  # fmt: skip
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, bufsize=1 << 16
        )
        self.close = weakref.finalize(self, _stop, self._process, self._errors, os.getpid())
        self.probe = np.array(json.loads(self._line())["probe"], np.float32)

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """float32 of shape (n_texts, width)."""
        parts = [np.zeros((0, len(self.probe)), np.float32)]
        for first in range(0, len(texts), TEXTS_AT_ONCE):
            parts.append(self._ask(texts[first : first + TEXTS_AT_ONCE]))
        return np.concatenate(parts)

    def check(self, probe: np.ndarray, what: str) -> None:
        """UserError where the vectors are not those of the model that `what` was fitted on."""
        same = len(probe) == len(self.probe)
        if same:
            lengths = math.sqrt(float(probe @ probe) * float(self.probe @ self.probe))
            same = lengths > 0 and float(probe @ self.probe) / lengths >= SAME
        if not same:
            raise UserError(
                f"{what} was fitted on another encoder than {self.reading.folder}: name that one, or fit again"
            )

    def _ask(self, texts: Sequence[str]) -> np.ndarray:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(list(texts)).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._said() from None
        rows, width = _REPLY.unpack(self._bytes(_REPLY.size))
        return np.frombuffer(self._bytes(4 * rows * width), "<f4").reshape(rows, width)

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise self._said()
        return line

    def _bytes(self, size: int) -> bytes:
        assert self._process.stdout is not None
        found = self._process.stdout.read(size)
        if len(found) < size:
            raise self._said()
        return found

    def _said(self) -> Exception:
        """What the process said when it ended: a user's mistake is one line, with status 2."""
        status = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode("utf-8", "replace").strip()
        if status == 2:
            return UserError(said.splitlines()[-1].removeprefix("predict: ") if said else self.reading.folder)
        return RuntimeError(f"the encoder {self.reading.folder} ended with status {status}: {said[-2000:]}")


def _stop(process: "subprocess.Popen[bytes]", errors: IO[bytes], owner: int) -> None:
    """owner: the process that started it, and not one that was forked from that."""
    if owner == os.getpid():
        process.kill()
        for file in (process.stdin, process.stdout, errors):
            if file is not None:
                with suppress(OSError):
                    file.close()
        process.wait()
