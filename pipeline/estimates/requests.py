"""Requests that files cost on a store."""

PART_BYTES = 50 << 20  # s3fs: a request reads or writes at most so much
BESIDE = 2  # small files a task writes, beside its tables: a receipt, progress


def gets(files: float, size: float, whole: bool = False) -> float:
    """To read so many files of `size` bytes together: one connection for each whole one, as for archives, and a HEAD;
    else a HEAD, a footer, and a request a part."""
    return files * (2.0 if whole else 2 + size / max(1.0, files) / PART_BYTES)


def puts(files: float, size: float, tables: int = 1) -> float:
    """To write so many files to each of some tables, `size` bytes together."""
    if not files:
        return 0.0
    parts = max(1.0, size / tables / files / PART_BYTES)
    # Of several parts: one request more to begin and one to end.
    return files * (tables * (parts + (2 if parts > 1 else 0)) + BESIDE)
