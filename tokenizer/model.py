"""The SentencePiece model file as this project writes it: fixed ids, exact scores, no trace of the machine.

Layout: ids 0-4 are the special tokens, ids 5-260 the bytes 0x00-0xFF for characters outside the vocabulary, then the
learned pieces by falling score. Field numbers are those of sentencepiece_model.proto; the few that are touched are read
and written here, which spares the project the protobuf runtime.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from sentencepiece import SentencePieceProcessor

from schemas.errors import UserError

Kind = Literal["unigram", "bpe"]

SPECIAL_TOKENS = ("<pad>", "<unk>", "<s>", "</s>", "<mask>")
PAD_ID, UNK_ID, BOS_ID, EOS_ID, MASK_ID = range(5)
BYTE_PIECES = tuple(f"<0x{byte:02X}>" for byte in range(256))
RESERVED = len(SPECIAL_TOKENS) + len(BYTE_PIECES)
"""Ids below this are special tokens and bytes: a vocabulary of n pieces has n - RESERVED learned ones."""

SPACE = "\u2581"
"""SentencePiece writes a space as this character, so a text that holds the character itself needs the escape below."""
ESCAPE = "\x10"
ESCAPES = {ESCAPE: ESCAPE + "0", SPACE: ESCAPE + "1"}
"""What stands for ESCAPE (U+0010, data link escape) and for a literal SPACE inside the model. Digits are always pieces
of their own, so an escape never grows into the letters around it."""

SCORE_STEP = 2.0**-6
"""Scores are multiples of this. SentencePiece adds scores in 32-bit floats and tokenizers in 64-bit; sums of multiples
of 2^-6 are exact in both up to 2^18 (some 30,000 tokens a text), so both see the same ties and break them alike. Raw
scores make the two disagree on repeated characters and on close calls in long texts."""

NEW_SHARE = 0.1
"""Of a piece's probability in another text or vocabulary, what it gets behind the pieces of one that it is put to: text
that the old pieces cover stays with them."""

# Tags are (field number << 3 | wire type).
_PIECE, _NORMALIZER, _DENORMALIZER = 1 << 3 | 2, 3 << 3 | 2, 5 << 3 | 2  # of ModelProto
_TEXT, _SCORE, _TYPE = 1 << 3 | 2, 2 << 3 | 5, 3 << 3 | 0  # of ModelProto.SentencePiece
_TRAINER, _MODEL_TYPE = 2 << 3 | 2, 3 << 3 | 0  # of ModelProto, and of its TrainerSpec
_CONTROL = b"\x03"  # type of a piece that no text has
_RULE_FILE = 6 << 3 | 2  # of NormalizerSpec: the path of the rules it was compiled from
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def canonical(model_proto: bytes, vocab_size: int, characters: Iterable[str]) -> bytes:
    """The same model with scores rounded to SCORE_STEP, a piece for each of characters, and no path of its rules.

    Where that is more than vocab_size pieces, the lowest of several characters make room; UserError where too few are.
    """
    pieces: list[tuple[str, bytes]] = []
    rest: list[tuple[int, bytes]] = []
    for tag, payload in model_fields(model_proto):
        if tag == _PIECE:
            fields = [(t, _round(value) if t == _SCORE else value) for t, value in model_fields(payload)]
            pieces.append((dict(fields)[_TEXT].decode(), _join(fields)))
        elif tag in (_NORMALIZER, _DENORMALIZER):
            rest.append((tag, _join((t, value) for t, value in model_fields(payload) if t != _RULE_FILE)))
        else:
            rest.append((tag, payload))
    _add_characters(pieces, vocab_size, characters)
    return _join([*((_PIECE, payload) for _, payload in pieces), *rest])


def _add_characters(pieces: list[tuple[str, bytes]], vocab_size: int, characters: Iterable[str]) -> None:
    held = {text for text, _ in pieces}
    missing = [character for character in characters if character not in held]
    longer = [i for i in range(RESERVED, len(pieces)) if len(pieces[i][0]) > 1]
    excess = max(len(pieces) + len(missing) - vocab_size, 0)
    if excess > len(longer):
        raise UserError(f"vocab_size {vocab_size} has no room for {len(missing)} required characters; raise it")
    lowest = struct.pack("<f", min((_score(payload) for _, payload in pieces[RESERVED:]), default=0.0))
    for i in reversed(longer[len(longer) - excess :]):
        del pieces[i]
    pieces += [(character, _join([(_TEXT, character.encode()), (_SCORE, lowest)])) for character in missing]


def with_pieces(model_proto: bytes, pieces: Iterable[tuple[str, float]] = (), rows: Iterable[str] = ()) -> bytes:
    """The model with further pieces, then further special rows, behind its own."""
    fields = list(model_fields(model_proto))
    last = max(place for place, (tag, _) in enumerate(fields) if tag == _PIECE) + 1
    more = [_join([(_TEXT, piece.encode()), (_SCORE, struct.pack("<f", score))]) for piece, score in pieces]
    more += [_join([(_TEXT, row.encode()), (_SCORE, struct.pack("<f", 0.0)), (_TYPE, _CONTROL)]) for row in rows]
    return _join([*fields[:last], *((_PIECE, payload) for payload in more), *fields[last:]])


def kind_of(model_proto: bytes) -> Kind:
    """Which of SentencePiece's algorithms the model is for."""
    trainer = dict(model_fields(dict(model_fields(model_proto)).get(_TRAINER, b"")))
    return "bpe" if trainer.get(_MODEL_TYPE) == b"\x02" else "unigram"


