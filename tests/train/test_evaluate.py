"""The program from flags to files: known models give known figures, and models stand side by side."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from known_words import WORDS, evaluated, save_knowing, write, write_words
from tiny_encoders import SENTENCES, save_encoder

from train.encoders.opened import open_model
from train.encoders.vectors import Reading, embed


@pytest.fixture(scope="module")
def knowing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_knowing(tmp_path_factory.mktemp("knowing") / "model")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_encoder("bert", tmp_path_factory.mktemp("tiny") / "bert", head="AutoModel")


@pytest.fixture(scope="module")
def modern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_encoder("modernbert", tmp_path_factory.mktemp("modern") / "modernbert", head="AutoModel")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_words(tmp_path_factory.mktemp("files"))


def values(rows: dict[str, Any]) -> dict[str, float]:
    return {language: figure["value"] for language, figure in rows.items()}


def test_a_model_that_knows_translations_finds_them(knowing: Path, files: Path, tmp_path: Path) -> None:
    """Of Hebrew two of eight words have each other's vector, of Hindi none has its own."""
    found = evaluated(
        tmp_path, "--model", f"knowing={knowing}", "--tatoeba", files / "tatoeba", "--aligned", files / "aligned"
    )
    expected = {"rus": 1.0, "cmn": 1.0, "amh": 1.0, "heb": 0.75, "hin": 0.0}
    for name in ("tatoeba", "aligned"):
        for way in ("to", "from"):
            for kind in ("cosine", "csls", "centred_cosine", "centred_csls"):
                table = found[f"{name}_{kind}_{way}"]
                assert values(table["figures"]["knowing"]) == expected, table["name"]
                assert values(table["baselines"]["chance"]) == dict.fromkeys(expected, 0.125)
                assert table["means"]["knowing"]["value"] == pytest.approx(0.75)
                assert table["means"]["knowing"]["count"] == 5
    wrong = {language: 1 - value for language, value in expected.items()}
    table = found["aligned_xsim_to"]
    assert values(table["figures"]["knowing"]) == wrong and table["better"] == "lower"
    figure = found["tatoeba_cosine_to"]["figures"]["knowing"]["heb"]
    assert figure["low"] < 0.75 < figure["high"] and figure["count"] == 8


def test_words_are_translated_by_the_encoder_and_by_their_tokens(knowing: Path, files: Path, tmp_path: Path) -> None:
    """ "moon" is a word of both sides, and so a translation that asks for nothing."""
    found = evaluated(tmp_path, "--model", f"knowing={knowing}", "--dictionaries", files / "dictionaries")
    for kind in ("encoder", "embeddings"):
        for method in ("csls", "cosine"):
            different = values(found[f"words_{kind}_{method}_from_different"]["figures"]["knowing"])
            assert different["rus"] == 1.0 and different["hin"] == 0.0
            assert different["heb"] == pytest.approx(5 / 7)
            everything = values(found[f"words_{kind}_{method}_from"]["figures"]["knowing"])
            assert everything["hin"] == 0.0 and everything["rus"] == 1.0  # a Hindi word is as near to moon as moon is
    baselines = found["words_encoder_csls_from"]["baselines"]
    assert values(baselines["written the same"])["heb"] == 1 / 8
    assert values(baselines["chance"])["heb"] == pytest.approx(9 / 8 / 9)


def test_zero_shot_transfer_follows_the_vectors(knowing: Path, files: Path, tmp_path: Path) -> None:
    """Classes go by meanings, so they are known in every language whose vectors are English ones; the n-grams of
    English tell nothing of other scripts."""
    found = evaluated(tmp_path, "--model", f"knowing={knowing}", "--transfer", files / "sib", "--transfer-from", "eng")
    table = found["transfer_probe"]
    expected = {f"{language}_Zzzz": 1.0 for language in WORDS} | {"heb_Zzzz": 0.75, "hin_Zzzz": 0.0}
    assert values(table["figures"]["knowing"]) == expected
    assert set(table["baselines"]) == {"majority class", "character n-grams", "knowing, untrained"}
    assert values(table["baselines"]["majority class"]) == dict.fromkeys(expected, 0.5)
    assert table["baselines"]["character n-grams"]["eng_Zzzz"]["value"] == 1.0
    assert values(table["baselines"]["character n-grams"])["cmn_Zzzz"] == 0.5
    assert table["settings"]["seen"] == ["eng_Zzzz"] and table["means"]["knowing"]["count"] == 5


