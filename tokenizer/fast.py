"""Texts to ids, fast, by the files of an exported folder: by SentencePiece where there is its model, which gives the
ids of tokenizer.json at several times the speed, else by tokenizers. One thread: callers bring their own processes."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tokenizers import Tokenizer

from schemas.errors import UserError
from tokenizer.model import encoder

Encode = Callable[[list[str]], list[list[int]]]
"""From texts to the ids of each, without special tokens; "<mask>" written in a text is text."""

MODEL, TOKENIZER = "spm.model", "tokenizer.json"
# Where a model file and tokenizer.json that do not belong together differ: scripts, spaces, bytes, tokens spelled out.
PROBES = [
    "The quick brown fox, 12,345.67 times.\n\n\tYes:  it's <s>struck out</s> <mask> \u2581\x10",
    "Съешь ещё этих мягких французских булок",
    "我能吞下玻璃而不伤身体。ガラスを食べられます。나는 유리를 먹을 수 있어요",
    "أنا قادر على أكل الزجاج و هذا لا يؤلمني. मैं काँच खा सकता हूँ ฉันกินกระจกได้",
    "\U00010348 👩‍👩‍👧 ﷽ Ǆ ŀ \xa0e\u0301",
]


def encoder_of(files: Mapping[str, bytes]) -> Encode:
    """files: of a folder, name -> content. Special tokens that are spelled out in a text stay text."""
    if MODEL in files:
        return encoder(files[MODEL])
    return _encode_of(Tokenizer.from_str(files[TOKENIZER].decode("utf-8")))


def open_encoder(folder: Path) -> Encode:
    """Of a folder that jobs/vocab.py wrote, or any with a tokenizer.json. UserError for what is none."""
    path = folder / TOKENIZER
    if not path.is_file():
        raise UserError(f"{folder} holds no {TOKENIZER}: name a folder that jobs/vocab.py wrote")
    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # tokenizers raises bare Exception
        raise UserError(f"{path} is no tokenizer: {' '.join(str(error).split())}; write it again") from None
    return faster(folder, _encode_of(tokenizer))


def faster(folder: Path, encode: Encode) -> Encode:
    """The same ids at several times the speed where the folder has a model file that agrees with `encode`."""
    path = folder / MODEL
    if not path.is_file():
        return encode
    try:
        fast = encoder(path.read_bytes())
        return fast if fast(PROBES) == encode(PROBES) else encode
    except (UserError, RuntimeError):  # no model of ours; SentencePiece's own errors are RuntimeErrors
        return encode


def _encode_of(tokenizer: Tokenizer) -> Encode:
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True

    def encode(texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    return encode
