"""The files of an index of archives: those of a folder, a file, or those that a list of paths names."""

from typing import NamedTuple

from pipeline.archive.manifest import LIST_NAME, listed_lines
from pipeline.store import storage
from pipeline.web.listed import placed
from pipeline.web.public import is_web
from schemas.errors import UserError

FILE_PATH, OFFSET, LENGTH = NEEDED = ("warc_filename", "warc_record_offset", "warc_record_length")


class IndexFiles(NamedTuple):
    """sizes: bytes by name below `folder`, None where a store was not asked."""

    folder: str
    sizes: dict[str, int | None]


def index_files(given: str, prefix: str = "") -> IndexFiles:
    """Of a folder or file of Parquet, or of a list of paths such as Common Crawl's `cc-index-table.paths.gz`, whose
    lines lie below `prefix`. UserError where there is none."""
    path = storage.absolute(given)
    if LIST_NAME.search(path):
        base = prefix or path.rsplit("/", 1)[0]
        lines = listed_lines(path, "--index")
        for line in lines:
            placed(line, storage.join(base, ""), f"--index {given}")
        return IndexFiles(base, dict.fromkeys(lines))
    folder, _, name = path.rpartition("/")
    if is_web(path):
        return _with_folders(folder, {name: None})
    fs, inside = storage.filesystem(path)
    found: dict[str, int | None] = dict(storage.listing(path))
    is_file = fs.isfile(inside)
    if not found:
        raise UserError(f"--index {given}: no such table, or an empty one")
    return _with_folders(folder if is_file else path, found)


def _with_folders(folder: str, sizes: dict[str, int | None]) -> IndexFiles:
    """What the folder's own path says of the rows (`crawl=CC-MAIN-2026-30`) is a column too."""
    while "=" in (name := folder.rstrip("/").rpartition("/")[2]):
        folder = folder.rstrip("/").rpartition("/")[0]
        sizes = {f"{name}/{below}": size for below, size in sizes.items()}
    return IndexFiles(folder, sizes)


def location(file_path: str, prefix: str) -> str:
    """Where an archive of the index is opened. UserError where nobody said."""
    if "://" not in file_path and not prefix:
        raise UserError(
            f"--index: where is {file_path}? Say what is before it with --prefix, such as "
            "https://data.commoncrawl.org/, s3://commoncrawl/ or a folder"
        )
    return storage.absolute(placed(file_path, prefix and storage.join(prefix, ""), "--index"))