def test_transfer_by_fine_tuning_has_bounds_over_seeds(
    tiny: Path, files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--model", f"t={tiny}", "--transfer", files / "sib", "--transfer-from", "eng", "--seeds", 2]
    flags += ["--transfer-epochs", 3, "--transfer-learning-rate", "5e-4"]
    found = evaluated(tmp_path / "one", *flags, "--transfer-by", "finetune", "probe", "--languages", "eng", "rus")
    assert capsys.readouterr().out == (tmp_path / "one" / "evaluation.txt").read_text(encoding="utf-8")
    table = found["transfer_finetune"]
    assert set(table["figures"]["t"]) == {"eng_Zzzz", "rus_Zzzz"} and table["settings"]["seeds"] == 2
    recipe = {"epochs": 3, "learning_rate": 5e-4, "layer_decay": 1.0, "batch_size": 32, "pooling": ""}
    assert table["settings"]["recipe"] == {"t": recipe, "t, untrained": recipe}
    for figure in table["figures"]["t"].values():
        assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1 and figure["count"] == 8
    assert set(table["baselines"]) == set(found["transfer_probe"]["baselines"])


def test_transfer_of_pairs(tiny: Path, tmp_path: Path) -> None:
    """XNLI's layout: both texts are read, by vectors and by n-grams."""
    for split, count in (("train", 12), ("dev", 6)):
        for language, words in (("en", WORDS["eng"]), ("ru", WORDS["rus"])):
            rows = [
                f"{words[i % 8]}\t{words[i % 8 if i % 2 else (i + 1) % 8]}\t{('contradiction', 'entailment')[i % 2]}"
                for i in range(count)
            ]
            write(tmp_path / "xnli" / f"{split}-{language}.tsv", ["sentence1\tsentence2\tgold_label", *rows])
    found = evaluated(
        tmp_path / "out", "--model", f"t={tiny}", "--transfer", tmp_path / "xnli", "--transfer-from", "en",
        "--transfer-task", "pair",
    )  # fmt: skip
    assert set(found["transfer_probe"]["figures"]["t"]) == {"en", "ru"}
    assert found["transfer_probe"]["baselines"]["majority class"]["ru"]["value"] == 0.5
    assert found["transfer_probe"]["figures"]["t"]["en"]["value"] == 1.0


def test_languages_are_told_apart_where_vectors_tell_them(
    knowing: Path, tiny: Path, files: Path, tmp_path: Path
) -> None:
    found = evaluated(
        tmp_path, "--model", f"knowing={knowing}", "--model", f"tiny={tiny}", "--probe", "--aligned", files / "aligned",
        "--languages", "eng", "rus", "cmn",
    )  # fmt: skip
    probe = found["language_probe_accuracy"]
    assert probe["figures"]["knowing"]["all"]["value"] < probe["figures"]["tiny"]["all"]["value"]
    assert probe["baselines"]["majority class"]["all"]["value"] == pytest.approx(1 / 3)
    vectors = np.concatenate([embed(open_model(tiny), WORDS[one]) for one in ("eng", "rus", "cmn")]).astype(float)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    expected = (cosines.sum() - len(unit)) / (len(unit) * (len(unit) - 1))
    assert found["mean_cosine"]["figures"]["tiny"]["all"]["value"] == pytest.approx(expected, abs=1e-5)
    assert set(found["isoscore"]["figures"]["tiny"]) == {"eng", "rus", "cmn", "all"}


def test_the_geometry_of_whatever_texts_are_named(tiny: Path, files: Path, tmp_path: Path) -> None:
    write(tmp_path / "texts" / "eng_Latn.txt", WORDS["eng"])
    write(tmp_path / "texts" / "hin_Deva.txt", WORDS["hin"])
    for flags, languages in (
        (["--tatoeba", files / "tatoeba"], set(WORDS)),
        (["--transfer", files / "sib", "--transfer-from", "eng"], {f"{language}_Zzzz" for language in WORDS}),
        (["--texts", tmp_path / "texts"], {"eng_Latn", "hin_Deva"}),
    ):
        found = evaluated(tmp_path / str(flags[0]), "--model", f"t={tiny}", "--probe", *flags)
        assert set(found["effective_rank"]["figures"]["t"]) == languages | {"all"}
        assert found["language_probe_accuracy"]["settings"]["languages"] == len(languages)


def test_retrieval_is_that_of_sentence_transformers(tiny: Path, files: Path, tmp_path: Path) -> None:
    """Cosine both ways, mean and CLS pooling, on sentences of all scripts against their own beginnings."""
    import sentence_transformers
    from sentence_transformers.sentence_transformer.evaluation import TranslationEvaluator
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    first = [line for line in SENTENCES.values()]
    second = [line[: len(line) // 2] for line in first]
    write(tmp_path / "data" / "tatoeba.deu-eng.deu", first)
    write(tmp_path / "data" / "tatoeba.deu-eng.eng", second)
    for pooling in ("mean", "cls"):
        found = evaluated(
            tmp_path / pooling, "--model", f"tiny={tiny}", "--tatoeba", tmp_path / "data", "--pooling", pooling
        )
        body = Transformer(str(tiny))
        theirs = sentence_transformers.SentenceTransformer(modules=[body, Pooling(16, pooling)], device="cpu")
        oracle = TranslationEvaluator(first, second, show_progress_bar=False, write_csv=False)(theirs)
        for way, name in (("to", "src2trg_accuracy"), ("from", "trg2src_accuracy")):
            mine = found[f"tatoeba_cosine_{way}"]["figures"]["tiny"]["deu"]["value"]
            assert mine == pytest.approx(oracle[name])


def test_csls_is_that_of_brute_force(tiny: Path, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    signs = sorted({sign for line in SENTENCES.values() for sign in line if not sign.isspace()})
    sides = [[" ".join(generator.choice(signs, 6)) for _ in range(40)] for _ in range(2)]
    sides[1] = [line[:6] + other[6:] for line, other in zip(sides[0], sides[1], strict=True)]
    write(tmp_path / "data" / "tatoeba.deu-eng.deu", sides[0])
    write(tmp_path / "data" / "tatoeba.deu-eng.eng", sides[1])
    found = evaluated(tmp_path / "out", "--model", f"tiny={tiny}", "--tatoeba", tmp_path / "data", "--layer", 1)
    a, b = (embed(open_model(tiny), side, Reading(layer=1)).astype(float) for side in sides)
    for centred in ("", "centred_"):
        x, y = (one - one.mean(0) * bool(centred) for one in (a, b))
        x, y = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in (x, y))
        cosines = x @ y.T
        near_x = np.sort(cosines, 1)[:, -10:].mean(1)
        near_y = np.sort(cosines, 0)[-10:].mean(0)
        scores = 2 * cosines - near_x[:, None] - near_y[None, :]
        to = float((scores.argmax(1) == np.arange(40)).mean())
        back = float((scores.argmax(0) == np.arange(40)).mean())
        assert found[f"tatoeba_{centred}csls_to"]["figures"]["tiny"]["deu"]["value"] == pytest.approx(to)
        assert found[f"tatoeba_{centred}csls_from"]["figures"]["tiny"]["deu"]["value"] == pytest.approx(back)
        assert 0 < to < 1


def test_models_side_by_side_and_every_time_the_same(
    knowing: Path, tiny: Path, modern: Path, files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = ["--model", tiny, "--model", f"k={knowing}", "--model", modern]
    flags = [
        *models,
        "--aligned",
        files / "aligned",
        "--dictionaries",
        files / "dictionaries" / "en_rus.tsv",
        "--probe",
    ]
    found = evaluated(tmp_path / "one", *flags)
    printed = capsys.readouterr()
    again = evaluated(tmp_path / "two", *flags)
    assert again == found and capsys.readouterr().out == printed.out
    assert (tmp_path / "one" / "plot.svg").read_bytes() == (tmp_path / "two" / "plot.svg").read_bytes()
    assert [one["name"] for one in found["models"]] == ["bert", "k", "modernbert"]
    assert [one["kind"] for one in found["models"]] == ["bert", "bert", "modernbert"]
    table = found["aligned_cosine_to"]
    assert list(table["figures"]) == ["bert", "k", "modernbert"]
    text = (tmp_path / "one" / "evaluation.txt").read_text(encoding="utf-8")
    assert text == printed.out
    rows = re.split(r"\n\n", text)[1].splitlines()
    assert rows[0] == "aligned files, to eng: cosine"
    assert re.split(r" {2,}", rows[1]) == ["share found", "bert", "k", "modernbert", "chance", "bert to the best other"]
    gaps = [gap_of(row) for row in rows[3:]]
    assert gaps == sorted(gaps, reverse=True) and len(gaps) == 5 and max(gaps) > 0
    alone = evaluated(tmp_path / "alone", "--model", f"k={knowing}", "--aligned", files / "aligned")
    assert alone["aligned_cosine_to"]["figures"]["k"] == table["figures"]["k"]
    titles = [one.text for one in ET.fromstring((tmp_path / "one" / "plot.svg").read_text(encoding="utf-8")).iter()]
    assert "aligned files, to eng: cosine" in titles and "rus" in titles


def test_every_layer(knowing: Path, tiny: Path, files: Path, tmp_path: Path) -> None:
    """Each is the figure of that layer alone, of both ways together, and the best one is told."""
    data = ["--tatoeba", files / "tatoeba"]
    found = evaluated(tmp_path / "all", "--model", f"t={tiny}", "--model", f"k={knowing}", *data, "--layer", "all")
    means = [found[f"tatoeba_layer_{layer}"]["means"]["t"]["value"] for layer in range(3)]
    best = found["tatoeba_best_layer"]
    assert best["settings"]["layer"]["t"] == int(np.argmax(means))
    assert best["means"]["t"]["value"] == max(means)
    assert set(found["tatoeba_layer_2"]["figures"]) == {"t"}  # the other has one layer only
    one = evaluated(tmp_path / "one", "--model", f"t={tiny}", *data, "--layer", 1)
    for language, figure in found["tatoeba_layer_1"]["figures"]["t"].items():
        ways = [one[f"tatoeba_cosine_{way}"]["figures"]["t"][language]["value"] for way in ("to", "from")]
        assert figure["value"] == pytest.approx(np.mean(ways)) and figure["count"] == 16


def test_the_first_sentences_and_the_languages_asked_for(knowing: Path, files: Path, tmp_path: Path) -> None:
    found = evaluated(
        tmp_path, "--model", f"k={knowing}", "--tatoeba", files / "tatoeba", "--languages", "heb_Hebr", "rus",
        "--sentences", 2,
    )  # fmt: skip
    figures = found["tatoeba_cosine_to"]["figures"]["k"]
    assert values(figures) == {"heb": 0.0, "rus": 1.0} and figures["heb"]["count"] == 2


def test_the_same_with_random_weights_stands_beside(tiny: Path, files: Path, tmp_path: Path) -> None:
    found = evaluated(tmp_path, "--model", f"t={tiny}", "--aligned", files / "aligned", "--untrained")
    twin = found["aligned_cosine_to"]["baselines"]["t, untrained"]
    assert set(twin) == set(WORDS) - {"eng"}
    assert list(found["aligned_cosine_to"]["figures"]) == ["t"]


def gap_of(row: str) -> float:
    """Of a printed row: above 0 behind."""
    if row.endswith("equal"):
        return 0.0
    value, _, word = row.split()[-3:]
    return float(value) * {"behind": 1, "ahead": -1}[word]
