"""Models of the tests of answers, made once."""

from pathlib import Path

import pytest
import transformers
from answering import save

from train.encoders.opened import OpenedModel, open_model


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With both heads of BERT."""
    return save(transformers.BertForPreTraining, tmp_path_factory.mktemp("models") / "both")


@pytest.fixture(scope="session")
def model(pretrained: Path) -> OpenedModel:
    return open_model(pretrained, device="cpu")
