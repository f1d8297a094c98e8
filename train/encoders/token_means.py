"""Vectors of words without asking the encoder: of the rows that their tokens have in its table of embeddings."""

from collections.abc import Sequence

import numpy as np
import torch

from train.encoders.finite import check_finite
from train.encoders.opened import OpenedModel
from train.encoders.vectors import TEXTS_AT_ONCE, Vectors, side_by_side


@torch.inference_mode()
def token_means(model: OpenedModel, words: Sequence[str]) -> Vectors:
    """float32 [words, width]: the mean of the rows of each word's tokens, <s> and </s> left out; zeros of a word
    without tokens. Of an ensemble the members' side by side, of length 1 each. UserError for rows that are not
    finite."""
    if len(model.members) > 1:
        return side_by_side([token_means(one, words) for one in model.members])
    rows = model.encoder.get_input_embeddings().weight.float()
    result = np.empty((len(words), rows.shape[1]), np.float32)
    for begin in range(0, len(words), TEXTS_AT_ONCE):
        ids = model.tokenizer(list(words[begin : begin + TEXTS_AT_ONCE]), add_special_tokens=False)["input_ids"]
        flat = torch.tensor([one for each in ids for one in each], dtype=torch.int64, device=rows.device)
        starts = torch.tensor(np.cumsum([0, *map(len, ids)])[:-1], dtype=torch.int64, device=rows.device)
        found = torch.nn.functional.embedding_bag(flat, rows, starts, mode="mean")
        check_finite(model, found)
        result[begin : begin + len(ids)] = found.cpu().numpy()
    return result
