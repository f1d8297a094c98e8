"""Random tiny encoders of several makers, each with a tokenizer of another kind, in folders that transformers opens."""

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from tokenizer.export import wordpiece_files

SENTENCES = {
    "eng_Latn": "Anna Smith lives in New York, not in Paris (France).",
    "tur_Latn": "Ayşe İstanbul'da yaşıyor ve ırmağı seviyor.",
    "rus_Cyrl": "Анна живёт в Москве, у реки.",
    "cmn_Hani": "安娜住在北京，中国的首都。",
    "jpn_Jpan": "アンナは東京に住んでいます。",
    "kor_Hang": "안나는 서울에 살고 있습니다.",
    "tha_Thai": "แอนนาอาศัยอยู่ในกรุงเทพ",
    "khm_Khmr": "អាណារស់នៅភ្នំពេញ។",
    "arb_Arab": "تعيش آنا في القاهرة، مصر.",
    "heb_Hebr": "אנה גרה בתל אביב.",
    "hin_Deva": "अन्ना दिल्ली में रहती है।",
    "tam_Taml": "அன்னா சென்னையில் வாழ்கிறார்.",
    "amh_Ethi": "አና በአዲስ አበባ ትኖራለች።",
    "kat_Geor": "ანა ცხოვრობს თბილისში.",
}
KINDS = ("bert", "distilbert", "xlm-roberta", "modernbert")
LONGEST = 64
SPECIALS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def save_encoder(kind: str, folder: Path, seed: int = 0, head: str = "AutoModelForMaskedLM", **settings: Any) -> Path:
    """One layer or two of width 16 with weights far from zero, so that answers are far from even."""
    tokens = save_tokenizer(kind, folder)
    shape: dict[str, Any] = {"vocab_size": tokens, "hidden_size": 16, "num_hidden_layers": 2}
    shape |= {"num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": LONGEST, "pad_token_id": 0}
    if kind == "distilbert":
        shape |= {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32}
    if kind == "xlm-roberta":
        shape |= {"max_position_embeddings": LONGEST + 2, "pad_token_id": 1, "type_vocab_size": 1}
    if kind == "modernbert":
        shape |= {"local_attention": 16, "pad_token_id": 1, "cls_token_id": 0, "sep_token_id": 2}
        shape |= {"bos_token_id": 0, "eos_token_id": 2}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = transformers.AutoConfig.for_model(kind, **(shape | settings))
        model = getattr(transformers, head).from_config(config)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    parameter.copy_(torch.randn(parameter.shape) * 0.3)
    model.save_pretrained(folder)
    return folder


def save_tokenizer(kind: str, folder: Path) -> int:
    """Size of its vocabulary. WordPiece for BERTs, pieces with a leading space for XLM-R, bytes for ModernBERT."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = list(SENTENCES.values())
    if kind in ("bert", "distilbert"):
        signs = sorted(
            {sign for text in texts for sign in text if not sign.isspace()} | set("abcdefghijklmnopqrstuvwxyz")
        )
        pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *signs, *(f"##{sign}" for sign in signs)]
        pieces += ["Anna", "York", "Paris", "##ives", "##ew", "##ith"]
        for name, content in wordpiece_files(pieces, []).items():
            (folder / name).write_bytes(content)
        return len(pieces)
    if kind == "xlm-roberta":
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
        tokenizer.normalizer = normalizers.NFC()
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=SPECIALS, show_progress=False)
    else:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=SPECIALS,
            show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )
    tokenizer.train_from_iterator(texts * 3, trainer)
    around = [("<s>", 0), ("</s>", 2)]
    pair = "<s> $A </s> </s> $B </s>" if kind == "xlm-roberta" else "<s> $A </s> $B </s>"
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", pair=pair, special_tokens=around)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"pad_token": "<pad>", "unk_token": "<unk>", "mask_token": "<mask>", "model_max_length": LONGEST}
    names |= {"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>"}
    names |= {"model_input_names": ["input_ids", "attention_mask"]}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast"} | names
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return int(tokenizer.get_vocab_size())
