"""Regression to the teachers' sentence vectors (Reimers and Gurevych 2020, arXiv 2004.09813), whatever their
vocabularies."""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from train.model.heads import MaskedLanguageModel
from train.model.layers import Linear
from train.model.pooling import pooled
from train.objectives.objective import Asked, Built, Objective, sums_by_language
from train.teachers.routing import SentenceVectorsLabeller
from train.teachers.teachers import Teachers


class SentenceVectors(Objective):
    """1 - cosine between the teacher's vector of a sequence and the student's, which a linear map of its own for each
    teacher takes into that teacher's space. A unit is a sequence.

    That is half of the squared distance of the unit vectors. Reimers and Gurevych take the squared distance of the
    vectors as they are, which is defined by one teacher's scale: with several, or of several widths, the loss would be
    that of the longest vectors. The teacher reads the text itself, the student the hidden one of the batch.
    """

    def __init__(self, labeller: SentenceVectorsLabeller, teachers: Teachers, pooling: str) -> None:
        self.labeller, self.teachers, self.pooling = labeller, teachers, pooling

    @classmethod
    def build(cls, built: Built) -> Self:
        pooling = built.table.pooling
        return cls(SentenceVectorsLabeller(built.teachers.routes, pooling), built.teachers, pooling)

    def bind(self, model: MaskedLanguageModel, device: torch.device, dtype: torch.dtype) -> None:
        width = model.config.hidden_size
        maps = {name: Linear(width, shape.hidden_size, bias=True) for name, shape in self.teachers.shapes.items()}
        self.module = nn.ModuleDict(maps)
        self.teachers.open(device, dtype)

    def check_shown(self, languages: Sequence[str]) -> None:
        self.teachers.check_shown(languages)

    def __call__(self, asked: Asked, weight: Tensor) -> tuple[Tensor, Tensor]:
        assert isinstance(self.module, nn.ModuleDict)
        language, vectors = asked.arrays["language"], self.teachers.sentence_vectors(asked.batch, self.pooling)
        students = student_vectors(asked, self.teachers.names, self.pooling)
        losses = []
        # All maps take part, also for no sequence: each process has to give a gradient of every parameter.
        for (name, wanted), student in zip(vectors.items(), students, strict=True):
            losses.append(1 - cosine_similarity(self.module[name](student), wanted, dim=1))
        each = torch.cat(losses)
        sums = sums_by_language(language, each, torch.zeros_like(each), torch.ones_like(each), len(weight))
        return (each * weight[language]).sum(), sums


def student_vectors(asked: Asked, names: Sequence[str], pooling: str) -> list[Tensor]:
    """Of the sequences that a SentenceVectorsLabeller names, float32 [sequences, hidden_size] by teacher."""
    lengths = [asked.arrays[f"{name}.lengths"] for name in names]
    if pooling == "cls":
        counts = [len(one) for one in lengths]
        return list(pooled(asked.hidden[: sum(counts)]).split(counts))  # behind them what fills a batch up
    tokens = [asked.arrays[f"{name}.student"] for name in names]
    pairs = zip(tokens, lengths, strict=True)
    return [pooled(asked.hidden.index_select(0, own), length) for own, length in pairs]
