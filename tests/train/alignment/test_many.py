"""Several languages in one space: exact where it can be, a fixed point, nearer to all than any one is."""

import numpy as np
import pytest
from numpy.typing import NDArray

from train.alignment.many import jointly
from train.alignment.procrustes import procrustes
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


def test_rotations_are_taken_back() -> None:
    vectors = languages(0.0)
    found = jointly(vectors, "tam")
    assert set(found.matrices) == set(LANGUAGES)
    np.testing.assert_allclose(found.matrices["tam"], np.eye(6), atol=1e-9)
    for language in LANGUAGES:
        np.testing.assert_allclose(vectors[language] @ found.matrices[language], vectors["tam"], atol=1e-6)


def test_the_joint_space_is_nearer_to_all_than_the_pivot_s() -> None:
    vectors = languages(1.0)
    joint = jointly(vectors, "eng")
    through = {language: one @ procrustes(one, vectors["eng"]) for language, one in vectors.items()}
    together = spread({language: one @ joint.matrices[language] for language, one in vectors.items()})
    assert together < spread(through)
    assert together == pytest.approx(joint.history[-1], rel=1e-9)
    assert all(later <= before + 1e-12 for before, later in zip(joint.history, joint.history[1:], strict=False))
    assert len(joint.history) > 2
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


def test_it_rests_where_the_distance_does_or_says_that_it_does_not() -> None:
    vectors = languages(1.0)
    whole = jointly(vectors, "eng")
    before, last = whole.history[-2:]
    assert whole.still and before - last <= 1e-6 * before
    assert all(one - other > 1e-6 * one for one, other in zip(whole.history[:-2], whole.history[1:-1], strict=True))
    cut = jointly(vectors, "eng", rounds=2)
    assert not cut.still and cut.history == whole.history[:2]


def test_few_lines_and_many_are_the_same_sum() -> None:
    """Fewer lines than dimensions of all languages together, and each of them nine times: the same maps."""
    few = {language: one[:20] for language, one in languages(0.5).items()}
    many = {language: np.tile(one, (9, 1)) for language, one in few.items()}
    one, other = jointly(few, "eng"), jointly(many, "eng")
    assert one.history == pytest.approx(other.history, rel=1e-9)
    for language in LANGUAGES:
        np.testing.assert_allclose(one.matrices[language], other.matrices[language], atol=1e-6)


def test_bad_input() -> None:
    vectors = languages(0.1)
    with pytest.raises(ValueError, match="the pivot fra is none of amh, eng, tam, zho"):
        jointly(vectors, "fra")
    with pytest.raises(ValueError, match="1 languages"):
        jointly({"eng": vectors["eng"]}, "eng")
    with pytest.raises(ValueError, match="lines are missing: amh has 79, eng has 80"):
        jointly({**vectors, "amh": vectors["amh"][1:]}, "eng")
    with pytest.raises(ValueError, match="row 0 of vectors of zho is not finite"):
        jointly({**vectors, "zho": vectors["zho"] * np.inf}, "eng")
    with pytest.raises(ValueError, match=r"languages of \[5, 6\] dimensions have no mean"):
        jointly({**vectors, "zho": vectors["zho"][:, 1:]}, "eng")
