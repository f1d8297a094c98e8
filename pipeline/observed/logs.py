"""Logs on standard error, as text for people or a JSON object a line for programs. Each record knows the stage and the
archive in whose work it was made; no secret of an address is in one."""

import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime

from schemas.errors import UserError
from schemas.redacted import RedactedFormatter, redacted

FORMATS = ("text", "json")
FLAG, VARIABLE = "--log-format", "WANYU_LOG_FORMAT"
_stage: ContextVar[str] = ContextVar("stage", default="")
_archive: ContextVar[str] = ContextVar("archive", default="")
_format = "text"
_job = logging.getLogger("wanyu")


@contextmanager
def about(stage: str | None = None, archive: str | None = None) -> Iterator[None]:
    """What is logged in the block is about this stage, or this archive; None: as around it."""
    tokens = [(name, name.set(value)) for name, value in ((_stage, stage), (_archive, archive)) if value is not None]
    try:
        yield
    finally:
        for name, token in tokens:
            with suppress(ValueError):  # of another context: a generator that is closed elsewhere
                name.reset(token)


def stage() -> str:
    """In whose work this is; "" outside of one."""
    return _stage.get()


class JsonLines(logging.Formatter):
    """`time` is UTC, ISO 8601; `stage`, `archive`, `reason`, `trace` are there where they are known."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "stage": _stage.get(),
            "archive": redacted(_archive.get()),
            "reason": getattr(record, "reason", ""),
            "message": redacted(record.getMessage()),
            "trace": redacted(self.formatException(record.exc_info)) if record.exc_info else "",
        }
        always = ("time", "level", "logger", "message")
        return json.dumps({name: value for name, value in told.items() if value or name in always}, ensure_ascii=False)


def asked_for(argv: Sequence[str] | None) -> str:
    """The format that the flag, else the variable names; it is needed before flags are parsed, for their errors.
    UserError for a variable that names none; of the flag the parser says so."""
    words = list(sys.argv[1:] if argv is None else argv)
    for place, word in enumerate(words):
        flag, _, value = word.partition("=")
        if flag == FLAG:
            value = value or (words[place + 1] if place + 1 < len(words) else "")
            return value if value in FORMATS else "text"
    named = os.environ.get(VARIABLE) or "text"
    if named not in FORMATS:
        raise UserError(f"{VARIABLE}={named}: say text or json")
    return named


def begin(form: str) -> None:
    """Sets this process's logging up. A second time it changes the format."""
    global _format
    _format = form
    lines = JsonLines() if form == "json" else RedactedFormatter("%(message)s")
    root = logging.getLogger()
    ours = [one for one in root.handlers if isinstance(one.formatter, JsonLines | RedactedFormatter)]
    if not ours and (form == "json" or not root.handlers):
        for other in list(root.handlers) if form == "json" else ():
            root.removeHandler(other)
        ours = [logging.StreamHandler(sys.stderr)]
        root.addHandler(ours[0])
        root.setLevel(logging.INFO)
    for handler in ours:
        handler.setFormatter(lines)
    logging.captureWarnings(form == "json")


def begin_in_worker(form: str) -> None:
    """In a worker of an engine, whose standard error is its executor's log. Text: as Python has it."""
    if form == "json" and _format != form:
        begin(form)


def format_now() -> str:
    return _format


def is_json() -> bool:
    return _format == "json"


def say(line: str) -> None:
    """What a job tells people: a line of standard output, or a record where all that is said is to be one."""
    if is_json():
        _job.info("%s", line)
    else:
        print(redacted(line), flush=True)


def refuse(line: str, prefix: str = "error: ") -> None:
    """The one line of what the user can mend."""
    if is_json():
        _job.error("%s", line)
    else:
        print(prefix + redacted(line), file=sys.stderr, flush=True)


def as_bytes(line: str) -> bytes:
    """As `refuse` says it, for a handler of signals, which must not use a stream that may be in the midst of a line."""
    if is_json():
        line = JsonLines().format(_job.makeRecord(_job.name, logging.ERROR, "", 0, line, (), None))
    return (line + "\n").encode()


def bug(error: BaseException) -> None:
    """The trace of what is nobody's mistake but ours, as a record."""
    _job.critical("%s: %s", type(error).__name__, error, exc_info=error)
