"""align.py fold: planted turns are undone, and what it writes is trained on, opened, and says where it is from."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from known_words import WORDS, save_knowing, write, write_words
from planted_maps import TABLE, WIDTH, a_map, save_planted, way_back
from safetensors.torch import load_file, save_file
from tiny_encoders import SENTENCES, save_encoder
from training_runs import log, pretrain

from train.align import main
from train.encoders.opened import open_model
from train.encoders.vectors import embed
from train.maps.map_folder import Origin, read_map, write_map
from train.model_folders.huggingface import load_encoder

EYE = np.eye(WIDTH, dtype=np.float32)
ALL = {language: way_back() if language == "rus" else EYE for language in WORDS}
TEXTS = {
    "eng_Latn": "the river carries light over stones while people gather bread and talk of distant rain",
    "rus_Cyrl": "река несёт свет над камнями пока люди собирают хлеб и говорят о далёком дожде",
}


def fold(*flags: object) -> int:
    return main(["fold", *map(str, flags)])


def test_a_planted_turn_is_undone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The Russian words are where they were, in a BERT without a head, and their translations' vectors are theirs."""
    planted, files = save_planted(tmp_path / "planted"), write_words(tmp_path / "files")
    mapping = a_map(planted, tmp_path / "map", ALL, space="embeddings")
    assert (
        fold("--map", mapping, "--model", planted, "--output", tmp_path / "out", "--parallel", files / "aligned") == 0
    )
    save_knowing(tmp_path / "before")
    rows = load_encoder(tmp_path / "out").encoder.token_embeddings.detach()
    before = load_file(tmp_path / "before" / "model.safetensors")[TABLE]
    torch.testing.assert_close(rows[5 : len(before)], before[5:], atol=1e-6, rtol=0)
    model = open_model(tmp_path / "out", device="cpu")
    np.testing.assert_allclose(embed(model, ["река"]), embed(model, ["river"]), atol=1e-5)
    told = capsys.readouterr().out
    assert "48 of 53 token rows are in the space of eng, 0 of them of several languages; 5 were seen in no text" in told
    assert "has no head for masked words" in told


def turned(folder: Path, source: Path, language: str, turn: np.ndarray) -> set[int]:
    """A copy whose rows of the tokens of a language are turned; the ids of these."""
    shutil.copytree(source, folder)
    model = open_model(source, device="cpu")
    ids = {one for one in model.tokenizer(TEXTS[language], add_special_tokens=False)["input_ids"]}
    ids -= {one for name in set(TEXTS) - {language} for one in model.tokenizer(TEXTS[name])["input_ids"]}
    tensors = load_file(folder / "model.safetensors")
    (name,) = [one for one in tensors if one.endswith(("tok_embeddings.weight", "word_embeddings.weight"))]
    rows = tensors[name].clone()
    rows[sorted(ids)] = rows[sorted(ids)] @ torch.from_numpy(turn)
    save_file(tensors | {name: rows}, folder / "model.safetensors", {"format": "pt"})
    return ids


def texts_of(folder: Path) -> Path:
    for language, text in TEXTS.items():
        write(folder / f"{language}.txt", [*text.split(), text])
    return folder


