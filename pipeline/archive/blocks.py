"""What the readers of archives hand on: record blocks, and gaps where there is none."""

from dataclasses import dataclass
from typing import NamedTuple

HEAD_ROOM = 1 << 16  # bytes of HTTP head and of chunk sizes that a block may have beside its payload


@dataclass(slots=True)
class Block:
    """One record. `data` is its whole block, None when it is longer than a page may be."""

    record_type: str
    record_id: str | None
    url: str | None
    date: str | None
    offset: int
    length: int
    content_type: str | None
    identified_type: str | None
    truncated: str | None
    payload_digest: str | None
    data: bytes | None


class Gap(NamedTuple):
    """Bytes from `offset` on that are no whole record. `resume`: where the search for the next one begins; 0 for a
    truncated archive: there is none."""

    reason: str
    offset: int
    detail: str
    resume: int


class Form(NamedTuple):
    codec: str  # plain, gzip, lz4, zstd
    kind: str  # warc, arc
    lenient: bool  # bare line feeds: FastWARC's quirks mode
    inside: bool = False  # gzip whose members are to be read as one text


def raise_if_ours(error: BaseException) -> None:
    """Panics of native readers are data errors, though no `Exception`; what ends this process is not."""
    if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit | MemoryError):
        raise error
