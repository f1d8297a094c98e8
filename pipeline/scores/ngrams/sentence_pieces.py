"""SentencePiece's unigram segmentation (Kudo 2018) of texts that cc_net's normalisation has been over, by our own
kernel.

No piece of such a vocabulary goes over a space, so words are cut one by one and a word that was cut before is looked
up. The library adds the scores of a whole text in float32, this those of a word: where two ways to cut a word are
equally good, as in a row of one sign, what rounding leaves of the words before decides in the library, and the longer
piece first here. Where a model's pieces do go over spaces, or it keeps spaces as they are, texts are cut whole.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import sentencepiece

from pipeline.kernels.arrow_text import Utf8, from_strings, utf8
from pipeline.kernels.compiling import inlined, uncounted
from pipeline.scores.ngrams.cc_net_text import FINAL, JOINS, KNOWN, OUTPUT, SEVERAL, SPACE, WHOLE, CodePoints, normalise
from pipeline.scores.ngrams.ngram_lookup import murmur, word_id
from pipeline.scores.ngrams.piece_trie import PieceTrie, piece_trie
from schemas.errors import UserError
from tokenizer.model import model_fields

_SPACE = np.int32(ord(SPACE))
UNKNOWN_PENALTY = 10.0  # below the least score, of a character that is no piece (unigram_model.cc)
MAX_KEPT = 64  # code points of a word that is kept
KEPT_WORDS = 1 << 15
_PLAIN, _NOT_PLAIN = KNOWN, SEVERAL | JOINS | WHOLE
_PRIME = np.uint64(0x9E3779B97F4A7C15)
AGAIN, FULL, CUT, TO_NORMALISE = range(4)


class Cut(NamedTuple):
    """What the kernel goes by. `tokens` int32: the word of the language model that each piece is; `byte_tokens` of the
    256 bytes, none without byte pieces; `hashes`, `ids`: that vocabulary, for what is no piece."""

    labels: np.ndarray
    nodes: np.ndarray
    scores: np.ndarray
    tokens: np.ndarray
    byte_tokens: np.ndarray
    hashes: np.ndarray
    ids: np.ndarray
    unknown: np.float32


class Kept(NamedTuple):
    """Words that were cut: `slots` uint64 (n, 2), by the hash of each, 0 where free, with where it begins in `pool`,
    how many code points it has and, behind them, how many tokens (32, 16 and 16 bits); `pool` int32; `filled` int64,
    how many words there are and where the pool goes on."""

    slots: np.ndarray
    pool: np.ndarray
    filled: np.ndarray


class Scratch(NamedTuple):
    """Room to reckon in: a line of code points int32, the best score of each beginning of it float32, where its last
    piece begins and which that is, int32, and its bytes."""

    line: np.ndarray
    best: np.ndarray
    came: np.ndarray
    piece: np.ndarray
    data: np.ndarray


def scratch(size: int) -> Scratch:
    """For lines of less than so many code points."""
    best, came, piece = np.empty(size, np.float32), np.empty(size, np.int32), np.empty(size, np.int32)
    return Scratch(np.empty(size, np.int32), best, came, piece, np.empty(4 * size, np.uint8))


class SentencePieces:
    """A unigram model of SentencePiece. `pieces` are those that texts are cut into, `numbers` their ids in the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        proto = path.read_bytes()
        try:
            processor = sentencepiece.SentencePieceProcessor(model_proto=proto)
            fields = list(model_fields(proto))
        except (RuntimeError, ValueError, IndexError):
            raise UserError(f"{path} is no SentencePiece model; learn it with spm_train --model_type=unigram") from None
        trainer, rules = (dict(model_fields(dict(fields).get(field << 3 | 2, b""))) for field in (2, 3))
        if (kind := trainer.get(3 << 3, b"\x01")) != b"\x01":
            name = {2: "BPE", 3: "word", 4: "character"}.get(kind[0], "unknown")
            raise UserError(f"{path} is a {name} model; perplexities need one of spm_train --model_type=unigram")
        ids = range(processor.vocab_size())
        special = [bool(processor.is_unknown(i) or processor.is_control(i) or processor.is_byte(i)) for i in ids]
        self.numbers = np.array([i for i in ids if not special[i] and not processor.is_unused(i)], np.int32)
        self.pieces: list[str] = processor.id_to_piece(self.numbers.tolist())
        if not self.pieces:
            raise UserError(f"{path} has no pieces; learn it with spm_train --model_type=unigram")
        if any(dict(model_fields(value)).get(3 << 3) == b"\x04" for tag, value in fields if tag == 1 << 3 | 2):
            raise UserError(f"{path} has pieces of its user's own, which are not supported; learn it without them")
        scores = np.array(processor.get_score(self.numbers.tolist()), np.float32)
        self.unknown_id = int(processor.unk_id())
        self._trie: PieceTrie = piece_trie(self.pieces)
        self._scores = scores
        self._unknown = np.float32(scores.min() - np.float32(UNKNOWN_PENALTY))
        self.byte_pieces = {i: processor.id_to_piece(i) for i in ids if processor.is_byte(i)}
        one_space = all(rules.get(field << 3, b"\x01") == b"\x01" for field in (3, 4, 5))
        suffixed = trainer.get(24 << 3, b"\0") != b"\0"
        inside = any(SPACE in piece[1:] for piece in self.pieces)
        self.by_word = one_space and not suffixed and not inside and SPACE in self.pieces
        self._processor = processor
        self.charsmap: bytes = rules.get(2 << 3 | 2, b"")

    def cutter(
        self, points: CodePoints, tokens: np.ndarray, byte_tokens: np.ndarray, vocabulary: tuple[np.ndarray, np.ndarray]
    ) -> "Cutter":
        """What cuts texts into words of a language model; tokens int32 (n pieces,), byte_tokens (256,) or (0,),
        vocabulary the hashes and ids of all its words."""
        cut = Cut(
            self._trie.labels, self._trie.nodes, self._scores, tokens, byte_tokens,
            vocabulary[0], vocabulary[1], self._unknown,
        )  # fmt: skip
        return Cutter(self, points, cut)

    def whole(self, text: str) -> str:
        """A text after both normalisations, with spaces as SentencePiece writes them."""
        text = normalise(text)
        return str(self._processor.normalize(text)) if text else ""


