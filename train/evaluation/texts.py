"""Texts by language, of whatever files an evaluation is given."""

from train.benchmarks.aligned import read_aligned, read_tatoeba
from train.benchmarks.examples import TextExample
from train.benchmarks.read import read_by_language
from train.evaluation.settings import Settings

ENGLISH = "eng"


def texts_at_hand(settings: Settings) -> dict[str, list[str]]:
    """Of the first that is named: aligned files and benchmarks, whose texts are the same in all languages, before
    Tatoeba's, so that it is less the topic that tells a language."""
    if settings.aligned is not None:
        return dict(read_aligned(settings.aligned))
    if settings.transfer is not None:
        by_language = read_by_language([settings.transfer], settings.transfer_task, split="train", labelled=False)
        return {
            language: [one.text for one in examples if isinstance(one, TextExample)]
            for language, examples in by_language.items()
        }
    if settings.tatoeba is not None:
        pairs = read_tatoeba(settings.tatoeba)
        english = dict.fromkeys(line for _, lines in pairs.values() for line in lines)
        return {language: list(lines) for language, (lines, _) in pairs.items()} | {ENGLISH: list(english)}
    return {}
