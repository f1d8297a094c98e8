"""Figures of a training run in Prometheus' text format, read by its own parser."""

import socket
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from schemas.errors import UserError
from train.telemetry.exposition import Exposition, metric_names
from train.telemetry.journal import Exposed, Journal

TRAIN = {
    "step": 20, "split": "train", "tokens": 12345, "loss": 3.25, "accuracy": 0.5, "masked": 10, "mfu": 0.4125,
    "tokens_per_second": 1000.5, "data_wait": 0.01, "lr": 8e-4, "grad_norm": 1.5, "skipped_steps": 1, "seconds": 12.5,
    "objectives": {"mlm": {"loss": 3.25}, "nsp": {"loss": 0.7}},
    "languages": {"khm_Khmr": {"loss": 4.5, "tokens": 10}, 'odd"\\\n': {"loss": None}},
}  # fmt: skip


def samples(text: str) -> dict[tuple[str, ...], float]:
    return {
        (one.name, *(value for _, value in sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_what_is_said(tmp_path: Path) -> None:
    file = tmp_path / "run.prom"
    with Journal(tmp_path / "run", True, 0, 50, exposed=Exposed(0, "127.0.0.1", file)) as journal:
        assert journal._exposition is not None
        url = f"http://127.0.0.1:{journal._exposition.port}/metrics"
        before = samples(urllib.request.urlopen(url, timeout=10).read().decode())
        assert before["wanyu_train_steps",] == 50 and ("wanyu_train_step",) not in before
        journal.write(TRAIN)
        journal.write({"step": 20, "split": "validation", "loss": 3.5, "accuracy": float("nan"), "languages": {}})
        now = samples(urllib.request.urlopen(url, timeout=10).read().decode())
    assert now == samples(file.read_text()) | {("wanyu_train_resident_bytes",): now["wanyu_train_resident_bytes",]}
    assert now["wanyu_train_step",] == 20 and now["wanyu_train_tokens_total",] == 12345
    assert now["wanyu_train_loss", "train"] == 3.25 and now["wanyu_train_loss", "validation"] == 3.5
    assert ("wanyu_train_accuracy", "validation") not in now  # it was not finite
    assert now["wanyu_train_language_loss", "khm_Khmr", "train"] == 4.5
    assert now["wanyu_train_objective_loss", "nsp", "train"] == 0.7
    assert now["wanyu_train_mfu",] == 0.4125 and now["wanyu_train_resident_bytes",] > 1 << 20
    assert {name for name, *_ in now} <= metric_names()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "run.prom"]
    with pytest.raises(OSError):  # the endpoint ends with the run
        urllib.request.urlopen(url, timeout=2)


def test_labels_are_escaped() -> None:
    one = Exposition(1, None, "", None)
    one.write({**TRAIN, "languages": {'odd"\\\n': {"loss": 2.0}}})
    assert samples(one.text())["wanyu_train_language_loss", 'odd"\\\n', "train"] == 2.0


def test_what_the_user_can_mend(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"metrics_port = {port}: nobody can listen at 127.0.0.1:{port}"):
            Exposition(1, port, "127.0.0.1", None)
    with pytest.raises(UserError, match=r"names end in \.prom"):
        Exposition(1, None, "", tmp_path / "run.txt")
    with pytest.raises(UserError, match="no such folder"):
        Exposition(1, None, "", tmp_path / "no" / "run.prom")
