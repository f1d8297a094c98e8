"""Lists that the user points at: local files or any store's, plain or gzip, UTF-8. What is wrong is one line."""

import gzip
import os
import re
import zlib

from pipeline.store import storage
from schemas.errors import UserError

_NAMED = re.compile(r"([\w.-]+)=(.+)", re.S)
_SUFFIX = re.compile(r"\.(?:gz|txt|lst|list|tsv|csv|jsonl?|ndjson|parquet)$", re.I)


def named(source: str) -> tuple[str, str]:
    """Name and path of `name=path`; a path alone is named after its last part, without suffixes.

    What exists as a whole is a path, such as `lang=en/x.txt` in the layout of Hive.
    """
    match = _NAMED.fullmatch(source)
    return (match.group(1), match.group(2)) if match and not os.path.exists(source) else (stem(source), source)


def absolute(source: str) -> str:
    """The same source with its path made absolute."""
    name, path = named(source)
    return storage.absolute(path) if path == source else f"{name}={storage.absolute(path)}"


def stem(path: str) -> str:
    """`https://host/lists/Adult.txt.gz` is `Adult`."""
    name = path.rstrip("/").rsplit("/", 1)[-1]
    while (shorter := _SUFFIX.sub("", name)) not in (name, ""):
        name = shorter
    return name


def files(path: str) -> list[str]:
    """Names of the files in a folder, below it too, relative to it and in order; empty for a file. UserError where
    there is neither."""
    try:
        fs, inside = storage.filesystem(path)
        if fs.isfile(inside):
            return []
        names = list(storage.listing(path))
    except Exception as error:  # stores raise anything: no credentials, no such host, no permission
        raise UserError(f"{path}: {type(error).__name__}: {_line(error)}; check address and credentials") from None
    if not names:
        raise UserError(f"{path}: no such file, and no folder with files in it; check the path")
    return names


def read(path: str) -> bytes:
    """The whole file, inflated where it begins as gzip does. UserError where it cannot be had."""
    try:
        fs, inside = storage.filesystem(path)
        with fs.open(inside, "rb") as file:
            data = file.read()
        return storage.unpacked(data, path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; check the path") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise UserError(f"{path}: a gzip file that is damaged or cut off; fetch it again") from None
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path}: {type(error).__name__}: {_line(error)}; check address and credentials") from None


def text(path: str) -> str:
    """`read` as text, line ends as \\n, without byte order mark. UserError for another encoding, with the line."""
    return decoded(read(path), path)


def decoded(data: bytes, path: str) -> str:
    """UTF-8 bytes of `path` as text. UserError that names file and line, and the way out."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UserError(f"{path}: line 1 is not UTF-8 but UTF-16; convert it: iconv -f UTF-16 -t UTF-8")
    at = data.find(b"\0")
    try:
        string = data.decode("utf-8")
    except UnicodeDecodeError as error:
        if at < 0:
            line = data.count(b"\n", 0, error.start) + 1
            raise UserError(
                f"{path}: line {line} is not UTF-8; convert the file, such as with iconv -f WINDOWS-1252 -t UTF-8"
            ) from None
    if at >= 0:
        line = data.count(b"\n", 0, at) + 1
        raise UserError(f"{path}: line {line} has a NUL byte, so this is no text file; name a list in UTF-8")
    return string.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
