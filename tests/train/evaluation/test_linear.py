"""Classes by logistic regression, in every script."""

import numpy as np

from train.evaluation.linear import NgramClasses, VectorClasses

TEXTS = {
    "river": [
        "the river is high", "река высока", "河水很高", "川が高い", "강이 높다", "แม่น้ำสูง", "ទន្លេខ្ពស់", "النهر عال",
        "הנהר גבוה", "नदी ऊँची है", "நதி உயர்ந்தது", "ወንዙ ከፍ ብሏል", "მდინარე მაღალია", "ırmak yüksek",
    ],
    "bread": [
        "bread is warm", "хлеб тёплый", "面包很暖", "パンは温かい", "빵이 따뜻하다", "ขนมปังอุ่น", "នំប៉័ងក្តៅ", "الخبز دافئ",
        "הלחם חם", "रोटी गर्म है", "ரொட்டி சூடானது", "ዳቦው ሞቃት ነው", "პური თბილია", "ekmek sıcak",
    ],
}  # fmt: skip


def test_ngrams_tell_texts_of_all_scripts_apart() -> None:
    texts = [(text, None) for listed in TEXTS.values() for text in listed]
    labels = [label for label, listed in TEXTS.items() for _ in listed]
    classes = NgramClasses(texts, labels)
    assert list(classes.labels(texts)) == labels
    begun = [(text[: len(text) * 3 // 4], None) for text, _ in texts]
    assert np.mean(classes.labels(begun) == np.array(labels)) > 0.8


def test_ngrams_read_both_texts_of_a_pair() -> None:
    pairs = [(first, second) for first in ("aaa", "bbb") for second in ("ccc", "ddd")] * 4
    labels = [second for _, second in pairs]
    assert list(NgramClasses(pairs, labels).labels([("aaa", "ddd"), ("aaa", "ccc")])) == ["ddd", "ccc"]


def test_a_class_of_one_text_is_learnt_without_folds() -> None:
    """As scikit-learn learns it on standardised vectors."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    vectors = np.random.default_rng(0).normal(size=(21, 6)).astype(np.float32) * [1, 10, 100, 1, 1, 1]
    labels = ["a", "b"] * 10 + ["c"]
    ready = StandardScaler().fit_transform(vectors)
    expected = LogisticRegression(C=1.0, max_iter=1000).fit(ready, labels).predict(ready)
    assert list(VectorClasses(vectors, labels).labels(vectors)) == list(expected)


def test_strength_is_chosen_without_chance() -> None:
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(60, 30)).astype(np.float32)
    labels = [("a", "b", "c")[place % 3] for place in range(60)]
    vectors[np.arange(60), np.arange(60) % 3] += 3
    first, second = VectorClasses(vectors, labels), VectorClasses(vectors, labels)
    other = generator.normal(size=(90, 30)).astype(np.float32)
    other[np.arange(90), np.arange(90) % 3] += 3
    assert list(first.labels(other)) == list(second.labels(other))
    assert np.mean(first.labels(other) == np.array([("a", "b", "c")[place % 3] for place in range(90)])) > 0.85
