"""A model that knows translations, files of its words in published layouts, and the evaluation of one by the other."""

import gzip
import json
from pathlib import Path
from typing import Any

import torch
import transformers

from tokenizer.export import wordpiece_files
from train.evaluate import main

WORDS = {
    "eng": ["river", "bread", "light", "stone", "rain", "house", "child", "moon"],
    "rus": ["река", "хлеб", "свет", "камень", "дождь", "дом", "дитя", "луна"],
    "cmn": ["河", "包", "光", "石", "雨", "房", "孩", "月"],
    "heb": ["נהר", "לחם", "אור", "אבן", "גשם", "בית", "ילד", "ירח"],
    "hin": ["नदी", "रोटी", "प्रकाश", "पत्थर", "वर्षा", "घर", "बच्चा", "चंद्रमा"],
    "amh": ["ወንዝ", "ዳቦ", "ብርሃን", "ድንጋይ", "ዝናብ", "ቤት", "ልጅ", "ጨረቃ"],
}
WRONG = {"heb": 2, "hin": 8}  # of these languages so many words have the vector of another
TOPICS = ("nature", "home")


def save_knowing(folder: Path) -> Path:
    """A BERT whose layers add nothing: a word's vector is its embedding's, which all its translations share."""
    words = [word for language in WORDS.values() for word in language]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    config = transformers.BertConfig(
        vocab_size=len(pieces), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=16,
    )  # fmt: skip
    model = transformers.BertModel(config, add_pooling_layer=False)
    generator = torch.Generator().manual_seed(0)
    meanings = torch.randn(len(WORDS["eng"]), 32, generator=generator)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "LayerNorm.weight" not in name:
                parameter.zero_()
        table = model.get_input_embeddings().weight
        for language, listed in WORDS.items():
            for place, word in enumerate(listed):
                wrong = WRONG.get(language, 0)
                table[pieces.index(word)] = meanings[(place + 1) % wrong if place < wrong else place]
    model.save_pretrained(folder)
    for name, content in wordpiece_files(pieces, []).items():
        (folder / name).write_bytes(content)
    return folder


def write_words(root: Path) -> Path:
    """tatoeba, aligned, dictionaries, sib: of the words, each in its layout."""
    for language, words in WORDS.items():
        write(root / "aligned" / f"{language}.txt", words)
        if language == "eng":
            continue
        write(root / "tatoeba" / f"tatoeba.{language}-eng.{language}", words)
        write(root / "tatoeba" / f"tatoeba.{language}-eng.eng", WORDS["eng"])
        pairs = [f"{a}\t{b}" for a, b in zip(WORDS["eng"], words, strict=True)]
        write(root / "dictionaries" / f"en_{language}.tsv", [*pairs, "moon\tmoon"])
    for language, words in WORDS.items():
        rows = [f"{i}\t{TOPICS[i % 2]}\t{word}" for i, word in enumerate(words)]
        for split in ("train", "test"):
            write(root / "sib" / f"{language}_Zzzz" / f"{split}.tsv", ["index_id\tcategory\ttext", *rows])
    plain = root / "aligned" / "rus.txt"
    with gzip.open(plain.with_name("rus.txt.gz"), "wt", encoding="utf-8") as file:
        file.write(plain.read_text(encoding="utf-8"))
    plain.unlink()
    return root


def write(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def evaluated(output: Path, *arguments: object) -> dict[str, Any]:
    assert main([*map(str, arguments), "--output", str(output), "--device", "cpu"]) == 0
    found = json.loads((output / "evaluation.json").read_text(encoding="utf-8"))
    assert sorted(one.name for one in output.iterdir()) == ["evaluation.json", "evaluation.txt", "plot.svg"]
    return {table["name"]: table for table in found["tables"]} | {"models": found["models"]}
