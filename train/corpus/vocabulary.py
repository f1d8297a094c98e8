"""The tokenizer as training sees it: ids of plain text, and which ids are special."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from schemas.errors import UserError
from tokenizer.fast import Encode, faster

# Role -> (keys of tokenizer_config.json that may name it, the name where none does).
ROLES = {
    "pad": (("pad_token",), "<pad>"),
    "bos": (("cls_token", "bos_token"), "<s>"),
    "eos": (("sep_token", "eos_token"), "</s>"),
    "mask": (("mask_token",), "<mask>"),
}
SPACES, CONTINUES = ("\u2581", "\u0120"), "##"
# Thai, Lao, Myanmar, Khmer, Tai scripts; Tibetan; kana, Han and their extensions. A sign of WordPiece may stand before.
NO_SPACES = re.compile(
    r"(?:##)?[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\u3040-\u30ff\u31f0-\u31ff"
    r"\u3400-\u4dbf\u4e00-\u9fff\ua9e0-\ua9ff\uaa60-\uaa7f\uaa80-\uaadf\uf900-\ufaff\U00020000-\U0003ffff]"
)


@dataclass(frozen=True)
class Vocabulary:
    """size: one more than the largest id. special: bool [size]. ordinary: the ids that are tokens of text, sorted.
    begins_word: bool [size], whether a token begins a word: behind a space, or in a script that writes none.

    digest: SHA-256 of tokenizer.json, in hexadecimal. Another process that is given one opens `folder` again.
    """

    folder: Path

    encode: Encode
    size: int
    special_ids: dict[str, int]
    special: NDArray[np.bool_]
    ordinary: NDArray[np.int64]
    begins_word: NDArray[np.bool_]
    digest: str

    def __reduce__(self) -> tuple[Callable[[Path], "Vocabulary"], tuple[Path]]:
        return open_vocabulary, (self.folder,)


def tokenizer_in(folder: Path) -> Tokenizer:
    """That of `folder`/tokenizer.json, which cuts nothing off and takes no text for a special token. UserError where it
    is missing or broken."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise UserError(f"{folder} holds no tokenizer.json: point --tokenizer to a folder that jobs/vocab.py wrote")
    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # tokenizers raises bare Exception
        raise UserError(f"{path} is no tokenizer: {' '.join(str(error).split())}; write it again") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return tokenizer


def open_vocabulary(folder: Path) -> Vocabulary:
    """Reads `folder`/tokenizer.json. UserError where it is missing, broken, or lacks one of the special tokens."""
    path = folder / "tokenizer.json"
    tokenizer = tokenizer_in(folder)

    def encode(texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    names = _token_names(folder)
    special_ids: dict[str, int] = {}
    for role, (_, default) in ROLES.items():
        name = names.get(role, default)
        token_id = tokenizer.token_to_id(name)
        if token_id is None:
            raise UserError(f"{path} has no token {name} to use as {role}: train it with <pad> <unk> <s> </s> <mask>")
        special_ids[role] = token_id
    tokens = tokenizer.get_vocab(with_added_tokens=True)
    used = np.fromiter(tokens.values(), np.int64)
    size = int(used.max()) + 1
    special = np.zeros(size, np.bool_)
    special[list(special_ids.values())] = True
    special[[number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special]] = True
    ordinary = np.unique(used[~special[used]])
    if not len(ordinary):
        raise UserError(f"{path} holds special tokens alone: train it on text")
    digest = file_digest(path)
    begins = word_beginnings(tokens, size)
    return Vocabulary(folder, faster(folder, encode), size, special_ids, special, ordinary, begins, digest)


def file_digest(path: Path) -> str:
    """That of a vocabulary, of its tokenizer.json."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def word_beginnings(tokens: Mapping[str, int], size: int) -> NDArray[np.bool_]:
    """By id, whether a token begins a word.

    Tokens say it by a sign for the space in front (Metaspace and byte-level BPE) or by one for its absence (WordPiece).
    In scripts that are written without spaces each token is a word: which of its neighbours belong to it is not to be
    seen.
    """
    marked = {sign: sum(token.startswith(sign) for token in tokens) for sign in (*SPACES, CONTINUES)}
    sign = max(marked, key=lambda one: marked[one])
    begins = np.ones(size, np.bool_)
    if not marked[sign]:
        return begins
    for token, number in tokens.items():
        begins[number] = token.startswith(sign) == (sign != CONTINUES) or bool(NO_SPACES.match(token))
    return begins


def _token_names(folder: Path) -> dict[str, str]:
    path = folder / "tokenizer_config.json"
    if not path.is_file():
        return {}
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is no JSON: {error}; write the tokenizer again") from None
    names: dict[str, str] = {}
    for role, (keys, _) in ROLES.items():
        for key in keys:
            value = settings.get(key)
            value = value.get("content") if isinstance(value, dict) else value
            if isinstance(value, str):
                names.setdefault(role, value)
    return names
