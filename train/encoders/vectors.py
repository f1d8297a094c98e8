"""Vectors of sentences: of a layer, the mean of all tokens or the first one's."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from schemas.errors import UserError
from train.encoders.batches import padded_batches
from train.encoders.finite import check_finite
from train.encoders.opened import OpenedModel, on_device
from train.encoders.place import BATCH_TOKENS

Pooling = Literal["mean", "cls"]
POOLINGS = ("mean", "cls")
TEXTS_AT_ONCE = 4096  # sorted by length together
Vectors = NDArray[np.float32]


@dataclass
class Reading:
    """How texts become vectors. layer: of `hidden_states`, 0 the embeddings, -1 the last. max_tokens: a text is cut
    there, <s> and </s> included; 0: where the model's own limit is. truncated: texts that were cut so far."""

    pooling: Pooling = "mean"
    layer: int = -1
    max_tokens: int = 0
    batch_tokens: int = BATCH_TOKENS
    truncated: int = 0


def vectors(
    model: OpenedModel,
    texts: Iterable[str],
    reading: Reading,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Vectors]:
    """float32 [up to TEXTS_AT_ONCE, width] at a time, in the order of the texts; memory does not grow with them.

    progress is told how many texts have been read. UserError where there is no such layer, and for vectors that are not
    finite.
    """
    check_layer(model, reading.layer)
    iterator = iter(texts)
    while part := list(islice(iterator, TEXTS_AT_ONCE)):
        own = model.own_vectors(part, reading)
        yield _pooled(model, part, reading, [reading.layer])[0] if own is None else own
        if progress:
            progress(len(part))


def embed(model: OpenedModel, texts: Sequence[str], reading: Reading | None = None) -> Vectors:
    """float32 [texts, width]."""
    parts = list(vectors(model, texts, reading or Reading()))
    return np.concatenate(parts) if parts else np.empty((0, model.config.hidden_size), np.float32)


def embed_layers(
    model: OpenedModel, texts: Sequence[str], reading: Reading, progress: Callable[[int], None] | None = None
) -> Vectors:
    """float32 [layers + 1, texts, width], the embeddings first, in one pass; the reading's own layer does not count.
    UserError where the model is an ensemble, or has a map, which is of one layer."""
    if not model.one_module:
        raise UserError(f"--layer all asks one model for each of its layers, and {model.name} is more: name a layer")
    layers = range(model.config.num_hidden_layers + 1)
    found = np.empty((len(layers), len(texts), model.config.hidden_size), np.float32)
    for begin in range(0, len(texts), TEXTS_AT_ONCE):
        part = texts[begin : begin + TEXTS_AT_ONCE]
        found[:, begin : begin + len(part)] = _pooled(model, part, reading, layers)
        if progress:
            progress(len(part))
    return found


def check_layer(model: OpenedModel, layer: int) -> None:
    most = model.config.num_hidden_layers
    if not -most - 1 <= layer <= most:
        raise UserError(
            f"--layer {layer}: --model {model.given} has layers 0 (embeddings) to {most}, or -1 for the last"
        )


@torch.inference_mode()
def _pooled(model: OpenedModel, texts: Sequence[str], reading: Reading, layers: Sequence[int]) -> Vectors:
    """float32 [layers, texts, width]."""
    longest = min(reading.max_tokens or model.longest, model.longest)
    encoded: dict[str, Any] = dict(model.tokenizer(list(texts)))
    for name, lists in encoded.items():
        encoded[name] = [one if len(one) <= longest else [*one[: longest - 1], one[-1]] for one in lists]
        if name == "input_ids":
            reading.truncated += sum(len(one) > longest for one in lists)
    encoder = model.encoder
    result = np.empty((len(layers), len(texts), model.config.hidden_size), np.float32)
    last = (-1, model.config.num_hidden_layers)  # as the model gives it, behind its last norm
    read: list[tuple[NDArray[np.int64], torch.Tensor]] = []
    for batch in padded_batches(encoded, model.tokenizer, model.place.batch_tokens(reading.batch_tokens)):
        inputs = on_device(batch.inputs, model.place)
        with model.place.autocast():
            found = encoder(**inputs, output_hidden_states=any(layer not in last for layer in layers))
        states = [found.last_hidden_state if layer in last else found.hidden_states[layer] for layer in layers]
        pooled = [pool(hidden.float(), inputs["attention_mask"], reading.pooling) for hidden in states]
        read.append((batch.rows, torch.stack(pooled)))
    for rows, values in read:  # behind the last batch, since a copy waits for the device
        result[:, rows] = values.cpu().numpy()
    check_finite(model, result)
    return result


def pool(hidden: torch.Tensor, attention_mask: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """[B, T, width] and [B, T] to [B, width]. mean: of all tokens that are no padding, <s> and </s> among them, as
    sentence-transformers has it and `train.model.pooling`."""
    if pooling == "cls":
        return hidden[:, 0]
    weight = attention_mask[:, :, None].to(hidden.dtype)
    return (hidden * weight).sum(1) / weight.sum(1).clamp(min=1)


def side_by_side(parts: Sequence[Vectors]) -> Vectors:
    """float32 [texts, width of all]: each part's vectors made unit ones, by the root of how many parts there are. The
    cosine of two texts is the mean of their cosines in the parts."""
    found = []
    for one in parts:
        lengths = np.linalg.norm(one, axis=1, keepdims=True)
        found.append(one / np.where(lengths > 0, lengths, 1))
    return np.asarray(np.concatenate(found, 1) / np.sqrt(len(found)), np.float32)
