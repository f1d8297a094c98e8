"""A small random model of each head, opened once, and an app over all of them."""

from pathlib import Path

import pytest
import transformers
from answering import save
from serving import ADDRESS
from starlette.testclient import TestClient

from train.encoders.named import open_models
from train.served.app import make_app
from train.served.guard import HostNames
from train.served.heads import Served, served

CLASSES = {0: "sport", 1: "علوم", 2: "<b>politics</b>"}
TAGS = {0: "O", 1: "B-PER", 2: "I-PER", 3: "B-LOC", 4: "I-LOC"}


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    at = tmp_path_factory.mktemp("served")
    return {
        "masked": save(transformers.BertForMaskedLM, at / "masked"),
        "classes": save(transformers.BertForSequenceClassification, at / "classes", id2label=CLASSES),
        "tags": save(transformers.BertForTokenClassification, at / "tags", id2label=TAGS),
        "spans": save(transformers.BertForQuestionAnswering, at / "spans"),
    }


@pytest.fixture(scope="session")
def models(folders: dict[str, Path]) -> list[Served]:
    return [served(one) for one in open_models([f"{name}={path}" for name, path in folders.items()], device="cpu")]


@pytest.fixture
def client(models: list[Served]) -> TestClient:
    return TestClient(make_app(models, HostNames("127.0.0.1", 8000)), ADDRESS)
