"""Which measures an evaluation has: those whose files are named."""

from schemas.errors import UserError
from train.evaluation.held_out import bits_a_byte, masked
from train.evaluation.measures import Maker, Measure
from train.evaluation.settings import Settings, same

MAKERS: tuple[Maker, ...] = (bits_a_byte, masked)


def chosen(settings: Settings) -> list[Measure]:
    """UserError where none is, where files cannot be read, and where a language asked for is in none of them."""
    measures = [measure for make in MAKERS if (measure := make(settings)) is not None]
    if not measures:
        raise UserError(
            "nothing is asked: name files to measure on (--tatoeba, --aligned, --dictionaries, --transfer, --shards, "
            "--texts, --xnli, --xquad, --glue, --wikiann)"
        )
    there = sorted(set().union(*(measure.languages for measure in measures)))
    for language in settings.languages:
        if not any(same(one, language) for one in there):
            raise UserError(f"--languages {language}: none of the files has it; there are {', '.join(there)}")
    return measures
