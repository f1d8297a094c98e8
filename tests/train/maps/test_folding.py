"""Rows of a table by the maps of the languages that use them: golden values, and what stays."""

import numpy as np
import pytest

from train.maps.folding import folded, of_rows, posteriors
from train.maps.map_folder import LanguageMap, Origin, VectorMap

TURN = np.array([[0, 1], [-1, 0]], np.float32)  # (x, y) to (-y, x)
HERE = np.eye(2, dtype=np.float32)


def a_map(**languages: LanguageMap) -> VectorMap:
    origins = dict.fromkeys(languages, Origin("", ""))
    return VectorMap("embeddings", "x", next(iter(languages)), languages, origins)


PLAIN = a_map(eng=LanguageMap(np.zeros(2, np.float32), HERE), rus=LanguageMap(np.zeros(2, np.float32), TURN))


def test_a_count_is_a_share_of_its_language() -> None:
    """Tokens: of eng alone, of rus alone, of both, of none. eng has ten times the texts."""
    shares = posteriors({"eng": np.array([80, 0, 20, 0]), "rus": np.array([0, 4, 6, 0])})
    np.testing.assert_allclose(shares["eng"], [1, 0, 0.25, 0])
    np.testing.assert_allclose(shares["rus"], [0, 1, 0.75, 0])
    assert not any(of.any() for of in posteriors({"eng": np.zeros(4, np.int64)}).values())


def test_rows_by_hand() -> None:
    table = np.array([[2, 0], [2, 0], [2, 0], [2, 0], [2, 0], [0, 0]], np.float32)
    shares = {"eng": np.array([1, 0, 0.25, 0, 1, 1.0]), "rus": np.array([0, 1, 0.75, 0, 0, 0])}
    stays = np.array([0, 0, 0, 0, 1, 0], bool)
    rows, moved = folded(table, PLAIN, shares, stays)
    # Of both: 1/4 (1, 0) + 3/4 (0, 1), of length 2 again.
    mixed = 2 * np.array([1, 3]) / np.sqrt(10)
    np.testing.assert_allclose(rows, [[2, 0], [0, 2], mixed, [2, 0], [2, 0], [0, 0]], atol=1e-6)
    assert moved.tolist() == [True, True, True, False, False, False]
    assert (table == np.array([[2, 0]] * 5 + [[0, 0]])).all()  # what was given is as it was


def test_means_are_taken_away_and_lengths_stay() -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(50, 6)).astype(np.float32)
    mean, matrix = rng.normal(size=6) / 3, rng.normal(size=(6, 6))
    found = a_map(eng=LanguageMap(mean.astype(np.float32), matrix.astype(np.float32)))
    rows, moved = folded(table, found, {"eng": np.ones(50)}, np.zeros(50, bool))
    for row, before in zip(rows, table.astype(float), strict=True):
        centred = before / np.linalg.norm(before) - mean
        place = centred @ matrix
        np.testing.assert_allclose(row, place / np.linalg.norm(place) * np.linalg.norm(before), rtol=1e-4, atol=1e-5)
    assert moved.all()


def test_means_of_rows_take_the_place_of_those_of_sentences() -> None:
    """Golden: by share, of unit rows. What takes no mean away, and a language without tokens, stay."""
    table = np.array([[4, 0], [0, 9], [-1, 0]], np.float32)
    far = np.array([0.9, 0], np.float32)
    given = a_map(eng=LanguageMap(far, HERE), rus=LanguageMap(far, TURN), fra=LanguageMap(far * 0, HERE))
    shares = {"eng": np.array([0.5, 0.5, 0]), "rus": np.zeros(3), "fra": np.array([0, 0, 1.0])}
    found = of_rows(given, table, shares)
    means = {language: one.mean.tolist() for language, one in found.languages.items()}
    assert means == {"eng": [0.5, 0.5], "rus": far.tolist(), "fra": [0, 0]}
    assert all(one.matrix is given.languages[language].matrix for language, one in found.languages.items())


def test_places_that_cancel_out_leave_the_row() -> None:
    opposite = a_map(eng=LanguageMap(np.zeros(2, np.float32), HERE), rus=LanguageMap(np.zeros(2, np.float32), -HERE))
    half = np.array([0.5])
    rows, moved = folded(np.array([[3, 4]], np.float32), opposite, {"eng": half, "rus": half}, np.zeros(1, bool))
    assert rows.tolist() == [[3, 4]] and not moved.any()
    with pytest.raises(ValueError, match="2 dimensions, and the table 3"):
        folded(np.zeros((1, 3), np.float32), opposite, {"eng": half}, np.zeros(1, bool))
