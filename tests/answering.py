"""Small random models that answer, in every script, and sentences for them."""

from pathlib import Path

import torch
import transformers

from tokenizer.export import wordpiece_files

SENTENCES = {
    "eng_Latn": "The river is high after the rain.",
    "rus_Cyrl": "Река высока после дождя, и мост закрыт.",
    "tur_Latn": "Yağmurdan sonra nehir yükseldi.",
    "zho_Hans": "今天早上河水很高。",
    "jpn_Jpan": "雨のあと、川の水がとても高い。",
    "kor_Hang": "비가 온 뒤 강물이 높다.",
    "tha_Thai": "แม่น้ำสูงหลังฝนตก",
    "khm_Khmr": "ទន្លេឡើងខ្ពស់បន្ទាប់ពីភ្លៀង។",
    "arb_Arab": "النهر مرتفع بعد المطر في 2024.",
    "heb_Hebr": "הנהר גבוה אחרי הגשם.",
    "hin_Deva": "बारिश के बाद नदी ऊँची है।",
    "tam_Taml": "மழைக்குப் பிறகு ஆறு உயர்ந்தது.",
    "amh_Ethi": "ከዝናብ በኋላ ወንዙ ከፍ ብሏል።",
    "kat_Geor": "წვიმის შემდეგ მდინარე მაღალია.",
}
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = sorted({sign for text in SENTENCES.values() for sign in text.lower() + text if not sign.isspace()})
PIECES = [*SPECIALS, *LETTERS, *(f"##{sign}" for sign in LETTERS)]
LONGEST = 64  # tokens


def save(kind: type[transformers.PreTrainedModel], folder: Path, **settings: object) -> Path:
    """A folder with a random BERT, whose answers are far from even."""
    shape = {
        "vocab_size": len(PIECES), "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 16, "max_position_embeddings": LONGEST, "initializer_range": 0.5,
    }  # fmt: skip
    torch.manual_seed(0)
    kind(transformers.BertConfig(**shape | settings)).save_pretrained(folder)
    for name, content in wordpiece_files(PIECES, []).items():
        (folder / name).write_bytes(content)
    return folder
