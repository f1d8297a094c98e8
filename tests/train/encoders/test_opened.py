"""Folders of every kind open as what they are, and vectors are those of the model itself."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from training_runs import pretrain

from schemas.errors import UserError
from tokenizer.export import wordpiece_files
from train.encoders.batches import padded_batches
from train.encoders.folders import checkpoints_of
from train.encoders.named import open_models, shortest_names
from train.encoders.opened import open_model
from train.encoders.vectors import Reading, embed, embed_layers, vectors

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh", *(f"##{sign}" for sign in "abcdefgh"), ".", "京"]
SHAPE = {
    "vocab_size": len(PIECES), "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 16, "max_position_embeddings": 24,
}  # fmt: skip
TEXTS = [
    "a b c", "京京京", "", "hgfedcba " * 9, "שלום עולם", "สวัสดีชาวโลก",
    "b.", "가나다", "ကမ္ဘာ", "hello world", "ሰላም ልዑል", "გამარჯობა",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of random weights."""
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    transformers.BertModel(transformers.BertConfig(**SHAPE), add_pooling_layer=False).save_pretrained(folder)
    for name, content in wordpiece_files(PIECES, []).items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def run_of_languages(corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose model has rows of three languages, which differ."""
    output = tmp_path_factory.mktemp("runs") / "languages"
    pretrain(corpus.flags(output, language_embedding=True, steps=3, learning_rate=0.05))
    return output


def one_by_one(folder: Path, text: str, layer: int, pooling: str) -> np.ndarray:
    """Without batches, by the plain tokenizer and model."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    ids = tokenizer(text)["input_ids"]
    if len(ids) > SHAPE["max_position_embeddings"]:
        ids = [*ids[: SHAPE["max_position_embeddings"] - 1], ids[-1]]
    with torch.no_grad():
        hidden = model(torch.tensor([ids]), output_hidden_states=True).hidden_states[layer][0]
    return (hidden[0] if pooling == "cls" else hidden.mean(0)).numpy()


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("layer", [-1, 0, 1, 2, -2])
def test_vectors_are_those_of_each_text_alone(folder: Path, pooling: str, layer: int) -> None:
    reading = Reading(pooling=pooling, layer=layer, batch_tokens=64)
    found = embed(open_model(folder, device="cpu"), TEXTS, reading)
    assert reading.truncated == 1
    for text, vector in zip(TEXTS, found, strict=True):
        np.testing.assert_allclose(vector, one_by_one(folder, text, layer, pooling), atol=1e-5)


def test_vectors_are_those_of_sentence_transformers(folder: Path) -> None:
    sentence_transformers = pytest.importorskip(
        "sentence_transformers", reason="no sentence-transformers: pip install -e .[dev]"
    )
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    theirs = sentence_transformers.SentenceTransformer(
        modules=[Transformer(str(folder), max_seq_length=24), Pooling(16, pooling_mode="mean")], device="cpu"
    )
    short = [text for text in TEXTS if len(text) < 30]
    np.testing.assert_allclose(embed(open_model(folder), short), theirs.encode(short), atol=1e-5)


def test_many_texts_come_in_parts_and_in_order(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.encoders.vectors.TEXTS_AT_ONCE", 5)
    model, told = open_model(folder), []
    parts = list(vectors(model, iter(TEXTS), Reading(), told.append))
    assert [len(part) for part in parts] == told == [5, 5, 2]
    np.testing.assert_allclose(np.concatenate(parts), embed(model, TEXTS), atol=1e-5)


def test_batches_hold_every_text_once_within_their_tokens(folder: Path) -> None:
    tokenizer = open_model(folder).tokenizer
    encoded = dict(tokenizer(TEXTS))
    batches = list(padded_batches(encoded, tokenizer, 40))
    assert sorted(np.concatenate([one.rows for one in batches])) == list(range(len(TEXTS)))
    assert all(one.inputs["input_ids"].numel() <= 40 or len(one.rows) == 1 for one in batches)
    kept = list(padded_batches(encoded, tokenizer, 40, keep_order=True))
    assert np.concatenate([one.rows for one in kept]).tolist() == list(range(len(TEXTS)))
    for one in batches:
        for place, row in enumerate(one.rows):
            length = len(encoded["input_ids"][row])
            assert one.inputs["input_ids"][place, :length].tolist() == encoded["input_ids"][row]
            assert one.inputs["attention_mask"][place].sum() == length


def test_a_checkpoint_answers_as_the_export_does(finished: Path) -> None:
    export, checkpoint = open_model(finished / "export"), open_model(checkpoints_of(finished)[-1])
    texts = ["the river carries light", "река несёт свет", "河水带着光"]
    np.testing.assert_allclose(embed(export, texts), embed(checkpoint, texts), atol=1e-5)
    assert open_model(finished).folder == finished / "export"
    made = checkpoint.folder
    assert made.is_dir() and checkpoint.lineage["step"] == 6
    del checkpoint
    assert not made.exists()


def test_a_run_without_export_is_its_newest_checkpoint(finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run, ignore=shutil.ignore_patterns("export"))
    assert open_model(run).lineage["step"] == 6
    (run / "checkpoints" / "step-00000006" / "digests.json").unlink()  # not whole
    assert open_model(run).lineage["step"] == 3


def test_a_language_is_one_of_the_model_s(run_of_languages: Path) -> None:
    checkpoint = checkpoints_of(run_of_languages)[-1]
    texts = ["the river carries light"]
    unknown, english, russian = (
        embed(open_model(checkpoint, language=one), texts) for one in (None, "eng_Latn", "rus_Cyrl")
    )
    np.testing.assert_allclose(unknown, embed(open_model(run_of_languages / "export"), texts), atol=1e-5)
    assert abs(english - russian).max() > 1e-4 and abs(english - unknown).max() > 1e-4
    with pytest.raises(UserError, match="has no language deu_Latn: it knows eng_Latn, rus_Cyrl, zho_Hans"):
        open_model(checkpoint, language="deu_Latn")
    with pytest.raises(UserError, match="for languages that are not told: take export-eng_Latn"):
        open_model(run_of_languages / "export", language="eng_Latn")


def test_a_language_of_a_model_that_has_none(finished: Path, folder: Path) -> None:
    for one in (finished / "export", folder, checkpoints_of(finished)[-1]):
        with pytest.raises(UserError, match=r"no language( embedding| eng_Latn: it has no language embedding)"):
            open_model(one, language="eng_Latn")


def test_xlm_r_keeps_rows_for_padding(tmp_path: Path, folder: Path) -> None:
    config = transformers.XLMRobertaConfig(**SHAPE, pad_token_id=1, type_vocab_size=1)
    transformers.XLMRobertaModel(config).save_pretrained(tmp_path)
    for name, content in wordpiece_files(PIECES, []).items():
        (tmp_path / name).write_bytes(content)
    model = open_model(tmp_path)
    assert model.longest == 22
    assert np.isfinite(embed(model, ["a " * 50])).all()


def test_names_are_as_short_as_they_can_be(folder: Path, tmp_path: Path) -> None:
    assert shortest_names([Path("/x/a/export"), Path("/x/b/export")]) == ["a/export", "b/export"]
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    assert [one.name for one in open_models([f"mine={folder}", str(other)])] == ["mine", "other"]
    with pytest.raises(UserError, match="two models are called a"):
        open_models([f"a={folder}", f"a={other}"])
    rated = tmp_path / "rate=0.1"
    rated.symlink_to(folder)
    assert [one.name for one in open_models([str(rated), f"b={rated}"])] == ["rate=0.1", "b"]


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda folder: shutil.rmtree(folder), "is no folder"),
        (lambda folder: (folder / "config.json").unlink(), "holds no model"),
        (lambda folder: (folder / "config.json").write_text("{"), "cannot be opened"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 99), "cannot be opened"),
        (lambda folder: (folder / "config.json").write_text(json.dumps({"model_type": "none"})), "cannot be opened"),
        (lambda folder: (folder / "config.json").write_text(json.dumps({"model_type": "t5"})), "with a decoder"),
        (lambda folder: [one.unlink() for one in tokenizer_files(folder)], "has no tokenizer"),
        (lambda folder: shape(folder, vocab_size=20), f"a tokenizer of {len(PIECES)} tokens and embeddings of 20"),
        (lambda folder: shape(folder, num_hidden_layers=3), r"has not the weights .*layer\.2"),
    ],
)
def test_what_is_no_model_is_one_line(folder: Path, tmp_path: Path, break_it, said: str) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    break_it(broken)
    with pytest.raises(UserError, match=said) as error:
        embed(open_model(broken), ["a"])
    assert str(broken) in str(error.value) and "\n" not in str(error.value)


