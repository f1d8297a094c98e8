"""MinHash signatures (Broder 1997) by datasketch's definition, their LSH bands, and the shingles to verify with.

A shingle is `ngram_size` consecutive words (one character is a word in scripts written without spaces); its 64-bit
hash is made of those of its words. `affine64` permutes that hash, `affine32` its low 32 bits: min over shingles of
a_k * fmix(h) + b_k mod 2^w, with datasketch's a, b and fmix for the same seed. Equality with `datasketch.MinHash`,
given the shingles' hashes, is a test.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa

from pipeline.kernels.arrow_text import utf8
from pipeline.kernels.compiling import kernel
from pipeline.words.words import FIRST, SEED, WORDS_VERSION, mix, words_of

SIGNATURE_VERSION = 2  # of band hashes, text hashes and stored shingles
SECOND_SEED = np.uint64(0xD1B54A32D192ED03)  # an odd constant unlike SEED: text hashes are two independent halves
WORDLESS = np.uint64(1)  # keeps the hashes of texts without words apart from those of words


@dataclass(frozen=True)
class MinHasher:
    """Everything that makes two signatures comparable."""

    bands: int
    rows: int
    ngram_size: int
    scheme: str
    seed: int
    beside: str = ""  # what else decides which texts have which signature, for the version

    @property
    def num_perm(self) -> int:
        return self.bands * self.rows

    @property
    def version(self) -> str:
        """Signatures of different versions must never meet."""
        return (
            f"words{WORDS_VERSION}-signature{SIGNATURE_VERSION}-{self.scheme}-seed{self.seed}-n{self.ngram_size}-"
            f"{self.bands}x{self.rows}{self.beside}"
        )


@dataclass(frozen=True)
class Signatures:
    """Of n texts.

    text_hashes: uint64 (n, 2), equal for texts of the same words. n_shingles: int32 (n,), distinct ones.
    bands: int64; text i has bands[band_places[i] : band_places[i + 1]], none below `min_shingles`.
    shingles: uint32, ascending, the low halves of the distinct shingles' hashes; text i has
    shingles[shingle_places[i] : shingle_places[i + 1]], none below `min_shingles`.
    """

    text_hashes: np.ndarray
    n_shingles: np.ndarray
    bands: np.ndarray
    band_places: np.ndarray
    shingles: np.ndarray
    shingle_places: np.ndarray


@cache
def permutations(num_perm: int, seed: int, scheme: str) -> tuple[np.ndarray, np.ndarray]:
    """a, odd, and b, uint64 or uint32 by scheme, each of shape (num_perm,): the numbers that datasketch draws."""
    width, dtype = (64, np.uint64) if scheme == "affine64" else (32, np.uint32)
    numbers = np.random.RandomState(seed)
    a = numbers.randint(0, 1 << (width - 1), num_perm, dtype=dtype) * dtype(2) + dtype(1)
    return a, numbers.randint(0, 1 << width, num_perm, dtype=dtype)


def optimal_bands(threshold: float, num_perm: int, false_negative_weight: float) -> tuple[int, int]:
    """Bands and rows, at most num_perm hashes in all, that datasketch's `MinHashLSH` takes for the threshold: they
    minimise the weighted areas of the S-curve below it (false candidates) and of what is missing above it."""
    from datasketch.lsh import _optimal_param  # a slow import, through SciPy

    bands, rows = _optimal_param(threshold, num_perm, 1 - false_negative_weight, false_negative_weight)
    return int(bands), int(rows)


def candidate_probability(similarity: float, bands: int, rows: int) -> float:
    """The S-curve: the chance that two texts of this Jaccard similarity share a band, 1 - (1 - s^rows)^bands."""
    return 1 - (1 - similarity**rows) ** bands


@kernel
def _fmix32(h: np.uint32) -> np.uint32:
    """MurmurHash3's 32-bit finaliser (Appleby 2011), as datasketch applies it."""
    h = np.uint32(h ^ (h >> np.uint32(16)))
    h = np.uint32(h * np.uint32(0x85EBCA6B))
    h = np.uint32(h ^ (h >> np.uint32(13)))
    h = np.uint32(h * np.uint32(0xC2B2AE35))
    return np.uint32(h ^ (h >> np.uint32(16)))