class Cutter:
    """Texts to words of a language model, with the words that it has cut before."""

    def __init__(self, pieces: SentencePieces, points: CodePoints, cut: Cut) -> None:
        self._pieces, self._points, self._cut = pieces, points, cut
        self._unseen = np.zeros(4096, np.int32)
        self._scratch = scratch(4096)
        slots, pool = np.zeros((2 * KEPT_WORDS, 2), np.uint64), np.zeros(16 * KEPT_WORDS, np.int32)
        self._kept = Kept(slots, pool, np.zeros(2, np.int64))

    def cut(self, texts: Utf8, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(words int32, offsets int64 (n + 1,)) of the texts in `rows`, int64, one after another."""
        n_bytes = int((texts.offsets[rows + 1] - texts.offsets[rows]).sum())
        self._words, offsets = np.empty(n_bytes // 2 + 1024, np.int32), np.zeros(len(rows) + 1, np.int64)
        row = 0
        while row < len(rows):
            if self._pieces.by_word:
                row = self._cut_rows(texts, rows, row, offsets)
            if row < len(rows):
                start, end = texts.offsets[rows[row] : rows[row] + 2]
                self._cut_whole(texts.data[start:end].tobytes().decode("utf-8", "replace"), row, offsets)
                row += 1
        return self._words[: offsets[-1]], offsets

    def _cut_rows(self, texts: Utf8, rows: np.ndarray, row: int, offsets: np.ndarray) -> int:
        """Cuts texts from `row` on; the first that must be normalised whole, or len(rows)."""
        points, n_unseen, state = self._points, np.zeros(1, np.int64), FULL
        while state not in (CUT, TO_NORMALISE):
            row, state = cut_rows(
                texts.data, texts.offsets, rows, row, points.made, points.several, points.tails, points.heads,
                points.pairs, self._cut, self._kept, self._scratch, self._words, offsets, self._unseen, n_unseen,
            )  # fmt: skip
            if state == AGAIN:
                points.ask(self._unseen[: n_unseen[0]])
            elif state == FULL:
                self._words = np.concatenate([self._words, np.empty_like(self._words)])
                self._scratch = scratch(2 * len(self._scratch.line))
        return row

    def _cut_whole(self, text: str, row: int, offsets: np.ndarray) -> None:
        """Cuts a text where what becomes of a code point hangs on its neighbours."""
        if FINAL in text and self._pieces.by_word:
            lower = utf8(
                from_strings([text.lower()])
            )  # which writes the sigma as it should be; the rest comes as it does
            ends = offsets[row : row + 2].copy()
            if self._cut_rows(lower, np.zeros(1, np.int64), 0, ends):
                offsets[row + 1] = ends[1]
                return
        line = np.frombuffer(self._pieces.whole(text).encode("utf-32-le"), np.int32)
        room = int(offsets[row]) + 4 * len(line)
        if room > len(self._words):
            self._words = np.concatenate([self._words, np.empty(room, np.int32)])
        offsets[row + 1] = cut_line(line, self._cut, scratch(len(line) + 1), self._words, offsets[row])


@inlined
def _utf8(point, data, at):
    """Writes a code point to data[at:]; where it ends."""
    if point < 0x80:
        data[at] = point
        return at + 1
    if point < 0x800:
        data[at], data[at + 1] = 0xC0 | point >> 6, 0x80 | point & 63
        return at + 2
    if point < 0x10000:
        data[at], data[at + 1], data[at + 2] = 0xE0 | point >> 12, 0x80 | point >> 6 & 63, 0x80 | point & 63
        return at + 3
    data[at], data[at + 1] = 0xF0 | point >> 18, 0x80 | point >> 12 & 63
    data[at + 2], data[at + 3] = 0x80 | point >> 6 & 63, 0x80 | point & 63
    return at + 4


@uncounted
def _unknown_run(line, start, end, cut, data, words, n):
    """Writes what stands for code points that are no pieces: their bytes, or one word of them all."""
    n_bytes = np.int64(0)
    for i in range(start, end):
        n_bytes = _utf8(np.int64(line[i]), data, n_bytes)
    if len(cut.byte_tokens) == 0:
        words[n] = word_id(murmur(data, 0, n_bytes), cut.hashes, cut.ids)
        return n + 1
    for i in range(n_bytes):
        words[n + i] = cut.byte_tokens[data[i]]
    return n + n_bytes


@uncounted
def _best_cut(line, length, cut, room, words, n):
    """Writes the words of the best cut of line[:length], int32, to words[n:], which has room for 4 a code point; where
    they end."""
    best, came, piece = room.best, room.came, room.piece
    nodes, scores, labels = cut.nodes, cut.scores, cut.labels
    for i in range(length + 1):
        came[i] = -1
    best[0] = 0
    root = np.int64(nodes[0, 1])
    for i in range(length):
        here = best[i]
        single = False
        base, parent = root, np.int64(0)
        for j in range(i, length):
            label = np.int64(labels[line[j]])
            if label == 0:
                break
            slot = base + label
            if np.int64(nodes[slot, 0]) != parent:
                break
            found = nodes[slot, 2]
            if found >= 0:
                score = np.float32(here + scores[found])
                if came[j + 1] < 0 or score > best[j + 1]:
                    best[j + 1], came[j + 1], piece[j + 1] = score, i, found
                single |= j == i
            base, parent = np.int64(nodes[slot, 1]), slot
            if base < 0:
                break
        if not single:
            score = np.float32(here + cut.unknown)
            if came[i + 1] < 0 or score > best[i + 1]:
                best[i + 1], came[i + 1], piece[i + 1] = score, i, -1
    # `came` is turned round: where the piece that begins here ends.
    at, end = np.int64(length), np.int64(-1)
    while at > 0:
        before = np.int64(came[at])
        came[at] = end
        end, at = at, before
    came[0] = end
    at = np.int64(0)
    while at < length:
        end = np.int64(came[at])
        if piece[end] >= 0:
            words[n] = cut.tokens[piece[end]]
            n += 1
        else:
            start = at
            while end < length and piece[came[end]] < 0:
                end = np.int64(came[end])
            n = _unknown_run(line, start, end, cut, room.data, words, n)
        at = end
    return n


@uncounted
def cut_line(line, cut, room, words, n):
    """Writes the words of a whole text that is normalised, int32 code points, to words[n:]; where they end."""
    return _best_cut(line, len(line), cut, room, words, n) if len(line) else n


@inlined
def _slot(slots, key):
    """Where the slot of a hash, not 0, is or would be; half are free or more."""
    mask = np.uint64(len(slots) - 1)
    slot = key >> np.uint64(32) & mask
    while slots[slot, 0] != np.uint64(0) and slots[slot, 0] != key:
        slot = (slot + np.uint64(1)) & mask
    return slot


@uncounted
def _word(length, hashed, cut, kept, room, words, n):
    """As `_best_cut`, of a word in room.line, which is looked up first and kept."""
    line, slots, pool, filled = room.line, kept.slots, kept.pool, kept.filled
    if length > MAX_KEPT:
        return _best_cut(line, length, cut, room, words, n)
    key = max(hashed, np.uint64(1))
    slot = _slot(slots, key)
    if slots[slot, 0] != np.uint64(0):
        where = np.int64(slots[slot, 1])
        begin, count = where >> 32, where & 0xFFFF
        same = (where >> 16 & 0xFFFF) == length
        for i in range(length if same else 0):
            same &= pool[begin + i] == line[i]
        if not same:  # two words of one hash
            return _best_cut(line, length, cut, room, words, n)
        begin += length
        for i in range(count):
            words[n + i] = pool[begin + i]
        return n + count
    end = _best_cut(line, length, cut, room, words, n)
    count = end - n
    if filled[0] == len(slots) // 2 or filled[1] + length + count > len(pool):
        for i in range(len(slots)):
            slots[i, 0] = 0
        filled[0] = filled[1] = 0
        slot = _slot(slots, key)
    begin = filled[1]
    slots[slot, 0], slots[slot, 1] = key, np.uint64(begin << 32 | length << 16 | count)
    for i in range(length):
        pool[begin + i] = line[i]
    for i in range(count):
        pool[begin + length + i] = words[n + i]
    filled[0] += 1
    filled[1] = begin + length + count
    return end


@inlined
def _code_point(data, at, end):
    """The code point at data[at:end] and where the next begins; what is no UTF-8 is U+FFFD, a byte each."""
    first = np.int64(data[at])
    if first < 0x80:
        return first, at + 1
    if 0xC2 <= first < 0xE0 and at + 1 < end:
        return (first & 31) << 6 | np.int64(data[at + 1]) & 63, at + 2
    if 0xE0 <= first < 0xF0 and at + 2 < end:
        return (first & 15) << 12 | (np.int64(data[at + 1]) & 63) << 6 | np.int64(data[at + 2]) & 63, at + 3
    if 0xF0 <= first < 0xF5 and at + 3 < end:
        high = (first & 7) << 18 | (np.int64(data[at + 1]) & 63) << 12
        return min(high | (np.int64(data[at + 2]) & 63) << 6 | np.int64(data[at + 3]) & 63, 0x10FFFF), at + 4
    return np.int64(0xFFFD), at + 1


@inlined
def _has(numbers, number):
    low, high = 0, len(numbers)
    while low < high:
        middle = (low + high) // 2
        if numbers[middle] < number:
            low = middle + 1
        else:
            high = middle
    return low < len(numbers) and numbers[low] == number


@uncounted
def cut_rows(
    data, offsets, rows, row, made, several, tails, heads, pairs, cut, kept, room, words, ends, unseen, n_unseen
):
    """Writes the words of the texts rows[row:] and where each ends, as far as it comes: (the row where it stopped,
    why). AGAIN: there are code points to ask about, in `unseen`; FULL: `words` has no room; TO_NORMALISE: that text
    must be normalised whole."""
    line = room.line
    while row < len(rows):
        at, end = offsets[rows[row]], offsets[rows[row] + 1]
        n = ends[row]
        line[0], length = _SPACE, np.int64(1)
        hashed = np.uint64(0)
        before, missing = np.int64(-1), np.int64(0)
        while at <= end:
            out, point = np.int64(32), np.int64(0)  # a space behind the last word
            what = _PLAIN | out
            if at < end:
                point = np.int64(data[at])
                at += 1
                if point >= 0x80:
                    point, at = _code_point(data, at - 1, end)
                what = np.int64(made[point])
            else:
                at += 1
            several_at, count = np.int64(0), np.int64(1)
            if what & _NOT_PLAIN:
                if what & WHOLE:
                    return row, TO_NORMALISE
                if what & JOINS and before >= 0:
                    pair = np.uint64(tails[before]) << np.uint64(32) | np.uint64(heads[point])
                    if _has(pairs, pair):
                        return row, TO_NORMALISE
                if what & SEVERAL:
                    several_at = what & OUTPUT
                    count = np.int64(several[several_at])
            elif what == 0:
                if missing < len(unseen):
                    unseen[missing] = point
                    missing += 1
                continue
            if count > 0:
                before = point
            i = np.int64(0)
            while i < count:
                out = what & OUTPUT
                if what & SEVERAL:
                    out = np.int64(several[several_at + 1 + i])
                i += 1
                if out != 32:
                    line[length] = out
                    length += 1
                    hashed = (hashed ^ np.uint64(out)) * _PRIME
                    if length == len(line) - 1:
                        return row, FULL
                elif length > 1:
                    if missing == 0:
                        if len(words) - n < 4 * length:
                            return row, FULL
                        n = _word(length, hashed, cut, kept, room, words, n)
                    length = np.int64(1)
                    hashed = np.uint64(0)
        if missing:
            n_unseen[0] = missing
            return row, AGAIN
        row += 1
        ends[row] = n
    return row, CUT
