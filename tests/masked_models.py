"""Tiny masked language models of random weights, in the layouts that others have."""

from collections.abc import Sequence
from pathlib import Path

import tokenizers
import torch
import transformers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

from tokenizer.export import wordpiece_files

LETTERS = "abcdefgh"
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{sign}" for sign in LETTERS), ".", "京", "北"]
SMALL = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16,
    "max_position_embeddings": 24,
}  # fmt: skip
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
WORDS = [
    "▁",
    "▁the",
    "▁river",
    "ri",
    "ver",
    "京",
    "北京",
    "สวัส",
    "ดี",
    "한국",
    "어",
    "שלום",
    "مرحبا",
    "नम",
    "स्ते",
    *"abcdefgh.,",
]


def bert(folder: Path, seed: int = 0) -> Path:
    config = transformers.BertConfig(vocab_size=len(PIECES), **SMALL)
    for name, content in wordpiece_files(PIECES, []).items():
        (folder / name).write_bytes(content)
    return save(transformers.BertForMaskedLM(config), folder, seed)


def modernbert(folder: Path, seed: int = 0) -> Path:
    size = pieces(folder, WORDS)
    config = transformers.ModernBertConfig(
        vocab_size=size, pad_token_id=1, bos_token_id=0, eos_token_id=2, cls_token_id=0, sep_token_id=2,
        local_attention=8, global_attn_every_n_layers=2, **SMALL,
    )  # fmt: skip
    return save(transformers.ModernBertForMaskedLM(config), folder, seed)


def xlm_roberta(folder: Path, seed: int = 0) -> Path:
    size = pieces(folder, WORDS)
    config = transformers.XLMRobertaConfig(vocab_size=size, pad_token_id=1, bos_token_id=0, eos_token_id=2, **SMALL)
    return save(transformers.XLMRobertaForMaskedLM(config), folder, seed)


LAYOUTS = {"bert": bert, "modernbert": modernbert, "xlm-roberta": xlm_roberta}


def save(model: torch.nn.Module, folder: Path, seed: int) -> Path:
    """With weights whose answers are far from even."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.3)
    model.save_pretrained(folder)  # type: ignore[operator]
    return folder


def pieces(folder: Path, words: Sequence[str]) -> int:
    """A Unigram tokenizer with a piece for each byte; the size of its vocabulary."""
    scored = [(word, -float(len(words) - place)) for place, word in enumerate(words)]
    everything = [*((one, 0.0) for one in SPECIAL), *((f"<0x{byte:02X}>", 0.0) for byte in range(256)), *scored]
    made = tokenizers.Tokenizer(models.Unigram(everything, unk_id=SPECIAL.index("<unk>"), byte_fallback=True))
    made.normalizer = normalizers.Sequence([])
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    made.add_special_tokens(SPECIAL)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
        mask_token="<mask>", cls_token="<s>", sep_token="</s>", model_max_length=22,
    ).save_pretrained(folder)  # fmt: skip
    return len(everything)
