"""A model of transformers with its tokens in another one's rows."""

from copy import deepcopy
from typing import Any

import torch

from schemas.errors import UserError
from train.encoders.opened import OpenedModel

KIND = "AutoModelForMaskedLM"


@torch.no_grad()
def in_rows_of(first: OpenedModel, other: OpenedModel) -> OpenedModel:
    """The other, asked in the first's tokens: rows are matched by the tokens' strings, and those without a token keep
    their order. Itself where all lie so already, else a copy in memory. UserError where they have not the same tokens.
    """
    tokens, own = first.tokenizer.get_vocab(), other.tokenizer.get_vocab()
    if tokens == own:
        return other
    if tokens.keys() != own.keys():
        raise UserError(
            f"--parent {first.given} and {other.given} have not the same tokens: bring them into one vocabulary first "
            "(train/fuse.py vocabulary)"
        )
    module = deepcopy(other.model(KIND, "masked words"))
    inputs, outputs = module.get_input_embeddings(), module.get_output_embeddings()
    size = len(inputs.weight)
    spare = [sorted({*range(size)} - {*of.values()}) for of in (tokens, own)]
    order = torch.empty(size, dtype=torch.int64)
    order[[*tokens.values(), *spare[0]]] = torch.tensor([*(own[one] for one in tokens), *spare[1]])
    tables: dict[int, Any] = {one.data_ptr(): one for one in (inputs.weight, outputs.weight, outputs.bias)}
    for table in tables.values():  # weights that are tied are one
        table.copy_(table[order.to(table.device)])
    found = other.holding(KIND, module)
    found.tokenizer = first.tokenizer
    return found
