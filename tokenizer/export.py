"""Write a learned model as a Hugging Face tokenizer folder whose ids are SentencePiece's own.

`transformers.AutoTokenizer.from_pretrained(folder)` then gives `<s> text </s>`, or `<s> a </s> b </s>` for a pair. As
always in transformers a special token that is spelled out in the text is taken for the token;
`split_special_tokens=True` takes it for text, as SentencePiece does: the setting for text that others wrote.
"""

import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

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
    read_vocabulary,
)

# A piece has spaces at its start only, so no piece crosses from a character to a space after it: cutting there, before
# the search for the best pieces, changes no id, gives words to mask whole, and makes the search's cache useful.
WORD = f"{SPACE}+[^{SPACE}]*|[^{SPACE}]+"


def export(model_proto: bytes, folder: Path, *, model_max_length: int = 8192) -> None:
    """Write `spm.model`, `tokenizer.json` and `tokenizer_config.json` into folder; the same input gives the same bytes.

    model_max_length: tokens at which transformers truncates on request; the model's own longest input.

    Raises UserError where the model's pieces do not have this project's layout (see tokenizer.model).
    """
    tokenizer = build(read_vocabulary(model_proto))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spm.model").write_bytes(model_proto)
    (folder / "tokenizer.json").write_text(tokenizer.to_str(pretty=True) + "\n", encoding="utf-8")
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": SPECIAL_TOKENS[PAD_ID],
        "unk_token": SPECIAL_TOKENS[UNK_ID],
        "bos_token": SPECIAL_TOKENS[BOS_ID],
        "eos_token": SPECIAL_TOKENS[EOS_ID],
        "cls_token": SPECIAL_TOKENS[BOS_ID],
        "sep_token": SPECIAL_TOKENS[EOS_ID],
        "mask_token": SPECIAL_TOKENS[MASK_ID],
        "model_max_length": model_max_length,
        "model_input_names": ["input_ids", "attention_mask"],
        "padding_side": "right",
        "truncation_side": "right",
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def build(vocabulary: list[tuple[str, float]]) -> Tokenizer:
    """The tokenizer of a vocabulary of (piece, score) by id, as tokenizer.model.read_vocabulary returns it."""
    # tokenizers looks for every piece in the text, also for "<s>" and "<0x41>", which SentencePiece never does. Those
    # get a score so low that their own characters, all of them pieces, always win.
    blocked = min(score for _, score in vocabulary[RESERVED:]) * 16 - 1
    scored = [(piece, blocked if i < RESERVED else score) for i, (piece, score) in enumerate(vocabulary)]
    tokenizer = Tokenizer(models.Unigram(scored, unk_id=UNK_ID, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence(
        [*(normalizers.Replace(text, code) for text, code in ESCAPES.items()), normalizers.Replace(" ", SPACE)]
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
    tokenizer.add_special_tokens(
        [AddedToken(token, normalized=False, special=True, lstrip=token == "<mask>") for token in SPECIAL_TOKENS]
    )
    return tokenizer
