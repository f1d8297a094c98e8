"""evaluate with --map and with ensembles: columns of their own, beside the models that they are made of."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from known_words import WORDS, evaluated, save_knowing, write, write_words
from planted_maps import WIDTH, a_map, save_planted, way_back

from train.checkpoints.files import digest
from train.encoders.opened import open_model
from train.encoders.vectors import Reading, embed
from train.evaluate import main
from train.maps.map_folder import Origin, read_map, write_map
from train.maps.vec_files import write_vec
from train.model_folders.digest import folder_digest

EYE = np.eye(WIDTH, dtype=np.float32)
ALL = {language: way_back() if language == "rus" else EYE for language in WORDS}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_planted(tmp_path_factory.mktemp("planted") / "model")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_words(tmp_path_factory.mktemp("files"))


def test_a_mapped_model_stands_beside_the_unmapped_one(
    planted: Path, files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was moved is found again by the map; languages that it lacks are left out, and told."""
    some = {language: ALL[language] for language in ("eng", "rus", "cmn")}
    mapping = a_map(planted, tmp_path / "map", some)
    found = evaluated(
        tmp_path / "out", "--model", f"a={planted}", "--model", f"b={planted}", "--map", f"b={mapping}",
        "--tatoeba", files / "tatoeba", "--aligned", files / "aligned", "--dictionaries", files / "dictionaries",
        "--transfer", files / "sib", "--transfer-from", "eng", "--pooling", "mean", "--probe",
    )  # fmt: skip
    told = capsys.readouterr().err
    for measure in ("tatoeba", "aligned", "word translation"):
        assert f"left out: {measure} of b: amh, heb, hin, which its map lacks" in told
    for name in ("tatoeba_cosine_to", "tatoeba_csls_from", "aligned_cosine_to", "words_encoder_cosine_from"):
        figures = found[name]["figures"]
        assert set(figures["a"]) == {"amh", "cmn", "heb", "hin", "rus"} and set(figures["b"]) == {"cmn", "rus"}
        # A word of its own stands in each dictionary, which is no word of the model's.
        assert figures["b"]["rus"]["value"] == figures["b"]["cmn"]["value"] >= 8 / 9
        assert figures["a"]["rus"]["value"] < 0.5 < figures["a"]["cmn"]["value"]
        settings = found[name]["settings"]
        assert settings["map"]["b"] | {"folder": ""} == {
            "folder": "", "method": "planted", "space": "sentences", "pivot": "eng", "layer": -1, "pooling": "mean",
        }  # fmt: skip
        assert "a" not in settings["map"] and settings["layer"] == -1
        assert settings["left_out"] == {"b": ["amh, heb, hin, which its map lacks"]}
    assert "b" not in found["words_embeddings_cosine_from"]["figures"]
    transfer = found["transfer_probe"]["figures"]
    assert set(transfer["b"]) == {"eng_Zzzz", "rus_Zzzz", "cmn_Zzzz"}
    assert transfer["b"]["rus_Zzzz"] == transfer["b"]["cmn_Zzzz"]
    assert set(found["transfer_probe"]["baselines"]) == {"a, untrained", "majority class", "character n-grams"}
    assert set(found["effective_rank"]["figures"]["b"]) == {"eng", "rus", "cmn", "all"}
    assert [one["name"] for one in found["models"]] == ["a", "b"]


def test_layer_and_pooling_are_the_map_s(planted: Path, files: Path, tmp_path: Path) -> None:
    """A map of the embeddings' layer, whatever --layer says; figures equal those by hand."""
    random = {
        language: np.random.default_rng(len(language)).normal(size=(WIDTH, 9)).astype(np.float32) for language in WORDS
    }
    mapping = a_map(planted, tmp_path / "map", random, layer=0)
    found = evaluated(
        tmp_path / "out", "--model", f"b={planted}", "--map", mapping, "--tatoeba", files / "tatoeba", "--layer", 1,
        "--pooling", "cls",
    )  # fmt: skip
    rows = {}
    for language in ("eng", "heb"):
        vectors = embed(open_model(planted, device="cpu"), WORDS[language], Reading("mean", 0))
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True) @ random[language]
        rows[language] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    right = (rows["heb"] @ rows["eng"].T).argmax(1) == np.arange(8)
    assert found["tatoeba_cosine_to"]["figures"]["b"]["heb"]["value"] == pytest.approx(right.mean())
    settings = found["tatoeba_cosine_to"]["settings"]
    assert settings["map"]["b"]["layer"] == 0 and "layer" not in settings and "pooling" not in settings


