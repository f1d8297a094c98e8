"""How many documents get by with the names that dedup gives them: N texts' names of 128 bits, made up and streamed in
buckets, and how many are alike in their first 64 and in all.

python tests/bench/names.py --names 3000000000 [--bits 6]

A bucket is the names whose first bits are its number, made by a permutation (SplitMix64) of consecutive numbers, as
hashes of as many texts fall: so each name is made once a pass, and a bucket fits into memory. Names of 64 bits, as
before, have about N^2 / 2^65 pairs alike; places of signatures, by which documents are known, have none: they are
numbers of files and rows.
"""

import argparse
import time

import numpy as np

from pipeline.kernels.compiling import kernel


@kernel
def _mix(x: np.uint64) -> np.uint64:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@kernel
def _first_half(number: np.uint64) -> np.uint64:
    """Not a permutation of 64 bits: two numbers may have one, as texts may."""
    return _mix(number * np.uint64(0x9E3779B97F4A7C15) + np.uint64(1)) ^ _mix(
        _mix(number + np.uint64(0xD1B54A32D192ED03))
    )


@kernel
def _bucket(names: int, bucket: int, shift: np.uint64, out: np.ndarray) -> int:
    """Into `out` (n, 2) the names of the bucket: how many."""
    count = 0
    for i in range(names):
        first = _first_half(np.uint64(i))
        if first >> shift == np.uint64(bucket):
            out[count, 0] = first
            out[count, 1] = _mix(np.uint64(i) ^ np.uint64(0xA0761D6478BD642F)) ^ _first_half(~np.uint64(i))
            count += 1
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", type=int, required=True)
    parser.add_argument("--bits", type=int, default=6, help="2^bits buckets, a pass each")
    args = parser.parse_args()
    began = time.monotonic()
    out = np.empty((int(args.names / (1 << args.bits) * 1.05) + 10_000, 2), np.uint64)
    seen, halves, wholes = 0, 0, 0
    for bucket in range(1 << args.bits):
        n = _bucket(args.names, bucket, np.uint64(64 - args.bits), out)
        order = np.argsort(out[:n, 0])
        first = out[order, 0]
        twins = np.flatnonzero(first[1:] == first[:-1])
        seen, halves = seen + n, halves + len(twins)
        wholes += int((out[order[twins], 1] == out[order[twins + 1], 1]).sum())
    assert seen == args.names
    expected = args.names**2 / 2**65
    print(f"{seen:,} names: {halves} pairs alike in 64 bits ({expected:.3g} expected), {wholes} in 128", end="; ")
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
