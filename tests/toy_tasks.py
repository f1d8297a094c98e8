"""Examples that a tiny encoder learns within seconds, of each task, in two languages."""

from pathlib import Path

import numpy as np

from train.benchmarks.examples import Example, Origin, SimilarExample, SpanExample, TextExample, TokenExample

LANGUAGES = ("eng_Latn", "rus_Cyrl")
FILLING = {"eng_Latn": "abcdefgh", "rus_Cyrl": "авекимно"}
GOOD, BAD, NAME = "Anna", "York", "Paris"


def made(task: str, count: int, seed: int = 0, label: str = "") -> dict[str, list[Example]]:
    """language -> so many examples. label: of texts, instead of the right one."""
    found: dict[str, list[Example]] = {}
    for place, language in enumerate(LANGUAGES):
        draw = np.random.default_rng([seed, place])
        found[language] = [_one(task, draw, language, row + 1, label) for row in range(count)]
    return found


def training(task: str, count: int, seed: int = 0) -> list[Example]:
    return [one for own in made(task, count, seed).values() for one in own]


def _one(task: str, draw: np.random.Generator, language: str, row: int, label: str) -> Example:
    origin = Origin(Path(f"{language}.tsv"), row)
    words = draw.choice(list(FILLING[language]), 5).tolist()
    place, good = int(draw.integers(5)), bool(draw.integers(2))
    if task in ("sequence", "pair"):
        words[place] = GOOD if good else BAD
        text, second = (" ".join(words), None) if task == "sequence" else ("a b", " ".join(words))
        return TextExample(text, second, label or ("good" if good else "bad"), language, origin)
    if task == "number":
        words[place] = GOOD if good else BAD
        return TextExample(" ".join(words), None, 2.0 * good + 1, language, origin)
    words[place] = NAME
    if task == "perhaps":  # half of the questions have no answer
        words[place] = NAME if good else BAD
        context = " ".join(words)
        answers = ((NAME, context.index(NAME)),) if good else ()
        return SpanExample(f"{language}-{row}", "a", context, answers, not good, language, origin)
    if task == "token":
        tags = ["O"] * 5
        tags[place] = "B-LOC"
        return TokenExample(tuple(words), tuple(tags), language, origin)
    if task == "span":
        context = " ".join(words)
        answers = ((NAME, context.index(NAME)),)
        return SpanExample(f"{language}-{row}", "a", context, answers, False, language, origin)
    score = None if task == "pairs" else float(good)
    words[place] = GOOD if good else BAD
    second = " ".join(draw.permutation(words)) if task == "pairs" else " ".join([GOOD] * 3)
    return SimilarExample(" ".join(words), second, score, language, origin)
