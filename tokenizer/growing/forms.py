"""What the tokens of a vocabulary stand for, whatever its convention, so that tokens of two vocabularies are held
against each other by the text that they are.

The form of a token is its bytes, a space in front among them: `▁the` of SentencePiece, `Ġthe` of byte-level BPE and
`the` of WordPiece are " the", their `the`, `the` and `##the` are "the"; of characters that BERT sets apart
(punctuation, Chinese) WordPiece does not tell whether a space was in front, and they stand without. A byte of a
character without a piece, `<0xE4>`, is that byte; where a byte is a character (`<0x41>`) it is another form than the
character, since a text never has it. Special tokens are known by their role and not by their name, those without a role
by their name.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from schemas.errors import UserError
from tokenizer.loading import BYTES, raw_bytes, types_of
from tokenizer.model import ESCAPE, SPACE
from tokenizer.wordpiece import CONTINUING

Convention = Literal["unigram", "bpe", "bytes", "wordpiece"]
SUPPORTED = "Unigram or BPE with \u2581 for a space, byte-level BPE, or WordPiece with ##"
_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
_LETTERS = {byte: letter for letter, byte in BYTES.items()}
_LATE_SPACE = re.compile(r"[^ ] ")
_APART = re.compile(
    "[!-/:-@\\[-`{-~\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002a6df\U0002a700-\U0002ceaf\U0002f800-\U0002fa1f]"
)


class Form(NamedTuple):
    """kind: "text"; "byte" of an ASCII character that has a piece of its own; "special", whose value is its role or
    its name."""

    kind: Literal["text", "byte", "special"]
    value: bytes


@dataclass(frozen=True)
class Vocabulary:
    """tokens, forms: by id; None where an id has no token. order: ids of text, those learnt first (or, of a unigram
    vocabulary, likeliest) first. scores: of unigram, log-probabilities by id."""

    convention: Convention
    content: dict[str, Any]
    tokens: list[str | None]
    forms: list[Form | None]
    order: list[int]
    scores: dict[int, float]

    @property
    def ids(self) -> dict[Form, int]:
        """Of each form the lowest id."""
        return {form: number for number, form in reversed(list(enumerate(self.forms))) if form is not None}

    @property
    def has_bytes(self) -> bool:
        return self.convention == "bytes" or "<0x80>" in self.tokens


def vocabulary(content: dict[str, Any], roles: Mapping[int, str], name: str) -> Vocabulary:
    """content: of a tokenizer.json. roles: of special ids, as "mask"; <unk> is found. name: for messages. UserError for
    a kind that is not SUPPORTED."""
    convention = convention_of(content, name)
    model = content["model"]
    listed = convention == "unigram"
    tokens: dict[int, str] = {}
    scores: dict[int, float] = {}
    if listed:
        for number, (piece, score) in enumerate(model["vocab"]):
            tokens[number], scores[number] = piece, float(score)
    else:
        tokens = {number: piece for piece, number in model["vocab"].items()}
    forms = {number: form_of(piece, convention) for number, piece in tokens.items()}
    for added in content.get("added_tokens") or []:
        kind: Literal["special", "text"] = "special" if added.get("special") else "text"
        tokens[added["id"]] = added["content"]
        forms[added["id"]] = Form(kind, added["content"].encode())
    unknown = model.get("unk_id") if listed else model["vocab"].get(model.get("unk_token"))
    named = ({} if unknown is None else {unknown: "unk"}) | dict(roles)
    forms |= {number: Form("special", role.encode()) for number, role in named.items()}
    size = max(tokens) + 1
    ordered = sorted((number for number, form in forms.items() if form.kind != "special"), key=lambda one: one)
    if listed:
        ordered.sort(key=lambda number: -scores.get(number, 0.0))
    return Vocabulary(
        convention,
        content,
        [tokens.get(number) for number in range(size)],
        [forms.get(number) for number in range(size)],
        ordered,
        scores,
    )


def convention_of(content: dict[str, Any], name: str) -> Convention:
    """UserError for what is not SUPPORTED."""
    model = content.get("model") or {}
    parts = [content.get(part) for part in ("normalizer", "pre_tokenizer", "decoder")]
    kinds, kind = set().union(*map(types_of, parts)), model.get("type")
    metaspace = "Metaspace" in kinds or SPACE in str(parts)
    affixes = model.get("continuing_subword_prefix"), model.get("end_of_word_suffix")
    if kind == "WordPiece" and affixes[0] == CONTINUING:
        return "wordpiece"
    if kind == "BPE" and not any(affixes):
        if "ByteLevel" in kinds:
            return "bytes"
        if metaspace:
            return "bpe"
    if kind == "Unigram" and metaspace and "ByteLevel" not in kinds:
        return "unigram"
    raise UserError(
        f"{name}: a tokenizer of the kind {kind} with {', '.join(sorted(kinds)) or 'nothing'} has no union with "
        f"others; supported are {SUPPORTED}"
    )


def form_of(piece: str, convention: Convention) -> Form:
    """Of a token that is not special."""
    if convention == "bytes":
        raw = raw_bytes(piece)
        return Form("text", piece.encode() if raw is None else raw)
    if convention == "wordpiece":
        inner = piece.startswith(CONTINUING) and len(piece) > len(CONTINUING)
        text = piece.removeprefix(CONTINUING) if inner else piece
        return Form("text", (text if inner or set_apart(text[:1]) else f" {text}").encode())
    if match := _BYTE.fullmatch(piece):
        byte = int(match[1], 16)
        return Form("byte" if byte < 0x80 else "text", bytes([byte]))
    return Form("text", piece.replace(SPACE, " ").encode())


def spelled(form: Form, convention: Convention, has_bytes: bool) -> str | None:
    """The token that stands for a form of text; None where a vocabulary of this convention has none for it, or has one
    that no text would be cut into, as a space behind a word."""
    if form.kind != "text":
        return None
    if convention == "bytes":
        return (
            None if _LATE_SPACE.search(form.value.decode("latin-1")) else "".join(_LETTERS[one] for one in form.value)
        )
    try:
        text = form.value.decode()
    except UnicodeDecodeError:
        one_byte = len(form.value) == 1 and has_bytes and convention != "wordpiece"
        return f"<0x{form.value[0]:02X}>" if one_byte else None
    if not text or _LATE_SPACE.search(text):
        return None
    if convention == "wordpiece":
        return _as_wordpiece(text)
    return None if SPACE in text or ESCAPE in text or _BYTE.fullmatch(text) else text.replace(" ", SPACE)


def _as_wordpiece(text: str) -> str | None:
    """BERT's normaliser leaves no blanks, and gives each sign that is set apart a word of its own."""
    rest = text.removeprefix(" ")
    if not rest or any(sign.isspace() or unicodedata.category(sign) in ("Cc", "Cf") for sign in rest):
        return None
    if any(map(set_apart, rest)):
        return rest if len(rest) == 1 and rest == text else None
    return rest if rest != text else CONTINUING + rest


def set_apart(sign: str) -> bool:
    """Whether BERT makes a word of it alone: punctuation and Chinese."""
    return bool(sign) and (bool(_APART.fullmatch(sign)) or unicodedata.category(sign).startswith("P"))


def shared(vocabularies: Sequence[Vocabulary]) -> int:
    """How many forms all of them have that are whole characters: bytes prove nothing."""
    sets = [{one for one in each.forms if one and one.kind == "text" and _is_text(one.value)} for each in vocabularies]
    return len(set.intersection(*sets)) if sets else 0


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
