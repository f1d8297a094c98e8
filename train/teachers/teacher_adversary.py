"""Features that a discriminator cannot tell from a teacher's: distillation by gradient reversal (Ganin et al. 2016,
arXiv 1505.07818), which asks for the teacher's distribution of vectors and not for its vector of each text."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from train.data.batches import Labels, Sequences
from train.model.heads import MaskedLanguageModel
from train.model.layers import Linear
from train.objectives.discriminator import Discriminator, Turning, reverse, told_apart
from train.objectives.objective import Asked, Built, Objective, sums_by_language
from train.teachers.routing import SentenceVectorsLabeller
from train.teachers.sentence_vectors import student_vectors
from train.teachers.teachers import Teachers

STUDENT, TEACHER = 0, 1  # classes


@dataclass(frozen=True)
class TeacherAdversaryLabeller:
    """What sentence vectors ask, each sequence twice: as the student's and as the teacher's. `strength`, float32 [1]:
    of the reversal in this step."""

    vectors: SentenceVectorsLabeller
    strength: Callable[[int], float]

    def __call__(self, sequences: Sequences, step: int, found: Mapping[str, Labels]) -> Labels:
        labels = self.vectors(sequences, step, found)
        strength = np.array([self.strength(step)], np.float32)
        return replace(labels, arrays={**labels.arrays, "strength": strength}, units=2 * labels.units)

    def pad(self, labels: Labels, tokens: int) -> Labels:
        return self.vectors.pad(labels, tokens)


class TeacherAdversary(Objective):
    """Cross-entropy of whose a vector is, which a discriminator for each teacher learns to lower and the student to
    raise. A sequence is two units, so that both classes are of one size.

    Where their widths differ a linear map takes the student's vectors into the teacher's space. It is on the student's
    side, and gradients are turned behind it, though it learns by the discriminator's optimiser. The teacher reads the
    text itself, the student the hidden one of the batch.
    """

    def __init__(
        self, labeller: TeacherAdversaryLabeller, teachers: Teachers, size: int, learning_rate: float
    ) -> None:  # fmt: skip
        self.labeller, self.teachers, self.size, self.learning_rate = labeller, teachers, size, learning_rate
        self.pooling = labeller.vectors.pooling

    @classmethod
    def build(cls, built: Built) -> Self:
        table = built.table
        turning = Turning(table.reversal, table.ratio, built.config.run.steps)
        labeller = TeacherAdversaryLabeller(SentenceVectorsLabeller(built.teachers.routes, table.pooling), turning)
        return cls(labeller, built.teachers, table.discriminator_size, table.discriminator_learning_rate)

    def bind(self, model: MaskedLanguageModel, device: torch.device, dtype: torch.dtype) -> None:
        own = model.config.hidden_size
        self.module = nn.ModuleDict()
        for name, shape in self.teachers.shapes.items():
            width = shape.hidden_size
            parts: dict[str, nn.Module] = {"discriminator": Discriminator(width, self.size, 2)}
            if width != own:
                parts["map"] = Linear(own, width, bias=True)
            self.module[name] = nn.ModuleDict(parts)
        self.teachers.open(device, dtype)

    def check_shown(self, languages: Sequence[str]) -> None:
        self.teachers.check_shown(languages)

    def __call__(self, asked: Asked, weight: Tensor) -> tuple[Tensor, Tensor]:
        assert isinstance(self.module, nn.ModuleDict)
        vectors = self.teachers.sentence_vectors(asked.batch, self.pooling)
        students = student_vectors(asked, self.teachers.names, self.pooling)
        losses, correct = list[Tensor](), list[Tensor]()
        # All discriminators take part, also for no sequence: each process has to give a gradient of every parameter.
        for (name, theirs), ours in zip(vectors.items(), students, strict=True):
            parts = self.module[name]
            assert isinstance(parts, nn.ModuleDict)
            mapped = parts["map"](ours) if "map" in parts else ours
            both = torch.cat((reverse(mapped, asked.arrays["strength"]), theirs))
            classes = torch.full((len(both),), TEACHER, device=both.device)
            classes[: len(ours)] = STUDENT
            loss, hits = told_apart(parts["discriminator"], both, classes)
            losses.append(loss.view(2, -1).sum(0))
            correct.append(hits.view(2, -1).sum(0))
        each, language = torch.cat(losses), asked.arrays["language"]
        sums = sums_by_language(language, each, torch.cat(correct), torch.full_like(each, 2), len(weight))
        return (each * weight[language]).sum(), sums
