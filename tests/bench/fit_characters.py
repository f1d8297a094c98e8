"""Makes pipeline/privacy/character_model.npz from good texts in many languages.

python tests/bench/fit_characters.py --texts TABLE.parquet [--characters 100000]

TABLE has columns `language` and `text`; texts without a language count as one more, web pages for instance. Of each
language as many characters count as are given, in whole texts. Every 16th line counts in capitals as well, for headings
are rarer in books than on pages. Lines with damage that would be mended are left out where a model is there already.
"""

import argparse
import random
import re
from collections import Counter

import numpy as np
import pyarrow.parquet as pq

from pipeline.privacy import character_model
from pipeline.privacy.character_model import COUNTS, KINDS, Model
from pipeline.privacy.mojibake import mend

CAPITALS_EVERY = 16


def counts(lines_by_language: dict[str, list[str]]) -> Model:
    kinds = character_model.kinds_of_all()
    pages, index = np.unique(kinds.reshape(-1, 256), axis=0, return_inverse=True)
    n = len(KINDS)
    trigrams, seen = np.zeros(n**3), np.zeros(0x110000)
    for lines in lines_by_language.values():
        points = np.frombuffer(("\n\n" + "\n\n".join(lines) + "\n\n").encode("utf-32-le"), np.uint32)
        of = kinds[points].astype(np.int64)
        trigrams += np.bincount((of[:-2] * n + of[1:-1]) * n + of[2:], minlength=n**3)
        seen += np.bincount(points, minlength=0x110000)
    grams, points = np.flatnonzero(trigrams), np.flatnonzero(seen)
    return Model(
        index.astype(np.uint16).ravel(), pages, points.astype(np.uint32), seen[points].astype(np.float32),
        grams.astype(np.uint32), trigrams[grams].astype(np.float32),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--characters", type=int, default=100_000)
    args = parser.parse_args()
    table = pq.read_table(args.texts, columns=["language", "text"])
    rows = list(zip(table["language"].to_pylist(), table["text"].to_pylist(), strict=True))
    random.Random(1).shuffle(rows)
    chosen: dict[str, list[str]] = {}
    room: Counter[str] = Counter()
    for language, text in rows:
        enough = args.characters * (20 if not language else 1)  # web pages are of many languages
        if room[language] > enough:
            continue
        for line in re.split("[\r\n]+", text):
            if COUNTS.exists() and mend(line) != line:
                continue
            room[language] += len(line)
            chosen.setdefault(language, []).append(line)
            if len(chosen[language]) % CAPITALS_EVERY == 0:
                chosen[language].append(line.upper())
    np.savez_compressed(COUNTS, **counts(chosen)._asdict())


if __name__ == "__main__":
    main()
