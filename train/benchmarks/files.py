"""Bytes on disk become lines and JSON, and what is wrong with them is named by file and row."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from schemas.errors import UserError

LONGEST = 1 << 20  # bytes of one text
BLANK = " \t\r\n\x0b\x0c"
Say = Callable[[str], None]


def nothing(_: str) -> None:
    """Of what is said to nobody."""


def kind_of(path: Path) -> str:
    """The extension, without the one of its compression."""
    return (Path(path.stem) if path.suffix == ".gz" else path).suffix.lower()


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """(row from 1, line without its end), a line at a time; .gz is unpacked. Only a line feed, or CR LF, ends a line:
    other signs that Python takes for the end of one stand inside texts. UserError where it cannot be read."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for row, line in enumerate(file, 1):
                try:
                    text = line.decode("utf-8-sig" if row == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise UserError(
                        f"{path}:{row} is no UTF-8 from byte {error.start} of the line on: save the file as UTF-8"
                    ) from None
                yield row, text.rstrip("\r\n")
    except (EOFError, zlib.error, OSError) as error:
        raise unreadable(path, error) from None


def filled_lines(path: Path) -> list[str]:
    """All lines, without the spaces around them. UserError where one is empty."""
    found = []
    for row, line in lines(path):
        text = line.strip(BLANK)
        if not text.strip():
            raise UserError(f"{path}:{row} is an empty line: fill it in, or take the line out of all files")
        check_text(text, path, row)
        found.append(text)
    if not found:
        raise UserError(f"{path} is empty: give a file with a text a line")
    return found


def json_value(path: Path) -> Any:
    """The one value that the file holds; None where it holds several, one a line."""
    text = "\n".join(line for _, line in lines(path))
    if not text.strip():
        raise UserError(f"{path} is empty: give a file with records")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            return None
        raise UserError(f"{path}:{error.lineno} is no JSON ({error.msg}): write the file again") from None
    except RecursionError:
        raise UserError(f"{path} is no JSON that can be read (nested too deep): write the file again") from None


def json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(row, object) of each line that is not blank."""
    for row, line in lines(path):
        if not line.strip(BLANK):
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}:{row} is no JSON ({_why(error)}): write one object a line") from None
        if not isinstance(found, dict):
            raise UserError(
                f'{path}:{row} is no object but {_kind(found)}: write one object a line, as {{"text": "…"}}'
            )
        yield row, found


def check_text(text: str, path: Path, row: int) -> None:
    """UserError for a text above LONGEST, and for one that JSON has and UTF-8 has not, of half a surrogate pair."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise UserError(
            f"{path}:{row} has half a surrogate pair at character {error.start} of a text: write both, or take it out"
        ) from None
    if size > LONGEST:
        raise UserError(f"{path}:{row} has a text of {size:,} bytes, more than {LONGEST:,}: cut it into several rows")


def unreadable(path: Path, error: Exception) -> UserError:
    if isinstance(error, FileNotFoundError):
        return UserError(f"there is no file {path}: name one that is there")
    if isinstance(error, IsADirectoryError):
        return UserError(f"{path} is a folder: name a file in it")
    return UserError(f"{path} cannot be read ({' '.join(str(error).split())[:200]}): write it again")


def _why(error: Exception) -> str:
    return getattr(error, "msg", "nested too deep")


def _kind(value: object) -> str:
    return "a list" if isinstance(value, list) else "a plain value"