def test_a_map_of_embeddings_has_words_by_their_embeddings(planted: Path, files: Path, tmp_path: Path) -> None:
    mapping = a_map(planted, tmp_path / "map", ALL, space="embeddings")
    found = evaluated(
        tmp_path / "out", "--model", f"a={planted}", "--model", f"b={planted}", "--map", f"b={mapping}",
        "--dictionaries", files / "dictionaries", "--tatoeba", files / "tatoeba",
    )  # fmt: skip
    figures = found["words_embeddings_cosine_from"]["figures"]
    assert figures["b"]["rus"] == figures["b"]["cmn"] and figures["a"]["rus"]["value"] < 0.5
    assert "b" not in found["words_encoder_cosine_from"]["figures"]
    assert found["tatoeba_cosine_to"]["figures"]["b"]["rus"]["value"] == 1
    assert "mean of" not in found["tatoeba_cosine_to"]["settings"]["map"]["b"]  # a map that does not say
    write_map(replace(read_map(mapping), lineage={"mean of": "words"}), mapping)
    found = evaluated(tmp_path / "told", "--model", f"b={planted}", "--map", mapping, "--tatoeba", files / "tatoeba")
    assert found["tatoeba_cosine_to"]["settings"]["map"]["b"]["mean of"] == "words"


def test_the_pivot_of_another_model(planted: Path, files: Path, tmp_path: Path) -> None:
    """Its vectors are that model's: here of one that has English elsewhere, so that only by the map all are found."""
    other = save_planted(tmp_path / "other", "eng")
    origin = Origin(str(other), folder_digest(other))
    matrices = {"eng": way_back(), "rus": way_back(), "cmn": EYE}
    mapping = a_map(planted, tmp_path / "map", matrices, origins={"eng": origin})
    flags = ["--model", f"b={planted}", "--map", mapping, "--aligned", files / "aligned", "--languages", "cmn", "rus"]
    found = evaluated(tmp_path / "out", *flags)
    assert {one["value"] for one in found["aligned_cosine_to"]["figures"]["b"].values()} == {1.0}
    save_knowing(other)  # another model now lies there
    assert main([*map(str, flags), "--output", str(tmp_path / "again")]) == 2


