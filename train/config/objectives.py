"""The tables [objectives.*]: what a model is trained on besides masked words, all of it off unless it is named."""

from dataclasses import dataclass
from typing import Literal

from schemas.errors import UserError
from train.config.fields import setting
from train.optim.schedule import Schedule


def _check_weight(text: str) -> None:
    if any(value < 0 for _, value in Schedule.parse(text).points):
        raise UserError("its values should be 0 or more")


def _check_share(text: str) -> None:
    if not all(0 < value < 1 for _, value in Schedule.parse(text).points):
        raise UserError("its values should be greater than 0 and less than 1")


def _weight(default: str = "1") -> str:
    description = "lambda of the objective in the loss, or its schedule: 0:1,1000:0.5"
    weight: str = setting(default, description, check=_check_weight)
    return weight


@dataclass(frozen=True)
class ObjectiveConfig:
    """What all have: the weight of the objective in the loss."""

    weight: str = _weight()


@dataclass(frozen=True)
class MaskedLanguageModelConfig(ObjectiveConfig):
    """[objectives.mlm]"""

    mlm_probability: str = setting(
        "0.3",
        "share of tokens to guess (ModernBERT; BERT 0.15), or a schedule: 90%:0.3,100%:0.05",
        fixed=True,
        check=_check_share,
    )
    whole_word_masking: bool = setting(False, "hides all tokens of a word or none", fixed=True)


@dataclass(frozen=True)
class NextSentenceConfig(ObjectiveConfig):
    """[objectives.nsp]: next-sentence prediction (Devlin et al. 2019, arXiv 1810.04805)."""


@dataclass(frozen=True)
class SentenceOrderConfig(ObjectiveConfig):
    """[objectives.sop]: sentence-order prediction (Lan et al. 2020, arXiv 1909.11942)."""


@dataclass(frozen=True)
class TranslationLanguageModelConfig(ObjectiveConfig):
    """[objectives.tlm]: translation language modelling (Conneau and Lample 2019, arXiv 1901.07291)."""

    tlm_probability: str = setting("0.15", "share of tokens to guess, or a schedule", fixed=True, check=_check_share)


@dataclass(frozen=True)
class ContrastiveConfig(ObjectiveConfig):
    """[objectives.contrastive]: translations against all others of the step (InfoNCE, van den Oord et al. 2018)."""

    temperature: float = setting(0.05, "divides the cosines (SimCSE, LaBSE)", gt=0)
    pooling: Literal["mean", "cls"] = setting("mean", "what a sentence's vector is")


@dataclass(frozen=True)
class DistillationConfig(ObjectiveConfig):
    """[objectives.distillation]: the teachers' guesses of masked words (Hinton et al. 2015, arXiv 1503.02531).

    The loss a * T^2 * KL + (1 - a) * CE is a weight of a here and of 1 - a for [objectives.mlm].
    """

    temperature: float = setting(2.0, "of both softmaxes; the loss is multiplied by its square", gt=0)
    top_k: int = setting(64, "likeliest tokens of the teacher; the others are one class together", ge=1)


@dataclass(frozen=True)
class RelationsConfig(ObjectiveConfig):
    """[objectives.relations]: attention relations (MiniLMv2, Wang et al. 2021, arXiv 2012.15828)."""

    relation_heads: int = setting(12, "heads that queries, keys and values are cut into anew; widths must divide", ge=1)
    student_layer: int = setting(-1, "layer of the student, from 0; negative from the end")
    teacher_layer: int = setting(-1, "layer of the teachers, from 0; negative from the end")


@dataclass(frozen=True)
class SentenceVectorsConfig(ObjectiveConfig):
    """[objectives.sentence_vectors]: regression to the teachers' sentence vectors, whatever their vocabularies
    (Reimers and Gurevych 2020, arXiv 2004.09813)."""

    pooling: Literal["mean", "cls"] = setting("mean", "what a sentence's vector is, of teacher and student")


@dataclass(frozen=True)
class AdversaryConfig(ObjectiveConfig):
    """What adversaries have in common: a discriminator, and the gradients that it turns."""

    reversal: float = setting(0.1, "gradients that reach the model are at last multiplied with minus this", ge=0)
    discriminator_size: int = setting(256, "width of the discriminator's hidden layer", ge=1, fixed=True)
    discriminator_learning_rate: float = setting(2e-3, "peak rate of the discriminator's own optimiser", gt=0)
    ratio: int = setting(1, "steps of the discriminator for each one in which the model is turned", ge=1)
    pooling: Literal["mean", "cls"] = setting("mean", "what the features of a sequence are")


@dataclass(frozen=True)
class LanguageAdversaryConfig(AdversaryConfig):
    """[objectives.language_adversary]: features from which a discriminator cannot tell the language, by gradient
    reversal (Ganin et al. 2016, arXiv 1505.07818)."""


@dataclass(frozen=True)
class TeacherAdversaryConfig(AdversaryConfig):
    """[objectives.teacher_adversary]: features that a discriminator cannot tell from the teachers' (adversarial
    distillation)."""


TAUGHT = ("distillation", "relations", "sentence_vectors", "teacher_adversary")  # those that need teachers

OBJECTIVES: dict[str, type[ObjectiveConfig]] = {
    "mlm": MaskedLanguageModelConfig,
    "nsp": NextSentenceConfig,
    "sop": SentenceOrderConfig,
    "tlm": TranslationLanguageModelConfig,
    "contrastive": ContrastiveConfig,
    "distillation": DistillationConfig,
    "relations": RelationsConfig,
    "sentence_vectors": SentenceVectorsConfig,
    "language_adversary": LanguageAdversaryConfig,
    "teacher_adversary": TeacherAdversaryConfig,
}
PAIRS = ("nsp", "sop")  # those of pairs of texts
OF_TRANSLATIONS = ("tlm", "contrastive")  # those that learn from data.parallel_text, and from nothing else
