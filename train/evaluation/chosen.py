"""Which measures an evaluation has: those whose files are named."""

from schemas.errors import UserError
from train.benchmarks.languages import same_language
from train.evaluation import finetuned
from train.evaluation.geometry import geometry
from train.evaluation.held_out import bits_a_byte, masked
from train.evaluation.measures import Maker, Measure
from train.evaluation.retrieval import bitext, tatoeba
from train.evaluation.settings import Settings
from train.evaluation.transfer import transfer
from train.evaluation.word_translation import word_translation

MAKERS: tuple[Maker, ...] = (
    bits_a_byte,
    masked,
    tatoeba,
    bitext,
    word_translation,
    transfer,
    geometry,
    *finetuned.MAKERS,
)


def chosen(settings: Settings) -> list[Measure]:
    """UserError where none is, where files cannot be read, and where a language asked for is in none of them."""
    measures = [measure for make in MAKERS if (measure := make(settings)) is not None]
    if not measures:
        raise UserError(
            "nothing is asked: name files to measure on (--tatoeba, --aligned, --dictionaries, --transfer, --shards, "
            "--texts, --xnli, --xquad, --mlqa, --glue, --wikiann, --sib200)"
        )
    there = sorted(set().union(*(measure.languages for measure in measures)))
    for language in settings.languages:
        if not any(same_language(one, language) for one in there):
            raise UserError(f"--languages {language}: none of the files has it; there are {', '.join(there)}")
    return [measure for measure in measures if settings.wanted(measure.languages)]
