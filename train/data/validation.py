"""The documents that a run is validated on: the same ones, in the same batches, under the same labels for every run of
one corpus and tokenizer, whatever its seed, so that runs compare."""

import copy
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from train.corpus.blocks import Blocks
from train.corpus.hashing import U64, VALIDATION, VALIDATION_OF_PAIRS, combine
from train.corpus.token_cache import TokenBlock
from train.corpus.tokenising import Tokens
from train.data.batches import FEWEST_TOKENS, Collator, PackedBatch
from train.data.pairing import Pairing, cut_length
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

    def telling_languages(self) -> "Validation":
        """The same documents to a model that is told the language of each."""
        collate = copy.copy(self.collate)
        collate.language_dropout = 0.0
        return replace(self, collate=collate)

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
        return replace(self, batches=_batches([chosen], self.collate.languages, self.batch_tokens))

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
    parts, held = _chosen(collate.seed, languages, tokens, max_seq_len, tokens_per_language, VALIDATION)
    return Validation(collate, _batches(parts, len(languages), batch_tokens), held, batch_tokens)


def validation_of_pairs(
    collate: Collator,
    languages: list[Blocks],
    tokens: Tokens,
    *,
    number: int,
    name: str,
    max_seq_len: int,
    tokens_per_language: int,
    batch_tokens: int,
) -> Validation:
    """Pairs for the objective `name` of so many tokens of each language: pieces chosen likewise, by hashes of their
    own, all for this objective, and together one window. number: of the objective among the run's; whatever others the
    run has, the pairs are the same. No word is hidden in them.
    """
    pairing = Pairing((name,), collate.seed, max_seq_len)
    length = cut_length(max_seq_len, True)
    parts, held = _chosen(collate.seed, languages, tokens, length, tokens_per_language, VALIDATION_OF_PAIRS)
    pairs = pairing.mix(concatenate([pairing.cut(*one) for one in zip(parts, held, strict=True)]))
    pairs = pairs.take(np.flatnonzero(pairs.pair >= 0))
    pairs = replace(pairs, pair=np.full(len(pairs), number))
    return Validation(collate, _batches([pairs], len(languages), batch_tokens), held, batch_tokens)


def _chosen(
    seed: int, languages: list[Blocks], tokens: Tokens, length: int, tokens_per_language: int, purpose: int
) -> tuple[list[Pieces], list[TokenBlock]]:
    """(pieces of `length` of each block that was read, the blocks)."""
    parts: list[Pieces] = []
    held: list[TokenBlock] = []
    for language, blocks in enumerate(languages):
        room, first = tokens_per_language, len(parts)
        for number in np.argsort(combine(VALIDATION, seed, blocks.key) if len(blocks) else [], kind="stable"):
            block = tokens(blocks.block(int(number)))
            once = np.ones(len(block.tokens), np.int64)
            pieces, _ = pieces_of(block, once, EPOCH, language, length, len(held)).ordered(purpose, seed)
            fitting = int(np.searchsorted(np.cumsum(pieces.length), room, side="right"))
            fitting = fitting or min(len(pieces), len(parts) == first)
            parts.append(pieces.take(slice(0, fitting)))
            held.append(block)
            room -= int(parts[-1].length.sum())
            if fitting < len(pieces) or room <= 0:
                break
    return parts, held


def _batches(parts: list[Pieces], languages: int, batch_tokens: int) -> list[Pieces]:
    """Of one language each."""
    pieces = concatenate(parts)
    batches: list[Pieces] = []
    for language in range(languages):
        rest = pieces.take(np.flatnonzero(pieces.language == language))
        while len(rest):
            fitting = int(np.searchsorted(np.cumsum(rest.length), batch_tokens, side="right"))
            count = max(1, min(fitting, batch_tokens // FEWEST_TOKENS))
            batches.append(rest.take(slice(0, count)))
            rest = rest.take(slice(count, None))
    return batches
