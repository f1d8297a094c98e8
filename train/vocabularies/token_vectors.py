"""Vectors of a vocabulary's tokens by fastText on text that it cut: a space that tokens of all languages share.

Settings are those of FOCUS's authors (Dobler & de Melo 2023, arXiv 2305.14481, and their code, deepfocus): CBOW, 10
negatives, 3 epochs, tokens seen 10 times, parts of tokens of 3 to 6 characters, 100 dimensions. Buckets for these parts
are a tenth of fastText's, which spares 700 MB; one thread, so that the same text gives the same vectors.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from schemas.errors import UserError
from tokenizer.fast import Encode
from train.corpus.shards import open_shards
from train.likelihood.held_out_texts import held_out_texts

DIMENSIONS, EPOCHS, NEGATIVES, LEAST, BUCKETS = 100, 3, 10, 10, 200_000
BATCH = 256  # texts that are cut at once


def texts_of(shards: Path | None, texts: Sequence[Path], language_bytes: int) -> Iterator[str]:
    """Of each language so many bytes: of shards the first documents to train on, which stand in the order of a hash,
    of files those of the lowest hashes. UserError for what cannot be read."""
    if shards is not None:
        left = dict.fromkeys((opened := open_shards(shards)).languages, language_bytes)
        for file in opened.files:
            for group in range(len(file.groups)) if file.split == "train" else ():
                if left[file.language] <= 0:
                    break
                for text in _column(file.path, group):
                    if left[file.language] > 0:
                        left[file.language] -= len(text.encode())
                        yield text
    if texts:
        found = held_out_texts(texts, language_bytes=language_bytes, text_bytes=language_bytes)
        yield from (one.text for of in found.texts.values() for one in of)


def _column(path: Path, group: int) -> list[str]:
    try:
        with pq.ParquetFile(path) as file:
            return [one or "" for one in file.read_row_group(group, ["text"], use_threads=False).column(0).to_pylist()]
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path} cannot be read ({str(error).splitlines()[0]}): give back the shards") from None


def token_vectors(
    texts: Iterable[str],
    encode: Encode,
    tokens: Sequence[str | None],
    *,
    least: int = LEAST,
    progress: Callable[[int], None] | None = None,
) -> NDArray[np.float32]:
    """float32 [tokens, 100]; zeros of tokens that the texts have fewer than `least` times. tokens: by id, as the file
    spells them. progress is told how many bytes are cut. UserError where fastText is not installed, and where no token
    is seen so often."""
    library = fasttext()
    spelled = [_word(token, number) for number, token in enumerate(tokens)]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "tokens.txt")
        with open(path, "w", encoding="utf-8") as file:
            for batch in _batches(texts):
                lines = [line for text in batch for line in text.split("\n") if line.strip()]
                for ids in encode(lines):
                    file.write(" ".join(spelled[one] for one in ids) + "\n")
                if progress:
                    progress(sum(len(text.encode()) for text in batch))
        try:
            model = library.train_unsupervised(
                path, model="cbow", dim=DIMENSIONS, neg=NEGATIVES, epoch=EPOCHS, minCount=least, bucket=BUCKETS,
                thread=1, verbose=0,
            )  # fmt: skip
        except ValueError:
            raise UserError(
                f"--shards or --texts have no token {least} times: give more text, or take --new-rows pieces, which "
                "needs none"
            ) from None
    found = np.zeros((len(tokens), DIMENSIONS), np.float32)
    seen = set(model.words)
    for number, word in enumerate(spelled):
        if word in seen:
            found[number] = model.get_word_vector(word)
    return found


def fasttext() -> Any:
    """UserError where it is not installed, or is the package that only predicts."""
    try:
        import fasttext as library
    except ImportError:
        library = None
    if library is None or not hasattr(library, "train_unsupervised"):
        raise UserError(
            "--new-rows focus needs fastText, which is not installed: pip install fasttext-community, or take "
            "--new-rows pieces"
        )
    return library


def _word(token: str | None, number: int) -> str:
    """As one word of fastText's, which blanks end; what has blanks or is empty gets its number."""
    if not token or any(sign.isspace() or sign == "\0" for sign in token) or token == "</s>":
        return f"\ufffc{number}"
    return token


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for text in texts:
        batch.append(text)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
