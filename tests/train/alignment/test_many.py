"""Several languages in one space, through a pivot and jointly."""

import numpy as np
import pytest
from numpy.typing import NDArray

from train.alignment.many import jointly, through_pivot
from train.alignment.procrustes import procrustes
from train.alignment.ridge import ridge
from train.alignment.unsupervised import rotation

Array = NDArray[np.float64]
LANGUAGES = ("amh", "eng", "tam", "zho")


def languages(noise: float, n: int = 80, d: int = 6) -> dict[str, Array]:
    """Rotations of the same vectors, with noise of their own."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(n, d))
    return {
        language: shared @ rotation(d, seed) + noise * rng.normal(size=(n, d))
        for seed, language in enumerate(LANGUAGES)
    }


def spread(vectors: dict[str, Array]) -> float:
    """The mean squared distance from the mean of the line, the plain way."""
    stacked = np.stack(list(vectors.values()))
    return float(np.mean([np.square(one - stacked.mean(0)).sum(1).mean() for one in stacked]))


@pytest.mark.parametrize("learn", [through_pivot, jointly])
def test_rotations_are_taken_back(learn: object) -> None:
    assert callable(learn)
    vectors = languages(0.0)
    found = learn(vectors, "tam")
    assert set(found.matrices) == set(LANGUAGES)
    np.testing.assert_allclose(found.matrices["tam"], np.eye(6), atol=1e-9)
    for language in LANGUAGES:
        np.testing.assert_allclose(vectors[language] @ found.matrices[language], vectors["tam"], atol=1e-6)


def test_the_joint_space_is_nearer_to_all_than_the_pivot_s() -> None:
    vectors = languages(1.0)
    pivot, joint = through_pivot(vectors, "eng"), jointly(vectors, "eng")
    apart = {name: spread({la: vectors[la] @ one.matrices[la] for la in vectors}) for name, one in
             (("pivot", pivot), ("joint", joint))}  # fmt: skip
    assert apart["joint"] < apart["pivot"]
    assert apart["joint"] == pytest.approx(joint.history[-1], rel=1e-9)
    assert all(later <= before + 1e-12 for before, later in zip(joint.history, joint.history[1:], strict=False))
    assert len(joint.history) > 2 and pivot.history == ()
    for one in joint.matrices.values():
        np.testing.assert_allclose(one @ one.T, np.eye(6), atol=1e-9)


def test_the_joint_maps_are_a_fixed_point() -> None:
    """Each language's map is its Procrustes map to the mean of all, which says that none can turn to fit better."""
    vectors = languages(0.5)
    found = jointly(vectors, "eng").matrices
    mean = np.mean([vectors[language] @ found[language] for language in LANGUAGES], axis=0)
    for language in LANGUAGES:
        np.testing.assert_allclose(found[language], procrustes(vectors[language], mean), atol=1e-3)


def test_the_joint_space_hardly_hangs_on_the_pivot() -> None:
    """Relative maps are the same, whichever language's space they end in."""
    vectors = languages(0.5)
    of_eng, of_zho = jointly(vectors, "eng").matrices, jointly(vectors, "zho").matrices
    np.testing.assert_allclose(of_eng["amh"] @ of_eng["tam"].T, of_zho["amh"] @ of_zho["tam"].T, atol=1e-3)


def test_other_widths_and_other_maps_go_through_the_pivot() -> None:
    vectors = {**languages(0.1), "kat": np.random.default_rng(1).normal(size=(80, 9))}
    found = through_pivot(vectors, "eng", lambda X, Y: ridge(X, Y, 0.5)).matrices
    assert found["kat"].shape == (9, 6)
    np.testing.assert_allclose(found["kat"], ridge(vectors["kat"], vectors["eng"], 0.5))
    np.testing.assert_array_equal(found["eng"], np.eye(6))
    with pytest.raises(ValueError, match=r"languages of \[6, 9\] dimensions have no mean"):
        jointly(vectors, "eng")


def test_bad_input() -> None:
    vectors = languages(0.1)
    for learn in (through_pivot, jointly):
        with pytest.raises(ValueError, match="the pivot fra is none of amh, eng, tam, zho"):
            learn(vectors, "fra")
        with pytest.raises(ValueError, match="1 languages"):
            learn({"eng": vectors["eng"]}, "eng")
        with pytest.raises(ValueError, match="lines are missing: amh has 79, eng has 80"):
            learn({**vectors, "amh": vectors["amh"][1:]}, "eng")
        with pytest.raises(ValueError, match="row 0 of vectors of zho is not finite"):
            learn({**vectors, "zho": vectors["zho"] * np.inf}, "eng")
