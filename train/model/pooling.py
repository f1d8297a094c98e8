"""Vectors of sequences from those of their tokens."""

import torch
from torch import Tensor


def pooled(hidden: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Of each sequence the mean of its tokens, <s> and </s> among them, as sentence-transformers has it; or its <s>.

    hidden: with `lengths`, int64 [sequences], which add up to T, [T, width] of concatenated sequences; without, the
    vectors of <s> alone, [sequences, width]. The answer is [sequences, width], in float32 at least, 0 for a sequence of
    no tokens. It and its gradient are the same at every run on a GPU too, which those of index_add would not be.
    """
    exact = hidden.to(torch.promote_types(hidden.dtype, torch.float32))
    if lengths is None or not len(lengths):
        return exact
    # unsafe: the lengths are not checked, for which the device would have to be waited for.
    return torch.segment_reduce(exact, "mean", lengths=lengths, unsafe=True, initial=0.0)