@kernel
def _fmix64(h: np.uint64) -> np.uint64:
    """MurmurHash3's 64-bit finaliser."""
    h = (h ^ (h >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    h = (h ^ (h >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return h ^ (h >> np.uint64(33))


@kernel
def minima32(shingles: np.ndarray, a: np.ndarray, b: np.ndarray, minima: np.ndarray) -> None:
    """Into `minima`, uint32 (num_perm,): the least permuted value of each permutation over uint64 hashes."""
    minima[:] = np.uint32(0xFFFFFFFF)
    n = len(shingles)
    fours = n - n % 4  # four at once: half the loads and stores of minima
    for i in range(0, fours, 4):
        h0, h1 = _fmix32(np.uint32(shingles[i])), _fmix32(np.uint32(shingles[i + 1]))
        h2, h3 = _fmix32(np.uint32(shingles[i + 2])), _fmix32(np.uint32(shingles[i + 3]))
        for k in range(len(a)):
            x, y = a[k], b[k]
            low = min(np.uint32(x * h0 + y), np.uint32(x * h1 + y))
            high = min(np.uint32(x * h2 + y), np.uint32(x * h3 + y))
            minima[k] = min(minima[k], min(low, high))
    for i in range(fours, n):
        h = _fmix32(np.uint32(shingles[i]))
        for k in range(len(a)):
            minima[k] = min(minima[k], np.uint32(a[k] * h + b[k]))


@kernel
def minima64(shingles: np.ndarray, a: np.ndarray, b: np.ndarray, minima: np.ndarray) -> None:
    """As `minima32`, in 64 bits."""
    minima[:] = np.uint64(0xFFFFFFFFFFFFFFFF)
    n = len(shingles)
    fours = n - n % 4
    for i in range(0, fours, 4):
        h0, h1 = _fmix64(shingles[i]), _fmix64(shingles[i + 1])
        h2, h3 = _fmix64(shingles[i + 2]), _fmix64(shingles[i + 3])
        for k in range(len(a)):
            x, y = a[k], b[k]
            minima[k] = min(minima[k], min(min(x * h0 + y, x * h1 + y), min(x * h2 + y, x * h3 + y)))
    for i in range(fours, n):
        h = _fmix64(shingles[i])
        for k in range(len(a)):
            minima[k] = min(minima[k], a[k] * h + b[k])


@kernel
def _radix_pass(source: np.ndarray, target: np.ndarray, n: int, shift: np.uint32, counts: np.ndarray) -> None:
    counts[:] = 0
    for i in range(n):
        counts[(source[i] >> shift) & np.uint32(255)] += 1
    total = 0
    for digit in range(256):
        total, counts[digit] = total + counts[digit], total
    for i in range(n):
        digit = (source[i] >> shift) & np.uint32(255)
        target[counts[digit]] = source[i]
        counts[digit] += 1


@kernel
def sort_distinct(values: np.ndarray, spare: np.ndarray, n: int) -> int:
    """Sorts the first n of uint32 `values`, byte by byte, and drops repeats; how many are left. `spare`: as long."""
    counts = np.empty(256, np.int64)
    for shift in range(0, 32, 16):
        _radix_pass(values, spare, n, np.uint32(shift), counts)
        _radix_pass(spare, values, n, np.uint32(shift + 8), counts)
    kept = min(n, 1)
    for i in range(1, n):
        if values[i] != values[kept - 1]:
            values[kept] = values[i]
            kept += 1
    return kept


@kernel
def _absorb(state: np.uint64, value: np.uint64) -> np.uint64:
    state = (state ^ value) * FIRST
    return state ^ (state >> np.uint64(32))


@kernel
def _wordless_hash(data: np.ndarray, begin: int, end: int, seed: np.uint64) -> np.uint64:
    """Of a text without words: its bytes but for blanks (ASCII) at both ends."""
    while begin < end and (data[begin] == 32 or 9 <= data[begin] <= 13):
        begin += 1
    while end > begin and (data[end - 1] == 32 or 9 <= data[end - 1] <= 13):
        end -= 1
    state = seed ^ WORDLESS
    for i in range(begin, end):
        state = _absorb(state, np.uint64(data[i]))
    return mix(state)


@kernel
def band_hashes(minima: np.ndarray, rows: int, hashes: np.ndarray) -> None:
    """Into `hashes`, int64 (bands,): a hash of each band's minima, uint64, and of the band's number, so that equal
    hashes of two texts mean an equal band."""
    for band in range(len(hashes)):
        state = SEED + np.uint64(band)
        for k in range(band * rows, (band + 1) * rows):
            state = mix(state) + minima[k]
        hashes[band] = np.int64(mix(state))


@kernel
def _sign(
    data: np.ndarray, places: np.ndarray, offsets: np.ndarray, hashes: np.ndarray, ngram_size: int, min_shingles: int,
    bands: int, rows: int, a32: np.ndarray, b32: np.ndarray, a64: np.ndarray, b64: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """One pass over the words of all texts; of a32 and a64 the one that is not empty is the scheme's."""
    n_texts = len(offsets) - 1
    text_hashes, n_shingles = np.empty((n_texts, 2), np.uint64), np.empty(n_texts, np.int32)
    band_places, shingle_places = np.zeros(n_texts + 1, np.int64), np.zeros(n_texts + 1, np.int64)
    out_bands = np.empty(n_texts * bands, np.int64)
    shingles = np.empty(len(hashes), np.uint32)
    longest = 0
    for text in range(n_texts):
        longest = max(longest, offsets[text + 1] - offsets[text])
    grams, spare = np.empty(longest, np.uint64), np.empty(longest, np.uint32)
    narrow, minima = np.empty(bands * rows, np.uint32), np.empty(bands * rows, np.uint64)
    for text in range(n_texts):
        first, n_words = offsets[text], offsets[text + 1] - offsets[text]
        band, place = band_places[text], shingle_places[text]
        first_half, second_half = SEED, SECOND_SEED
        for i in range(first, first + n_words):
            first_half, second_half = _absorb(first_half, hashes[i]), mix(second_half) + hashes[i]
        first_half, second_half = mix(first_half), mix(second_half)
        if n_words == 0:
            first_half = _wordless_hash(data, places[text], places[text + 1], SEED)
            second_half = _wordless_hash(data, places[text], places[text + 1], SECOND_SEED)
        text_hashes[text, 0], text_hashes[text, 1] = first_half, second_half
        size = min(ngram_size, n_words)
        n_grams = n_words - size + 1 if n_words else 0
        distinct = shingles[place : place + n_grams]
        for i in range(n_grams):
            gram = hashes[first + i]
            for j in range(1, size):
                gram = mix(gram) + hashes[first + i + j]
            grams[i] = gram
            distinct[i] = np.uint32(gram)
        count = sort_distinct(distinct, spare, n_grams)
        n_shingles[text] = count
        if count and count >= min_shingles:
            if len(a32):
                minima32(grams[:n_grams], a32, b32, narrow)
                minima[:] = narrow
            else:
                minima64(grams[:n_grams], a64, b64, minima)
            band_hashes(minima, rows, out_bands[band : band + bands])
            band += bands
            place += count
        band_places[text + 1], shingle_places[text + 1] = band, place
    return (
        text_hashes,
        n_shingles,
        out_bands[: band_places[-1]],
        band_places,
        shingles[: shingle_places[-1]],
        shingle_places,
    )


def signatures(texts: pa.Array, hasher: MinHasher, min_shingles: int) -> Signatures:
    """The signatures of a string or large_string array; null is empty.

    No bands and no shingles below `min_shingles`, where chance alone makes texts alike. The text hash is of the words
    in order, so that case, spacing and punctuation do not count; of the stripped bytes where there is no word.
    """
    data, places = utf8(texts)
    words = words_of(texts)
    a, b = permutations(hasher.num_perm, hasher.seed, hasher.scheme)
    none32, none64 = np.empty(0, np.uint32), np.empty(0, np.uint64)
    scheme = (none32, none32, a, b) if hasher.scheme == "affine64" else (a, b, none64, none64)
    return Signatures(
        *_sign(
            data,
            places,
            words.offsets,
            words.hashes,
            hasher.ngram_size,
            min_shingles,
            hasher.bands,
            hasher.rows,
            *scheme,
        )
    )
