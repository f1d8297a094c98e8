"""Where in its context the answer to a question stands, by a model that was fine-tuned for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from train.benchmarks.examples import Origin, SpanAnswer, SpanExample
from train.encoders.opened import OpenedModel
from train.encoders.place import BATCH_TOKENS
from train.tasks import span


@dataclass(frozen=True)
class Answered:
    """answer: characters of the context; "" at 0, 0: the model finds none."""

    question: str
    context: str
    answer: SpanAnswer


def answer(
    model: OpenedModel, questions: Sequence[str], contexts: Sequence[str], batch_tokens: int = BATCH_TOKENS
) -> list[Answered]:
    """Long contexts are read in parts. UserError where the model has no head for answers."""
    examples = [
        SpanExample(str(row), question, context, (), False, "", Origin(Path(), row))
        for row, (question, context) in enumerate(zip(questions, contexts, strict=True), 1)
    ]
    answers = span.predict(model, examples, batch_tokens=batch_tokens)
    return [Answered(one.question, one.context, found) for one, found in zip(examples, answers, strict=True)]
