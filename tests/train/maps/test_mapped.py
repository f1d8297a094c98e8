"""A model with a map: its vectors are those of the map, and only of a map of that model."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from planted_maps import AWAY, WIDTH, a_map, save_planted, way_back
from tiny_encoders import SENTENCES, save_encoder

from schemas.errors import UserError
from train.checkpoints.files import digest
from train.encoders.ensemble import Ensemble
from train.encoders.opened import open_model
from train.encoders.token_means import token_means
from train.encoders.vectors import Reading, embed, embed_layers
from train.maps.given import with_maps
from train.maps.map_folder import LanguageMap, Origin, VectorMap, read_map, write_map
from train.maps.mapped import MappedModel
from train.maps.vec_files import write_vec
from train.maps.word_vectors import MappedWords
from train.model_folders.digest import folder_digest

RNG = np.random.default_rng(0)
EYE = np.eye(WIDTH, dtype=np.float32)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_planted(tmp_path_factory.mktemp("planted") / "model")


def test_vectors_of_each_language_by_any_of_its_names(tmp_path: Path) -> None:
    """Of a layer and a pooling that the map says, whatever is asked, in scripts of all kinds."""
    folder = save_encoder("xlm-roberta", tmp_path / "model")
    model = open_model(folder, device="cpu")
    digest = Origin("elsewhere", folder_digest(folder))
    maps = {
        name: LanguageMap(RNG.normal(size=16).astype(np.float32) / 9, RNG.normal(size=(16, 5)).astype(np.float32))
        for name in ("eng", "zho-CN", "kat_Geor", "tha", "amh", "tam", "khm", "heb", "arb", "hin")
    }
    write_map(VectorMap("sentences", "ridge", "eng", maps, dict.fromkeys(maps, digest), 1, "cls"), tmp_path / "map")
    mapped = MappedModel(model, read_map(tmp_path / "map"), tmp_path / "map")
    asked = {"en": "eng", "cmn_Hani": "zho-CN", "kat": "kat_Geor", "tha_Thai": "tha", "am": "amh", "tam_Taml": "tam"}
    asked |= {"km": "khm", "iw": "heb", "ara_Arab": "arb", "hin_Deva": "hin"}
    texts = list(SENTENCES.values())
    for code, name in asked.items():
        assert mapped.knows(code)
        found = embed(mapped.in_language(code), texts, Reading("mean", -1))
        rows = unit(unit(embed(model, texts, Reading("cls", 1))) - maps[name].mean) @ maps[name].matrix
        np.testing.assert_allclose(found, unit(rows), atol=1e-6)
    assert not mapped.knows("rus_Cyrl")
    with pytest.raises(UserError, match="has no language rus_Cyrl: it has amh, arb"):
        mapped.in_language("rus_Cyrl")
    with pytest.raises(UserError, match="needs the language"):
        embed(mapped, texts)
    with pytest.raises(UserError, match="--layer all"):
        embed_layers(mapped.in_language("eng"), texts, Reading())


def test_texts_that_are_cut_are_counted(tmp_path: Path) -> None:
    folder = save_encoder("bert", tmp_path / "model")
    eye = np.eye(16, dtype=np.float32)
    mapped = MappedModel(
        open_model(folder, device="cpu"), read_map(a_map(folder, tmp_path / "map", {"eng": eye, "deu": eye})), tmp_path
    )
    reading = Reading()
    embed(mapped.in_language("deu"), ["Anna " * 200, "Anna"], reading)
    assert reading.truncated == 1


def test_words_by_their_embeddings(planted: Path, tmp_path: Path) -> None:
    folder = a_map(planted, tmp_path / "map", {"eng": EYE, "rus": way_back()}, space="embeddings")
    model = open_model(planted, device="cpu")
    (mapped,) = with_maps([model], [str(folder)])
    found = embed(mapped.in_language("ru"), ["река", "хлеб"])
    np.testing.assert_allclose(found, embed(mapped.in_language("en"), ["river", "bread"]), atol=1e-6)
    np.testing.assert_allclose(found, unit(token_means(model, ["river", "bread"])), atol=1e-6)
    assert not embed(mapped.in_language("ru"), [""]).any()  # a word without tokens


def test_the_pivot_s_vectors_may_be_another_model_s(planted: Path, tmp_path: Path) -> None:
    other = save_encoder("bert", tmp_path / "other")
    origin = Origin(str(other), folder_digest(other))
    down = RNG.normal(size=(WIDTH, 16)).astype(np.float32)
    matrices = {"eng": np.eye(16, dtype=np.float32), "rus": down}
    folder = a_map(planted, tmp_path / "map", matrices, origins={"eng": origin})
    model = open_model(planted, device="cpu")

    def mapped() -> MappedModel:
        return MappedModel(model, read_map(folder), folder)

    np.testing.assert_allclose(
        embed(mapped().in_language("eng"), ["Anna"]), unit(embed(open_model(other, device="cpu"), ["Anna"])), atol=1e-6
    )
    with pytest.raises(UserError, match="a map of another model"):  # of the pivot's alone
        MappedModel(open_model(other, device="cpu"), read_map(folder), folder)
    save_encoder("bert", tmp_path / "other", seed=1)
    with pytest.raises(UserError, match="there is another now"):
        embed(mapped().in_language("eng"), ["Anna"])
    shutil.rmtree(other)
    with pytest.raises(UserError, match="which is not there"):
        embed(mapped().in_language("eng"), ["Anna"])
    embed(mapped().in_language("rus"), ["река"])


def test_what_a_map_is_not_of_is_one_line(planted: Path, tmp_path: Path) -> None:
    model = open_model(planted, device="cpu", name="a")
    good = a_map(planted, tmp_path / "good", {"eng": EYE, "rus": way_back()})
    other = open_model(save_encoder("bert", tmp_path / "other"), device="cpu", name="b")
    both = Ensemble([model, model], "both")
    vec = a_map(planted, tmp_path / "vec", {"eng": EYE, "rus": EYE}, space="vectors")
    cases: list[tuple[list, list[str], str]] = [
        ([other], [str(good)], "is a map of another model"),
        ([model, other], [str(good)], "say which model it is for, as --map a="),
        ([model], [f"c={good}"], "no --model is called c: there are a"),
        ([model], [str(good), str(good)], "has a map already"),
        ([both], [str(good)], "a map is of one model"),
        ([model], [f"a={vec}"], "is of word vectors, not of a model"),
        ([], [str(good)], "name its model too"),
        ([model], [str(tmp_path / "nothing")], "holds no map.json"),
    ]
    for models, given, problem in cases:
        with pytest.raises(UserError, match=problem) as told:
            with_maps(models, given)
        assert "\n" not in str(told.value)
    narrow = a_map(
        planted, tmp_path / "narrow", {"eng": np.eye(7, dtype=np.float32), "rus": np.eye(7, dtype=np.float32)}
    )
    (mapped,) = with_maps([model], [str(narrow)])
    with pytest.raises(UserError, match="learn it again"):
        embed(mapped.in_language("rus"), ["река"])


def test_without_its_map_it_is_the_model(planted: Path, tmp_path: Path) -> None:
    model = open_model(planted, device="cpu")
    (mapped,) = with_maps([model], [str(a_map(planted, tmp_path / "map", {"eng": EYE, "rus": way_back()}))])
    np.testing.assert_array_equal(embed(mapped.untrained(), ["река"]), embed(model.untrained(), ["река"]))
    assert mapped.name == model.name and sorted(AWAY) == list(range(WIDTH))
    with pytest.raises(UserError, match="not weights"):
        mapped.to_train("AutoModelForSequenceClassification", 0)


def test_no_words_and_words_by_pieces_have_the_same_means(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = open_model(planted, device="cpu")
    whole = token_means(model, ["river", "", "river bread", "хлеб"])
    monkeypatch.setattr("train.encoders.token_means.TEXTS_AT_ONCE", 3)
    np.testing.assert_array_equal(token_means(model, ["river", "", "river bread", "хлеб"]), whole)
    assert token_means(model, []).shape == (0, WIDTH)


def test_a_file_of_vectors_is_read_as_whole_as_it_was_learnt_of(tmp_path: Path) -> None:
    write_vec(tmp_path / "eng.vec", ["river", "bread", "moon"], RNG.normal(size=(3, 4)).astype(np.float32))
    found = VectorMap(
        "vectors", "x", "eng", {"eng": LanguageMap(np.zeros(4, np.float32), np.eye(4, dtype=np.float32))},
        {"eng": Origin(str(tmp_path / "eng.vec"), digest(tmp_path / "eng.vec"))}, lineage={"words": {"eng": 2}},
    )  # fmt: skip
    model = MappedWords(found, tmp_path, "muse").in_language("eng")
    assert model.own_vectors(["river", "Bread", "moon"], Reading()).any(1).tolist() == [True, True, False]