def test_a_run_begins_with_what_was_folded(finished: Path, corpus, tmp_path: Path) -> None:
    """Of our ModernBERT: turned away and folded back it guesses as before; its lineage says parent and map."""
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(32, 32)))[0].astype(np.float32)
    model = tmp_path / "model"
    ids = turned(model, finished / "export", "rus_Cyrl", turn)
    matrices = {"eng": np.eye(32, dtype=np.float32), "rus": np.ascontiguousarray(turn.T)}
    mapping = a_map(model, tmp_path / "map", matrices, space="embeddings")
    output = tmp_path / "out"
    assert fold("--map", mapping, "--model", model, "--output", output, "--texts", texts_of(tmp_path / "texts")) == 0
    ours, theirs = load_file(output / "model.safetensors"), load_file(finished / "export" / "model.safetensors")
    assert ours.keys() == theirs.keys() and len(ids) >= 14
    special = [0, 1, 2, 3, 4]
    name = "model.embeddings.tok_embeddings.weight"
    assert torch.equal(ours[name][special], theirs[name][special])
    torch.testing.assert_close(ours[name][sorted(ids)], theirs[name][sorted(ids)], atol=1e-5, rtol=0)
    assert all(torch.equal(ours[one], theirs[one]) for one in ours if one != name)
    lineage = json.loads((output / "lineage.json").read_text())
    assert lineage["parent"]["folder"] == str(model) and lineage["parent"]["lineage"]["step"] == 6
    assert lineage["fold"]["map"]["method"] == "planted" and len(lineage["fold"]["map"]["digest"]) == 64
    assert set(lineage["fold"]["tokens"]) == {"eng", "rus"}
    pretrain(corpus.flags(tmp_path / "run", init=output, steps=2))
    assert len(log(tmp_path / "run")) == 2
    of_run = json.loads((tmp_path / "run" / "export" / "lineage.json").read_text())
    assert of_run["parent"]["lineage"]["fold"]["brought"] == lineage["fold"]["brought"]


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta"])
def test_a_map_that_moves_nothing_leaves_the_model(kind: str, tmp_path: Path) -> None:
    """Head, decoder and guesses too, in every layout, on texts in all scripts."""
    model = save_encoder(kind, tmp_path / "model")
    eye = np.eye(16, dtype=np.float32)
    mapping = a_map(model, tmp_path / "map", {one[:3]: eye for one in SENTENCES}, space="embeddings")
    for language, text in SENTENCES.items():
        write(tmp_path / "texts" / f"{language}.txt", [text])
    output = tmp_path / "out"
    assert fold("--map", mapping, "--model", model, "--output", output, "--texts", tmp_path / "texts") == 0
    guesses = []
    for folder in (model, output):
        opened = open_model(folder, device="cpu")
        inputs = opened.tokenizer("Anna", return_tensors="pt")
        guesses.append(opened.model("AutoModelForMaskedLM", "masked words")(**inputs).logits)
    torch.testing.assert_close(*guesses, atol=1e-4, rtol=1e-4)
    assert json.loads((output / "lineage.json").read_text())["fold"]["brought"] > 50


def test_a_token_of_several_languages_stands_between(tmp_path: Path) -> None:
    """`moon` stands in texts of both; its row is the mix of both places, of the length that it had."""
    planted = save_planted(tmp_path / "planted")
    mapping = a_map(planted, tmp_path / "map", ALL, space="embeddings")
    write(tmp_path / "texts" / "eng_Latn.txt", ["moon river bread"])
    write(tmp_path / "texts" / "rus_Cyrl.txt", ["moon река"])
    assert fold("--map", mapping, "--model", planted, "--output", tmp_path / "out", "--texts", tmp_path / "texts") == 0
    place = 5 + WORDS["eng"].index("moon")
    row = load_file(planted / "model.safetensors")[TABLE][place].numpy()
    mixed = 0.4 * row + 0.6 * row @ way_back()  # 1/3 and 1/2 of the tokens
    found = load_encoder(tmp_path / "out").encoder.token_embeddings.detach()[place].numpy()
    np.testing.assert_allclose(found, mixed / np.linalg.norm(mixed) * np.linalg.norm(row), atol=1e-5)


