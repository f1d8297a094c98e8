"""Word vectors of several languages that are turned copies of one another, as files, with dictionaries of them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from train.maps.vec_files import write_vec

WORDS, DIM, SHARED, NOISE = 400, 20, 40, 0.05
SIGNS = {"eng": "a", "fra": "é", "rus": "я", "zho": "河", "tha": "ก", "amh": "ቤ"}


def rotation(seed: int, dim: int = DIM) -> NDArray[np.float64]:
    Q, R = np.linalg.qr(np.random.default_rng(seed).normal(size=(dim, dim)))
    return np.asarray(Q * np.sign(np.diag(R)))


def word(language: str, number: int) -> str:
    """The first are written the same in all languages."""
    return f"w{number}" if number < SHARED else f"{SIGNS[language]}{number}"


def write_planted(root: Path, languages: tuple[str, ...] = ("eng", "fra", "rus")) -> Path:
    """eng.vec and the others, each turned and blurred; en_fr.tsv and the like hold all words."""
    rng = np.random.default_rng(0)
    # Far from round, so that a rotation can be told without a dictionary.
    meanings = rng.exponential(size=(WORDS, DIM)) * np.linspace(0.3, 2, DIM)
    (root / "dictionaries").mkdir(parents=True)
    for number, language in enumerate(languages):
        turned = meanings @ rotation(number) + NOISE * rng.normal(size=meanings.shape)
        write_vec(root / f"{language}.vec", [word(language, one) for one in range(WORDS)], turned.astype(np.float32))
        if language != "eng":
            rows = [f"{word('eng', one)}\t{word(language, one)}\n" for one in range(WORDS)]
            path = root / "dictionaries" / f"eng_{language}.tsv"
            path.write_text("".join(rows), encoding="utf-8")
    return root
