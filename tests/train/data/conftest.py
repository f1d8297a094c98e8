"""The small corpus as the trainer's data room sees it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from train.corpus.blocks import Block, Blocks
from train.corpus.hashing import combine, hash_id
from train.corpus.shards import ShardFile, Shards, open_shards
from train.corpus.token_cache import TokenBlock, TokenCache
from train.corpus.tokenising import Tokens
from train.corpus.vocabulary import Vocabulary, open_vocabulary


@pytest.fixture(scope="session")
def vocabulary(corpus) -> Vocabulary:
    return open_vocabulary(corpus.tokenizer)


@pytest.fixture(scope="session")
def shards(corpus) -> Shards:
    return open_shards(corpus.shards)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory, vocabulary: Vocabulary) -> TokenCache:
    return TokenCache(tmp_path_factory.mktemp("tokens"), vocabulary)


@pytest.fixture
def tokens(cache: TokenCache, corpus) -> Tokens:
    return Tokens(cache, corpus.tokenizer, 0)


class MadeUp:
    """Blocks that are nowhere written: by number of block, (ids of documents, their tokens, their weights)."""

    def __init__(self, *blocks: tuple[list[int], list[int], list[float]], language: str = "l00_Latn") -> None:
        file = ShardFile(language, "train", Path("nowhere"), "", (1024,) * len(blocks))
        count = len(blocks)
        self.content = list(blocks)
        self.blocks = Blocks(
            (file,),
            np.zeros(count, np.int32),
            np.arange(count, dtype=np.int32),
            np.zeros(count, np.int64),
            np.array([len(ids) for ids, _, _ in blocks], np.int32),
            combine(hash_id(language), np.arange(count)) if count else np.empty(0, np.uint64),
        )
        self.reads: list[int] = []

    def __call__(self, block: Block) -> TokenBlock:
        self.reads.append(block.group)
        ids, lengths, weights = self.content[block.group]
        counts = np.array(lengths, np.int64)
        text = np.arange(counts.sum()).astype(np.uint16) % 190 + 5
        hashes = np.array([hash_id(str(one)) for one in ids], np.uint64)
        return TokenBlock(hashes, counts, np.array(weights, float), np.cumsum(counts) - counts, text, int(counts.sum()))


@pytest.fixture
def made_up() -> Callable[..., MadeUp]:
    return MadeUp
