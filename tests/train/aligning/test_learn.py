"""align.py learn, as a black box: planted rotations are found, and figures are what NumPy makes of the same vectors."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planted import SHARED, WORDS, word, write_planted
from tiny_encoders import save_encoder

from pipeline.report.evaluations import read_evaluation
from train.align import main
from train.aligning import methods
from train.aligning.splits import read_lines
from train.alignment.adversarial_settings import GameSettings
from train.encoders.opened import open_model
from train.encoders.vectors import Reading, embed
from train.maps.map_folder import read_map
from train.maps.vec_files import read_vec

NUMBERS = ["one", "two", "ten", "six", "red", "old", "new", "big", "hot", "wet"]
ALPHABETS = {
    "eng": NUMBERS,
    "rus": ["р", "е", "к", "а", "ж", "и", "в", "ё", "т", "М"],
    "cmn": [*"安娜住在北京中国的首"],
}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_planted(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="module")
def parallel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 lines, each a number of three digits that are written as words."""
    folder = tmp_path_factory.mktemp("parallel")
    for language, words in ALPHABETS.items():
        lines = [" ".join(words[int(digit)] for digit in f"{number * 7 % 1000:03}") for number in range(120)]
        (folder / f"{language}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_encoder("bert", tmp_path_factory.mktemp("models") / "bert", head="AutoModel")


def learnt(output: Path, *arguments: object) -> dict[str, Any]:
    assert main(["learn", *map(str, arguments), "--output", str(output), "--device", "cpu"]) == 0
    found = read_evaluation(str(output / "alignment.json"))  # as the report does
    return {table["name"]: table for table in found["tables"]} | {"models": found["models"]}


def values(table: Any, name: str) -> dict[str, float]:
    rows = table["figures"].get(name) or table["baselines"][name]
    return {language: figure["value"] for language, figure in rows.items()}


def test_a_dictionary_finds_planted_rotations(
    planted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--vectors", f"eng={planted / 'eng.vec'}", f"fra={planted / 'fra.vec'}", f"rus={planted / 'rus.vec'}"]
    dictionaries = [planted / "dictionaries" / f"eng_{language}.tsv" for language in ("fra", "rus")]
    found = learnt(tmp_path / "out", *flags, "--dictionary", *dictionaries)
    out = capsys.readouterr().out
    assert [one["name"] for one in found["models"]] == ["procrustes", "ridge", "dictionary"]
    for way in ("to", "from"):
        table = found[f"held_out_words_csls_{way}"]
        for name in ("procrustes", "dictionary", "identical"):
            assert min(values(table, name).values()) > 0.95, name
        assert max(max(values(table, name).values()) for name in ("nothing", "centre")) < 0.1
        assert table["figures"]["dictionary"]["fra"]["count"] == WORDS // 4
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == sorted(
        [
            "alignment.json",
            "alignment.txt",
            "map",
            "nothing",
            "centre",
            "identical",
            "procrustes",
            "ridge",
            "dictionary",
        ]
    )
    best = read_map(tmp_path / "out" / "map")
    assert f"out/map is a copy of {best.method}: " in out and out.endswith((tmp_path / "out/alignment.txt").read_text())
    assert best.space == "vectors" and best.origins["fra"].folder == str(planted / "fra.vec")
    told = read_map(tmp_path / "out" / "identical").lineage
    assert told["learnt"]["rus"]["pairs"] == SHARED and set(told["data"]) == {one.name for one in dictionaries}
    # A word of the other language lies at its translation.
    fra, eng = read_vec(planted / "fra.vec"), read_vec(planted / "eng.vec")
    cosines = best.apply("fra", fra.vectors) @ best.apply("eng", eng.vectors).T
    assert (cosines.argmax(1) == np.arange(WORDS)).mean() > 0.95 and fra.words[99] == word("fra", 99)


def test_words_that_are_tested_are_not_learnt_from(planted: Path, tmp_path: Path) -> None:
    test = tmp_path / "en-fr.5000-6500.txt"
    test.write_text("".join(f"{word('eng', one)} {word('fra', one)}\n" for one in range(100, 150)), encoding="utf-8")
    flags = ["--vectors", f"eng={planted / 'eng.vec'}", f"fra={planted / 'fra.vec'}", "--test-dictionary", test]
    dictionary = planted / "dictionaries" / "eng_fra.tsv"
    found = learnt(tmp_path / "out", *flags, "--dictionary", dictionary, "--method", "procrustes")
    assert found["held_out_words_cosine_to"]["figures"]["procrustes"]["fra"]["count"] == 50
    told = read_map(tmp_path / "out" / "procrustes")
    learning = told.lineage["learnt"]["fra"]["pairs"]
    assert learning < WORDS - 50  # a part chooses
    # Against NumPy: the same pairs, unit, centred, unit, U V' of X'Y.
    sides = []
    for language in ("fra", "eng"):
        raw = read_vec(planted / f"{language}.vec").vectors.astype(np.float64)
        raw /= np.linalg.norm(raw, axis=1, keepdims=True)
        raw -= raw.mean(0)
        sides.append(raw / np.linalg.norm(raw, axis=1, keepdims=True))
    X, Y = (np.delete(side, np.arange(100, 150), 0) for side in sides)
    U, _, V = np.linalg.svd(X.T @ Y)
    ours = told.languages["fra"].matrix
    np.testing.assert_allclose(ours @ ours.T, np.eye(len(ours)), atol=1e-5)
    assert np.abs(ours - U @ V).max() < 0.05  # of all words that may be learnt from; ours lacks the choosing ones


def test_figures_of_lines_are_those_of_numpy(bert: Path, parallel: Path, tmp_path: Path) -> None:
    found = learnt(tmp_path / "out", "--model", bert, "--parallel", parallel, "--layer", 1)
    lines = read_lines(parallel, "eng", [])
    model, split = open_model(bert, device="cpu"), lines.split
    vectors = {one: embed(model, texts, Reading("mean", 1)).astype(np.float64) for one, texts in lines.texts.items()}
    learning = set(split.learnt.tolist())
    assert not learning & {*split.held_out.tolist(), *split.development.tolist()}
    assert len(split.held_out) == 30 and len(split.development) == 15 and len(learning) == 75
    moved = {}
    for language, one in vectors.items():
        unit = one / np.linalg.norm(one, axis=1, keepdims=True)
        unit -= unit[split.learnt].mean(0)
        moved[language] = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    for language in ("rus", "cmn"):
        U, _, V = np.linalg.svd(moved[language][split.learnt].T @ moved["eng"][split.learnt])
        there = read_map(tmp_path / "out" / "procrustes")
        np.testing.assert_allclose(there.languages[language].matrix, U @ V, atol=1e-4)
        for name, mapped in (("centre", moved[language]), ("procrustes", moved[language] @ U @ V)):
            cosines = mapped[split.held_out] @ moved["eng"][split.held_out].T
            hits = cosines.argmax(1) == np.arange(len(cosines))
            assert values(found["held_out_lines_cosine_to"], name)[language] == pytest.approx(hits.mean())
            back = cosines.argmax(0) == np.arange(len(cosines))
            assert values(found["held_out_lines_cosine_from"], name)[language] == pytest.approx(back.mean())
    assert {one["name"] for one in found["models"]} == {"procrustes", "ridge", "joint"}


def test_models_of_other_widths_get_maps_and_no_baselines(
    bert: Path, parallel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = save_encoder("modernbert", tmp_path / "wide", hidden_size=24)
    flags = ["--model", f"eng={bert}", "--model", f"rus={wide}", "--languages", "rus", "--parallel", parallel]
    found = learnt(tmp_path / "out", *flags)
    assert "nothing: left out rus: its vectors have 24 dimensions and those of eng 16" in capsys.readouterr().out
    assert set(found["held_out_lines_cosine_to"]["figures"]) == {"procrustes", "ridge"}
    there = read_map(tmp_path / "out" / "ridge")
    assert (
        there.languages["rus"].matrix.shape == (24, 16) and there.origins["rus"].digest != there.origins["eng"].digest
    )
    assert main([*map(str, ["learn", *flags, "--method", "muse", "--output", tmp_path / "muse"])]) == 2
    assert capsys.readouterr().err.startswith("align: --method muse needs vectors of one width: those of rus have 24")


def test_all_layers_are_judged_and_the_best_is_kept(bert: Path, parallel: Path, tmp_path: Path) -> None:
    found = learnt(tmp_path / "out", "--model", bert, "--parallel", parallel, "--layer", "all")
    layers = [found[f"layer_{number}"] for number in range(3)]
    assert all(
        set(one["figures"]) == {"procrustes"} and set(one["baselines"]) == {"nothing", "centre"} for one in layers
    )
    chosen = read_map(tmp_path / "out" / "procrustes").layer
    plain = learnt(tmp_path / "plain", "--model", bert, "--parallel", parallel, "--layer", chosen)
    for way in ("to", "from"):
        name = f"held_out_lines_cosine_{way}"
        assert values(plain[name], "ridge") == pytest.approx(values(found[name], "ridge"))


def test_a_dictionary_s_map_is_judged_by_lines_too(bert: Path, parallel: Path, tmp_path: Path) -> None:
    dictionary = tmp_path / "en_ru.tsv"
    pairs = zip(ALPHABETS["eng"], ALPHABETS["rus"], strict=True)
    dictionary.write_text("".join(f"{a}\t{b}\n" for a, b in pairs), encoding="utf-8")
    found = learnt(tmp_path / "out", "--model", bert, "--parallel", parallel, "--dictionary", dictionary,
                   "--languages", "rus")  # fmt: skip
    names = {"nothing", "centre", "identical", "procrustes", "ridge", "dictionary"}
    table = found["held_out_lines_cosine_to"]
    assert {*table["figures"], *table["baselines"]} <= names and "dictionary" in table["figures"]
    assert found["held_out_words_cosine_to"]["figures"]["dictionary"]["rus"]["count"] == 2
    maps = [read_map(tmp_path / "out" / name) for name in ("dictionary", "procrustes")]
    np.testing.assert_array_equal(*(one.languages["rus"].mean for one in maps))  # that of sentences
    assert {one.space for one in maps} == {"sentences"}


def test_what_is_finished_is_not_learnt_again(
    planted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ["--vectors", f"eng={planted / 'eng.vec'}", f"fra={planted / 'fra.vec'}", "--dictionary",
             planted / "dictionaries" / "eng_fra.tsv", "--method", "procrustes", "ridge"]  # fmt: skip
    first = learnt(tmp_path / "out", *flags)
    stamp = (tmp_path / "out" / "ridge" / "map.json").stat().st_mtime_ns
    (tmp_path / "out" / "procrustes" / "map.safetensors").write_bytes(b"")
    capsys.readouterr()
    again = learnt(tmp_path / "out", *flags)
    out = capsys.readouterr().out
    assert "ridge: as " in out and "procrustes: as " not in out and again == first
    assert (tmp_path / "out" / "ridge" / "map.json").stat().st_mtime_ns == stamp
    learnt(tmp_path / "out", *flags, "--max-words", 300)
    assert "ridge: as " not in capsys.readouterr().out


def test_muse_tells_its_seeds_and_the_table_its_fit(
    planted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The game itself is tested where it is: here a short one, most of whose seeds fail."""
    short = GameSettings(hidden=8, epochs=2, epoch_words=320, refinements=1, scaled=True)
    monkeypatch.setattr(methods, "SETTINGS", {"reduced": short})
    monkeypatch.setattr("train.aligning.learning.SETTINGS", {"reduced": short})
    flags = ["--vectors", f"eng={planted / 'eng.vec'}", f"fra={planted / 'fra.vec'}", "--seeds", 2]
    found = learnt(tmp_path / "out", *flags)
    told = read_map(tmp_path / "out" / "muse").lineage
    runs = told["learnt"]["fra"]["runs"]
    assert [run["seed"] for run in runs] == [0, 1] and all(len(run["game"]) == 2 for run in runs)
    failed = [run["seed"] for run in runs if run["failed"]]
    assert told["learnt"]["fra"]["failed"] == failed and told["muse"]["hidden"] == 8
    assert ("seeds failed" in capsys.readouterr().out) == bool(failed)
    table = found["criterion_csls_to"]
    assert values(table, "identical")["fra"] > values(table, "nothing")["fra"]
    assert json.loads((tmp_path / "out" / "map" / "map.json").read_text())["method"] == "identical"
