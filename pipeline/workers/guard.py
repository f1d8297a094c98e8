"""Batches of texts of which some may fail: such a text costs itself alone, whatever it does to the code.

A batch is done in an expendable process (`pipeline.workers.expendable`). One that raises, runs away or kills the
process is done again in parts, these in parts, and what fails alone is a Failure. When most of a batch fails, it is the
code that is broken, and the error is raised.
"""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

from pipeline.workers.expendable import Expendable, Function, Trouble
from schemas.errors import UserError

PARTS = 16
SECONDS_A_MEBIBYTE = 4.0  # beside those of one text; twenty times what clean takes
FEW = 10  # failures in a batch that never stop the work
LOGGED = 3  # failures a process

# Some words in many scripts and what is masked: a text that goes through all that a text goes through.
SAMPLE = (
    "The lamp on the harbour wall is lit at six, and the boats come home with the evening tide behind them.\n\n"
    "Лампа горит на стене.\nالمصباح مضاء على الجدار.\n墙上的灯亮了。\nโคมไฟบนกำแพงสว่างแล้ว\nדולק אור על הקיר.\n"
    "Write to somebody@mail.example.org or call +44 20 7946 0123, 192.0.2.44.\n"
)
_logger = logging.getLogger(__name__)
_logged = 0
_warming_up = False


class Failure(NamedTuple):
    """Of a text: the step on which it failed, and how, in one line."""

    step: str
    how: str


class Part(NamedTuple):
    """Rows of a batch, and what was made of them; a Failure is of one row."""

    given: pa.RecordBatch
    made: list[pa.RecordBatch] | Failure


class Guard:
    """Calls a function with batches that have the columns `id` and `text`. A context manager.

    The function's result must not depend on how rows are put into batches. It is called once in this process with a
    text of ours, so that each expendable process finds kernels and models loaded; what that raises is raised. A
    UserError, an OSError and what is no Exception at all are no text's fault and are raised, too.
    """

    def __init__(self, stage: str, function: Function, text_seconds: float) -> None:
        """text_seconds: of CPU time for a text alone; a batch and a long text have more, by their size."""
        self._stage, self._function, self._text_seconds = stage, function, text_seconds
        self._expendable = Expendable(function)
        self._warm = False
        self._good = self._failed = 0  # rows of the batch

    def __call__(self, batch: pa.RecordBatch) -> list[Part]:
        """All rows of the batch, in order."""
        if not self._warm:
            _warm_up(self._function, batch.schema)
            self._warm = True
        self._good = self._failed = 0
        made = self._tried(batch)
        return self._apart(batch) if isinstance(made, Trouble) else [Part(batch, made)]

    def __enter__(self) -> "Guard":
        return self

    def __exit__(self, *_: object) -> None:
        self._expendable.close()

    def _tried(self, batch: pa.RecordBatch) -> list[pa.RecordBatch] | Trouble:
        seconds = self._text_seconds + SECONDS_A_MEBIBYTE * batch.column("text").nbytes / (1 << 20)
        try:
            made = self._expendable(batch, seconds)
        except Trouble as trouble:
            if isinstance(trouble.error, UserError | OSError):
                raise trouble.error from None
            return trouble
        self._good += len(batch)
        return made

    def _apart(self, batch: pa.RecordBatch) -> list[Part]:
        """A batch that had trouble, in parts: all are tried before any is taken further apart."""
        size = -(-len(batch) // PARTS)
        pieces = [batch.slice(start, size) for start in range(0, len(batch), size)]
        found: list[Part] = []
        for piece, made in [(piece, self._tried(piece)) for piece in pieces]:
            if not isinstance(made, Trouble):
                found.append(Part(piece, made))
            elif len(piece) > 1:
                found += self._apart(piece)
            else:
                found.append(Part(piece, self._failure(piece, made)))
        return found

    def _failure(self, row: pa.RecordBatch, trouble: Trouble) -> Failure:
        global _logged
        step = trouble.step or "unknown"
        self._failed += 1
        if self._failed > FEW and self._failed > self._good:
            error = trouble.error or RuntimeError(f"{self._stage}, {step}: {trouble.how}")
            error.add_note(f"{self._failed} texts of a batch failed, {self._good} did not: no text's fault")
            raise error
        if _logged < LOGGED:
            _logged += 1
            _logger.warning("%s    failed:%s, %s: %s", self._stage, step, row.column("id")[0], trouble.how)
        return Failure(step, trouble.how)


def warming_up() -> bool:
    """Whether a text of ours is worked on, whose answer nobody reads: a process that only the expendable one is to have
    need not be started here."""
    return _warming_up


def _warm_up(function: Function, schema: pa.Schema) -> None:
    global _warming_up
    _warming_up = True
    try:
        list(function(_sample(schema)))
    finally:
        _warming_up = False


def _sample(schema: pa.Schema) -> pa.RecordBatch:
    """A row with a text of ours and nothing else."""
    texts = pa.array([SAMPLE])
    columns: Sequence[pa.Array] = [
        texts.cast(field.type) if field.name == "text" else pa.nulls(1, field.type) for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
