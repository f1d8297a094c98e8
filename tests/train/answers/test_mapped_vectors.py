"""predict embed and nearest with --map: vectors in one space, which are not mixed with others."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from known_words import WORDS
from planted_maps import WIDTH, a_map, save_planted, way_back

from train.answers.vector_files import StoredVectors
from train.predict import main

EYE = np.eye(WIDTH, dtype=np.float32)
ALL = {language: way_back() if language == "rus" else EYE for language in WORDS}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_planted(tmp_path_factory.mktemp("planted") / "model")


@pytest.fixture(scope="module")
def mapping(planted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_map(planted, tmp_path_factory.mktemp("maps") / "map", ALL)


@pytest.fixture(scope="module")
def moved(planted: Path, mapping: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vectors of the Russian words, by the map."""
    path = tmp_path_factory.mktemp("vectors") / "rus.parquet"
    flags = ["--model", planted, "--map", mapping, "--language", "rus_Cyrl", "--output", path, *WORDS["rus"]]
    assert main(["embed", *map(str, flags)]) == 0
    return path


def nearest(capsys: pytest.CaptureFixture[str], *flags: object) -> list[str]:
    capsys.readouterr()
    assert main(["nearest", *map(str, flags), "--json", "--k", "1"]) == 0
    return [json.loads(line)["neighbours"][0]["candidate"]["text"] for line in capsys.readouterr().out.splitlines()]


def test_what_was_moved_is_found_across_languages(
    planted: Path, mapping: Path, moved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only by the map; the file says which it was, and has the map's width."""
    by_map = ["--model", planted, "--map", mapping]
    assert nearest(capsys, *by_map, "--vectors", moved, "--language", "eng_Latn", *WORDS["eng"]) == WORDS["rus"]
    assert nearest(capsys, *by_map, "--vectors", moved, "--language", "cmn_Hani", *WORDS["cmn"]) == WORDS["rus"]
    plain = tmp_path / "plain.parquet"
    assert main(["embed", "--model", str(planted), "--output", str(plain), *WORDS["rus"]]) == 0
    assert nearest(capsys, "--model", planted, "--vectors", plain, *WORDS["eng"]) != WORDS["rus"]
    making = StoredVectors(moved).making
    assert making is not None and len(making.map) == 64 and len(making.probe) == WIDTH
    assert set(pq.read_table(moved)["language"].to_pylist()) == {"rus_Cyrl"}


def test_a_narrower_space_has_its_own_width(planted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    narrow = a_map(planted, tmp_path / "map", {name: EYE[:, :5] for name in WORDS})
    output = tmp_path / "x.npy"
    flags = ["--model", planted, "--map", narrow, "--language", "hin_Deva", "--output", output, *WORDS["hin"]]
    assert main(["embed", *map(str, flags)]) == 0
    assert "8 vectors of 5 numbers" in capsys.readouterr().out
    assert np.load(output).shape == (8, 5)
    assert nearest(capsys, *flags[:6], "--vectors", output, "नदी")[0] is None


def test_detected_languages_are_those_of_the_map(
    planted: Path, mapping: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row each in its own; words are too short for the real detector."""
    names = {
        word: f"{language}_{script}"
        for language, script in (("rus", "Cyrl"), ("heb", "Hebr"))
        for word in WORDS[language]
    }

    def detect(texts: list[str]) -> list[str | None]:
        return [names.get(text) for text in texts]

    monkeypatch.setattr("train.answers.commands.detector", lambda: detect)
    by_map = ["--model", str(planted), "--map", str(mapping), "--language", "detect"]
    words = tmp_path / "words.txt"
    words.write_text("\n".join([*WORDS["rus"], *WORDS["heb"][4:]]) + "\n", encoding="utf-8")
    found = nearest(capsys, *by_map, "--texts", words, "--to-language", "rus_Cyrl", *WORDS["heb"][4:])
    assert found == WORDS["rus"][4:]
    words.write_text("река\nriver\n", encoding="utf-8")
    assert main(["embed", *by_map, "--file", str(words), "--output", str(tmp_path / "x.npy")]) == 2
    error = capsys.readouterr().err.strip()
    assert "words.txt:2 is in no language that is known, and --map" in error and "\n" not in error
    assert not (tmp_path / "x.npy").exists()


def test_vectors_of_other_maps_are_not_mixed(
    planted: Path, mapping: Path, moved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another map whose pivot's entry is the same makes other vectors of the others."""
    other = a_map(planted, tmp_path / "other", ALL | {"rus": EYE})
    words = a_map(planted, tmp_path / "words", ALL, space="vectors")
    embeddings = a_map(planted, tmp_path / "layer", ALL, layer=0)
    plain = tmp_path / "plain.parquet"
    assert main(["embed", "--model", str(planted), "--output", str(plain), "река"]) == 0
    model, eng = ["--model", planted], ["--language", "eng_Latn"]
    lines = tmp_path / "lines.txt"
    lines.write_text("река\n", encoding="utf-8")
    for flags, problem in (
        ([*model, "--vectors", moved], "was made with a --map"),
        ([*model, *eng, "--map", other, "--vectors", moved], "was made with another --map"),
        ([*model, *eng, "--map", mapping, "--vectors", plain], "was made with no --map"),
        ([*model, *eng, "--map", words, "--vectors", moved], "is of word vectors"),
        ([*model, *eng, "--map", embeddings, "--vectors", moved, "--layer", 1], "is of --layer 0"),
        ([*model, "--map", mapping, "--vectors", moved], "needs the language of texts"),
        ([*model, "--map", mapping, "--vectors", moved, "--language", "tam_Taml"], "has no language tam_Taml: it has"),
        ([*model, *eng, "--map", mapping, "--texts", lines], "needs the languages of --texts"),
        ([*model, *eng, "--map", tmp_path, "--vectors", moved], "holds no map.json"),
    ):
        capsys.readouterr()
        assert main(["nearest", *map(str, flags), "river"]) == 2, flags
        error = capsys.readouterr().err.strip()
        assert problem in error and "\n" not in error and error.startswith("predict: ")
