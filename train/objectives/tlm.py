"""Translation language modelling (Conneau and Lample 2019, arXiv 1901.07291): masked words of a pair of translations,
which may look at the other side for what they cannot guess from their own."""

from typing import ClassVar, Self

from train.objectives.masking import MaskLabeller, Share
from train.objectives.mlm import MaskedLanguageModelling
from train.objectives.objective import Built
from train.optim.schedule import Schedule


class SideLabeller(MaskLabeller):
    """Of each side its share of tokens, counted for the language of the side."""

    joined: ClassVar[bool] = True


class TranslationLanguageModelling(MaskedLanguageModelling):
    """Cross-entropy of the hidden tokens of `<s> A </s> B </s>`, segments 0 and 1; the positions of B begin anew."""

    @classmethod
    def build(cls, built: Built) -> Self:
        schedule = Schedule.parse(str(built.table.tlm_probability))
        most = max(value for _, value in schedule.points)
        share = Share(schedule, built.config.run.steps)
        return cls(SideLabeller(built.vocabulary, len(built.languages), share, most))
