"""Made-up translations, line by line."""

import gzip
import random
from pathlib import Path

# Word i of each is the same word.
LEXICON = {
    "eng_Latn": ["river", "light", "stone", "people", "bread", "rain", "talk", "far", "gather", "carry"],
    "rus_Cyrl": ["река", "свет", "камень", "люди", "хлеб", "дождь", "говорят", "далёкий", "собирают", "несёт"],
    "zho_Hans": ["河", "光", "石", "人", "面", "雨", "谈", "远", "收", "带"],
    "arb_Arab": ["نهر", "ضوء", "حجر", "ناس", "خبز", "مطر", "كلام", "بعيد", "جمع", "حمل"],
    "tha_Thai": ["แม่น้ำ", "แสง", "หิน", "คน", "ขนมปัง", "ฝน", "พูด", "ไกล", "เก็บ", "พา"],
}


def translations(count: int, languages: list[str], empty: float = 0.1) -> dict[str, list[str]]:
    """Lines of 2 to 7 words in every language; of each language a share of them is empty. The same at every call."""
    draw = random.Random(count)
    words = [[draw.randrange(10) for _ in range(draw.randint(2, 7))] for _ in range(count)]
    found = {}
    for name in languages:
        glue = "" if name in ("zho_Hans", "tha_Thai") else " "
        found[name] = [
            "" if draw.random() < empty else glue.join(LEXICON[name][word] for word in line) for line in words
        ]
    return found


def write_translations(folder: Path, texts: dict[str, list[str]]) -> Path:
    """By the whole name of a file, its lines."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in texts.items():
        content = "".join(line + "\n" for line in lines).encode()
        (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return folder
