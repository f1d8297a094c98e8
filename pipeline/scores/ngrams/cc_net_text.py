"""cc_net's text before it is cut into pieces, then SentencePiece's own normalisation, for one code point at a time.

cc_net (Wenzek et al. 2020, cc_net/text_normalizer.py): strip, lower case, accents (category Mn of NFD) away, digits to
0, punctuation of its list to ASCII, control characters away. Line breaks are control characters: lines are joined
without a space between them, and a document is one line to the language model. Its list turns U+FF11 into a quotation
mark, which never happens, as digits come first.

What both steps make of a code point hangs on itself alone but in a few places: the final sigma, marks that are put into
another order, and rules of SentencePiece for several code points. `CodePoints` holds what is made of each, asked of
Python and of the library when a code point is first met, and marks the places where a text needs both steps whole.
"""

import re
import unicodedata
from itertools import pairwise

import numpy as np
import sentencepiece

from pipeline.kernels.compiling import uncounted

PUNCTUATION = str.maketrans({
    "，": ",", "。": ".", "、": ",", "„": '"', "”": '"', "“": '"', "«": '"', "»": '"', "１": '"', "」": '"', "「": '"',
    "《": '"',
    "》": '"', "´": "'", "∶": ":", "：": ":", "？": "?", "！": "!", "（": "(", "）": ")", "；": ";", "–": "-",
    "—": " - ", "．": ". ", "～": "~", "’": "'", "…": "...", "━": "-", "〈": "<", "〉": ">", "【": "[", "】": "]",
    "％": "%", "►": "-",
})  # fmt: skip
_DIGIT = re.compile(r"\d")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")

N_CODE_POINTS = 0x110000
# What is made of a code point: its own output in the low bits, or the place of several in `several`.
KNOWN, SEVERAL, JOINS, WHOLE = 1 << 24, 1 << 25, 1 << 26, 1 << 27
OUTPUT = (1 << 24) - 1
SPACE = "\u2581"  # SentencePiece's
MOST_RULES = 1 << 20  # SentencePiece's own are some hundred thousand; ends are shared, so units do not tell
FINAL = "Σ"  # at the end of a word its small letter is another


def normalise(text: str) -> str:
    """A text as cc_net's `normalize(text)` gives it."""
    text = _no_accents(text.strip().lower())
    return _CONTROL.sub("", _DIGIT.sub("0", text).translate(PUNCTUATION))


