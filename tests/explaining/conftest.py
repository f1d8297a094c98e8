"""The sample corpus as it is opened to be told of."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stage_tables import table

from pipeline.explaining.corpus import Corpus, opened
from pipeline.explaining.story import Story, Told
from pipeline.explaining.telling import Wish, tell_id


@pytest.fixture(scope="session")
def corpus(corpus_root: Path) -> Corpus:
    return opened(str(corpus_root))


@pytest.fixture(scope="session")
def cleaned(corpus_root: Path) -> list[dict[str, Any]]:
    return table(corpus_root, "clean/documents")


@pytest.fixture(scope="session")
def all_told(corpus: Corpus, cleaned: list[dict[str, Any]]) -> list[Told]:
    """Of every document, each by its id."""
    return [told for row in cleaned for told in tell_id([corpus], row["id"], Wish(votes=True))]


@pytest.fixture(scope="session")
def stories(all_told: list[Told]) -> dict[str, Story]:
    return {story.id: story for told in all_told for story in told.stories}


@pytest.fixture
def browser() -> Iterator[Any]:
    from browser import headless_browser

    with headless_browser() as running:
        yield running
