"""Texts as runs of windows by anchor: all windows of a length, each in one run, equal ones under equal anchors.

A window's anchor is the least hash of its k-grams (winnowing, Schleimer et al. 2003, doi 10.1145/872757.872770; a
minimiser, Roberts et al. 2004, doi 10.1093/bioinformatics/bth408), k half a window. It follows from the window's bytes
alone, so windows that are equal have the same one wherever they stand, and those that follow each other mostly share
theirs: of random bytes a run has half of L - k + 2 windows. Values count and not places, so a page of one byte, or of
one phrase again and again, is a single run. Hashes group; what is equal is told by bytes (`shared_windows`).

Hashes are polynomials modulo 2^61 - 1. Their base is drawn from a key that nobody knows who writes a page, since texts
can be made to collide under a base that is known. No result depends on it.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from xxhash import xxh3_64_intdigest

from pipeline.kernels.arrow_text import utf8
from pipeline.kernels.compiling import inlined, kernel
from pipeline.kernels.hash_table import HashTable, find, hash_table, may_have

PRIME = np.uint64((1 << 61) - 1)
_LOW_31, _LOW_30 = np.uint64((1 << 31) - 1), np.uint64((1 << 30) - 1)
_ONE, _30, _31, _32, _61 = (np.uint64(number) for number in (1, 30, 31, 32, 61))
_MIX = np.uint64(0x9E3779B97F4A7C15)
_MOST = np.uint64(0xFFFFFFFFFFFFFFFF)


class Runs(NamedTuple):
    """int64, of the same shape, by text and place. texts: number of the text in the batch; starts: byte of the text at
    which the first window begins; windows: how many follow each other, at least one; anchors."""

    texts: np.ndarray
    starts: np.ndarray
    windows: np.ndarray
    anchors: np.ndarray


def base_of(key: str) -> int:
    """Of the polynomials, from 256 to the prime."""
    return 256 + xxh3_64_intdigest(key.encode()) % (int(PRIME) - 512)


def runs_of(texts: pa.Array, length: int, base: int) -> Runs:
    """Of a string or large_string array; a text of fewer than `length` bytes, at least 2, has none."""
    return Runs(*_runs(*utf8(texts), length, length // 2, np.uint64(base)))


def anchor_set(anchors: np.ndarray) -> HashTable:
    """Of distinct anchors."""
    return hash_table(anchors.view(np.uint64), np.zeros(len(anchors), np.int64))


def are_in(anchors: np.ndarray, known: HashTable) -> np.ndarray:
    """bool, for each anchor whether it is one of the set."""
    return _are_in(anchors.view(np.uint64), known)


def bytes_of(texts: pa.Array, runs: Runs, length: int) -> pa.Array:
    """binary, what the windows of each run cover: `windows + length - 1` bytes."""
    data, places = utf8(texts)
    begins = places[runs.texts] + runs.starts
    offsets = np.zeros(len(begins) + 1, np.int64)
    np.cumsum(runs.windows + (length - 1), out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(_copied(data, begins, offsets))]
    return pa.Array.from_buffers(pa.large_binary(), len(begins), buffers)


@inlined
def multiplied(a: np.uint64, b: np.uint64) -> np.uint64:
    """Modulo PRIME, of numbers below it."""
    a_high, a_low, b_high, b_low = a >> _31, a & _LOW_31, b >> _31, b & _LOW_31
    middle = a_low * b_high + a_high * b_low
    whole = ((a_high * b_high) << _ONE) + (middle >> _30) + ((middle & _LOW_30) << _31) + a_low * b_low
    whole = (whole >> _61) + (whole & PRIME)
    return whole - PRIME if whole >= PRIME else whole


@kernel
def leaving(base: np.uint64, length: int) -> np.ndarray:
    """uint64 (256,): what a byte adds to the hash of so many bytes that it is the first of, once the next has come, as
    the number that takes it away."""
    power = _ONE
    for _ in range(length):
        power = multiplied(power, base)
    out = np.empty(256, np.uint64)
    for byte in range(256):
        out[byte] = PRIME - multiplied(power, np.uint64(byte + 1))
    return out


@inlined
def entered(value: np.uint64, byte: np.uint8, base: np.uint64) -> np.uint64:
    """The hash of bytes with one more behind them, below twice the prime."""
    return multiplied(value, base) + np.uint64(byte) + _ONE


@inlined
def rolled(value: np.uint64, old: np.uint8, new: np.uint8, base: np.uint64, gone: np.ndarray) -> np.uint64:
    """The hash of the next bytes of the same length."""
    value = entered(value, new, base) + gone[old]
    value = (value >> _61) + (value & PRIME)
    return value - PRIME if value >= PRIME else value


@kernel
def hash_of(data: np.ndarray, begin: int, end: int, base: np.uint64) -> np.uint64:
    value = np.uint64(0)
    for at in range(begin, end):
        value = entered(value, data[at], base)
        if value >= PRIME:
            value -= PRIME
    return value


@kernel
def _runs(
    data: np.ndarray, places: np.ndarray, length: int, k: int, base: np.uint64
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The least of the last `width` hashes is that of the block that is being read, so far, and of the rest of the one
    before: two comparisons a byte, whatever the texts (van Herk 1992, Gil and Werman 1993)."""
    width = length - k + 1  # k-grams of a window
    gone = leaving(base, k)
    block, rest = np.empty(width, np.uint64), np.empty(width + 1, np.uint64)
    room = width + 64 + 4 * (places[-1] - places[0]) // width
    cells, anchors = np.empty((room, 3), np.int64), np.empty(room, np.uint64)
    n = 0
    for text in range(len(places) - 1):
        begin, n_grams = places[text], places[text + 1] - places[text] - k + 1
        if n_grams < width:
            continue
        value = hash_of(data, begin, begin + k, base)
        rest[:] = _MOST  # nothing is before
        own = n
        for first in range(0, n_grams, width):
            if n + width > room:
                room *= 2
                cells, anchors = _longer(cells, room), _longer(anchors, room)
            n, value = _run_block(
                data, begin, first, min(width, n_grams - first), width, k, value, base, gone, block, rest, text, own, n,
                cells, anchors,
            )  # fmt: skip
        cells[n - 1, 2] = n_grams - width + 1
    for run in range(n):  # ends become numbers of windows
        cells[run, 2] -= cells[run, 1]
    return cells[:n, 0].copy(), cells[:n, 1].copy(), cells[:n, 2].copy(), anchors[:n].copy().view(np.int64)


