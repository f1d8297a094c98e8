"""What a text may do to the code, and that it costs itself alone."""

import os
import re
import signal
from collections.abc import Callable, Iterator

import numba
import pyarrow as pa
import pytest

from pipeline.workers import expendable
from pipeline.workers.expendable import Expendable, Trouble, enter
from pipeline.workers.guard import SAMPLE, Failure, Guard
from pipeline.workers.processes import process_runner
from schemas.errors import UserError


@numba.njit(nogil=True)
def spin(number: int) -> int:
    while number > 0:
        number = number + 1 if number < 1000 else number - 1
    return number


def raising(error: BaseException) -> None:
    raise error


def loop() -> None:
    while True:
        pass


def swell() -> None:
    pieces = []
    while True:
        pieces.append(bytes(64 << 20))


DEEDS: dict[str, tuple[Callable[[], object], str]] = {
    "raises": (lambda: raising(ValueError("planted")), r"ValueError: planted \(.*test_guard\.py:\d+, raising\)"),
    "raises what cannot be pickled": (lambda: raising(type("Own", (Exception,), {})("planted")), "Own: planted"),
    "exhausts the stack": (lambda: raising(RecursionError("planted")), "RecursionError"),
    "loops": (loop, "more than .* CPU seconds"),
    "backtracks": (lambda: re.match(r"(a+)+b", "a" * 60), "more than .* CPU seconds"),
    "spins in a kernel": (lambda: spin(1), "more than .* CPU seconds"),
    "swells": (swell, "MemoryError"),
    "crashes": (lambda: os.kill(os.getpid(), signal.SIGSEGV), "died of signal 11"),
    "is killed": (lambda: os.kill(os.getpid(), signal.SIGKILL), "out of memory"),
    "exits": (lambda: os._exit(3), "exit status 3"),
}
TEXTS = ["plain", "текст", "文", "ข้อความ", "عربي", "", "ქართული"]


def lengths(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Of each text, but for those that do something."""
    enter("reading")
    texts = batch.column("text").to_pylist()
    enter("measuring")
    for text in texts:
        if text in DEEDS:
            DEEDS[text][0]()
    yield pa.RecordBatch.from_pydict({"id": batch.column("id"), "n": [len(text) for text in texts]})


def batch_of(texts: list[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"id": [str(n) for n in range(len(texts))], "text": texts})


@pytest.mark.parametrize("deed", DEEDS)
def test_what_a_text_does_costs_itself_alone(deed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spin(0)
    monkeypatch.setattr(expendable, "MEMORY", 256 << 20)
    given = batch_of([*TEXTS, deed, *TEXTS])
    # To fill the memory takes time of its own, most of it where others fill theirs.
    with Guard("test", lengths, 5.0 if deed == "swells" else 0.2) as guard:
        parts = guard(given)
    assert [name for part in parts for name in part.given.column("id").to_pylist()] == given.column("id").to_pylist()
    (failed,) = [part for part in parts if isinstance(part.made, Failure)]
    assert failed.given.column("text").to_pylist() == [deed]
    assert failed.made.step == "measuring" and re.match(DEEDS[deed][1], failed.made.how)
    made = [row for part in parts if not isinstance(part.made, Failure) for one in part.made for row in one.to_pylist()]
    texts = dict(zip(*(given.column(name).to_pylist() for name in ("id", "text")), strict=True))
    assert all(row["n"] == len(texts[row["id"]]) for row in made) and len(made) == len(given) - 1


def test_several_among_many() -> None:
    texts = [*TEXTS * 40]
    for place in (3, 4, 120, 279):
        texts[place] = "raises"
    texts[200] = "exits"
    with Guard("test", lengths, 5) as guard:
        parts = guard(batch_of(texts))
        assert [int(part.given.column("id")[0].as_py()) for part in parts if isinstance(part.made, Failure)] == [
            3, 4, 120, 200, 279,
        ]  # fmt: skip
        assert sum(len(part.given) for part in parts) == len(texts)
        again = guard(batch_of(TEXTS))
        assert len(again) == 1 and not isinstance(again[0].made, Failure)


def test_what_most_texts_fail_on_is_a_bug() -> None:
    with Guard("test", lengths, 5) as guard:
        with pytest.raises(ValueError, match="planted") as raised:
            guard(batch_of(["raises"] * 30 + ["plain"] * 10))
        assert "in raising" in raised.value.__notes__[0] and "no text's fault" in raised.value.__notes__[1]
        with pytest.raises(RuntimeError, match="exit status 3"):
            guard(batch_of(["exits"] * 12))
        assert sum(isinstance(part.made, Failure) for part in guard(batch_of(["raises"] * 9 + ["plain"] * 3))) == 9


@pytest.mark.parametrize("error", [UserError("name another model"), OSError(28, "No space left on device")])
def test_what_is_no_text_s_fault_is_raised(error: Exception) -> None:
    def function(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
        if batch.column("text")[0].as_py() != SAMPLE:
            raise error
        return [batch]

    with Guard("test", function, 5) as guard, pytest.raises(type(error), match=re.escape(str(error))):
        guard(batch_of(TEXTS))


def test_a_function_that_is_broken_is_not_tried_on_texts() -> None:
    asked: list[int] = []

    def function(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
        asked.append(len(batch))
        raise KeyError("no such column")

    with Guard("test", function, 5) as guard, pytest.raises(KeyError, match="no such column"):
        guard(batch_of(TEXTS))
    assert asked == [1]


def test_the_process_goes_with_its_owner() -> None:
    def number(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
        return [pa.RecordBatch.from_pydict({"pid": [os.getpid()], "parent": [os.getppid()]})]

    with Expendable(number) as process:
        (row,) = process(batch_of(TEXTS), 5)[0].to_pylist()
        assert row["parent"] == os.getpid() != row["pid"]
        # A worker that is forked later has one of its own.
        (other,) = process_runner(1)(lambda _: process(batch_of(TEXTS), 5)[0].to_pylist()[0], [0])
        assert other["pid"] != row["pid"] and other["parent"] not in (os.getpid(), row["pid"])
        assert process(batch_of(TEXTS), 5)[0].to_pylist() == [row]
    with pytest.raises(ProcessLookupError):
        os.kill(row["pid"], 0)


def test_trouble_names_no_step_where_none_was_entered() -> None:
    with Expendable(lambda batch: os._exit(4)) as process, pytest.raises(Trouble, match="exit status 4") as trouble:
        process(batch_of(TEXTS), 5)
    assert trouble.value.step == "" and trouble.value.error is None
