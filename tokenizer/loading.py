"""Any tokenizer as functions over texts, ours or a stranger's: a Hugging Face folder, a WordPiece list, a SentencePiece
model.

What is measured of a tokenizer is the text alone: nothing is added around a text, and a special token that is spelled
out in a text (`<s>` is HTML for struck-out) is text, as SentencePiece has it.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentencepiece import SentencePieceProcessor
from tokenizers import Tokenizer

from schemas.errors import UserError
from tokenizer.model import SPACE

SENTENCEPIECE_FILES = ("spm.model", "sentencepiece.bpe.model", "tokenizer.model", "spiece.model")
_OPENED = "a folder with tokenizer.json, vocab.txt or a SentencePiece model, or such a file"
_BERT_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_BYTE_PIECE = re.compile(r"<0x[0-9A-F]{2}>")
# Put before a special token's spelling so that no text spells it: a noncharacter of Unicode.
_UNSPELLED = "\U0010ffff"
# Two vocabularies may hold the same pieces and cut differently (rules, spaces): a few texts tell.
_PROBE = [
    "The bridge, built in 1872.",
    "  two  spaces\tand a tab\n",
    "橋を渡りました。",
    "Ça déjà ﬁ",
    "สะพาน <s> ▁ \U0001f98a",
]


@dataclass(frozen=True)
class Loaded:
    """A tokenizer, whatever made it.

    name: the folder's, or the file's after its folder's.
    encode: texts to the ids of each; nothing is added to a text and nothing in it is taken for a special token.
    starts: texts to where each one's tokens begin, as offsets in characters, rising; a token that is only a space is
        left out. Tokens that share a character (bytes of it) begin at the same one. This tells which tokens a word is
        made of under every convention (`▁` and `Ġ` before a word, `##` inside one) and in scripts that have none.
    pieces: by id, as the file spells them, but those of a byte-level vocabulary as the text that they stand for, with
        `\\xNN` for a byte that is no whole character. The empty string where an id has no piece.
    special: ids that never stand for text, without the unknown one.
    bytes_: ids that hold a part of a character: SentencePiece's `<0x00>` to `<0xFF>`, all of them, since they are
        used only where a character has no piece; of a byte-level vocabulary all pieces that are not UTF-8 by
        themselves. So a byte-level "a" counts as a letter, and a lone E6 as a byte.
    unknown: the id of what has no piece, None where there is no such thing.
    """

    name: str
    encode: Callable[[list[str]], list[list[int]]]
    starts: Callable[[list[str]], list[list[int]]]
    pieces: list[str]
    special: frozenset[int]
    bytes_: frozenset[int]
    unknown: int | None


def load(path: Path) -> Loaded:
    """Opens a folder (by tokenizer.json, else vocab.txt, else a SentencePiece model) or one such file.

    A SentencePiece model beside a tokenizer.json with the same pieces and ids is taken in its place, for speed.
    Ids of a SentencePiece model alone are its own; transformers moves those of XLM-R by one. A vocab.txt is WordPiece
    after BERT's rules: `do_lower_case` and its fellows as tokenizer_config.json beside it says, else lower case where
    the list has no capital.

    Raises UserError where there is nothing to open or what is there is broken.
    """
    if not path.exists():
        raise UserError(
            f"{path}: no such tokenizer; name {_OPENED} (hf download NAME --local-dir FOLDER fetches one of the Hub)"
        )
    name = _name(path)
    if path.is_dir():
        return _of_folder(path, name)
    if path.suffix == ".json":
        return _of_json(path, name)
    if path.suffix == ".txt":
        return _of_list(path, name)
    if path.suffix == ".model":
        return _of_sentencepiece(path, name)
    raise UserError(f"{path}: not a tokenizer; name {_OPENED} (tokenizer.json, vocab.txt, NAME.model)")


def _name(path: Path) -> str:
    path = path.resolve()
    return path.name if path.is_dir() else f"{path.parent.name}/{path.name}"


def _of_folder(folder: Path, name: str) -> Loaded:
    model = next((folder / file for file in SENTENCEPIECE_FILES if (folder / file).is_file()), None)
    if (folder / "tokenizer.json").is_file():
        exact = _of_json(folder / "tokenizer.json", name)
        return exact if model is None else _faster(exact, model, name)
    if (folder / "vocab.txt").is_file():
        return _of_list(folder / "vocab.txt", name)
    if model is not None:
        return _of_sentencepiece(model, name)
    raise UserError(f"{folder}: no tokenizer in this folder; name {_OPENED} ({', '.join(SENTENCEPIECE_FILES)})")


def _faster(exact: Loaded, model: Path, name: str) -> Loaded:
    """The SentencePiece model where it is the same tokenizer, else (also where it is broken) the exact one."""
    try:
        fast = _of_sentencepiece(model, name)
    except UserError:
        return exact
    same = fast.pieces == exact.pieces and fast.encode(_PROBE) == exact.encode(_PROBE)
    return fast if same else exact


def _of_sentencepiece(file: Path, name: str) -> Loaded:
    content = file.read_bytes()
    try:
        processor = SentencePieceProcessor(model_proto=content)
        count = processor.vocab_size()
    except (RuntimeError, ValueError) as error:
        raise UserError(f"{file}: not a SentencePiece model; name {_OPENED}") from error
    if not content or not count:
        raise UserError(f"{file}: an empty SentencePiece model; name {_OPENED}")
    ids = range(count)
    pieces: list[str] = processor.id_to_piece(list(ids))
    unknown = processor.unk_id()
    blank = _blank(pieces)

    def encode(texts: list[str]) -> list[list[int]]:
        rows: list[list[int]] = processor.encode(texts, num_threads=1)
        return rows

    def starts(texts: list[str]) -> list[list[int]]:
        rows = processor.encode(texts, return_type="offset_mapping", num_threads=1)
        return [_starts(row["ids"], row["offsets"], blank) for row in rows]

    return Loaded(
        name,
        encode,
        starts,
        pieces,
        special=frozenset(i for i in ids if processor.is_control(i) or processor.is_unused(i)) - {unknown},
        bytes_=frozenset(i for i in ids if processor.is_byte(i)),
        unknown=unknown if unknown >= 0 else None,
    )


def _of_list(file: Path, name: str) -> Loaded:
    try:
        pieces = [line.removesuffix("\r") for line in file.read_bytes().decode().removesuffix("\n").split("\n")]
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: not UTF-8; name {_OPENED}") from error
    beside = file.with_name("tokenizer_config.json")
    config = _parsed(beside) if beside.is_file() else {}
    unknown = config.get("unk_token", "[UNK]")
    unknown = unknown.get("content") if isinstance(unknown, dict) else unknown
    if unknown not in pieces:
        raise UserError(f"{file}: not WordPiece, it has no line {unknown}; name {_OPENED}")
    special = [piece for piece in dict.fromkeys((*_BERT_SPECIAL, unknown)) if piece in pieces]
    capitals = any(piece != piece.lower() for piece in pieces if not re.fullmatch(r"\[.*\]", piece))
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    written = {
        "version": "1.0",
        "added_tokens": [_added(vocabulary[piece], piece) for piece in special],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": config.get("tokenize_chinese_chars", True),
            "strip_accents": config.get("strip_accents"),
            "lowercase": config.get("do_lower_case", not capitals),
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "model": {
            "type": "WordPiece",
            "unk_token": unknown,
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": vocabulary,
        },
    }
    return _of_parsed(written, file, name)


def _added(i: int, content: str) -> dict[str, Any]:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": i, "content": content, **flags, "special": True}


def _of_json(file: Path, name: str) -> Loaded:
    return _of_parsed(_parsed(file), file, name)


def _parsed(file: Path) -> dict[str, Any]:
    try:
        parsed = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:  # of JSON or of UTF-8
        raise UserError(f"{file}: not JSON ({error}); fetch the file again") from error
    if not isinstance(parsed, dict):
        raise UserError(f"{file}: not a JSON object; fetch the file again")
    return parsed


def _of_parsed(parsed: dict[str, Any], file: Path, name: str) -> Loaded:
    try:
        model, added = parsed["model"], parsed.get("added_tokens") or []
        spelled = [piece for piece, _ in model["vocab"]] if isinstance(model["vocab"], list) else model["vocab"]
        by_id = dict(enumerate(spelled)) if isinstance(spelled, list) else {i: piece for piece, i in spelled.items()}
        byte_level = "ByteLevel" in types_of(parsed.get("pre_tokenizer")) | types_of(parsed.get("normalizer"))
        bytes_ = set()
        if byte_level:
            raw = {i: raw_bytes(piece) for i, piece in by_id.items()}
            bytes_ = {i for i, value in raw.items() if value is not None and not _is_text(value)}
            by_id = {i: _shown(value, by_id[i]) for i, value in raw.items()}
        elif model.get("byte_fallback"):
            bytes_ = {i for i, piece in by_id.items() if _BYTE_PIECE.fullmatch(piece)}
        by_id |= {token["id"]: token["content"] for token in added}
        special = {token["id"]: token["content"] for token in added if token.get("special")}
        unknown = model.get("unk_id")
        if model.get("unk_token") is not None:
            unknown = next((i for i, piece in by_id.items() if piece == model["unk_token"]), None)
        changed = json.dumps(_unspelled(parsed, set(special.values())))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(f"{file}: not the tokenizer.json of the library tokenizers; name {_OPENED}") from error
    try:
        tokenizer = Tokenizer.from_str(changed)
    except Exception as error:  # the library raises no class of its own
        raise UserError(f"{file}: the library tokenizers cannot read it: {error}; fetch the file again") from error
    pieces = [by_id.get(i, "") for i in range(max(by_id, default=-1) + 1)]
    blank = _blank(pieces)

    def encode(texts: list[str]) -> list[list[int]]:
        return [row.ids for row in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    def starts(texts: list[str]) -> list[list[int]]:
        rows = tokenizer.encode_batch(texts, add_special_tokens=False)
        return [_starts(row.ids, row.offsets, blank) for row in rows]

    return Loaded(
        name,
        encode,
        starts,
        pieces,
        special=frozenset(special) - {unknown},
        bytes_=frozenset(bytes_) - special.keys(),
        unknown=unknown,
    )


def _unspelled(parsed: dict[str, Any], special: set[str]) -> dict[str, Any]:
    """The same tokenizer, whose special tokens no text can spell and which cuts, pads and adds nothing.

    The library's own `encode_special_tokens` is not enough: its Unigram finds every piece in a text, `<s>` too.
    """

    def spell(piece: str) -> str:
        return _UNSPELLED + piece if piece in special else piece

    model = dict(parsed["model"])
    vocabulary = model["vocab"]
    if isinstance(vocabulary, list):
        model["vocab"] = [[spell(piece), score] for piece, score in vocabulary]
    else:
        model["vocab"] = {spell(piece): i for piece, i in vocabulary.items()}
    if model.get("unk_token") is not None:
        model["unk_token"] = spell(model["unk_token"])
    if "merges" in model:  # those converted from SentencePiece may lead to a special token
        pairs = ((merge, merge.split(" ") if isinstance(merge, str) else merge) for merge in model["merges"])
        model["merges"] = [merge for merge, pair in pairs if special.isdisjoint((*pair, "".join(pair)))]
    added = [
        {**token, "content": spell(token["content"]), "normalized": False} if token.get("special") else token
        for token in parsed.get("added_tokens") or []
    ]
    # The ids and their order stay, since tokens that are not in the model's vocabulary are numbered by it.
    return {
        **parsed,
        "model": model,
        "added_tokens": added,
        **dict.fromkeys(("post_processor", "truncation", "padding")),
    }


def types_of(component: Any) -> set[str]:
    """The types of a normalizer or pre-tokenizer and of all that it is made of."""
    if isinstance(component, dict):
        own = {component["type"]} if "type" in component else set()
        return own.union(*map(types_of, component.values()))
    return set().union(*map(types_of, component)) if isinstance(component, list) else set()


def _byte_alphabet() -> Iterator[tuple[str, int]]:
    """GPT-2's letters for bytes: printable Latin-1 is itself, the rest follow from U+0100 on."""
    following = 0x100
    for byte in range(256):
        if 0x21 <= byte <= 0x7E or 0xA1 <= byte <= 0xAC or 0xAE <= byte <= 0xFF:
            yield chr(byte), byte
        else:
            yield chr(following), byte
            following += 1


BYTES = dict(_byte_alphabet())


def raw_bytes(piece: str) -> bytes | None:
    """None where the piece is not written in the byte alphabet."""
    values = [BYTES.get(character) for character in piece]
    return None if None in values else bytes(value for value in values if value is not None)


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _shown(value: bytes | None, piece: str) -> str:
    return piece if value is None else value.decode(errors="backslashreplace")


def _blank(pieces: list[str]) -> frozenset[int]:
    return frozenset(i for i, piece in enumerate(pieces) if piece and not piece.replace(SPACE, " ").strip())


def _starts(ids: list[int], offsets: list[tuple[int, int]], blank: frozenset[int]) -> list[int]:
    # Sorted, because a normalizer that reorders marks gives offsets out of order.
    return sorted(start for i, (start, _) in zip(ids, offsets, strict=True) if i not in blank)