def tokenizer_files(folder: Path) -> list[Path]:
    return [one for one in folder.iterdir() if one.name not in ("config.json", "model.safetensors")]


def shape(folder: Path, **changed: int) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


@pytest.mark.parametrize("changed", [{"vocab_size": len(PIECES) + 8}, {"num_hidden_layers": 3}])
def test_no_encoder_is_trained_whose_weights_are_not_the_folder_s(folder: Path, tmp_path: Path, changed) -> None:
    shutil.copytree(folder, tmp_path / "broken")
    shape(tmp_path / "broken", **changed)
    with pytest.raises(UserError, match="has not the weights of the model that its config"):
        open_model(tmp_path / "broken").to_train("AutoModelForSequenceClassification", 0)
    sound = open_model(folder).to_train("AutoModelForSequenceClassification", 0, id2label={0: "a", 1: "b", 2: "c"})
    assert sound.classifier.out_features == 3 and sound.base_model.pooler is not None  # both of them new


def test_a_head_that_is_not_there(folder: Path) -> None:
    with pytest.raises(UserError, match="has no head for masked words"):
        open_model(folder).model("AutoModelForMaskedLM", "masked words")


def test_parameters_are_counted_without_weights(folder: Path) -> None:
    model = open_model(folder)
    counted = model.parameters
    assert not model._models
    assert counted == sum(value.numel() for value in model.encoder.parameters())


