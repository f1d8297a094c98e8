"""Scores of labels equal scikit-learn's, on any labels and at the edges."""

import warnings

import numpy as np
import pytest

from train.metrics.classification import confusion, f1_by_class, macro_f1, matthews

LABELS = ["เศรษฐกิจ", "体育", "politics", "스포츠", "ספורט", "विज्ञान"]
EDGES = [
    (["a"], ["a"]),
    (["a"], ["b"]),
    (["a", "a", "a"], ["a", "a", "a"]),  # one class only
    (["a", "a", "a"], ["a", "b", "a"]),
    (["a", "b", "a"], ["a", "a", "a"]),
    (["a", "a"], ["b", "b"]),
    (["a", "b"], ["b", "a"]),
    (["a", "b", "c", "a"], ["b", "b", "d", "d"]),
]


def rounds() -> list[tuple[list, list]]:
    generator = np.random.default_rng(0)
    found: list[tuple[list, list]] = list(EDGES)
    for classes in (1, 2, 3, 6):
        for count in (1, 2, 5, 40):
            numbers = generator.integers(classes, size=(2, count))
            found.append((numbers[0].tolist(), numbers[1].tolist()))
            found.append(([LABELS[i] for i in numbers[0]], [LABELS[i] for i in numbers[1]]))
    return found


@pytest.mark.parametrize(("right", "given"), rounds())
def test_all_equal_scikit_learn(right: list, given: list) -> None:
    import sklearn.metrics as theirs

    labels = sorted(set(right) | set(given))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = confusion(right, given, labels)
        assert macro_f1(table) == pytest.approx(theirs.f1_score(right, given, average="macro", zero_division=0))
        assert matthews(table) == pytest.approx(theirs.matthews_corrcoef(right, given), abs=1e-12)
        each = theirs.f1_score(right, given, average=None, labels=labels, zero_division=0)
        for some in (labels, labels[::-1][:2]):
            assert confusion(right, given, some).tolist() == _their_confusion(right, given, some)
    assert f1_by_class(table).tolist() == pytest.approx(each.tolist())


def _their_confusion(right: list, given: list, labels: list) -> list[list[int]]:
    """scikit-learn refuses labels of which none is right."""
    import sklearn.metrics as theirs

    if set(labels) & set(right):
        return theirs.confusion_matrix(right, given, labels=labels).tolist()
    return np.zeros((len(labels), len(labels)), int).tolist()


def test_a_class_that_is_nowhere_has_no_f1() -> None:
    assert np.isnan(f1_by_class(confusion(["a", "b"], ["b", "a"], ["a", "c"])))[1]


def test_arrays_are_labels_too() -> None:
    assert confusion(np.array(["x", "y"]), ["x", "x"], ["x", "y"]).tolist() == [[1, 0], [1, 0]]


def test_nothing_is_not_scored() -> None:
    with pytest.raises(ValueError, match="no labels"):
        confusion([], [], [1])
    with pytest.raises(ValueError, match="2 right labels and 1 given"):
        confusion([1, 2], [1], [1])


@pytest.mark.parametrize("labels", [[], ["a", "a"]])
def test_a_table_names_each_label_once(labels: list[str]) -> None:
    with pytest.raises(ValueError, match="once each"):
        confusion(["a"], ["a"], labels)
