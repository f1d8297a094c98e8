"""The class of a text or a pair, or its number, by a model that was fine-tuned for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from train.benchmarks.examples import Origin, TextExample
from train.encoders.opened import OpenedModel
from train.encoders.place import BATCH_TOKENS
from train.tasks import sequence


@dataclass(frozen=True)
class Classified:
    """second: None of single texts. probabilities: by label, in the model's order; of a regression {"score": value},
    which is no probability (`is_score`)."""

    text: str
    second: str | None
    label: str
    probabilities: dict[str, float]
    is_score: bool


def classify(
    model: OpenedModel, texts: Sequence[str], seconds: Sequence[str] | None = None, batch_tokens: int = BATCH_TOKENS
) -> list[Classified]:
    """seconds: the second texts of pairs. Texts that are longer than the model takes are cut. UserError where the model
    has no head for classes."""
    pairs = [(text, None) for text in texts] if seconds is None else list(zip(texts, seconds, strict=True))
    examples = [TextExample(text, second, None, "", Origin(Path(), row)) for row, (text, second) in enumerate(pairs, 1)]
    answers = sequence.predict(model, examples, batch_tokens=batch_tokens)
    score = sequence.is_regression(model.config)
    return [
        Classified(text, second, answer.label, answer.probabilities, score)
        for (text, second), answer in zip(pairs, answers, strict=True)
    ]
