"""The files of a Hugging Face tokenizer folder whose ids are the learned model's own.

`transformers.AutoTokenizer.from_pretrained(folder)` then gives `<s> text </s>`, or `<s> a </s> b </s>` for a pair
(`[CLS] a [SEP] b [SEP]` of WordPiece). As always in transformers a special token that is spelled out in the text is
taken for the token; `split_special_tokens=True` takes it for text, as SentencePiece does: the setting for text that
others wrote.
"""

import json
from collections.abc import Sequence

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from tokenizer import wordpiece
from tokenizer.model import (
    BOS_ID,
    EOS_ID,
    ESCAPE,
    ESCAPES,
    MASK_ID,
    PAD_ID,
    RESERVED,
    SPACE,
    SPECIAL_TOKENS,
    UNK_ID,
    is_nfkc,
    kind_of,
    read_vocabulary,
    special_rows,
)

# A piece has spaces at its start only, so no piece crosses from a character to a space after it: cutting there, before
# the search for the best pieces, changes no id, gives words to mask whole, and makes the search's cache useful.
WORD = f"{SPACE}+[^{SPACE}]*|[^{SPACE}]+"


def sentencepiece_files(model_proto: bytes, *, model_max_length: int = 8192) -> dict[str, bytes]:
    """`spm.model`, `tokenizer.json` and `tokenizer_config.json`; the same input gives the same bytes.

    model_max_length: tokens at which transformers truncates on request; the model's own longest input.

    Raises UserError where the model's pieces do not have this project's layout (see tokenizer.model).
    """
    names = {
        "pad_token": SPECIAL_TOKENS[PAD_ID],
        "unk_token": SPECIAL_TOKENS[UNK_ID],
        "bos_token": SPECIAL_TOKENS[BOS_ID],
        "eos_token": SPECIAL_TOKENS[EOS_ID],
        "cls_token": SPECIAL_TOKENS[BOS_ID],
        "sep_token": SPECIAL_TOKENS[EOS_ID],
        "mask_token": SPECIAL_TOKENS[MASK_ID],
    }
    config = {"tokenizer_class": "PreTrainedTokenizerFast", **names, **_common(model_max_length)}
    return {
        "spm.model": model_proto,
        "tokenizer.json": _bytes(build(model_proto).to_str(pretty=True)),
        "tokenizer_config.json": _bytes(json.dumps(config, indent=2)),
    }


def wordpiece_files(
    pieces: Sequence[str], special: Sequence[str], *, model_max_length: int = 8192
) -> dict[str, bytes]:  # fmt: skip
    """`vocab.txt`, `tokenizer.json` and `tokenizer_config.json`. pieces: by id. special: further special tokens."""
    tokenizer = wordpiece.bert_tokenizer({piece: number for number, piece in enumerate(pieces)}, special)
    names = zip(
        ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), wordpiece.SPECIAL_TOKENS, strict=True
    )
    config = {
        "tokenizer_class": "BertTokenizer",
        **dict(names),
        "do_lower_case": False,
        "strip_accents": False,
        "tokenize_chinese_chars": True,
        **_common(model_max_length),
        # Of a pair the second text's are 1; transformers leaves out what is not named here.
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
    }
    return {
        "vocab.txt": _bytes("\n".join(pieces)),
        "tokenizer.json": _bytes(tokenizer.to_str(pretty=True)),
        "tokenizer_config.json": _bytes(json.dumps(config, indent=2)),
    }


def _common(model_max_length: int) -> dict[str, object]:
    return {
        "model_max_length": model_max_length,
        "model_input_names": ["input_ids", "attention_mask"],
        "padding_side": "right",
        "truncation_side": "right",
        "clean_up_tokenization_spaces": False,
    }


def _bytes(text: str) -> bytes:
    return (text + "\n").encode("utf-8")


def build(model_proto: bytes) -> Tokenizer:
    """The tokenizer of a model, with its ids."""
    vocabulary, special = read_vocabulary(model_proto), special_rows(model_proto)
    if kind_of(model_proto) == "bpe":
        pieces = {piece: number for number, (piece, _) in enumerate(vocabulary)}
        # tokenizers reads a bare character that is no piece as its bytes, and merges nothing with these.
        tokenizer = Tokenizer(
            models.BPE(pieces, merges(vocabulary, special), byte_fallback=True, unk_token=SPECIAL_TOKENS[UNK_ID])
        )
    else:
        tokenizer = Tokenizer(models.Unigram(_blocked(vocabulary, special), unk_id=UNK_ID, byte_fallback=True))
    folds = [normalizers.NFKC()] if is_nfkc(model_proto) else []
    tokenizer.normalizer = normalizers.Sequence(
        [*folds, *(normalizers.Replace(text, code) for text, code in ESCAPES.items()), normalizers.Replace(" ", SPACE)]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(WORD), behavior="isolated")
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace(SPACE, " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            # ESCAPE itself comes back last: what it gives must not be read again.
            decoders.Replace(ESCAPES[SPACE], SPACE),
            decoders.Replace(ESCAPES[ESCAPE], ESCAPE),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> $B:1 </s>:1",
        special_tokens=[("<s>", BOS_ID), ("</s>", EOS_ID)],
    )
    # The mask takes the space before it: a masked word is one token and that token held its space.
    names = [vocabulary[number][0] for number in special]
    tokenizer.add_special_tokens(
        [AddedToken(token, normalized=False, special=True, lstrip=token == "<mask>") for token in names]
    )
    return tokenizer


def _blocked(vocabulary: Sequence[tuple[str, float]], special: Sequence[int]) -> list[tuple[str, float]]:
    """tokenizers looks for every piece in the text, also for "<s>" and "<0x41>", which SentencePiece never does. Those
    get a score so low that their own characters, all of them pieces, always win."""
    kept = [score for number, (_, score) in enumerate(vocabulary) if number >= RESERVED and number not in set(special)]
    lowest, hidden = min(kept) * 16 - 1, set(special)
    return [
        (piece, lowest if number < RESERVED or number in hidden else score)
        for number, (piece, score) in enumerate(vocabulary)
    ]


def merges(vocabulary: Sequence[tuple[str, float]], special: Sequence[int]) -> list[tuple[str, str]]:
    """Of a byte-pair vocabulary, the pairs of pieces that become one, first ones first.

    SentencePiece merges whatever neighbours make a piece, the piece of the highest score first, so all ways to part a
    piece in two are its merges.
    """
    hidden = set(special)
    learnt = {piece for number, (piece, _) in enumerate(vocabulary) if number >= RESERVED and number not in hidden}
    ordered = sorted(
        (number for number, (piece, _) in enumerate(vocabulary) if piece in learnt and len(piece) > 1),
        key=lambda number: (-vocabulary[number][1], number),
    )
    pairs = []
    for number in ordered:
        piece = vocabulary[number][0]
        parts = ((piece[:place], piece[place:]) for place in range(1, len(piece)))
        pairs += [(left, right) for left, right in parts if left in learnt and right in learnt]
    return pairs