def test_means_of_sentences_do_not_move_the_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A sentence is the mean of rows that share much: less its mean, every row would point the other way."""
    planted, files = save_planted(tmp_path / "planted"), write_words(tmp_path / "files")
    far = np.full(WIDTH, 0.9 / np.sqrt(WIDTH), np.float32)
    means = dict.fromkeys(WORDS, far)
    outputs = {}
    for of in ("lines", "words"):
        mapping = a_map(planted, tmp_path / of, ALL, space="embeddings")
        found = read_map(mapping)
        languages = {name: replace(one, mean=means[name]) for name, one in found.languages.items()}
        write_map(replace(found, languages=languages, lineage={"mean of": of}), mapping)
        outputs[of] = tmp_path / f"out-{of}"
        flags = ["--map", mapping, "--model", planted, "--output", outputs[of], "--parallel", files / "aligned"]
        assert fold(*flags) == 0
        told = json.loads((outputs[of] / "lineage.json").read_text())["fold"]
        assert told["mean of"] == {"lines": "rows", "words": "words"}[of]
    assert capsys.readouterr().out.count("has means of sentences: those of the languages' token rows are taken") == 1
    ids = [5 + one for one in range(len(WORDS["eng"]))]
    rows = load_file(planted / "model.safetensors")[TABLE][ids].numpy()
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    expected = rows - rows.mean(0)
    found = load_encoder(outputs["lines"]).encoder.token_embeddings.detach()[ids].numpy()
    cosines = (expected * found).sum(1) / np.linalg.norm(expected, axis=1) / np.linalg.norm(found, axis=1)
    np.testing.assert_allclose(cosines, 1, atol=1e-5)
    others = load_encoder(outputs["words"]).encoder.token_embeddings.detach()[ids].numpy()
    assert not np.allclose(others, found, atol=1e-2)


def test_what_cannot_be_folded_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, other = save_planted(tmp_path / "model"), save_encoder("bert", tmp_path / "other")
    good = a_map(model, tmp_path / "good", ALL, space="embeddings")
    narrow = a_map(model, tmp_path / "narrow", {one: EYE[:, :5] for one in WORDS}, space="embeddings")
    mixed = a_map(model, tmp_path / "mixed", ALL, space="embeddings", origins={"eng": Origin("B", "2")})
    sentences = a_map(model, tmp_path / "sentences", ALL)
    words = a_map(model, tmp_path / "words", ALL, space="words", layer=2)
    write(tmp_path / "texts" / "eng_Latn.txt", ["river"])
    write(tmp_path / "french" / "fra_Latn.txt", ["eau"])
    texts = ["--texts", tmp_path / "texts"]
    there = tmp_path / "there"
    there.mkdir()
    for flags, problem in (
        (["--map", good, "--model", other, *texts], "is a map of another model"),
        (["--map", mixed, "--model", model, *texts], "has its vectors of eng from another model, B"),
        (["--map", narrow, "--model", model, *texts], "the map's space has 5 dimensions, and the table 32"),
        (["--map", sentences, "--model", model, *texts], "is of sentences at layer -1"),
        (["--map", words, "--model", model, *texts], "is of words at layer 2"),
        (["--map", good, "--model", model], "name --parallel, --shards or --texts"),
        (
            ["--map", good, "--model", model, "--texts", tmp_path / "french"],
            "none of the languages of the texts (fra_Latn)",
        ),
        (["--map", good, "--model", model, "--texts", tmp_path / "none"], "there is no file"),
        (["--map", tmp_path, "--model", model, *texts], "holds no map.json"),
        (["--map", good, "--model", tmp_path / "none", *texts], "is no folder"),
        (["--map", good, "--model", model, *texts, "--output", there], "is there already"),
    ):
        capsys.readouterr()
        assert fold("--output", tmp_path / "out", *flags) == 2, flags
        error = capsys.readouterr().err.strip()
        assert problem in error.splitlines()[-1] and error.splitlines()[-1].startswith("align: ")
        assert not (tmp_path / "out").exists()


def test_a_full_disk_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    model = save_planted(tmp_path / "model")
    mapping = a_map(model, tmp_path / "map", ALL, space="embeddings")
    write(tmp_path / "texts" / "eng_Latn.txt", ["river"])

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("train.model_folders.huggingface.shutil.copyfile", full)
    flags = ["--map", mapping, "--model", model, "--texts", tmp_path / "texts", "--output", tmp_path / "new" / "out"]
    assert fold(*flags) == 2
    assert "cannot be written (No space left on device)" in capsys.readouterr().err
    assert list((tmp_path / "new").iterdir()) == []
