"""Rows of tokens are matched by the tokens' strings, never by index, and some are one parent's alone.

A row that no parent has learnt anything for is not averaged: it is reserved, the lead's. Such are ids without a token,
the padding token, and special tokens without a role. A token that only one language's text uses has the row of the
parent that is the language's own, since the others' rows have but drifted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from train.corpus.vocabulary import Vocabulary
from train.encoders.opened import OpenedModel
from train.fusing.merging.parents import Parent
from train.likelihood.held_out_texts import held_out_texts

OWN_SHARE = 0.9  # of a token's occurrences in one language, where each language has as much text
FEWEST = 5  # occurrences: fewer do not tell
COUNTED_BYTES = 1 << 20  # of each language
COUNTED_TEXT_BYTES = 4096
UNKNOWN = ("<unk>", "[UNK]")


@dataclass(frozen=True)
class Rows:
    """How the rows of the result's tables of tokens are made, in the order of one parent, `lead`.

    size: rows. orders: of each parent, int64 [size], which of its rows is that token's, None where all lie as in the
    lead's; ancestor: the same. reserved: int64, rows that are the lead's. own: by language, which parent and which
    rows, int64.
    """

    size: int
    lead: int
    orders: list[Tensor | None]
    ancestor: Tensor | None
    reserved: Tensor
    own: dict[str, tuple[int, Tensor]] = field(default_factory=dict)

    def aligned(self, values: Sequence[Tensor], ancestor: Tensor | None) -> tuple[list[Tensor], Tensor | None]:
        """The parents' and the ancestor's tensors in the order of the result; reserved rows are the lead's before a
        rule sees them, so that they weigh on nothing. What is given is changed."""
        values = [_in_order(value, order) for value, order in zip(values, self.orders, strict=True)]
        if ancestor is not None:
            ancestor = _in_order(ancestor, self.ancestor)
        kept = values[self.lead][self.reserved]
        for value in [*values, *([] if ancestor is None else [ancestor])]:
            value[self.reserved] = kept
        return values, ancestor

    def settle(self, result: Tensor, parents: Sequence[Tensor]) -> None:
        """Puts rows that are one parent's alone into a result, to the bit. parents: aligned."""
        result[self.reserved] = parents[self.lead][self.reserved]
        for which, rows in self.own.values():
            result[rows] = parents[which][rows]

    def counts(self) -> dict[str, int]:
        """Rows by what they are made of."""
        own = {f"own of {language}": len(rows) for language, (_, rows) in self.own.items()}
        return {"by the rule": self.size - len(self.reserved) - sum(own.values()), "reserved": len(self.reserved)} | own


def match(parents: Sequence[Parent], lead: int, ancestor: Parent | None, vocabulary: Vocabulary) -> Rows:
    """Of parents with the same tokens. vocabulary: the lead's."""
    first = parents[lead]
    size = first.stored.config.vocab_size
    reserved = np.full(size, True)
    reserved[list(first.tokens.values())] = False
    reserved[: vocabulary.size] |= vocabulary.special
    kept = [number for role, number in vocabulary.special_ids.items() if role != "pad"]
    kept += [first.tokens[name] for name in UNKNOWN if name in first.tokens]
    reserved[kept] = False
    orders = [_order(first, one) for one in parents]
    return Rows(size, lead, orders, _order(first, ancestor) if ancestor else None, _tensor(np.flatnonzero(reserved)))


def _order(first: Parent, other: Parent) -> Tensor | None:
    """A row without token has any row: it is the lead's in the end."""
    size = first.stored.config.vocab_size
    if other.tokens == first.tokens and other.stored.config.vocab_size == size:
        return None
    found = np.zeros(size, np.int64)
    for token, row in first.tokens.items():
        found[row] = other.tokens[token]
    return _tensor(found)


def _in_order(value: Tensor, order: Tensor | None) -> Tensor:
    return value if order is None else value[order]


def _tensor(rows: NDArray[np.int64]) -> Tensor:
    return torch.from_numpy(rows)


def rows_by_language(opened: OpenedModel, paths: Sequence[Path], owned: Iterable[str], size: int) -> dict[str, Tensor]:
    """Of each language of `owned`, the rows of tokens that its text alone uses: in the held-out texts of `paths`, the
    same bytes of each language there is, `OWN_SHARE` of a token's occurrences and `FEWEST` of them at least."""
    counts = token_counts(opened, paths, size)
    total = np.sum(list(counts.values()), axis=0)
    return {
        language: _tensor(np.flatnonzero((total >= FEWEST) & (counts[language] >= OWN_SHARE * total)))
        for language in owned
        if language in counts
    }


def token_counts(opened: OpenedModel, paths: Sequence[Path], size: int) -> Mapping[str, NDArray[np.int64]]:
    """int64 [size] of each language of held-out texts."""
    found = held_out_texts(paths, language_bytes=COUNTED_BYTES, text_bytes=COUNTED_TEXT_BYTES)
    counts = {}
    for language, texts in found.texts.items():
        lines = [one.text for one in texts]
        ids = opened.tokenizer(lines, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        counts[language] = np.bincount(np.concatenate([np.array(one, np.int64) for one in ids]), minlength=size)
    return counts