def special_rows(model_proto: bytes) -> list[int]:
    """Ids of special tokens: the first five, and those of languages and spare ones behind the pieces."""
    processor = _processor(model_proto)
    later = [i for i in range(RESERVED, processor.vocab_size()) if processor.is_control(i)]
    return [*range(len(SPECIAL_TOKENS)), *later]


def is_nfkc(model_proto: bytes) -> bool:
    """Whether the model folds compatible characters; else its only rules are the escapes."""
    ids: list[int] = _processor(model_proto).encode("\uff21")
    return ids == _processor(model_proto).encode("A")


def read_vocabulary(model_proto: bytes) -> list[tuple[str, float]]:
    """(piece, score) by id. Raises UserError where the model does not have this project's layout."""
    processor = _processor(model_proto)
    ids = list(range(processor.vocab_size()))
    pieces: list[str] = processor.id_to_piece(ids)
    if tuple(pieces[:RESERVED]) != SPECIAL_TOKENS + BYTE_PIECES:
        raise UserError(
            f"the model does not start with {' '.join(SPECIAL_TOKENS)} and 256 bytes; learn it with tokenizer.learn"
        )
    # An unknown character must have no way but its bytes, and a special token written out no way but its characters:
    # then SentencePiece and tokenizers, which weigh both differently, agree.
    learnt = [piece for i, piece in enumerate(pieces) if i >= RESERVED and not processor.is_control(i)]
    single = {piece for piece in learnt if len(piece) == 1}
    if missing := sorted(set(SPACE).union(*learnt, *pieces[:RESERVED]) - single):
        raise UserError(f"no piece for {' '.join(map(ascii, missing[:8]))} in the vocabulary; learn it from more text")
    return list(zip(pieces, processor.get_score(ids), strict=True))


def encoder(model_proto: bytes) -> Callable[[list[str]], list[list[int]]]:
    """A function from texts to the ids of each, without special tokens.

    The ids are those of the exported Hugging Face tokenizer at some ten times its speed, and a special token spelled
    out in a text (`<s>` is HTML for struck-out) stays the text it is. One thread: callers bring their own processes.
    """
    processor = _processor(model_proto)

    def encode(texts: list[str]) -> list[list[int]]:
        ids: list[list[int]] = processor.encode(texts, num_threads=1)
        return ids

    return encode


def pieces_encoder(model_proto: bytes) -> Callable[[list[str]], list[list[str]]]:
    """A function from texts to the pieces of each."""
    processor = _processor(model_proto)

    def encode(texts: list[str]) -> list[list[str]]:
        pieces: list[list[str]] = processor.encode(texts, out_type=str, num_threads=1)
        return pieces

    return encode


def _processor(model_proto: bytes) -> SentencePieceProcessor:
    try:
        return SentencePieceProcessor(model_proto=model_proto)
    except RuntimeError as error:
        raise UserError(f"not a SentencePiece model: {error}") from error


def _round(score: bytes) -> bytes:
    (value,) = struct.unpack("<f", score)
    return struct.pack("<f", round(value / SCORE_STEP) * SCORE_STEP)


def _score(piece: bytes) -> float:
    (value,) = struct.unpack("<f", dict(model_fields(piece))[_SCORE])
    return float(value)


def model_fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """(tag, payload) of each field, in file order; a varint's payload is its own bytes."""
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        wire = tag & 7
        if wire == _VARINT:
            end = _read_varint(message, at)[1]
        elif wire == _BYTES:
            length, at = _read_varint(message, at)
            end = at + length
        elif wire in (_FIXED32, _FIXED64):
            end = at + (4 if wire == _FIXED32 else 8)
        else:
            raise UserError(f"not a SentencePiece model: wire type {wire}")
        yield tag, message[at:end]
        at = end


def _join(fields: Iterable[tuple[int, bytes]]) -> bytes:
    parts = bytearray()
    for tag, payload in fields:
        parts += _varint(tag)
        if tag & 7 == _BYTES:
            parts += _varint(len(payload))
        parts += payload
    return bytes(parts)


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while message[at] >= 128:
        value |= (message[at] & 127) << shift
        shift += 7
        at += 1
    return value | message[at] << shift, at + 1


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value >= 128:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)
