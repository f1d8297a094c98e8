"""The nearest sentences are those that brute force finds, wherever the parts are cut."""

import numpy as np
import pytest
from answering import SENTENCES
from hypothesis import given, settings
from hypothesis import strategies as st

from train.answers.embed import cosine
from train.answers.nearest import Candidate, Held, Part, candidates_of, nearest, search, unit
from train.encoders.opened import OpenedModel

LANGUAGES, TEXTS = list(SENTENCES), list(SENTENCES.values())


def test_each_text_is_nearest_to_itself(model: OpenedModel) -> None:
    for text, found in zip(TEXTS, nearest(model, TEXTS, candidates_of(model, TEXTS, LANGUAGES), 3), strict=True):
        assert found.text == found.neighbours[0].candidate.text == text and len(found.neighbours) == 3
        assert found.neighbours[0].similarity == pytest.approx(1, abs=1e-5)


def test_only_of_a_language(model: OpenedModel) -> None:
    (found,) = nearest(model, ["река"], candidates_of(model, TEXTS, LANGUAGES), 3, "zho_Hans")
    assert [one.candidate.text for one in found.neighbours] == [SENTENCES["zho_Hans"]]
    assert nearest(model, ["река"], candidates_of(model, TEXTS, LANGUAGES), 3, "fra_Latn")[0].neighbours == ()
    assert nearest(model, ["река"], candidates_of(model, []))[0].neighbours == ()


@settings(max_examples=50)
@given(
    st.lists(st.tuples(*[st.integers(-3, 3)] * 2), max_size=40),
    st.lists(st.tuples(*[st.integers(-3, 3)] * 2), max_size=3),
    st.integers(1, 6),
    st.integers(1, 9),
)
def test_the_nearest_are_those_of_brute_force(rows: list, queries: list, k: int, step: int) -> None:
    """Of ties, which whole numbers make exact, the earlier row."""
    matrix, asked = np.array(rows, np.float32).reshape(-1, 2), np.array(queries, np.float32).reshape(-1, 2)
    about = [Candidate(None, LANGUAGES[row % 2], "", row) for row in range(len(rows))]
    parts = [
        Part(matrix[at : at + step], [one.language for one in about[at : at + step]], about[at : at + step])
        for at in range(0, len(rows), step)
    ]
    for language in (None, LANGUAGES[0]):
        for query, found in zip(asked, search(asked, Held(parts), k, language), strict=True):
            wanted = [row for row in range(len(rows)) if language is None or about[row].language == language]
            best = sorted(wanted, key=lambda row, query=query: (-float(matrix[row] @ query), row))[:k]
            assert [one.candidate.row for one in found] == best
            assert [one.similarity for one in found] == [float(matrix[row] @ query) for row in best]


def test_a_zero_stays_one() -> None:
    assert unit(np.array([[3, 4], [0, 0]], np.float32)).tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0, 0]]
    assert cosine([0, 0], [1, 2]) == 0 and cosine([1, 0], [-2, 0]) == -1
