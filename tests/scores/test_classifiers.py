"""Classifiers against the fastText library on the same lines, ours and others'; their trailer; what is refused."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import pytest

from pipeline.kernels.arrow_text import from_strings
from pipeline.scores import calibration, shapes, trailer
from pipeline.scores.classifiers import Classifiers, checksums
from pipeline.scores.tokens import lines_of
from pipeline.words.words import words_of
from schemas.errors import UserError

TEXTS = (
    "Home | About us | Contact\nHome\nLogin\n• 12 items in cart\n• 12 items in cart\nRead more...",
    "The committee published its report in spring. It found that the river, 120 km long, had risen by 3.5 metres.",
    "委员会将在明年春天发表报告，并回答记者的提问。报告长达120页。\n首页",
    "委員会は来年の春に報告書を発表する予定です。コーヒー！\nホーム",
    "위원회는 내년 봄에 보고서를 발표할 예정입니다. 강은 120km이다.",
    "คณะกรรมการจะเผยแพร่รายงานในฤดูใบไม้ผลิปีหน้า หน้าแรก ๑๒๓",
    "គណៈកម្មាធិការនឹងបោះពុម្ពផ្សាយរបាយការណ៍នៅឆ្នាំក្រោយ។ ទំព័រដើម",
    "ستنشر اللجنة تقريرها في ربيع العام المقبل. ١٢٣\nالرئيسية",
    "הוועדה תפרסם את הדוח שלה באביב הבא. דף הבית",
    "समिति अगले साल वसंत में अपनी रिपोर्ट प्रकाशित करेगी। १२३\nहोम",
    "குழு அடுத்த ஆண்டு தனது அறிக்கையை வெளியிடும்.",
    "ኮሚቴው በሚቀጥለው ዓመት ሪፖርቱን ያወጣል። መነሻ",
    "კომიტეტი ანგარიშს მომავალ გაზაფხულზე გამოაქვეყნებს.",
    "Комиссия опубликует доклад весной. Он длиной в 120 страниц.\nГлавная",
    "KOMİTE raporunu gelecek yıl İstanbul'da yayımlayacak. Straße ŉ ﬀ 𞤀𞤣𞤤𞤢𞤥",
    "",
    " . — \n",
    "a",
    "x" * 20_000 + " e" + "\u0301" * 3000,
    "__label__good is a label to the library, a word to us; so is ~end.3",
)
TOGETHER = from_strings(TEXTS)
LANGUAGES, SCRIPTS = ["eng"] * len(TEXTS), ["Latn"] * len(TEXTS)


def lines() -> list[str]:
    return [line.decode() for line in lines_of(TOGETHER, words_of(TOGETHER))]


def fit(path: Path, words: Sequence[str], quantised: bool = False, **settings: Any) -> Any:
    """A model of the library's own, fitted on the lines, with labels by turns."""
    labels = ("good", "bad", "__label__odd")[: settings.pop("labels", 2)]
    train = path.with_suffix(".txt")
    with train.open("w", encoding="utf-8", newline="") as file:
        file.write(f"__label__good {' '.join(f'w{number}' for number in range(400))}\n")  # to be quantised it needs 256
        for _ in range(20):
            for place, line in enumerate(words):
                file.write(f"__label__{labels[place % len(labels)]} {' '.join(line.split())}\n")
    given = {"dim": 6, "lr": 1.0, "epoch": 3, "thread": 1, "verbose": 0, "minCount": 1, "bucket": 5000, **settings}
    model = fasttext.train_supervised(str(train), **given)
    if quantised:
        model.quantize(str(train), cutoff=300, qnorm=True, dsub=2, retrain=False, verbose=0)
    model.save_model(str(path))
    return fasttext.load_model(str(path))


def of_ours(path: Path, label: str = "good", **changed: Any) -> None:
    """Gives a model a trailer by which a score of p is the quantile p."""
    steps = [step / calibration.STEPS for step in range(calibration.STEPS + 1)]
    given = {
        "preparation": shapes.VERSION, "label": label, "quantiles": {calibration.ALL: {"texts": 99, "knots": steps}},
        "kept_share": 0.3, "least_kept_share": 0.15, "figures": {}, "made_from": {},
    }  # fmt: skip
    trailer.append(path, trailer.Trailer(**{**given, **changed}))


def probability(model: Any, line: str, label: str, loss: str) -> float:
    """The library's, without the 1e-5 that it adds before the logarithm; hierarchical softmax adds it to each of the
    label's steps, of which there is one with two labels."""
    found = dict(zip(*model.predict(line, k=-1, threshold=-1.0), strict=True))
    return float(found[f"__label__{label}"]) - 1e-5


MODELS: dict[str, dict[str, Any]] = {
    "softmax": {},
    "bigrams": {"wordNgrams": 2},
    "trigrams quantised": {"wordNgrams": 3, "quantised": True},
    "quantised": {"quantised": True},
    "three labels": {"labels": 3},
    "one against all": {"loss": "ova"},
    "hierarchical": {"loss": "hs"},
    "negative sampling": {"loss": "ns"},
}


