"""Several models that answer as one: the mean of their probabilities, their vectors side by side."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_encoders import SENTENCES, save_encoder

from schemas.errors import UserError
from train.encoders.ensemble import Ensemble
from train.encoders.hidden_places import HiddenPlaces
from train.encoders.named import open_models
from train.encoders.opened import open_model
from train.encoders.token_means import token_means
from train.encoders.vectors import Reading, embed
from train.likelihood.held_out_texts import HeldOutText
from train.likelihood.masked_accuracy import masked_accuracy
from train.likelihood.pseudo_likelihood import pseudo_likelihood

TEXTS = list(SENTENCES.values())


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("members")
    return [save_encoder("bert", root / str(seed), seed) for seed in range(3)]


def test_probabilities_are_the_mean_of_the_members(folders: list[Path]) -> None:
    (ensemble,) = open_models([f"ens={'+'.join(map(str, folders))}"], device="cpu")
    assert isinstance(ensemble, Ensemble) and ensemble.name == "ens"
    inputs = {name: torch.tensor(value) for name, value in ensemble.tokenizer(TEXTS, padding=True).items()}
    rows, places = torch.arange(len(TEXTS)), torch.full((len(TEXTS),), 2)
    inputs["input_ids"][rows, places] = ensemble.tokenizer.mask_token_id
    found = HiddenPlaces(ensemble).log_probabilities(inputs, rows, places)
    each = []
    for folder in folders:
        model = open_model(folder, device="cpu").model("AutoModelForMaskedLM")
        each.append(torch.softmax(model(**inputs).logits[rows, places].double(), -1))
    torch.testing.assert_close(found.double().exp(), torch.stack(each).mean(0), atol=1e-6, rtol=1e-5)


def test_bits_and_loss_hang_on_the_members_probabilities(folders: list[Path]) -> None:
    """By hand, a token at a time: -log2 of the mean of the probabilities; never worse than the mean of the bits."""
    members = [open_model(one, device="cpu") for one in folders]
    ensemble = Ensemble(members, "ens")
    text = "Anna Smith lives"
    ids = ensemble.tokenizer(text)["input_ids"]
    bits = 0.0
    for place in range(1, len(ids) - 1):
        hidden = torch.tensor([ids])
        hidden[0, place] = ensemble.tokenizer.mask_token_id
        shares = [
            torch.softmax(one.model("AutoModelForMaskedLM")(hidden).logits[0, place], -1)[ids[place]] for one in members
        ]
        bits -= float(torch.log2(torch.stack(shares).double().mean()))
    found = pseudo_likelihood(ensemble, [text], "original")
    assert found.bits[0] == pytest.approx(bits, rel=1e-5)
    assert found.bits[0] <= np.mean([pseudo_likelihood(one, [text], "original").bits[0] for one in members])
    texts = [HeldOutText(str(row), line) for row, line in enumerate(TEXTS)]
    together, apart = masked_accuracy(ensemble, texts), [masked_accuracy(one, texts) for one in members]
    assert (together.loss <= np.mean([one.loss for one in apart], 0) + 1e-6).all()
    assert (together.hidden == apart[0].hidden).all()


def test_vectors_stand_side_by_side(folders: list[Path]) -> None:
    members = [open_model(one, device="cpu") for one in folders]
    ensemble = Ensemble(members, "ens")
    for of in (lambda model: embed(model, TEXTS, Reading("cls", 1)), lambda model: token_means(model, TEXTS)):
        found = of(ensemble)
        assert found.shape == (len(TEXTS), 48) and found.dtype == np.float32
        cosines = []
        for one in members:
            rows = of(one) / np.linalg.norm(of(one), axis=1, keepdims=True)
            cosines.append(rows @ rows.T)
        np.testing.assert_allclose(found @ found.T, np.mean(cosines, 0), atol=1e-5)
    reading = Reading()
    assert embed(ensemble, ["Anna " * 200], reading).shape == (1, 48) and reading.truncated == 1
    assert ensemble.config.hidden_size == 48 and members[0].config.hidden_size == 16


def test_members_of_different_layouts_and_lengths(folders: list[Path], tmp_path: Path) -> None:
    """A BERT, which reads segments, with one that knows none."""
    plain = save_encoder("distilbert", tmp_path / "distil")
    settings = json.loads((plain / "tokenizer_config.json").read_text())
    settings["model_input_names"] = ["input_ids", "attention_mask"]
    (plain / "tokenizer_config.json").write_text(json.dumps(settings))
    first, second = open_model(folders[0], device="cpu"), open_model(plain, device="cpu")
    for members in ([first, second], [second, first]):
        ensemble = Ensemble(members, "ens")
        assert np.isfinite(pseudo_likelihood(ensemble, TEXTS[:2]).bits).all()
        assert embed(ensemble, TEXTS[:2]).shape == (2, 32)
        assert ensemble.parameters == first.parameters + second.parameters


def test_untrained_members_differ(folders: list[Path]) -> None:
    ensemble = Ensemble([open_model(one, device="cpu") for one in folders[:2]], "ens")
    twin = ensemble.untrained()
    assert twin.name == "ens, untrained" and twin.at_random
    halves = np.split(embed(twin, TEXTS[:1])[0], 2)
    assert not np.allclose(*halves)


def test_what_cannot_be_is_one_line(folders: list[Path], tmp_path: Path) -> None:
    other = save_encoder("xlm-roberta", tmp_path / "other")
    for given, problem in (
        (f"e={folders[0]}+{other}", "have not the same tokens .*share one vocabulary"),
        (f"e={folders[0]}+", "on either side of"),
        (f"e={folders[0]}+{tmp_path / 'none'}", "is no folder"),
    ):
        with pytest.raises(UserError, match=problem) as told:
            open_models([given], device="cpu")
        assert "\n" not in str(told.value)
    moved = save_encoder("bert", tmp_path / "moved")
    vocabulary = json.loads((moved / "tokenizer.json").read_text(encoding="utf-8"))
    tokens = vocabulary["model"]["vocab"]
    tokens["York"], tokens["Paris"] = tokens["Paris"], tokens["York"]
    (moved / "tokenizer.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    with pytest.raises(UserError, match="'Paris' has another id"):
        open_models([f"e={folders[0]}+{moved}"], device="cpu")
    ensemble = Ensemble([open_model(one, device="cpu") for one in folders[:2]], "ens")
    for ask in (lambda: ensemble.model("AutoModelForTokenClassification"), lambda: ensemble.to_train("x", 0)):
        with pytest.raises(UserError, match="is an ensemble"):
            ask()
