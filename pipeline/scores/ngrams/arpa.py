"""Models as ARPA text become KenLM's tables of hashes: the same bytes that its build_binary writes of the same text.

What the tables hold beside the text: an n-gram that a longer one ends with loses the sign of its probability, one that
a longer one begins with the sign of a backoff of zero, and an n-gram whose end (all words but the first) is missing,
since it was pruned, gets that end with the probability that backoff gives. Source: KenLM's lm/read_arpa.cc and
lm/search_hashed.cc.
"""

from pathlib import Path

import numpy as np

from pipeline.kernels.compiling import uncounted, whole
from pipeline.scores.ngrams.ngram_file import MAX_ORDER, PROBING, Header, header_size, layout, make_header
from pipeline.scores.ngrams.ngram_lookup import SIGN, find, longer, murmur
from schemas.errors import UserError

MULTIPLIER = 1.5  # buckets an n-gram, as build_binary has it
HEAD = 1 << 20  # bytes in which an ARPA text must count its n-grams
UNKNOWN_LOG10 = -100.0  # of a model without <unk>, as KenLM has it
_UNKNOWN = (int(murmur(np.frombuffer(b"<unk>", np.uint8), 0, 5)), int(murmur(np.frombuffer(b"<UNK>", np.uint8), 0, 5)))
_TENS = 10.0 ** np.arange(23)
_NEWLINE, _RETURN, _TAB, _SPACE, _MINUS, _PLUS, _DOT, _ZERO = 10, 13, 9, 32, 45, 43, 46, 48

(
    FINE, NO_NUMBER, POSITIVE, NO_WORD, UNKNOWN_WORD, ENDS, NO_SECTION, OVERFULL, NO_CONTEXT, TWICE,
) = range(10)  # fmt: skip
WHAT = {
    NO_NUMBER: "has no number where one belongs",
    POSITIVE: "has a probability above one",
    NO_WORD: "has fewer words than its order",
    UNKNOWN_WORD: "has a word that is no 1-gram",
    ENDS: "ends before all n-grams that it counts",
    NO_SECTION: "has other n-grams than it counts",
    OVERFULL: "lacks the ends of too many n-grams",
    NO_CONTEXT: "has an n-gram without the shorter one that it begins with",
    TWICE: "has an n-gram twice",
}


@uncounted
def _put(file, begin, buckets, width, key):
    """Where the entry of a key begins, made where there is none."""
    slot = np.int64(key % np.uint64(buckets))
    while True:
        at = begin + slot * width
        there = np.uint64(file[at]) | np.uint64(file[at + 1]) << np.uint64(32)
        if there == key:
            return at
        if there == np.uint64(0):
            file[at] = np.uint32(key & np.uint64(0xFFFFFFFF))
            file[at + 1] = np.uint32(key >> np.uint64(32))
            return at
        slot += 1
        if slot == buckets:
            slot = np.int64(0)


@uncounted
def _weights(file, unigrams, tables, key, length):
    """Where probability and backoff of an n-gram of that many words lie, or -1; a 1-gram's key is its id."""
    if length == 1:
        return unigrams + 2 * np.int64(key)
    table = length - 2
    at = find(file, tables[table, 0], tables[table, 1], tables[table, 2], key)
    return at + 2 if at >= 0 else np.int64(-1)


@uncounted
def _extend(file, at):
    """The backoff at the weights `at`, which are the beginning of a longer n-gram from now on."""
    if file[at + 1] == SIGN:  # -0.0
        file[at + 1] = np.uint32(0)
    return np.uint32(file[at + 1]).view(np.float32)


@uncounted
def _add(file, unigrams, tables, free, words, n, probability, backoff):
    """Puts an n-gram of words[:n], n > 1, into the tables; those shorter must be there. `free`: buckets that are
    left."""
    order = len(tables) + 1
    context = np.uint64(words[n - 2])
    for i in range(3, n + 1):
        context = longer(context, words[n - i])
    context_at = _weights(file, unigrams, tables, context, n - 1)
    if context_at < 0:
        return NO_CONTEXT
    key = np.uint64(words[n - 1])
    lower, basis, missing = unigrams + 2 * np.int64(words[n - 1]), 1, False
    for length in range(2, n):
        key = longer(key, words[n - length])
        at = _weights(file, unigrams, tables, key, length)
        if at >= 0:
            lower, basis, missing = at, length, False
        else:
            missing = True
    # The ends that are missing, from the shortest.
    value = np.uint32(file[lower] | SIGN).view(np.float32)
    file[lower] &= ~SIGN
    if missing:
        for length in range(basis + 1, n):
            history, end = np.uint64(words[n - 2]), np.uint64(words[n - 1])
            for i in range(3, length + 1):
                history = longer(history, words[n - i])
            for i in range(2, length + 1):
                end = longer(end, words[n - i])
            at = _weights(file, unigrams, tables, history, length - 1)
            if at >= 0:
                value = np.float32(value + _extend(file, at))
            free[length - 2] -= 1
            if free[length - 2] < 1:
                return OVERFULL
            table = length - 2
            at = _put(file, tables[table, 0], tables[table, 1], tables[table, 2], end)
            file[at + 2] = np.float32(value).view(np.uint32) & ~SIGN
            file[at + 3] = SIGN
    key = longer(key, words[0])
    free[n - 2] -= 1
    if free[n - 2] < 1:
        return OVERFULL
    at = _put(file, tables[n - 2, 0], tables[n - 2, 1], tables[n - 2, 2], key)
    if file[at + 2] != 0:
        return TWICE
    file[at + 2] = np.float32(probability).view(np.uint32) | SIGN
    if n < order:
        file[at + 3] = np.float32(backoff).view(np.uint32) if backoff != 0 else SIGN
    _extend(file, context_at)
    return FINE