def test_several_models_at_once_are_the_library_s(tmp_path: Path) -> None:
    """Ours, which see our tokens, and others', which see words by white space, in one pass."""
    theirs: dict[str, tuple[Any, list[str], str]] = {}
    specs = {}
    plain = [text.replace("\n", " ").replace("\0", " ") for text in TEXTS]
    for name, settings in MODELS.items():
        loss = settings.get("loss", "softmax")
        for kind, given in (("ours", lines()), ("plain", plain)):
            path = tmp_path / f"{kind} {name}.bin"
            model = fit(path, given, **settings)
            if kind == "ours":
                of_ours(path)
                again = fasttext.load_model(str(path))  # the library reads a file with a trailer as before
                assert probability(again, given[1], "good", loss) == probability(model, given[1], "good", loss)
            theirs[path.stem] = (fasttext.load_model(str(path)), given, loss)
            specs[path.stem] = str(path) if kind == "ours" else f"{path}#__label__good"
    scores = Classifiers(specs, checksums(specs)).score(TOGETHER, words_of(TOGETHER), LANGUAGES, SCRIPTS)
    assert list(scores) == list(specs)
    wordless = [place for place, line in enumerate(lines()) if not line]
    assert [TEXTS[place].strip() for place in wordless] == ["", ". —"]
    for name, (model, given, loss) in theirs.items():
        assert np.flatnonzero(np.isnan(scores[name])).tolist() == wordless
        for place, line in enumerate(given):
            if place not in wordless:
                expected = probability(model, line, "good", loss)
                assert scores[name][place] == pytest.approx(expected, abs=1e-5), (name, TEXTS[place][:40])
        assert np.nanstd(scores[name]) > 0.01, name  # else the test says nothing


def test_batches_and_neighbours_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.bin"
    fit(path, lines(), wordNgrams=2)
    of_ours(path)
    ours = Classifiers({"a": str(path)})
    together = ours.raw(TOGETHER, words_of(TOGETHER))["a"]
    monkeypatch.setattr("pipeline.scores.classifiers.BYTES_AT_ONCE", 64)
    np.testing.assert_array_equal(ours.raw(TOGETHER, words_of(TOGETHER))["a"], together)
    for place in range(len(TEXTS)):
        alone = TOGETHER.slice(place, 1)
        np.testing.assert_array_equal(ours.raw(alone, words_of(alone))["a"], together[place : place + 1])
    assert len(ours.raw(TOGETHER.slice(0, 0), words_of(TOGETHER.slice(0, 0)))["a"]) == 0


def test_what_is_refused(tmp_path: Path) -> None:
    path, vectors, other = (tmp_path / name for name in ("model.bin", "vectors.bin", "other.bin"))
    fit(path, lines(), labels=3)
    (tmp_path / "text.txt").write_text(" ".join(["a", "b", "c"] * 50))
    fasttext.train_unsupervised(str(tmp_path / "text.txt"), dim=2, thread=1, minCount=1, verbose=0).save_model(
        str(vectors)
    )
    copied = path.read_bytes()
    for name, changed, said in (
        ("model.bin", {}, r"no label named; .*model.bin has __label__odd, bad, good: write .*model.bin#LABEL"),
        ("model.bin#best", {}, "no label best; .* has __label__odd, bad, good"),
        ("missing.bin#good", {}, "no classifier at"),
        ("vectors.bin#good", {}, "word vectors, no classifier"),
        ("text.txt#good", {}, "no fastText model"),
        ("#good", {}, "name the place"),
        ("other.bin", {"preparation": shapes.VERSION + 1}, "fitted by another release"),
        ("other.bin", {"label": "best"}, "damaged"),
        ("other.bin", {"quantiles": {}}, "damaged"),
        ("other.bin", {"quantiles": {"all": {"texts": 9, "knots": [1, 0]}}}, "damaged"),
        ("other.bin#bad", {"label": "good"}, "scores good, not bad"),
    ):
        other.write_bytes(copied)
        if changed:
            of_ours(other, **changed)
        place = "#good" if name == "#good" else f"{tmp_path}/{name}"
        with pytest.raises(UserError, match=said) as raised:
            checksums({"mine": place})
        assert "\n" not in str(raised.value)
    of_ours(path)
    seen = checksums({"mine": str(path)})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match="another one than the driver's"):
        Classifiers({"mine": str(path)}, seen)


def test_quantiles_by_hand() -> None:
    raw = np.array([*np.linspace(0, 1, 101), *np.full(60, 0.5), *np.linspace(0.9, 1, 3), np.nan])
    languages = ["eng"] * 101 + ["tha"] * 60 + ["lao"] * 3 + ["eng"]
    scripts = ["Latn"] * 101 + ["Thai"] * 60 + ["Laoo"] * 3 + ["Latn"]
    found = calibration.of_json(calibration.fitted(raw, languages, scripts).as_json())
    assert found.texts == {"all": 164, "eng_Latn": 101, "Latn": 101, "tha_Thai": 60, "Thai": 60}
    assert [found.key(*one) for one in (("eng", "Latn"), ("deu", "Latn"), ("lao", "Laoo"))] == [
        "eng_Latn", "Latn", "all",
    ]  # fmt: skip
    scores = found.of(np.array([0.7, 0.25, 0.705, 2.0, 0.5, np.nan]), ["eng"] * 4 + ["tha", "eng"], ["Latn"] * 6)
    np.testing.assert_allclose(scores, [0.7, 0.25, 0.705, 1.0, 0.5, np.nan], atol=1e-9)
    assert found.of(np.array([0.5]), ["tha"], ["Thai"])[0] == 0.5  # all of its texts score the same
    with pytest.raises(UserError, match="49 texts to calibrate on are too few"):
        calibration.fitted(raw[:49], languages[:49], scripts[:49])
