"""New rows are means of known ones, and draws are of the table's kind."""

import numpy as np
import pytest

from train.fusion.new_rows import focus, of_pieces, sampled
from train.fusion.sparsemax import sparsemax

DRAW = np.random.default_rng(3)


def test_focus_is_the_mean_by_sparsemax_of_cosines(monkeypatch: pytest.MonkeyPatch) -> None:
    new, known, table = DRAW.normal(size=(7, 5)), DRAW.normal(size=(9, 5)), DRAW.normal(size=(9, 4)).astype(np.float32)
    rows, counts = focus(new, known, table)
    for one, row, count in zip(new, rows, counts, strict=True):
        cosines = [one @ other / np.linalg.norm(one) / np.linalg.norm(other) for other in known]
        (weights,) = sparsemax(np.array([cosines]))
        assert np.allclose(row, sum(w * t for w, t in zip(weights, table, strict=True)), atol=1e-5)
        assert count == (weights > 1e-9).sum()
    monkeypatch.setattr("train.fusion.new_rows.AT_ONCE", 18)
    assert np.allclose(focus(new, known, table)[0], rows, atol=1e-6)  # two rows at once
    assert np.allclose(focus(new * 3, known * 0.1, table)[0], rows, atol=1e-5)  # length says nothing


def test_a_token_like_a_known_one_and_unlike_all_others_gets_its_row() -> None:
    known, table = np.eye(4), np.arange(8, dtype=np.float32).reshape(4, 2)
    rows, counts = focus(known[[2]], known, table)
    assert rows.tolist() == [[4, 5]] and counts.tolist() == [1]
    assert focus(np.zeros((0, 4)), known, table)[0].shape == (0, 2)


def test_focus_without_a_direction_or_a_known_token() -> None:
    with pytest.raises(ValueError, match="zeros"):
        focus(np.zeros((1, 2)), np.ones((1, 2)), np.ones((1, 3), np.float32))
    with pytest.raises(ValueError, match="scores"):
        focus(np.ones((1, 2)), np.ones((0, 2)), np.ones((0, 3), np.float32))


def test_means_of_pieces() -> None:
    table = np.arange(12, dtype=np.float32).reshape(4, 3)
    assert of_pieces([[0, 3], [2], [1, 1, 2]], table).tolist() == [[4.5, 5.5, 6.5], [6, 7, 8], [4, 5, 6]]
    assert of_pieces([], table).shape == (0, 3)
    with pytest.raises(ValueError, match="without pieces"):
        of_pieces([[0], []], table)


def test_draws_have_the_table_s_mean_and_deviation() -> None:
    table = (DRAW.normal(size=(500, 3)) * [0.1, 1, 5] + [0, -2, 3]).astype(np.float32)
    found = sampled(20_000, table, seed=1)
    assert np.allclose(found.mean(0), table.mean(0), atol=0.2) and np.allclose(found.std(0), table.std(0), rtol=0.05)
    assert (found == sampled(20_000, table, seed=1)).all() and not (found == sampled(20_000, table, seed=2)).all()
