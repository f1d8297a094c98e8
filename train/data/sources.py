"""From files to a run's data: the shards checked, the sizes of the languages' epochs, the stream of steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from schemas.errors import UserError
from train.corpus.blocks import Block, Blocks, blocks_of
from train.corpus.hashing import ORDER, combine
from train.corpus.shards import Shards
from train.corpus.token_cache import TokenCache
from train.corpus.tokenising import Tokens
from train.corpus.vocabulary import open_vocabulary
from train.data.batches import Collator, Labeller, OtherBatches, TrainingStream
from train.data.language_stream import LanguageStream
from train.data.pairing import Pairing, cost_of_pairs, cut_length
from train.data.pieces import cost
from train.data.plan import Plan
from train.data.windows import Windows

SAMPLED = 2048  # documents of a language by which its size in tokens is estimated, those that a run reads first


@dataclass(frozen=True)
class StreamSettings:
    """What the stream of steps hangs on besides shards, tokenizer, plan and labels. pairs: the run's objectives of
    pairs of texts."""

    seed: int
    max_seq_len: int
    window_tokens: int
    global_batch_tokens: int
    streams: int
    micro_batch_tokens: int
    static: bool
    language_dropout: float | None = None
    pairs: tuple[str, ...] = ()


def training_blocks(shards: Shards) -> list[Blocks]:
    """Of each language."""
    return [blocks_of(shards.files, language, "train") for language in shards.languages]


def sampled(languages: list[Blocks], seed: int) -> list[list[Block]]:
    """Of each language, the blocks that a run reads first, with SAMPLED documents."""
    found = []
    for blocks in languages:
        order = np.argsort(combine(ORDER, seed, 0, blocks.key), kind="stable") if len(blocks) else np.empty(0, np.int64)
        enough = int(np.searchsorted(np.cumsum(blocks.rows[order]), SAMPLED)) + 1
        found.append([blocks.block(number) for number in order[:enough].tolist()])
    return found


def of_two_sentences(languages: list[Blocks], tokens: Tokens, seed: int) -> tuple[int, int]:
    """(documents of two sentences or more, documents with text) among the sampled ones. Where none of these has two,
    all others are looked at up to the first that has; UserError where there is none."""
    several, documents = 0, 0
    for block in (block for blocks in sampled(languages, seed) for block in blocks):
        found = tokens(block)
        assert found.sentence_ends is not None
        several += len(np.unique(np.searchsorted(found.begins, found.sentence_ends, side="right")))
        documents += int(np.count_nonzero(found.tokens))
    if several:
        return several, documents
    for blocks in languages:
        for number in range(len(blocks)):
            there = tokens(blocks.block(number)).sentence_ends
            if there is not None and len(there):
                return 0, documents
    raise UserError(
        "a pair objective on shards without two sentences in any document: leave out [objectives.nsp] and "
        "[objectives.sop], or give shards of whole texts"
    )


def epoch_tokens(
    shards: Shards, languages: list[Blocks], tokens: Tokens, seed: int, max_seq_len: int
) -> NDArray[np.float64]:
    """Tokens with <s> and </s>, times weight, that an epoch of each language shows; exact where it has up to SAMPLED
    documents, else by its tokens a character, or a row where mixture.json does not say its characters. [languages]

    Where `tokens` says how sentences end, of pieces for pairs.
    """
    pairs = tokens.sentences is not None
    length = cut_length(max_seq_len, pairs)
    chosen_blocks = sampled(languages, seed)
    tokens.ahead([block for blocks in chosen_blocks for block in blocks])
    sizes = []
    for language, blocks, chosen in zip(shards.languages, languages, chosen_blocks, strict=True):
        found = [tokens(block) for block in chosen]
        size = sum(cost(block, length) + (cost_of_pairs(block, length) if pairs else 0.0) for block in found)
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
    pairs = bool(settings.pairs)
    tokens = Tokens(TokenCache(cache, vocabulary), tokenizer, workers, sentences=pairs)
    length = cut_length(settings.max_seq_len, pairs)
    streams = [
        LanguageStream(blocks, tokens, settings.seed, length, number, float(most))
        for number, (blocks, most) in enumerate(zip(training_blocks(shards), plan.max_epochs, strict=True))
    ]
    windows = Windows(
        streams,
        plan,
        tokens,
        window_tokens=settings.window_tokens,
        step_tokens=settings.global_batch_tokens,
        pairing=Pairing(settings.pairs, settings.seed, settings.max_seq_len) if pairs else None,
    )
    return TrainingStream(
        Collator(labellers, vocabulary, len(shards.languages), settings.seed, settings.language_dropout, pairs),
        windows,
        global_batch_tokens=settings.global_batch_tokens,
        streams=settings.streams,
        micro_batch_tokens=settings.micro_batch_tokens,
        static=settings.static,
        others=others,
    )