@kernel
def _run_block(
    data: np.ndarray, begin: int, first: int, size: int, width: int, k: int, value: np.uint64, base: np.uint64,
    gone: np.ndarray, block: np.ndarray, rest: np.ndarray, text: int, own: int, n: int, cells: np.ndarray,
    anchors: np.ndarray,
) -> tuple[int, np.uint64]:  # fmt: skip
    """The windows that end in k-grams first : first + size of a text, whose runs are own : n so far. value: the hash of
    the last k-gram before, of the first one at the text's begin. Answers n and the last hash."""
    least = _MOST
    for place in range(size):
        gram = first + place
        if gram:
            value = rolled(value, data[begin + gram - 1], data[begin + gram + k - 1], base, gone)
        mixed = (value ^ (value >> _32)) * _MIX
        block[place] = mixed
        least = min(least, mixed)
        window = gram - width + 1
        if window >= 0:
            anchor = min(least, rest[place + 1])
            if n == own or anchors[n - 1] != anchor:
                if n > own:
                    cells[n - 1, 2] = window
                cells[n, 0], cells[n, 1], anchors[n] = text, window, anchor
                n += 1
    least = _MOST
    for place in range(size - 1, -1, -1):
        least = min(least, block[place])
        rest[place] = least
    return n, value


@kernel
def _are_in(anchors: np.ndarray, known: HashTable) -> np.ndarray:
    out = np.zeros(len(anchors), np.bool_)
    for place in range(len(anchors)):
        out[place] = may_have(anchors[place], known.seen) and find(anchors[place], known) >= 0
    return out


@kernel
def _longer(cells: np.ndarray, room: int) -> np.ndarray:
    longer = np.empty((room, *cells.shape[1:]), cells.dtype)
    longer[: len(cells)] = cells
    return longer


@kernel
def _copied(data: np.ndarray, begins: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    out = np.empty(offsets[-1], np.uint8)
    for piece in range(len(begins)):
        size = offsets[piece + 1] - offsets[piece]
        out[offsets[piece] : offsets[piece + 1]] = data[begins[piece] : begins[piece] + size]
    return out
