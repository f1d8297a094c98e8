"""Words and their tags, and stretches of words of one kind in any text.

Words are joined by a space and the tokenizer reads the whole: then a word has the tokens that it has in a running text,
whatever tokenizer it is. A word's first piece carries its tag.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from schemas.errors import UserError
from train.benchmarks.examples import Entity, TokenExample
from train.encoders.batches import Encoded
from train.encoders.opened import OpenedModel
from train.encoders.place import BATCH_TOKENS
from train.tasks.labels import names_of, unknown
from train.tasks.running import Progress, in_parts, limit, outputs
from train.tasks.windows import Offsets, windows

KIND, NEEDS = "AutoModelForTokenClassification", "tags of words"
IGNORED = -100  # of pieces that carry no tag
OUTSIDE = "O"
OVERLAP = 4  # a window shares this part of its tokens with the next: a quarter
Span = tuple[int, int]
Aggregation = Literal["first", "simple"]


@dataclass(frozen=True)
class Features:
    """tags: the number of its tag for each token, IGNORED but for first pieces. A row is a sentence or, of a long one,
    a part of it."""

    encoded: Encoded
    tags: list[list[int]]


def features(tokenizer: Any, examples: Sequence[TokenExample], max_tokens: int, labels: Sequence[str]) -> Features:
    """What is longer than `max_tokens` is cut into several rows. UserError for a tag that is not among the labels."""
    numbers = {label: number for number, label in enumerate(labels)}
    for example in examples:
        if len(example.tags) != len(example.words):
            raise UserError(
                f"{example.origin} has {len(example.words)} words and {len(example.tags)} tags: give each word a tag"
            )
    texts, spans = joined(examples)
    cut = windows(tokenizer, texts, max_tokens, 0)
    rows = [[IGNORED] * len(ids) for ids in cut.encoded["input_ids"]]
    # First pieces by number among the tokens of their text; a row begins at some such number.
    whole: list[Offsets] = [[] for _ in examples]
    for number, (begin, end, _), offsets in zip(cut.examples, cut.places, cut.offsets, strict=True):
        whole[number] += offsets[begin:end]
    tags: list[dict[int, int]] = []
    for example, offsets, words in zip(examples, whole, spans, strict=True):
        wanted = [_number(example, tag, numbers) for tag in example.tags]
        found: dict[int, int] = {}
        for piece, tag in zip(first_pieces(offsets, words), wanted, strict=True):
            if piece is not None:
                found.setdefault(piece, tag)
        tags.append(found)
    for row, number, (begin, end, first) in zip(rows, cut.examples, cut.places, strict=True):
        for place in range(begin, end):
            row[place] = tags[number].get(first + place - begin, IGNORED)
    return Features(cut.encoded, rows)


def predict_tags(
    model: OpenedModel,
    examples: Sequence[TokenExample],
    *,
    max_tokens: int = 0,
    batch_tokens: int = BATCH_TOKENS,
    progress: Progress | None = None,
) -> list[tuple[str, ...]]:
    """A tag for each word, in the order of the examples; a word of which the tokenizer makes nothing is outside.

    Long sentences are read in windows that overlap. UserError where the model has no head for tags.
    """
    longest, names = limit(model, max_tokens), labels_of(model)
    nothing = OUTSIDE if OUTSIDE in names else names[0]
    answers: list[tuple[str, ...]] = []
    for part in in_parts(examples, progress):
        texts, spans = joined(part)
        read = token_probabilities(model, texts, longest, batch_tokens)
        for words, (offsets, probabilities) in zip(spans, read, strict=True):
            best = probabilities.argmax(1) if len(probabilities) else np.empty(0, np.int64)
            pieces = first_pieces(offsets, words)
            answers.append(tuple(nothing if piece is None else names[best[piece]] for piece in pieces))
    return answers


def entities(
    model: OpenedModel,
    texts: Sequence[str],
    *,
    aggregation: Aggregation = "first",
    max_tokens: int = 0,
    batch_tokens: int = BATCH_TOKENS,
    progress: Progress | None = None,
) -> list[list[Entity]]:
    """Of each text, those that are not outside, by place.

    first: a word has the tag of its first piece, as in training; words end at white space and punctuation, and in
    scripts without spaces each piece is one. simple: each piece has its own tag. Neighbours of one kind are one entity
    until a B- begins the next. Both as the pipeline of transformers for a tokenizer that knows words, as BERT's does.
    """
    longest, names = limit(model, max_tokens), labels_of(model)
    answers: list[list[Entity]] = []
    for part in in_parts(texts, progress):
        read = token_probabilities(model, part, longest, batch_tokens)
        for text, (offsets, probabilities) in zip(part, read, strict=True):
            answers.append(list(_entities(text, offsets, probabilities, names, aggregation)))
    return answers


def token_probabilities(
    model: OpenedModel, texts: Sequence[str], longest: int, batch_tokens: int = BATCH_TOKENS
) -> list[tuple[Offsets, NDArray[np.float32]]]:
    """Of each text (characters of its tokens, float32 [tokens, labels]); a token that several windows hold is as the
    one says in which it stands farthest from an edge."""
    cut = windows(model.tokenizer, texts, longest, longest // OVERLAP)
    sizes = [0] * len(texts)
    for example, (begin, end, first) in zip(cut.examples, cut.places, strict=True):
        sizes[example] = max(sizes[example], first + end - begin)
    labels = model.config.num_labels
    offsets: list[Offsets] = [[(0, 0)] * size for size in sizes]
    found = [np.zeros((size, labels), np.float32) for size in sizes]
    ranks = [np.full(size, np.iinfo(np.int64).min) for size in sizes]
    for rows, output in outputs(model, KIND, NEEDS, cut.encoded, batch_tokens):
        probabilities = output.logits.float().softmax(-1).cpu().numpy()
        for place, row in enumerate(rows.tolist()):
            example, (begin, end, first) = cut.examples[row], cut.places[row]
            target, inside = slice(first, first + end - begin), np.arange(end - begin)
            # Of two windows that are as good the earlier one, in whatever order batches come.
            rank = np.minimum(inside, inside[::-1]) * (sizes[example] + 1) - first
            better = rank > ranks[example][target]
            ranks[example][target] = np.where(better, rank, ranks[example][target])
            found[example][target] = np.where(better[:, None], probabilities[place, begin:end], found[example][target])
            offsets[example][target] = cut.offsets[row][begin:end]
    return list(zip(offsets, found, strict=True))


def joined(examples: Sequence[TokenExample]) -> tuple[list[str], list[list[Span]]]:
    """(texts with a space between words, characters of each word in them)."""
    texts, spans = [], []
    for example in examples:
        texts.append(" ".join(example.words))
        ends = np.cumsum([len(word) + 1 for word in example.words]).tolist()
        spans.append([(end - 1 - len(word), end - 1) for word, end in zip(example.words, ends, strict=True)])
    return texts, spans


def first_pieces(offsets: Offsets, words: Sequence[Span]) -> list[int | None]:
    """The first token that has a character of each word, both in order; None where there is none."""
    found: list[int | None] = []
    piece = 0
    for begin, end in words:
        while piece < len(offsets) and offsets[piece][1] <= begin:
            piece += 1
        there = piece < len(offsets) and offsets[piece][0] < end
        found.append(piece if there else None)
    return found


def labels_of(model: OpenedModel) -> list[str]:
    """In the order of their numbers."""
    return names_of(model.config)


def _number(example: TokenExample, tag: str, numbers: dict[str, int]) -> int:
    if tag not in numbers:
        raise UserError(f"{example.origin}: {unknown(f'tag {tag!r}', numbers)}: mend it, or take the sentence out")
    return numbers[tag]


def _entities(
    text: str, offsets: Offsets, probabilities: NDArray[np.float32], names: Sequence[str], aggregation: Aggregation
) -> Iterator[Entity]:
    kind, group = "", list[tuple[Span, float]]()
    for (begin, end), tag, probability in _tagged(text, offsets, probabilities, names, aggregation):
        starts, this = tag.startswith("B-"), tag[2:] if tag.startswith(("B-", "I-")) else tag
        if group and (starts or this != kind):
            yield from _entity(text, kind, group)
            group = []
        kind = this
        group.append(((begin, end), probability))
    if group:
        yield from _entity(text, kind, group)


def _entity(text: str, kind: str, group: Sequence[tuple[Span, float]]) -> Iterator[Entity]:
    if kind != OUTSIDE:
        begin, end = group[0][0][0], group[-1][0][1]
        yield Entity(kind, begin, end, text[begin:end], float(np.mean([probability for _, probability in group])))


def _tagged(
    text: str, offsets: Offsets, probabilities: NDArray[np.float32], names: Sequence[str], aggregation: Aggregation
) -> Iterator[tuple[Span, str, float]]:
    """(characters, tag, its probability) of each word, or each piece. A word is as its first piece says."""
    best = probabilities.argmax(1) if len(probabilities) else ()
    word: tuple[Span, str, float] | None = None
    for (begin, end), number, row in zip(offsets, best, probabilities, strict=True):
        while begin < end and text[begin].isspace():  # some tokenizers count a space to the word behind it
            begin += 1
        if begin == end:
            continue
        inside = word is not None and begin < word[0][1]  # a byte of a character that has begun
        if word is not None and aggregation == "first" and (inside or not begins_word(text, begin)):
            word = ((word[0][0], max(end, word[0][1])), word[1], word[2])
            continue
        if word is not None:
            yield word
        word = ((begin, end), names[number], float(row[number]))
    if word is not None:
        yield word


def begins_word(text: str, place: int) -> bool:
    """Whether a piece that begins at this character begins a word: behind white space, at and behind punctuation, and
    anywhere in a script without spaces; never at a mark on the sign before it."""
    if place == 0 or text[place - 1].isspace():
        return True
    if unicodedata.category(text[place])[0] == "M":
        return False
    return is_sign(text[place - 1]) or is_sign(text[place]) or is_unspaced(text[place])


def is_sign(character: str) -> bool:
    """Punctuation as BERT has it: that of Unicode, and all that is neither letter nor digit in ASCII."""
    return unicodedata.category(character)[0] == "P" or (character.isascii() and not character.isalnum())


# Names of Unicode begin with these; Hangul is written with spaces.
UNSPACED = (
    "CJK ",
    "HIRAGANA ",
    "KATAKANA",
    "HALFWIDTH KATAKANA",
    "THAI ",
    "LAO ",
    "KHMER ",
    "MYANMAR ",
    "TIBETAN ",
    "IDEOGRAPHIC ",
)


@lru_cache(maxsize=65536)
def is_unspaced(character: str) -> bool:
    """Whether it is of a script that is written without spaces between words."""
    return unicodedata.name(character, "").startswith(UNSPACED)