@uncounted
def _number(data, at):
    """A decimal number at data[at:] and where it ends; `at` again where there is none. Rounded to float32 it is the
    nearest but where float64 lies between two."""
    start = at
    negative = at < len(data) and data[at] == _MINUS
    if at < len(data) and (data[at] == _MINUS or data[at] == _PLUS):
        at += 1
    mantissa, tens, digits = 0, 0, 0
    after = False
    while at < len(data):
        byte = data[at]
        if byte == _DOT and not after:
            after = True
        elif _ZERO <= byte <= _ZERO + 9:
            digits += 1
            if mantissa < 10**16:
                mantissa = mantissa * 10 + (whole(byte) - _ZERO)
                tens -= whole(after)
            else:
                tens += whole(not after)
        else:
            break
        at += 1
    if digits == 0:
        return 0.0, start
    if at + 1 < len(data) and (data[at] == 101 or data[at] == 69):  # e, E
        end = at + 1
        down = data[end] == _MINUS
        if data[end] == _MINUS or data[end] == _PLUS:
            end += 1
        exponent, first = 0, end
        while end < len(data) and _ZERO <= data[end] <= _ZERO + 9:
            exponent = min(exponent * 10 + (whole(data[end]) - _ZERO), 10000)
            end += 1
        if end > first:
            tens += -exponent if down else exponent
            at = end
    value = np.float64(mantissa)
    while tens < 0 and value != 0:
        value /= _TENS[min(22, -tens)]
        tens += min(22, -tens)
    while tens > 0 and 0 < value < np.inf:
        value *= _TENS[min(22, tens)]
        tens -= min(22, tens)
    return -value if negative else value, at


@uncounted
def _line_end(data, at):
    while at < len(data) and data[at] != _NEWLINE:
        at += 1
    return at


@uncounted
def _blank(data, at):
    return data[at] == _SPACE or data[at] == _TAB or data[at] == _RETURN


@uncounted
def _fill(
    data, at, counts, unknown, vocabulary, vocabulary_buckets, unigrams, tables, free, words, file, spelled, place
):
    """Reads all sections from data[at:] into `file`; `spelled` gets the words, each with a zero byte, by id. `place`
    gets the line where it stopped, and how many bytes of words there are."""
    order = len(counts)
    ids = 1
    n_spelled = 6  # <unk> and its zero
    seen_unknown = False
    for n in range(1, order + 1):
        while at < len(data) and (_blank(data, at) or data[at] == _NEWLINE):
            at += 1
        place[0] = at
        end = _line_end(data, at)
        # \N-grams:
        title, number_end = _number(data, at + 1) if end > at else (0.0, at)
        if end == at or data[at] != 92 or title != n or end - number_end < 7 or data[number_end] != _MINUS:
            return NO_SECTION
        at = end + 1
        for _ in range(counts[n - 1]):
            place[0] = at
            if at >= len(data):
                return ENDS
            probability, next_at = _number(data, at)
            if next_at == at:
                return NO_SECTION if data[at] == 92 or data[at] == _NEWLINE else NO_NUMBER
            if probability > 0:
                return POSITIVE
            at = next_at
            word = np.int64(0)
            for i in range(n):
                while at < len(data) and (data[at] == _SPACE or data[at] == _TAB):
                    at += 1
                start = at
                while at < len(data) and not _blank(data, at) and data[at] != _NEWLINE:
                    at += 1
                if at == start:
                    return NO_WORD
                hashed = murmur(data, start, at)
                if hashed == unknown[0] or hashed == unknown[1]:
                    word = np.int64(0)
                    seen_unknown = True
                else:
                    if n == 1:
                        entry = _put(file, vocabulary, vocabulary_buckets, 3, hashed)
                        if file[entry + 2] != 0:
                            return TWICE
                        if ids > counts[0]:
                            return NO_SECTION
                        file[entry + 2] = np.uint32(ids)
                        ids += 1
                        for byte in range(start, at):
                            spelled[n_spelled] = data[byte]
                            n_spelled += 1
                        n_spelled += 1
                    else:
                        entry = find(file, vocabulary, vocabulary_buckets, 3, hashed)
                        if entry < 0:
                            return UNKNOWN_WORD
                    word = np.int64(file[entry + 2])
                words[i] = np.uint32(word)
            backoff = 0.0
            while at < len(data) and _blank(data, at):
                at += 1
            if at < len(data) and data[at] != _NEWLINE:
                backoff, next_at = _number(data, at)
                if next_at == at:
                    return NO_NUMBER
                at = next_at
                while at < len(data) and _blank(data, at):
                    at += 1
                if at < len(data) and data[at] != _NEWLINE:
                    return NO_NUMBER
            at += 1
            if n == 1:
                weights = unigrams + 2 * word
                file[weights] = np.float32(probability).view(np.uint32)
                file[weights + 1] = np.float32(backoff).view(np.uint32) if backoff != 0 else SIGN
            else:
                trouble = _add(file, unigrams, tables, free, words, n, probability, backoff)
                if trouble != FINE:
                    return trouble
    place[0] = at
    place[1] = n_spelled
    place[2] = ids
    place[3] = np.int64(seen_unknown)
    while at < len(data) and (_blank(data, at) or data[at] == _NEWLINE):
        at += 1
    if at + 5 > len(data):
        return ENDS
    return FINE if data[at] == 92 and data[at + 1] == 101 else NO_SECTION  # \end\