def test_a_layer_that_is_not_there(folder: Path) -> None:
    with pytest.raises(UserError, match="--layer 3"):
        embed(open_model(folder), ["a"], Reading(layer=3))


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_all_layers_in_one_pass_are_each_by_itself(folder: Path, pooling: str) -> None:
    model = open_model(folder)
    told: list[int] = []
    found = embed_layers(model, TEXTS, Reading(pooling), told.append)  # type: ignore[arg-type]
    assert found.shape == (3, len(TEXTS), 16) and sum(told) == len(TEXTS)
    for layer in range(3):
        np.testing.assert_allclose(found[layer], embed(model, TEXTS, Reading(pooling, layer)), atol=1e-6)  # type: ignore[arg-type]


def test_an_untrained_twin_has_the_model_s_shape_and_weights_of_a_seed(folder: Path) -> None:
    model = open_model(folder, name="bert")
    trained = embed(model, TEXTS)
    twin, again, other = model.untrained(), model.untrained(), model.untrained(1)
    assert twin.name == "bert, untrained" and twin.at_random and not model.at_random
    assert np.array_equal(embed(twin, TEXTS), embed(again, TEXTS))
    assert not np.allclose(embed(twin, TEXTS), embed(other, TEXTS), atol=1e-3)
    assert not np.allclose(embed(twin, TEXTS), trained, atol=1e-3)
    assert np.array_equal(embed(model, TEXTS), trained)
    for kind in ("AutoModelForMaskedLM", "BertForNextSentencePrediction"):
        assert twin.model(kind).config.hidden_size == 16
