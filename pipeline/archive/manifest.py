"""Where the archives are: files, folders, path lists and URLs resolved to a manifest.

`file_path` names an archive in the data and depends on no machine: the line of a path list; else, of a disk's, the path
below the given folder (its name included), since where that lies is this machine's affair; of a store's, its URL,
without user, password and signature, so that an address signed anew names the same archive.
`location` is where this run opens it. Of archives that a list names, those on a disk have their size looked up; a store
is not asked, which for a crawl's list would be a request for each of 90,000 archives at every start.
"""

import os
import re
import zlib
from collections.abc import Collection, Iterable
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

from pipeline.archive.fetch import FetchError, fetch
from pipeline.store import storage
from pipeline.web.listed import placed
from pipeline.web.public import is_web, refused
from schemas.errors import UserError
from schemas.redacted import without_secrets

# Any name with the mark of an archive in it (sample.warc.txt, x.warc.gz.bad), but not what lies beside archives.
ARCHIVE_NAME = re.compile(
    r"^(?!\.)(?!.*/\.)(?!.*\.(cdxj?|idx|md5|sha\d+|json|html?|log)(\.gz)?$).*\.(warc|arc|wet|wat)\b[^/]*$",
    re.IGNORECASE,
)
LIST_NAME = re.compile(r"\.paths(\.gz)?$", re.IGNORECASE)


class Asked(NamedTuple):
    """Which records of an archive are wanted: row group `group` of the file `table` (`archive/asked/places.py`).

    bytes: of all of them as stored. digest: of their places, 16 hex digits.
    """

    table: str
    group: int
    records: int
    bytes: int
    digest: str


class Archive(NamedTuple):
    file_path: str
    location: str
    size: int | None  # bytes as stored, of what is asked; None when the store was not asked
    asked: Asked | None = None  # None: all records


def manifest(inputs: Iterable[str], prefix: str = "", limit: int | None = None, sample: float = 1.0) -> list[Archive]:
    """The archives that the inputs name, by file_path. UserError for what is missing, empty, or named twice.

    sample: the share to take, chosen by `sample_position`. limit: how many of these to take.
    """
    found: dict[str, Archive] = {}
    for given in inputs:
        for archive in _resolve(given, prefix):
            other = found.setdefault(archive.file_path, archive)
            if other != archive:
                raise UserError(
                    f"{other.location} and {archive.location} would both be called {archive.file_path}: "
                    "give the folder above them instead"
                )
    if not found:
        raise UserError("no archive to read: name a file, a folder, a .paths list or a URL with --input")
    return [found[name] for name in sampled(found, sample, limit)]


def sampled(
    names: Collection[str], sample: float = 1.0, limit: int | None = None, at_least_one: bool = False
) -> list[str]:
    """Those taken of these archives, by name. UserError where that is none; with `at_least_one` it is the one that the
    smallest share with any would have."""
    taken = [name for name in sorted(names) if sample_position(name) < sample]
    if not taken and at_least_one and names:
        taken = [min(names, key=sample_position)]
    if not taken:
        raise UserError(f"--sample {sample:g} takes none of {len(names)} archives: raise it, or use --limit alone")
    return taken[:limit]


def sample_position(file_path: str) -> float:
    """A number in [0, 1) by the archive's name, the first 53 bits of its XXH3-64 (UTF-8, seed 0): the same on every
    machine and in every list, so that a larger share takes all that a smaller one does.
    """
    return (xxh3_64_intdigest(file_path.encode("utf-8", "surrogatepass")) >> 11) / (1 << 53)


def _resolve(given: str, prefix: str) -> list[Archive]:
    path = storage.absolute(given)
    if is_web(path):
        if why := refused(path):
            raise UserError(f"--input {given}: {why}")
        if LIST_NAME.search(re.split(r"[?#]", path)[0]):
            return _listed(path, prefix)
        return [Archive(without_secrets(given), path, None)]
    if LIST_NAME.search(path):
        return _listed(path, prefix)
    try:
        fs, inside = storage.filesystem(path)
        there = fs.exists(inside)
    except Exception as error:  # stores raise anything: no credentials, no such host, no permission
        raise UserError(f"--input {given}: {type(error).__name__}: {error}; check address and credentials") from None
    if not there:
        raise UserError(f"--input {given}: no such file or folder")
    name = path.rstrip("/").rsplit("/", 1)[-1]
    if fs.isfile(inside):
        return [Archive(name if storage.is_local(path) else without_secrets(given), path, fs.size(inside))]
    files = {file: size for file, size in storage.listing(path, hidden=True).items() if ARCHIVE_NAME.search(file)}
    if not files:
        raise UserError(f"--input {given}: no archive in this folder (looked for .warc, .arc and .wet names)")
    base = name if storage.is_local(path) else without_secrets(given.rstrip("/"))
    return [Archive(f"{base}/{file}", storage.join(path, file), size) for file, size in files.items()]


def listed_lines(path: str, flag: str = "--input") -> list[str]:
    """Of a list of paths, plain or packed with gzip. UserError where it is none."""
    try:
        with fetch(path) as file:
            data = file.read()
        text = storage.unpacked(data, f"{flag} {path}").decode()
    except (FetchError, OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UserError(f"{flag} {path}: not readable as a list of paths: {error}") from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise UserError(f"{flag} {path}: the list is empty")
    return lines


def _listed(path: str, prefix: str) -> list[Archive]:
    lines = listed_lines(path)
    base = prefix or (re.split(r"[?#]", path)[0] if is_web(path) else path).rsplit("/", 1)[0] + "/"
    archives = []
    for line in lines:
        location, size = placed(line, base, f"--input {path}"), None
        if storage.is_local(location):
            location = storage.absolute(location)
            size = os.path.getsize(location) if os.path.exists(location) else None
        archives.append(Archive(without_secrets(line), location, size))
    return archives
