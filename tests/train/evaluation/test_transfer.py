"""How models are fine-tuned for transfer: by their size and the number of texts, or as the flags say."""

from pathlib import Path

import pytest
from tiny_encoders import save_encoder

from train.encoders.opened import open_model
from train.evaluation import transfer
from train.evaluation.settings import Settings
from train.evaluation.transfer import recipe


@pytest.mark.parametrize(("kind", "pooling"), [("modernbert", "mean"), ("bert", "")])
def test_a_model_and_its_untrained_twin_have_one_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, pooling: str
) -> None:
    model = open_model(save_encoder(kind, tmp_path / kind, head="AutoModel"), device="cpu")
    found, twin = recipe(model, 700, Settings()), recipe(model.untrained(), 700, Settings())
    assert (found.learning_rate, found.layer_decay, found.epochs, found.pooling) == (1e-3, 1.0, 20, pooling)
    assert (found.from_scratch, twin.from_scratch) == (False, True)
    assert transfer.told(found) == transfer.told(twin)
    asked = recipe(model, 700, Settings(transfer_learning_rate=2e-4, transfer_layer_decay=0.8, transfer_epochs=2))
    assert (asked.learning_rate, asked.layer_decay, asked.epochs) == (2e-4, 0.8, 2)
    monkeypatch.setattr("train.finetuning.recipe.SMALL", 10)
    large = recipe(model, 7000, Settings())
    assert (large.learning_rate, large.layer_decay, large.epochs) == (5e-5, 0.9, 3)
    large.check()
