"""The files that KenLM's build_binary writes, version 5 of its format: what they hold, and where.

A header with the order and how many n-grams of each there are, then the vocabulary as hashes of its words, then the
n-grams: tables of hashes with linear probing (build_binary's default), or a trie of bit-packed records, whose values
may be quantised (`-q`, `-b`) and whose pointers may be split into arrays (`-a`). Sources: KenLM's lm/binary_format.cc,
lm/vocab.cc, lm/search_hashed.hh, lm/trie.cc, lm/quantize.hh and lm/bhiksha.cc; Heafield (2011), KenLM: Faster and
Smaller Language Model Queries.
"""

import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np

from schemas.errors import UserError

MAGIC = b"mmap lm http://kheafield.com/code format version 5\n\0\0"
BEFORE_VERSION = MAGIC[:-4]
# The test values behind the magic: 0, 1, -0.5, 1, 2**32 - 1, padding, 1.
SANITY = MAGIC.ljust(56, b"\0") + struct.pack("<fffIIIQ", 0.0, 1.0, -0.5, 1, 0xFFFFFFFF, 0, 1)
FIXED = struct.Struct("<B3xfIB3xI")  # order, probing multiplier, kind, whether it has its words, version of the search
PROBING, _RESTING, TRIE, QUANTISED_TRIE, ARRAY_TRIE, QUANTISED_ARRAY_TRIE = range(6)
VERSIONS = {PROBING: 0, TRIE: 1, QUANTISED_TRIE: 1, ARRAY_TRIE: 1, QUANTISED_ARRAY_TRIE: 1}
MAX_ORDER = 16
REBUILD = "make it again with build_binary of KenLM"


class Header(NamedTuple):
    """`counts` of n-grams by order, from 1; `size` of the header in bytes."""

    kind: int
    multiplier: float
    counts: tuple[int, ...]
    size: int

    @property
    def order(self) -> int:
        return len(self.counts)


class Layout(NamedTuple):
    """Where a model of hash tables has its parts, in units of four bytes from the file's beginning. `tables`
    (order - 1, 3) int64: begin, buckets and units an entry, from 2-grams on."""

    vocabulary: int
    vocabulary_buckets: int
    unigrams: int
    tables: np.ndarray
    end: int


def header_size(order: int) -> int:
    return -(-(len(SANITY) + FIXED.size + 8 * order) // 8) * 8


def make_header(multiplier: float, counts: tuple[int, ...]) -> bytes:
    """The header of a model of hash tables, with its words at the end."""
    fixed = FIXED.pack(len(counts), multiplier, PROBING, 1, VERSIONS[PROBING])
    return (SANITY + fixed + struct.pack(f"<{len(counts)}Q", *counts)).ljust(header_size(len(counts)), b"\0")


def is_binary(path: Path) -> bool:
    """Whether a file says that it is KenLM's, of whatever version."""
    with path.open("rb") as file:
        return file.read(len(BEFORE_VERSION)) == BEFORE_VERSION or is_unfinished(path)


def is_unfinished(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(44) == b"mmap lm http://kheafield.com/code incomplete"


def read_header(path: Path) -> Header:
    """The header of KenLM's binary file. UserError where it is another file, another version, or too short."""
    with path.open("rb") as file:
        start = file.read(header_size(255))
    if not start.startswith(BEFORE_VERSION):
        what = "was not finished" if is_unfinished(path) else "is no binary file of KenLM"
        raise UserError(f"{path} {what}; {REBUILD}")
    if not start.startswith(MAGIC[:-2]):
        version = start[len(BEFORE_VERSION) :].split(b"\n")[0][:8].decode("ascii", "replace").strip()
        raise UserError(f"{path} is of version {version} of KenLM's format, not 5; {REBUILD}")
    if not start.startswith(SANITY):
        raise UserError(f"{path} is of another machine's byte order, or damaged; {REBUILD}")
    if len(start) < len(SANITY) + FIXED.size:
        raise UserError(f"{path} ends within its header; {REBUILD}")
    order, multiplier, kind, _, version = FIXED.unpack_from(start, len(SANITY))
    if kind not in VERSIONS or version != VERSIONS[kind]:
        raise UserError(f"{path} is of kind {kind}, version {version}, which is not known here; {REBUILD}")
    if not 1 < order <= MAX_ORDER:
        raise UserError(f"{path} has order {order}; a perplexity needs 2 to {MAX_ORDER}")
    if len(start) < header_size(order):
        raise UserError(f"{path} ends within its header; {REBUILD}")
    counts = struct.unpack_from(f"<{order}Q", start, len(SANITY) + FIXED.size)
    if not 1.0 < multiplier < 1000.0 or not 2 < counts[0] < 1 << 32 or max(counts) >= 1 << 40:
        raise UserError(f"{path} has a header that makes no sense; {REBUILD}")
    return Header(kind, multiplier, counts, header_size(order))


def buckets(entries: int, multiplier: float) -> int:
    """KenLM's number of buckets, which it reckons in float32."""
    return max(entries + 1, int(np.float32(multiplier) * np.float32(entries)))


def layout(header: Header) -> Layout:
    """Where the parts of a model of hash tables lie."""
    words = buckets(header.counts[0], header.multiplier)
    vocabulary = header.size // 4 + 2
    unigrams = at = vocabulary + 3 * words
    at += 2 * (header.counts[0] + 1)
    tables = []
    for n, count in enumerate(header.counts[1:], 2):
        width = 3 if n == header.order else 4
        tables.append((at, buckets(count, header.multiplier), width))
        at += tables[-1][1] * width
    return Layout(vocabulary, words, unigrams, np.array(tables, np.int64).reshape(-1, 3), at)


def units(path: Path, needed: int) -> np.ndarray:
    """The file as little-endian uint32, mapped; UserError where it has not as many bytes as the header says."""
    size = path.stat().st_size
    if size < needed:
        raise UserError(f"{path} has {size} bytes where its header says {needed}: it was cut; copy it again")
    return np.memmap(path, "<u4", "r", shape=(size // 4,)).view(np.ndarray)


def probing_words(file: np.ndarray, where: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of the words, uint64 ascending, and their ids, int32, of a model of hash tables."""
    table = file[where.vocabulary : where.vocabulary + 3 * where.vocabulary_buckets].reshape(-1, 3)
    hashes = table[:, 0].astype(np.uint64) | table[:, 1].astype(np.uint64) << np.uint64(32)
    there = np.flatnonzero(hashes)
    order = there[np.argsort(hashes[there], kind="stable")]
    return hashes[order], table[order, 2].astype(np.int32)
