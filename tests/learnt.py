"""Texts that a classifier can be fitted on, made of the articles of the tests: good ones are runs of their sentences,
bad ones menus and lists made of single words of them."""

import random
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ARTICLES = Path(__file__).parent / "archive" / "articles"
LANGUAGES = {"eng": "eng_Latn", "deu": "deu_Latn", "rus": "rus_Cyrl", "zho": "cmn_Hani", "ara": "arb_Arab"}


def texts(stem: str, good: bool, number: int, draw: random.Random) -> list[str]:
    sentences = re.findall(r"[^.。!؟]+[.。!؟]", (ARTICLES / f"{stem}.txt").read_text(encoding="utf-8"))
    words = [word for sentence in sentences for word in re.findall(r"[^\W\d_]{2,12}", sentence)]
    found = []
    for _ in range(number):
        if good:
            found.append("\n\n".join("".join(draw.choices(sentences, k=4)).strip() for _ in range(3)))
        else:
            found.append("\n".join(draw.choice(words).title() + draw.choice(["", " »", " (12)"]) for _ in range(60)))
    return found


def write(folder: Path, number: int = 70) -> tuple[str, str]:
    """Paths of the tables of good and of bad texts, `number` a language; each has a host of its own."""
    draw, paths = random.Random(5), []
    for name in ("good", "bad"):
        rows = [
            {"id": f"{name}-{stem}-{i}", "text": text, "language": label.partition("_")[0],
             "language_script": label.partition("_")[2], "url": f"https://{name}{i}.{stem}.example/"}
            for stem, label in LANGUAGES.items()
            for i, text in enumerate(texts(stem, name == "good", number, draw))
        ]  # fmt: skip
        paths.append(str(folder / f"{name}.parquet"))
        pq.write_table(pa.Table.from_pylist(rows), paths[-1])
    return paths[0], paths[1]