def _counts(text: bytes, path: Path) -> tuple[tuple[int, ...], int]:
    """How many n-grams of each order an ARPA text announces, and where that ends."""
    counts: list[int] = []
    at, begun = 0, False
    while at < len(text):
        end = text.find(b"\n", at)
        end = len(text) if end < 0 else end
        line = text[at:end].strip()
        at = end + 1
        if not begun:
            if line == b"\\data\\":
                begun = True
            elif line and not line.startswith(b"#"):
                break
        elif line:
            name, _, number = line.partition(b"=")
            if name.split() != [b"ngram", b"%d" % (len(counts) + 1)] or not number.strip().isdigit():
                break
            counts.append(int(number))
        else:
            return tuple(counts), at
    if begun:
        raise UserError(f"{path} does not count its n-grams as ARPA text does; learn it with lmplz of KenLM")
    raise UserError(
        f"{path} is neither KenLM's binary file nor ARPA text; learn it with lmplz and build_binary of KenLM"
    )


def read(path: Path) -> tuple[np.ndarray, Header]:
    """The model in ARPA text as KenLM's binary file would have it, uint32, with zeros up to a multiple of four bytes.
    UserError where it is none, in order 1, cut off, or counts what it does not have."""
    tables, words, header = _read(path)
    padded = np.zeros(-(-len(words) // 4) * 4, np.uint8)
    padded[: len(words)] = words
    return np.concatenate([tables, padded.view("<u4")]), header


def to_binary(path: Path) -> bytes:
    """The file that build_binary would make of ARPA text."""
    tables, words, _ = _read(path)
    return tables.tobytes() + words.tobytes()


def _read(path: Path) -> tuple[np.ndarray, np.ndarray, Header]:
    """(header and tables uint32, all words with a zero byte each, header)."""
    if not path.stat().st_size:
        raise UserError(f"{path} is empty; put the model there again")
    data = np.memmap(path, np.uint8, "r").view(np.ndarray)
    counts, at = _counts(data[:HEAD].tobytes(), path)
    if not 1 < len(counts) <= MAX_ORDER:
        raise UserError(f"{path} has order {len(counts)}; a perplexity needs 2 to {MAX_ORDER}")
    if sum(counts) > len(data):
        raise UserError(f"{path} counts more n-grams than it has bytes: it was cut; copy it again")
    header = Header(PROBING, MULTIPLIER, counts, header_size(len(counts)))
    where = layout(header)
    tables = np.zeros(where.end, np.uint32)
    spelled = np.zeros(len(data) - at + 16, np.uint8)
    spelled[:5] = np.frombuffer(b"<unk>", np.uint8)
    place = np.zeros(4, np.int64)
    trouble = _fill(
        data, at, np.array(counts, np.int64), np.array(_UNKNOWN, np.uint64), where.vocabulary,
        where.vocabulary_buckets, where.unigrams, where.tables, where.tables[:, 1].copy(),
        np.zeros(len(counts), np.uint32), tables, spelled, place,
    )  # fmt: skip
    if trouble != FINE:
        number = 1 + int(np.count_nonzero(data[: int(place[0])] == _NEWLINE))
        raise UserError(f"{path}, line {number}, {WHAT[trouble]}; learn it again with lmplz of KenLM")
    if not place[3]:
        tables[where.unigrams] = np.float32(UNKNOWN_LOG10).view(np.uint32)
        tables[where.unigrams + 1] = 0
    tables[where.vocabulary - 1] = int(place[2])
    tables[: header.size // 4] = np.frombuffer(make_header(MULTIPLIER, counts), "<u4")
    return tables, spelled[: int(place[1])], header
