"""Bits a byte by pseudo-log-likelihood: every token of a text is hidden once, and what that costs the model is summed.

`original` hides one token at a time (Salazar et al. 2020, arXiv 1910.14659). `within_word_l2r` hides with it all later
tokens of its word (Kauf and Ivanova 2023, arXiv 2305.10588), since else a vocabulary of small pieces reads the rest of
each word that it is asked for, and looks better the smaller its pieces are.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from train.encoders.finite import check_finite
from train.encoders.hidden_places import HiddenPlaces
from train.encoders.opened import OpenedModel
from train.encoders.place import BATCH_TOKENS
from train.likelihood.token_windows import ReadBytes, TokenWindow, padded, tokenised
from train.likelihood.word_pieces import word_ends

Kind = Literal["original", "within_word_l2r"]
KINDS = ("within_word_l2r", "original")
MOST_LOGITS = 1 << 25  # of a batch: rows times words of the vocabulary


@dataclass(frozen=True)
class PseudoLikelihood:
    """Of each text: float64 and int64 [texts]. bits: of all its tokens; bytes: of its UTF-8; tokens: without the
    model's own marks. characters and lost: see `Tokenised`. bits / bytes compares over vocabularies."""

    bits: NDArray[np.float64]
    bytes: NDArray[np.int64]
    tokens: NDArray[np.int64]
    characters: NDArray[np.int64]
    lost: NDArray[np.int64]


def pseudo_likelihood(
    model: OpenedModel,
    texts: Sequence[str],
    kind: Kind = "within_word_l2r",
    *,
    batch_tokens: int = BATCH_TOKENS,
    progress: Callable[[int], None] | None = None,
) -> PseudoLikelihood:
    """A pass over a text's window for each of its tokens; progress is told how many bytes of the texts are done.

    Neither the order of the texts nor the size of batches changes the bits but by rounding. UserError where the model
    has no mask or no head for it.
    """
    places = HiddenPlaces(model)
    found = tokenised(model, texts)
    bits, tokens = np.zeros(len(texts)), np.zeros(len(texts), np.int64)
    for window in found.windows:
        tokens[window.text] += window.tokens
    read = ReadBytes(progress, texts, found.windows)
    rows_at_once = max(1, MOST_LOGITS // int(model.config.vocab_size))
    ordered = sorted(found.windows, key=lambda window: -len(window.ids))
    for group in _groups(ordered, model.place.batch_tokens(batch_tokens), rows_at_once):
        asked = _asked(group, kind, places.mask_id)
        rows = torch.arange(len(asked.ids))
        columns = torch.from_numpy(asked.places)
        logs = places.log_probabilities(padded(asked.ids, model.tokenizer), rows, columns)
        of_targets = logs[rows, torch.from_numpy(asked.targets).to(logs.device)]
        np.add.at(bits, asked.texts, of_targets.double().cpu().numpy() / -math.log(2))
        read.add(len(rows))
    check_finite(model, bits)
    sizes = np.array([len(text.encode("utf-8", "surrogatepass")) for text in texts], np.int64)
    return PseudoLikelihood(bits, sizes, tokens, found.characters, found.lost)


Part = tuple[TokenWindow, int, int]  # the tokens from .. to of a window are asked


def _groups(windows: Sequence[TokenWindow], batch_tokens: int, most_rows: int) -> Iterator[list[Part]]:
    """What is asked together: of windows that come longest first, no more tokens and rows than there may be."""
    group: list[Part] = []
    left = 0
    for window in windows:
        begin = 0
        while begin < window.tokens:
            if not group:
                left = max(1, min(most_rows, batch_tokens // len(window.ids)))
            end = min(window.tokens, begin + left)
            group.append((window, begin, end))
            left -= end - begin
            begin = end
            if not left:
                yield group
                group = []
    if group:
        yield group


@dataclass(frozen=True)
class _Asked:
    """ids: a row for each token that is asked for, of its window, hidden places masked. places, targets, texts: int64
    [rows], where it stands, its id, and the number of its text."""

    ids: list[NDArray[np.int64]]
    places: NDArray[np.int64]
    targets: NDArray[np.int64]
    texts: NDArray[np.int64]


def _asked(group: Sequence[Part], kind: Kind, mask: int) -> _Asked:
    ids: list[NDArray[np.int64]] = []
    places, targets, texts = [], [], []
    for window, begin, end in group:
        place = np.arange(begin, end) + window.first
        behind = place + 1 if kind == "original" else word_ends(window.words)[begin:end] + window.first
        columns = np.arange(len(window.ids))
        hidden = (columns >= place[:, None]) & (columns < behind[:, None])
        ids += list(np.where(hidden, mask, window.ids))
        places.append(place)
        targets.append(window.ids[place])
        texts.append(np.full(len(place), window.text))
    return _Asked(ids, np.concatenate(places), np.concatenate(targets), np.concatenate(texts))
