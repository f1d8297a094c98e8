"""Tables with planted copies, for tests of dedup."""

from collections.abc import Iterable
from typing import Any

import numpy as np

Row = dict[str, Any]

VOCABULARY = [f"{a}{b}" for a in "bdfgklmnprst" for b in ("alo", "eni", "ira", "omu", "ust", "yk")]


def family(name: str, changes: Iterable[int], seed: int, length: int = 200) -> list[Row]:
    """Copies of one text with so many of its words changed."""
    rng = np.random.default_rng(seed)
    first = rng.choice(VOCABULARY, length).tolist()
    rows = []
    for number, changed in enumerate(changes):
        text = list(first)
        for at in rng.choice(length, changed, replace=False).tolist():
            text[at] = VOCABULARY[int(rng.integers(len(VOCABULARY)))]
        rows.append({"id": f"{name}-{number}", "text": " ".join(text)})
    return rows


def mixed_table() -> list[Row]:
    """What every way of running the job must answer alike: copies of all kinds in three scripts, a bucket of a
    template's pages, equal texts to be told apart by quality, length, date and id, texts without words."""
    rng = np.random.default_rng(11)
    rows = [row for n in range(10) for row in family(f"f{n}", [0, 0, 1, 3, 6, 11][: 2 + n % 5], n)]
    for script, alphabet in (("Hani", "河石光风家园冬银晨信桥答医生村音乐纸的了"), ("Thai", "กขคงจชซญดตถทนบปผฝพฟ")):
        for n in range(4):
            first = rng.choice(list(alphabet), 250).tolist()
            for copy in range(4):
                text = list(first)
                for at in rng.choice(250, 3 * copy, replace=False).tolist():
                    text[at] = alphabet[int(rng.integers(len(alphabet)))]
                rows.append({"id": f"{script}{n}-{copy}", "text": "".join(text), "language_script": script})
    template = rng.choice(VOCABULARY, 300).tolist()
    for n in range(150):
        own = rng.choice(VOCABULARY, 12 + n % 40).tolist()
        rows.append({"id": f"page-{n}", "text": " ".join([*template, *own])})
    rows += [{"id": f"blank-{n}", "text": text} for n, text in enumerate(["", None, " \n", "...", "?!", "two words"])]
    for n in range(6):
        rows.append({"id": f"equal-{n}", "text": "equal words, " * (20 + n % 2), "quality": [None, 0.5, 0.5][n % 3],
                     "date": [None, "2024-01-01", "2023-01-01"][n // 2]})  # fmt: skip
    return [{"quality": 0.1, "date": None, "language_script": "Latn", "url": f"http://x/{n}", **row}
            for n, row in enumerate(rows)]  # fmt: skip
