"""Texts as one of our models is trained on them: sequences of tokens, some of them hidden, packed into batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from schemas.errors import UserError
from train.corpus.hashing import HIDDEN, U64, combine, hash_id
from train.corpus.vocabulary import Vocabulary
from train.likelihood.held_out_texts import HeldOutText
from train.model.attention import AttentionLayout, build_layout
from train.model.heads import MaskedLanguageModel
from train.objectives.masking import choose, hide

SHARE = 0.3  # of the tokens are hidden: mlm_probability of training
TOKENS = 2048  # of a batch of several sequences


@dataclass(frozen=True)
class HiddenText:
    """input_ids: int64 [T], as the model sees them. targets: int64 [M], the hidden places; labels: what stood there.
    key: a hash of the seed and the text."""

    input_ids: NDArray[np.int64]
    targets: NDArray[np.int64]
    labels: NDArray[np.int64]
    key: int


@dataclass(frozen=True)
class HiddenBatch:
    """What a model takes: input_ids and positions, int64 [T]; layout; targets and labels, int64 [M]."""

    input_ids: Tensor
    positions: Tensor
    layout: AttentionLayout
    targets: Tensor
    labels: Tensor


def hidden_texts(
    texts: Sequence[HeldOutText], vocabulary: Vocabulary, *, max_seq_len: int, share: float = SHARE, seed: int = 0
) -> list[HiddenText]:
    """`<s> text </s>` of each, a long one cut into sequences of about one length, at most `max_seq_len`.

    Which tokens are hidden, and what stands there instead, hangs on the seed and the text alone. UserError where there
    is no token of text.
    """
    sequences, keys = list[NDArray[np.int64]](), list[U64]()
    around = [vocabulary.special_ids["bos"]], [vocabulary.special_ids["eos"]]
    room = max_seq_len - 2
    for one, ids in zip(texts, vocabulary.encode([one.text for one in texts]), strict=True):
        for number, part in enumerate(np.array_split(np.asarray(ids, np.int64), -(-len(ids) // room)) if ids else []):
            sequences.append(np.concatenate((around[0], part, around[1])).astype(np.int64))
            keys.append(combine(HIDDEN, seed, np.uint64(hash_id(one.id)), number))
    if not sequences:
        raise UserError("there is no token in these texts: give others")
    tokens, key = np.concatenate(sequences), np.concatenate(keys)
    lengths = np.array([len(one) for one in sequences])
    chosen = choose(tokens, lengths, key, vocabulary, share)
    seen = hide(tokens, lengths, key, vocabulary, chosen)
    ends = np.cumsum(lengths)
    bounds = np.searchsorted(chosen, ends)
    return [
        HiddenText(seen[end - length : end], places - (end - length), tokens[places], int(one))
        for end, length, places, one in zip(ends, lengths, np.split(chosen, bounds[:-1]), key, strict=True)
    ]


def check_vocabulary(model: MaskedLanguageModel, vocabulary: Vocabulary) -> None:
    """UserError where the model has no row for a token."""
    if vocabulary.size > model.config.vocab_size:
        raise UserError(
            f"{vocabulary.folder} has {vocabulary.size:,} tokens and the model {model.config.vocab_size:,}: "
            "take the model's own tokenizer"
        )


def batched(texts: Sequence[HiddenText], tokens: int = TOKENS) -> Iterator[list[HiddenText]]:
    """Neighbours, of so many tokens together or one alone."""
    group, filled = list[HiddenText](), 0
    for one in texts:
        if group and filled + len(one.input_ids) > tokens:
            yield group
            group, filled = [], 0
        group.append(one)
        filled += len(one.input_ids)
    if group:
        yield group


def packed(model: MaskedLanguageModel, texts: Sequence[HiddenText]) -> HiddenBatch:
    """On the model's device."""
    device, encoder = model.decoder.bias.device, model.model
    lengths = np.array([len(one.input_ids) for one in texts])
    begins = np.cumsum(lengths) - lengths
    found = (
        np.concatenate([one.input_ids for one in texts]),
        np.concatenate([np.arange(length) for length in lengths]),
        np.concatenate([one.targets + begin for one, begin in zip(texts, begins, strict=True)]),
        np.concatenate([one.labels for one in texts]),
    )
    input_ids, positions, targets, labels = (torch.from_numpy(one).to(device) for one in found)
    local = getattr(encoder.config, "local_attention", 1)  # BERT's layers see the whole sequence
    layout = build_layout(lengths, local, device, encoder.compute_dtype)
    return HiddenBatch(input_ids, positions, layout, targets, labels)
