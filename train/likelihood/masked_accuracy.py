"""Masked accuracy and loss: of each text 15 % of the tokens are hidden together, by hash.

The share is that of BERT (Devlin et al. 2019, arXiv 1810.04805); a hidden token always becomes the mask. Which tokens
are hidden depends on the text's id and the token's place alone, so models of one vocabulary are asked the same ones,
and only they compare: a vocabulary of small pieces asks for more and easier ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from train.corpus.hashing import HIDDEN, combine, hash_id
from train.encoders.finite import check_finite
from train.encoders.hidden_places import HiddenPlaces
from train.encoders.opened import OpenedModel
from train.encoders.place import BATCH_TOKENS
from train.likelihood.held_out_texts import HeldOutText
from train.likelihood.pseudo_likelihood import MOST_LOGITS
from train.likelihood.token_windows import ReadBytes, TokenWindow, padded, tokenised

SHARE = 0.15


@dataclass(frozen=True)
class MaskedAccuracy:
    """Of each text [texts]: hidden and right, int64, tokens; loss: float64, the sum of their cross-entropy in nats."""

    hidden: NDArray[np.int64]
    right: NDArray[np.int64]
    loss: NDArray[np.float64]


def masked_accuracy(
    model: OpenedModel,
    texts: Sequence[HeldOutText],
    *,
    share: float = SHARE,
    batch_tokens: int = BATCH_TOKENS,
    progress: Callable[[int], None] | None = None,
) -> MaskedAccuracy:
    """A pass over each text; of each window that share of its tokens is hidden, rounded, and one at least. progress is
    told how many bytes of the texts are done. UserError where the model has no mask or no head for it."""
    places = HiddenPlaces(model)
    windows = tokenised(model, [one.text for one in texts]).windows
    hidden, right, loss = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.int64), np.zeros(len(texts))
    windows.sort(key=lambda window: -len(window.ids))
    most = max(1, int(MOST_LOGITS / share) // int(model.config.vocab_size))
    read = ReadBytes(progress, [one.text for one in texts], windows)
    begin, room = 0, model.place.batch_tokens(batch_tokens)
    while begin < len(windows):
        count = max(1, min(room, most) // len(windows[begin].ids))
        group = windows[begin : begin + count]
        begin += count
        chosen = [hidden_tokens(texts[window.text].id, window, share) + window.first for window in group]
        rows = np.repeat(np.arange(len(group)), list(map(len, chosen)))
        columns = np.concatenate(chosen)
        inputs = padded([window.ids for window in group], model.tokenizer)
        targets = inputs["input_ids"][rows, columns].clone()
        inputs["input_ids"][rows, columns] = places.mask_id
        logs = places.log_probabilities(inputs, torch.from_numpy(rows), torch.from_numpy(columns)).cpu()
        owners = np.array([window.text for window in group])[rows]
        np.add.at(hidden, owners, 1)
        np.add.at(right, owners, (logs.argmax(-1) == targets).numpy())
        np.add.at(loss, owners, -logs[torch.arange(len(targets)), targets].double().numpy())
        read.add(sum(window.tokens for window in group))
    check_finite(model, loss)
    return MaskedAccuracy(hidden, right, loss)


def hidden_tokens(identity: str, window: TokenWindow, share: float = SHARE) -> NDArray[np.int64]:
    """The places in a window's text of the tokens that are hidden, sorted: those of the lowest hashes."""
    keys = combine(HIDDEN, np.uint64(hash_id(identity)), np.arange(window.begin, window.begin + window.tokens))
    count = max(1, round(share * window.tokens))
    return np.sort(np.argsort(keys, kind="stable")[:count])
