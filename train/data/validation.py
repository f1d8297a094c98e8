"""The documents that a run is validated on: the same ones, in the same batches, under the same labels for every run of
one corpus and tokenizer, whatever its seed, so that runs compare."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from train.corpus.blocks import Blocks
from train.corpus.hashing import U64, VALIDATION, combine
from train.corpus.token_cache import TokenBlock
from train.corpus.tokenising import Tokens
from train.data.batches import FEWEST_TOKENS, Collator, PackedBatch
from train.data.pieces import Pieces, concatenate, pieces_of

EPOCH = 1_000_000_000  # no training run gets there, so that no mask is shared with it


@dataclass(frozen=True)
class Validation:
    """Batches of at most `batch_tokens` tokens, and where their pieces lie."""

    collate: Collator
    batches: list[Pieces]
    blocks: list[TokenBlock]
    batch_tokens: int

    def __len__(self) -> int:
        return len(self.batches)

    def __call__(self, number: int, static: bool = False) -> PackedBatch:
        """static: padded to the shape of all."""
        return self.collate(self.batches[number], self.blocks, 0, self.batch_tokens * static)

    def languages(self) -> NDArray[np.int64]:
        """Those that it has sequences of, sorted."""
        return np.unique(concatenate(self.batches).language)

    def of_each_language(self, most: int) -> "Validation":
        """At most so many sequences of each language, those of the lowest hashes."""
        pieces = concatenate(self.batches)
        order = np.lexsort((pieces.key(VALIDATION, self.collate.seed), pieces.language))
        language = pieces.language[order]
        rank = np.arange(len(order)) - np.searchsorted(language, language)
        chosen = pieces.take(order[rank < most])
        return replace(self, batches=_batches(chosen, self.batch_tokens))

    def document_keys(self) -> U64:
        """A hash of each sequence, in the order of the batches, that all sequences of a document share."""
        return combine(VALIDATION, self.collate.seed, concatenate(self.batches).id_hash)


def validation(
    collate: Collator,
    languages: list[Blocks],
    tokens: Tokens,
    *,
    max_seq_len: int,
    tokens_per_language: int,
    batch_tokens: int,
) -> Validation:
    """Blocks by hash, in them pieces by hash, up to so many tokens of each language, or its first piece."""
    batches: list[Pieces] = []
    held: list[TokenBlock] = []
    for language, blocks in enumerate(languages):
        parts: list[Pieces] = []
        room = tokens_per_language
        for number in np.argsort(combine(VALIDATION, collate.seed, blocks.key) if len(blocks) else [], kind="stable"):
            block = tokens(blocks.block(int(number)))
            once = np.ones(len(block.tokens), np.int64)
            pieces, _ = pieces_of(block, once, EPOCH, language, max_seq_len, len(held)).ordered(
                VALIDATION, collate.seed
            )
            fitting = int(np.searchsorted(np.cumsum(pieces.length), room, side="right"))
            fitting = fitting or min(len(pieces), not parts)
            parts.append(pieces.take(slice(0, fitting)))
            held.append(block)
            room -= int(parts[-1].length.sum())
            if fitting < len(pieces) or room <= 0:
                break
        batches += _batches(concatenate(parts), batch_tokens)
    return Validation(collate, batches, held, batch_tokens)


def _batches(pieces: Pieces, batch_tokens: int) -> list[Pieces]:
    """In their order, as many together as fit."""
    batches = []
    while len(pieces):
        fitting = int(np.searchsorted(np.cumsum(pieces.length), batch_tokens, side="right"))
        count = max(1, min(fitting, batch_tokens // FEWEST_TOKENS))
        batches.append(pieces.take(slice(0, count)))
        pieces = pieces.take(slice(count, None))
    return batches