def _no_accents(text: str) -> str:
    if text.isascii():
        return text
    return "".join([c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn"])


class CodePoints:
    """What cc_net's and SentencePiece's normalisations together make of each code point.

    `made` int32 (0x110000,): 0 where it was not asked yet, else KNOWN with the code point that it becomes; or SEVERAL
    with a place p in `several` (int32), which has the number n at p and the code points behind it. JOINS: its first
    code point may join with what was before it, if the pair of `tails` of that and its `heads` (int32, -1 of nothing)
    is in `pairs` (uint64 ascending, tail << 32 | head). WHOLE: the text must be normalised whole.
    """

    def __init__(self, charsmap: bytes) -> None:
        # Zeros of this size take memory only where they are written to.
        self.made = np.zeros(N_CODE_POINTS, np.int32)
        self.heads, self.tails = np.zeros(N_CODE_POINTS, np.int32), np.zeros(N_CODE_POINTS, np.int32)
        self.several = np.zeros(1024, np.int32)
        self._n_several = 0
        self.longest = 1
        spec = charsmap_spec(charsmap)
        self._normaliser = sentencepiece.SentencePieceNormalizer(normalizer_spec=spec) if charsmap else None
        rules = several_rules(charsmap)
        pairs = {ord(one) << 32 | ord(next_) for rule in rules for one, next_ in pairwise(rule)}
        self.pairs = np.array(sorted(pairs), np.uint64)
        self._joining = {pair & 0xFFFFFFFF for pair in pairs}

    def rules(self, text: str) -> str:
        """A text by SentencePiece's rules alone."""
        return str(self._normaliser.normalize(text)) if self._normaliser and text else text

    def ask(self, code_points: np.ndarray) -> None:
        """Fills the tables for code points, int32."""
        for code_point in np.unique(code_points).tolist():
            self._ask(code_point)

    def _ask(self, code_point: int) -> None:
        character = chr(code_point)
        # strip() takes white space away, which is for the whole text to do; a digit or a letter stays here.
        between = normalise("a" + character + "a")[1:-1] if not 0xD800 <= code_point < 0xE000 else "\ufffd"
        made = self.rules(between)
        flags = KNOWN
        stripped = character.isspace() and made.strip(" ")  # at an end strip() takes it away, elsewhere it stays
        if character == FINAL or SPACE in made or SPACE in between or stripped or _reorders(character):
            flags |= WHOLE
        self.heads[code_point] = ord(between[0]) if between else -1
        self.tails[code_point] = ord(between[-1]) if between else -1
        if between and ord(between[0]) in self._joining:
            flags |= JOINS
        if len(made) == 1:
            self.made[code_point] = flags | ord(made)
            return
        needed = self._n_several + 1 + len(made)
        if needed > len(self.several):
            self.several = np.concatenate([self.several, np.zeros(max(needed, len(self.several)), np.int32)])
        place = self._n_several
        self.several[place : place + 1 + len(made)] = [len(made), *map(ord, made)]
        self._n_several = needed
        self.longest = max(self.longest, len(made))
        self.made[code_point] = flags | SEVERAL | place


def _reorders(character: str) -> bool:
    """Whether NFD may move what is left of a character past its neighbours."""
    decomposed = unicodedata.normalize("NFD", character)
    return any(unicodedata.combining(c) and unicodedata.category(c) != "Mn" for c in decomposed)


def charsmap_spec(charsmap: bytes) -> bytes:
    """SentencePiece's NormalizerSpec of compiled rules that does nothing else: no space is added, joined or escaped."""
    length, size = b"", len(charsmap)
    while size >= 128:
        length += bytes([size & 127 | 128])
        size >>= 7
    # Fields 2 (rules), 3 (a space before), 4 (one space for several), 5 (spaces written as another character).
    return b"\x12" + length + bytes([size]) + charsmap + b"\x18\0\x20\0\x28\0"


def several_rules(charsmap: bytes) -> list[str]:
    """The left sides of more than one code point of compiled rules: four bytes with the size of a trie, the trie (Darts
    by Yata; a unit of four bytes has a label, an offset to its children and whether it ends a key), the right sides."""
    if len(charsmap) < 8:
        return []
    size = int.from_bytes(charsmap[:4], "little")
    units = np.frombuffer(charsmap[4 : 4 + size // 4 * 4], "<u4")
    keys, ends = np.zeros(16 * MOST_RULES, np.uint8), np.zeros(MOST_RULES, np.int64)
    n = _keys(units, keys, ends, np.zeros(512, np.int64), np.zeros(512, np.int64), np.zeros(512, np.uint8))
    if n < 0:
        raise ValueError("its rules of normalisation make no sense")
    starts = [0, *ends[: n - 1].tolist()] if n else []
    spelled = keys.tobytes()
    rules = [
        spelled[start:end].decode("utf-8", "replace") for start, end in zip(starts, ends[:n].tolist(), strict=True)
    ]
    return [rule for rule in rules if len(rule) > 1]


@uncounted
def _keys(units, keys, ends, nodes, labels, key):
    """All keys of a trie, one after another in `keys`, each up to its place in `ends`; how many, -1 of too many.
    On the way to where the walk is: where the children of each node lie, the labels that come next, the key."""
    n_keys, filled = 0, 0
    depth = 0
    unit = np.int64(units[0])
    nodes[0] = (unit >> 10) << ((unit & 512) >> 6)
    labels[0] = 1
    while depth >= 0:
        if labels[depth] > 255 or depth > 500:
            depth -= 1
            continue
        label = labels[depth]
        labels[depth] += 1
        at = nodes[depth] ^ label
        if at >= len(units):
            continue
        unit = np.int64(units[at])
        if unit & np.int64(0x800000FF) != label:
            continue
        key[depth] = label
        if unit & 256:
            if n_keys == len(ends) or filled + depth + 1 > len(keys):
                return -1
            for i in range(depth + 1):
                keys[filled + i] = key[i]
            filled += depth + 1
            ends[n_keys] = filled
            n_keys += 1
        depth += 1
        nodes[depth] = at ^ ((unit >> 10) << ((unit & 512) >> 6))
        labels[depth] = 1
    return n_keys
