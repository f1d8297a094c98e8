"""From files to a run's data: the shards checked, the sizes of the languages' epochs, the stream of steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from train.corpus.blocks import Blocks, blocks_of
from train.corpus.hashing import ORDER, combine
from train.corpus.shards import Shards
from train.corpus.token_cache import TokenCache
from train.corpus.tokenising import Tokens
from train.corpus.vocabulary import open_vocabulary
from train.data.batches import Collator, Labeller, OtherBatches, TrainingStream
from train.data.language_stream import LanguageStream
from train.data.pieces import cost
from train.data.plan import Plan
from train.data.windows import Windows

SAMPLED = 2048  # documents of a language by which its size in tokens is estimated, those that a run reads first


@dataclass(frozen=True)
class StreamSettings:
    """What the stream of steps hangs on besides shards, tokenizer, plan and labels."""

    seed: int
    max_seq_len: int
    window_tokens: int
    global_batch_tokens: int
    streams: int
    micro_batch_tokens: int
    static: bool


def training_blocks(shards: Shards) -> list[Blocks]:
    """Of each language."""
    return [blocks_of(shards.files, language, "train") for language in shards.languages]


def epoch_tokens(
    shards: Shards, languages: list[Blocks], tokens: Tokens, seed: int, max_seq_len: int
) -> NDArray[np.float64]:
    """Tokens with <s> and </s>, times weight, that an epoch of each language shows; exact where it has up to SAMPLED
    documents, else by its tokens a character, or a row where mixture.json does not say its characters. [languages]"""
    sampled = []
    for blocks in languages:
        order = np.argsort(combine(ORDER, seed, 0, blocks.key), kind="stable") if len(blocks) else np.empty(0, np.int64)
        enough = int(np.searchsorted(np.cumsum(blocks.rows[order]), SAMPLED)) + 1
        sampled.append([blocks.block(number) for number in order[:enough].tolist()])
    tokens.ahead([block for blocks in sampled for block in blocks])
    sizes = []
    for language, blocks, chosen in zip(shards.languages, languages, sampled, strict=True):
        found = [tokens(block) for block in chosen]
        size = sum(cost(block, max_seq_len) for block in found)
        if len(blocks) > len(chosen):
            characters = sum(block.characters for block in found)
            said = shards.mixture.characters.get(language, 0)
            rows = max(1, sum(block.rows for block in chosen))
            size *= said / characters if said and characters else float(blocks.rows.sum()) / rows
        sizes.append(size)
    return np.array(sizes)


def open_stream(
    shards: Shards,
    tokenizer: Path,
    cache: Path,
    workers: int,
    plan: Plan,
    labellers: Mapping[str, Labeller],
    settings: StreamSettings,
    others: OtherBatches | None = None,
) -> TrainingStream:
    """The stream of steps; what it is made from can be given to another process."""
    vocabulary = open_vocabulary(tokenizer)
    tokens = Tokens(TokenCache(cache, vocabulary), tokenizer, workers)
    streams = [
        LanguageStream(blocks, tokens, settings.seed, settings.max_seq_len, number, float(most))
        for number, (blocks, most) in enumerate(zip(training_blocks(shards), plan.max_epochs, strict=True))
    ]
    windows = Windows(
        streams, plan, tokens, window_tokens=settings.window_tokens, step_tokens=settings.global_batch_tokens
    )
    return TrainingStream(
        Collator(labellers, vocabulary, len(shards.languages), settings.seed),
        windows,
        global_batch_tokens=settings.global_batch_tokens,
        streams=settings.streams,
        micro_batch_tokens=settings.micro_batch_tokens,
        static=settings.static,
        others=others,
    )
