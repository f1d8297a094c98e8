"""Words that repeat: the share of a text's characters in its commonest and in its repeated n-grams.

After Rae et al. 2021 (Gopher, arXiv 2112.11446, table A1), counted as datatrove counts: of equal n-grams the first is
no duplicate, and reading goes on behind each duplicate. An n-gram is known by 64 bits made of its words' hashes.
"""

import numpy as np

from pipeline.kernels.compiling import kernel
from pipeline.kernels.hash_table import stamped_slot, table_size
from pipeline.words.words import mix


@kernel
def measure_repetition(
    offsets: np.ndarray, hashes: np.ndarray, lengths: np.ndarray, folded: np.ndarray, spaced: np.ndarray
) -> np.ndarray:
    """Shape (n_texts, 10): characters of the commonest 2-, 3- and 4-gram and of repeated 5- to 10-grams, of the
    case-folded text's; then distinct words, of all. Takes the arrays of `Words`; `spaced`: words have spaces between.
    """
    n_texts = len(offsets) - 1
    out = np.zeros((n_texts, 10), np.float64)
    longest = 0
    for text in range(n_texts):
        longest = max(longest, offsets[text + 1] - offsets[text])
    size = table_size(longest)
    keys, stamps, counts = np.empty(size, np.uint64), np.zeros(size, np.int32), np.empty(size, np.int32)
    grams, slots, before = np.empty(longest, np.uint64), np.empty(longest, np.int32), np.zeros(longest + 1, np.int64)
    stamp = np.int32(0)
    for text in range(n_texts):
        first, n_words = offsets[text], offsets[text + 1] - offsets[text]
        if n_words == 0:
            continue
        mask = table_size(n_words) - 1
        total = max(1, folded[text])
        stamp += np.int32(1)
        distinct = 0
        for i in range(n_words):
            grams[i] = hashes[first + i]
            before[i + 1] = before[i] + lengths[first + i]
            slot = stamped_slot(keys, stamps, mask, stamp, grams[i])
            if stamps[slot] != stamp:
                keys[slot], stamps[slot] = grams[i], stamp
                distinct += 1
        out[text, 9] = distinct / n_words
        for n in range(2, min(n_words, 10) + 1):
            n_grams = n_words - n + 1
            stamp += np.int32(1)
            for i in range(n_grams):
                grams[i] = mix(grams[i]) + hashes[first + i + n - 1]
            if n <= 4:
                most = 0
                for i in range(n_grams):
                    slot = stamped_slot(keys, stamps, mask, stamp, grams[i])
                    if stamps[slot] != stamp:
                        keys[slot], stamps[slot], counts[slot] = grams[i], stamp, 0
                    counts[slot] += 1
                    slots[i] = slot
                    most = max(most, counts[slot])
                for i in range(n_grams):
                    if counts[slots[i]] == most:  # of equally common ones the first to appear
                        chars = before[i + n] - before[i] + (n - 1 if spaced[text] else 0)
                        out[text, n - 2] = chars * most / total
                        break
                continue
            repeated, i = 0, 0
            while i < n_grams:
                slot = stamped_slot(keys, stamps, mask, stamp, grams[i])
                if stamps[slot] == stamp:
                    repeated += before[i + n] - before[i]
                    i += n
                else:
                    keys[slot], stamps[slot] = grams[i], stamp
                    i += 1
            if repeated == 0:  # then no longer n-gram occurs twice either
                break
            out[text, n - 2] = repeated / total
    return out
