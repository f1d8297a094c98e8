"""Which documents are shown of a reason."""

import random

import pytest

from pipeline.store.examples import example_order, first_by_language
from schemas.records import EXAMPLES_A_REASON

LABELS = ("eng_Latn", "cmn_Hani", "tha_Thai", "arb_Arab", "heb_Hebr", "hin_Deva", "amh_Ethi", "kat_Geor")


def pages(n: int, labels: tuple[str, ...], seed: int = 0) -> list[tuple[str, str]]:
    """English pages, and a few in each other language."""
    draw = random.Random(seed)
    return [(f"id-{at}", draw.choice(labels) if draw.random() < 0.05 else "eng_Latn") for at in range(n)]


def expected(given: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Places within the language decide, then the hash."""

    def place(page: tuple[str, str]) -> int:
        return sum(label == page[1] and example_order(name) < example_order(page[0]) for name, label in given)

    return sorted(given, key=lambda page: (place(page), example_order(page[0])))[:EXAMPLES_A_REASON]


@pytest.mark.parametrize("labels", [LABELS[:1], LABELS[:2], LABELS[:4], LABELS])
def test_languages_take_turns_in_any_division(labels: tuple[str, ...]) -> None:
    given = pages(400, labels)
    found = first_by_language(given)
    assert found == expected(given)
    assert len({label for _, label in found}) == min(len(labels), EXAMPLES_A_REASON)
    draw = random.Random(1)
    for _ in range(20):
        parts: list[list[tuple[str, str]]] = [[] for _ in range(draw.randint(1, 9))]
        for page in given:
            draw.choice(parts).append(page)
        firsts = [page for part in parts for page in first_by_language(part)]
        draw.shuffle(firsts)
        assert first_by_language(firsts) == found
