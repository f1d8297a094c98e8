"""A task as training sees it: rows of features, and the loss of some of them."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from train.encoders.batches import Encoded, pad_rows
from train.encoders.opened import OpenedModel, on_device
from train.encoders.vectors import pool
from train.finetuning.settings import FinetuneSettings
from train.tasks import embedding, sequence, span, token
from train.tasks.running import accepted

SCALE = 20.0  # of cosines, as sentence-transformers' MultipleNegativesRankingLoss


class Lesson(Protocol):
    """kind: of transformers' classes. lengths: tokens of each row. no_answer: whether a question may have none."""

    kind: str
    no_answer: bool
    lengths: list[int]

    def loss(self, model: OpenedModel, rows: Sequence[int]) -> Tensor:
        """0-d float32, a mean; the model holds the one that is trained."""
        ...


def lesson_of(
    settings: FinetuneSettings, model: OpenedModel, examples: Sequence[Any], labels: Sequence[str], max_tokens: int
) -> Lesson:
    """UserError for an example that cannot be learnt, as an answer that is not in its context."""
    if settings.task in ("sequence", "pair"):
        return _Texts(model, examples, labels, max_tokens, settings.label_smoothing)
    if settings.task == "token":
        return _Words(model, examples, labels, max_tokens, settings.label_smoothing)
    if settings.task == "span":
        return _Spans(model, examples, max_tokens, settings.doc_stride, settings.label_smoothing)
    return _Vectors(model, examples, max_tokens, settings)


def kind_of(settings: FinetuneSettings) -> str:
    kinds = {"token": token.KIND, "span": span.KIND, "embedding": embedding.KIND}
    return kinds.get(settings.task, sequence.KIND)


class _Texts:
    kind, no_answer = sequence.KIND, False

    def __init__(
        self, model: OpenedModel, examples: Sequence[Any], labels: Sequence[str], max_tokens: int, smoothing: float
    ) -> None:
        made = sequence.features(model.tokenizer, examples, max_tokens, labels)
        self.encoded, self.smoothing = made.encoded, smoothing
        self.numbers = tuple(labels) == (sequence.SCORE,)
        self.targets = torch.tensor(made.targets, dtype=torch.float32 if self.numbers else torch.int64)
        self.lengths = _lengths(self.encoded)

    def loss(self, model: OpenedModel, rows: Sequence[int]) -> Tensor:
        logits = _run(model, self.kind, self.encoded, rows)[0].logits.float()
        targets = self.targets[list(rows)].to(logits.device, non_blocking=True)
        if self.numbers:
            return F.mse_loss(logits[:, 0], targets)
        return F.cross_entropy(logits, targets, label_smoothing=self.smoothing)


class _Words:
    kind, no_answer = token.KIND, False

    def __init__(
        self, model: OpenedModel, examples: Sequence[Any], labels: Sequence[str], max_tokens: int, smoothing: float
    ) -> None:
        made = token.features(model.tokenizer, examples, max_tokens, labels)
        self.encoded, self.tags, self.smoothing = made.encoded, made.tags, smoothing
        self.lengths = _lengths(self.encoded)

    def loss(self, model: OpenedModel, rows: Sequence[int]) -> Tensor:
        logits = _run(model, self.kind, self.encoded, rows)[0].logits.float()
        tags = np.full(logits.shape[:2], token.IGNORED, np.int64)
        for place, row in enumerate(rows):
            tags[place, : len(self.tags[row])] = self.tags[row]
        targets = torch.from_numpy(tags).to(logits.device, non_blocking=True).flatten()
        # A sum over those that count, so that a batch without any is 0 and not NaN.
        total = F.cross_entropy(
            logits.flatten(0, 1), targets, ignore_index=token.IGNORED, label_smoothing=self.smoothing, reduction="sum"
        )
        return total / max(1, int((tags != token.IGNORED).sum()))


class _Spans:
    kind = span.KIND

    def __init__(
        self, model: OpenedModel, examples: Sequence[Any], max_tokens: int, stride: int, smoothing: float
    ) -> None:
        made = span.features(model.tokenizer, examples, max_tokens, stride)
        self.encoded, self.smoothing = made.encoded, smoothing
        self.no_answer = any(one.impossible for one in examples)
        self.begins, self.ends = torch.tensor(made.begins), torch.tensor(made.ends)
        self.lengths = _lengths(self.encoded)

    def loss(self, model: OpenedModel, rows: Sequence[int]) -> Tensor:
        output, _ = _run(model, self.kind, self.encoded, rows)
        losses = [
            F.cross_entropy(
                logits.float(),
                places[list(rows)].to(logits.device, non_blocking=True),
                label_smoothing=self.smoothing,
            )
            for logits, places in ((output.start_logits, self.begins), (output.end_logits, self.ends))
        ]
        return (losses[0] + losses[1]) / 2


class _Vectors:
    """With scores the cosine comes near them (Reimers and Gurevych 2019, arXiv 1908.10084), scaled so that their
    highest is 1; without, a first text picks its second one out of the batch (InfoNCE: van den Oord et al. 2018, arXiv
    1807.03748; Henderson et al. 2017, arXiv 1705.00652)."""

    kind, no_answer = embedding.KIND, False

    def __init__(
        self, model: OpenedModel, examples: Sequence[Any], max_tokens: int, settings: FinetuneSettings
    ) -> None:
        made = embedding.features(model.tokenizer, examples, max_tokens)
        self.first, self.second, self.pooling = made.first, made.second, settings.vector_pooling
        scores = torch.tensor(made.scores, dtype=torch.float32)
        self.scores = scores / max(1.0, float(scores.abs().max())) if len(scores) else None
        self.smoothing = settings.label_smoothing
        self.lengths = [sum(both) for both in zip(_lengths(self.first), _lengths(self.second), strict=True)]

    def loss(self, model: OpenedModel, rows: Sequence[int]) -> Tensor:
        first, second = (self._vectors(model, encoded, rows) for encoded in (self.first, self.second))
        if self.scores is not None:
            cosines = (first * second).sum(1)
            return F.mse_loss(cosines, self.scores[list(rows)].to(cosines.device, non_blocking=True))
        right = torch.arange(len(rows), device=first.device)
        return F.cross_entropy(first @ second.T * SCALE, right, label_smoothing=self.smoothing)

    def _vectors(self, model: OpenedModel, encoded: Encoded, rows: Sequence[int]) -> Tensor:
        output, mask = _run(model, self.kind, encoded, rows)
        return F.normalize(pool(output.last_hidden_state.float(), mask, self.pooling), dim=1)


def _lengths(encoded: Encoded) -> list[int]:
    return [len(ids) for ids in encoded["input_ids"]]


def _run(model: OpenedModel, kind: str, encoded: Encoded, rows: Sequence[int]) -> tuple[Any, Tensor]:
    """(what the model says, attention mask [B, T])."""
    module = model.model(kind)
    picked = {name: [lists[row] for row in rows] for name, lists in accepted(module, encoded).items()}
    inputs = on_device(pad_rows(picked, range(len(rows)), model.tokenizer), model.place)
    with model.place.autocast():
        return module(**inputs), inputs["attention_mask"]