@pytest.mark.parametrize(
    ("languages", "flags", "problem"),
    [
        (("rus", "cmn"), ["--tatoeba", "tatoeba"], "lacks eng"),
        (("eng", "fra"), ["--tatoeba", "tatoeba"], "lacks amh, cmn, heb, hin, rus"),
        (("eng", "rus"), ["--tatoeba", "tatoeba", "--layer", "all"], "--layer all asks one model"),
        (("eng", "rus"), ["--transfer", "sib", "--transfer-from", "cmn"], "lacks cmn_Zzzz"),
        (
            ("eng", "rus"),
            ["--transfer", "sib", "--transfer-from", "eng", "--transfer-by", "finetune"],
            "not fine-tuned",
        ),
        (("rus", "cmn"), ["--dictionaries", "dictionaries"], "has both languages of no dictionary"),
    ],
)
def test_what_a_map_lacks_is_one_line(
    planted: Path, files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    languages: tuple[str, ...], flags: list[str], problem: str,
) -> None:  # fmt: skip
    mapping = a_map(planted, tmp_path / "map", dict.fromkeys(languages, EYE), pivot=languages[0])
    flags = [str(files / one) if (files / one).exists() else one for one in flags]
    assert main(["--model", str(planted), "--map", str(mapping), "--output", str(tmp_path / "out"), *flags]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("evaluate: ") and problem in error


def test_maps_are_not_for_runs_that_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--watch", str(tmp_path), "--map", "m"]) == 2
    assert "leave out the others" in capsys.readouterr().err


def test_an_ensemble_is_a_column(
    planted: Path, files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a model and itself: all figures are the model's. What takes one module is left out with a line."""
    for language in ("eng", "heb"):
        write(tmp_path / "texts" / f"{language}.txt", WORDS[language])
    flags = ["--tatoeba", files / "tatoeba", "--dictionaries", files / "dictionaries", "--probe"]
    flags += [
        "--transfer",
        files / "sib",
        "--transfer-from",
        "eng",
        "--sib200",
        files / "sib",
        "--transfer-by",
        "probe",
        "finetune",
    ]
    flags += ["--seeds", 1, "--transfer-epochs", 1]
    found = evaluated(tmp_path / "out", "--model", f"one={planted}", "--model", f"two={planted}+{planted}", *flags)
    told = capsys.readouterr().err
    for table in found.values():
        # IsoScore and the partition ratio see the second half of the dimensions, in which nothing is new.
        if (
            isinstance(table, dict)
            and "two" in table["figures"]
            and table["name"] not in ("isoscore", "partition_ratio")
        ):
            one, two = table["figures"]["one"], table["figures"]["two"]
            assert {name: row["value"] for name, row in two.items()} == pytest.approx(
                {name: row["value"] for name, row in one.items()}, abs=1e-4
            ), table["name"]
    assert {"tatoeba_cosine_to", "transfer_probe", "words_embeddings_csls_from", "mean_cosine"} <= {
        name for name, table in found.items() if isinstance(table, dict) and "two" in table["figures"]
    }
    assert "two" not in found["transfer_finetune"]["figures"]
    assert "left out: transfer of two: fine-tuning" in told
    assert "left out: SIB-200 of two: --model two is an ensemble" in told
    models = {one["name"]: one for one in found["models"]}
    assert models["two"]["parameters"] == 2 * models["one"]["parameters"] and models["two"]["kind"] == "bert + bert"


def test_bits_of_an_ensemble(tmp_path: Path) -> None:
    from tiny_encoders import SENTENCES, save_encoder

    first, second = (save_encoder("bert", tmp_path / str(seed), seed) for seed in range(2))
    write(tmp_path / "texts" / "tam_Taml.txt", [SENTENCES["tam_Taml"]])
    found = evaluated(
        tmp_path / "out", "--model", f"a={first}", "--model", f"b={second}", "--model", f"ab={first}+{second}",
        "--texts", tmp_path / "texts",
    )  # fmt: skip
    for name in ("bits_a_byte", "masked_loss"):
        figures = {model: rows["tam_Taml"]["value"] for model, rows in found[name]["figures"].items()}
        assert figures["ab"] < (figures["a"] + figures["b"]) / 2
    assert set(found["masked_accuracy"]["figures"]) == {"a", "b", "ab"}


def test_word_vectors_need_no_model(files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The words of Hebrew are moved, and one of them has no vector, which counts as not found; upper case is looked up
    as it is, else in lower case."""
    vectors = np.random.default_rng(1).normal(size=(8, 6)).astype(np.float32)
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(6, 6)))[0].astype(np.float32)
    write_vec(tmp_path / "eng.vec", WORDS["eng"], vectors)
    write_vec(tmp_path / "heb.vec", WORDS["heb"][:7], vectors[:7] @ turn.T)
    origins = {name: Origin(str(path), digest(path)) for name in ("eng", "heb") for path in [tmp_path / f"{name}.vec"]}
    matrices = {"eng": np.eye(6, dtype=np.float32), "heb": turn}
    mapping = a_map(tmp_path, tmp_path / "muse", matrices, space="vectors", origins=origins)
    pairs = [f"{a.upper()}\t{b}" for a, b in zip(WORDS["eng"], WORDS["heb"], strict=True)]
    write(tmp_path / "dictionaries" / "en_he.tsv", pairs)
    flags = ["--map", mapping, "--dictionaries", tmp_path / "dictionaries", "--untrained"]
    found = evaluated(tmp_path / "out", *flags, "--tatoeba", files / "tatoeba", "--sib200", files / "sib")
    told = capsys.readouterr().err
    assert "left out: tatoeba of muse: muse has vectors of words alone" in told
    assert "left out: SIB-200 of muse: --map" in told
    assert found["words_vectors_cosine_from"]["figures"]["muse"]["he"]["value"] == 7 / 8
    assert found["words_vectors_csls_from"]["figures"]["muse"]["he"]["value"] <= 7 / 8
    assert found["words_vectors_covered_from"]["figures"]["muse"]["he"]["value"] == 15 / 16
    assert found["models"][0]["kind"] == "word vectors"
    assert found["words_vectors_cosine_from"]["settings"]["map"]["muse"]["space"] == "vectors"
    write_vec(tmp_path / "heb.vec", WORDS["heb"], vectors)
    assert main([*map(str, flags), "--output", str(tmp_path / "again")]) == 2
    assert "is of other vectors than those in" in capsys.readouterr().err
    (tmp_path / "heb.vec").unlink()
    assert main([*map(str, flags), "--output", str(tmp_path / "again")]) == 2
    assert "which are not there" in capsys.readouterr().err
