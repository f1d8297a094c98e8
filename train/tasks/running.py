"""A model with its head over encoded sequences, in padded batches, in inference mode."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import torch
from numpy.typing import NDArray

from schemas.errors import UserError
from train.encoders.batches import Encoded, padded_batches
from train.encoders.finite import check_finite
from train.encoders.opened import OpenedModel, on_device
from train.encoders.place import BATCH_TOKENS

Progress = Callable[[int], None]
"""Is told how many examples more have been answered."""
AT_ONCE = 1024  # examples that are sorted by length together
SHORTEST = 8  # tokens that a sequence must be allowed

Item = TypeVar("Item")


def outputs(
    model: OpenedModel, kind: str, needs: str, encoded: Encoded, batch_tokens: int = BATCH_TOKENS
) -> Iterator[tuple[NDArray[Any], Any]]:
    """(numbers of the sequences, what the model of that kind says of them), a padded batch at a time."""
    module = model.model(kind, needs)
    for batch in padded_batches(accepted(module, encoded), model.tokenizer, model.place.batch_tokens(batch_tokens)):
        # Both end before the yield: its caller's code between batches is its own.
        with torch.inference_mode(), model.place.autocast():
            said = module(**on_device(batch.inputs, model.place))
        check_finite(model, *(value for name, value in said.items() if name.endswith("logits")))
        yield batch.rows, said


def accepted(module: Any, encoded: Encoded) -> Encoded:
    """Without what the model does not take, as token types, which some tokenizers give to all."""
    names = inspect.signature(module.forward).parameters
    return {name: lists for name, lists in encoded.items() if name in names}


def limit(model: OpenedModel, max_tokens: int) -> int:
    """Tokens of a sequence at most: max_tokens, or with 0 the model's own limit. UserError beyond it."""
    if max_tokens > model.longest:
        raise UserError(
            f"--max-tokens {max_tokens}: --model {model.given} takes {model.longest} at most: lower --max-tokens"
        )
    if 0 < max_tokens < SHORTEST:
        raise UserError(f"--max-tokens {max_tokens} leaves no room for a text: take {SHORTEST} or more")
    return max_tokens or model.longest


def in_parts(items: Sequence[Item], progress: Progress | None) -> Iterator[Sequence[Item]]:
    """So many that memory does not grow with them; progress is told when the next part is asked for."""
    for first in range(0, len(items), AT_ONCE):
        part = items[first : first + AT_ONCE]
        yield part
        if progress:
            progress(len(part))
