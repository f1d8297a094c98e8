"""Distillation of the teachers' guesses (Hinton et al. 2015, arXiv 1503.02531), each of the texts of its languages."""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from train.model.heads import MaskedLanguageModel
from train.model.soft_targets import SoftTargets, soft_divergence, soft_targets
from train.objectives.objective import Asked, Built, Objective, sums_by_language
from train.optim.schedule import Schedule
from train.teachers.routing import DistillationLabeller
from train.teachers.teachers import Teachers


class Distillation(Objective):
    """T ** 2 * KL(teacher || student) of softmaxes with temperature T, at the tokens that masked language modelling
    hides, over the teacher's `top_k` likeliest tokens and all the others as one class.

    Both read the hidden text. a * T ** 2 * KL + (1 - a) * CE is a weight of a here and of 1 - a for `mlm`. A hit: the
    student's first token is the teacher's. Of a language without teacher there is no such loss.
    """

    guesses = True

    def __init__(self, labeller: DistillationLabeller, teachers: Teachers, temperature: float, top_k: int) -> None:
        self.labeller, self.teachers = labeller, teachers
        self.temperature, self.top_k = temperature, top_k

    @classmethod
    def build(cls, built: Built) -> Self:
        teachers: Teachers = built.teachers
        teachers.need_same_tokens("distillation", built.config.data.tokenizer)
        most = max(value for _, value in Schedule.parse(built.config.mlm.mlm_probability).points)
        labeller = DistillationLabeller(teachers.routes, most)
        return cls(labeller, teachers, built.table.temperature, built.table.top_k)

    def bind(self, model: MaskedLanguageModel, device: torch.device, dtype: torch.dtype) -> None:
        self.teachers.open(device, dtype)
        self.teachers.need_heads()

    def check_shown(self, languages: Sequence[str]) -> None:
        self.teachers.check_shown(languages)

    def __call__(self, asked: Asked, weight: Tensor) -> tuple[Tensor, Tensor]:
        language, student = asked.arrays["language"], asked.model
        # Behind the languages' places may be those that fill a batch up.
        vectors = student.head(asked.hidden[: len(language)])
        counts = [len(asked.arrays[f"{name}.places"]) for name in self.teachers.names]
        total, found = torch.zeros((), device=vectors.device), []
        parts = zip(vectors.split(counts), language.split(counts), strict=True)
        for (hidden, languages), answer in zip(parts, self.teachers.answers(asked.batch).values(), strict=True):
            # Of both the rows of tokens that the other one lacks are no classes.
            size = min(student.config.vocab_size, answer.model.config.vocab_size)
            loss, losses, correct = soft_divergence(
                hidden,
                student.model.token_embeddings,
                student.decoder.bias,
                size,
                self._targets(answer.model, answer.hidden, size),
                self.temperature,
                weight[languages],
            )
            total = total + loss
            found.append(sums_by_language(languages, losses, correct, torch.ones_like(losses), len(weight)))
        return total, torch.stack(found).sum(0)

    @torch.no_grad()
    def _targets(self, teacher: MaskedLanguageModel, hidden: Tensor, size: int) -> SoftTargets:
        return soft_targets(
            teacher.head(hidden),
            teacher.model.token_embeddings,
            teacher.decoder.bias,
            size,
            self.top_k,
            self.temperature,
        )
