"""Translations near, all others far: InfoNCE (van den Oord et al. 2018, arXiv 1807.03748) over the pairs of a step, in
both directions, as LaBSE has it (Feng et al. 2022, arXiv 2007.01852)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from train.data.batches import FEWEST_TOKENS, Labels, Sequences
from train.model.pooling import pooled
from train.objectives.objective import PLACES, Asked, Built, Objective, sums_by_language

LENGTHS = "lengths"  # of the sequences, where a sequence's vector is the mean of its tokens


@dataclass(frozen=True)
class SentenceLabeller:
    """`language`, int64 [2P], of P queries and then of their P translations, each of which asks for the other; for the
    mean `lengths`, int64 [2P], or [2P + 1] where padding is a sequence behind them; for cls `places`, int64 [2P]."""

    languages: int
    pooling: str
    joined: ClassVar[bool] = False

    def __call__(self, sequences: Sequences, step: int, found: Mapping[str, Labels]) -> Labels:
        lengths, language = sequences.lengths, sequences.language
        arrays = {PLACES: np.cumsum(lengths) - lengths} if self.pooling == "cls" else {LENGTHS: lengths}
        return Labels(arrays | {"language": language}, np.bincount(language, minlength=self.languages))

    def pad(self, labels: Labels, tokens: int) -> Labels:
        arrays = dict(labels.arrays)
        if LENGTHS in arrays:
            arrays[LENGTHS] = np.append(arrays[LENGTHS], tokens - arrays[LENGTHS].sum())
        if PLACES in arrays:  # those behind the languages' count for nothing
            spare = max(0, tokens // FEWEST_TOKENS - len(arrays[PLACES]))
            arrays[PLACES] = np.pad(arrays[PLACES], (0, spare))
        return Labels(arrays, labels.units, labels.input_ids)


class Contrastive(Objective):
    """The cross-entropy of a sentence's translation among those of all pairs of the step, by cosine over temperature.

    A unit is a sentence, counted for its own language; a hit is a translation that is nearer than all others.
    """

    def __init__(self, labeller: SentenceLabeller, temperature: float) -> None:
        self.labeller, self.temperature = labeller, temperature

    @classmethod
    def build(cls, built: Built) -> Self:
        return cls(SentenceLabeller(len(built.languages), built.table.pooling), built.table.temperature)

    def __call__(self, asked: Asked, weight: Tensor) -> tuple[Tensor, Tensor]:
        language = asked.arrays["language"]
        losses, hits = info_nce(sentence_vectors(asked), self.temperature, device_group())
        total = (losses * weight[language]).sum()
        return total, sums_by_language(language, losses, hits, torch.ones_like(hits), len(weight))


class RetrievalVectors(Objective):
    """No loss: in place of the SUMS it gives the vectors of the sequences, which retrieval compares."""

    def __call__(self, asked: Asked, weight: Tensor) -> tuple[Tensor, Tensor]:
        return asked.hidden.new_zeros(()), sentence_vectors(asked)


def sentence_vectors(asked: Asked) -> Tensor:
    """Of the 2P sequences, [2P, hidden_size], of length 1, in float32 at least; the mean is over <s> and </s> too."""
    return normalize(pooled(asked.hidden, asked.arrays.get(LENGTHS))[: len(asked.arrays["language"])], dim=1)


def info_nce(vectors: Tensor, temperature: float, group: dist.ProcessGroup | None) -> tuple[Tensor, Tensor]:
    """(losses of this process' P queries and P translations, [2P], with gradient; bool [2P], hits).

    vectors [2P, H], of length 1; pair i are rows i and P + i. Every process of `group` has as many. With s_ij the
    cosine of query i and translation j over all processes, over the temperature, a query's loss is
    -log(exp s_ii / sum_j exp s_ij), a translation's -log(exp s_ii / sum_j exp s_ji). The gradient of a process' vectors
    has the losses of all processes in it, so that the sum over processes is that of one with all pairs.
    """
    own = vectors.unflatten(0, (2, -1))
    every, first = (own[None], 0) if group is None else (Gathered.apply(own, group), dist.get_rank(group))
    pairs = own.shape[1]
    others = every.transpose(0, 1).flatten(1, 2).flip(0)  # [2, pairs of all, H]: translations, queries
    logits = ((own @ others.transpose(1, 2)) / temperature).flatten(0, 1)
    labels = (torch.arange(pairs, device=own.device) + first * pairs).repeat(2)
    losses = cross_entropy(logits, labels, reduction="none")
    with torch.no_grad():
        hits = (logits >= logits.gather(1, labels[:, None])).sum(1) == 1
    return losses, hits


class Gathered(torch.autograd.Function):
    """A tensor of every process, [processes, ...], in each of them. Its gradient comes from all of their losses."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, group: dist.ProcessGroup) -> Tensor:
        ctx.group = group
        processes = dist.get_world_size(group)
        every = own.new_empty(processes * len(own), *own.shape[1:])  # the form that gloo takes too
        dist.all_gather_into_tensor(every, own.contiguous(), group=group)
        return every.unflatten(0, (processes, -1))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total, group=ctx.group)
        return total[dist.get_rank(ctx.group)], None


def device_group() -> dist.ProcessGroup | None:
    """The processes that bring their gradients together; None where there is one alone."""
    return dist.group.WORLD if dist.is_available() and dist.is_initialized() else None
